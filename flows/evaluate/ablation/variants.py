"""The variants of the method that an ablation compares; knows no benchmark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from anomalylmm.errors import ConfigurationError
from anomalylmm.query.masking import DEFAULT_KINDS
from anomalylmm.records import SlotKind
from anomalylmm.rerank.score import DEFAULT, PRESETS, RerankSettings

COARSE = "coarse"
PROFILE = "profile"
CANDIDATES = 10  # judged if neither settings nor preset set a number
SIZES = (3, 5, 10, 20)
KINDS: dict[str, tuple[SlotKind, ...]] = {"action": ("action",), "color": ("color",), "both": ("action", "color")}
# Stages that follow the question about the whole sentence: name, changed settings, note.
LATER_STAGES: tuple[tuple[str, Mapping[str, Any], str], ...] = (
    ("facets", {"facets": True}, "a yes-or-no question for each behavior"),
    ("pairwise", {"pairwise": True}, "close neighbors compared in pairs, in both orders"),
    ("gate", {"gate": True}, "only candidates judged that could come first"),
    ("same", {"same_cosine": 0.98}, "near-identical pictures judged once"),
)
# One change each to the profile: name, changed settings, note.
OPTIONS: tuple[tuple[str, Mapping[str, Any], str], ...] = (
    ("filter", {"filter": 0.1}, "a first question about the behaviors alone, which ends the hopeless"),
    ("gate", {"gate": True}, "only candidates judged that could come first"),
    ("mirror", {"mirror": True}, "a mirrored copy of each view"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One row of the ablation."""

    name: str
    group: str  # stages, presets, options, N, slots
    note: str
    kinds: tuple[SlotKind, ...] = DEFAULT_KINDS
    settings: RerankSettings | None  # None: the coarse order alone

    @property
    def key(self) -> tuple[RerankSettings | None, tuple[SlotKind, ...]]:
        """What the result depends on: variants with equal keys are computed once."""
        return self.settings, self.kinds if self.settings else ()


def list_variants(profile: RerankSettings) -> tuple[Variant, ...]:
    """Lists all variants of the profile's settings."""
    profile = _limit(profile)
    rows = [
        (COARSE, "stages", "the dual encoder's order, without a judge", None),
        *((name, "stages", note, settings) for name, note, settings in _list_stages(profile)),
        (PROFILE, "presets", "the settings of this run: profile, settings file, environment", profile),
        (
            "fusion=mean",
            "presets",
            "the profile's settings, fused as in the paper",
            replace(profile, fusion="mean", match_weight=0.7, rank_weight=0.05),
        ),
        *(
            (name, "presets", f"preset {name}", _limit(replace(preset, batch_size=profile.batch_size)))
            for name, preset in PRESETS.items()
        ),
        *(
            (f"profile+{name}", "options", f"the profile + {note}", replace(profile, **changes))
            for name, changes, note in OPTIONS
        ),
        *((f"N={size}", "N", f"first {size} candidates judged", replace(profile, top_n=size)) for size in SIZES),
    ]
    slots = (
        Variant(
            name=f"slots={name}",
            group="slots",
            note=f"masked: {' and '.join(kinds)} words",
            kinds=kinds,
            settings=profile,
        )
        for name, kinds in KINDS.items()
    )
    plain = (Variant(name=name, group=group, note=note, settings=settings) for name, group, note, settings in rows)
    return (*plain, *slots)


def choose_variants(profile: RerankSettings, names: Sequence[str] = ()) -> tuple[Variant, ...]:
    """Chooses variants by name or group, always with the coarse order; all variants if no name is given.

    Raises:
        ConfigurationError: There is no such variant; the message lists them.
    """
    known = list_variants(profile)
    wanted = [name.strip() for name in names if name.strip()]
    unknown = [name for name in wanted if not any(name in {item.name, item.group} for item in known)]
    if unknown:
        groups = dict.fromkeys(item.group for item in known)
        raise ConfigurationError(
            f"there is no variant {', '.join(map(repr, unknown))}; choose a group ({', '.join(groups)}) or variants "
            f"({', '.join(item.name for item in known)})"
        )
    return tuple(item for item in known if not wanted or {item.name, item.group} & {*wanted, COARSE})


def needs_writing(variant: Variant) -> bool:
    """Whether the judge must write text or compare pictures; a re-ranker, which only says yes or no, can't."""
    settings = variant.settings
    return settings is not None and (
        settings.reading != "likelihood"
        or settings.pairwise
        or settings.explain
        or settings.masking == "judge"
        or settings.description_weight > 0
    )


def _limit(settings: RerankSettings) -> RerankSettings:
    return settings if settings.top_n else replace(settings, top_n=CANDIDATES)


def _list_stages(profile: RerankSettings) -> list[tuple[str, str, RerankSettings]]:
    """Adds one stage after the other to the coarse order: name, note and settings of each step."""
    cloze = replace(
        profile,
        match_weight=profile.match_weight or DEFAULT.match_weight,
        affirm_weight=0.0,
        saliency=False,
        focus=False,
        mirror=False,
        posture_weight=0.0,
        **{name: getattr(DEFAULT, name) for _, changes, _ in LATER_STAGES for name in changes},
    )
    salient = replace(cloze, saliency=True)
    posed = replace(salient, posture_weight=profile.posture_weight)
    mirrored = replace(posed, mirror=True)
    affirmed = replace(
        posed,
        focus=profile.focus,
        mirror=profile.mirror,
        saliency=profile.saliency,
        affirm_weight=profile.affirm_weight or DEFAULT.affirm_weight,
    )
    rows = [
        ("cloze", "coarse + masked cross-modal prompting, all slots with equal weight", cloze),
        ("+saliency", "+ slots weighted by saliency", salient),
        ("+posture", "+ the posture from keypoints, as one more expert for behaviors", posed),
        ("+mirror", "+ a mirrored copy of each view", mirrored),
        ("cloze+mirror", "with mirrored views, all slots with equal weight", replace(mirrored, saliency=False)),
        ("+focus", "+ the focus crop as one more view, nothing mirrored", replace(posed, focus=True)),
        ("+affirm", "+ a yes-or-no question about the whole sentence; views and saliency as in the profile", affirmed),
    ]
    for name, changes, note in LATER_STAGES:
        rows.append((f"+{name}", f"+ {note}", replace(rows[-1][2], **changes)))
    return rows
