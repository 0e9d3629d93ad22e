"""The behaviors that joints can tell apart, and the words that they are read for; data, no arithmetic."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

STILLS = (
    "standing",
    "walking",
    "running",
    "sitting",
    "crouching",
    "bending",
    "crawling",
    "climbing",
    "lying",
    "falling",
    "fighting",
    "other",
)
CHANGES = ("fall", "run")  # what only a sequence shows
EVENTS = ("fall", "run", "rise", "sit", "wave")  # what the sequence head looks for beside the stills
SEEN = ("rise", "sit", "wave")  # of these, what is kept with a crop although no query asks for it
CHANNELS = STILLS + CHANGES  # columns of a crop's posture


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a word is read from a posture."""

    channels: tuple[str, ...]  # whose scores are added; the coarse search uses the first
    even: float  # sum of the scores at which joints are undecided
    weight: float = 1.0  # how much it is trusted compared with the judge, 0..1


# Words without an entry are left to the encoder and the judge: joints do not show phones, bicycles or cars. Where the
# joints are undecided was chosen on real and rendered validation footage (docs/method.md).
READINGS: Mapping[str, Reading] = MappingProxyType(
    {
        "standing": Reading(channels=("standing",), even=0.4),
        "walking": Reading(channels=("walking",), even=0.4),
        "running": Reading(channels=("run", "running"), even=0.5),
        "sitting": Reading(channels=("sitting",), even=0.4),
        "crouching": Reading(channels=("crouching",), even=0.4),
        "bending": Reading(channels=("bending",), even=0.4),
        "crawling": Reading(channels=("crawling",), even=0.4),
        "climbing": Reading(channels=("climbing",), even=0.4),
        "lying": Reading(channels=("lying", "falling"), even=0.3),
        "falling": Reading(channels=("fall",), even=0.25),
        "collapsing": Reading(channels=("fall",), even=0.25),
        "fighting": Reading(channels=("fighting",), even=0.5),
        "punching": Reading(channels=("fighting",), even=0.5, weight=0.5),
        "kicking": Reading(channels=("fighting",), even=0.5, weight=0.5),
        "pushing": Reading(channels=("fighting",), even=0.5, weight=0.5),
    }
)
