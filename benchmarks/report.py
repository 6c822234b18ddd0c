"""The tables, 112 columns wide."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from minicnn import table

from .work import EAGER, OURS

WIDTH = 112
COLUMNS = (20, 9, 15, 13, 13, 7, 12, 9)  # at least so wide; two spaces lie between two of them
ALIGN = "<>>>>>>>"
QUIET = 0.05  # the share of the cores that others may keep busy while it measures
HEAD = ("", "median ms", "quartiles", "/ torch eager", "quartiles", "at most", "G mul-adds/s", "of peak")


def table_line(*cells: str) -> str:
    """One row of the table, which grows while the works are measured."""
    return table.lines([cells], ALIGN, COLUMNS)[0]


def header(machine: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return (
        f"Machine   {machine['cpu']}, {machine['cores']} cores, {machine['system']}, load {machine['load']}\n"
        f"Versions  {versions}\n"
        f"Threads   {machine['threads']} for everybody\n"
        f"Command   {machine['command']}\n"
        f"Started   {machine['started']}"
    )


def doubts(document: dict[str, Any]) -> str | None:
    """Why the figures of this run mean nothing, as a sentence; None if they mean something."""
    if document["quick"]:
        return "A quick run: its figures mean nothing."
    others, cores = document["machine"].get("others"), document["machine"]["cores"]
    if others is not None and others > QUIET * cores:
        return (
            f"A disturbed run: others kept {others:.1f} of the {cores} cores busy while it measured,"
            " so its figures mean nothing. Run it again on a quiet machine."
        )
    return None


def peaks(found: dict[int, float]) -> str:
    shown = ", ".join(f"{n} thread{'s' * (n > 1)}: {peak / 1e9:.1f}" for n, peak in found.items())
    return f"Peak      matrix product, float32, G multiply-adds/s: {shown}"


def section(name: str, about: str) -> str:
    return f"\n{f'---- {name} ':-<{WIDTH}}\n{about}"


def result(row: dict[str, Any]) -> str:
    """One work: a line for it, one for each contender."""
    title, threads = f"{row['work']}: {row['what']}", f"{row['threads']} thread{'s' * (row['threads'] > 1)}"
    return "\n".join([f"\n{title:<{WIDTH - 10}}{threads:>10}", *(line(name, row) for name in row["contenders"])])


def line(name: str, row: dict[str, Any]) -> str:
    entry = row["contenders"][name]
    low, high = map(ms, entry["quartiles_ms"])
    ratio_low, ratio_high = entry["ratio_quartiles"]
    between = "" if name == EAGER else f"{times(ratio_low)} - {times(ratio_high)}"
    limit = next((f"{bar['bar']:.2f}" for bar in row["bars"] if name == OURS and bar["against"] == EAGER), "")
    speed, share = entry["multiply_adds_per_second"], entry["share_of_peak"]
    near = (f"{speed / 1e9:.1f}", f"{share:.0%}") if speed else ("-", "-")
    return table_line(
        f"  {name}", ms(entry["median_ms"]), f"{low} - {high}", times(entry["ratio"]), between, limit, *near
    )


def times(ratio: float) -> str:
    """Two decimals, where they count."""
    return f"{ratio:.{0 if ratio >= 100 else 1 if ratio >= 10 else 2}f}"


def ms(value: float) -> str:
    """Three digits that count."""
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3}f}"


def bars(rows: list[dict[str, Any]], facts: Sequence[dict[str, Any]] = ()) -> Iterator[str]:
    """What was promised of `OURS` beside what was measured; a quick run is not judged."""
    lines = limits(rows, facts)
    if not lines:
        return
    yield section(
        "limits",
        f"How many times as long as the other {OURS} takes. `At most` is the limit that this project sets itself;\n"
        "`aim` is what it works towards and does not promise.",
    )
    yield ""
    head = ("work", "threads", "against", "measured", "at most", "aim", "")
    yield from table.lines([head, *lines], "<><>>><")


def limits(rows: Sequence[dict[str, Any]], facts: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """The lines of that table."""
    lines: list[tuple[str, ...]] = []
    for row in rows:
        for bar in row["bars"]:
            if bar["met"] is not None:
                figures = (
                    f"{bar['ratio']:.2f}",
                    f"{bar['bar']:.2f}",
                    "" if bar["aim"] is None else f"{bar['aim']:.2f}",
                )
                said = verdict(bar["ratio"], bar["bar"], bar["aim"])
                lines.append((row["work"], str(row["threads"]), bar["against"], *figures, said))
    for one in facts:
        if one["met"] is not None:
            figures = (with_unit(one, name) for name in ("value", "bar", "aim"))
            lines.append((one["what"], "", "", *figures, verdict(one["value"], one["bar"], one["aim"])))
    return lines


def verdict(found: float, bar: float, aim: float | None) -> str:
    if aim is not None and found <= aim:
        return "reaches the aim"
    return "within the limit" if found <= bar else "OVER THE LIMIT"


def with_unit(one: dict[str, Any], name: str) -> str:
    """The value of a fact, its limit or its aim: "11.2 s"; empty where it has none."""
    if one[name] is None:
        return ""
    unit = one["unit"]
    digits = 2 if unit == "s" and name == "value" else 0
    return f"{one[name]:.{digits}f} {unit}".strip()


def first_calls(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Compile time, apart: what the first call of each work took more than a later one."""
    total: dict[str, float] = {}
    for row in rows:
        for name, entry in row["contenders"].items():
            total[name] = total.get(name, 0.0) + entry["first_call_extra_ms"]
    if total:
        yield section(
            "first calls", "What first calls took beyond a later one: compiling, or loading what was compiled before."
        )
        said = ", ".join(f"{name} {extra / 1e3:.2f} s" for name, extra in total.items())
        yield from textwrap.wrap(said, WIDTH, initial_indent="  ", subsequent_indent="  ")


def fact(entry: dict[str, Any]) -> str:
    """A figure that is no ratio."""
    text = f"  {entry['what']:56}{with_unit(entry, 'value'):>10}"
    if entry["met"] is not None:
        text += f"  at most {with_unit(entry, 'bar')}: {'met' if entry['met'] else 'MISSED'}"
    return text + (f"  ({entry['note']})" if entry["note"] else "")
