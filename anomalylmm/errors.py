"""The one exception tree: every error a user can meet says what was given, what was expected, what to do.

AnomalyLMMError
├── ConfigurationError        a setting, profile or query file is wrong
│   ├── QueryError            a query can't be used as it stands
│   └── WeightsError          weights are missing or refused
├── ArchiveError              the archive can't be read at all
│   └── VideoError            one video can't be decoded
│       └── UnreachedError    one video can't be copied from its archive now
├── StoreError                what is on disk is damaged, foreign or not writable
│   ├── ShardError            a shard does not match its manifest
│   ├── PipelineMismatchError galleries of different pipelines would be mixed
│   └── StoreBusyError        another process holds the writer's lock
│       └── LostClaimError    another run has taken over, because this one was paused or cut off
├── ShapeError                an array does not have the promised shape
├── JudgeError                the judge gave no usable answer
└── EngineError               the machines that should do the work can't be used
"""

from collections.abc import Sequence


class AnomalyLMMError(Exception):
    """Base of all errors that this project raises on purpose."""

    exit_code = 1


class ConfigurationError(AnomalyLMMError):
    """A setting, profile or query file is wrong."""

    exit_code = 2


class QueryError(ConfigurationError):
    """A query can't be used as it stands."""


class WeightsError(ConfigurationError):
    """Weights are missing, damaged, or of a kind that is loaded only on request."""

    exit_code = 3


class ArchiveError(AnomalyLMMError):
    """The archive can't be read, or holds no video."""

    exit_code = 4


class VideoError(ArchiveError):
    """One video can't be decoded."""


class UnreachedError(VideoError):
    """One video can't be copied from its archive now; a later run may reach it."""


class StoreError(AnomalyLMMError):
    """The store is damaged, foreign or not writable."""

    exit_code = 5


class ShardError(StoreError):
    """A shard does not match its manifest."""


class PipelineMismatchError(StoreError):
    """Vectors or shards of different pipelines would be mixed."""


class StoreBusyError(StoreError):
    """Another process holds the writer's lock."""

    exit_code = 6


class LostClaimError(StoreBusyError):
    """Another run has taken over the work of this one, which was paused or cut off for too long."""


class ShapeError(AnomalyLMMError):
    """An array does not have the promised shape."""

    @classmethod
    def of(cls, name: str, expected: str, actual: Sequence[int]) -> "ShapeError":
        """Builds the error from the array's name, the shape expected (``"(N, 4)"``) and its own."""
        return cls(f"{name} must have shape {expected}, but has {tuple(actual)}")


class JudgeError(AnomalyLMMError):
    """The judge gave no usable answer."""

    exit_code = 7


class EngineError(AnomalyLMMError):
    """The engine that spreads work over machines can't be reached, or does not fit this program."""
