"""Names the camera of a path: by what folders and file name say beside date and time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from flows.clocks.tokens import MONTHS, cut_spans, tokenize

NO_CAMERA = "default"
_MEDIA = frozenset(  # words that say what a file is, never where it was recorded
    "img mvi mov mp4 avi mkv dav jpg media vid video videos movie movies clip clips film rec recording recordings "
    "record records event events evt motion alarm alert md mdalarm schedule person people human pet animal "
    "vehicle car face sound "
    "continuous main sub stream high low snapshot snapshots screen screenrecorder screenrecording screencast pxl "
    "signal whatsapp dcim gopro gh gx gopr dji cardv ro period normal cont lapse timelapse mp4record "
    "wa am pm mp hd sd sdcard mmc usb disk disks hdd volume data files export exports tmp new old "
    "backup backups archive archives part copy stored alerts datadir hiv "
    "day days week weeks month months year years today monday tuesday wednesday thursday friday saturday sunday "
    "mon tue wed thu fri sat sun january february march april june july august september october november "
    "december".split()
) | frozenset(MONTHS)
_PLACE = frozenset(  # words of recorders, which name a camera only if nothing else does
    "cam camera cameras ch chn channel ipc ipcam webcam nvr dvr xvr cctv ftp upload uploads nas surveillance "
    "surveillancestation synology frigate zoneminder shinobi motioneye blueiris unifi protect reolink hikvision dahua "
    "axis hanwha wisenet tapo eufy wyze xiaomi arlo blink nest ring blackvue video1 site".split()
)
_IP = re.compile(r"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9.])")
_MAC = re.compile(
    r"(?<![^\W_])(?=[0-9-]*[a-f])(?:[0-9a-f]{12}|(?:[0-9a-f]{2}-){5}[0-9a-f]{2})(?![^\W_])", re.IGNORECASE
)
_ID = re.compile(r"[0-9a-f]{16,}|[0-9a-f]{8}-[0-9a-f-]{27}|[a-z]{1,2}[0-9]{4,}", re.IGNORECASE)
_KIND = re.compile(r"Rec[MS][0-9]{2}|[0-9]{3}[A-Z_]{5}")  # such as 100GOPRO
_APP = re.compile(r"RPReplay_Final|dji_(?:fly|mimo)|Screencast from|WIN|FILE|NO|EV|PA|TL")  # before a date in a name
_SERIAL = re.compile(r"(?=.*[A-Z].*[0-9].*[A-Z])(?=(?:.*[0-9]){4})[A-Z0-9]{9,20}")
_NUMBER = re.compile(r"[_ -]+[0-9]+$")  # of a file, after a name
_EDGES = " \t\u202f\xa0-_.,;:+@#~()[]{}年月日"
SPECIFIC, NUMBERED, GENERIC, NOTHING = 3, 2, 1, 0  # how well a text names a camera


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """What the parts of a path say about its camera."""

    above: tuple[str, ...]  # folders above the date, or all folders without a date
    below: tuple[str, ...]  # folders with and below the date
    label: str  # text of the file name beside date and time; empty without a date
    is_dated: bool

    @property
    def folder(self) -> str:
        """The folder that names the camera, or nothing."""
        if not self.is_dated:
            return next((name for name in self.above if rank(name) == SPECIFIC), "")
        return next((name for name in (*self.below[::-1], *self.above[::-1]) if rank(name) == SPECIFIC), "")

    @property
    def parents(self) -> tuple[str, ...]:
        """The folders above the one that names the camera, without those that only say what they hold."""
        folders = (*self.above, *self.below)
        inner = folders.index(self.folder) if self.folder in folders else len(folders)
        return tuple(name for name in folders[:inner] if rank(name) >= NUMBERED)


@lru_cache(maxsize=10_000)
def rank(text: str) -> int:
    """Says how well a text names a camera: as a place, by a number, by a word of recorders, or not at all."""
    if _MAC.search(text) or _IP.search(text):
        return SPECIFIC
    words = [token.text.lower() for token in tokenize(text) if token.kind == "word"]
    if _SERIAL.fullmatch(text):
        return NUMBERED
    if _ID.fullmatch(text) or _KIND.fullmatch(text):
        return NOTHING
    if any(word not in _MEDIA | _PLACE and (len(word) > 1 or not word.isascii()) for word in words):
        return SPECIFIC
    has_number = bool(re.search("[0-9]", text)) and not re.search("[0-9]{5}", text)
    if has_number and (not words or any(word in _PLACE or len(word) == 1 for word in words)):
        return NUMBERED
    return GENERIC if any(word in _PLACE for word in words) else NOTHING


def name_parts(path: str, spans: Sequence[tuple[int, int]], date_start: int | None) -> Naming:
    """Divides a path (without its suffix) into what may name the camera; ``spans`` are its dates and times."""
    above: list[str] = []
    below: list[str] = []
    label, start = "", 0
    components = path.split("/")
    for number, component in enumerate(components):
        stop = start + len(component)
        inside = [(max(a, start) - start, min(b, stop) - start) for a, b in spans if a < stop and b > start]
        pieces = [clean(piece) for piece in cut_spans(component, inside)]
        if number == len(components) - 1:
            label = _choose_label(pieces) if date_start is not None else ""
        elif any(pieces) or not inside:
            name = _mac(component) or (next(piece for piece in pieces if piece) if inside else component)
            (above if date_start is None or stop <= date_start else below).append(name)
        start = stop + 1
    return Naming(above=tuple(above), below=tuple(below), label=label, is_dated=date_start is not None)


def _mac(text: str) -> str:
    found = _MAC.search(text)
    return found.group() if found else ""


def _choose_label(pieces: Sequence[str]) -> str:
    """Returns the text before date and time, or the one after it if it is a name and not a number of the file."""
    before = "" if _APP.fullmatch(pieces[0]) else pieces[0]
    if rank(before) >= NUMBERED:
        return before
    after = next((piece for text in pieces[1:] for piece in (_NUMBER.sub("", text), text) if _names_after(piece)), "")
    return after or before


def _names_after(piece: str) -> bool:
    if _IP.search(piece) or _MAC.search(piece):
        return True
    if re.search("[0-9]", piece):
        return rank(piece) == NUMBERED and any(token.text.lower() in _PLACE for token in tokenize(piece))
    return rank(piece) == SPECIFIC and len(piece) > 2 and "[" not in piece


def clean(text: str) -> str:
    """Removes what separates a name from date and time, and what many recorders add: a kind, DST, or the channel 0."""
    stripped = re.sub(r"^\[[A-Z]\]|(?:^|(?<=_))DST$", "", text.strip()).strip(_EDGES)
    without = re.sub(r"[_-]0{1,2}$", "", stripped)
    return without.rstrip(_EDGES) if rank(without) == SPECIFIC else stripped


def choose_camera(naming: Naming, labels: int = 1) -> str:
    """Names the camera; ``labels`` is the number of different names in file names of the same folder."""
    folder, label, known = naming.folder, naming.label, rank(naming.label)
    if known >= NUMBERED and folder and labels > 1:
        return label if known == SPECIFIC else f"{folder}-{label}"
    if folder or known == SPECIFIC:
        return folder or label
    return _choose_weak(naming, known, labels)


def _choose_weak(naming: Naming, known: int, labels: int) -> str:
    """Names a camera by a number, otherwise by the first folder."""
    numbered = [name for name in (*naming.above[::-1], *naming.below) if rank(name) == NUMBERED]
    has_letters = any(letter.isalpha() for letter in naming.label)
    if known == NUMBERED and ((has_letters and labels > 1) or not numbered):
        return naming.label
    if numbered:
        return numbered[0]
    folders = naming.above or tuple(name for name in naming.below if rank(name) == GENERIC)
    if folders:
        return folders[0]
    return naming.label if known == GENERIC else NO_CAMERA


def camera_from_folder(path: str) -> str:
    """Names the camera after the first folder of the path, or ``default`` for a file at the top."""
    parts = PurePosixPath(path).parts
    return parts[0] if len(parts) > 1 else NO_CAMERA
