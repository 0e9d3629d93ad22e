"""How a person looks: kinds and colors of clothes, hair and bags, and the words for them.

Half of all draws follow what streets look like (dark and muted), half are even over the eleven colors.
Knows no geometry and no pictures; `garment` and `paint` read these records.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

RGB = tuple[float, float, float]

# Several shades of one name; every shade is one that nearly everybody would call so.
SHADES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "black": ((22, 22, 25), (32, 32, 35), (16, 17, 22)),
    "white": ((232, 232, 228), (222, 224, 228), (238, 234, 226)),
    "gray": ((128, 128, 130), (105, 106, 110), (152, 152, 150)),
    "red": ((188, 28, 34), (205, 45, 40), (148, 22, 30)),
    "blue": ((36, 72, 175), (58, 92, 150), (30, 48, 118), (80, 130, 200)),
    "green": ((40, 125, 55), (32, 92, 48), (70, 150, 80)),
    "yellow": ((228, 200, 45), (240, 215, 70), (214, 180, 35)),
    "orange": ((228, 116, 30), (240, 130, 45), (210, 98, 25)),
    "purple": ((112, 50, 142), (92, 42, 118), (138, 82, 172)),
    "pink": ((232, 142, 172), (238, 165, 190), (222, 105, 150)),
    "brown": ((106, 66, 40), (84, 54, 36), (128, 88, 58)),
}
COLORS = tuple(SHADES)
STREET_UPPER = {"black": 30, "gray": 18, "blue": 20, "white": 12, "brown": 8, "green": 5, "red": 7}
STREET_LOWER = {"black": 34, "blue": 32, "gray": 18, "brown": 14, "white": 2}
SHOES = {"black": 40, "white": 22, "brown": 20, "gray": 12, "red": 3, "blue": 3}
SKINS: tuple[RGB, ...] = (
    (0.93, 0.76, 0.66),
    (0.86, 0.66, 0.54),
    (0.78, 0.58, 0.44),
    (0.62, 0.43, 0.31),
    (0.45, 0.30, 0.21),
    (0.33, 0.22, 0.16),
)
HAIR: tuple[RGB, ...] = (
    (0.06, 0.05, 0.05),
    (0.12, 0.08, 0.06),
    (0.25, 0.15, 0.09),
    (0.42, 0.28, 0.15),
    (0.68, 0.55, 0.33),
    (0.55, 0.55, 0.55),
    (0.80, 0.80, 0.80),
)
UPPER_KINDS = {"t-shirt": 24, "shirt": 18, "sweater": 20, "jacket": 26, "coat": 12}
LOWER_KINDS = {"trousers": 68, "shorts": 17, "skirt": 15}
BAG_KINDS = ("backpack", "handbag", "plastic bag")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One person's appearance; names for captions, RGB 0..1 for painting."""

    person: str
    upper_kind: str
    upper: str
    lower_kind: str
    lower: str
    shoes: str
    hair: str  # short, long, bald, tied back
    hat: str | None
    bag_kind: str | None
    bag: str | None
    hi_vis: bool
    pattern: str  # plain, striped, printed, open
    rgb: dict[str, RGB] = field(repr=False)
    sleeve: float  # share of the arm covered
    inseam: float  # share of the leg covered
    loose_m: tuple[float, float]  # how far upper and lower stand off the body
    waist_m: float  # height of the hem over the template's root
    hairline: float
    seed: float

    def words(self) -> dict[str, Any]:
        """The record that captions are written from."""
        return {
            "person": self.person,
            "upper": {"kind": self.upper_kind, "color": self.upper, "hi_vis": self.hi_vis, "pattern": self.pattern},
            "lower": {"kind": self.lower_kind, "color": self.lower},
            "shoes": {"color": self.shoes},
            "hat": None if self.hat is None else {"color": self.hat},
            "hair": self.hair,
            "bag": None if self.bag_kind is None else {"kind": self.bag_kind, "color": self.bag},
        }


def draw_colors(u: Random) -> tuple[str, str]:
    """Colors of upper and lower clothes."""
    if u.random() < 0.5:
        return _weighted(u, STREET_UPPER), _weighted(u, STREET_LOWER)
    return u.choice(COLORS), u.choice(COLORS)


def draw_person(u: Random) -> str:
    """Kind of person by how often streets show them."""
    return _weighted(u, {"man": 34, "woman": 34, "boy": 7, "girl": 7, "old man": 9, "old woman": 9})


def draw_look(u: Random, person: str, upper: str, lower: str) -> Look:
    """An appearance with these colors."""
    female = person in ("woman", "girl", "old woman")
    upper_kind, lower_kind = _weighted(u, UPPER_KINDS), _weighted(u, LOWER_KINDS)
    if not female and lower_kind == "skirt":
        lower_kind = "trousers"
    pattern = _weighted(u, {"plain": 76, "striped": 8, "printed": 8, "open": 8})
    hat = _weighted(u, SHOES) if u.random() < 0.15 else None
    bag_kind = u.choice(BAG_KINDS) if u.random() < 0.28 else None
    names = {"shoes": _weighted(u, SHOES), "hat": hat or "black", "bag": u.choice(COLORS)}
    rgb = {name: _shade(u, color) for name, color in names.items()}
    rgb |= {"upper": _shade(u, upper), "lower": _shade(u, lower)}
    rgb["accent"] = _accent(u, pattern, rgb["upper"], upper)
    rgb["skin"] = _scaled(u.choice(SKINS), u.uniform(0.94, 1.05))
    old = person.startswith("old")
    rgb["hair"] = u.choice(HAIR[5:]) if old and u.random() < 0.8 else u.choice(HAIR[:5])
    hair = _hair(u, female, old)
    return Look(
        person=person,
        upper_kind=upper_kind,
        upper=upper,
        lower_kind=lower_kind,
        lower=lower,
        shoes=names["shoes"],
        hair=hair,
        hat=hat,
        bag_kind=bag_kind,
        bag=names["bag"] if bag_kind else None,
        hi_vis=upper in ("orange", "yellow") and u.random() < 0.4,
        pattern=pattern,
        rgb=rgb,
        sleeve=u.uniform(0.3, 0.45) if upper_kind == "t-shirt" else u.choice([0.9, 0.96, 0.98]),
        inseam=_inseam(u, lower_kind),
        loose_m=_loose(u, upper_kind, lower_kind),
        waist_m=u.choice([0.1, 0.04, 0.0]) if upper_kind in ("t-shirt", "shirt") else u.choice([0.02, -0.02, -0.05]),
        hairline=0.14 if hair == "bald" else -0.03 + u.uniform(-0.02, 0.03),
        seed=u.uniform(0, 9),
    )


def _inseam(u: Random, kind: str) -> float:
    return {"trousers": u.choice([0.95, 1.02]), "shorts": u.uniform(0.36, 0.54), "skirt": 0.05}[kind]


def _loose(u: Random, upper_kind: str, lower_kind: str) -> tuple[float, float]:
    thick = {"t-shirt": 0.008, "shirt": 0.010, "sweater": 0.015, "jacket": 0.022, "coat": 0.024}[upper_kind]
    return thick + u.uniform(0, 0.012), 0.008 + u.uniform(0, 0.026 if lower_kind != "skirt" else 0.004)


def _hair(u: Random, female: bool, old: bool) -> str:
    if female:
        return _weighted(u, {"long": 52, "tied back": 22, "short": 26})
    return _weighted(u, {"short": 80, "bald": 22 if old else 8, "long": 6})


def _accent(u: Random, pattern: str, upper: RGB, name: str) -> RGB:
    if pattern == "striped":
        return tuple(min(1.0, x * 1.18 + 0.07) for x in upper)  # type: ignore[return-value]
    return _shade(u, u.choice([c for c in COLORS if c != name]))


def _shade(u: Random, name: str) -> RGB:
    gain = u.uniform(0.9, 1.1)
    r, g, b = (min(1.0, max(0.0, x / 255 * gain + u.uniform(-0.02, 0.02))) for x in u.choice(SHADES[name]))
    return r, g, b


def _scaled(color: RGB, gain: float) -> RGB:
    return color[0] * gain, color[1] * gain, color[2] * gain


def _weighted(u: Random, weights: dict[str, int]) -> str:
    return u.choices(list(weights), list(weights.values()))[0]
