"""`python -m benchmarks seeds N`: how far apart the accuracies of N seeds lie, minicnn's and
the notebook's.

A seed draws the first weights, the same for both, bit for bit; both see the same batches.
So two trainings of one seed differ in rounding alone, which training magnifies. Two seeds
differ in everything else, too.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from minicnn import table
from minicnn.command import Parser, new_file, whole_number
from minicnn.kernels.threads import cores

from . import contenders, machine, report
from .agreement import Disagreement
from .curve import Plan, follow_minicnn, follow_reference

N = 20  # about ten seconds each, on two cores
PLAN = Plan(epochs=10, seeds=N, train_size=5000, val_size=1000)
QUICK = Plan(epochs=1, seeds=2, train_size=256, val_size=64)


class Seed(NamedTuple):
    """The validation accuracy after the last epoch."""

    seed: int
    minicnn: float
    reference: float

    @property
    def difference(self) -> float:
        return self.minicnn - self.reference


def trained(plan: Plan, backend: str) -> Iterator[Seed]:
    """Each seed from 0 on, as soon as it is trained. Raises Disagreement if the first
    weights differ.
    """
    for seed in range(plan.seeds):
        ours = follow_minicnn(plan, seed, "float32", backend)
        theirs = follow_reference(plan, seed, "float32")
        for name, weight in theirs.weights.items():
            if ours.weights[name].tobytes() != weight.tobytes():
                raise Disagreement(f"Seed {seed} gives {name} other bits than torch's.")
        yield Seed(seed, ours.epochs[-1].val_accuracy, theirs.epochs[-1].val_accuracy)


HEAD = ("seed", "minicnn", "reference", "difference")


def line(one: Seed) -> str:
    figures = f"{one.minicnn:.4f}", f"{one.reference:.4f}", f"{one.difference:+.4f}"
    return table.lines([(str(one.seed), *figures)], ">>>>", tuple(map(len, HEAD)))[0]


def spread(found: Sequence[Seed]) -> list[tuple[str, ...]]:
    """Mean, standard deviation (of the sample) and range of each side, and of the
    difference within a seed.
    """
    rows: list[tuple[str, ...]] = [("validation accuracy", "mean", "sd", "least", "most")]
    for name, values in (
        ("minicnn", [one.minicnn for one in found]),
        ("reference", [one.reference for one in found]),
        ("difference within a seed", [one.difference for one in found]),
    ):
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        figures = statistics.mean(values), deviation, min(values), max(values)
        rows.append((name, *(f"{round(figure, 4) + 0.0:.4f}" for figure in figures)))  # never -0.0000
    return rows


def about(plan: Plan) -> str:
    return (
        f"{plan.seeds} seeds, {plan.epochs} epoch{'s' * (plan.epochs > 1)} of {plan.train_size:,} images,"
        f" the course's settings; validated on {plan.val_size:,}."
    )


def run(plan: Plan, threads: int) -> list[Seed]:
    """Train them, and print each and the spread."""
    machine.set_threads(threads)
    print(f"{report.section('seeds', about(plan))}\n\n{table.lines([HEAD], '>>>>')[0]}", flush=True)
    found = []
    for one in trained(plan, contenders.judged_set()):
        found.append(one)
        print(line(one), flush=True)
    print("\n" + "\n".join(table.lines(spread(found), "<>>>>")), flush=True)
    return found


def document(plan: Plan, found: Sequence[Seed]) -> dict[str, Any]:
    return {"plan": plan._asdict(), "accuracies": [one._asdict() for one in found]}


def main(arguments: Sequence[str]) -> int:
    args = make_parser().parse_args(arguments)
    plan = QUICK if args.quick else PLAN._replace(epochs=args.epochs)
    if args.seeds is not None:
        plan = plan._replace(seeds=args.seeds)
    described = machine.describe(args.threads, ["seeds", *arguments])
    print(report.header(described), flush=True)
    try:
        found = run(plan, args.threads)
    except Disagreement as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    if args.json:
        told = {"machine": described, "quick": args.quick, "seeds": document(plan, found)}
        args.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 0


def make_parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m benchmarks seeds", description=__doc__)
    parser.add_argument(
        "seeds", nargs="?", type=whole_number(1), metavar="N", help=f"the seeds 0 to N - 1 ({N}; quick: 2)"
    )
    parser.add_argument("--epochs", default=10, type=whole_number(1), metavar="N", help="of each seed (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="does it run? one epoch of a few images")
    parser.add_argument("--threads", default=cores(), type=whole_number(1), metavar="N", help="for both (all cores)")
    parser.add_argument("--json", type=new_file, metavar="FILE", help="write the accuracy of each seed")
    return parser
