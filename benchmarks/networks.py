"""`python -m benchmarks networks`: the networks that people bring, trained for ten steps by
minicnn and by torch, from the same weights on the same images.

Each network is written once and made by either library; torch draws the same weights.
The losses are compared in units of what rounding may change, and the steps are timed.

How far may two correct losses lie apart? A sum of n terms errs by at most n eps of the
sum of their absolute values, which is what weights that are off by n eps of themselves
would change. How much a loss of step t changes with the weights is measured: the same
steps from weights that are off by a known share s, each up or down by chance. So

    |found - expected|  <=  n eps (|loss| + |change| / s)

with the longest sum of the network for n, and the largest change up to that step.
(Dropout's masks are minicnn's, handed to torch.)
"""

import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import minicnn
from minicnn import nn, optim, table

SHARE = 2.0**-26
STEPS = 10


class Network(NamedTuple):
    """A network, and how it is trained."""

    make: Callable[[Any], Any]
    input_shape: tuple[int, ...]  # of one image
    loss: str
    optimizer: str
    options: dict[str, Any]
    longest_sum: int  # for one image


def mnist_example(library: Any) -> Any:
    """torch's own example for MNIST."""
    return library.Sequential(
        *(library.Conv2d(1, 32, 3), library.ReLU(), library.Conv2d(32, 64, 3), library.ReLU()),
        *(library.MaxPool2d(2), library.Dropout(0.25), library.Flatten()),
        *(library.Linear(9216, 128), library.ReLU(), library.Dropout(0.5), library.Linear(128, 10)),
        library.LogSoftmax(1),
    )


def lenet(library: Any) -> Any:
    """LeNet as "Dive into Deep Learning" has it, with Xavier's weights."""
    model = library.Sequential(
        *(library.Conv2d(1, 6, 5, padding=2), library.Sigmoid(), library.AvgPool2d(2, stride=2)),
        *(library.Conv2d(6, 16, 5), library.Sigmoid(), library.AvgPool2d(2, stride=2), library.Flatten()),
        *(library.Linear(400, 120), library.Sigmoid(), library.Linear(120, 84), library.Sigmoid()),
        library.Linear(84, 10),
    )
    for layer in model:
        if hasattr(layer, "weight"):
            library.init.xavier_uniform_(layer.weight)
    return model


def vgg(library: Any) -> Any:
    """Two blocks of two 3 x 3 convolutions (Simonyan and Zisserman, 2014)."""
    layers = []
    for C, O in ((3, 16), (16, 32)):
        layers += [library.Conv2d(C, O, 3, padding=1), library.ReLU()]
        layers += [library.Conv2d(O, O, 3, padding=1), library.ReLU(), library.MaxPool2d(2)]
    return library.Sequential(
        *layers, library.Flatten(), library.Linear(2048, 64), library.ReLU(), library.Linear(64, 10)
    )


def resnet8(library: Any) -> Any:
    """Three residual blocks (He et al., 2015)."""

    def block(C: int, O: int, stride: int) -> Any:
        shortcut = None
        if stride != 1:
            shortcut = library.Sequential(library.Conv2d(C, O, 1, stride, bias=False), library.BatchNorm2d(O))
        first = library.Conv2d(C, O, 3, stride, 1, bias=False), library.BatchNorm2d(O), library.ReLU()
        second = library.Conv2d(O, O, 3, 1, 1, bias=False), library.BatchNorm2d(O)
        return library.Sequential(library.Residual(*first, *second, shortcut=shortcut), library.ReLU())

    return library.Sequential(
        *(library.Conv2d(3, 16, 3, 1, 1, bias=False), library.BatchNorm2d(16), library.ReLU()),
        *(block(16, 16, 1), block(16, 32, 2), block(32, 64, 2)),
        *(library.AdaptiveAvgPool2d(1), library.Flatten(), library.Linear(64, 10)),
    )


def autoencoder(library: Any) -> Any:
    """An image becomes 16 numbers, and these become the image again."""
    return library.Sequential(
        *(library.Conv2d(1, 8, 3, 2, 1), library.ReLU(), library.Conv2d(8, 16, 3, 2, 1), library.ReLU()),
        *(library.Flatten(), library.Linear(784, 16), library.Linear(16, 784), library.Unflatten(1, (16, 7, 7))),
        *(library.ConvTranspose2d(16, 8, 4, 2, 1), library.ReLU(), library.ConvTranspose2d(8, 1, 4, 2, 1)),
        library.Sigmoid(),
    )


def unet(library: Any) -> Any:
    """Down and up again, and what was there before beside it (Ronneberger et al., 2015)."""
    below = library.Sequential(
        *(library.MaxPool2d(2), library.Conv2d(8, 16, 3, padding=1), library.ReLU()),
        library.Upsample(scale_factor=2, mode="bilinear"),
    )
    return library.Sequential(
        *(library.Conv2d(3, 8, 3, padding=1), library.ReLU(), library.Concat(library.Identity(), below)),
        *(library.Conv2d(24, 8, 3, padding=1), library.ReLU(), library.Conv2d(8, 3, 1)),
    )


NETWORKS = {
    "torch's MNIST example": Network(mnist_example, (1, 28, 28), "NLLLoss", "Adadelta", {"lr": 1.0}, 9216),
    "d2l's LeNet": Network(lenet, (1, 28, 28), "CrossEntropyLoss", "SGD", {"lr": 0.9}, 784),
    "a small VGG": Network(vgg, (3, 32, 32), "CrossEntropyLoss", "Adam", {"lr": 1e-3}, 2048),
    "ResNet-8": Network(resnet8, (3, 32, 32), "CrossEntropyLoss", "SGD", {"lr": 0.1, "momentum": 0.9}, 1024),
    "an autoencoder": Network(autoencoder, (1, 28, 28), "MSELoss", "Adam", {"lr": 1e-3}, 784),
    "a U-Net": Network(unet, (3, 32, 32), "BCEWithLogitsLoss", "AdamW", {"lr": 1e-3}, 1024),
}


# ------------------------------------------------------------------------- both libraries


def torchs_library() -> Any:
    """torch.nn, with the two joins of minicnn's that it has not, and a dropout whose masks
    are handed over.
    """
    import torch

    class Residual(torch.nn.Module):
        def __init__(self, *modules: Any, shortcut: Any = None):
            super().__init__()
            self.body = torch.nn.Sequential(*modules)
            self.shortcut = shortcut

        def forward(self, x: Any) -> Any:
            return self.body(x) + (x if self.shortcut is None else self.shortcut(x))

    class Concat(torch.nn.Module):
        def __init__(self, *branches: Any):
            super().__init__()
            self.branches = torch.nn.Sequential(*branches)

        def forward(self, x: Any) -> Any:
            return torch.cat([branch(x) for branch in self.branches], 1)

    class Dropout(torch.nn.Module):
        def __init__(self, p: float):
            super().__init__()
            self.mask: Any = None

        def forward(self, x: Any) -> Any:
            return x * self.mask

    class Library:
        def __getattr__(self, name: str) -> Any:
            return {"Residual": Residual, "Concat": Concat, "Dropout": Dropout}.get(name) or getattr(torch.nn, name)

    return Library()


def batches(network: Network, N: int, dtype: str, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Ten batches of images and targets from a seed."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(STEPS):
        images = rng.random((N, *network.input_shape)).astype(dtype)
        if network.loss in ("NLLLoss", "CrossEntropyLoss"):
            made.append((images, rng.integers(0, 10, N)))
        else:
            made.append((images, images if network.loss == "MSELoss" else (images > 0.5).astype(dtype)))
    return made


class Run(NamedTuple):
    losses: np.ndarray  # (STEPS,)
    seconds: float  # of one step, the median
    masks: list[list[np.ndarray]]  # of each step, of each Dropout


def ours(network: Network, data: list, dtype: str, shift: float = 0.0) -> Run:
    """minicnn's ten steps; `shift` is the share by which the weights are off at first."""
    minicnn.manual_seed(0)
    model = network.make(nn)
    rng = np.random.default_rng(1)
    state = model.state_dict()
    for name, array in state.items():
        if array.dtype.kind == "f":
            signs = rng.choice([-1.0, 1.0], array.shape)
            state[name] = (array.astype(float) * (1 + shift * signs)).astype(dtype)
    model.load_state_dict(state)
    criterion = getattr(nn, network.loss)()
    optimizer = getattr(optim, network.optimizer)(model.parameters(), **network.options)
    dropouts = [layer for layer in model.modules() if isinstance(layer, nn.Dropout)]
    losses, seconds, masks = [], [], []
    for images, target in data:
        start = time.perf_counter()
        optimizer.zero_grad()
        losses.append(float(criterion(model(images), target)))
        masks.append([layer.kept_for_backward.values[0] for layer in dropouts if layer.kept_for_backward])
        model.backward(criterion.backward())
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    return Run(np.array(losses), statistics.median(seconds), masks)


def theirs(network: Network, data: list, dtype: str, masks: list[list[np.ndarray]]) -> Run:
    """torch's ten steps."""
    import torch

    library = torchs_library()
    torch.manual_seed(0)
    model = network.make(library).to(getattr(torch, dtype))
    criterion = getattr(torch.nn, network.loss)()
    optimizer = getattr(torch.optim, network.optimizer)(model.parameters(), **network.options)
    dropouts = [layer for layer in model.modules() if isinstance(layer, library.Dropout)]
    losses, seconds = [], []
    for (images, target), given in zip(data, masks, strict=True):
        for layer, mask in zip(dropouts, given, strict=True):
            layer.mask = torch.from_numpy(mask)
        start = time.perf_counter()
        optimizer.zero_grad()
        loss = criterion(model(torch.from_numpy(images)), torch.from_numpy(target))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - start)
    return Run(np.array(losses), statistics.median(seconds), masks)


def allowed(network: Network, N: int, dtype: str) -> np.ndarray:
    """The bound on the deviation of each step's loss; see above."""
    data = batches(network, N, "float64")
    plain = ours(network, data, "float64").losses
    moved = ours(network, data, "float64", SHARE).losses
    change = np.maximum.accumulate(np.abs(moved - plain)) / SHARE
    n = max(network.longest_sum, N * math.prod(network.input_shape[1:]))
    return n * float(np.finfo(dtype).eps) * (np.abs(plain) + change)


def main(arguments: Sequence[str]) -> int:
    N = int(arguments[0]) if arguments else 64
    rows = [("network", "largest deviation", "of what is allowed", "minicnn", "torch", "times torch's")]
    for name, network in NETWORKS.items():
        data = batches(network, N, "float32")
        ours(network, data[:2], "float32")  # compiled
        mine = ours(network, data, "float32")
        other = theirs(network, data, "float32", mine.masks)
        apart = np.abs(mine.losses - other.losses)
        share = (apart / allowed(network, N, "float32")).max()
        times = f"{1e3 * mine.seconds:.1f} ms", f"{1e3 * other.seconds:.1f} ms", f"{mine.seconds / other.seconds:.2f}"
        rows.append((name, f"{apart.max():.2g}", f"{share:.2g}", *times))
    print(f"{STEPS} steps of {N} images, float32; a step's time is the median\n")
    print("\n".join(table.lines(rows, "<>>>>>")))
    return 0 if all(float(row[2]) <= 1 for row in rows[1:]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
