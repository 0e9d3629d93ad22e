import os
import subprocess
import sys
from pathlib import Path

import pytest

from anomalylmm.caches import cache_folder, require_writable
from anomalylmm.errors import ConfigurationError


def test_the_caches_of_all_libraries_follow_the_variable_unless_they_have_their_own(tmp_path: Path) -> None:
    code = "import os, anomalylmm; print(*(os.environ.get(n) for n in ('HF_HOME', 'MPLCONFIGDIR')), sep='|')"
    environment = {**os.environ, "ANOMALYLMM_CACHE": str(tmp_path), "HF_HOME": "/mine"}
    environment.pop("MPLCONFIGDIR", None)
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == f"/mine|{tmp_path}/matplotlib"


def test_the_cache_lies_in_the_home_unless_a_variable_names_another_place(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value, expected in (
        ("HOME", "/home/me", "/home/me/.cache/anomalylmm"),
        ("XDG_CACHE_HOME", "/cache", "/cache/anomalylmm"),
        ("ANOMALYLMM_CACHE", "/scratch/ours", "/scratch/ours"),
    ):
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setenv(name, value)
        assert cache_folder() == Path(expected)


def test_a_home_that_can_not_be_written_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        ConfigurationError, match=r"file/cache can't be used: Not a directory\. Set ANOMALYLMM_CACHE to"
    ):
        require_writable(tmp_path / "file" / "cache")
