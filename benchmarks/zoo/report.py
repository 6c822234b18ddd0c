"""The zoo's rows as text: line by line while it is measured, then what they come to."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from minicnn import table

from ..measure import middle
from ..work import EAGER, OURS
from .memory import GRAIN
from .networks import BARS, MEAN
from .turns import PASSES

Row = dict[str, Any]
Lines = list[tuple[str, ...]]

COLUMNS = (42, 5, 7, 9, 9, 8, 8, 8)
HEAD = ("", "batch", "threads", "torch ms", "ours ms", *PASSES)
ALIGN = "<" + ">" * (len(HEAD) - 1)


def line(*cells: str) -> str:
    return table.lines([cells], ALIGN, COLUMNS)[0]


def measured(row: Row) -> str:
    """One line: milliseconds of both passes together, and the ratio of each."""
    both = row["passes"]["together"]["ms"]
    ratios = [f"{row['passes'][which]['ratio']:.2f}" for which in PASSES]
    name = f"{row['network']}, {row['role']}"
    return line(name, str(row["batch"]), str(row["threads"]), f"{both[EAGER]:.2f}", f"{both[OURS]:.2f}", *ratios)


def geometric_mean(ratios: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def judged(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["judged"]]


def ratios(rows: Sequence[Row], which: str) -> list[float]:
    return [row["passes"][which]["ratio"] for row in rows]


def distribution(rows: Sequence[Row]) -> Lines:
    """A line for each batch, number of threads and pass; first the rows that are judged."""
    lines: Lines = [("", "pass", "layers", "mean", "least", "quartiles", "", "", "most", "over 1.15")]
    for about, some in groups(rows):
        for which in PASSES:
            found = sorted(ratios(some, which))
            median, low, high = middle(found)
            figures = (geometric_mean(found), found[0], low, median, high, found[-1])
            over = sum(ratio > BARS[0].bar for ratio in found)
            lines.append((about, which, str(len(found)), *(f"{figure:.2f}" for figure in figures), str(over)))
    return lines


def groups(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    if judged(rows):
        yield "largest batch, all threads", judged(rows)
    for N, n in sorted({(row["batch"], row["threads"]) for row in rows}):
        some = [row for row in rows if (row["batch"], row["threads"]) == (N, n)]
        yield f"batch {N}, {n} thread{'s' * (n > 1)}", some


def slower(row: Row) -> bool:
    """Above the limit, and its lower quartile too."""
    both = row["passes"]["together"]
    return both["ratio"] > BARS[0].bar and both["ratio_quartiles"][0] > BARS[0].bar


def needs_more(row: Row) -> bool:
    memory = row["memory_mb"]
    return None not in memory.values() and memory[OURS] > memory[EAGER] + GRAIN


def name(row: Row) -> str:
    image = "x".join(map(str, (row["batch"], *row["image"])))
    return f"{row['network']}, {row['role']}: {row['layer']} on {image}"


def verdicts(rows: Sequence[Row]) -> list[str]:
    """What was promised beside what was measured, each layer that falls short by name."""
    rows = judged(rows)
    if not rows:
        return []
    mean = geometric_mean(ratios(rows, "together"))
    said = "met" if mean <= MEAN.bar else "MISSED"
    lines = [f"geometric mean {mean:.2f}: at most {MEAN.bar:.2f}, aim {MEAN.aim:.2f}: {said}"]
    over = sorted((row for row in rows if slower(row)), key=lambda row: -row["passes"]["together"]["ratio"])
    lines.append(f"layers above {BARS[0].bar:.2f} times {EAGER}, their lower quartile too: {len(over)}")
    for row in over:
        both = row["passes"]["together"]
        low, high = both["ratio_quartiles"]
        lines.append(f"  {both['ratio']:.2f} ({low:.2f} to {high:.2f})  {name(row)}")
    over = [row for row in rows if row["textbook"]["ratio"] > BARS[1].bar]
    lines.append(f"layers above {BARS[1].bar:.2f} times {BARS[1].against}: {len(over)}")
    lines += [f"  {row['textbook']['ratio']:.2f}  {name(row)}" for row in over]
    over = [row for row in rows if needs_more(row)]
    lines.append(f"layers whose call needs more memory than {EAGER}'s: {len(over)}")
    for row in over:
        memory = row["memory_mb"]
        lines.append(f"  {memory[OURS]:.1f} MB beside {memory[EAGER]:.1f} MB  {name(row)}")
    return lines


def printed(rows: Sequence[Row]) -> Iterator[str]:
    """What follows the lines of the layers."""
    yield f"\nTimes as long as {EAGER}: the geometric mean over the layers, and how they spread.\n"
    found = distribution(rows)
    yield from table.lines(found, "<<" + ">" * (len(found[0]) - 2))
    yield ""
    yield from verdicts(rows)


def in_markdown(rows: Sequence[Row]) -> str:
    """The zoo's part of RESULTS.md: what it comes to, then each layer, the slowest first."""
    found = distribution(rows)
    parts = ["\n".join(table.markdown(found, "<<" + ">" * (len(found[0]) - 2)))]
    parts += ["\n".join(f"{'  ' if text.startswith(' ') else ''}- {text.strip()}" for text in verdicts(rows))]
    head = ["layer", "input", "torch ms", "ours ms", *PASSES, "/ textbook", "MB", "torch MB"]
    ordered = sorted(judged(rows) or rows, key=lambda row: -row["passes"]["together"]["ratio"])
    lines = table.markdown([head, *(cells(row) for row in ordered)], "<<" + ">" * (len(head) - 2))
    parts += ["\n".join(lines)]
    papers = dict.fromkeys(f"{row['network']}: {row['paper']}" for row in rows)
    return "\n\n".join([*parts, "\n".join(f"- {paper}" for paper in papers)]) + "\n"


def cells(row: Row) -> list[str]:
    both = row["passes"]["together"]["ms"]
    memory = row.get("memory_mb", {})
    textbook = row.get("textbook")
    found = [f"{memory[who]:.1f}" if memory.get(who) is not None else "" for who in (OURS, EAGER)]
    return [
        f"{row['network']}, {row['role']}: `{row['layer']}`",
        "x".join(map(str, (row["batch"], *row["image"]))),
        f"{both[EAGER]:.2f}",
        f"{both[OURS]:.2f}",
        *(f"{row['passes'][which]['ratio']:.2f}" for which in PASSES),
        f"{textbook['ratio']:.2f}" if textbook else "",
        *found,
    ]
