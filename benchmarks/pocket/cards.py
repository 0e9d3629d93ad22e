"""Lay trained weights where the package ships them, with their cards, and never half of a model."""

import json
import random
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.rendered.captions import ANSWERS, COLOR_WORDS, COLORS, action_words, write_caption

LICENSE = "AGPL-3.0-or-later"
_NOTICE = """Training used, among rendered pictures, crops of GMDCSA24 (Ekram Alam and others, DOI
10.5281/zenodo.12921216, MIT License), of the Intel IoT DevKit sample videos (CC BY 4.0)
and of COCO (the pictures' own licences: CC BY 2.0, or no known copyright restrictions).
"""
_LIMITS = {
    "dual_encoder": (
        "Knows the words of vocabulary.txt only. Fine differences of blows (punching, kicking, pushing) and what the "
        "hands hold (a phone) are often wrong; garment kinds, hair and person are little better than guesses. Of real "
        "footage it has seen one street and a few rooms; real persons who sit or fall it seldom names rightly."
    ),
    "person_detector": (
        "Finds one class, person. Of persons who lie on the ground near the camera, or between furniture, a larger "
        "share is missed than of those who stand; so are persons under about 25 px, and those of whom less than a "
        "third is seen. Half of the real persons it was measured on are of one data set and one street."
    ),
    "posture_head": (
        "Reads twelve behaviors from the joints of one moment, as one estimator sees them: another estimator needs "
        "another head; the sequence head reads three seconds. Both were trained on rendered persons and simulated "
        "motion only. Of real falls a still shows little, the sequence more; sitting and crouching, walking and "
        "standing are confused; real fights were not measured."
    ),
    "judge": (
        "Answers the two production prompts only, with single canonical words (lexicon.json). It sees one picture at a "
        "time and can't explain."
    ),
    "detector": (
        "Finds one class, person. Small (under 28 px) or heavily hidden persons are missed, and of persons who lie or "
        "sit a larger share than of those who stand (see the recall by posture)."
    ),
    "pose_estimator": (
        "Finds the 17 joints of COCO of the one person in the middle of a square crop. Where persons overlap, as in a "
        "fight, joints may be those of the other one; left and right of a person seen from behind or lying may be "
        "exchanged. Joints of real persons were measured against a teacher's, not against hand-made labels."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a set of weights is, on what it was trained and what it measured (rendered figures)."""

    model_id: str
    kind: str  # "dual_encoder", "judge", "detector" or "pose_estimator"
    trained_on: str
    recipe: str
    seeds: dict[str, int]
    figures: dict[str, Any] = field(default_factory=dict)
    license: str = LICENSE

    def markdown(self) -> str:
        """The card as a person reads it."""
        figures = "\n".join(f"| {name} | {value} |" for name, value in self.figures.items())
        return (
            f"# {self.model_id}\n\nA pocket {self.kind.replace('_', ' ')} of this project. Licence: {self.license}.\n\n"
            f"- Data: {self.trained_on}\n- Recipe: {self.recipe}\n- Seeds: {json.dumps(self.seeds)}\n\n"
            f"## Figures (rendered data, unless called real)\n\n| figure | value |\n|---|---|\n{figures}\n\n"
            f"## What it can't do\n\n{_LIMITS[self.kind]}\n"
        )


def write_cards(folder: Path, card: Card) -> None:
    """Write MODEL_CARD.md and card.json beside the weights."""
    (folder / "card.json").write_text(json.dumps(asdict(card), indent=2) + "\n", encoding="utf-8")
    (folder / "MODEL_CARD.md").write_text(card.markdown(), encoding="utf-8")


def write_words(folder: Path, rows: Sequence[dict[str, Any]], *, captions: int = 60_000) -> None:
    """Write which words mean which canonical answer (lexicon.json) and all words training showed (vocabulary.txt)."""
    rng = random.Random(0)
    seen: set[str] = set()
    for _ in range(captions if rows else 0):
        seen.update(re.findall(r"[a-z]+", write_caption(rng.choice(rows), rng).text.lower()))
    (folder / "vocabulary.txt").write_text("\n".join(sorted(seen)) + "\n", encoding="utf-8")
    colors = {color: sorted(set(COLOR_WORDS[color])) for color in COLORS}
    actions = {ANSWERS[behavior]: words for behavior, words in action_words().items()}
    text = json.dumps({"actions": actions, "colors": colors}, indent=1)
    (folder / "lexicon.json").write_text(text + "\n", encoding="utf-8")


def write_notice(folder: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Name the sources of real crops, whose licences ask for it."""
    if any(row["place"] == "room" for row in rows):
        (folder / "NOTICE").write_text(_NOTICE, encoding="utf-8")


def flatten(figures: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Nested figures as one table."""
    flat: dict[str, Any] = {}
    for name, value in figures.items():
        key = f"{prefix}: {name}" if prefix else name
        flat |= flatten(value, key) if isinstance(value, dict) else {key: value}
    return flat


def publish(source: Path, target: Path) -> None:
    """Put a finished folder in place of an older one in one move."""
    fresh = target.with_name(f".{target.name}.new")
    old = target.with_name(f".{target.name}.old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, fresh)
    for path in fresh.iterdir():
        path.chmod(0o644)
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)
