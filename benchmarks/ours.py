"""minicnn as a contender."""

from collections.abc import Iterator
from functools import partial

import numpy as np

import minicnn
from minicnn.data import MNIST, DataLoader, Subset
from minicnn.models import SimpleCNN
from minicnn.nn import CrossEntropyLoss
from minicnn.optim import Adam
from minicnn.train import evaluate, train_epoch

from .agreement import Results
from .task import Task
from .work import Epoch, Inference, Layer, Network, Step, Work


def loaders(train_size: int, val_size: int, batch_size: int, dtype: str = "float32") -> Iterator[DataLoader]:
    """Of the first training images and of the first test images."""
    for train, size in ((True, train_size), (False, val_size)):
        yield DataLoader(Subset(MNIST(train=train, dtype=np.dtype(dtype)), range(size)), batch_size)


class Minicnn:
    """One of minicnn's kernel sets."""

    def __init__(self, backend: str):
        self.name = f"minicnn {backend}"
        self.inside = partial(minicnn.use_backend, backend)

    def task(self, work: Work) -> Task:
        return Task(*getattr(self, work.kind)(work), inside=self.inside)

    def model(self, work: Network) -> SimpleCNN:
        model = SimpleCNN()
        model.load_state_dict(work.weights())
        return model

    def layer(self, work: Layer):
        layer = work.build(minicnn.nn)
        layer.load_state_dict(work.weights())
        layer.needs_input_grad = work.input_grad
        inputs, grad = work.data()
        last: Results = {}

        def forward() -> None:
            last["output"] = layer(*inputs)

        def backward() -> None:
            layer.zero_grad()
            last["grad_input"] = layer.backward() if grad is None else layer.backward(grad)

        def results() -> Results:
            grads = {f"gradient of {name}": p.grad for name, p in layer.named_parameters()}
            arrays = {name: np.array(value) for name, value in last.items() if value is not None}
            return {**arrays, **grads}

        def forget() -> None:
            last.clear()
            layer.zero_grad()

        return (forward, backward), results, forget

    def step(self, work: Step):
        """As the README writes it."""
        images, labels = work.data()
        model, criterion = self.model(work), CrossEntropyLoss()
        optimizer = Adam(model.parameters(), lr=work.lr)
        last: Results = {}

        def run() -> None:
            optimizer.zero_grad()
            last["logits"] = model(images)
            last["loss"] = criterion(last["logits"], labels)
            model.backward(criterion.backward(), input_grad=False)  # as the README's loop
            optimizer.step()

        def results() -> Results:
            grads = {f"gradient of {name}": p.grad for name, p in model.named_parameters()}
            weights = {f"updated {name}": p.data.copy() for name, p in model.named_parameters()}
            return {**{name: np.array(value) for name, value in last.items()}, **grads, **weights}

        return (run,), results

    def inference(self, work: Inference):
        images, _ = work.data()
        model = self.model(work).eval()
        last: Results = {}

        def run() -> None:
            last["logits"] = model(images)

        return (run,), lambda: dict(last)

    def epoch(self, work: Epoch):
        model, criterion = self.model(work), CrossEntropyLoss()
        model.cnn[0].needs_input_grad = False  # as minicnn.train does
        train_data, val_data = loaders(work.train_size, work.val_size, work.N)
        last: list[float] = []

        def run() -> None:
            optimizer = Adam(model.parameters(), lr=work.lr)
            last[:] = *train_epoch(model, criterion, optimizer, train_data), *evaluate(model, criterion, val_data)

        names = ("train loss", "train accuracy", "val loss", "val accuracy")
        return (run,), lambda: {name: np.array(value) for name, value in zip(names, last, strict=True)}
