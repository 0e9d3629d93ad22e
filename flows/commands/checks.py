"""The ``settings`` command: shows the settings in force."""

import textwrap
from itertools import groupby

import typer

from flows.commands.common import JsonOption, ProfileOption, SettingsOption, print_json, say
from flows.settings.listing import SettingRow, list_settings
from flows.settings.model import load_with_origins

WIDTH = 100
ORIGIN_COLUMN = 56


def settings(profile: ProfileOption = None, settings: SettingsOption = None, json: JsonOption = False) -> None:
    """Prints every setting: its value and unit, what it does and where it comes from.

    A value comes from the default, the profile, your file, an environment variable or an argument. Re-ranking settings
    that none of these give come from the preset. Exits with 2 if a file or a value is wrong.

    Example: `anomalylmm settings --profile cpu --settings mine.toml`
    """
    rows = list_settings(load_with_origins(profile, settings))
    if json:
        print_json(rows)
        return
    for section, group in groupby(rows, key=lambda row: row.section):
        if section:
            typer.echo(f"\n[{section}]")
        for row in group:
            for line in _lines(row):
                say(line)


def _lines(row: SettingRow) -> list[str]:
    first = f"{row.assignment.ljust(ORIGIN_COLUMN)} {row.origin}"
    return [
        *textwrap.wrap(first, WIDTH, subsequent_indent="  "),
        *textwrap.wrap(row.description, WIDTH, initial_indent="    ", subsequent_indent="    "),
    ]
