"""`python -m benchmarks`: how fast minicnn is beside torch on the same CPU.

All contenders get the same number of threads.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from minicnn.command import new_file, whole_number
from minicnn.kernels.threads import cores

from . import machine, report, work
from .agreement import Disagreement
from .cold import cold
from .contenders import contenders
from .measure import Plan, measure


class Session:
    """One run: measures, prints as it goes, and collects what --json and --plot want."""

    def __init__(self, args: argparse.Namespace, command: list[str]):
        self.quick = args.quick
        # Quickly on one: on a busy machine two of torch's threads wait a long time for
        # each other.
        self.threads = args.threads or (1 if args.quick else cores())
        self.plan = Plan.quick(args.repeats or 1) if args.quick else Plan(args.repeats or Plan.rounds)
        self.contenders = contenders(args.compile)
        self.peaks: dict[int, float] = {}
        self.document: dict[str, Any] = {"machine": machine.describe(self.threads, command)}
        self.document |= {"quick": args.quick, "results": [], "scale": [], "cold": []}

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


COMMANDS: dict[str, Callable[[Session], None]] = {
    "step": Session.step,
    "epoch": Session.epoch,
    "layers": Session.layers,
    "shapes": Session.shapes,
    "inference": Session.inference,
    "scale": Session.scale,
    "cold": Session.cold,
}


def say(text: str) -> None:
    print(text, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    command = list(sys.argv[1:] if arguments is None else arguments)
    if command[:1] == ["curve"]:  # nothing is timed there, so it has flags of its own
        demand_torch()
        from . import curve

        return curve.main(command[1:])
    if command[:1] == ["pictures"]:  # nor there
        from .pictures.command import main as pictures

        return pictures(command[1:])
    if command[:1] == ["peers"]:
        demand_torch()
        from .peers.command import main as peers

        return peers(command[1:])
    args = make_parser().parse_args(command)
    demand_torch()
    session = Session(args, command)
    status = 0
    try:
        session.start()
        for name in args.command or COMMANDS:
            COMMANDS[name](session)
    except Disagreement as error:
        print(f"\n{error}", file=sys.stderr)
        status = 1
    session.close()
    if args.json and not status:
        args.json.write_text(json.dumps(session.document, indent=1) + "\n", encoding="utf-8")
    if args.plot and not status:
        from .picture import draw

        draw(args.plot, session.document)
    return status


def demand_torch() -> None:
    """After the flags are read, so that `--help` answers without it."""
    try:
        importlib.import_module("torch")
    except ImportError:
        sys.exit("The benchmarks compare with torch: pip install 'minicnn[torch]'")


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="How fast minicnn is beside torch on the same CPU, with the same number of threads.",
        epilog="`python -m benchmarks curve` asks whether both learn the same, not how fast; it has its own --help.",
    )
    parser.add_argument(
        "command", nargs="*", metavar="NAME", help=f"{', '.join(COMMANDS)}; without a name all of them", type=a_command
    )
    parser.add_argument("--quick", action="store_true", help="does it run? a minute; its figures mean nothing")
    parser.add_argument("--threads", type=whole_number(1), metavar="N", help="for everybody (all cores)")
    parser.add_argument("--repeats", type=whole_number(1), metavar="N", help="rounds in which all take their turn")
    parser.add_argument("--compile", action="store_true", help="torch.compile takes part in step and inference")
    parser.add_argument("--json", type=new_file, metavar="FILE", help="write everything, each sample included")
    parser.add_argument("--plot", type=new_file, metavar="FILE", help="draw the ratios and the curves of scale")
    return parser


def a_command(text: str) -> str:
    if text == "curve":
        raise argparse.ArgumentTypeError("curve times nothing and goes alone: python -m benchmarks curve --help")
    if text not in COMMANDS:
        raise argparse.ArgumentTypeError(f"there is no {text!r}; there are {', '.join(COMMANDS)}")
    return text


if __name__ == "__main__":
    sys.exit(main())
