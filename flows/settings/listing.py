"""Lists the settings in force with value, unit, description and origin."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from anomalylmm.rerank.score import PRESETS
from flows.settings.judging_sections import RerankSettingsSection
from flows.settings.model import LoadedSettings
from flows.settings.sections import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """One setting in force."""

    section: str  # empty at the top level
    name: str
    value: Any  # JSON value; None if it is not set
    unit: str  # empty if it has none
    description: str
    origin: str

    @property
    def assignment(self) -> str:
        """The line of a settings file that sets this value, followed by the unit."""
        value = "(not set)" if self.value is None else json.dumps(self.value, ensure_ascii=False)
        return f"{self.name} = {value} {self.unit}".rstrip()


def list_settings(loaded: LoadedSettings) -> list[SettingRow]:
    """Lists all settings, section by section."""
    return sorted(_iter_rows(loaded, loaded.settings, ()), key=lambda row: row.section != "")


def _iter_rows(loaded: LoadedSettings, section: BaseModel, path: tuple[str, ...]) -> Iterator[SettingRow]:
    plain = section.model_dump(mode="json")
    inner: list[tuple[str, BaseModel]] = []
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            inner.append((name, value))
            continue
        origin, shown = loaded.origin_of((*path, name)), plain[name]
        if shown is None and isinstance(section, RerankSettingsSection):
            shown, origin = getattr(PRESETS[section.preset], name), f"preset {section.preset}"
        yield SettingRow(
            section=".".join(path),
            name=name,
            value=shown,
            unit=next((item.name for item in field.metadata if isinstance(item, Unit)), ""),
            description=field.description or "",
            origin=origin,
        )
    for name, value in inner:
        yield from _iter_rows(loaded, value, (*path, name))
