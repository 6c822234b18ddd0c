"""The run folder: everything that one training leaves behind.

config.json        what was asked for, enough to repeat it
metrics.csv        one row per finished epoch, all digits
model.safetensors  the weights after the last finished epoch, under torch's names
filters.safetensors  the first layer's filters after each epoch: epoch-000 (before training), epoch-001 ...
*.png              the pictures, see plots
"""

import csv
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .checkpoints import save_weights


class Metrics(NamedTuple):
    """One epoch, a row of metrics.csv. Training figures are measured while the weights change."""

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float


class Run:
    """A new run folder that belongs to one training alone.

    With `folder=None` it is runs/<name>, or runs/<name>-2, -3, ... when that exists. A folder that
    is asked for must be new or empty: earlier results are never overwritten.
    """

    def __init__(self, folder: Path | None, name: str, config: Mapping[str, Any]) -> None:
        self.folder = new_folder(Path("runs") / name) if folder is None else claim_folder(folder)
        self.config = config
        self.history: list[Metrics] = []
        self.filters: dict[str, np.ndarray] = {}
        # Mode "x" fails if the file exists: of two trainings started at once, one gets the folder.
        with (self.folder / "config.json").open("x", encoding="utf-8") as file:
            json.dump(config, file, indent=2)
            file.write("\n")

    def keep_filters(self, epoch: int, filters: np.ndarray) -> None:
        """Add the filters to the file, which is written from the first epoch on: then there is something to compare."""
        self.filters[f"epoch-{epoch:03d}"] = filters.copy()
        if epoch:
            save_weights(self.folder / "filters.safetensors", self.filters)

    def finish_epoch(self, metrics: Metrics, state_dict: Mapping[str, np.ndarray]) -> None:
        """Keep the weights, then add the row: no row without weights that are safe on disk."""
        save_weights(self.folder / "model.safetensors", state_dict)
        with (self.folder / "metrics.csv").open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if not self.history:
                writer.writerow(metrics._fields)
            writer.writerow(metrics)  # csv writes floats with repr: reading gives the same bits
        self.history.append(metrics)

    def kept(self) -> str:
        """What a training that ends here leaves behind, as a sentence."""
        epochs = len(self.history)
        if epochs == 0:
            return f"No epoch was finished; {self.folder} holds config.json only."
        finished = "epoch 1" if epochs == 1 else f"epochs 1 to {epochs}"
        return f"{self.folder} holds the metrics of {finished} and the weights after that."


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
    if any(folder.iterdir()):
        raise FileExistsError(
            f"{folder} exists and is not empty; earlier results are never overwritten:"
            " name another folder, or remove this one yourself."
        )
    return folder
