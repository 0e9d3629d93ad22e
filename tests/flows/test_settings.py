"""Settings from profile, file, environment and arguments."""

from pathlib import Path

import pytest

from anomalylmm.errors import ConfigurationError
from flows.settings import load_settings, profile_names


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
