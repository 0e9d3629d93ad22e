"""The behaviors that joints can tell apart, and the words that each of them speaks to; data, no arithmetic."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

STILLS = (
    "standing", "walking", "running", "sitting", "crouching", "bending",
    "crawling", "climbing", "lying", "falling", "fighting", "other",
)  # fmt: skip
CHANGES = ("fall", "run")  # what only a sequence shows
CHANNELS = STILLS + CHANGES  # columns of a crop's posture


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a word is read from a posture."""

    channels: tuple[str, ...]  # of which the most probable one counts
    weight: float = 1.0  # how far it is trusted beside the judge, 0..1


# Words without an entry are left to the encoder and the judge: joints do not show phones, bicycles or cars.
READINGS: Mapping[str, Reading] = MappingProxyType(
    {
        "standing": Reading(channels=("standing",)),
        "walking": Reading(channels=("walking",)),
        "running": Reading(channels=("running", "run")),
        "sitting": Reading(channels=("sitting",)),
        "crouching": Reading(channels=("crouching",)),
        "bending": Reading(channels=("bending",)),
        "crawling": Reading(channels=("crawling",)),
        "climbing": Reading(channels=("climbing",)),
        "lying": Reading(channels=("lying",)),
        "falling": Reading(channels=("fall",)),
        "collapsing": Reading(channels=("fall",)),
        "fighting": Reading(channels=("fighting",)),
        "punching": Reading(channels=("fighting",), weight=0.5),
        "kicking": Reading(channels=("fighting",), weight=0.5),
        "pushing": Reading(channels=("fighting",), weight=0.5),
    }
)
