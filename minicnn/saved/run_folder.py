"""The run folder: everything that one training leaves behind.

config.json             what was asked for, enough to repeat it
checkpoint.safetensors  the whole state after the last finished epoch, see checkpoints
metrics.csv             one row per finished epoch, all digits
model.safetensors       the weights after the last finished epoch, under torch's names
best.safetensors        with --best: those after the epoch with the best validation accuracy
filters.safetensors     the first layer's filters: epoch-000 (before training), epoch-001 ...
*.png                   the pictures, see plots

Every file is written whole or not at all. So a training that is killed leaves the files of a
finished epoch.
"""

import csv
import io
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock, Timeout

from ..kernels.arrays import all_to_numpy
from ..nn import Module
from ..optim import Optimizer
from . import checkpoints
from .files import UNFINISHED, write_whole
from .weights import load_weights, save_weights


class Metrics(NamedTuple):
    """One epoch, a row of metrics.csv. Training figures are those on the way."""

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float


def best_of(history: Sequence[Metrics]) -> Metrics:
    """The epoch with the best validation accuracy, the first of several."""
    return max(history, key=lambda metrics: metrics.val_accuracy)


class Run:
    """A run folder that belongs to one training alone.

    With `folder=None` it is runs/<name>, or runs/<name>-2, -3, ... when that exists. A folder
    that is asked for must be new or empty, because earlier results are never overwritten.
    """

    def __init__(self, folder: Path | None, name: str, config: Mapping[str, Any]) -> None:
        self.folder = new_folder(Path("runs") / name) if folder is None else claim_folder(folder)
        self.config = dict(config)
        self.history: list[Metrics] = []
        self.filters: dict[str, np.ndarray] = {}
        self.shown = 0
        self._lock()
        # Once more, under the lock: two trainings started together can both have found the
        # folder empty, and the other one may already have finished in it.
        refuse_used(self.folder)
        write_whole(self.folder / "config.json", self._config().encode())

    @classmethod
    def reopen(cls, folder: Path, config: Mapping[str, Any], history: Sequence[Sequence[float]]) -> "Run":
        """The folder of a training that goes on after the epochs in `history`."""
        if {len(row) for row in history} - {len(Metrics._fields)}:
            raise ValueError(f"{folder}: each epoch of its history must be {', '.join(Metrics._fields)}.")
        run = cls.__new__(cls)
        run.folder = folder
        run.config = dict(config)
        run._lock()
        refuse_stale(folder, len(history))
        for half in folder.glob(f"*{UNFINISHED}"):  # of what a kill interrupted
            half.unlink()
        run.history = read_history(history)
        run.shown = 0
        run.filters = earlier_filters(folder / "filters.safetensors", len(run.history))
        write_whole(folder / "config.json", run._config().encode())
        return run

    def _config(self) -> str:
        return json.dumps(self.config, indent=2) + "\n"

    def _lock(self) -> None:
        """The system gives the lock back when the process ends, however it ends."""
        self.lock = FileLock(self.folder / ".lock", timeout=0)
        try:
            self.lock.acquire()
        except Timeout:
            raise FileExistsError(f"{self.folder} is in use by another training: wait for it, or stop it.") from None
        self.identity = identity(self.folder)

    def finish_epoch(self, metrics: Metrics, model: Module, optimizer: Optimizer, filters: np.ndarray) -> None:
        """Add the row and keep all that goes with it; without a checkpoint it does not
        count.
        """
        self.history.append(metrics)
        try:
            self.save(model, optimizer, filters)
        except BaseException:
            self.history.pop()
            raise
        self.show(model)

    def keep(self, model: Module, optimizer: Optimizer, filters: np.ndarray) -> None:
        """The state as it is: initial, or read from the checkpoint."""
        self.save(model, optimizer, filters)
        self.show(model)

    def save(self, model: Module, optimizer: Optimizer, filters: np.ndarray) -> None:
        """Write the filters, then the checkpoint.

        A kill may fall between the two. Everything can be written anew from the checkpoint but
        the filters of earlier epochs, so these are there before it. Filters of an epoch without
        a checkpoint are left out when the training goes on.
        """
        if identity(self.folder) != self.identity:
            raise FileExistsError(f"{self.folder} was removed meanwhile, and is another training's folder now.")
        self.filters[f"epoch-{len(self.history):03d}"] = filters.copy()
        save_weights(self.folder / "filters.safetensors", self.filters)
        checkpoints.save(self.folder / "checkpoint.safetensors", model, optimizer, self.config, self.history)

    def show(self, model: Module) -> None:
        """What others read: the weights and the table."""
        if self.history:
            weights = all_to_numpy(model.state_dict())
            save_weights(self.folder / "model.safetensors", weights)
            if self.config.get("best") and best_of(self.history) is self.history[-1]:
                save_weights(self.folder / "best.safetensors", weights)
            table = io.StringIO(newline="")
            # floats with repr: reading gives the same bits
            csv.writer(table).writerows([Metrics._fields, *self.history])
            write_whole(self.folder / "metrics.csv", table.getvalue().encode())
        self.shown = len(self.history)

    def files(self) -> list[str]:
        return sorted(p.name for p in self.folder.iterdir() if not p.name.startswith(".") and p.suffix != UNFINISHED)

    def summary(self) -> str:
        """What a training that ends here leaves behind, as a sentence."""
        epochs = len(self.history)
        if not (self.folder / "config.json").is_file():
            return f"{self.folder} was removed or emptied meanwhile: nothing of this training is left in it."
        if epochs == 0:
            return f"No epoch was finished; {self.folder} holds config.json and the initial state only."
        if self.shown < epochs:
            return f"{self.folder} holds the checkpoint after epoch {epochs}; --resume writes the other files from it."
        finished = "epoch 1" if epochs == 1 else f"epochs 1 to {epochs}"
        return f"{self.folder} holds the metrics of {finished} and the weights after that."


class SilentRun(Run):
    """For the processes that leave the writing to the first one: it writes nothing."""

    def __init__(self, config: Mapping[str, Any], history: Sequence[Sequence[float]] = ()) -> None:
        self.config = dict(config)
        self.history = read_history(history)

    def save(self, model: Module, optimizer: Optimizer, filters: np.ndarray) -> None:
        """Nothing is kept here."""

    def show(self, model: Module) -> None:
        """Nothing is shown either."""

    def summary(self) -> str:
        return "The first process says what is left."


def read_history(rows: Sequence[Sequence[float]]) -> list[Metrics]:
    """The rows of a checkpoint's history."""
    return [Metrics(int(epoch), *figures) for epoch, *figures in rows]


def new_folder(wanted: Path) -> Path:
    """Make `wanted`, or `wanted`-2, -3, ...: the first that does not exist yet."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        try:
            folder.mkdir()
            break
        except FileExistsError:
            continue
    return folder


def claim_folder(folder: Path) -> Path:
    """Make `folder`, or take it when it exists and is empty."""
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file, not a folder: name another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    refuse_used(folder)
    return folder


def identity(folder: Path) -> tuple[int, int]:
    """Which folder it is. Its name does not say that: another folder may have got the name."""
    found = folder.stat()
    return found.st_dev, found.st_ino


def refuse_used(folder: Path) -> None:
    """FileExistsError, unless nothing lies there but what a kill at the very start leaves."""
    if any(path.name != ".lock" and path.suffix != UNFINISHED for path in folder.iterdir()):
        raise FileExistsError(
            f"{folder} exists and is not empty; earlier results are never overwritten:"
            " name another folder, or remove this one yourself."
        )


def refuse_stale(folder: Path, epochs: int) -> None:
    """FileExistsError if another training went on there since the checkpoint was read."""
    now = len(checkpoints.load(folder / "checkpoint.safetensors").history)
    if now != epochs:
        raise FileExistsError(
            f"{folder}: another training went on meanwhile, from epoch {epochs} to {now}: give the command again."
        )


def earlier_filters(path: Path, epochs: int) -> dict[str, np.ndarray]:
    """The filters up to that epoch; nothing if the file is damaged."""
    try:
        kept = load_weights(path)
    except (OSError, ValueError):
        return {}
    found = {name: epoch_of(name) for name in kept}
    return {name: kept[name] for name, epoch in found.items() if epoch is not None and epoch <= epochs}


def epoch_of(name: str) -> int | None:
    """The epoch of an entry in filters.safetensors: epoch-007 -> 7, another name -> None."""
    found = re.fullmatch("epoch-([0-9]{3,9})", name)
    return int(found[1]) if found else None
