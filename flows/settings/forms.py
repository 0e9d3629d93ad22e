"""What the Prefect UI asks before a run: one parameter model a flow, with titles, limits and descriptions."""

from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from flows.composition import Composition, open_composition
from flows.settings.model import load_settings
from storage.disk.layout import StoreLayout

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
    erased: bool = Field(
        False,
        title="Index erased footage again",
        description="Index what was erased before, or is older than the retention in the settings",
        json_schema_extra=at(3),
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
        "",
        title="What are you looking for?",
        description="One sentence on one person: who (clothing colors help) and what they do; or give a picture",
        max_length=1000,
        examples=["a man in a red jacket falling to the ground"],
        json_schema_extra=at(1),
    )
    like: str = Field(
        "",
        title="Like this picture",
        description="JPEG or PNG of one person on the machine that runs the flow, or a crop_id; empty for none",
        max_length=4096,
        json_schema_extra=at(7),
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

    @property
    def asked(self) -> str:
        """What is looked for, in the run's name."""
        return self.text or f"like {Path(self.like).name}"


class ExportForm(StoreForm):
    """Which hits to export, and how."""

    output: str = Field(
        title="Output",
        description="Folder to make on the machine that runs the flow, or a file ending in .zip; must not exist",
        min_length=1,
        json_schema_extra=at(1),
    )
    archive: str = Field(
        "",
        title="Archive",
        description="Folder of the source videos; empty for no clips",
        json_schema_extra=at(2),
    )
    query: str = Field(
        "", title="Query", description="Hits of the saved query of this name; empty for any", json_schema_extra=at(3)
    )
    start: date | None = Field(
        None, title="First day", description="Hits from this day on (UTC)", json_schema_extra=at(4)
    )
    stop: date | None = Field(
        None, title="Last day", description="Hits up to this day, included (UTC)", json_schema_extra=at(5)
    )
    hits: list[str] = Field(
        default_factory=list,
        title="Hits",
        description="Ids of hits, from the report or the table hits; empty for any",
        max_length=10_000,
        json_schema_extra=at(6),
    )
    incident: str = Field(
        "", title="Incident", description="Hits of this incident's id; empty for any", json_schema_extra=at(7)
    )
    sweep: str = Field("", title="Sweep", description="Hits of this sweep's id; empty for any", json_schema_extra=at(8))
    sql: str = Field(
        "",
        title="SQL",
        description="One SELECT over the published tables that gives hit_id; empty for none",
        max_length=20_000,
        json_schema_extra=at(9),
    )
    margin: float = Field(
        2.0,
        title="Margin",
        description="Seconds shown before and after the person was seen",
        ge=0,
        le=600,
        json_schema_extra=at(10),
    )
    blur: bool = Field(
        True,
        title="Blur bystanders",
        description="Blur the heads of all other persons, as far as the detector finds them",
        json_schema_extra=at(11),
    )
    draw_box: bool = Field(
        False,
        title="Draw the box",
        description="Draw the box of the person asked about into the clips",
        json_schema_extra=at(12),
    )
    burn_times: bool = Field(
        False,
        title="Burn in times",
        description="Write camera, local and media time into the clips",
        json_schema_extra=at(13),
    )
    most: int = Field(
        200,
        title="At most",
        description="Refuse to export more hits than this",
        ge=1,
        le=10_000,
        json_schema_extra=at(14),
    )


class MaintainForm(StoreForm):
    """Which upkeep to do."""

    action: Literal["verify", "verify every byte", "collect garbage", "apply retention", "compact indexes"] = Field(
        "verify",
        title="Action",
        description="verify: sizes and manifests; every byte: digests too; collect garbage: remove abandoned builds; "
        "apply retention: erase what is older than [retention] in the settings says; compact indexes: put the vectors "
        "of many shards together for faster searches",
        json_schema_extra=at(1),
    )
