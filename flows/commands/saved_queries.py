"""The ``queries`` commands: show the saved queries and their masks."""

import json as json_lines
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomalylmm.errors import QueryError
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
    from anomalylmm.query.lexicon import Lexicon
    from anomalylmm.records import Slot
    from flows.composition import Composition
    from flows.sweep.query_file import SavedQuery

FileOption = Annotated[Path | None, typer.Option("--queries", help="Your own queries.toml.")]
app = typer.Typer(name="queries", invoke_without_command=True, no_args_is_help=False)


@app.callback()
def queries(context: typer.Context, file: FileOption = None, json: JsonOption = False) -> None:
    """Checks the file of saved queries and shows how the lexicon or the user masks each one. `show` prints all details.

    Example: `anomalylmm queries --queries my-queries.toml`
    """
    from anomalylmm.query.lexicon import Lexicon
    from flows.sweep.query_file import default_query_file, read_queries

    context.obj = file
    if context.invoked_subcommand is not None:
        return
    found = read_queries(file or default_query_file(), Lexicon.load())
    if json:
        print_json(found)
        return
    rows = [
        (
            query.name,
            query.text,
            query.cloze.masked,
            " ".join(slot.word for slot in query.cloze.slots),
            "yes" if query.enabled else "no",
            query.version,
        )
        for query in found
    ]
    print_table(("name", "text", "cloze", "asked for", "enabled", "version"), rows)


@app.command("show")
def show(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Names of queries; by default all.")] = None,
    file: FileOption = None,
    store: StoreOption = DEFAULT_STORE,
    profile: ProfileOption = None,
    settings: SettingsOption = None,
    json: JsonOption = False,
) -> None:
    """Shows the text, version and masks of saved queries, with the kind and contrasts of each mask and who chose it.

    You can copy the line that begins with `masks =` into the query in your queries.toml and edit it. These masks are
    then used, and if they differ, the query gets a new version. With `masking = "judge"` in the settings, the judge
    chooses the masks. It is asked once for each text, and its answer is kept in the store.

    Example: `anomalylmm queries show fall --queries my-queries.toml`
    """
    from flows.sweep.query_file import default_query_file

    composition = compose(profile, settings)
    found = _read(composition, file or context.obj or default_query_file(), StoreLayout(store))
    missing = sorted(set(names or ()) - {item.query.name for item in found})
    if missing:
        known = ", ".join(item.query.name for item in found)
        raise QueryError(f"there is no query named {', '.join(missing)}; the file has: {known}")
    chosen = [item for item in found if not names or item.query.name in names]
    if json:
        print_json([_plain(item) for item in chosen])
        return
    for item in chosen:
        for line in _lines(item, composition.lexicon):
            say(line)


def _read(composition: "Composition", file: Path, layout: StoreLayout) -> "list[SavedQuery]":
    from flows.sweep.judging_cache import StoredCache
    from flows.sweep.query_file import choose_mask_way, read_saved
    from storage.hits.writer import HitStore

    if composition.settings.rerank.masking == "lexicon":
        return read_saved(file, composition.lexicon)
    if not layout.working.exists():
        return read_saved(file, composition.lexicon, choose_mask_way(composition, None))
    with HitStore(layout) as hits:
        return read_saved(file, composition.lexicon, choose_mask_way(composition, StoredCache(hits)))


def _lines(item: "SavedQuery", lexicon: "Lexicon") -> list[str]:
    query, cloze = item.query, item.query.cloze
    lines = [
        f"{query.name}  version {query.version}, masks by {item.made_by}{'' if query.enabled else ', not enabled'}",
        f"  text   {query.text}",
        f"  cloze  {cloze.masked}",
    ]
    for slot in cloze.slots:
        against = ", ".join(slot.contrasts) or "UNKNOWN only; add contrasts to compare it with other words"
        lines.append(f"  mask   {cloze.text[slot.start : slot.stop]!r} ({slot.kind}) asks for {slot.word}")
        lines.append(f"         against {against}")
    if not cloze.slots:
        lines.append("  mask   none: no action or color word; the judge can only be asked about the whole sentence")
    lines += [f"  note   {problem}" for problem in item.problems]
    return [*lines, f"  masks = [{', '.join(_to_toml(cloze.text, slot, lexicon) for slot in cloze.slots)}]", ""]


def _to_toml(text: str, slot: "Slot", lexicon: "Lexicon") -> str:
    """Writes a mask that results in this slot; contrasts only if they differ from the lexicon's."""
    word, kind, means = (_quote(value) for value in (text[slot.start : slot.stop], slot.kind, slot.word))
    own = slot.contrasts != lexicon.contrasts(slot.word, slot.kind)
    contrasts = f", contrasts = [{', '.join(map(_quote, slot.contrasts))}]" if own else ""
    return f"{{word = {word}, kind = {kind}, means = {means}{contrasts}}}"


def _quote(value: str) -> str:
    """Writes a TOML string; the escapes of JSON are valid TOML."""
    return json_lines.dumps(value, ensure_ascii=False)


def _plain(item: "SavedQuery") -> dict[str, Any]:
    query = item.query
    masks: Sequence[dict[str, Any]] = [
        {"span": query.text[slot.start : slot.stop], **asdict(slot)} for slot in query.cloze.slots
    ]
    return {
        "name": query.name,
        "version": query.version,
        "enabled": query.enabled,
        "text": query.text,
        "cloze": query.cloze.masked,
        "made_by": item.made_by,
        "masks": masks,
        "problems": item.problems,
    }
