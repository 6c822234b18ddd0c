"""A run folder as the page sees it: what is read, and nothing else than its own files."""

import base64
import csv
import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from ..data import DataLoader
from ..data.opening import check_readable, open_images
from ..saved.run_folder import epoch_of
from ..saved.weights import load_weights
from ..tasks import Classifier, Task
from ..trained import LARGEST_CONFIG, Trained, read_config, rebuild
from . import ask
from .ask import Refused
from .network import check_chain
from .say import count, say

LARGEST = {
    "config.json": LARGEST_CONFIG,
    "metrics.csv": 2**24,
    "model.safetensors": 2**27,
    "filters.safetensors": 2**27,
}
HOW = "python -m minicnn.train"


class RunFolder:
    """The files of one run. They are read when they are asked for: a training may still
    be adding to them.
    """

    def __init__(self, folder: Path, data: Path | None = None):
        if not folder.is_dir():
            raise ValueError(f"--run {folder}: there is no such folder. `{HOW}` makes one and says where.")
        self.folder = folder.resolve()
        if not (self.folder / "config.json").is_file():
            raise ValueError(
                f"--run {folder}: a run folder holds config.json, model.safetensors and metrics.csv, and "
                "this one does not."
                f" `{HOW}` makes one and says where."
            )
        self.data = data or own_data(self.folder)
        self.test = open_images(self.data, train=False)
        self.shape = own_shape(self.folder)
        name = f"--data {self.data}" if self.data else "the bundled set, as the run's own is not there,"
        check_readable(self.test, self.shape, len(self.test.classes), "This run reads", name)
        self.lock = threading.RLock()  # layers keep what backward needs: one walk at a time
        self._trained: Any = None
        self._version: Any = None  # of its files
        self._answers: Any = None  # to the test images

    def path(self, name: str) -> Path:
        """One of the run's own files: there, inside the folder even through links, and
        not too large.
        """
        path = self.folder / name
        if not path.is_file():
            raise Refused(say("run.no_file", name=name), 404)
        if not path.resolve().is_relative_to(self.folder):
            raise Refused(say("run.link", name=name), 403)
        if path.stat().st_size > LARGEST[name]:
            sizes = {"bytes": count(path.stat().st_size), "most": count(LARGEST[name])}
            raise Refused(say("run.too_large", name=name, **sizes), 413)
        return path

    # ------------------------------------------------------------------------ its files

    def config(self) -> dict[str, Any]:
        self.path("config.json")
        return refuse(read_config, self.folder)

    def rebuild(self) -> tuple[Task, nn.Module]:
        """What the run learns, and its network with new weights."""
        return refuse(rebuild, self.folder, self.config(), Task)

    def metrics(self) -> list[dict[str, float]]:
        try:
            content = self.path("metrics.csv").read_bytes()
        except Refused as refused:
            if refused.status == 404:
                return []
            raise
        try:
            text = content.decode()
            rows = list(csv.DictReader(io.StringIO(text)))
            return [{str(name): float(value) for name, value in row.items()} for row in rows]
        except (csv.Error, TypeError, ValueError) as error:
            raise Refused(say("run.damaged", why=error), 422) from error

    def filters(self) -> list[dict[str, Any]]:
        """The first layer's filters (O, C, KH, KW), epoch by epoch; without that file
        the final ones alone.
        """
        try:
            kept = refuse(load_weights, self.path("filters.safetensors"))
            numbered = sorted((epoch_of(name), name) for name in kept if epoch_of(name) is not None)
            epochs: list[dict[str, Any]] = [{"epoch": epoch, "filters": kept[name]} for epoch, name in numbered]
        except Refused as refused:
            if refused.status != 404:
                raise
            epochs = []
        if not epochs:
            epochs = [{"epoch": None, "filters": self.trained().model.state_dict()["cnn.0.weight"]}]
        for one in epochs:
            if (a := one["filters"]).ndim != 4 or not 0 < a.size <= 2**16 or a.dtype.kind != "f":
                raise Refused(say("run.filter_shape", most=count(2**16)), 422)
        return epochs[:1000]

    def trained(self) -> Trained:
        """The network with its weights; read anew when a file has changed. To let it
        work, hold the lock.
        """
        files = [self.path(name).stat() for name in ("config.json", "model.safetensors")]
        version = [(file.st_mtime_ns, file.st_size) for file in files]
        with self.lock:
            if self._version != version:
                trained = refuse(Trained, self.folder, Classifier)
                check_chain(trained.model, trained.model.input_shape)
                self._trained, self._answers, self._version = trained, None, version
            return self._trained

    # --------------------------------------------------------------------- what it says

    def truth(self) -> np.ndarray:
        """What the network was to learn about the test images: the digit, or whether it
        is odd.
        """
        return self.trained().task.truth(self.test.labels)

    def probabilities(self) -> np.ndarray:
        """(N, K) for all test images, computed once for each state of the weights."""
        with self.lock:
            trained = self.trained()
            if self._answers is None:
                self._answers = trained.task.examine(trained.model, DataLoader(self.test, 100))
            return self._answers.probabilities


def own_data(folder: Path) -> Path | None:
    """The data set that the run was trained with, if it is still there; None: the
    bundled digits are shown.
    """
    try:
        used = read_config(folder).get("data")
    except ValueError:
        return None  # the page says what is wrong with the file
    return Path(used) if isinstance(used, str) and Path(used).exists() else None


def own_shape(folder: Path) -> tuple[int, int, int]:
    """(C, H, W) of the images that the run's network reads."""
    model: Any
    try:
        _, model = rebuild(folder, read_config(folder), Task)
        return model.input_shape
    except (AttributeError, ValueError):
        return (1, 28, 28)  # the page says what is wrong with the file


def refuse(read: Callable[..., Any], *arguments: Any) -> Any:
    """What `read` reads; a file that it cannot take is a sentence for the page."""
    try:
        return read(*arguments)
    except (ImportError, TypeError, ValueError) as error:
        raise Refused(str(error), 422) from error


def overview(run: RunFolder) -> dict[str, Any]:
    """GET /api/run."""
    config = run.config()
    about = {"open": True, "name": run.folder.name, "config": config, "metrics": run.metrics(), "images": len(run.test)}
    note = ""
    if config.get("data") and run.data is None:
        note = say("run.other_data", data=config["data"])
    task, _ = run.rebuild()
    classes = list(task.classes) if isinstance(task, Classifier) else []
    about["shape"] = run.shape
    return about | {"question": say(f"run.question.{task.name}"), "classes": classes, "note": note}


def filters(run: RunFolder) -> dict[str, Any]:
    """GET /api/run/filters: all on one scale."""
    epochs = run.filters()
    largest = max(float(np.abs(one["filters"]).max()) for one in epochs)
    return {"epochs": epochs, "largest": largest, "complete": epochs[0]["epoch"] is not None}


def confusion(run: RunFolder) -> dict[str, Any]:
    """GET /api/run/confusion: how many images of each class (row) were taken for which
    (column).
    """
    classes, truth, predicted = run.trained().task.classes, run.truth(), run.probabilities().argmax(axis=1)
    counts = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(counts, (truth, predicted), 1)
    right = int(np.trace(counts))
    return {"classes": classes, "counts": counts, "right": right, "all": len(truth), "accuracy": right / len(truth)}


def images(run: RunFolder, body: Any) -> dict[str, Any]:
    """POST /api/run/images: test images, all or those behind one cell of the confusion
    matrix, a page at a time.
    """
    start = ask.integer(body, "start", 0, len(run.test))
    found = np.arange(len(run.test))
    probabilities = None
    if body.get("truth") is not None:
        classes = run.trained().task.classes
        truth = ask.integer(body, "truth", 0, len(classes) - 1)
        predicted = ask.integer(body, "predicted", 0, len(classes) - 1)
        probabilities = run.probabilities()
        found = np.flatnonzero((run.truth() == truth) & (probabilities.argmax(axis=1) == predicted))
    page = found[start : start + 40]
    return {
        "total": len(found),
        "start": start,
        "images": [
            {
                "index": int(index),
                "label": int(run.test.labels[index]),
                "name": run.test.classes[run.test.labels[index]],
                "shape": run.shape,
                "pixels": base64.b64encode(run.test.images[index].tobytes()).decode(),
                "probability": None if probabilities is None else probabilities[index].max(),
            }
            for index in page
        ],
    }
