"""`python -m benchmarks`: how fast minicnn is beside torch on the same CPU.

All contenders get the same number of threads.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from minicnn.command import new_file, whole_number

from .agreement import Disagreement
from .session import Session

COMMANDS: dict[str, Callable[[Session], None]] = {
    "step": Session.step,
    "epoch": Session.epoch,
    "layers": Session.layers,
    "shapes": Session.shapes,
    "inference": Session.inference,
    "scale": Session.scale,
    "cold": Session.cold,
    "zoo": Session.zoo,
}
ALL = [name for name in COMMANDS if name != "zoo"]  # twenty minutes: only when asked for


def main(arguments: Sequence[str] | None = None) -> int:
    command = list(sys.argv[1:] if arguments is None else arguments)
    if command[:1] == ["curve"]:  # nothing is timed there, so it has flags of its own
        demand_torch()
        from . import curve

        return curve.main(command[1:])
    if command[:1] == ["layer"]:  # one work, given by a flag
        demand_torch()
        from . import layer

        return layer.main(command[1:])
    if command[:1] == ["pictures"]:  # nothing is timed there either
        from .pictures.command import main as pictures

        return pictures(command[1:])
    if command[:1] == ["networks"]:
        demand_torch()
        from . import networks

        return networks.main(command[1:])
    if command[:1] == ["peers"]:
        demand_torch()
        from .peers.command import main as peers

        return peers(command[1:])
    if command[:1] == ["int8"]:
        from .runtimes.int8 import main as int8

        return int8(command[1:])
    if command[:1] == ["runtimes"]:
        from .runtimes.command import main as runtimes

        return runtimes(command[1:])
    if command[:1] == ["gpu"]:
        demand_torch()
        from . import gpu

        return gpu.main(command[1:])
    args = make_parser().parse_args(command)
    demand_torch()
    session = Session(args, command)
    status = 0
    try:
        session.start()
        for name in args.command or ALL:
            COMMANDS[name](session)
    except Disagreement as error:
        print(f"\n{error}", file=sys.stderr)
        status = 1
    session.close()
    if args.json and not status:
        args.json.write_text(json.dumps(session.document, indent=1) + "\n", encoding="utf-8")
    if args.plot and not status:
        plot(args.plot, session.document)
    return status


def plot(path: Path, document: dict[str, Any]) -> None:
    """The zoo has a picture of its own, when nothing else was measured."""
    if document["zoo"] and not document["results"] and not document["scale"]:
        from .zoo.picture import draw
    else:
        from .picture import draw
    draw(path, document)


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
        epilog="`python -m benchmarks layer` times a layer of yours; `python -m benchmarks curve` asks whether "
        "both learn the same, not how fast; `python -m benchmarks gpu` measures on an NVIDIA GPU. Each has its own "
        "--help.",
    )
    parser.add_argument(
        "command", nargs="*", metavar="NAME", help=f"{', '.join(COMMANDS)}; without a name all but zoo", type=a_command
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
    if text == "layer":
        raise argparse.ArgumentTypeError("layer goes first and alone: python -m benchmarks layer --help")
    if text not in COMMANDS:
        raise argparse.ArgumentTypeError(f"there is no {text!r}; there are {', '.join(COMMANDS)}")
    return text


if __name__ == "__main__":
    sys.exit(main())
