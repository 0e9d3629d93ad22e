"""Which behavior the judge alone takes a moment for, by one crop and by frames in order: python -m benchmarks.moments.

Arguments: rendered archives with their truth.json. Boxes and times are the truth's and joints have no say, so that only
the judge is measured. A fall shown backward is somebody who gets up.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from anomalylmm.footage.crops import context_box, limit_size
from anomalylmm.footage.moments import even_out, follow_boxes, moment_times
from anomalylmm.records import Box, Candidate, Clip, Image, MomentCut, MomentPlace, Query
from anomalylmm.rerank.stages import Adjudicator
from benchmarks.rendered.scoring import Event, read_truth
from flows.composition import Composition
from flows.settings.model import load_settings
from flows.sweep.query_file import QueryRow, build_query, mask_row

QUERIES = {
    "falling": "a person falling to the ground",
    "lying": "a person lying on the ground",
    "getting up": "a person getting up from the ground",
    "sitting down": "a person sitting down",
    "crouching": "a person crouching",
}
EVERY = {"falling": 1, "lying": 1, "crouching": 1, "walking": 4, "standing": 4}  # one of so many is taken
CUTS: tuple[MomentCut, ...] = ("fixed", "follow")
WAYS: dict[str, dict[str, Any]] = {
    "one crop": {"moment_frames": 0},
    **{
        f"{cut} frames, {join}": {"moment_frames": 8, "moment_cut": cut, "moment_join": join}
        for cut in CUTS
        for join in ("best", "mean", "order")
    },
}
SECONDS, FRAMES, CROP_PX = 1.0, 8, 320
WIDTH, HEIGHT = 960, 540  # of rendered frames
EVEN = 0.5  # confidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What one person does, as a crop of the middle and as frames."""

    behavior: str
    crop: Image
    clips: Mapping[str, Clip]  # by how they are cut


def iter_moments(composition: Composition, archive: Path) -> Iterator[Moment]:
    """Yields the moments of an archive, and each fall backward."""
    events = read_truth(archive / "truth.json")
    seen: Counter[str] = Counter()
    with closing(composition.build_moment_reader()) as reader:
        for event in events:
            seen[event.behavior] += 1
            if seen[event.behavior] % EVERY.get(event.behavior, sys.maxsize):
                continue
            places = plan(event, events, composition.settings.tracklets.margin)
            found = dict(reader.iter_moments(archive / event.video, places))
            if len(found) == len(places):
                *shown, middle = (found[number] for number in range(len(places)))
                crop = limit_size(middle[0], CROP_PX)
                clips = {cut: even_out(clip, clip.pts_seconds[0]) for cut, clip in zip(CUTS, shown, strict=True)}
                yield Moment(behavior=event.behavior, crop=crop, clips=clips)
                if event.behavior == "falling":
                    backward = {cut: Clip(clip[::-1], clip.pts_seconds) for cut, clip in clips.items()}
                    yield Moment(behavior="falling, shown backward", crop=crop, clips=backward)


def plan(event: Event, events: Sequence[Event], margin: float) -> list[MomentPlace]:
    """Plans the frames of an event around its middle in each way to cut them, and its crop."""
    middle = (event.start_seconds + event.stop_seconds) / 2
    same = [item for item in events if (item.video, item.person_id) == (event.video, event.person_id)]
    own = event.box_at(middle)
    near = [(middle, own)] + [item for one in same for item in one.boxes if abs(item[0] - middle) <= SECONDS]
    boxes, times = np.array([box for _, box in near]), moment_times(middle, SECONDS, FRAMES)
    whole = (*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist())
    following = follow_boxes([time for time, _ in near], boxes, times, (WIDTH, HEIGHT))
    return [
        MomentPlace(pts_seconds=moments, boxes_share=tuple(to_share(box, margin) for box in wanted))
        for moments, wanted in ((times, [whole] * len(times)), (times, following), ((middle,), [boxes[0].tolist()]))
    ]


def to_share(box: Sequence[float], margin: float) -> Box:
    """Grows a box by its surroundings, as shares of the frame."""
    x0, y0, x1, y1 = box
    left, top, right, bottom = context_box((x0, y0, x1, y1), WIDTH, HEIGHT, margin=margin)
    return left / WIDTH, top / HEIGHT, right / WIDTH, bottom / HEIGHT


def build_queries(composition: Composition) -> dict[str, Query]:
    """Builds the queries that compete for each moment."""
    rows = {name: QueryRow(name="moment", text=text) for name, text in QUERIES.items()}
    masked = {name: mask_row(row, composition.lexicon, None).cloze for name, row in rows.items()}
    queries = {name: build_query(row, composition.lexicon, masked[name]) for name, row in rows.items()}
    return {name: replace(query, top_n=sys.maxsize) for name, query in queries.items()}


def read_confidences(adjudicator: Adjudicator, query: Query, moments: Sequence[Moment]) -> list[float]:
    """Gives how sure the judge is that each moment shows what a query asks for, 0..1."""
    wanted = adjudicator.wants_moment(query)
    candidates = [
        Candidate(
            tracklet_id=str(rank),
            video_id="",
            camera="",
            crop_ids=(str(rank),),
            best_crop_id=str(rank),
            shard_id="",
            cosine=0.0,
            z_score=0.0,
            rank=rank,
            images=(moment.crop,),
            moment=moment.clips[adjudicator.settings.moment_cut] if wanted else None,
        )
        for rank, moment in enumerate(moments)
    ]
    ranked = adjudicator.adjudicate(query, candidates).ranked
    sure = {item.candidate.tracklet_id: item.verdict.confidence for item in ranked if item.verdict}
    return [sure[str(rank)] for rank in range(len(moments))]


def name_best(sure: dict[str, float]) -> str:
    """Names the query that a moment fits best; none below even odds."""
    best = max(sure, key=lambda name: sure[name])
    return best if sure[best] >= EVEN else "none"


def main() -> None:
    """Prints a table for each way to show a moment."""
    composition = Composition(load_settings("pocket"))
    queries = build_queries(composition)
    moments = [moment for name in sys.argv[1:] for moment in iter_moments(composition, Path(name))]
    for way, settings in WAYS.items():
        rerank = replace(composition.rerank, posture_weight=0.0, same_cosine=0.0, **settings)
        adjudicator = Adjudicator(composition.judge, composition.lexicon, rerank)
        sure = {name: read_confidences(adjudicator, query, moments) for name, query in queries.items()}
        table: dict[str, Counter[str]] = defaultdict(Counter)
        for number, moment in enumerate(moments):
            table[moment.behavior][name_best({name: values[number] for name, values in sure.items()})] += 1
        sys.stdout.write(f"{way}\n")
        for behavior, counts in table.items():
            told = ", ".join(f"{name} {count}" for name, count in counts.most_common())
            sys.stdout.write(f"  {behavior:<24}{counts.total():>4}: {told}\n")


if __name__ == "__main__":
    main()
