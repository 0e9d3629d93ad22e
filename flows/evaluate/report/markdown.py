"""Writes the report as Markdown; texts of benchmarks are data and are escaped."""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

LISTED = 20  # failures in the text; the JSON has more
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>])")
_RUN = re.compile("`+")
_HEAD = ("variant", "R@1", "R@5", "R@10", "mAP", "mAP@10", "ΔR@1", "ΔmAP", "twin share", "questions", "tokens", "s")

LEGEND = (
    "Percent, with 95 % intervals over resampled queries; Δ is the paired difference from `coarse`, bold where its "
    "interval excludes zero. Twin share: of the top-1 errors, those that are the same person doing something else. "
    "Questions to the judge, tokens that it reads and writes (– where it does not count them) and seconds are per "
    "query, as if nothing had been asked before."
)
NO_TRUTH = (
    "The truth of this benchmark is not known here, so there is no figure; `answer.txt` holds the first ten pictures "
    "of each query, to be handed in."
)


def escape_cell(text: str) -> str:
    """Makes a text harmless in a Markdown table and in HTML."""
    return _SPECIAL.sub(r"\\\1", html.escape(" ".join(text.split()), quote=True))


def code(text: str) -> str:
    """Writes a text as a code span that nothing in it can end: its fence is longer than any in the text."""
    plain = " ".join(text.split()) or " "
    fence = "`" * (1 + max((len(run) for run in _RUN.findall(plain)), default=0))
    space = " " if "`" in plain else ""
    return f"{fence}{space}{plain}{space}{fence}"


def write_markdown(document: Mapping[str, Any], pictures: Sequence[str]) -> str:
    """Writes the report of a document; pictures are files beside it."""
    parts = [
        _write_head(document),
        _write_table(document),
        _write_groups(document["groups"]),
        *(f"![{name.partition('.')[0]}]({name})\n" for name in pictures if name.endswith(".png")),
        _write_failures(document["failures"]),
        *(f"![{name.partition('.')[0]}]({name})\n" for name in pictures if name.endswith(".jpg")),
    ]
    return "\n".join(part for part in parts if part)


def _write_head(document: Mapping[str, Any]) -> str:
    words = " and ".join(document["words"])
    limited = f" (limited to {document['limit']}, drawn by a fixed seed)" if document["limit"] else ""
    settings = f" with {escape_cell(document['settings_file'])}" if document["settings_file"] else ""
    lines = [
        f"# {escape_cell(document['benchmark'])}, split {escape_cell(document['split'])}",
        f"**These are {words} figures.**" if words else "",
        f"{document['num_queries']} queries{limited} of the key {code(document['captions'])}, {document['num_images']} "
        f"pictures; {document['state']}, {document['seconds']:.0f} s.",
        f"Profile **{escape_cell(document['profile'])}**{settings}, settings digest "
        f"{code(document['settings_digest'])}: {document['tuning']}.",
        f"Models: dual encoder {code(document['models']['dual_encoder'])}, judge {code(document['models']['judge'])}.",
        f"Best on this split by mAP: **{escape_cell(document['best'])}**." if document["best"] else "",
        f"The judge gave nothing usable on {document['num_judgements_failed']} candidates."
        if document["num_judgements_failed"]
        else "",
    ]
    return "\n\n".join(line for line in lines if line) + "\n"


def _write_table(document: Mapping[str, Any]) -> str:
    rows = document["variants"]
    known = any(row["measures"] for row in rows)
    lines = ["## Ablation\n", f"| {' | '.join(_HEAD)} |", f"|{'---|' * len(_HEAD)}"]
    lines += [f"| {' | '.join(_write_cells(row))} |" for row in rows]
    lines += ["", LEGEND, "", f"Number of frames: {document['frames']}.", ""]
    lines += [f"- {code(row['name'])}: {row['note']}{_write_troubles(row['troubles'])}" for row in rows]
    if not known:
        lines += ["", NO_TRUTH]
    return "\n".join(lines) + "\n"


def _write_troubles(troubles: Mapping[str, int]) -> str:
    return "".join(f"; {escape_cell(note)} ({number} queries)" for note, number in troubles.items())


def _write_cells(row: Mapping[str, Any]) -> list[str]:
    measures, cost, twins = row["measures"], row["cost"], row["twin_confusion"]
    cells = [code(row["name"]).replace("|", "\\|")]
    if measures:
        cells += [_interval(row["intervals"]["r1"]), _percent(measures["r5"]), _percent(measures["r10"])]
        cells += [_interval(row["intervals"]["map"]), _percent(measures["map10"])]
    else:
        cells += ["–"] * 5
    differences = row["difference_from_coarse"]
    cells += [_difference(differences[name]) if name in differences else "–" for name in ("r1", "map")]
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
    head = ("| part | queries | R@1 | R@5 | mAP |", "|---|---|---|---|---|")
    lines = ["## Parts of the queries, headline variant\n", *head]
    lines += [
        f"| {escape_cell(name)} | {row['num_queries']} | {_percent(row['r1'])} | {_percent(row['r5'])} | "
        f"{_percent(row['map'])} |"
        for name, row in groups.items()
    ]
    return "\n".join(lines) + "\n"


def _write_failures(failures: Mapping[str, Any] | None) -> str:
    if failures is None:
        return ""
    counts = ", ".join(f"{number} {category}" for category, number in failures["by_category"].items())
    lines = [
        "## Failures of the headline variant\n",
        f"{failures['total']} queries have another picture first: {counts} ({failures['note']}).\n",
        "| category | rank of the answer | query | answer | first |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['category']} | {row['rank']} | {escape_cell(row['text'])} | {escape_cell(row['own'])} | "
        f"{escape_cell(row['first'])} |"
        for row in failures["worst"][:LISTED]
    ]
    return "\n".join(lines) + "\n"
