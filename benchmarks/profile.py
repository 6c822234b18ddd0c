"""`python -m benchmarks profile`: where the time of a training step goes, layer by layer, in
each kernel set. `benchmarks/inside.py` says how it is measured.
"""

import argparse
import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from minicnn import kernels, table
from minicnn.command import Parser, new_file, whole_number
from minicnn.kernels.threads import cores

from . import inside, machine, report
from .work import Step

STEPS = {"numpy": 20, "numba": 200, "torch": 100}
ALIGN = "<<>>>>><"
HEAD = ("", "pass", "ms", "of the step", "kernels, ms", "Python, ms", "calls", "kernels")


def profile(backend: str, N: int = 64, quick: bool = False) -> dict[str, Any]:
    """The rows of one set: a row for each layer and pass, then the rest."""
    clocks = inside.mean(inside.steps(backend, Step(N), count=2 if quick else STEPS[backend]))
    rows = []
    unnamed: list[str] = []
    rest = inside.Part(seconds=clocks.rest)
    for (who, which), part in clocks.parts.items():
        if part.calls or (which in ("forward", "backward") and not holds_others(who)):
            rows.append(row(who, which, part, clocks.whole))
        else:
            rest.seconds += part.seconds
            unnamed.append(f"{who}'s {which}" if which not in ("forward", "backward") else who)
    rows.append(row("the rest", "", rest, clocks.whole))
    return {
        "backend": backend,
        "batch": N,
        "rows": rows,
        "the rest": ["the loop", *dict.fromkeys(unnamed)],
        "ms": 1e3 * clocks.whole,
        "kernels_ms": 1e3 * clocks.in_kernels,
        "compiled_ms": 1e3 * clocks.compiled if backend == "numba" else None,
        "python": inside.share_of_python(backend, clocks),
    }


def holds_others(who: str) -> bool:
    """Whether it is a network, a Sequential or a block, whose own part is to call others."""
    return who.split()[-1] in ("SimpleCNN", "Sequential") or " to " in who


def row(who: str, which: str, part: inside.Part, whole: float) -> dict[str, Any]:
    return {
        "who": who,
        "pass": which,
        "ms": 1e3 * part.seconds,
        "share": part.seconds / whole,
        "kernels_ms": 1e3 * part.in_kernels,
        "calls": dict(part.calls),
    }


def rows_of(found: dict[str, Any]) -> list[tuple[str, ...]]:
    """The table, head and sum included."""
    rows: list[tuple[str, ...]] = [HEAD]
    for one in found["rows"]:
        names = ", ".join(name if n == 1 else f"{n} x {name}" for name, n in one["calls"].items())
        rows.append((one["who"], one["pass"], *figures(one), names))
    calls = sum(sum(one["calls"].values()) for one in found["rows"])
    total = {"ms": found["ms"], "share": 1, "kernels_ms": found["kernels_ms"], "calls": {"": calls}}
    return [*rows, ("the step", "", *figures(total), "")]


def figures(one: dict[str, Any]) -> tuple[str, ...]:
    calls = sum(one["calls"].values())
    python = one["ms"] - one["kernels_ms"]
    return f"{one['ms']:.3f}", f"{one['share']:.1%}", f"{one['kernels_ms']:.3f}", f"{python:.3f}", str(calls)


def notes(found: dict[str, Any]) -> Iterator[str]:
    """What the table does not say by itself."""
    rest = f"The rest is what these do themselves: {', '.join(found['the rest'])}."
    yield textwrap.fill(rest, report.WIDTH)
    if found["compiled_ms"] is not None:
        inside_kernels = found["kernels_ms"] - found["compiled_ms"]
        yield (
            f"Of the {found['kernels_ms']:.3f} ms in kernels {found['compiled_ms']:.3f} are compiled code;"
            f" {inside_kernels:.3f} are Python that prepares it."
        )
    yield f"Python's share of the step is {found['python']:.1%}."


def about(found: dict[str, Any], threads: int) -> str:
    return (
        f"Kernel set {found['backend']}: a training step of the course's network, batch {found['batch']},"
        f" {threads} thread{'s' * (threads > 1)}."
    )


def run(backends: Sequence[str], threads: int, N: int = 64, quick: bool = False) -> list[dict[str, Any]]:
    """Measure and print each set."""
    machine.set_threads(threads)
    every = []
    print(report.section("profile", "Where a training step's time goes: the mean of its quicker half of runs."))
    for backend in backends:
        found = profile(backend, N, quick)
        every.append(found)
        text = [about(found, threads), "", *table.lines(rows_of(found), ALIGN), "", *notes(found)]
        print("\n" + "\n".join(text), flush=True)
    return every


def main(arguments: Sequence[str]) -> int:
    args = make_parser().parse_args(arguments)
    described = machine.describe(args.threads, ["profile", *arguments])
    print(report.header(described), flush=True)
    found = run(args.backend, args.threads, args.batch_size, args.quick)
    if args.json:
        told = {"machine": described, "quick": args.quick, "profile": found}
        args.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 0


def make_parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m benchmarks profile", description=__doc__)
    number = {"type": whole_number(1), "metavar": "N"}
    parser.add_argument(
        "--backend",
        nargs="+",
        choices=tuple(kernels.SETS),
        default=list(kernels.SETS),
        help="kernel sets, torch's on the CPU (all)",
    )
    parser.add_argument("--batch-size", default=64, help="images in a batch (%(default)s)", **number)
    parser.add_argument("--threads", default=cores(), help="for all (all cores)", **number)
    parser.add_argument("--quick", action="store_true", help="does it run? two steps of each")
    parser.add_argument("--json", type=new_file, metavar="FILE", help="write the figures")
    return parser
