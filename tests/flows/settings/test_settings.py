"""Settings from profile, file, environment and arguments."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from anomalylmm.errors import ConfigurationError
from anomalylmm.models.judge import reranker, transformers_judge
from flows.composition import Composition
from flows.settings.model import Settings, load_settings, load_with_origins, profile_names


@pytest.mark.parametrize("name", profile_names())
def test_every_shipped_profile_is_valid(name: str) -> None:
    assert load_settings(name, environment={}).profile == name


def test_later_sources_win(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[decode]\nsample_fps = 4\nbatch_frames = 2\n")
    settings = load_settings("pocket", file, {"ANOMALYLMM_DECODE__SAMPLE_FPS": "5"}, detector={"confidence": 0.7})
    assert (settings.decode.sample_fps, settings.decode.batch_frames, settings.detector.confidence) == (5.0, 2, 0.7)


def test_only_loading_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALYLMM_DECODE__SAMPLE_FPS", "5")
    assert (Settings().decode.sample_fps, Settings.model_validate({}).decode.sample_fps) == (3.0, 3.0)
    assert load_settings().decode.sample_fps == 5.0


def test_a_list_in_the_environment_is_json() -> None:
    settings = load_settings(environment={"ANOMALYLMM_NOTIFY__COMMAND": '["tell", "me"]'})
    assert settings.notify.command == ("tell", "me")
    with pytest.raises(ConfigurationError, match=r"NOTIFY__COMMAND='\["):
        load_settings(environment={"ANOMALYLMM_NOTIFY__COMMAND": "tell me"})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DECODE__SAMPLE_FPS", "fast", r"decode\.sample_fps: .*valid number.*given: 'fast'.*anomalylmm settings"),
        ("DECODE__SAMPLE_FSP", "4", r"decode\.sample_fsp: Extra inputs .*given: '4'"),
        ("DECODE", "4", r"decode: .*valid dictionary"),
        ("JUDGE__ENDPOINT__RETRIES", "99", r"judge\.endpoint\.retries: .*less than or equal to 20"),
    ],
)
def test_a_wrong_variable_is_named_with_what_was_expected(name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_settings("pocket", None, {f"ANOMALYLMM_{name}": value})


def test_every_setting_knows_where_it_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[decode]\nsample_fps = 4\nbatch_frames = 2\n[judge.endpoint]\nretries = 1\n")
    environment = {"ANOMALYLMM_DECODE__SAMPLE_FPS": "5", "ANOMALYLMM_GATE": '{"linger_seconds": 1}'}
    loaded = load_with_origins("cpu", file, environment, device="cpu")
    assert loaded.origin_of(("profile",)) == loaded.origin_of(("device",)) == "argument"
    assert loaded.origin_of(("decode", "sample_fps")) == "ANOMALYLMM_DECODE__SAMPLE_FPS"
    assert loaded.origin_of(("gate", "linger_seconds")) == "ANOMALYLMM_GATE"
    assert (
        loaded.origin_of(("judge", "endpoint", "retries")) == loaded.origin_of(("decode", "batch_frames")) == str(file)
    )
    assert loaded.origin_of(("judge", "weights")) == "profile cpu"
    assert loaded.origin_of(("gate", "enabled")) == "default"


@pytest.mark.parametrize("source", ["argument", "ANOMALYLMM_PROFILE", "file", "default"])
def test_the_profile_is_chosen_by_the_strongest_source(tmp_path: Path, source: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('profile = "gpu"' if source != "default" else "")
    environment = {"ANOMALYLMM_PROFILE": "" if source in ("file", "default") else "cpu"}
    loaded = load_with_origins("pocket" if source == "argument" else None, file, environment)
    chosen = {"argument": "pocket", "ANOMALYLMM_PROFILE": "cpu", "file": "gpu", "default": "pocket"}
    assert loaded.settings.profile == chosen[source]
    assert loaded.origin_of(("profile",)) == (str(file) if source == "file" else source)


@pytest.mark.parametrize(
    ("name", "digest"), [("pocket", "eac114f344d06fc4"), ("cpu", "acb812571479e4ee"), ("gpu", "61eac7f528fda10e")]
)
def test_pipeline_digests_stay_stable_so_that_stores_remain_valid(
    name: str, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Composition, "model_ids", lambda _: {})  # weights may be retrained
    assert Composition(load_settings(name, environment={})).pipeline.digest == digest


def test_tiles_make_another_pipeline_and_entries_of_cameras_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Composition, "model_ids", lambda _: {})
    usual, tiled = (Composition(load_settings(environment={}, detector={"tiles": tiles})) for tiles in (1, 2))
    entry = Composition(load_settings(environment={}, cameras=[{"name": "yard", "tiles": 2}]))
    assert tiled.pipeline.digest != usual.pipeline.digest == entry.pipeline.digest
    assert usual.describe_pipeline(entry.views.find("yard", ""))["camera_view"] == {
        "max_width": 960,
        "tiles": 2,
        "image_size": 416,
    }


@pytest.mark.parametrize(
    ("sections", "named"),
    [
        ({"detector": {"tiles": 5}}, "tiles = 5 with max_width = 960 makes parts of 229 px.*at least 1744"),
        ({"cameras": [{"name": "yard", "max_width": 640, "tiles": 4}]}, "camera yard: tiles = 4"),
        ({"cameras": [{"name": "yard", "image_size": 1664}]}, "camera yard: .* parts of 960 px.*at least 1664"),
        ({"cameras": [{"max_width": 640}]}, "either a pattern of its paths or its name"),
        ({"cameras": [{"pattern": "{camera}/{any}", "name": "yard"}]}, "either a pattern of its paths or its name"),
        ({"cameras": [{"name": "yard", "time_zone": "UTC"}]}, "a pattern instead of the name"),
        ({"detector": {"tiles": 0}}, "greater than or equal to 1"),
    ],
)
def test_tiles_and_cameras_that_make_no_sense_are_refused(sections: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        load_settings(environment={}, **sections)


def test_an_unknown_profile_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="pocket"):
        load_settings("giant", environment={})


def test_a_misspelled_key_is_named_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[decode]\nsample_fsp = 4\n")
    with pytest.raises(ConfigurationError, match=r"decode\.sample_fsp"):
        load_settings("pocket", file, {})


def test_broken_toml_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[decode]\nsample_fps = = 4\n")
    with pytest.raises(ConfigurationError, match="line 2"):
        load_settings("pocket", file, {})


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("x = " + "[" * 50_000, "nested too deeply"),
        ("[encoder]\nbatch_size = " + "9" * 5000, "not valid TOML"),
        ("[decode]\nstall_seconds = inf", "finite"),
        ("[decode]\nstall_seconds = nan", "stall_seconds"),
        ("[judge]\nmax_new_tokens = 1000000", "max_new_tokens"),
    ],
)
def test_malicious_values_are_refused(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=named):
        load_settings("pocket", file, {})


def test_a_message_quotes_only_part_of_a_huge_value(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f'[decode]\nsample_fps = "{"9" * 1_000_000}"')
    with pytest.raises(ConfigurationError) as caught:
        load_settings("pocket", file, {})
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("place", ["/dev/zero", "/etc", "a\0b", "n" * 5000])
def test_only_regular_files_are_read(place: str) -> None:
    with pytest.raises(ConfigurationError):
        load_settings("pocket", Path(place), {})


def test_max_new_tokens_reaches_the_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    assert reranker.TransformersJudge is transformers_judge.TransformersJudge  # is imported before the one is replaced
    monkeypatch.setattr(transformers_judge, "TransformersJudge", lambda _, **options: asked.update(options))
    _ = Composition(load_settings("pocket", environment={}, judge={"max_new_tokens": 200, "runtime": "torch"})).judge
    assert asked["max_new_tokens"] == 200


def test_importing_the_settings_loads_no_model_library() -> None:
    program = (
        "import sys, flows.settings.model\n"
        "assert not {'torch', 'transformers', 'ultralytics', 'decord', 'av', 'prefect'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
