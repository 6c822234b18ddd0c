"""torch as a contender: eager as the course writes it, tuned (channels_last, fused
Adam), or compiled.
"""

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from reference import simple_cnn as reference

from .agreement import Results
from .task import Task
from .work import COMPILED, EAGER, TUNED, Epoch, Inference, Layer, Network, Step, Work


class Torch:
    def __init__(self, tuned: bool = False, compiled: bool = False):
        self.name = TUNED if tuned else COMPILED if compiled else EAGER
        self.tuned, self.compiled = tuned, compiled

    def task(self, work: Work) -> Task | None:
        images = work.kind != "layer" or len(work.shape) == 4
        if (self.tuned and (work.kind == "epoch" or not images)) or (
            self.compiled and work.kind not in ("step", "inference")
        ):
            return None
        return Task(*getattr(self, work.kind)(work))

    def tensor(self, array: np.ndarray | None) -> torch.Tensor | None:
        """A copy; images lie in memory as this contender likes them, so that it need
        not turn them round itself.
        """
        if array is None:
            return None
        last = self.tuned and array.ndim == 4
        return torch.tensor(array).contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)

    def place(self, module: torch.nn.Module, work: Layer | Network) -> torch.nn.Module:
        """The weights of the work; channels_last when tuned."""
        module.load_state_dict({name: torch.tensor(value) for name, value in work.weights().items()})
        return module.to(memory_format=torch.channels_last) if self.tuned else module

    def model(self, work: Network) -> torch.nn.Module:
        model = self.place(reference.SimpleCNN(), work)
        return torch.compile(model) if self.compiled else model

    def layer(self, work: Layer):
        layer = self.place(work.build(torch.nn), work)
        (x, *rest), grad = work.data()
        x, *rest = map(self.tensor, (x, *rest))
        x.requires_grad_(work.input_grad)
        grad = self.tensor(grad)
        last: dict[str, torch.Tensor] = {}

        def forward() -> None:
            last["output"] = layer(x, *rest)

        def backward() -> None:
            layer.zero_grad()
            x.grad = None
            last["output"].backward(grad)

        def results() -> Results:
            grads = {f"gradient of {name}": p.grad for name, p in layer.named_parameters()}
            arrays = {**last, **({"grad_input": x.grad} if work.input_grad else {}), **grads}
            return {name: value.detach().numpy() for name, value in arrays.items()}

        def forget() -> None:
            last.clear()
            layer.zero_grad()
            x.grad = None

        return (forward, backward), results, forget

    def step(self, work: Step):
        images, labels = map(self.tensor, work.data())
        model, criterion = self.model(work), torch.nn.CrossEntropyLoss()
        optimizer = torch.optim.Adam(model.parameters(), lr=work.lr, fused=self.tuned or None)
        last: dict[str, torch.Tensor] = {}

        def run() -> None:
            optimizer.zero_grad()
            last["logits"] = model(images)
            last["loss"] = criterion(last["logits"], labels)
            last["loss"].backward()
            optimizer.step()

        def results() -> Results:
            named = [(name.removeprefix("_orig_mod."), p) for name, p in model.named_parameters()]
            grads = {f"gradient of {name}": p.grad for name, p in named}
            weights = {f"updated {name}": p.data.clone() for name, p in named}
            return {name: value.detach().numpy() for name, value in {**last, **grads, **weights}.items()}

        return (run,), results

    def inference(self, work: Inference):
        images = self.tensor(work.data()[0])
        model = self.model(work).eval()
        last: dict[str, torch.Tensor] = {}

        def run() -> None:
            with torch.no_grad():
                last["logits"] = model(images)

        return (run,), lambda: {"logits": last["logits"].numpy()}

    def epoch(self, work: Epoch):
        model = self.model(work)
        train_loader, val_loader = (
            DataLoader(TensorDataset(*reference.load_images(train=train, size=size)), work.N)
            for train, size in ((True, work.train_size), (False, work.val_size))
        )
        last: list[float] = []

        def run() -> None:
            last[:] = reference.train(model, train_loader, val_loader, epochs=1, lr=work.lr)[0]

        names = ("train loss", "train accuracy", "val loss", "val accuracy")
        return (run,), lambda: {name: np.array(value) for name, value in zip(names, last, strict=True)}
