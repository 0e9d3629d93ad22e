"""Judges and encoders are chosen by the settings."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from anomalylmm.errors import ConfigurationError
from anomalylmm.models.judge.endpoint import EndpointJudge
from anomalylmm.models.judge.reranker import RerankerJudge
from flows.composition import Composition, open_composition
from flows.maintain.models import list_models
from flows.settings.model import Settings, load_settings
from tests.anomalylmm.models.tiny_qwen import save_qwen3_vl

ENDPOINT = """
[judge]
family = "endpoint"
max_views = 2
max_pixels = 200704
[judge.endpoint]
base_url = "http://127.0.0.1:8011/v1"
model = "Qwen/Qwen3-VL-8B-Instruct"
api_key_env = "JUDGE_KEY"
"""


@pytest.fixture
def endpoint(tmp_path: Path) -> Settings:
    file = tmp_path / "mine.toml"
    file.write_text(ENDPOINT)
    return load_settings("pocket", file, {"ANOMALYLMM_JUDGE__ENDPOINT__RETRIES": "1"})


def test_an_endpoint_is_built_from_the_settings(endpoint: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sekret")
    judge = open_composition(endpoint).judge
    assert isinstance(judge, EndpointJudge)
    assert judge.max_views == 2
    assert judge._client._retries == 1
    assert judge._client._http.headers["Authorization"] == "Bearer sekret"
    assert "sekret" not in repr(endpoint)
    judge.close()


def test_a_key_that_is_not_set_is_named(endpoint: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="JUDGE_KEY, which is not set"):
        _ = Composition(endpoint).judge


def test_an_endpoint_is_listed_without_weights(endpoint: Settings) -> None:
    rows = {row.role: row for row in list_models(endpoint)}
    assert rows["judge"].cells() == (
        "judge",
        "Qwen/Qwen3-VL-8B-Instruct",
        "(endpoint)",
        "the server's",
        "http://127.0.0.1:8011/v1",
    )
    assert set(rows) == {"detector", "pose", "posture", "dual_encoder", "judge"}


def test_an_endpoint_has_no_gradients() -> None:
    judge = {"family": "endpoint", "maps": True, "endpoint": {"model": "m"}}
    with pytest.raises(ConfigurationError, match=r"judge\.maps"):
        load_settings("pocket", None, {}, judge=judge)


def test_the_dimension_of_a_dual_encoder_cannot_be_set() -> None:
    with pytest.raises(ConfigurationError, match='family = "lmm"'):
        load_settings("pocket", None, {}, encoder={"dimension": 8})


@pytest.mark.parametrize("section", ["detector", "pose", "encoder", "judge"])
def test_an_unknown_family_is_named_with_the_known_ones(section: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{section}\.family: .* should be '.* or '.*'bag'"):
        load_settings("pocket", None, {}, **{section: {"family": "bag"}})


def test_an_endpoint_needs_a_models_name() -> None:
    with pytest.raises(ConfigurationError, match=r"endpoint\.model"):
        load_settings("pocket", None, {}, judge={"family": "endpoint"})


def test_a_reranker_is_only_asked_yes_or_no(tmp_path: Path) -> None:
    judge = {"family": "reranker", "weights": str(save_qwen3_vl(tmp_path / "qwen")), "max_pixels": 1024}
    composition = Composition(Settings.model_validate({"judge": judge, "device": "cpu"}))
    assert isinstance(composition.adjudicator.judge, RerankerJudge)
    asked = Settings.model_validate({"judge": judge, "rerank": {"preset": "paper"}})
    with pytest.raises(ConfigurationError, match=r'set rerank\.reading = "likelihood"'):
        _ = Composition(asked).adjudicator


def test_the_dimension_of_an_embedding_lmm_makes_another_pipeline(tmp_path: Path) -> None:
    encoder = {"family": "lmm", "weights": str(save_qwen3_vl(tmp_path / "qwen"))}
    whole, part = (
        Composition(Settings.model_validate({"device": "cpu", "encoder": {**encoder, **more}}))
        for more in ({}, {"dimension": 8})
    )
    assert whole.pipeline.digest != part.pipeline.digest
    assert part.encoder.model_id == part.model_ids()["dual_encoder"]


def test_models_with_graphs_run_without_torch_unless_the_settings_need_it() -> None:
    def choose(**sections: Any) -> tuple[str, str]:
        composition = Composition(Settings.model_validate({"device": "cpu", **sections}))
        return type(composition.encoder).__name__, type(composition.judge).__name__

    assert choose() == ("GraphEncoder", "GraphJudge")
    assert choose(encoder={"runtime": "torch"}, judge={"runtime": "torch"}) == ("DualEncoder", "TransformersJudge")
    assert choose(judge={"maps": True}) == ("GraphEncoder", "TransformersJudge")
    assert choose(judge={"max_pixels": 128 * 128})[1] == "TransformersJudge"
    with pytest.raises(ConfigurationError, match="on the CPU"):
        choose(device="cuda:0", encoder={"runtime": "onnxruntime"})


@pytest.mark.parametrize("changed", [{"maps": True}, {"max_pixels": 20_000}, {"family": "reranker"}])
def test_graphs_that_can_not_do_what_is_asked_are_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="onnxruntime"):
        Settings.model_validate({"judge": {"runtime": "onnxruntime", **changed}})


def test_a_judge_that_writes_single_words_is_asked_for_no_description() -> None:
    composition = Composition(Settings.model_validate({"rerank": {"description_weight": 1.0}}))
    with pytest.raises(ConfigurationError, match=r"'pocket/judge' writes single words .* name another judge"):
        _ = composition.adjudicator
