"""One run of the benchmarks: it measures, prints as it goes, and collects what --json and
--plot want.
"""

import argparse
import textwrap
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from minicnn import kernels, table
from minicnn.kernels.threads import cores

from . import avx2, contenders, inside, machine, profile, report, scale, work
from .cold import Fact, cold, fact, first_start
from .exported import left_out
from .measure import Plan, measure

SEEDS = 10  # in a run of everything: twelve seconds each


def say(text: str) -> None:
    print(text, flush=True)


class Session:
    """`args` are the flags that all commands share; `command` is what was typed; a brief
    session has shorter turns.
    """

    def __init__(self, args: argparse.Namespace, command: list[str], brief: bool = False):
        self.quick = args.quick
        self.repeats = args.repeats
        # Quickly on one: on a busy machine two of torch's threads wait a long time for
        # each other.
        self.threads = args.threads or (1 if args.quick else cores())
        plan = Plan(calls=6, turn=0.06, total=1.5) if brief else Plan()
        plan = replace(plan, rounds=args.repeats or Plan.rounds)
        self.plan = Plan.quick(rounds=1) if args.quick else plan
        self.contenders = contenders.contenders(args.compile)
        self.peaks: dict[int, float] = {}
        self.document: dict[str, Any] = {"machine": machine.describe(self.threads, command)}
        self.document |= {"quick": args.quick, "results": [], "facts": [], "scale": [], "zoo": []}
        self.document |= {"seeds": None, "profile": []}

    def start(self) -> None:
        self.others = machine.Others()
        for n in sorted({1, self.threads}):
            machine.set_threads(n)
            found = machine.matrix_product_peak(*((768, 4) if self.quick else ()))
            self.peaks[n] = max([found, *self.peaks.values()])  # on a busy machine one thread may do better than two
        self.document["peak_multiply_adds_per_second"] = {str(n): peak for n, peak in self.peaks.items()}
        say(f"{report.header(self.document['machine'])}\n{report.peaks(self.peaks)}")

    def measure(
        self,
        one: work.Work,
        command: str,
        threads: int | None = None,
        plan: Plan | None = None,
        without: Collection[str] = (),
    ) -> dict[str, Any]:
        threads = threads or self.threads
        taking = [contender for contender in self.contenders if contender.name not in without]
        found = measure(one, taking, threads, self.peaks[threads], plan or self.plan)
        return {"command": command, **found}

    def heading(self, command: str, about: str) -> None:
        say(f"{report.section(command, about)}\n\n{report.table_line(*report.HEAD)}")

    def table(self, command: str, about: str, works: Sequence[work.Work], threads: Sequence[int] = ()) -> None:
        self.heading(command, about)
        for one in works:
            for n in threads or [self.threads]:
                self.row(self.measure(one, command, n))

    def row(self, row: dict[str, Any]) -> None:
        self.document["results"].append(row)
        say(report.result(row))

    def fact(self, command: str, found: Fact) -> None:
        self.document["facts"].append({"command": command, **found})
        say(report.fact(found))

    # --------------------------------------------------------------------- the commands

    def step(self) -> None:
        """Rested and without a rest, on one thread, with AVX2 code only; then what of it
        is Python, and the first start.
        """
        about = f"The README's plain loop. Before each turn all rest for {self.plan.rest} s, or go on at once."
        self.heading("step", about)
        in_turns = work.Step(64, work.STEP_WITHOUT_REST, name="step, no rest")
        alone = work.Step(64, work.STEP_ON_ONE_THREAD)
        self.row(self.measure(work.Step(64, work.STEP), "step"))
        # After the textbook's turn NumPy's threads spin for 0.1 s, on somebody's core.
        no_rest = replace(self.plan, rest=0.0)
        self.row(self.measure(in_turns, "step", plan=no_rest, without={work.TEXTBOOK}))
        if not self.quick:
            self.row(self.measure(alone, "step", threads=1))
        if avx2.offered():
            self.row({"command": "step", **avx2.row(self.threads, self.repeats, self.quick)})
        else:
            say(f"\n{avx2.ABSENT}")
        say("")
        for found in self.python():
            self.fact("step", found)
        if not self.quick:
            self.fact("step", first_start(self.threads))

    def python(self) -> list[Fact]:
        """What of a step is Python, in percent; `inside` says how it is measured."""
        backend = contenders.judged_set()
        machine.set_threads(self.threads)
        clocks = inside.mean(inside.steps(backend, work.Step(64), count=2 if self.quick else 200))
        judged = work.PYTHON if self.plan.judged and backend == "numba" else {}
        outside = 100 * (1 - clocks.in_kernels / clocks.whole)
        return [
            fact(f"Python's share of a step, {backend}", 100 * inside.share_of_python(backend, clocks), "%", **judged),
            fact(f"outside of the kernels' functions, {backend}", outside, "%"),
        ]

    def epoch(self) -> None:
        sizes = {"train_size": 256, "val_size": 64} if self.quick else {}
        about = "One epoch of minicnn.train and of reference/: loader, metrics and validation included."
        self.table("epoch", about, [work.Epoch(64, work.EPOCH, **sizes)])

    def layers(self) -> None:
        N = 16 if self.quick else 64
        about = f"Each layer of the notebook on its shapes, forward plus backward, batch {N}."
        self.table("layers", about, work.notebook(N), [self.threads] if self.quick else sorted({1, self.threads}))

    def shapes(self) -> None:
        about = "Shapes from elsewhere, forward plus backward" + (", quick: one image each." if self.quick else ".")
        self.table("shapes", about, work.elsewhere(self.quick))

    def inference(self) -> None:
        works = [work.Inference(N, bars, name=f"inference {N}") for N, bars in work.INFERENCE.items()]
        about = "The trained network's use: torch under no_grad, all in eval(), float32."
        about += "".join(f"\n{sentence}" for sentence in left_out())
        self.table("inference", about, works[:2] if self.quick else works)

    def scale(self) -> None:
        about = "Cost against the batch, the image's side and the channels; a layer's is forward plus backward.\n"
        about += "The slope says how fast it grows: with 1 twice as much costs twice as much, with 2 four times."
        say(report.section("scale", about))
        taking_part = scale.taking_part(self.contenders)
        plan = replace(self.plan, rounds=min(self.plan.rounds, 5), calls=min(self.plan.calls, 5), turn=0.05, total=1.0)
        for what, axis, at, one in scale.works(self.quick):
            row = measure(one, taking_part, self.threads, self.peaks[self.threads], plan)
            self.document["scale"].append({"what": what, "axis": axis, "at": at, "row": row})
        points = self.document["scale"]
        for some in scale.curves(points).values():
            say("\n".join(scale.printed(some)))
        say("\n" + "\n".join(table.lines(scale.summary(points), "<<>><")))
        say("\n" + textwrap.fill(scale.verdict(points), report.WIDTH))

    def seeds(self) -> None:
        from . import seeds  # here: it needs torch

        plan = seeds.QUICK if self.quick else seeds.PLAN._replace(seeds=SEEDS)
        self.document["seeds"] = seeds.document(plan, seeds.run(plan, self.threads))

    def profile(self) -> None:
        sets = [one for one in kernels.SETS if one != "numba" or contenders.offered(one)]
        self.document["profile"] = profile.run(sets, self.threads, quick=self.quick)

    def zoo(self) -> None:
        from .zoo import report as told  # here: it needs torch
        from .zoo.networks import ZOO
        from .zoo.run import rows
        from .zoo.turns import Plan as Turns

        about = "Layers of well-known networks beside torch eager; a ratio for each pass, and for both together."
        about += "\nQuick: every twelfth of them, one image each." if self.quick else ""
        say(f"{report.section('zoo', about)}\n\n{told.line(*told.HEAD)}")
        plan = Turns.quick() if self.quick else Turns(rounds=self.repeats or Turns().rounds)
        threads = [self.threads] if self.quick else sorted({1, self.threads})
        for member in ZOO[::12] if self.quick else ZOO:
            for row in rows(member, self.contenders, threads, plan, self.quick):
                self.document["zoo"].append(row)
                say(told.measured(row))
        say("\n".join(told.printed(self.document["zoo"])))

    def cold(self) -> None:
        if self.quick:
            return say(report.section("cold", "Skipped: fresh processes take longer than a quick run may."))
        say(report.section("cold", "Fresh processes: what a user waits for, and the memory it takes.") + "\n")
        for found in cold(self.threads):
            self.fact("cold", found)

    def close(self) -> None:
        self.document["machine"]["others"] = self.others.used()
        rows = self.document["results"]
        for line in (*report.bars(rows, self.document["facts"]), *report.first_calls(rows)):
            say(line)
        if (doubt := report.doubts(self.document)) is not None:
            say(f"\n{doubt}")
