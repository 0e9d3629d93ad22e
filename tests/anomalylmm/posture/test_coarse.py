import numpy as np

from anomalylmm.posture.classes import CHANNELS, READINGS, STILLS
from anomalylmm.posture.vector import asked_part, join_queries, pad, posture_part
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.query.masking import mask_query
from anomalylmm.records import Body, Cloze

LEXICON = Lexicon.load()


def _cloze(text: str) -> Cloze:
    return mask_query(text, LEXICON)


def _body(**scores: float) -> Body:
    values = np.full(len(CHANNELS), 0.05, np.float32)
    for name, value in scores.items():
        values[CHANNELS.index(name)] = value
    return Body(
        keypoints=np.zeros((17, 3), np.float32),
        posture_scores=values,
        posture="lying",
        fall_score=0.0,
        run_score=0.0,
        trunk_angle_degrees=0.0,
        height_ratio=0.5,
    )


def test_each_reading_is_of_a_word_of_the_lexicon_and_of_known_channels() -> None:
    for word, reading in READINGS.items():
        assert [slot.word for slot in _cloze(f"a person {word}").slots] == [word]
        assert set(reading.channels) <= set(CHANNELS)
    assert set(STILLS) < set(CHANNELS)


def test_a_posture_that_is_asked_for_raises_the_score_and_its_absence_lowers_it() -> None:
    asked = asked_part(_cloze("a person lying on the ground"))
    assert posture_part(_body(lying=0.9)) @ asked > 0.7
    assert posture_part(_body()) @ asked < -0.2


def test_beside_colors_a_posture_counts_less() -> None:
    alone, dressed = (asked_part(_cloze(f"a person {text}")) for text in ("lying", "in a red jacket lying"))
    assert 0 < dressed.max() < alone.max() / 5


def test_nothing_known_of_the_joints_counts_neither_way() -> None:
    assert not posture_part(None).any()


def test_what_joints_do_not_show_is_not_asked_of_them() -> None:
    assert not asked_part(_cloze("a woman in a red jacket talking on the phone")).any()


def test_a_query_is_as_long_as_the_gallerys_vectors() -> None:
    vectors = np.eye(2, 6, dtype=np.float32)
    clozes = [_cloze("a person falling"), _cloze("a man in black")]
    joined = join_queries(vectors, clozes, np.array([0.1, 0.2]), 5.0, 6 + len(CHANNELS))
    assert joined.shape == (2, 6 + len(CHANNELS))
    np.testing.assert_array_equal(joined[:, :6], vectors)
    assert joined[0, 6 + CHANNELS.index("fall")] == np.float32(0.5)
    assert not joined[1, 6:].any()


def test_a_gallery_without_poses_takes_the_texts_alone() -> None:
    vectors = np.eye(1, 6, dtype=np.float32)
    assert join_queries(vectors, [_cloze("a person falling")], np.array([0.1]), 5.0, 6) is vectors


def test_padding_counts_for_nothing() -> None:
    assert pad(np.ones((1, 3), np.float32), 5).tolist() == [[1, 1, 1, 0, 0]]
