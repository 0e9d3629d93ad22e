"""The forms that the Prefect UI shows before a run: one parameter model for each flow."""

from datetime import date
from pathlib import Path
from typing import Literal, cast

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from flows.composition import Composition, open_composition
from flows.settings.model import load_settings
from storage.disk.layout import StoreLayout

ProfileName = Literal["pocket", "cpu", "gpu"]


def _place_fields(schema: JsonDict, _: type[BaseModel]) -> None:
    """Numbers the fields of a form in the order of the class, those of ``StoreForm`` last."""
    fields = cast("dict[str, JsonDict]", schema["properties"])
    for position, name in enumerate(sorted(fields, key=lambda name: name in StoreForm.model_fields), 1):
        fields[name]["position"] = position


class StoreForm(BaseModel):
    """The fields of every form."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_place_fields)

    store: str = Field(
        "store",
        title="Store",
        description="Folder of shards, hits and reports on the machine that runs the flow",
        min_length=1,
    )
    profile: ProfileName = Field(
        "pocket",
        title="Profile",
        description="pocket: small shipped models on a CPU; cpu and gpu: models that you have downloaded from the hub",
    )
    settings_file: str = Field(
        "", title="Settings file", description="Your own TOML file, which overrides the profile; leave empty for none"
    )

    def layout(self) -> StoreLayout:
        """Returns the store."""
        return StoreLayout(Path(self.store))

    def compose(self) -> Composition:
        """Builds the composition from profile, settings file and environment. All tasks of a process share it."""
        return open_composition(load_settings(self.profile, Path(self.settings_file) if self.settings_file else None))


class IndexForm(StoreForm):
    """Input of the flow ``index-archive``."""

    archive: str = Field(
        title="Archive",
        description="Folder on the machine that runs the flow, or address, of videos; it is only read",
        min_length=1,
    )
    retry: bool = Field(
        False,
        title="Retry unreadable videos",
        description="Try again to read videos that could not be read in an earlier run",
    )
    erased: bool = Field(
        False,
        title="Index erased footage again",
        description="Also index footage that was erased, or that is older than the retention in the settings",
    )


class SweepForm(StoreForm):
    """Input of the flow ``sweep``."""

    queries_file: str = Field(
        "",
        title="Queries file",
        description="Your own queries.toml; leave empty for the queries shipped with the package",
    )
    archive: str = Field(
        "",
        title="Archive to index first",
        description="Folder or address of videos. New footage is indexed before the sweep; leave empty to index none",
    )


class SearchForm(StoreForm):
    """Input of the flow ``search-now``."""

    text: str = Field(
        "",
        title="What are you looking for?",
        description="One sentence about one person: who (clothing colors help) and what they do. Or give a picture",
        max_length=1000,
        examples=["a man in a red jacket falling to the ground"],
    )
    cameras: list[str] = Field(
        default_factory=list, title="Cameras", description="Search only these cameras; leave empty for all"
    )
    start: date | None = Field(None, title="First day", description="Search from this day on (UTC)")
    stop: date | None = Field(None, title="Last day", description="Search up to and including this day (UTC)")
    limit: int = Field(12, title="Results", description="How many results to show", ge=1, le=200)
    judged: int = Field(
        40,
        title="Candidates judged",
        description="How many of the best coarse results the judge sees; more is slower but finds more",
        ge=0,
        le=2000,
    )
    like: str = Field(
        "",
        title="Like this picture",
        description="A crop_id, a JPEG or PNG of one person on the machine that runs the flow, or VIDEO@TIME",
        max_length=4096,
    )

    @property
    def asked(self) -> str:
        """The text or picture to search for, as shown in the name of the run."""
        return self.text or f"like {Path(self.like).name}"


class ExportForm(StoreForm):
    """Input of the flow ``export``."""

    output: str = Field(
        title="Output",
        description="New folder on the machine that runs the flow, or a new file that ends in .zip",
        min_length=1,
    )
    archive: str = Field(
        "", title="Archive", description="Folder or address of the source videos; leave empty to export no clips"
    )
    query: str = Field(
        "", title="Query", description="Only hits of the saved query with this name; leave empty for all"
    )
    start: date | None = Field(None, title="First day", description="Only hits from this day on (UTC)")
    stop: date | None = Field(None, title="Last day", description="Only hits up to and including this day (UTC)")
    hits: list[str] = Field(
        default_factory=list,
        title="Hits",
        description="Only hits with these ids, as shown in the report and the table hits; leave empty for all",
        max_length=10_000,
    )
    incident: str = Field(
        "", title="Incident", description="Only hits of the incident with this id; leave empty for all"
    )
    sweep: str = Field("", title="Sweep", description="Only hits of the sweep with this id; leave empty for all")
    sql: str = Field(
        "",
        title="SQL",
        description="One SELECT on the published tables that returns hit_id; leave empty for none",
        max_length=20_000,
    )
    put_off_by: str = Field(
        "",
        title="Put off by",
        description="An earlier export, as folder or zip file: only hits whose videos could not be reached when it was "
        "made; leave empty for all",
    )
    margin: float = Field(
        2.0, title="Margin", description="Seconds of video before and after the person is seen", ge=0, le=600
    )
    blur: bool = Field(
        True, title="Blur bystanders", description="Blur the heads of all other people that the detector finds"
    )
    draw_box: bool = Field(False, title="Draw the box", description="Draw a box around the person in the clips")
    burn_times: bool = Field(
        False, title="Burn in times", description="Write the camera, local time and media time into the clips"
    )
    most: int = Field(
        200, title="At most", description="Export nothing if more hits than this are chosen", ge=1, le=10_000
    )


class MaintainForm(StoreForm):
    """Input of the flow ``maintain``."""

    action: Literal["verify", "verify every byte", "collect garbage", "apply retention", "compact indexes"] = Field(
        "verify",
        title="Action",
        description="verify: check sizes and manifests; verify every byte: also check digests; collect garbage: remove "
        "abandoned builds; apply retention: erase what is older than [retention] in the settings allows; compact "
        "indexes: combine the vectors of many shards for faster searches",
    )
