"""The records of the hits database. Field names are column names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from anomalylmm.records import STORED_CROPS, Box, ClockSource, Verdict
from storage.disk.files import digest_json
from storage.disk.notes import Utc

SweepStatus = Literal["Completed", "Degraded", "Failed"]
FeedbackVerdict = Literal["confirm", "reject", "unsure", "clear"]  # "clear": as if nobody had said anything


def make_hit_id(query_version: str, tracklet_id: str, pipeline: str) -> str:
    """The id of a hit: always the same, whichever sweep finds it."""
    return digest_json([query_version, tracklet_id, pipeline])[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRecord:
    """One run of the saved queries, with its counts."""

    sweep_id: str
    started_utc: datetime
    finished_utc: datetime
    pipeline: str  # digest
    judge_id: str
    profile: str
    status: SweepStatus
    num_queries: int
    num_shards: int
    num_candidates: int
    num_judged: int
    num_calls: int
    num_cached: int
    num_hits: int
    seconds: float
    message: str = ""  # why it is Degraded or Failed
    rerank: str = ""  # re-ranking settings, as JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageRecord:
    """One shard on which one query version has been run."""

    query_version: str
    shard_id: str
    criteria: str = ""  # what decided which candidates became hits


@dataclass(frozen=True, slots=True, kw_only=True)
class HitRecord:
    """One accepted candidate, with all that an analyst needs to find the event."""

    query_version: str
    query_name: str
    sweep_id: str
    pipeline: str
    tracklet_id: str
    crop_id: str  # the best one
    video_id: str
    video_path: str
    camera: str
    shard_id: str
    start_seconds: float  # media time of the tracklet
    stop_seconds: float
    best_seconds: float  # media time of the best crop
    start_utc: datetime  # wall-clock time of the same
    stop_utc: datetime
    best_utc: datetime
    clock_source: ClockSource
    time_zone: str
    box_xyxy_px: Box
    rank: int  # 0-based, final
    cosine: float
    z_score: float
    score: float  # S of knowledge-aware re-ranking
    confidence: float
    affirm: float
    reason: str
    judge_id: str
    picture_path: str  # overlay, relative to the store's reports
    created_utc: datetime
    evidence: str = STORED_CROPS  # what the judge was shown
    description: str = ""  # of it, in the judge's own words
    first_found_utc: datetime | None = None  # when an earlier sweep first reported the event; None: it is new

    @property
    def is_new(self) -> bool:
        """Whether no earlier sweep reported the event."""
        return self.first_found_utc is None

    @property
    def hit_id(self) -> str:
        """The hit's id."""
        return make_hit_id(self.query_version, self.tracklet_id, self.pipeline)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgementRecord:
    """What the judge said about one candidate, whether it became a hit or not."""

    query_version: str
    query_name: str
    sweep_id: str
    pipeline: str
    video_id: str
    camera: str
    shard_id: str
    crop_id: str  # the best one
    coarse_rank: int
    final_rank: int
    cosine: float
    z_score: float
    verdict: Verdict
    created_utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRecord:
    """Hits that are one event in the world."""

    incident_id: str
    sweep_id: str
    query_version: str
    query_name: str
    camera: str
    start_utc: datetime
    stop_utc: datetime
    hit_ids: tuple[str, ...]
    best_hit_id: str

    @property
    def num_hits(self) -> int:
        """Number of hits."""
        return len(self.hit_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdRecord:
    """The confidence that a query's candidates needed in a sweep to become hits, and why."""

    query_version: str
    query_name: str
    judge_id: str
    accept: float  # the query's own threshold
    threshold: float  # the one that was used
    num_confirmed: int
    num_rejected: int
    bound: float  # upper bound on the share of dropped hits that were right
    evidence: str  # one sentence
    created_utc: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepContent:
    """All rows of one sweep; recording it again replaces them."""

    sweep: SweepRecord
    coverage: tuple[CoverageRecord, ...] = ()  # what was judged completely: earlier hits there are replaced
    hits: tuple[HitRecord, ...] = field(repr=False, default=())
    judgements: tuple[JudgementRecord, ...] = field(repr=False, default=())
    incidents: tuple[IncidentRecord, ...] = field(repr=False, default=())
    thresholds: tuple[ThresholdRecord, ...] = field(repr=False, default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackRecord:
    """What a person says about a hit."""

    hit_id: str
    verdict: FeedbackVerdict
    who: str
    created_utc: Utc
    note: str = ""

    @property
    def feedback_id(self) -> str:
        """Digest of the entry: saved twice, it exists once."""
        return digest_json([self.hit_id, self.verdict, self.who, self.created_utc.isoformat(), self.note])[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRecord:
    """Feedback with the hit it is about and the query of that hit."""

    feedback: FeedbackRecord
    confidence: float
    judge_id: str
    query_name: str
    text: str
    masked: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRecord:
    """Who searched for what, and when."""

    text: str
    who: str
    created_utc: Utc
    seconds: float
    num_results: int
    filters: Mapping[str, str] = field(default_factory=dict)

    @property
    def search_id(self) -> str:
        """Digest of the entry: saved twice, it exists once."""
        return digest_json([self.text, self.who, self.created_utc.isoformat(), dict(self.filters)])[:32]
