"""Fetches candidates' moments from the archive; where that fails, stored crops serve and the reason is kept."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from anomalylmm.errors import ArchiveError, VideoError
from anomalylmm.footage.moments import even_out, plan_moment, shows_crop
from anomalylmm.protocols import MomentReader
from anomalylmm.records import STORED_CROPS, Candidate, Clip, CropRow, MomentPlace
from flows.composition import Composition
from flows.index.units.cropping import read_jpeg
from flows.moments.places import VideoPlaces
from flows.moments.spool import Key, MomentSpool
from storage.disk.layout import StoreLayout
from storage.gallery.gallery import Gallery
from storage.shards.manifest import VideoEntry

MAX_BYTES = 512 << 20  # of the pictures of one query's candidates, unpacked
OTHER_PICTURE = "the archive shows another picture at this time"
NO_FRAME = "the video has no frame there"
TOO_MANY = f"the moments of earlier candidates fill the {MAX_BYTES >> 20} MiB for moments"
MAX_REASONS = 3  # told; the verdicts have all
_LACKING = f"{STORED_CROPS}: "  # begins what is said of a verdict without its moment


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """A moment wanted of a video."""

    key: Key
    place: MomentPlace
    best: CropRow


@dataclass(slots=True)
class Moments:
    """The moments of a run's candidates."""

    spool: MomentSpool | None = None  # None: moments are not asked for
    reasons: dict[Key, str] = field(default_factory=dict)  # why a moment is not there
    unreachable: set[Key] = field(default_factory=set)  # whose archive can't be reached now; it may be later

    def attach(self, candidates: Sequence[Candidate], *, wanted: bool) -> list[Candidate]:
        """Gives each candidate its moment if that is wanted, or says why the judge sees stored crops."""
        if self.spool is None or not wanted:
            return list(candidates)
        left, attached = MAX_BYTES, []
        for candidate in candidates:
            clip = self.spool.get(_key(candidate)) if left > 0 else None
            left -= sum(image.nbytes for image in clip or ())
            reason = self.reasons.get(_key(candidate), NO_FRAME) if left > 0 else TOO_MANY
            evidence = describe(clip) if clip else f"{_LACKING}{reason}"
            attached.append(replace(candidate, moment=clip, evidence=evidence))
        return attached

    def is_put_off(self, candidate: Candidate) -> bool:
        """Tells whether a candidate should be judged again when its archive can be reached."""
        return _key(candidate) in self.unreachable

    def close(self) -> None:
        """Removes the pictures."""
        if self.spool is not None:
            self.spool.close()


def describe(clip: Clip) -> str:
    """Says what of a moment is shown."""
    return f"{len(clip)} frames of the archive, {clip.pts_seconds[0]:.1f} to {clip.pts_seconds[-1]:.1f} s"


def fetch_moments(
    composition: Composition,
    layout: StoreLayout,
    gallery: Gallery,
    candidates: Iterable[Candidate],
    *,
    archive: Path | None,
) -> Moments:
    """Fetches the moments of candidates; each video is opened once. The result is to be closed.

    Args:
        composition: Builds the reader, and has the settings.
        layout: The store.
        gallery: What the candidates were found in.
        candidates: Of all queries that want moments.
        archive: Where the videos are, if not where they were indexed.

    Raises:
        StoreError: The store can't be written.
    """
    wanted = list(candidates)
    if not wanted:
        return Moments()
    patience_seconds = composition.settings.decode.stall_seconds
    places = VideoPlaces(layout, archive, composition.copies, patience_seconds=patience_seconds)
    reader = composition.build_moment_reader()
    moments = Moments(spool := MomentSpool(layout.temporary))
    with closing(reader), closing(places):
        for video, wishes in _plan(composition, gallery, wanted).values():
            _fetch_video(moments, spool, places, reader, video, wishes)
    return moments


def lacks_moment(evidence: str) -> bool:
    """Tells whether a verdict rests on stored crops although a moment was asked for."""
    return evidence.startswith(_LACKING)


def describe_missing(evidence: Iterable[str]) -> tuple[str, ...]:
    """Says how many verdicts rest on stored crops although moments were asked for, with the most frequent reasons.

    Args:
        evidence: What the judge was shown, of each verdict.
    """
    counts = Counter(item.removeprefix(_LACKING) for item in evidence if lacks_moment(item))
    told = counts.most_common(MAX_REASONS)
    warnings = [f"{count} candidates were judged by stored crops, not by their moment: {why}" for why, count in told]
    if rest := counts.total() - sum(count for _, count in told):
        warnings.append(f"{rest} more candidates were judged by stored crops; the column evidence says why")
    return tuple(warnings)


def _key(candidate: Candidate) -> Key:
    return candidate.tracklet_id, candidate.best_crop_id


def _plan(
    composition: Composition, gallery: Gallery, candidates: Iterable[Candidate]
) -> Mapping[str, tuple[VideoEntry, list[_Wish]]]:
    """Plans the moments of candidates, by video id."""
    settings, margin = composition.rerank, composition.settings.tracklets.margin
    planned: dict[str, tuple[VideoEntry, list[_Wish]]] = {}
    shown = {_key(candidate): candidate for candidate in candidates}.values()
    found = gallery.read_tracklets((candidate.shard_id, candidate.tracklet_id) for candidate in shown)
    for candidate in shown:
        crops = found[candidate.shard_id, candidate.tracklet_id]
        own = [crop for crop in crops if crop.video_id == candidate.video_id]
        best = next(crop for crop in own if crop.crop_id == candidate.best_crop_id)
        place = plan_moment(
            best,
            own,
            span_seconds=settings.moment_seconds,
            count=settings.moment_frames,
            margin=margin,
            moment_cut=settings.moment_cut,
        )
        if candidate.video_id not in planned:
            videos = gallery.shard(candidate.shard_id).manifest.videos
            planned[candidate.video_id] = next(item for item in videos if item.video_id == candidate.video_id), []
        planned[candidate.video_id][1].append(_Wish(key=_key(candidate), place=place, best=best))
    return dict(sorted(planned.items(), key=lambda item: item[1][0].path))


def _fetch_video(
    moments: Moments,
    spool: MomentSpool,
    places: VideoPlaces,
    reader: MomentReader,
    video: VideoEntry,
    wishes: Sequence[_Wish],
) -> None:
    """Fetches the moments of one video, and notes the reasons why some are missing."""
    missing = dict.fromkeys((wish.key for wish in wishes), NO_FRAME)
    try:
        path = places.find(video)
        for number, pictures in reader.iter_moments(path, [wish.place for wish in wishes]):
            wish = wishes[number]
            clip = even_out(pictures, wish.best.pts_seconds)
            if shows_crop(clip, wish.place, wish.best, read_jpeg(wish.best.jpeg)):
                spool.put(wish.key, clip)
                del missing[wish.key]
            else:
                missing[wish.key] = OTHER_PICTURE
    except ArchiveError as error:
        if not isinstance(error, VideoError):
            moments.unreachable.update(missing)
        missing = {key: str(error) if reason == NO_FRAME else reason for key, reason in missing.items()}
    moments.reasons |= missing
