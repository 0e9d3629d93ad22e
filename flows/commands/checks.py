"""Commands to look before anything runs: ``settings``, ``models`` and ``doctor``, and what an index run would read."""

import textwrap
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.common import (
    DEFAULT_STORE,
    JsonOption,
    ProfileOption,
    SettingsOption,
    StoreOption,
    compose,
    print_json,
    print_table,
    say,
)
from storage.disk.layout import StoreLayout

if TYPE_CHECKING:
    from flows.index.preview import Preview
    from flows.settings.listing import SettingRow
    from flows.settings.model import Settings

MAX_ROWS = 50  # of files passed over
WIDTH = 100
ORIGIN_COLUMN = 56


def settings(profile: ProfileOption = None, settings: SettingsOption = None, json: JsonOption = False) -> None:
    """Prints every setting: its value and unit, what it does and where it comes from.

    A value comes from the default, the profile, your file, an environment variable or an argument. Re-ranking settings
    that none of these give come from the preset. Exits with 2 if a file or a value is wrong.

    Example: `anomalylmm settings --profile cpu --settings mine.toml`
    """
    from flows.settings.listing import list_settings
    from flows.settings.model import load_with_origins

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


def _lines(row: "SettingRow") -> list[str]:
    first = f"{row.assignment.ljust(ORIGIN_COLUMN)} {row.origin}"
    return [
        *textwrap.wrap(first, WIDTH, subsequent_indent="  "),
        *textwrap.wrap(row.description, WIDTH, initial_indent="    ", subsequent_indent="    "),
    ]


def models(
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Download the missing ones from the hub, after asking.")
    ] = False,
    to: Annotated[
        Path | None, typer.Option("--to", help="Folder to fetch into, to be carried to another computer.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to the licenses without being asked.")] = False,
    profile: ProfileOption = None,
    settings: SettingsOption = None,
    json: JsonOption = False,
) -> None:
    """Lists the profile's models with source, digest and license. Exits with 3 if one is missing.

    With --fetch it downloads the missing ones, checks their digests, and exports detectors to ONNX. It shows sizes and
    licenses and asks first. After an interruption, files that had arrived are not downloaded again.

    Exit codes: 0 all there · 1 not agreed · 2 wrong arguments · 3 a model is missing, refused or arrived damaged

    Example: `anomalylmm models --profile cpu`

    Example: `anomalylmm models --profile cpu --fetch --to /media/usb/models`
    """
    from flows.maintain.models import list_models
    from flows.settings.model import load_settings

    chosen = load_settings(profile, settings)
    if fetch:
        _fetch(chosen, to, yes)
    elif to or yes:
        raise typer.BadParameter("--to and --yes belong to --fetch")
    rows = list_models(chosen, to)
    if json:
        print_json(rows)
    else:
        print_table(("model", "weights", "resolved", "license", "path or remedy"), [row.cells() for row in rows])
    if not all(row.found for row in rows):
        raise typer.Exit(3)
    if to:
        say(f"next: copy {to} to the other computer and set models_folder to its place there", err=True)


def _fetch(chosen: "Settings", to: Path | None, yes: bool) -> None:
    """Shows what would be downloaded, asks, and downloads it."""
    from flows.maintain.models import fetch_all, find_fetchable

    found = find_fetchable(chosen, to)
    for model in found:
        page = f"https://huggingface.co/{model.repository}"
        say(f"{model.name}: {model.size_bytes / 1e6:,.0f} MB, license {model.license}, {page}", err=True)
        if model.pickle:
            say(f"  {model.pickle} is a pickle: exporting it to ONNX runs code that comes with it", err=True)
    if found and not yes and not typer.confirm("Do you agree to these licenses, and shall they be fetched?", err=True):
        raise typer.Exit(1)
    fetch_all(found, chosen, to or chosen.models_path)


def doctor(
    archive: Annotated[
        Path | None, typer.Argument(help="Also show which cameras and times would be read from this archive.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    profile: ProfileOption = None,
    settings: SettingsOption = None,
    json: JsonOption = False,
) -> None:
    """Checks versions, models, store and decoder, and that telemetry is off. Exits with 1 if something is wrong.

    Example: `anomalylmm doctor` or `anomalylmm doctor /media/cameras`
    """
    from flows.index.preview import preview_archive
    from flows.maintain.doctor import examine

    composition = compose(profile, settings)
    preview = preview_archive(archive, composition.settings, composition.probe_start) if archive else None
    findings = examine(composition, StoreLayout(store))
    if json:
        print_json({"findings": findings, "archive": preview} if preview else findings)
    else:
        if preview:
            show_preview(preview, json=False)
        for finding in findings:
            say(f"{'ok  ' if finding.good else 'BAD '} {finding.name}: {finding.message}")
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)


def show_preview(preview: "Preview", *, json: bool) -> None:
    """Prints the layouts of an archive, each with a few files, the cameras, and what is unsure."""
    from flows.index.preview import SOURCES

    if json:
        print_json(preview)
        return
    for layout in preview.layouts:
        say(f"{layout.pattern}: {layout.num_files} file{'s' if layout.num_files > 1 else ''}")
        for item in layout.examples:
            doubt = f", unsure: {item.clock_doubt}" if item.clock_doubt else ""
            say(f"  {item.path}")
            say(
                f"    camera {item.camera}, starts {item.start_local} {item.time_zone}, "
                f"from {SOURCES[item.clock_source]}{doubt}"
            )
    cameras = ", ".join(f"{name} ({number})" for name, number in sorted(preview.cameras.items()))
    say(f"{preview.num_files} files of {len(preview.cameras)} cameras: {cameras}")
    for view, names in preview.views.items():
        say(f"frames {view}: {', '.join(sorted(names))}")
    for passed in preview.passed_over[:MAX_ROWS]:
        say(f"passed over: {passed.path}: {passed.reason}")
    if len(preview.passed_over) > MAX_ROWS:
        say(f"and {len(preview.passed_over) - MAX_ROWS} more files passed over; --json lists all")
    for sentence in preview.unsure or ("nothing",):
        say(f"unsure: {sentence}")
