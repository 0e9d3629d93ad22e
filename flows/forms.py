"""What the Prefect UI asks before a run: one parameter model a flow, with titles, limits and descriptions."""

from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from flows.composition import Composition, open_composition
from flows.settings import load_settings
from storage.layout import StoreLayout

ProfileName = Literal["pocket", "cpu", "gpu"]


def at(position: int) -> JsonDict:
    """Places a field in the form."""
    return {"position": position}


class StoreForm(BaseModel):
    """The fields that every flow asks."""

    model_config = ConfigDict(extra="forbid")

    store: str = Field(
        "store",
        title="Store",
        description="Folder of shards, hits and reports on the machine that runs the flow",
        min_length=1,
        json_schema_extra=at(90),
    )
    profile: ProfileName = Field(
        "pocket",
        title="Profile",
        description="pocket: small models, CPU, no network; cpu and gpu: models from the hub that you have downloaded",
        json_schema_extra=at(91),
    )
    settings_file: str = Field(
        "",
        title="Settings file",
        description="TOML file of your own that overrides the profile; empty for none",
        json_schema_extra=at(92),
    )

    def layout(self) -> StoreLayout:
        """Names the store's paths."""
        return StoreLayout(Path(self.store))

    def compose(self) -> Composition:
        """Gives the composition of profile, settings file and environment; the same one for all tasks of a process."""
        return open_composition(load_settings(self.profile, Path(self.settings_file) if self.settings_file else None))


class IndexForm(StoreForm):
    """Which archive to index."""

    archive: str = Field(
        title="Archive",
        description="Folder of videos on the machine that runs the flow; it is only read",
        min_length=1,
        json_schema_extra=at(1),
    )
    retry: bool = Field(
        False,
        title="Retry unreadable videos",
        description="Try videos again that could not be read in an earlier run",
        json_schema_extra=at(2),
    )


class SweepForm(StoreForm):
    """Which saved queries to sweep, and what to index before."""

    archive: str = Field(
        "",
        title="Archive to index first",
        description="Folder of videos whose new footage is indexed before the sweep; empty to sweep what is there",
        json_schema_extra=at(2),
    )
    queries_file: str = Field(
        "",
        title="Queries file",
        description="Your queries.toml; empty for the queries shipped with the package",
        json_schema_extra=at(1),
    )


class SearchForm(StoreForm):
    """What to look for now."""

    text: str = Field(
        title="What are you looking for?",
        description="One sentence on one person: who (clothing colors help) and what they do",
        min_length=1,
        max_length=1000,
        examples=["a man in a red jacket falling to the ground"],
        json_schema_extra=at(1),
    )
    cameras: list[str] = Field(
        default_factory=list,
        title="Cameras",
        description="Only these cameras; empty for all",
        json_schema_extra=at(2),
    )
    start: date | None = Field(
        None, title="First day", description="Search from this day on (UTC)", json_schema_extra=at(3)
    )
    stop: date | None = Field(
        None, title="Last day", description="Search up to this day, included (UTC)", json_schema_extra=at(4)
    )
    limit: int = Field(
        12, title="Results", description="How many results to show", ge=1, le=200, json_schema_extra=at(5)
    )
    judged: int = Field(
        40,
        title="Candidates judged",
        description="How many of the best coarse results the judge looks at; more is slower and finds more",
        ge=0,
        le=2000,
        json_schema_extra=at(6),
    )


class MaintainForm(StoreForm):
    """Which upkeep to do."""

    action: Literal["verify", "verify every byte", "collect garbage"] = Field(
        "verify",
        title="Action",
        description="verify: sizes and manifests; every byte: digests too; collect garbage: remove abandoned builds",
        json_schema_extra=at(1),
    )
