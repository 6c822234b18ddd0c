"""A trained network, read back from its run folder: for predict, evaluate and whoever else wants its answers."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from . import models
from .checkpoints import load_weights
from .data.mnist import to_float
from .nn import BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, Sigmoid

CLASSES = {  # the networks that classify, and what their classes are called
    "SimpleCNN": [str(digit) for digit in range(10)],
    "ParityCNN": ["even", "odd"],
}


class Trained:
    """The network of a run folder, in eval mode. What is no such folder is a ValueError that says why.

    trained = Trained("runs/simplecnn-seed0")
    trained.probabilities(images)    (N, 28, 28) uint8 -> (N, K)
    trained.classes                  K names
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.config = read_config(self.folder)
        self.network = self.config.get("network")
        if self.network not in CLASSES:
            raise ValueError(
                f"{self.folder} holds {self.network!r}, which does not classify; expected the run folder of"
                f" {' or '.join(name for name in CLASSES)}."
            )
        if not hasattr(models, self.network):
            raise ValueError(f"{self.folder} holds a {self.network}, which this version of minicnn does not have.")
        self.classes = CLASSES[self.network]
        self.model = getattr(models, self.network)()
        weights = self.folder / "model.safetensors"
        if not weights.is_file():
            raise ValueError(f"{self.folder} holds no {weights.name}: its training finished no epoch. Train again.")
        try:
            self.model.load_state_dict(load_weights(weights))
        except (RuntimeError, TypeError) as error:
            raise ValueError(f"{weights} does not fit: {error}") from error
        if not all(np.isfinite(parameter.data).all() for parameter in self.model.parameters()):
            raise ValueError(f"{weights} holds NaN or infinity: its training diverged. Train with a smaller --lr.")
        self.model.eval()
        self.dtype = next(self.model.parameters()).dtype

    def outputs(self, images: np.ndarray) -> np.ndarray:
        """What the network itself gives for (N, 28, 28) uint8: logits (N, 10), or one number each (N, 1)."""
        return self.model(to_float(images).astype(self.dtype, copy=False))

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """The probability of each class, (N, K)."""
        return self.to_probabilities(self.outputs(images))

    def to_probabilities(self, outputs: np.ndarray) -> np.ndarray:
        if self.network == "ParityCNN":  # its one number is about "odd"
            odd = outputs if self.ends_in_sigmoid() else 1 / (1 + np.exp(-outputs))
            return np.concatenate([1 - odd, odd], axis=1)
        odds = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def truth(self, labels: np.ndarray) -> np.ndarray:
        """The digits' classes (N,): themselves, or their parity."""
        return labels % 2 if self.network == "ParityCNN" else labels

    def loss(self, outputs: np.ndarray, truth: np.ndarray) -> float:
        """The mean loss with which the network was trained."""
        if self.network == "ParityCNN":
            criterion = BCELoss() if self.ends_in_sigmoid() else BCEWithLogitsLoss()
            return float(criterion(outputs, truth[:, None].astype(outputs.dtype)))
        return float(CrossEntropyLoss()(outputs, truth))

    def ends_in_sigmoid(self) -> bool:
        return isinstance(list(self.model.modules())[-1], Sigmoid)

    def backend(self, default: str) -> str:
        """The kernel set that trained it, if every installation has that."""
        backend = self.config.get("backend")
        return backend if backend in ("numpy", "numba") else default

    def last_metrics(self) -> dict[str, float]:
        """The last row of metrics.csv; empty when there is none."""
        try:
            with (self.folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            return {name: float(value) for name, value in rows[-1].items()} if rows else {}
        except (OSError, TypeError, ValueError, csv.Error):
            return {}


def read_config(folder: Path) -> dict[str, Any]:
    """The run's config.json."""
    path = folder / "config.json"
    if not path.is_file():
        what = "is not there" if not folder.exists() else f"holds no {path.name}" if folder.is_dir() else "is a file"
        raise ValueError(
            f"expected a run folder, as python -m minicnn.train leaves it (runs/simplecnn-seed0); {folder} {what}."
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}. Train again, or copy it anew.") from error
    if isinstance(config, dict) and isinstance(config.get("network"), str):
        return config
    raise ValueError(f'{path}: expected an object with "network", the name of the network; found none.')
