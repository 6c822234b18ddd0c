"""A trained network, read back from its run folder."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import table
from .data.mnist import to_float
from .nn import Module
from .saved.weights import load_weights
from .tasks import TASKS, Task

LARGEST_CONFIG = 2**20  # bytes


class Trained:
    """The network of a run folder, in eval mode.

        trained = Trained("runs/simplecnn-seed0", Classifier)
        trained.probabilities(images)    (N, 28, 28) uint8 -> (N, K)
        trained.task.classes             K names

    Without a kind of task a run of any task will do. The path may also be that of other weights
    in the folder, such as runs/simplecnn-seed0/best.safetensors. ValueError says why a folder
    will not do.
    """

    def __init__(self, folder: str | Path, kind: type[Task] = Task):
        weights = Path(folder, "model.safetensors")
        if Path(folder).suffix == ".safetensors" and Path(folder).is_file():
            weights = Path(folder)
        self.folder = weights.parent
        self.config = read_config(self.folder)
        self.task: Any  # of that kind
        self.model: Any  # one of models
        self.task, self.model = rebuild(self.folder, self.config, kind)
        if not weights.is_file():
            raise ValueError(f"{self.folder} holds no {weights.name}: its training finished no epoch. Train again.")
        try:
            self.model.load_state_dict(load_weights(weights))
        except (RuntimeError, TypeError) as error:
            raise ValueError(f"{weights} does not fit: {error}") from error
        if not all(np.isfinite(parameter.data).all() for parameter in self.model.parameters()):
            raise ValueError(f"{weights} holds NaN or infinity: its training diverged. Train with a smaller --lr.")
        kinds = {parameter.dtype.name: name for name, parameter in self.model.named_parameters()}
        if len(kinds) > 1:
            found = " and ".join(f"{kind} ({name})" for kind, name in kinds.items())
            raise ValueError(f"{weights}: expected one dtype for all tensors, found {found}. Save them all as float32.")
        self.model.eval()

    @property
    def dtype(self) -> np.dtype:
        return next(self.model.parameters()).dtype

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """The probability of each class, (N, K), for uint8 images (N, H, W), in colour
        (N, 3, H, W).
        """
        x = to_float(images, self.dtype)  # (N, 1, H, W), or (N, 3, 1, H, W)
        return self.task.probabilities(self.model(x.reshape(-1, *self.model.input_shape)))

    def backend(self, default: str) -> str:
        """The kernel set that trained it, if every installation has that."""
        backend = self.config.get("backend")
        return backend if backend in ("numpy", "numba") else default

    def last_metrics(self) -> dict[str, float]:
        """The last row of metrics.csv; empty when there is none."""
        return next(iter(self._metrics(1)), {})

    def _metrics(self, last: int) -> list[dict[str, float]]:
        """So many of the last rows of metrics.csv; none where it cannot be read."""
        try:
            with (self.folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            return [{name: float(value) for name, value in row.items()} for row in rows[-last:]]
        except (OSError, TypeError, ValueError, csv.Error):
            return []

    def _repr_html_(self) -> str:
        """The run as a notebook shows it: its epochs, the last 20 of them."""
        config = ", ".join(f"{name} {value}" for name, value in self.config.items() if value not in (None, "", False))
        metrics = self._metrics(20)
        names = list(metrics[0]) if metrics else ["epoch"]
        rows = [names, *([f"{row[name]:.6g}" for name in names] for row in metrics)]
        title = f"{self.folder.name}: {type(self.model).__name__}, {self.task.question}"
        return table.as_html(rows, ">" * len(names), title, [config])


def read_config(folder: Path) -> dict[str, Any]:
    """The run's config.json."""
    path = folder / "config.json"
    if not path.is_file():
        what = "is not there" if not folder.exists() else f"holds no {path.name}" if folder.is_dir() else "is a file"
        raise ValueError(
            f"expected a run folder, as python -m minicnn.train leaves it (runs/simplecnn-seed0); {folder} {what}."
        )
    with path.open("rb") as file:
        content = file.read(LARGEST_CONFIG + 1)
    if len(content) > LARGEST_CONFIG:
        raise ValueError(
            f"{path} has more than {LARGEST_CONFIG:,} bytes; a training writes a few hundred."
            " Train again, or copy it anew."
        )
    try:
        config = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}. Train again, or copy it anew.") from error
    if isinstance(config, dict) and isinstance(config.get("network"), str):
        return config
    raise ValueError(f'{path}: expected an object with "network", the name of the network; found none.')


def rebuild(folder: Path, config: Mapping[str, Any], kind: type[Task]) -> tuple[Task, Module]:
    """The task of a run, which must be of this kind, and its network with new weights."""
    name = str(config.get("task", "digits"))  # runs that name none are older than tasks, and learnt digits
    task = TASKS.get(name)
    if task is None or not isinstance(task, kind):
        known = " or ".join(known for known, task in TASKS.items() if isinstance(task, kind))
        raise ValueError(f"{folder} learnt the task {name!r}; expected the run folder of a training of {known}.")
    try:
        model = task.network(config)
        task = task.for_run(config)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder / 'config.json'} does not describe the network of {name}: {error}.") from error
    if type(model).__name__ != config["network"]:
        raise ValueError(
            f"{folder} holds {config['network']!r}, which does not learn {name}; expected {type(model).__name__}."
        )
    return task, model
