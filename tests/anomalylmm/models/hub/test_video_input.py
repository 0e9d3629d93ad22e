"""How a moment becomes the input of models that take videos."""

import numpy as np
import pytest

from anomalylmm.models.hub.chat import list_shown, video_input
from anomalylmm.models.judge.transformers_judge import TransformersJudge
from anomalylmm.records import Clip
from tests.adapters import compose
from tests.anomalylmm.models.tiny_models import save_smolvlm
from tests.anomalylmm.models.tiny_qwen import save_qwen3_vl

MOMENT = Clip([np.full((48, 48, 3), 60 * n, np.uint8) for n in range(4)], (7.0, 7.5, 8.0, 8.5))
ANSWERS = ["falling down", "lying on the ground", "no"]


@pytest.fixture(scope="module", params=[save_qwen3_vl, save_smolvlm])
def judge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TransformersJudge:
    weights = str(request.param(tmp_path_factory.mktemp("judge") / "weights"))
    judge = compose(judge={"weights": weights, "batch_size": 2, "max_views": 2}).judge
    assert isinstance(judge, TransformersJudge)
    return judge


def test_all_frames_are_given_as_one_video_however_few_pictures_are_allowed(judge: TransformersJudge) -> None:
    assert judge.moment_way == "video"
    inputs = judge._chat.inputs_of(judge._limit(MOMENT), "?")
    if "video_grid_thw" in inputs:
        assert inputs["video_grid_thw"][0, 0].item() == 2  # Qwen reads two frames together
        assert "pixel_values" not in inputs
    else:
        assert inputs["pixel_values"].shape[:2] == (1, 4)


def test_the_processor_is_told_the_pace_of_the_frames() -> None:
    (times,) = video_input(MOMENT)["video_metadata"]
    assert [index / times["fps"] for index in times["frames_indices"]] == [0.0, 0.5, 1.0, 1.5]
    assert video_input(MOMENT)["do_sample_frames"] is False


def test_answers_behind_a_video_score_the_same_one_by_one(judge: TransformersJudge) -> None:
    inputs = judge._chat.inputs_of(MOMENT, "does this show a man")
    tokens = [judge._chat.answer_ids("does this show a man", answer) for answer in ANSWERS]
    together = judge._scorer.score(inputs, tokens)
    assert judge._scorer.uses_cache
    np.testing.assert_allclose(together, judge._scorer.score_one_by_one(inputs, tokens), atol=1e-3)


def test_who_takes_pictures_gets_each_behind_its_time() -> None:
    parts = list_shown(MOMENT, as_video=False)
    assert [part.get("text", "picture") for part in parts] == [
        *("0.0 s: ", "picture", "0.5 s: ", "picture"),
        *("1.0 s: ", "picture", "1.5 s: ", "picture"),
    ]
