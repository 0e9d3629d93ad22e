"""The section ``workers`` of the settings."""

from typing import Literal

from pydantic import Field, model_validator

from flows.settings.sections import Section


class WorkersSettings(Section):
    """Where units of work run: in threads of the program, or in worker processes on several machines."""

    engine: Literal["threads", "dask", "ray", "pool"] = Field(
        "threads",
        description="threads: in the program itself; dask, ray: in the processes of a cluster, for which the extra of "
        "the same name must be installed; pool: as runs of the deployment index-unit, in a Prefect work pool",
    )
    address: str = Field(
        "",
        description="dask: its scheduler, such as tcp://head:8786; ray: its head, such as ray://head:10001; empty: "
        "worker processes are started on this machine for each run",
    )
    per_machine: int = Field(
        0,
        ge=0,
        le=256,
        description="dask, ray: worker processes on a machine, each of which works on one unit at a time; 0: two, or "
        "one for every eight cores, and with ray.address one for each. A Dask scheduler's workers are used as they are",
    )

    queue: str = Field(
        "", description="pool: the work queue that the units go to, such as cpu or gpu; empty: that of the deployment"
    )

    judging: bool = Field(
        False,
        description="dask, ray: whether the workers also judge for sweeps; worth it if the judge is large, and each "
        "worker has a device for it",
    )

    @model_validator(mode="after")
    def _check_address(self) -> "WorkersSettings":
        if self.address and self.engine not in {"dask", "ray"}:
            raise ValueError(
                f'engine = "{self.engine}" has no address, but {self.address!r} is given; leave it out, or set engine'
            )
        if self.judging and self.engine not in {"dask", "ray"}:
            raise ValueError(
                f'engine = "{self.engine}" leaves judging to the sweep itself; leave judging = true out, or set engine '
                'to "dask" or "ray"'
            )
        return self
