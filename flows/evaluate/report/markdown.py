"""Writes the report as Markdown; texts of benchmarks are data and are escaped."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flows.runs.terminal import escape

LISTED = 20  # failures in the text; the JSON has more
_RUN = re.compile("`+")
_HEAD = ("variant", "R@1", "R@5", "R@10", "mAP", "mAP@10", "ΔR@1", "ΔmAP", "twin share", "questions", "tokens", "s")
LEGEND = (
    "Percent, with 95 % intervals over resampled queries. Δ is the paired difference from `coarse`, in bold if its "
    "interval excludes zero. Twin share: the share of the top-1 errors that show the same person doing something else. "
    "Questions to the judge, tokens that it reads and writes (– if it does not count them) and seconds are per query, "
    "as if no answer had been cached."
)
NO_TRUTH = (
    "The correct answers of this benchmark are not known here, so there are no figures. `answer.txt` lists the first "
    "ten pictures of each query, ready to submit."
)


def code(text: str) -> str:
    """Writes a text as a code span; its fence is longer than any in the text, so the text can't end the span."""
    plain = " ".join(text.split()) or " "
    fence = "`" * (1 + max((len(run) for run in _RUN.findall(plain)), default=0))
    space = " " if "`" in plain else ""
    return f"{fence}{space}{plain}{space}{fence}"


def write_markdown(document: Mapping[str, Any], pictures: Sequence[str]) -> str:
    """Writes the report of a document; pictures are files in the same folder."""
    parts = [
        _write_head(document),
        _write_ablation(document),
        _write_groups(document["groups"]),
        *(f"![{name.partition('.')[0]}]({name})\n" for name in pictures if name.endswith(".png")),
        _write_failures(document["failures"]),
        *(f"![{name.partition('.')[0]}]({name})\n" for name in pictures if name.endswith(".jpg")),
    ]
    return "\n".join(part for part in parts if part)


def _write_head(document: Mapping[str, Any]) -> str:
    words, num_failed = " and ".join(document["words"]), document["num_judgements_failed"]
    limited = f" (limited to {document['limit']}, drawn with a fixed seed)" if document["limit"] else ""
    settings = f" with {escape(document['settings_file'])}" if document["settings_file"] else ""
    lines = [
        f"# {escape(document['benchmark'])}, split {escape(document['split'])}",
        f"**These are {words} figures.**" if words else "",
        f"{document['num_queries']} queries{limited} of the key {code(document['captions'])}, {document['num_images']} "
        f"pictures; {document['state']}, {document['seconds']:.0f} s.",
        f"Profile **{escape(document['profile'])}**{settings}, settings digest "
        f"{code(document['settings_digest'])}: {document['tuning']}.",
        f"Models: dual encoder {code(document['models']['dual_encoder'])}, judge {code(document['models']['judge'])}.",
        f"Best on this split by mAP: **{escape(document['best'])}**." if document["best"] else "",
        f"The judge gave no usable answer for {num_failed} candidates." if num_failed else "",
    ]
    return "\n\n".join(line for line in lines if line) + "\n"


def write_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Writes the lines of a table; the cells must be escaped already."""
    lines = [f"| {' | '.join(map(str, row))} |" for row in (head, *rows)]
    return [lines[0], f"|{'---|' * len(head)}", *lines[1:]]


def _write_ablation(document: Mapping[str, Any]) -> str:
    rows = document["variants"]
    lines = ["## Ablation\n", *write_table(_HEAD, map(_write_cells, rows))]
    lines += ["", LEGEND, "", f"Number of frames: {document['frames']}.", ""]
    for row in rows:
        troubles = "".join(f"; {escape(note)} ({number} queries)" for note, number in row["troubles"].items())
        lines.append(f"- {code(row['name'])}: {row['note']}{troubles}")
    if not any(row["measures"] for row in rows):
        lines += ["", NO_TRUTH]
    return "\n".join(lines) + "\n"


def _write_cells(row: Mapping[str, Any]) -> list[str]:
    measures, cost, twins, gains = row["measures"], row["cost"], row["twin_confusion"], row["difference_from_coarse"]
    cells = [code(row["name"]).replace("|", "\\|"), *["–"] * 5]
    if measures:
        r1, mean = (_interval(row["intervals"][name]) for name in ("r1", "map"))
        cells[1:] = [r1, _percent(measures["r5"]), _percent(measures["r10"]), mean, _percent(measures["map10"])]
    cells += [_difference(gains[name]) if name in gains else "–" for name in ("r1", "map")]
    cells += [f"{_percent(twins['share'])} of {twins['num_errors']}" if twins else "–"]
    tokens = "–" if cost["tokens"] is None else f"{cost['tokens']:.0f}"
    return [*cells, f"{cost['questions']:.1f}", tokens, f"{cost['seconds']:.3f}"]


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


def _interval(interval: Mapping[str, float]) -> str:
    return f"{_percent(interval['mean'])} [{_percent(interval['low'])}, {_percent(interval['high'])}]"


def _difference(interval: Mapping[str, float]) -> str:
    text = f"{100 * interval['mean']:+.2f} [{100 * interval['low']:+.2f}, {100 * interval['high']:+.2f}]"
    return f"**{text}**" if interval["low"] > 0 or interval["high"] < 0 else text


def _write_groups(groups: Mapping[str, Mapping[str, Any]]) -> str:
    if not groups:
        return ""
    rows = [
        (escape(name), row["num_queries"], *(_percent(row[key]) for key in ("r1", "r5", "map")))
        for name, row in groups.items()
    ]
    table = write_table(("part", "queries", "R@1", "R@5", "mAP"), rows)
    return "\n".join(["## Parts of the queries, headline variant\n", *table]) + "\n"


def _write_failures(failures: Mapping[str, Any] | None) -> str:
    if failures is None:
        return ""
    counts = ", ".join(f"{number} {category}" for category, number in failures["by_category"].items())
    rows = [
        (row["category"], row["rank"], *(escape(row[name]) for name in ("text", "own", "first")))
        for row in failures["worst"][:LISTED]
    ]
    lines = [
        "## Failures of the headline variant\n",
        f"{failures['total']} queries rank a wrong picture first: {counts} ({failures['note']}).\n",
        *write_table(("category", "rank of the answer", "query", "answer", "first"), rows),
    ]
    return "\n".join(lines) + "\n"
