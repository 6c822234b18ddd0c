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

from minicnn import table
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
    "profile": Session.profile,
    "seeds": Session.seeds,
    "cold": Session.cold,
    "zoo": Session.zoo,
}
SLOW = "zoo"  # twenty minutes: only when asked for, or quickly

# Commands that go alone, because they have flags of their own: what they say of themselves.
ALONE = {
    "results": ("results", "measures everything, or parts, and writes benchmarks/RESULTS.md"),
    "layer": ("layer", "a layer of yours"),
    "seeds": ("seeds", "how far apart the accuracies of N seeds lie"),
    "profile": ("profile", "where a step's time goes, layer by layer, in each kernel set"),
    "curve": ("curve", "do both learn the same?"),
    "networks": ("networks", "the networks that people bring, ten steps of each"),
    "gpu": ("gpu", "on an NVIDIA GPU"),
    "peers": ("peers.command", "what a dozen other libraries compute"),
    "runtimes": ("runtimes.command", "exported layers in the programs that read ONNX"),
    "int8": ("runtimes.int8", "a trained network in 8-bit integers"),
    "pictures": ("pictures.command", "a trained network on pictures of each kind"),
}
WITHOUT_TORCH = ("results", "pictures", "runtimes", "int8")


def main(arguments: Sequence[str] | None = None) -> int:
    command = list(sys.argv[1:] if arguments is None else arguments)
    if command and command[0] in ALONE:
        name, _ = ALONE[command[0]]
        if command[0] not in WITHOUT_TORCH:
            demand_torch()
        return importlib.import_module(f"{__package__}.{name}").main(command[1:])
    args = make_parser().parse_args(command)
    demand_torch()
    session = Session(args, command)
    status = 0
    try:
        session.start()
        for name in args.command or [name for name in COMMANDS if name != SLOW or args.quick]:
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
        epilog="These go first and alone, and have their own --help:\n\n"
        + "\n".join(table.lines([(f"  {name}", about) for name, (_, about) in ALONE.items()], "<<")),
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
    if text in ALONE and text not in COMMANDS:
        raise argparse.ArgumentTypeError(f"{text} goes first and alone: python -m benchmarks {text} --help")
    if text not in COMMANDS:
        raise argparse.ArgumentTypeError(f"there is no {text!r}; there are {', '.join([*COMMANDS, *ALONE])}")
    return text


if __name__ == "__main__":
    sys.exit(main())
