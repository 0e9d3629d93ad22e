"""Settings from profile, file, environment and arguments."""

from pathlib import Path

import pytest

from anomalylmm.errors import ConfigurationError
from flows.composition import Composition
from flows.settings.model import load_settings, profile_names


@pytest.mark.parametrize("name", profile_names())
def test_every_shipped_profile_is_valid(name: str) -> None:
    assert load_settings(name, environment={}).profile == name


def test_later_sources_win(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[decode]\nsample_fps = 4\nbatch_frames = 2\n")
    settings = load_settings("pocket", file, {"ANOMALYLMM_DECODE__SAMPLE_FPS": "5"}, detector={"confidence": 0.7})
    assert (settings.decode.sample_fps, settings.decode.batch_frames, settings.detector.confidence) == (5.0, 2, 0.7)


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
def test_values_made_to_do_harm_are_refused(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=named):
        load_settings("pocket", file, {})


def test_a_message_does_not_repeat_a_value_of_megabytes(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f'[decode]\nsample_fps = "{"9" * 1_000_000}"')
    with pytest.raises(ConfigurationError) as caught:
        load_settings("pocket", file, {})
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("place", ["/dev/zero", "/etc", "a\0b", "n" * 5000])
def test_what_is_no_file_is_not_read(place: str) -> None:
    with pytest.raises(ConfigurationError):
        load_settings("pocket", Path(place), {})


def test_how_long_the_judge_may_write_reaches_the_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("flows.composition.registry.build_judge", asked.append)
    judge = Composition(load_settings("pocket", environment={}, judge={"max_new_tokens": 200})).judge
    assert judge is None
    assert asked[0].max_new_tokens == 200
