"""A run folder as the page sees it: what is read, and nothing else than its own files."""

import csv
import io
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np

from .. import models, nn
from ..checkpoints import load_weights
from ..data import MNIST
from . import ask
from .ask import Refused
from .network import check_chain

LARGEST = {"config.json": 2**20, "metrics.csv": 2**24, "model.safetensors": 2**27, "filters.safetensors": 2**27}
NETWORKS = ("SimpleCNN", "ParityCNN")
HOW = "python -m minicnn.train"


class RunFolder:
    """The files of one run. They are read when they are asked for: a training may still be adding to them."""

    def __init__(self, folder: Path, data: Path | None = None):
        self.folder = folder.resolve()
        if not self.folder.is_dir():
            raise ValueError(f"--run {folder}: there is no such folder. `{HOW}` makes one and says where.")
        if not (self.folder / "config.json").is_file():
            raise ValueError(
                f"--run {folder}: a run folder holds config.json, model.safetensors and metrics.csv, and this one does not."
                f" `{HOW}` makes one and says where."
            )
        self.data = data
        self.test = MNIST(data, train=False)
        if self.test.images.shape[1:] != (28, 28):
            raise ValueError(f"--data {data}: the images must be 28 x 28, these are {self.test.images.shape[1:]}.")
        self.lock = threading.Lock()  # layers keep what backward needs: one walk at a time
        self._loaded: tuple[Any, nn.Module] | None = None
        self._predictions: tuple[Any, np.ndarray] | None = None

    def path(self, name: str) -> Path:
        """One of the run's own files: there, inside the folder even through links, and not too large."""
        path = self.folder / name
        if not path.is_file():
            raise Refused(f"The run folder has no {name} yet. It appears after the first finished epoch.", 404)
        if not path.resolve().is_relative_to(self.folder):
            raise Refused(f"{name} is a link to a file outside of the run folder, which is not read.", 403)
        if path.stat().st_size > LARGEST[name]:
            raise Refused(f"{name} has {path.stat().st_size:,} bytes; at most {LARGEST[name]:,} are read.", 413)
        return path

    # ------------------------------------------------------------------------------------------------ its files

    def config(self) -> dict[str, Any]:
        try:
            config = json.loads(self.path("config.json").read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise Refused(f"config.json is damaged: {error}.", 422) from error
        if not isinstance(config, dict):
            raise Refused("config.json must hold a JSON object.", 422)
        return config

    def metrics(self) -> list[dict[str, float]]:
        try:
            text = self.path("metrics.csv").read_text(encoding="utf-8")
        except Refused as refused:
            if refused.status == 404:
                return []
            raise
        try:
            rows = list(csv.DictReader(io.StringIO(text)))
            return [{str(name): float(value) for name, value in row.items()} for row in rows]
        except (csv.Error, TypeError, ValueError) as error:
            raise Refused(f"metrics.csv is damaged: {error}.", 422) from error

    def filters(self) -> list[dict[str, Any]]:
        """The first layer's filters (O, C, KH, KW), epoch by epoch; without that file the final ones alone."""
        try:
            kept = self._weights("filters.safetensors")
            names = sorted(name for name in kept if name.startswith("epoch-") and name[6:].isdigit())
            epochs: list[dict[str, Any]] = [{"epoch": int(name[6:]), "filters": kept[name]} for name in names]
        except Refused as refused:
            if refused.status != 404:
                raise
            epochs = []
        if not epochs:
            with self.lock:
                first = next((p for p in self.model().parameters() if p.data.ndim == 4), None)
            epochs = [] if first is None else [{"epoch": None, "filters": first.data}]
        if any(one["filters"].ndim != 4 or one["filters"].size > 2**16 for one in epochs):
            raise Refused("The filters must be (O, C, KH, KW) and not more than 65,536 numbers.", 422)
        return epochs[:1000]

    def _weights(self, name: str) -> dict[str, np.ndarray]:
        try:
            return load_weights(self.path(name))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Refused(f"{name} cannot be read: {error}.", 422) from error

    def model(self) -> nn.Module:
        """The network with its weights; read anew when the file has changed. Call with the lock held."""
        path, config = self.path("model.safetensors"), self.config()
        name = config.get("network")
        make = getattr(models, str(name), None) if name in NETWORKS else None
        if make is None:
            raise Refused(
                f"This page can draw into {' and '.join(NETWORKS)}; the network of this run is {name!r}.", 422
            )
        status = path.stat()
        version = (name, status.st_mtime_ns, status.st_size)
        if self._loaded is None or self._loaded[0] != version:
            model = make()
            try:
                model.load_state_dict(self._weights("model.safetensors"))
            except (KeyError, RuntimeError, ValueError) as error:
                raise Refused(f"model.safetensors does not fit {name}: {error}", 422) from error
            check_chain(model, (1, 28, 28))
            self._loaded = version, model
        return self._loaded[1]

    # -------------------------------------------------------------------------------------------- what it says

    def labels(self) -> np.ndarray:
        """What the network was to learn about the test images: the digit, or whether it is odd."""
        labels = self.test.labels
        return labels % 2 if self.config().get("network") == "ParityCNN" else labels

    def classes(self) -> list[str]:
        if self.config().get("network") == "ParityCNN":
            return ["even", "odd"]
        return [name.split(" - ")[0] for name in self.test.classes]

    def probabilities(self) -> np.ndarray:
        """(N, K) for all test images, computed once for each state of the weights."""
        with self.lock:
            model = self.model()
            version = self._loaded and self._loaded[0]
            if self._predictions is None or self._predictions[0] != version:
                model.eval()
                parts = [
                    model(self.test.batch(range(start, min(start + 100, len(self.test))))[0])
                    for start in range(0, len(self.test), 100)
                ]
                output = np.concatenate(parts).astype(np.float64)
                if output.shape[1] == 1:
                    output = np.hstack([1 - output, output])
                else:
                    powers = np.exp(output - output.max(axis=1, keepdims=True))
                    output = powers / powers.sum(axis=1, keepdims=True)
                self._predictions = version, output
            return self._predictions[1]


def overview(run: RunFolder) -> dict[str, Any]:
    """GET /api/run."""
    config = run.config()
    about = {"open": True, "name": run.folder.name, "config": config, "metrics": run.metrics(), "images": len(run.test)}
    note = ""
    if config.get("data") and run.data is None:
        note = (
            f"This run learnt from {config['data']}, but the images here are the bundled ones; --data names a folder."
        )
    return about | {"classes": run.classes(), "note": note}


def filters(run: RunFolder) -> dict[str, Any]:
    """GET /api/run/filters: all on one scale."""
    epochs = run.filters()
    if not epochs:
        raise Refused("This network has no convolution, so there are no filters.", 404)
    largest = max(float(np.abs(one["filters"]).max()) for one in epochs)
    return {"epochs": epochs, "largest": largest, "complete": epochs[0]["epoch"] is not None}


def confusion(run: RunFolder) -> dict[str, Any]:
    """GET /api/run/confusion: how many images of each class (row) were taken for which (column)."""
    labels, predicted = run.labels(), run.probabilities().argmax(axis=1)
    classes = run.classes()
    counts = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    right = int(np.trace(counts))
    return {"classes": classes, "counts": counts, "right": right, "all": len(labels), "accuracy": right / len(labels)}


def images(run: RunFolder, body: Any) -> dict[str, Any]:
    """POST /api/run/images: test images, all or those behind one cell of the confusion matrix, a page at a time."""
    classes = run.classes()
    start = ask.integer(body, "start", 0, len(run.test))
    found = np.arange(len(run.test))
    probabilities = None
    if body.get("truth") is not None:
        truth = ask.integer(body, "truth", 0, len(classes) - 1)
        predicted = ask.integer(body, "predicted", 0, len(classes) - 1)
        probabilities = run.probabilities()
        found = np.flatnonzero((run.labels() == truth) & (probabilities.argmax(axis=1) == predicted))
    page = found[start : start + 40]
    return {
        "total": len(found),
        "start": start,
        "images": [
            {
                "index": int(index),
                "label": int(run.test.labels[index]),
                "pixels": run.test.images[index].reshape(-1),
                "probability": None if probabilities is None else probabilities[index].max(),
            }
            for index in page
        ],
    }
