"""The settings of a training: one frozen object, and a flag of the command for each.

Read `Settings` first. Below it: how the flags become settings, and how a training that goes on
gets its own back.
"""

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_type_hints

from ..command import Parser, checked, one_of, whole_number
from ..kernels import get_backend
from ..kernels.threads import MOST
from ..saved import checkpoints
from ..tasks import TASKS


class Kind(NamedTuple):
    """Values that a setting may have."""

    read: Callable[[str], Any]  # from text, or argparse.ArgumentTypeError says what was expected
    metavar: str  # what the help calls them


TASK = Kind(one_of(*TASKS), "NAME")
NAME = Kind(str, "NAME")
DTYPE = Kind(one_of("float32", "float64"), "NAME")
WHOLE = Kind(checked(int, lambda n: True, "a whole number"), "N")
COUNT = Kind(whole_number(1), "N")
SEED = Kind(whole_number(0), "N")
THREADS = Kind(whole_number(1, MOST), "N")
RATE = Kind(checked(float, lambda x: 0 < x < math.inf, "a finite number above 0"), "RATE")
SHARE = Kind(checked(float, lambda x: 0 <= x <= 1, "a share from 0 to 1, such as 0.95"), "SHARE")
FOLDER = Kind(Path, "DIR")
PATH = Kind(Path, "PATH")
FILE = Kind(Path, "FILE")
SWITCH = Kind(lambda text: one_of("True", "False")(text) == "True", "")


class Flag(NamedTuple):
    """How a setting is given on the command line."""

    help: str
    kind: Kind = SWITCH


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a training is asked for. ValueError if two settings contradict each other."""

    # What is learnt, and how.
    task: Annotated[str, Flag("what to learn: digits, parity or generator", TASK)] = "digits"
    epochs: Annotated[int, Flag("passes over the training images", COUNT)]
    batch_size: Annotated[int, Flag("images per step", COUNT)]
    lr: Annotated[float, Flag("learning rate of Adam", RATE)]
    latent_dim: Annotated[int | None, Flag("numbers that a picture is made of", WHOLE)] = None
    seed: Annotated[int, Flag("decides the initial weights and the shuffling", SEED)] = 0
    weights: Annotated[
        Path | None, Flag("begin with the weights in this file or run folder (default: from the seed)", FILE)
    ] = None

    # What computes it.
    backend: Annotated[str, Flag("kernel set that does the arithmetic: numba, numpy or torch", NAME)] = field(
        default_factory=get_backend
    )
    device: Annotated[
        str | None,
        Flag("with --backend torch: auto, cpu, cuda or mps (default: auto, a GPU when there is one)", NAME),
    ] = None
    tf32: Annotated[bool, Flag("let an NVIDIA GPU round factors to 10 bits: faster, less exact")] = False
    deterministic: Annotated[
        bool, Flag("the same bits in every run on a GPU too: sums in a fixed order, which costs time there")
    ] = False
    no_graph: Annotated[bool, Flag("launch an NVIDIA GPU's kernels one by one, not a step at once as a CUDA graph")] = (
        False
    )
    dtype: Annotated[str, Flag("float32, or float64 to compare", DTYPE)] = "float32"
    threads: Annotated[int | None, Flag("CPU threads (default: as many as the backend takes)", THREADS)] = None

    # From which images.
    data: Annotated[
        Path | None,
        Flag("a data set: IDX files, .npz, .csv, folders of pictures ... (default: the bundled digits)", PATH),
    ] = None
    train_size: Annotated[
        int | None, Flag("learn from the first N training images (default: 5000, or all if there are fewer)", COUNT)
    ] = None
    val_size: Annotated[
        int | None, Flag("validate on the first N test images (default: 1000, or all if there are fewer)", COUNT)
    ] = None
    shuffle: Annotated[bool, Flag("draw a new order of the training images each epoch")] = False

    # Where it is kept, and what is shown.
    out: Annotated[Path | None, Flag("run folder, new or empty (default: a new one in runs/)", FOLDER)] = None
    resume: Annotated[
        Path | None,
        Flag(
            "go on with the training in this run folder, to the same bits as without the stop; --epochs, --lr and"
            " --data may be given anew",
            FOLDER,
        ),
    ] = None
    best: Annotated[bool, Flag("keep the weights of the best epoch too, in best.safetensors")] = False
    allow_nan: Annotated[
        bool,
        Flag(
            "go on when the loss is no longer a finite number (else looked at after each step; on a GPU, which would"
            " have to wait for that, after each epoch)"
        ),
    ] = False
    no_plots: Annotated[bool, Flag("draw no pictures")] = False
    quiet: Annotated[bool, Flag("print the line after each epoch and nothing else")] = False
    target_accuracy: Annotated[
        float | None, Flag("exit with status 1 if the final validation accuracy is lower", SHARE)
    ] = None

    def __post_init__(self) -> None:
        if self.latent_dim is not None and "latent_dim" not in TASKS[self.task].defaults:
            raise ValueError(f"--latent-dim belongs to --task generator; the task {self.task} has no latent space.")
        for name in ("device", "tf32", "deterministic", "no_graph"):
            if getattr(self, name) and self.backend != "torch":
                raise ValueError(
                    f"--{name.replace('_', '-')} needs --backend torch; the backend {self.backend} computes on the CPU."
                )

    def for_json(self) -> dict[str, Any]:
        """The entries of config.json."""
        entries = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}
        if self.latent_dim is None:
            del entries["latent_dim"]
        return entries


FLAGS: dict[str, Flag] = {
    name: hint.__metadata__[0] for name, hint in get_type_hints(Settings, include_extras=True).items()
}
# What decides the result: a training that is resumed keeps all of it.
DECISIVE = (
    "task",
    "batch_size",
    "latent_dim",
    "seed",
    "weights",
    "backend",
    "device",
    "tf32",
    "deterministic",
    "no_graph",
    "dtype",
    "threads",
    "train_size",
    "val_size",
    "shuffle",
    "best",
)
CHANGEABLE = ("epochs", "lr", "data")  # the same images may lie elsewhere by now

# ------------------------------------------------------------------------ from the command line


def read_flags(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None
) -> tuple[Settings, checkpoints.Checkpoint | None]:
    """The settings, and the checkpoint from which the training goes on if it is resumed.

    ValueError or OSError says what is wrong; what argparse finds wrong ends the program.
    """
    given = vars(parser.parse_args(arguments))  # without what was not given
    if "resume" in given:
        return resumed(given)
    return with_defaults(given), None


def with_defaults(given: Mapping[str, Any]) -> Settings:
    """What is not given is the task's, or everybody's."""
    task = TASKS[given.get("task", "digits")]
    return Settings(**{**task.defaults, **given})


def resumed(given: Mapping[str, Any]) -> tuple[Settings, checkpoints.Checkpoint]:
    """The settings with which a training began, but for those given now; its checkpoint."""
    folder = given["resume"]
    if "out" in given:
        raise ValueError("--resume goes on in the folder it names; leave out --out.")
    checkpoint = load(folder)
    begun = from_config(checkpoint)
    for name in DECISIVE:
        was = getattr(begun, name)
        now = given.get(name, was)
        if (name, begun.backend) == ("threads", "numba"):
            continue  # the same bits for any number
        if was != now:
            raise ValueError(
                f"--{name.replace('_', '-')}: {folder} was begun with {was}, not {now};"
                " to change it begin a new training."
            )
    settings = replace(begun, **given)
    finished = len(checkpoint.history)
    if finished > settings.epochs:
        raise ValueError(f"--epochs {settings.epochs}: {folder} has finished {finished} epochs already.")
    return settings, checkpoint


def load(folder: Path) -> checkpoints.Checkpoint:
    """The checkpoint of a run folder."""
    path = folder / "checkpoint.safetensors"
    if path.is_file():
        return checkpoints.load(path)
    if (folder / "config.json").is_file():
        raise FileNotFoundError(
            f"--resume {folder}: its training was stopped before it kept anything; remove the folder and begin anew."
        )
    raise FileNotFoundError(f"--resume {folder}: there is no {path.name} in it; name the folder of a training.")


def from_config(checkpoint: checkpoints.Checkpoint) -> Settings:
    """The settings with which a training began; what older versions lacked has its default."""
    found = {}
    for name in DECISIVE + CHANGEABLE:
        value = checkpoint.config.get(name)
        if value is None or (name, value) == ("device", "numpy"):
            continue
        try:
            found[name] = FLAGS[name].kind.read(str(value))  # checked like what is typed
        except argparse.ArgumentTypeError as error:
            raise ValueError(f"{checkpoint.path}: {name} in its configuration: {error}.") from None
    return with_defaults(found)


# ------------------------------------------------------------------------------------- the help


def make_parser() -> argparse.ArgumentParser:
    """A flag for each setting. What is not given is left out of what it finds."""
    tasks = "\n".join(f"  {task.name:11}{task.question}" for task in TASKS.values())
    parser = Parser(
        prog="python -m minicnn.train",
        usage="%(prog)s [options]",
        description="Train the course's SimpleCNN, or one of its exercises, on handwritten digits and show what it"
        " learnt.",
        epilog=f"""tasks:
{tasks}

examples:
  python -m minicnn.train                                   the course's training
  python -m minicnn.train --epochs 1 --train-size 1000      a quick look
  python -m minicnn.train --task generator                  paint the digits in colour
  python -m minicnn.train --resume runs/simplecnn-seed0 --epochs 20 --lr 1e-4
  python -m minicnn.train --weights runs/simplecnn-seed0 --epochs 3 --lr 1e-4
  python -m minicnn.train --data data/mnist --train-size 60000 --val-size 10000 --shuffle""",
        argument_default=argparse.SUPPRESS,
    )
    for setting in fields(Settings):
        help, kind = FLAGS[setting.name]
        options: dict[str, Any] = {"help": help + default_in_words(setting)}
        if kind is SWITCH:
            options |= {"action": "store_true"}
        else:
            options |= {"type": kind.read, "metavar": kind.metavar}
        parser.add_argument(f"--{setting.name.replace('_', '-')}", **options)
    return parser


def default_in_words(setting: Field) -> str:
    """Behind the help of a flag: its default, or that of digits and those that differ."""
    if setting.name == "backend":
        return f" (default: {get_backend()})"
    if setting.default is not MISSING and setting.default is not None and setting.default is not False:
        return f" (default: {setting.default})"
    defaults = {task.name: task.defaults[setting.name] for task in TASKS.values() if setting.name in task.defaults}
    usual = defaults.get("digits")
    text = "" if usual is None else f" (default: {usual})"
    return text + "".join(f" ({task}: {value})" for task, value in defaults.items() if value != usual)
