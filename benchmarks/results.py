"""Measures, and writes benchmarks/RESULTS.md and the README's short table.

`python -m benchmarks results` measures everything, the zoo included: half an hour on a
quiet machine. With --only it measures a few parts anew; the other sections stay as they are,
each with its own day and processor. With RUN.json it measures nothing and writes what
`python -m benchmarks ... --json RUN.json` has measured.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from minicnn.command import Parser, whole_number

from . import sections
from .work import EAGER, OURS, RUNTIME, TUNED
from .zoo.picture import draw as draw_zoo

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
ZOO = ROOT / "benchmarks" / sections.ZOO_PICTURE
README = ROOT / "README.md"
ROUNDS = 7
# The README's rows: section, work, threads (None: the most that it has).
SHORT = (
    ("step", "training step", None),
    ("step", "step, no rest", None),
    ("epoch", "epoch", None),
    ("inference", "inference 1", None),
    ("inference", "inference 64", None),
    ("inference", "inference 1000", None),
    ("layers", "conv2, pooled grad", 1),
    ("shapes", "depthwise", None),
)
COLUMNS = ("work", "threads", EAGER, TUNED, OURS, f"/ {EAGER}", f"/ {TUNED}", f"/ {RUNTIME}")
NOTHING = "Not yet measured for this version."
BLOCK = re.compile(r"(?<=<!-- from benchmarks/RESULTS.md -->\n).*?(?=<!-- to here -->)", re.DOTALL)
# The GPU's table, which `python -m benchmarks gpu` measures, stands in both files.
GPU = re.compile(r"(?<=<!-- from python -m benchmarks gpu -->\n).*?(?=<!-- to here -->)", re.DOTALL)
HOW_TO_READ = f"""## How to read it

Times are in milliseconds, medians of all samples. All contenders take turns in rounds. A ratio
says how many times as long {OURS} takes as the other: the median of the ratios within each
round, then their quartiles. `At most` is the limit that this project sets itself, `aim` what it
works towards; a ratio over its limit is printed in bold. Results are compared before anything is
timed.

"Eager" is torch as the course writes it; "tuned" is torch with channels_last and a fused Adam.
"The faster runtime" is ONNX Runtime or OpenVINO, in each round whichever took less. "Of peak"
counts the multiply-adds that the definition asks for, against the best matrix product found; it
exceeds 100 % where zeros of a gradient were skipped. A layer is timed forward plus backward. A
"pooled grad" is a gradient as it leaves ReLU and pooling: 17 % of it is not zero.
"""


def short(found: Mapping[str, str]) -> str:
    """What the README shows: some rows of the sections, and where each was measured."""
    rows = []
    origins: dict[str, list[str]] = {}
    for section, work, threads in SHORT:
        text = found.get(section, "")
        fitting = [row for row in sections.rows_of(text) if row.get("work") == work]
        if threads is not None:
            fitting = [row for row in fitting if row["threads"] == str(threads)]
        if fitting:
            last = max(fitting, key=lambda row: int(row["threads"]))
            rows.append([last.get(column, "") for column in COLUMNS])
            names = origins.setdefault("\n\n".join(origin(text)), [])
            names.append(section)
    if not rows:
        return NOTHING
    where = [f"{', '.join(dict.fromkeys(names))}: {text}" for text, names in origins.items()]
    stars = ["\\* RESULTS.md says why dividing the columns gives another ratio."] * any("*" in row[5] for row in rows)
    return "\n\n".join([sections.in_markdown([COLUMNS, *rows]).strip(), *stars, *where])


def origin(section: str) -> Iterator[str]:
    """The paragraphs before the first table: the command and the machine, and a doubt."""
    for paragraph in section.split("\n\n"):
        if paragraph.startswith(("`", "**")):
            yield paragraph
        else:
            return


def page(found: Mapping[str, str]) -> str:
    """The whole RESULTS.md."""
    parts = ["# Results\n\nWritten by `make results`; not edited by hand.\n", f"{short(found)}\n"]
    return "\n".join([*parts, HOW_TO_READ, sections.written(found)])


def write(document: Mapping[str, Any]) -> None:
    """The sections of the run in place of their old ones."""
    old = sections.read(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    found = {**old, **sections.of_run(document)}
    RESULTS.write_text(page(found), encoding="utf-8")
    if document["zoo"]:
        draw_zoo(ZOO, document)
    text = README.read_text(encoding="utf-8")
    README.write_text(BLOCK.sub(lambda _: f"\n{short(found)}\n\n", text), encoding="utf-8")


def write_gpu(document: Mapping[str, Any]) -> None:
    from .gpu import text as table_of_gpu  # which needs torch

    for path in (RESULTS, README):
        old = path.read_text(encoding="utf-8")
        path.write_text(GPU.sub(lambda _: f"\n{table_of_gpu(document)}\n", old), encoding="utf-8")


def measured(args: argparse.Namespace, arguments: Sequence[str]) -> dict[str, Any] | None:
    """The document of a new run; None after a disagreement, which has been told."""
    from .__main__ import COMMANDS, demand_torch
    from .agreement import Disagreement
    from .session import Session

    demand_torch()
    session = Session(args, ["results", *arguments], brief=True)
    try:
        session.start()
        for name in args.only or COMMANDS:
            started = time.perf_counter()
            COMMANDS[name](session)
            print(f"\n({name} took {time.perf_counter() - started:.0f} s)", flush=True)
    except Disagreement as error:
        print(f"\n{error}", file=sys.stderr)
        return None
    session.close()
    return session.document


def main(arguments: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    args = make_parser().parse_args(arguments)
    document = json.loads(args.run.read_text(encoding="utf-8")) if args.run else measured(args, arguments)
    if document is None:
        return 1
    if document["quick"]:
        print("A quick run: its figures mean nothing and are not written.", file=sys.stderr)
        return int(args.run is not None)
    if document.get("kind") == "gpu":
        write_gpu(document)
        print(f"Written: the GPU's table in {RESULTS.relative_to(ROOT)} and {README.relative_to(ROOT)}.")
        return 0
    write(document)
    print(f"Written: {RESULTS.relative_to(ROOT)}, and the table in {README.relative_to(ROOT)}.")
    return 0


def parts(text: str) -> list[str]:
    """ "step,inference" -> its names."""
    from .__main__ import COMMANDS

    names = text.split(",")
    unknown = [name for name in names if name not in COMMANDS]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no part {unknown[0]!r}; there are {', '.join(COMMANDS)}")
    return names


def make_parser() -> argparse.ArgumentParser:
    about, *more = __doc__.split("\n\n")
    parser = Parser(prog="python -m benchmarks results", description=about, epilog=" ".join(more))
    number = {"type": whole_number(1), "metavar": "N"}
    parser.add_argument("run", nargs="?", type=Path, metavar="RUN.json", help="measure nothing, write this run")
    parser.add_argument("--only", type=parts, metavar="PART,PART", help="as in --only step,inference (all)")
    parser.add_argument("--threads", help="for everybody (all cores)", **number)
    parser.add_argument("--repeats", default=ROUNDS, help="rounds in which all take their turn (%(default)s)", **number)
    parser.add_argument("--quick", action="store_true", help="does it run? nothing is written")
    parser.set_defaults(compile=False)
    return parser


if __name__ == "__main__":
    sys.exit(main())
