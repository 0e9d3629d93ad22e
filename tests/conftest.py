"""What all tests share: no network, one thread, ordinary priority, no settings from outside."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from anomalylmm import offline
from storage.disk import crashpoints

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("PREFECT_LOGGING_LEVEL", "WARNING")
offline.switch_off()
# The same examples each time, and none that fails because the machine is busy.
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes away the developer's own settings."""
    for name in list(os.environ):
        if name.startswith("ANOMALYLMM_") and name not in ("ANOMALYLMM_VENV", "ANOMALYLMM_GPU", "ANOMALYLMM_WEIGHTS"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _ordinary_priority() -> Iterator[None]:
    """Fails a test that leaves its process with real-time priority, which would hold up all tests beside it."""
    yield
    assert os.sched_getscheduler(0) == os.SCHED_OTHER, "the test, or a library it called, left real-time scheduling"


@pytest.fixture(scope="session")
def judge_url() -> Iterator[str]:
    """The address of a server of the pocket judge."""
    from tests.anomalylmm.models.judge.judge_server import judge_server

    with judge_server("pocket/judge") as url:
        yield url


@pytest.fixture
def failing() -> Iterator[list[str]]:
    """Crash points that raise once."""
    points: list[str] = []

    def fail(name: str) -> None:
        if name in points:
            points.remove(name)
            raise KeyboardInterrupt

    crashpoints.hooks.append(fail)
    yield points
    crashpoints.hooks.remove(fail)
