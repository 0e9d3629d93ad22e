"""The variants of the method that an ablation compares: a table to extend; knows no benchmark."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from anomalylmm.errors import ConfigurationError
from anomalylmm.query.masking import DEFAULT_KINDS
from anomalylmm.records import SlotKind
from anomalylmm.rerank.score import DEFAULT, PRESETS, RerankSettings

COARSE = "coarse"
PROFILE = "profile"
CANDIDATES = 10  # judged where neither settings nor preset say how many
SIZES = (3, 5, 10, 20)
KINDS: dict[str, tuple[SlotKind, ...]] = {"action": ("action",), "color": ("color",), "both": ("action", "color")}
# Stages that come after the whole sentence, where this version of RerankSettings has them: name, fields, note.
LATER_STAGES: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("facets", {"facets": True}, "yes or no to each behavior"),
    ("pairwise", {"pairwise": True}, "close neighbors compared in pairs, both orders asked"),
    ("gate", {"gate": True}, "only candidates judged that could be first"),
    ("same", {"same_cosine": 0.98}, "near-identical pictures judged once"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One row of the ablation."""

    name: str
    group: str  # stages, presets, N, slots
    note: str
    settings: RerankSettings | None  # none: the coarse order alone
    kinds: tuple[SlotKind, ...] = DEFAULT_KINDS

    @property
    def key(self) -> tuple[RerankSettings | None, tuple[SlotKind, ...]]:
        """What decides its result: variants of equal key are computed once."""
        return self.settings, self.kinds if self.settings else ()

    def describe(self) -> dict[str, Any]:
        """Gives all of it as plain values."""
        settings = asdict(self.settings) if self.settings else None
        return {
            "name": self.name,
            "group": self.group,
            "note": self.note,
            "kinds": list(self.kinds),
            "settings": settings,
        }


def list_variants(profile: RerankSettings) -> tuple[Variant, ...]:
    """Lists all variants around the settings of the profile."""
    profile = _bounded(profile)
    return (*_stages(profile), *_presets(profile), *_sizes(profile), *_slots(profile))


def choose_variants(profile: RerankSettings, names: Sequence[str] = ()) -> tuple[Variant, ...]:
    """Gives the variants of these names or groups, and the coarse order that all are compared with; all for none.

    Raises:
        ConfigurationError: There is no such variant; the message lists them.
    """
    known = list_variants(profile)
    wanted = [name.strip() for name in names if name.strip()]
    unknown = [name for name in wanted if not any(name in {item.name, item.group} for item in known)]
    if unknown:
        groups = dict.fromkeys(item.group for item in known)
        raise ConfigurationError(
            f"there is no variant {', '.join(map(repr, unknown))}; use one of the groups {', '.join(groups)}, or of "
            f"{', '.join(item.name for item in known)}"
        )
    chosen = set(wanted) | {COARSE}
    return tuple(item for item in known if not wanted or item.name in chosen or item.group in chosen)


def needs_writing(variant: Variant) -> bool:
    """Whether a variant has the judge write or compare pictures, which a re-ranker that says yes or no can't."""
    settings = variant.settings
    return settings is not None and (
        settings.reading != "likelihood" or settings.pairwise or settings.explain or settings.masking == "judge"
    )


def _bounded(settings: RerankSettings) -> RerankSettings:
    return settings if settings.top_n else replace(settings, top_n=CANDIDATES)


def _stages(profile: RerankSettings) -> list[Variant]:
    """Adds one stage after the other to the coarse order."""
    switched_off: dict[str, Any] = {
        item.name: item.default for item in fields(RerankSettings) if item.name in _later_switches()
    }
    cloze = replace(
        profile,
        match_weight=profile.match_weight or DEFAULT.match_weight,
        affirm_weight=0.0,
        saliency=False,
        focus=False,
        mirror=False,
        posture_weight=0.0,
        **switched_off,
    )
    bare = replace(cloze, saliency=True)
    salient = replace(bare, posture_weight=profile.posture_weight)
    mirrored = replace(salient, mirror=True)
    focused = replace(salient, focus=True)
    kept = replace(salient, focus=profile.focus, mirror=profile.mirror, saliency=profile.saliency)
    affirmed = replace(kept, affirm_weight=profile.affirm_weight or DEFAULT.affirm_weight)
    rows = [
        ("cloze", cloze, "coarse + masked cross-modal prompting, all slots weighed alike"),
        ("+saliency", bare, "+ slots weighed by saliency"),
        ("+posture", salient, "+ what joints say, as one more expert for behaviors"),
        ("+mirror", mirrored, "+ each view shown mirrored too"),
        ("cloze+mirror", replace(mirrored, saliency=False), "mirrored, all slots weighed alike"),
        ("+focus", focused, "+ the focus crop shown as one more view, none mirrored"),
        (
            "+affirm",
            affirmed,
            "+ yes or no to the whole sentence; views and saliency as the profile has them",
        ),
    ]
    for name, changes, note in LATER_STAGES:
        if set(changes) <= set(_later_switches()):
            rows.append((f"+{name}", replace(rows[-1][1], **changes), f"+ {note}"))
    coarse = Variant(name=COARSE, group="stages", note="the dual encoder's order, no judge", settings=None)
    return [coarse, *(Variant(name=name, group="stages", note=note, settings=item) for name, item, note in rows)]


def _later_switches() -> list[str]:
    """Names the fields of later stages that this version of RerankSettings has, all off by default."""
    wanted = {name for _, changes, _ in LATER_STAGES for name in changes}
    return [item.name for item in fields(RerankSettings) if item.name in wanted and not item.default]


def _presets(profile: RerankSettings) -> list[Variant]:
    presets = {name: _bounded(replace(preset, batch_size=profile.batch_size)) for name, preset in PRESETS.items()}
    rows = [
        Variant(name=name, group="presets", note=f"preset {name}", settings=preset) for name, preset in presets.items()
    ]
    note = "the settings of this run: profile, settings file, environment"
    mean = replace(profile, fusion="mean", match_weight=0.7, rank_weight=0.05)
    averaged = Variant(
        name="fusion=mean", group="presets", note="the profile's, fused as the paper does", settings=mean
    )
    return [Variant(name=PROFILE, group="presets", note=note, settings=profile), averaged, *rows]


def _sizes(profile: RerankSettings) -> list[Variant]:
    return [
        Variant(
            name=f"N={size}", group="N", note=f"first {size} candidates judged", settings=replace(profile, top_n=size)
        )
        for size in SIZES
    ]


def _slots(profile: RerankSettings) -> list[Variant]:
    return [
        Variant(
            name=f"slots={name}",
            group="slots",
            note=f"masked: {' and '.join(kinds)} words",
            settings=profile,
            kinds=kinds,
        )
        for name, kinds in KINDS.items()
    ]
