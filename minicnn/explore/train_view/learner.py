"""One run: a network, its optimizer, its images, and what happened so far."""

import copy
import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from ... import nn, optim
from ...data import DataLoader, Subset
from ...nn.functional.random import manual_seed
from ...saved.run_folder import Metrics
from ...tasks import TASKS, TaskDataset
from ...train import averages, evaluate, learn_from
from ...training.prepare import describe, digest, first_convolution, first_filters, first_images
from ...training.processes import ONE_PROCESS
from ...training.settings import Settings
from ..ask import Refused
from ..say import say
from .curve import Curve
from .setting import Setting

MOST_EPOCHS = 200
WINDOW = 512  # images, over which a loss is averaged before it is judged


class Finished:
    """The state at the end of an epoch: what a run folder keeps."""

    def __init__(self, learner: "Learner"):
        self.weights = {name: value.copy() for name, value in learner.model.state_dict().items()}
        self.optimizer = copy.deepcopy(learner.optimizer.state_dict())


class Learner:
    """A training that goes a step at a time.

    `ended` says why it goes no further, as the key of a text: "nan", "failed", "epochs".
    Raises Refused where the images cannot be read.
    """

    def __init__(self, setting: Setting):
        self.setting = setting
        self.lr = setting.lr
        self.rates = [(0, setting.lr)]  # from which step on
        self.settings = Settings(
            task=setting.task,
            epochs=1,
            batch_size=setting.batch_size,
            lr=setting.lr,
            seed=setting.seed,
            backend=setting.backend,
            threads=1,
            train_size=setting.images,
            no_plots=True,
        )
        self._read_images()
        self.task: Any = TASKS[setting.task].for_run(self.about_data)
        self.model, self.optimizer = self.build()
        self.criterion = self.task.criterion()
        options: dict[str, Any] = {"batch_size": setting.batch_size, "seed": setting.seed}
        self.train_data = DataLoader(TaskDataset(self.train_images, self.task), **options)
        self.val_data = DataLoader(TaskDataset(self.val_images, self.task), **options)
        self.batches: Iterator[tuple[np.ndarray, ...]] = iter(())
        self.steps = 0
        self.seen = 0  # images, over all epochs
        self.goal: float = 0  # steps; the training pauses there
        self.of_epoch: list[tuple[Any, Any, int]] = []  # loss, right answers and images of this epoch's steps
        self.seconds = 0.0  # of this epoch
        self.history: list[Metrics] = []
        self.curve = Curve()
        self.windows: list[float] = []  # mean losses; the first is the very first step's
        self._window = [0.0, 0]
        self.filters = {"epoch-000": first_filters(self.model).copy()}
        self.finished: Finished | None = None
        self.ended: str | None = None
        self.error = ""
        self.before = Before(self.model, self.optimizer)
        self.probe: Any = None  # the latest one, of `look`

    def _read_images(self) -> None:
        try:
            self.train_images = first_images(self.settings, train=True)
            self.val_images = first_images(self.settings, train=False)
        except (OSError, ValueError) as error:
            raise Refused(say("train.refused.data", why=error), 422) from error
        if self.setting.labels == "shuffled":
            self.train_images = shuffled(self.train_images, self.setting.seed)
        self.about_data = describe(self.settings, self.train_images, self.val_images)

    def build(self) -> tuple[Any, Any]:
        """The network with its initial weights, and the optimizer."""
        setting = self.setting
        manual_seed(setting.seed)
        model: Any = self.task.network(self.settings.for_json() | self.about_data)
        first_convolution(model).needs_input_grad = False  # below it are the pixels, which do not learn
        if setting.weights == "zeros":
            for parameter in model.parameters():
                parameter.data[...] = 0
        if not setting.relu:
            for block in (model.cnn, model.linear_block):
                for name, layer in list(block.named_children()):
                    if isinstance(layer, nn.ReLU):
                        setattr(block, name, nn.Identity())
        parameters = list(model.parameters())
        if setting.optimizer == "Adam":
            return model, optim.Adam(parameters, lr=self.lr)
        momentum = setting.momentum if setting.optimizer == "momentum" else 0.0
        return model, optim.SGD(parameters, lr=self.lr, momentum=momentum)

    @property
    def epoch_steps(self) -> int:
        return len(self.train_data)

    def set_rate(self, lr: float) -> None:
        """Another learning rate, from the next step on."""
        self.lr = lr
        self.rates.append((self.steps, lr))
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def set_goal(self, how: str) -> None:
        """Where to pause: after a "step", at the end of an "epoch", or ("start") nowhere."""
        rest = self.epoch_steps - self.steps % self.epoch_steps
        self.goal = self.steps + {"step": 1, "epoch": rest, "start": math.inf}[how]

    def step(self) -> None:
        """Learn from one batch; with an epoch's last one, validate."""
        started = time.perf_counter()
        if self.steps % self.epoch_steps == 0:
            self.batches = iter(self.train_data)
        images, targets = next(self.batches)
        self.before.remember()
        self.model.train()
        self.optimizer.zero_grad()
        loss, right = learn_from(self.model, self.criterion, self.task.count_right, images, targets)
        self.optimizer.step()
        self.steps += 1
        self.seen += len(targets)
        self.of_epoch.append((loss, right, len(targets)))
        self._note(float(loss), int(right), len(targets))
        self.seconds += time.perf_counter() - started
        if not math.isfinite(loss):
            self.ended = "nan"
        elif self.steps % self.epoch_steps == 0:
            self._finish_epoch()

    def _note(self, loss: float, right: int, images: int) -> None:
        self.curve.add(loss, right, images)
        if not self.windows:
            self.windows.append(loss)
        self._window[0] += loss * images
        self._window[1] += images
        if self._window[1] >= WINDOW:
            self.windows.append(self._window[0] / self._window[1])
            self._window = [0.0, 0]

    def _finish_epoch(self) -> None:
        started = time.perf_counter()
        learnt = averages(self.of_epoch, ONE_PROCESS)
        checked = evaluate(self.model, self.criterion, self.val_data, self.task.count_right)
        seconds = self.seconds + time.perf_counter() - started
        epoch = len(self.history) + 1
        self.history.append(Metrics(epoch, *learnt, *checked, seconds))
        self.filters[f"epoch-{epoch:03d}"] = first_filters(self.model).copy()
        self.finished = Finished(self)
        self.of_epoch = []
        self.seconds = 0.0
        if not math.isfinite(checked[0]):
            self.ended = "nan"
        elif epoch == MOST_EPOCHS:
            self.ended = "epochs"

    def config(self) -> dict[str, Any]:
        """The entries of config.json, as `python -m minicnn.train` writes them, and what it
        has no flags for.
        """
        sizes = {"epochs": len(self.history), "lr": self.lr, "val_size": len(self.val_images)}
        setting = self.setting
        own: dict[str, Any] = {"optimizer": setting.optimizer, "labels": setting.labels, "initial": setting.weights}
        if setting.optimizer == "momentum":
            own["momentum"] = setting.momentum
        if len(self.rates) > 1:
            own["rates"] = [list(change) for change in self.rates]
        return (
            self.settings.for_json()
            | sizes
            | self.about_data
            | {
                "device": "numpy",
                "processes": 1,
                "network": type(self.model).__name__,
                "parameters": sum(parameter.size for parameter in self.model.parameters()),
                "data_sha256": digest(self.train_images, self.val_images),
            }
            | own
        )


class Before:
    """Weights and the optimizer's averages as they were before the latest step."""

    def __init__(self, model: Any, optimizer: Any):
        self.optimizer = optimizer
        self.parameters = dict(model.named_parameters())
        self.weights = {name: parameter.data.copy() for name, parameter in self.parameters.items()}
        self.states: dict[str, dict[str, np.ndarray]] = {name: {} for name in self.parameters}

    def remember(self) -> None:
        for name, parameter in self.parameters.items():
            np.copyto(self.weights[name], parameter.data)
            kept = self.states[name]
            for key, value in self.optimizer.state.get(parameter, {}).items():
                if key in kept:
                    np.copyto(kept[key], value)
                else:
                    kept[key] = np.array(value)


def shuffled(images: Subset, seed: int) -> Subset:
    """The same images with their labels dealt out anew."""
    dataset: Any = copy.copy(images.dataset)
    dataset.labels = dataset.labels.copy()
    drawn = np.random.default_rng(seed).permutation(images.indices)
    dataset.labels[images.indices] = dataset.labels[drawn]
    return Subset(dataset, images.indices)
