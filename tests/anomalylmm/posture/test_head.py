import numpy as np
import pytest

from anomalylmm.errors import ShapeError, WeightsError
from anomalylmm.posture.classes import EVENTS, STILLS
from anomalylmm.posture.features import NUM_FEATURES
from anomalylmm.posture.head import SEQUENCE, PostureHead
from anomalylmm.posture.windows import WINDOW_FEATURES
from tests.anomalylmm.posture.bodies import lying, standing


def make_arrays(members: int = 2) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = {"mean": np.zeros(NUM_FEATURES, np.float32), "scale": np.ones(NUM_FEATURES, np.float32)}
    for member in range(members):
        for layer, (out, into) in enumerate(((7, NUM_FEATURES), (len(STILLS), 7))):
            arrays[f"{member}.{layer}.weight"] = rng.standard_normal((out, into)).astype(np.float32)
            arrays[f"{member}.{layer}.bias"] = rng.standard_normal(out).astype(np.float32)
    return arrays


def make_sequence_arrays() -> dict[str, np.ndarray]:
    outputs = len(STILLS) + len(EVENTS)
    arrays = {"mean": np.zeros(WINDOW_FEATURES, np.float32), "scale": np.ones(WINDOW_FEATURES, np.float32)}
    arrays["0.0.weight"] = np.random.default_rng(1).standard_normal((outputs, WINDOW_FEATURES)).astype(np.float32)
    arrays["0.0.bias"] = np.zeros(outputs, np.float32)
    return {f"{SEQUENCE}{name}": value for name, value in arrays.items()}


def test_a_head_with_sequence_arrays_reads_moments_together() -> None:
    head = PostureHead.of_arrays(make_arrays() | make_sequence_arrays())
    assert head.sequence is not None
    stills = np.full((4, len(STILLS)), 1 / len(STILLS), np.float32)
    read = head.sequence.read(np.arange(4) / 3, np.stack([standing()] * 4), stills)
    assert read.shape == (4, len(STILLS) + len(EVENTS))
    np.testing.assert_allclose(read[:, : len(STILLS)].sum(axis=1), 1, atol=1e-5)
    assert ((read >= 0) & (read <= 1)).all()


def test_a_row_is_read_to_the_last_bit_alike_alone_and_among_others() -> None:
    heads = PostureHead.of_arrays(make_arrays() | make_sequence_arrays())
    assert heads.sequence is not None
    rows = np.random.default_rng(2).standard_normal((37, WINDOW_FEATURES)).astype(np.float32)
    together = heads.sequence.perceptrons.logits(rows)
    alone = [heads.sequence.perceptrons.logits(row[None]) for row in rows]
    np.testing.assert_array_equal(together, np.concatenate(alone, axis=1))


def test_without_sequence_arrays_there_is_no_sequence_head() -> None:
    assert PostureHead.of_arrays(make_arrays()).sequence is None


def test_a_sequence_head_of_other_windows_is_refused() -> None:
    arrays = make_sequence_arrays() | {f"{SEQUENCE}mean": np.zeros(5, np.float32)}
    with pytest.raises(WeightsError, match="reads 5 numbers"):
        PostureHead.of_arrays(make_arrays() | arrays)


def test_probabilities_of_each_person_sum_to_one() -> None:
    read = PostureHead.of_arrays(make_arrays()).read(np.stack([standing(), lying(x=900)]))
    assert read.shape == (2, len(STILLS))
    np.testing.assert_allclose(read.sum(axis=1), 1, atol=1e-5)


def test_nobody_gives_no_rows() -> None:
    assert PostureHead.of_arrays(make_arrays()).read(np.zeros((0, 17, 3), np.float32)).shape == (0, len(STILLS))


def test_members_are_averaged() -> None:
    arrays = make_arrays()
    alone = [
        PostureHead.of_arrays(
            {
                name.replace(f"{member}.", "0.", 1) if name[0].isdigit() else name: value
                for name, value in arrays.items()
                if not name[0].isdigit() or name.startswith(f"{member}.")
            }
        ).read(standing()[None])
        for member in range(2)
    ]
    both = PostureHead.of_arrays(arrays).read(standing()[None])
    np.testing.assert_allclose(both, np.mean(alone, axis=0), atol=1e-6)


def test_a_missing_array_is_named() -> None:
    arrays = make_arrays()
    del arrays["1.0.bias"]
    with pytest.raises(WeightsError, match=r"1\.0\.bias"):
        PostureHead.of_arrays(arrays)


def test_a_head_of_other_features_is_refused() -> None:
    arrays = make_arrays() | {"mean": np.zeros(5, np.float32)}
    with pytest.raises(WeightsError, match="reads 5 numbers"):
        PostureHead.of_arrays(arrays)


def test_features_of_another_width_are_refused() -> None:
    with pytest.raises(ShapeError, match="features"):
        PostureHead.of_arrays(make_arrays()).classify(np.zeros((1, 3), np.float32))
