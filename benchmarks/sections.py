"""RESULTS.md as sections: each command's figures are one, with the machine and the day on
which they were measured. Whoever measures one anew replaces that section alone.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from minicnn import table

from . import profile, report, scale
from .report import doubts, ms
from .work import EAGER, ONNX_RUNTIME, OPENVINO, OURS, RUNTIME, TEXTBOOK, TUNED
from .zoo.report import in_markdown as in_markdown_of_zoo

ORDER = ("step", "epoch", "inference", "layers", "shapes", "scale", "profile", "seeds", "zoo", "cold", "gpu")
BORDER = re.compile(r"(?<!\\)\|")  # between two cells
SECTION = re.compile(r"^## (\w+)\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
CONTENDERS = (EAGER, TUNED, ONNX_RUNTIME, OPENVINO, TEXTBOOK, OURS)
HOW_TO_READ_THE_ZOO = f"""Layers of well-known networks, chosen by the rule in `benchmarks/zoo/networks.py`. Forward
and backward are clocked apart; together is their sum. The ratios say how many times as long as
{EAGER} it takes; the last lines of the first list name each layer that falls short. The layers
themselves have the largest batch and all threads. "MB" is the memory of one call besides its
arguments, output and gradients included: `benchmarks/zoo/memory.py` says how it is measured.
"""
ZOO_PICTURE = "zoo.svg"  # beside RESULTS.md, which shows it
Row = dict[str, Any]
Document = Mapping[str, Any]


def read(page: str) -> dict[str, str]:
    """The sections of a page by name, without their headings."""
    return {name: text.strip("\n") for name, text in SECTION.findall(page)}


def written(sections: Mapping[str, str]) -> str:
    """The sections in their order."""
    names = sorted(sections, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    return "\n".join(f"## {name}\n\n{sections[name]}\n" for name in names)


def of_run(document: Document) -> dict[str, str]:
    """The sections of one run, each under the line that says where and when."""
    found: dict[str, list[str]] = {}
    for command in dict.fromkeys(row["command"] for row in document["results"]):
        found[command] = [timings([row for row in document["results"] if row["command"] == command])]
    for command in dict.fromkeys(one["command"] for one in document["facts"]):
        facts = [fact(one) for one in document["facts"] if one["command"] == command]
        found.setdefault(command, []).append(in_markdown([("", "", "limit", ""), *facts]))
    if document["scale"]:
        found["scale"] = list(of_scale(document["scale"]))
    if document.get("profile"):
        found["profile"] = list(of_profile(document["profile"], document["machine"]["threads"]))
    if document.get("seeds"):
        found["seeds"] = of_seeds(document["seeds"])
    if document["zoo"]:
        picture = f"![The zoo]({ZOO_PICTURE})"
        found["zoo"] = [HOW_TO_READ_THE_ZOO, picture, in_markdown_of_zoo(document["zoo"])]
    return {name: "\n\n".join(part.strip("\n") for part in (about(document), *parts)) for name, parts in found.items()}


def about(document: Document) -> str:
    """The command, the machine, the versions, the day."""
    machine = document["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    doubt = doubts(document)
    command = re.sub(r" --(json|plot) \S+", "", machine["command"])
    threads = f"{machine['threads']} thread{'s' * (machine['threads'] > 1)}"
    return (
        f"`{command}` on {machine['cpu']}, {machine['cores']} cores,"
        f" {threads} for everybody, float32,\non {machine['started'][:10]}; {versions}.\n"
        + (f"\n**{doubt}**\n" if doubt else "")
    )


def in_markdown(rows: Sequence[Sequence[str]], align: str = "") -> str:
    """The first column to the left, the others to the right."""
    return "\n".join(table.markdown(rows, align or "<" + ">" * (len(rows[0]) - 1))) + "\n"


# ------------------------------------------------------------------------------- tables


def timings(rows: Sequence[Row]) -> str:
    """A row for each work, and below it, in words, where columns and ratio part company."""
    names = [name for name in CONTENDERS if any(name in row["contenders"] for row in rows)]
    limited = {bar["against"] for row in rows for bar in row["bars"]}
    against = [name for name in (EAGER, TUNED, RUNTIME, TEXTBOOK) if name in limited]

    def cells(row: Row) -> list[str]:
        share = row["contenders"][OURS]["share_of_peak"]
        return [
            row["work"],
            str(row["threads"]),
            *(median(row, name) for name in names),
            *(judged(row, name) for name in against),
            f"{share:.0%}" if share else "",
        ]

    head = ["work", "threads", *names, *(f"/ {name}" for name in against), "of peak"]
    text = in_markdown([head, *map(cells, rows)])
    apart = [
        f"{row['work']} with {row['threads']} thread{'s' * (row['threads'] > 1)}:"
        f" {of_columns(row, bar['against']):.2f} times {bar['against']}"
        for row in rows
        for bar in row["bars"]
        if contradicted(row, bar)
    ]
    if apart:
        text += f"\n\\* Dividing the columns gives another ratio here ({'; '.join(apart)}):\n"
        text += "the machine's speed changed between the rounds, and a ratio within a round does not feel that.\n"
    return text


def median(row: Row, name: str) -> str:
    return ms(row["contenders"][name]["median_ms"]) if name in row["contenders"] else ""


def judged(row: Row, against: str) -> str:
    """The ratio to `against`: median of the rounds, quartiles, the limit; empty if none
    is set.
    """
    bar = next((bar for bar in row["bars"] if bar["against"] == against), None)
    if bar is None:
        return ""
    low, high = bar["ratio_quartiles"]
    text = f"{bar['ratio']:.2f} ({low:.2f} to {high:.2f})" + "*" * contradicted(row, bar)
    aim = "" if bar["aim"] is None else f", aim {bar['aim']:.2f}"
    return f"{text}, at most {bar['bar']:.2f}{aim}" if bar["met"] else f"**{text}, over {bar['bar']:.2f}{aim}**"


def contradicted(row: Row, bar: Row) -> bool:
    """Whether one column divided by the other is a ratio outside of the quartiles."""
    low, high = bar["ratio_quartiles"]
    return not low <= of_columns(row, bar["against"]) <= high


def of_columns(row: Row, against: str) -> float:
    entries = row["contenders"]
    others = (ONNX_RUNTIME, OPENVINO) if against == RUNTIME else (against,)
    return entries[OURS]["median_ms"] / min(entries[name]["median_ms"] for name in others if name in entries)


def fact(one: Row) -> tuple[str, ...]:
    """A figure that is no ratio."""
    limit = ""
    if one["bar"] is not None:
        limit = f"at most {report.with_unit(one, 'bar')}"
        limit += f", aim {report.with_unit(one, 'aim')}" if one["aim"] is not None else ""
        limit += f": {'met' if one['met'] else '**MISSED**'}"
    return one["what"], report.with_unit(one, "value"), limit, one["note"]


def of_scale(points: Sequence[Row]) -> Iterator[str]:
    yield "How fast the cost grows: `benchmarks/scale.py` says what a slope is. Then each curve, in milliseconds."
    yield in_markdown(scale.summary(points), "<<>><")
    yield scale.verdict(points)
    for (what, axis), some in scale.curves(points).items():
        yield f"{what} against {axis}"
        yield in_markdown(scale.rows_of(some))


def of_profile(every: Sequence[Row], threads: int) -> Iterator[str]:
    yield "Where a training step's time goes: `benchmarks/inside.py` says how it is measured."
    for found in every:
        yield profile.about(found, threads)
        yield in_markdown(profile.rows_of(found), profile.ALIGN)
        yield "\n".join(profile.notes(found))


def of_seeds(found: Row) -> list[str]:
    from . import seeds  # here: it needs torch

    accuracies = [seeds.Seed(**one) for one in found["accuracies"]]
    return [seeds.about(seeds.Plan(**found["plan"])), in_markdown(seeds.spread(accuracies))]


# ------------------------------------------------------------------- the README's rows


def rows_of(section: str) -> Iterator[dict[str, str]]:
    """Each row of the tables of a section, by its columns' names."""
    head: list[str] = []
    for line in section.splitlines():
        cells = [cell.strip() for cell in BORDER.split(line)[1:-1]]
        if not cells:
            head = []
        elif not head:
            head = cells
        elif not set("".join(cells)) <= set("-:"):
            yield dict(zip(head, cells, strict=True))
