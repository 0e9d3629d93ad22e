"""The report page: cards with pictures, verdicts and slots, as one HTML file that needs no network."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from anomalylmm.records import SlotVerdict
from storage.disk.files import replace_file
from storage.disk.layout import StoreLayout

TEMPLATES = Path(__file__).resolve().parent / "templates"
TEMPLATE = "report.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One result as the page shows it."""

    where: str  # camera
    when: str  # local wall-clock time with its zone
    video: str
    moment: str  # media time
    pictures: tuple[str, ...]  # relative to the page, or data URLs
    judged: bool
    accepted: bool
    confidence: float
    cosine: float
    z_score: float
    reason: str
    slots: tuple[SlotVerdict, ...] = ()
    evidence: str = ""  # what the judge was shown
    description: str = ""  # of it, in the judge's own words
    hit_id: str = ""
    feedback: str = ""  # what a person said of the hit
    is_new: bool = False  # no earlier sweep reported the event


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One query with its results."""

    title: str
    text: str
    cloze: str
    cards: tuple[Card, ...]
    threshold: str = ""  # from which confidence on candidates were hits, and why


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that a report page shows."""

    title: str
    subtitle: str
    facts: Mapping[str, str]  # numbers at its head, by name
    sections: tuple[Section, ...]
    warnings: tuple[str, ...] = ()


def render(template: str, **values: object) -> str:
    """Renders an HTML page; every text is escaped, and a page names no file elsewhere."""
    return _templates().get_template(template).render(values)


@cache
def _templates() -> Environment:
    """Keeps what is compiled, which takes longer than to render a page."""
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def load_template() -> None:
    """Compiles the template of report pages, so that the first page need not."""
    _templates().get_template(TEMPLATE)


def write_page(page: Page, layout: StoreLayout, name: str) -> Path:
    """Writes the page to ``reports/<name>.html``, replacing an old one whole; gives its path.

    Raises:
        StoreError: It can't be written.
    """
    path = layout.reports / f"{name}.html"
    text = render(TEMPLATE, page=page).encode("utf-8", errors="replace")
    replace_file(path, text, scratch=layout.temporary)
    return path


def local_time(moment_utc: datetime, time_zone: str) -> str:
    """Writes a moment in its camera's time zone, with the zone's name; in UTC where this computer lacks the zone."""
    try:
        zone = ZoneInfo(time_zone)
    except (KeyError, OSError, ValueError):  # a store may come from elsewhere
        return f"{moment_utc:%Y-%m-%d %H:%M:%S} UTC"
    return f"{moment_utc.astimezone(zone).strftime('%Y-%m-%d %H:%M:%S')} {time_zone}"


def media_time(seconds: float) -> str:
    """Writes media time as h:mm:ss.s."""
    whole = timedelta(seconds=int(seconds))
    return f"{whole}.{int(seconds % 1 * 10)}"
