"""Settings, read from a profile, the user's file, the environment and arguments, in this order."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from anomalylmm.errors import ConfigurationError
from anomalylmm.footage.tiles import MIN_TILE_SHARE, tile_side
from flows.settings.archive_section import ArchiveSettings
from flows.settings.judging_sections import CoarseSettings, JudgeSettings, RerankSettingsSection
from flows.settings.own_files import read_toml, show_value
from flows.settings.sections import (
    CameraSettings,
    DecodeSettings,
    DetectorSettings,
    EncoderSettings,
    GapSettings,
    GateSettings,
    NotifySettings,
    PoseSettings,
    RetentionSettings,
    ShardSettings,
    TrackerSettings,
    TrackletSettings,
)
from flows.settings.workers_section import WorkersSettings

PREFIX = "ANOMALYLMM_"
DEFAULT_PROFILE = "pocket"
DEFAULT, ENVIRONMENT, ARGUMENT = "default", "environment", "argument"


class Settings(BaseSettings):
    """All settings of a run. Only ``load_settings`` reads files and the environment."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        case_sensitive=True,
    )

    profile: str = Field(DEFAULT_PROFILE, description="shipped profile that supplies the values you do not set")
    description: str = Field("", description="purpose of the profile")
    device: str = Field("auto", description="device for torch models: auto, cpu, cuda or cuda:<number>")
    models_folder: str = Field(
        "~/.local/share/anomalylmm/models", description="folder of models that `anomalylmm models --fetch` brought"
    )
    allow_network: bool = Field(False, description="whether weights may be downloaded from the hub")
    allow_pickle: bool = Field(False, description="whether .pt and .bin weights, which can run code, may be loaded")
    time_zone: str = Field("UTC", description="time zone of cameras whose path and pattern have none (IANA name)")
    archive: ArchiveSettings = ArchiveSettings()
    decode: DecodeSettings = DecodeSettings()
    gate: GateSettings = GateSettings()
    detector: DetectorSettings = DetectorSettings()
    pose: PoseSettings = PoseSettings()
    tracker: TrackerSettings = TrackerSettings()
    tracklets: TrackletSettings = TrackletSettings()
    encoder: EncoderSettings = EncoderSettings()
    judge: JudgeSettings = JudgeSettings()
    coarse: CoarseSettings = CoarseSettings()
    rerank: RerankSettingsSection = RerankSettingsSection()
    shards: ShardSettings = ShardSettings()
    cameras: tuple[CameraSettings, ...] = Field(
        (),
        description="path patterns with camera and time, and cameras whose frames are searched in another way: "
        "pattern and time_zone, or name; max_width, image_size and tiles",
    )
    notify: NotifySettings = NotifySettings()
    retention: RetentionSettings = RetentionSettings()
    gaps: GapSettings = GapSettings()
    workers: WorkersSettings = WorkersSettings()

    @model_validator(mode="after")
    def _check_tiles(self) -> "Settings":
        for camera in (None, *self.cameras):
            width, tiles, size = self.view_of(camera)
            side = tile_side(width, tiles)
            is_larger = camera is not None and size > self.detector.image_size
            if (tiles > 1 or is_larger) and 0 < side < MIN_TILE_SHARE * size:
                where = f"camera {camera.name or camera.pattern}: " if camera else ""
                raise ValueError(
                    f"{where}tiles = {tiles} with max_width = {width} makes parts of {side} px, but the detector sees "
                    f"{size} px; set max_width to at least {math.ceil(width * size / side)}, or a smaller image_size "
                    "or fewer tiles"
                )
        return self

    @property
    def models_path(self) -> Path:
        """The folder of fetched models, with the user's home filled in."""
        return Path(self.models_folder).expanduser()

    def view_of(self, camera: CameraSettings | None) -> tuple[int, int, int]:
        """Returns decode width, tiles and detector size, as they are for all cameras or for those of one entry."""
        width, tiles, size = (camera.max_width, camera.tiles, camera.image_size) if camera else (None, None, None)
        return (
            self.decode.max_width if width is None else width,
            self.detector.tiles if tiles is None else tiles,
            self.detector.image_size if size is None else size,
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - signature of the library
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Uses arguments only, so that settings built in code do not depend on the environment."""
        return (init_settings,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The settings from one source."""

    origin: str
    source: PydanticBaseSettingsSource

    def holds(self, path: Sequence[str]) -> bool:
        """Returns whether this source contains a setting."""
        values: Any = self.source()
        for name in path:
            if not isinstance(values, Mapping) or name not in values:
                return False
            values = values[name]
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSettings:
    """Settings and their sources, highest priority first."""

    settings: Settings
    layers: tuple[Layer, ...]
    environment: Mapping[str, str]

    def origin_of(self, path: Sequence[str]) -> str:
        """Names the source of a setting: an argument, an environment variable, a file, the profile or the default."""
        origin = next((layer.origin for layer in self.layers if layer.holds(path)), DEFAULT)
        if origin != ENVIRONMENT:
            return origin
        names = [PREFIX + "__".join(path[:length]).upper() for length in range(len(path), 0, -1)]
        return next((name for name in names if name in self.environment), names[0])


def configs_folder() -> Path:
    """Finds the shipped ``configs``, which a wheel has in this package and a checkout at its top."""
    here = Path(__file__).resolve().parents[1]
    inside = here / "configs"
    return inside if inside.is_dir() else here.parent / "configs"


def profile_names() -> list[str]:
    """Lists the names of the shipped profiles."""
    return sorted(path.stem for path in (configs_folder() / "profiles").glob("*.toml"))


def load_settings(
    profile: str | None = None,
    settings_file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    **overrides: Any,
) -> Settings:
    """Reads the settings of one run. Later sources override earlier ones: profile, file, environment, arguments.

    Raises:
        ConfigurationError: A profile, file, key or value is wrong; the message names it.
    """
    return load_with_origins(profile, settings_file, environment, **overrides).settings


def load_with_origins(
    profile: str | None = None,
    settings_file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    **overrides: Any,
) -> LoadedSettings:
    """Reads the settings like ``load_settings`` and keeps the origin of each.

    Raises:
        ConfigurationError: A profile, file, key or value is wrong; the message names it.
    """
    environment = os.environ if environment is None else environment
    named = settings_file or (Path(environment[PREFIX + "SETTINGS"]) if environment.get(PREFIX + "SETTINGS") else None)
    user = read_toml(named) if named else {}
    name, origin = _choose_profile(profile, environment, user, str(named))
    layers = (
        Layer(origin=origin, source=InitSettingsSource(Settings, {"profile": name})),
        Layer(origin=ARGUMENT, source=InitSettingsSource(Settings, overrides)),
        Layer(origin=ENVIRONMENT, source=_read_environment(environment)),
        Layer(origin=str(named), source=InitSettingsSource(Settings, user)),
        Layer(origin=f"profile {name}", source=InitSettingsSource(Settings, _read_profile(name))),
    )
    try:
        settings = Settings(_build_sources=(tuple(layer.source for layer in layers), {}))
    except ValidationError as error:
        raise ConfigurationError(_explain(error, name, named)) from error
    return LoadedSettings(settings=settings, layers=layers, environment=environment)


def _choose_profile(
    argument: str | None, environment: Mapping[str, str], user: Mapping[str, Any], file: str
) -> tuple[str, str]:
    """Returns the profile's name and origin. The commands pass the environment variable as an argument."""
    variable = environment.get(PREFIX + "PROFILE")
    if argument and argument != variable:
        return argument, ARGUMENT
    if variable:
        return variable, ENVIRONMENT
    return (user["profile"], file) if user.get("profile") else (DEFAULT_PROFILE, DEFAULT)


def _read_profile(name: str) -> dict[str, Any]:
    known = profile_names()
    if name not in known:
        raise ConfigurationError(f"there is no profile {name!r}; use one of {', '.join(known)}")
    return read_toml(configs_folder() / "profiles" / f"{name}.toml")


def _read_environment(environment: Mapping[str, str]) -> PydanticBaseSettingsSource:
    """Reads ``ANOMALYLMM_DECODE__SAMPLE_FPS=5`` as ``{"decode": {"sample_fps": "5"}}``; lists are JSON."""
    source = EnvSettingsSource(Settings, case_sensitive=False)
    source.env_vars = {name.lower(): value for name, value in environment.items() if name.startswith(PREFIX)}
    try:
        return InitSettingsSource(Settings, source())
    except SettingsError as error:
        raise ConfigurationError(
            f"an environment variable is wrong: {error} ({error.__cause__}); write sections and lists as JSON, for "
            f"example {PREFIX}NOTIFY__COMMAND='[\"notify-me\"]'"
        ) from error


def _explain(error: ValidationError, profile: str, file: Path | None) -> str:
    where = f"profile {profile!r}" + (f" with {file}" if file else "")
    lines = [
        f"{'.'.join(map(str, item['loc']))}: {item['msg']} (given: {show_value(item['input'])})"
        for item in error.errors()[:5]
    ]
    return (
        f"the settings from {where}, the environment and the arguments are not valid: {'; '.join(lines)}; "
        "`anomalylmm settings` lists all settings with their units"
    )
