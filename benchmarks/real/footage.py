"""The labeled real footage: which file is of which part, where its pictures are, and what was seen in them."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

Part = Literal["learn", "validation", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
HERE = Path(__file__).parent
EVENTS = HERE / "events.csv"
POSTURES = ("standing", "walking", "running", "sitting", "crouching", "other", "falling", "lying", "fighting")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person that somebody saw in a picture."""

    box: tuple[float, float, float, float]  # x0, y0, x1, y1 as shares of the picture
    posture: str
    cut: bool  # by the picture's edge, or hidden in part
    by: str  # eye, or proposal: a detector's box that somebody checked


@dataclass(frozen=True, slots=True, kw_only=True)
class LabeledPicture:
    """A picture, or a moment of a video as ``file@seconds``, with all persons in it."""

    name: str
    persons: tuple[Person, ...] = field(repr=False)


def read_rows(name: str, folder: Path = HERE) -> list[dict[str, str]]:
    """Reads a table; by default one of those beside this file."""
    with (folder / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def part_of(name: str) -> Part:
    """Tells which part a file, or a moment ``file@seconds`` of a video, belongs to."""
    file, _, moment = name.partition("@")
    for row in read_rows("split.csv"):
        start, stop = float(row["start_seconds"] or 0), float(row["stop_seconds"] or "inf")
        if row["file"] == file and start <= float(moment or start) < stop:
            return next(part for part in PARTS if part == row["part"])
    raise KeyError(f"{name} is in no part of split.csv")


def source_of(name: str) -> str:
    """Tells where a picture or a moment of a video comes from."""
    file = name.partition("@")[0].lower()
    words = {"gmdcsa24": "GMDCSA24", "subject": "GMDCSA24", "intel": "Intel", "coco": "COCO", "street": "street"}
    return next((source for word, source in words.items() if word in file), "ultralytics")


def list_files(part: Part, folder: str) -> list[str]:
    """Lists the files of a part under a folder such as ``videos``."""
    return [row["file"] for row in read_rows("split.csv") if row["part"] == part and row["file"].startswith(folder)]


def read_pictures(part: Part) -> list[LabeledPicture]:
    """Reads the labeled boxes of a part, picture by picture."""
    persons: dict[str, list[Person]] = defaultdict(list)
    for row in read_rows("boxes.csv"):
        persons[row["picture"]].append(_read_person(row))
    return [LabeledPicture(name=name, persons=tuple(found)) for name, found in persons.items() if part_of(name) == part]


def _read_person(row: dict[str, str]) -> Person:
    box = (float(row["x0"]), float(row["y0"]), float(row["x1"]), float(row["y1"]))
    return Person(box=box, posture=row["posture"], cut=row["cut"] == "1", by=row["by"])


def read_crops(part: Part, data: Path) -> list[tuple[str, str]]:
    """Reads the labeled crops of a part: file and posture."""
    files = set(list_files(part, "crops/"))
    words = {"crouch": "crouching"}
    rows = read_rows("crops.csv", find_root(data))
    return [(row["file"], words.get(row["behavior"], row["behavior"])) for row in rows if row["file"] in files]


def find_root(data: Path) -> Path:
    """Finds the folder of labels.csv: the data folder itself or ``real`` in it.

    Raises:
        FileNotFoundError: Neither has it.
    """
    for folder in (data / "real", data):
        if (folder / "labels.csv").is_file():
            return folder
    raise FileNotFoundError(f"neither {data / 'real'} nor {data} holds labels.csv; see benchmarks/real/README.md")


def find_file(data: Path, file: str) -> Path:
    """Finds a file of the split: under ``real``, beside it (street.avi), or in ultralytics' package.

    Raises:
        FileNotFoundError: It is in none of them.
    """
    root, package = find_root(data), find_spec("ultralytics")
    assets = [Path(package.origin).parent / "assets"] if package and package.origin else []
    for folder in (root, root.parent, data, *assets):
        if (folder / file).is_file():
            return folder / file
    raise FileNotFoundError(f"{file} is neither in {root} nor in {root.parent}; see benchmarks/real/README.md")


def iter_images(data: Path, names: Sequence[str]) -> Iterator[NDArray[np.uint8]]:
    """Gives the pictures, RGB, in order; moments of a video are frames counted from its start."""
    for name in names:
        file, _, moment = name.partition("@")
        path = find_file(data, file)
        image: Any = _read_frame(path, float(moment)) if moment else cv2.imread(str(path))
        if image is None:
            raise ValueError(f"{path} can't be read at {moment or 'all'}")
        yield np.ascontiguousarray(image[..., ::-1])


def _read_frame(path: Path, seconds: float) -> Any:
    """Reads the frame at a time; decodes from the start, since seeking is not exact in every file."""
    stream = cv2.VideoCapture(str(path))
    for _ in range(round(seconds * stream.get(cv2.CAP_PROP_FPS))):
        stream.grab()
    good, frame = stream.read()
    return frame if good else None
