"""One run of the benchmarks: it measures, prints as it goes, and collects what --json and
--plot want.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from minicnn.kernels.threads import cores

from . import machine, report, work
from .cold import cold
from .contenders import contenders
from .measure import Plan, measure


def say(text: str) -> None:
    print(text, flush=True)


class Session:
    """`args` are the flags that all commands share; `command` is what was typed."""

    def __init__(self, args: argparse.Namespace, command: list[str]):
        self.quick = args.quick
        self.repeats = args.repeats
        # Quickly on one: on a busy machine two of torch's threads wait a long time for
        # each other.
        self.threads = args.threads or (1 if args.quick else cores())
        self.plan = Plan.quick(args.repeats or 1) if args.quick else Plan(args.repeats or Plan.rounds)
        self.contenders = contenders(args.compile)
        self.peaks: dict[int, float] = {}
        self.document: dict[str, Any] = {"machine": machine.describe(self.threads, command)}
        self.document |= {"quick": args.quick, "results": [], "scale": [], "cold": [], "zoo": []}

    def start(self) -> None:
        self.others = machine.Others()
        for n in sorted({1, self.threads}):
            machine.set_threads(n)
            found = machine.matrix_product_peak(*((768, 4) if self.quick else ()))
            self.peaks[n] = max([found, *self.peaks.values()])  # on a busy machine one thread may do better than two
        self.document["peak_multiply_adds_per_second"] = {str(n): peak for n, peak in self.peaks.items()}
        say(f"{report.header(self.document['machine'])}\n{report.peaks(self.peaks)}")

    def measure(self, one: work.Work, command: str, threads: int | None = None) -> dict[str, Any]:
        threads = threads or self.threads
        return {"command": command, **measure(one, self.contenders, threads, self.peaks[threads], self.plan)}

    def table(self, command: str, about: str, works: Sequence[work.Work], threads: Sequence[int] = ()) -> None:
        say(f"{report.section(command, about)}\n\n{report.table_line(*report.HEAD)}")
        for one in works:
            for n in threads or [self.threads]:
                self.document["results"].append(row := self.measure(one, command, n))
                say(report.result(row))

    # --------------------------------------------------------------------- the commands

    def step(self) -> None:
        self.table("step", "One training step of the course's network.", [work.Step(64, work.STEP)])

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
        works = [
            work.Inference(N, work.INFERENCE, name=f"inference {N}") for N in (1, 64, 1000)[: 2 if self.quick else 3]
        ]
        self.table("inference", "The trained network's use: torch under no_grad, all in eval().", works)

    def scale(self) -> None:
        say(
            report.section(
                "scale", "What an image costs: a training step, then one convolution's forward plus backward."
            )
        )
        axes: dict[str, list[dict[str, Any]]] = {}
        for axis, at, one in work.scale(self.quick):
            images = one.shape[0] if isinstance(one, work.Layer) else one.N
            point = {"axis": axis, "at": at, "images": images, "row": self.measure(one, "scale")}
            axes.setdefault(axis, []).append(point)
            self.document["scale"].append(point)
        for points in axes.values():
            say("\n".join(report.curve(points)))

    def zoo(self) -> None:
        from .zoo import report as told  # here: it needs torch
        from .zoo.networks import ZOO
        from .zoo.run import rows
        from .zoo.turns import Plan as Turns

        about = "Layers of well-known networks beside torch eager; a ratio for each pass, and for both together."
        about += "\nQuick: every third of them, one image each." if self.quick else ""
        say(f"{report.section('zoo', about)}\n\n{told.line(*told.HEAD)}")
        plan = Turns.quick() if self.quick else Turns(rounds=self.repeats or Turns().rounds)
        threads = [self.threads] if self.quick else sorted({1, self.threads})
        for member in ZOO[::3] if self.quick else ZOO:
            for row in rows(member, self.contenders, threads, plan, self.quick):
                self.document["zoo"].append(row)
                say(told.measured(row))
        say("\n".join(told.printed(self.document["zoo"])))

    def cold(self) -> None:
        if self.quick:
            return say(report.section("cold", "Skipped: fresh processes take longer than a quick run may."))
        say(report.section("cold", "Fresh processes: what a user waits for, and the memory it takes.") + "\n")
        for fact in cold(self.threads):
            self.document["cold"].append(fact)
            say(report.fact(fact))

    def close(self) -> None:
        self.document["machine"]["others"] = self.others.used()
        for lines in (report.bars(self.document["results"]), report.first_calls(self.document["results"])):
            for line in lines:
                say(line)
        if (doubt := report.doubts(self.document)) is not None:
            say(f"\n{doubt}")
