"""The pages of saved queries: the list, one query with its masks and its curve, and changes of the file."""

from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from anomalylmm.errors import ConfigurationError
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.query.masking import Mask, mask_query, mask_words
from flows.desk.app import OwnDesk, page
from flows.desk.desk import Desk
from flows.desk.queries import (
    BINS,
    VERSIONS_SQL,
    MaskForm,
    QueryForm,
    ShownQuery,
    describe_mask,
    list_changes,
    read_curve,
    read_shown,
)
from flows.desk.sentences import Word, split_words
from flows.sweep.query_writing import add_query, change_query, read_text

NO_FILE = "The desk may not change the shipped queries. Copy them, and start the desk with --queries and your copy."
Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
router = APIRouter()


class NewQuery(BaseModel):
    """A sentence to save."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    text: str = Field(min_length=1, max_length=1000)
    cameras: list[str] = Field(default_factory=list, max_length=5000)


class MaskedText(BaseModel):
    """Masks of a sentence to try; None: by the lexicon."""

    masks: list[MaskForm] | None = Field(None, max_length=20)


@router.get("/queries")
def show_queries(request: Request, desk: OwnDesk) -> Response:
    """Lists the saved queries."""
    shown = read_shown(desk.layout, desk.board, desk.queries_file, desk.composition.lexicon)
    return page(request, "queries.html", shown=shown, file=desk.queries_file, no_file=NO_FILE)


@router.get("/queries/{name}")
def show_query(request: Request, desk: OwnDesk, name: Name) -> Response:
    """Shows one query."""
    item = _find(desk, name)
    curve = read_curve(desk.layout, desk.board, item.query)
    return page(
        request,
        "query.html",
        item=item,
        masks=[describe_mask(word) for word in item.words if word.kind],
        curve=curve,
        bins=BINS,
        cameras=sorted({*desk.board.cameras(), *item.query.cameras}),
        versions=desk.board.select(VERSIONS_SQL, [name]),
        digest=read_text(desk.queries_file)[1] if desk.queries_file else "",
        no_file=NO_FILE,
    )


@router.post("/queries")
def save_query(desk: OwnDesk, asked: NewQuery) -> dict[str, str]:
    """Adds a query to the file."""
    row = {"name": asked.name, "text": asked.text.strip(), "cameras": asked.cameras or None}
    add_query(_file(desk), row, desk.composition.lexicon)
    return {"name": asked.name, "address": f"/queries/{asked.name}"}


@router.post("/queries/{name}")
def change(desk: OwnDesk, name: Name, form: QueryForm) -> dict[str, str]:
    """Changes a query of the file; the next sweep uses it."""
    file, item = _file(desk), _find(desk, name)
    changed = change_query(file, name, list_changes(form, item.saved), form.digest, desk.composition.lexicon)
    version = next(saved.query.version for saved in changed if saved.query.name == name)
    return {"version": version, "is_new_version": "yes" if version != item.query.version else ""}


@router.post("/queries/{name}/masks")
def try_masks(desk: OwnDesk, name: Name, asked: MaskedText) -> dict[str, object]:
    """Says what masks would make of the sentence, and changes nothing."""
    text, lexicon = _find(desk, name).query.text, desk.composition.lexicon
    if asked.masks is None:
        cloze = mask_query(text, lexicon)
    else:
        masks = [Mask(word=m.word, kind=m.kind, means=m.means, contrasts=tuple(m.contrasts)) for m in asked.masks]
        cloze = mask_words(text, masks, lexicon)
    return {"cloze": cloze.masked, "words": [_describe(word, lexicon) for word in split_words(text, cloze.slots)]}


def _describe(word: Word, lexicon: Lexicon) -> dict[str, object]:
    found = {"text": word.text, "is_word": word.is_word, **describe_mask(word)}
    known = lexicon.find_words(word.text) if word.is_word and not word.kind else ()
    return {**found, "usual_kind": known[0].kind if known else "action"}


def _file(desk: Desk) -> FilePath:
    if desk.queries_file is None:
        raise ConfigurationError(NO_FILE)
    return desk.queries_file


def _find(desk: Desk, name: str) -> ShownQuery:
    shown = read_shown(desk.layout, desk.board, desk.queries_file, desk.composition.lexicon)
    found = next((item for item in shown if item.query.name == name), None)
    if found is None:
        raise HTTPException(404, f"The file has no query named {name}.")
    return found
