"""Which engine is opened, what is imported for it, and what is said if it can't be used."""

import subprocess
import sys
from typing import Any

import pytest
from prefect.task_runners import ThreadPoolTaskRunner

from anomalylmm.errors import ConfigurationError, EngineError
from flows.settings.model import Settings
from flows.workers import engines
from flows.workers.reaching import check_reachable

CLOSED_PORT = 9  # of a service that no machine runs any more
ENGINES = {"dask", "distributed", "ray", "prefect_dask", "prefect_ray", "s3fs", "gcsfs", "adlfs"}


def settings(**workers: Any) -> Settings:
    return Settings(workers=workers)


def test_threads_are_the_usual_engine_and_as_many_as_shards_are_made_at_once() -> None:
    with engines.open_engine(Settings(shards={"at_once": 3}), 5) as engine:
        assert isinstance(engine.runner, ThreadPoolTaskRunner)
        assert engine.runner._max_workers == 3


@pytest.mark.parametrize("engine", ["dask", "ray"])
def test_an_engine_that_is_not_installed_is_named_with_its_extra(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda _: None)
    with (
        pytest.raises(ConfigurationError, match=rf"pip install 'anomalylmm\[{engine}\]'"),
        engines.open_engine(settings(engine=engine), 2),
    ):
        pass


@pytest.mark.parametrize("engine", ["dask", "ray"])
def test_an_address_where_nobody_listens_is_an_error_at_once(engine: str) -> None:
    pytest.importorskip(engines.MODULES[engine])
    address = f"127.0.0.1:{CLOSED_PORT}"
    with (
        pytest.raises(EngineError, match=rf"can't be reached at {address}.*correct workers.address"),
        engines.open_engine(settings(engine=engine, address=address), 2),
    ):
        pass


@pytest.mark.parametrize("address", ["head", "tcp://head", "tcp://:8786", "head:eighty", "head:99999"])
def test_an_address_without_host_or_port_is_an_error(address: str) -> None:
    with pytest.raises(EngineError, match="must name a host and a port"):
        check_reachable("ray", address, "ray start --head")


def test_threads_with_an_address_are_refused() -> None:
    with pytest.raises(ValueError, match="has no address"):
        settings(address="tcp://head:8786")


def test_no_engine_is_imported_unless_it_is_asked_for() -> None:
    program = (
        "import sys, flows.cli, flows.index.flow, flows.sweep.flow, flows.serve.deployments, flows.index.indexing\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "prefect" in ran.stdout.split()
    assert not ENGINES & set(ran.stdout.split())


def versions(**changed: dict[str, str]) -> dict[str, Any]:
    same = {"python": "3.11.7.final.0", "dask": "1", "distributed": "1", "prefect": "3.8.8", "anomalylmm": "1"}
    packages = {side: {**same, **changed.get(side, {})} for side in ("client", "scheduler", "worker")}
    sides = {side: {"packages": found} for side, found in packages.items()}
    return {"client": sides["client"], "scheduler": sides["scheduler"], "workers": {"tcp://w:1": sides["worker"]}}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"scheduler": {"distributed": "2"}}, "the Dask scheduler has distributed 2, but this program has 1"),
        ({"worker": {"anomalylmm": "2"}}, "the Dask worker tcp://w:1 has anomalylmm 2, but this program has 1"),
        ({"worker": {"python": "3.12.1.final.0"}}, "has python 3.12.1.final.0, but this program has 3.11.7.final.0"),
    ],
)
def test_a_cluster_of_another_version_is_refused(changed: dict[str, dict[str, str]], message: str) -> None:
    dask_engine = pytest.importorskip("flows.workers.dask_engine", exc_type=ImportError)
    with pytest.raises(EngineError, match=message):
        dask_engine.check_versions(versions(**changed))


def test_versions_that_do_not_matter_may_differ() -> None:
    dask_engine = pytest.importorskip("flows.workers.dask_engine", exc_type=ImportError)
    dask_engine.check_versions(versions(worker={"python": "3.11.9.final.0"}, scheduler={"anomalylmm": "-"}))


@pytest.mark.parametrize(
    ("resources", "per_machine", "shares"),
    [
        ([{"CPU": 16.0}], 0, {"num_cpus": 1.0}),
        ([{"CPU": 16.0}, {"CPU": 9.0}], 2, {"num_cpus": 4.0}),
        ([{"CPU": 2.0}], 4, {"num_cpus": 0.5}),
        ([{"CPU": 16.0, "GPU": 1.0}], 2, {"num_cpus": 8.0, "num_gpus": 0.5}),
        ([{"CPU": 16.0, "GPU": 1.0}, {"CPU": 16.0}, {"memory": 1.0}], 2, {"num_cpus": 8.0}),
    ],
)
def test_a_ray_task_takes_its_share_of_a_machine(
    resources: list[dict[str, float]], per_machine: int, shares: dict[str, float]
) -> None:
    ray_engine = pytest.importorskip("flows.workers.ray_engine", exc_type=ImportError)
    nodes = [{"Alive": True, "Resources": found} for found in resources]
    assert ray_engine.share_out(nodes, per_machine, wants_gpu=True) == shares
