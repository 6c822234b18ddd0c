"""The flags of `python -m minicnn.train`, and how each value is read or refused."""

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .kernels import get_backend
from .tasks import TASKS


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """The flags' values; those that were not given are the task's."""
    args = parser.parse_args(arguments)
    defaults = TASKS[args.task].defaults
    for name, value in defaults.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    if "latent_dim" not in defaults:
        if args.latent_dim is not None:
            parser.error(f"--latent-dim belongs to --task generator; the task {args.task} has no latent space.")
        del args.latent_dim
    return args


def make_parser() -> argparse.ArgumentParser:
    tasks = "\n".join(f"  {task.name:11}{task.question}" for task in TASKS.values())
    parser = argparse.ArgumentParser(
        prog="python -m minicnn.train",
        usage="%(prog)s [options]",
        description="Train the course's SimpleCNN, or one of its exercises, on handwritten digits and show what it learnt.",
        epilog=f"""tasks:
{tasks}

examples:
  python -m minicnn.train                                   the course's training
  python -m minicnn.train --epochs 1 --train-size 1000      a quick look
  python -m minicnn.train --task generator                  paint the digits in colour
  python -m minicnn.train --data data/mnist --train-size 60000 --val-size 10000 --shuffle""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    count = checked("N", int, lambda n: n >= 1, "a whole number of at least 1")
    seed = checked("N", int, lambda n: n >= 0, "a whole number of at least 0")
    threads = checked("N", int, lambda n: 1 <= n <= 1024, "a whole number from 1 to 1024")
    rate = checked("RATE", float, lambda x: 0 < x < math.inf, "a finite number above 0")
    share = checked("SHARE", float, lambda x: 0 <= x <= 1, "a share from 0 to 1, such as 0.95")
    folder = {"type": Path, "metavar": "DIR"}

    def add(flag: str, help: str, **settings: Any) -> None:
        default = "" if settings.get("default") is None else " (default: %(default)s)"
        parser.add_argument(flag, help=help + default, **settings)

    add("--task", "what to learn: digits, parity or generator", default="digits", choices=TASKS, metavar="NAME")
    add("--epochs", f"passes over the training images {of_tasks('epochs')}", **count)
    add("--batch-size", f"images per step {of_tasks('batch_size')}", **count)
    add("--lr", f"learning rate of Adam {of_tasks('lr')}", **rate)
    add("--latent-dim", f"numbers that a picture is made of {of_tasks('latent_dim')}", **count)
    add("--seed", "decides the initial weights and the shuffling", default=0, **seed)
    add(
        "--backend",
        "kernel set that does the arithmetic: numba or numpy",
        default=get_backend(),
        metavar="NAME",
    )
    add("--threads", "CPU threads (default: as many as the backend takes)", **threads)
    add("--data", "folder with MNIST's IDX files (default: the bundled subset)", **folder)
    add("--train-size", "learn from the first N training images", default=5000, **count)
    add("--val-size", "validate on the first N test images", default=1000, **count)
    add("--shuffle", "draw a new order of the training images each epoch", action="store_true")
    add("--out", "run folder, new or empty (default: a new one in runs/)", **folder)
    add("--no-plots", "draw no pictures", action="store_true")
    add("--quiet", "print the line after each epoch and nothing else", action="store_true")
    add("--target-accuracy", "exit with status 1 if the final validation accuracy is lower", **share)
    return parser


def of_tasks(name: str) -> str:
    """The tasks' defaults for a flag: that of digits, then those that differ."""
    defaults = {task.name: task.defaults[name] for task in TASKS.values() if name in task.defaults}
    usual = defaults.get("digits")
    others = [f"({task}: {value})" for task, value in defaults.items() if value != usual]
    return " ".join([f"(default: {usual})"] * (usual is not None) + others)


def checked(metavar: str, convert: Callable, fits: Callable[[Any], bool], expected: str) -> dict[str, Any]:
    """What argparse wants to know of a value: its name, and how to read it or refuse it clearly."""

    def parse(text: str) -> Any:
        try:
            if fits(value := convert(text)):
                return value
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")

    return {"type": parse, "metavar": metavar}
