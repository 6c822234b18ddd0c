"""The flags of `python -m minicnn.train`."""

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..command import checked, whole_number
from ..kernels import get_backend
from ..kernels.threads import MOST
from ..saved import checkpoints
from ..tasks import TASKS
from ..tasks.painting import MOST_LATENT

# What decides the result; a training that is resumed keeps all of it, and may get other epochs, or find its data elsewhere.
DECISIVE = (
    *("task", "batch_size", "lr", "latent_dim", "seed", "train_size", "val_size", "shuffle"),
    *("backend", "dtype", "device", "tf32", "threads"),
)
CHANGEABLE = ("epochs", "data")


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """The flags' values; those that were not given are the task's, or those of the training that is resumed."""
    args = parser.parse_args(arguments)
    checkpoint = None
    if args.resume is not None:
        if args.out is not None:
            parser.error("--resume goes on in the folder it names; leave out --out.")
        try:
            checkpoint = load(args.resume)
        except (OSError, ValueError) as error:
            parser.error(str(error))
        begun = as_flags(checkpoint.config)
        before, args = parser.parse_args(begun), parser.parse_args([*begun, *(arguments or sys.argv[1:])])
        for name in DECISIVE:
            was, now = getattr(before, name), getattr(args, name)
            if was != now and (name, args.backend) != ("threads", "numba"):  # which gives the same bits for any number
                flag = f"--{name.replace('_', '-')}"
                parser.error(
                    f"{flag}: {args.resume} was begun with {was}, not {now}; to change it begin a new training."
                )
        if args.epochs is not None and len(checkpoint.history) > args.epochs:
            parser.error(
                f"--epochs {args.epochs}: {args.resume} has finished {len(checkpoint.history)} epochs already."
            )
    defaults = TASKS[args.task].defaults
    for name, value in defaults.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    if "latent_dim" not in defaults:
        if args.latent_dim is not None:
            parser.error(f"--latent-dim belongs to --task generator; the task {args.task} has no latent space.")
        del args.latent_dim
    args.checkpoint = checkpoint
    return args


def load(folder: Path) -> checkpoints.Checkpoint:
    """The checkpoint of a run folder."""
    path = folder / "checkpoint.safetensors"
    if not path.is_file():
        if (folder / "config.json").is_file():
            raise FileNotFoundError(
                f"--resume {folder}: its training was stopped before it kept anything; remove the folder and begin anew."
            )
        raise FileNotFoundError(f"--resume {folder}: there is no {path.name} in it; name the folder of a training.")
    return checkpoints.load(path)


def as_flags(config: Mapping[str, Any]) -> list[str]:
    """A configuration as it would be typed, so that it is checked like anything that is typed."""
    words = []
    for name in (*DECISIVE, *CHANGEABLE):
        value, flag = config.get(name), f"--{name.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif value not in (None, False) and (name, value) != ("device", "numpy"):
            words.append(f"{flag}={value}")  # in one word: a folder's name may begin with -
    return words


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
  python -m minicnn.train --resume runs/simplecnn-seed0 --epochs 20
  python -m minicnn.train --data data/mnist --train-size 60000 --val-size 10000 --shuffle""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    count = {"type": whole_number(1), "metavar": "N"}
    seed = {"type": whole_number(0), "metavar": "N"}
    threads = {"type": whole_number(1, MOST), "metavar": "N"}
    latent = {"type": whole_number(1, MOST_LATENT), "metavar": "N"}
    rate = {"type": checked(float, lambda x: 0 < x < math.inf, "a finite number above 0"), "metavar": "RATE"}
    share = {"type": checked(float, lambda x: 0 <= x <= 1, "a share from 0 to 1, such as 0.95"), "metavar": "SHARE"}
    folder = {"type": Path, "metavar": "DIR"}

    def add(flag: str, help: str, **settings: Any) -> None:
        default = "" if settings.get("default") is None else " (default: %(default)s)"
        parser.add_argument(flag, help=help + default, **settings)

    add("--task", "what to learn: digits, parity or generator", default="digits", choices=TASKS, metavar="NAME")
    add("--epochs", f"passes over the training images {of_tasks('epochs')}", **count)
    add("--batch-size", f"images per step {of_tasks('batch_size')}", **count)
    add("--lr", f"learning rate of Adam {of_tasks('lr')}", **rate)
    add("--latent-dim", f"numbers that a picture is made of {of_tasks('latent_dim')}", **latent)
    add("--seed", "decides the initial weights and the shuffling", default=0, **seed)
    add(
        "--backend",
        "kernel set that does the arithmetic: numba, numpy or torch",
        default=get_backend(),
        metavar="NAME",
    )
    add(
        "--device",
        "with --backend torch: auto, cpu, cuda or mps (default: auto, a GPU when there is one)",
        metavar="NAME",
    )
    add("--tf32", "let an NVIDIA GPU round factors to 10 bits: faster, less exact", action="store_true")
    add("--dtype", "float32, or float64 to compare", default="float32", choices=("float32", "float64"), metavar="NAME")
    add("--threads", "CPU threads (default: as many as the backend takes)", **threads)
    add("--data", "folder with MNIST's IDX files (default: the bundled subset)", **folder)
    add("--train-size", "learn from the first N training images", default=5000, **count)
    add("--val-size", "validate on the first N test images", default=1000, **count)
    add("--shuffle", "draw a new order of the training images each epoch", action="store_true")
    add("--out", "run folder, new or empty (default: a new one in runs/)", **folder)
    add("--resume", "go on with the training in this run folder, to the same bits as without the stop", **folder)
    add(
        "--allow-nan",
        "go on when the loss is no longer a finite number (else looked at after each step; on a GPU, which"
        " would have to wait for that, after each epoch)",
        action="store_true",
    )
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
