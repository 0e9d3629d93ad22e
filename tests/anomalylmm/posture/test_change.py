import numpy as np

from anomalylmm.posture.change import average, fall_scores, read_sequence, run_scores, trunk_angles
from anomalylmm.posture.classes import CHANNELS, STILLS
from anomalylmm.records import Floats
from tests.anomalylmm.posture.bodies import box_of, lying, standing

TIMES = np.arange(9) / 3


def _stills(joints: list[Floats]) -> Floats:
    """What a perfect head would say of standing and lying figures."""
    rows = np.full((len(joints), len(STILLS)), 0.01, np.float32)
    for row, body in zip(rows, joints, strict=True):
        angle = trunk_angles(body[None, :, :2].astype(np.float64))[0]
        row[STILLS.index("lying" if angle > 60 else "standing")] = 0.9
    return rows


def _falls(joints: list[Floats]) -> Floats:
    boxes = np.array([box_of(body) for body in joints])
    down = _stills(joints)[:, STILLS.index("lying")]
    return fall_scores(TIMES[: len(joints)], boxes, np.stack(joints)[..., :2].astype(np.float64), down)


def test_trunks_have_their_angles() -> None:
    upright, flat = standing()[:, :2], lying()[:, :2]
    np.testing.assert_allclose(trunk_angles(np.stack([upright, flat]).astype(np.float64)), [0, 90], atol=1)


def test_who_stands_and_then_lies_has_fallen() -> None:
    scores = _falls([standing()] * 4 + [lying()] * 5)
    assert scores[:4].max() < 0.1
    assert scores[4:6].max() > 0.8


def test_who_lies_all_the_time_has_not_fallen() -> None:
    assert _falls([lying()] * 9).max() < 0.1


def test_who_stands_all_the_time_has_not_fallen() -> None:
    assert _falls([standing()] * 9).max() < 0.1


def test_who_bends_down_and_comes_up_has_not_fallen() -> None:
    low = standing(hips_y=240)
    assert _falls([standing()] * 3 + [low] * 2 + [standing()] * 4).max() < 0.2


def test_who_crosses_the_picture_fast_runs() -> None:
    slow = [standing(x=30 * number) for number in range(9)]  # 0.8 body heights a second
    fast = [standing(x=100 * number) for number in range(9)]
    for joints, runs in ((slow, False), (fast, True)):
        boxes = np.array([box_of(body) for body in joints])
        scores = run_scores(TIMES, boxes, np.stack(joints)[..., :2].astype(np.float64))
        assert (scores[4] > 0.7) == runs
        assert (scores[4] < 0.1) != runs


def test_one_moment_is_no_run() -> None:
    assert run_scores(TIMES[:1], np.array([box_of(standing())]), standing()[None, :, :2].astype(np.float64)) == 0


def test_stills_are_averaged_over_a_second_only() -> None:
    values = np.eye(9, dtype=np.float32)
    mean = average(TIMES, values, 1.0)
    np.testing.assert_allclose(mean[4], [0, 0, 0, 1 / 3, 1 / 3, 1 / 3, 0, 0, 0])


def test_a_sequence_has_a_number_for_each_channel() -> None:
    joints = [standing()] * 9
    boxes = np.array([box_of(body) for body in joints])
    read, seen = read_sequence(TIMES, boxes, np.stack(joints), _stills(joints))
    assert seen is None
    assert read.shape == (9, len(CHANNELS))
    assert (read >= 0).all()
    assert (read <= 1).all()
