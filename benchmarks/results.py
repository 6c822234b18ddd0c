"""Writes benchmarks/RESULTS.md, and its short table into the README, from a run's JSON file.

`python -m benchmarks ... --json RUN.json` leaves that file; `make results` does both.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from minicnn import table

from .report import doubts, ms, per_image
from .work import EAGER, OURS, TEXTBOOK, TUNED
from .zoo.picture import draw as draw_zoo
from .zoo.report import in_markdown as in_markdown_of_zoo

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
ZOO = ROOT / "benchmarks" / "zoo.svg"  # beside RESULTS.md, which shows it
README = ROOT / "README.md"
SHORT = (  # work, threads (None: as many as there were); the README's rows
    ("training step", None),
    ("epoch", None),
    ("inference 1000", None),
    ("conv2, pooled grad", 1),
    ("fc1", None),
    ("depthwise", None),
)
BLOCK = re.compile(r"(?<=<!-- from benchmarks/RESULTS.md -->\n).*?(?=<!-- to here -->)", re.DOTALL)
HOW_TO_READ = f"""## How to read it

Times are in milliseconds, medians of all samples. All contenders take turns in rounds. A ratio
says how many times as long {OURS} takes as the other: the median of the ratios within each
round, then their quartiles. `At most` is the limit that this project sets itself; a ratio over
it is printed in bold. Results are compared before anything is timed.

"Eager" is torch as the course writes it; "tuned" is torch with channels_last and a fused Adam.
"Of peak" counts the multiply-adds that the definition asks for, against the best matrix product
found; it exceeds 100 % where zeros of a gradient were skipped. A layer is timed forward plus
backward. A "pooled grad" is a gradient as it leaves ReLU and pooling: 17 % of it is not zero.
"""
HOW_TO_READ_THE_ZOO = f"""Layers of well-known networks, chosen by the rule in `benchmarks/zoo/networks.py`. Forward
and backward are clocked apart; together is their sum. The ratios say how many times as long as
{EAGER} it takes; the last lines of the first list name each layer that falls short. The layers
themselves have the largest batch and all threads. "MB" is the memory of one call besides its
arguments, output and gradients included: `benchmarks/zoo/memory.py` says how it is measured.
"""
# The GPU's table, in RESULTS.md a section at the end. Each command writes its own part alone.
GPU = re.compile(r"(?<=<!-- from python -m benchmarks gpu -->\n).*?(?=<!-- to here -->)", re.DOTALL)
GPU_SECTION = re.compile(r"## gpu\n.*?<!-- to here -->\n", re.DOTALL)
Row = dict[str, Any]


def in_markdown(rows: Sequence[Sequence[str]]) -> str:
    """The first column to the left, the others to the right."""
    return "\n".join(table.markdown(rows, "<" + ">" * (len(rows[0]) - 1))) + "\n"


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
    text = f"{bar['ratio']:.2f} ({low:.2f} to {high:.2f})"
    if not low <= of_columns(row, against) <= high:
        text += "*"
    limit = f"at most {bar['bar']:.2f}"
    return f"{text}, {limit}" if bar["met"] else f"**{text}, over {bar['bar']:.2f}**"


def of_columns(row: Row, against: str) -> float:
    """The ratio that a reader gets who divides one column by the other."""
    entries = row["contenders"]
    return entries[OURS]["median_ms"] / entries[against]["median_ms"]


def timings(rows: Sequence[Row]) -> str:
    """A row for each work, and below it, in words, where columns and ratio part company."""
    head = ["work", "threads", EAGER, TUNED, TEXTBOOK, OURS, f"/ {EAGER}", f"/ {TUNED}", f"/ {TEXTBOOK}", "of peak"]

    def cells(row: Row) -> list[str]:
        share = row["contenders"][OURS]["share_of_peak"]
        return [
            row["work"],
            str(row["threads"]),
            *(median(row, name) for name in (EAGER, TUNED, TEXTBOOK, OURS)),
            *(judged(row, against) for against in (EAGER, TUNED, TEXTBOOK)),
            f"{share:.0%}" if share else "",
        ]

    text = in_markdown([head, *map(cells, rows)])
    apart = [
        f"{row['work']} with {row['threads']} thread{'s' * (row['threads'] > 1)}:"
        f" {of_columns(row, bar['against']):.2f} times {bar['against']}"
        for row in rows
        for bar in row["bars"]
        if not bar["ratio_quartiles"][0] <= of_columns(row, bar["against"]) <= bar["ratio_quartiles"][1]
    ]
    if apart:
        text += f"\n\\* Dividing the columns gives another ratio here ({'; '.join(apart)}):\n"
        text += "the machine's speed changed between the rounds, and a ratio within a round does not feel that.\n"
    return text


def about(document: dict[str, Any]) -> str:
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


def short(document: dict[str, Any]) -> str:
    """What the README shows."""
    threads = document["machine"]["threads"]
    wanted = [(name, n or threads) for name, n in SHORT]
    rows = [row for key in wanted for row in document["results"] if (row["work"], row["threads"]) == key]
    return f"{about(document)}\n{timings(rows)}\n"


def results(document: dict[str, Any]) -> str:
    """The whole file."""
    parts = [
        "# Results\n\nWritten by `make results`; not edited by hand.\n",
        short(document),
        HOW_TO_READ,
    ]
    for command in dict.fromkeys(row["command"] for row in document["results"]):
        rows = [row for row in document["results"] if row["command"] == command]
        parts.append(f"## {command}\n\n{timings(rows)}")
    if document["scale"]:
        parts.append("## scale\n\nMicroseconds an image.\n" + "".join(curves(document["scale"])))
    if document.get("zoo"):
        parts.append(
            f"## zoo\n\n{HOW_TO_READ_THE_ZOO}\n![The zoo]({ZOO.name})\n\n{in_markdown_of_zoo(document['zoo'])}"
        )
    if document["facts"]:
        head = ["fresh processes", "", "", ""]
        parts.append("## cold\n\n" + in_markdown([head, *map(fact, document["facts"])]))
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def curves(points: Sequence[dict[str, Any]]) -> Iterator[str]:
    for axis in dict.fromkeys(point["axis"] for point in points):
        mine = [point for point in points if point["axis"] == axis]
        names = list(mine[0]["row"]["contenders"])
        rows = [[str(point["at"]), *(ms(per_image(point, name)) for name in names)] for point in mine]
        yield "\n" + in_markdown([[axis, *names], *rows])


def fact(entry: dict[str, Any]) -> list[str]:
    digits = 2 if entry["unit"] == "s" else 0
    limit = "" if entry["bar"] is None else f"at most {entry['bar']:.0f}: {'met' if entry['met'] else '**MISSED**'}"
    return [entry["what"], f"{entry['value']:.{digits}f} {entry['unit']}", limit, entry["note"]]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.results", description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, metavar="RUN.json", help="what `python -m benchmarks --json` wrote")
    document = json.loads(parser.parse_args(arguments).run.read_text(encoding="utf-8"))
    of_gpu = document.get("kind") == "gpu"
    if document["quick"]:
        print("A quick run: its figures mean nothing and are not written.", file=sys.stderr)
        return 1
    if of_gpu:
        from .gpu import text as table_of_gpu  # which needs torch

        for path in (RESULTS, README):
            page = path.read_text(encoding="utf-8")
            path.write_text(GPU.sub(lambda _: f"\n{table_of_gpu(document)}\n", page), encoding="utf-8")
        print(f"Written: the GPU's table in {RESULTS.relative_to(ROOT)} and {README.relative_to(ROOT)}.")
        return 0
    kept = GPU_SECTION.search(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else None
    RESULTS.write_text(results(document) + (f"\n{kept[0]}" if kept else ""), encoding="utf-8")
    if document.get("zoo"):
        draw_zoo(ZOO, document)
    text = README.read_text(encoding="utf-8")
    README.write_text(BLOCK.sub(lambda _: f"\n{short(document)}", text), encoding="utf-8")
    print(f"Written: {RESULTS.relative_to(ROOT)}, and the table in {README.relative_to(ROOT)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
