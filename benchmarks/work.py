"""What is timed: the layers and the training step of the notebook, shapes from
elsewhere, and the bar beside each.

A work knows its data, how many multiply-adds its definition asks for, and how many
roundings may pile up in one result. It knows nothing of who does it: the contenders
have a method for each `kind` of work.
"""

import inspect
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

import minicnn
from minicnn import geometry
from minicnn.data import MNIST

EAGER, TUNED, COMPILED, TEXTBOOK = "torch eager", "torch tuned", "torch compiled", "minicnn numpy"
OURS = "minicnn numba"  # the one that the bars judge
ONNX_RUNTIME, OPENVINO = "ONNX Runtime", "OpenVINO"
RUNTIME = "the faster runtime"  # of those two, as far as they are installed


class Bar(NamedTuple):
    """`OURS` should take at most `bar` times, and aims at `aim` times, what `against` takes.
    Against `RUNTIME` that is, in each round, whichever of the two took less.
    """

    against: str
    bar: float
    aim: float | None = None


NEVER_SLOWER = Bar(TEXTBOOK, 1.1, 1.0)
STEP = (Bar(EAGER, 0.43, 0.36), Bar(TUNED, 0.58, 0.48), Bar(TEXTBOOK, 1.1, 0.2))
STEP_WITHOUT_REST = (Bar(EAGER, 0.45, 0.38), Bar(TUNED, 0.62, 0.50))
STEP_ON_ONE_THREAD = (Bar(EAGER, 0.60, 0.50),)
STEP_AVX2 = (Bar(EAGER, 0.55, 0.45),)
EPOCH = (Bar(EAGER, 0.48, 0.40), NEVER_SLOWER)
LAYER = (Bar(EAGER, 1.3, 0.8), NEVER_SLOWER)
INFERENCE = {  # by the size of the batch
    1: (Bar(RUNTIME, 1.6, 1.0), Bar(EAGER, 0.40), NEVER_SLOWER),
    64: (Bar(RUNTIME, 1.1, 1.0), Bar(EAGER, 0.45), NEVER_SLOWER),
    1000: (Bar(RUNTIME, 1.1, 1.0), Bar(EAGER, 0.40), NEVER_SLOWER),
}
PYTHON = {"bar": 7, "aim": 4}  # percent of a step that is not compiled code: see `inside`
FIRST_EPOCH = {"bar": 12, "aim": 6}  # seconds, from nothing compiled
ELSEWHERE = (Bar(EAGER, 2.0, 1.0), NEVER_SLOWER)


@dataclass(frozen=True)
class Layer:
    """One layer or loss, forward plus backward, with random data of a fixed seed."""

    kind: ClassVar[str] = "layer"
    name: str
    layer: str  # its name in torch.nn and in minicnn.nn
    args: tuple[Any, ...]
    options: dict[str, Any]
    shape: tuple[int, ...]
    input_grad: bool = True  # the first layer's input is the data, which does not learn
    pooled_grad: bool = False  # the gradient as it leaves pooling and ReLU: 17 % of it is not zero (measured)
    bars: tuple[Bar, ...] = LAYER

    @property
    def title(self) -> str:
        values = [repr(a) for a in self.args] + [f"{k}={v!r}" for k, v in self.options.items()]
        return f"{self.layer}({', '.join(values)}) on {'x'.join(map(str, self.shape))}"

    def build(self, nn: Any) -> Any:
        """The layer itself, from torch.nn or minicnn.nn."""
        return getattr(nn, self.layer)(*self.args, **self.options)

    def weights(self) -> dict[str, np.ndarray]:
        minicnn.manual_seed(0)
        return self.build(minicnn.nn).state_dict()

    def data(self) -> tuple[tuple[np.ndarray, ...], np.ndarray | None]:
        """The inputs, and the gradient that arrives from above (a loss needs none)."""
        rng = np.random.default_rng(0)
        x = rng.standard_normal(self.shape, np.float32)
        if self.layer == "CrossEntropyLoss":
            return (x, rng.integers(self.shape[1], size=self.shape[0])), None
        grad = rng.standard_normal(self.output_shape, np.float32)
        if self.pooled_grad:  # in each 2x2 window one pixel won, and of those ReLU let 68 % through
            N, O, OH, OW = grad.shape
            wins = rng.integers(4, size=(N, O, OH // 2, 1, OW // 2, 1)) == np.arange(4).reshape(2, 1, 2)
            wins &= rng.random((N, O, OH // 2, 1, OW // 2, 1)) < 0.68
            grad *= wins.reshape(grad.shape)
        return (x,), grad

    @property
    def arguments(self) -> dict[str, Any]:
        """All of them by name, those that keep their default too."""
        bound = inspect.signature(getattr(minicnn.nn, self.layer)).bind(*self.args, **self.options)
        bound.apply_defaults()
        return bound.arguments

    @property
    def geometry(self) -> geometry.Geometry | None:
        """Of the convolution, or of the one that a transposed convolution turns round."""
        if self.layer not in ("Conv2d", "ConvTranspose2d"):
            return None
        a = self.arguments
        C, O, G = a["in_channels"], a["out_channels"], a["groups"]
        KH, KW = geometry.pair(a["kernel_size"], "kernel_size", 1, self.layer)
        sliding = {name: a[name] for name in ("stride", "padding", "dilation", "groups")}
        if self.layer == "Conv2d":
            return geometry.conv2d(self.shape, (O, C // G, KH, KW), **sliding)
        sliding["output_padding"] = a["output_padding"]
        return geometry.conv_transpose2d(self.shape, (C, O // G, KH, KW), **sliding)

    @property
    def output_shape(self) -> tuple[int, ...]:
        if self.layer == "ConvTranspose2d":
            return self.geometry.input_shape
        if self.layer == "Conv2d":
            return self.geometry.output_shape
        if self.layer == "MaxPool2d":
            window = {name: value for name, value in self.arguments.items() if name != "return_indices"}
            return geometry.max_pool2d(self.shape, **window).output_shape
        if self.layer == "Linear":
            return *self.shape[:-1], self.arguments["out_features"]
        if self.layer.endswith("Loss"):
            return self.shape
        return self.build(minicnn.nn)(np.zeros(self.shape, np.float32)).shape

    @property
    def forward_multiply_adds(self) -> int:
        """N O OH OW C/G KH KW, or N in out; what only compares and copies counts as nothing."""
        if self.layer == "Linear":
            return math.prod(self.shape) * self.arguments["out_features"]
        g = self.geometry
        return 0 if g is None else g.N * g.O * g.OH * g.OW * (g.C // g.G) * g.KH * g.KW

    @property
    def multiply_adds(self) -> int:
        """Forward, the gradient to the weights, and the gradient to the input where it
        is asked for.
        """
        return self.forward_multiply_adds * (2 + self.input_grad)

    @property
    def roundings(self) -> float:
        """sqrt(n), n the terms in the longest of its sums: see `agreement`."""
        if self.layer == "Linear":
            return math.sqrt(max(math.prod(self.shape[:-1]), self.shape[-1], self.arguments["out_features"]))
        g = self.geometry
        if g is None:
            return math.sqrt(math.prod(self.shape[:2])) if self.layer == "CrossEntropyLoss" else 1.0
        return math.sqrt(max(g.N * g.OH * g.OW, g.N * g.H * g.W, g.C // g.G * g.KH * g.KW, g.O // g.G * g.KH * g.KW))


def notebook(N: int) -> list[Layer]:
    """Each layer of the course's SimpleCNN on its shapes, in the order in which data flows."""
    five = {"padding": 2}
    conv1 = Layer("conv1", "Conv2d", (1, 16, 5), five, (N, 1, 28, 28), input_grad=False)
    conv2 = Layer("conv2", "Conv2d", (16, 32, 5), five, (N, 16, 14, 14))
    return [
        conv1,
        replace(conv1, name="conv1, pooled grad", pooled_grad=True),
        Layer("relu1", "ReLU", (), {}, (N, 16, 28, 28)),
        Layer("pool1", "MaxPool2d", (2,), {}, (N, 16, 28, 28)),
        conv2,
        replace(conv2, name="conv2, pooled grad", pooled_grad=True),
        Layer("relu2", "ReLU", (), {}, (N, 32, 14, 14)),
        Layer("pool2", "MaxPool2d", (2,), {}, (N, 32, 14, 14)),
        Layer("flatten", "Flatten", (), {}, (N, 32, 7, 7)),
        Layer("fc1", "Linear", (1568, 128), {}, (N, 1568)),
        Layer("relu3", "ReLU", (), {}, (N, 128)),
        Layer("fc2", "Linear", (128, 10), {}, (N, 128)),
        Layer("loss", "CrossEntropyLoss", (), {}, (N, 10)),
    ]


def elsewhere(quick: bool = False) -> list[Layer]:
    """Shapes that the notebook does not have; with `quick` one image of each."""

    def layer(name: str, kind: str, args: tuple, options: dict, shape: Sequence[int]) -> Layer:
        return Layer(name, kind, args, options, (1 if quick else shape[0], *shape[1:]), bars=ELSEWHERE)

    down, up = {"stride": 2, "padding": 3}, {"stride": 2, "padding": 1}
    return [
        layer("ResNet 3x3", "Conv2d", (64, 64, 3), {"padding": 1}, (32, 64, 56, 56)),
        layer("ResNet stem", "Conv2d", (3, 64, 7), down, (16, 3, 224, 224)),
        layer("depthwise", "Conv2d", (64, 64, 3), {"padding": 1, "groups": 64}, (32, 64, 56, 56)),
        layer("dilation 2", "Conv2d", (64, 64, 3), {"padding": 2, "dilation": 2}, (32, 64, 56, 56)),
        layer("generator", "ConvTranspose2d", (64, 32, 4), up, (64, 64, 25, 25)),
        layer("ResNet pool", "MaxPool2d", (3,), up, (16, 64, 112, 112)),
    ]


@dataclass(frozen=True)
class Network:
    """What the works on the whole SimpleCNN share."""

    N: int
    bars: tuple[Bar, ...] = ()
    lr: ClassVar[float] = 1e-3

    def weights(self) -> dict[str, np.ndarray]:
        minicnn.manual_seed(0)
        return minicnn.models.SimpleCNN().state_dict()

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """The first N images of MNIST, and their labels."""
        return MNIST().batch(range(self.N))

    @property
    def forward_multiply_adds(self) -> int:
        return sum(layer.forward_multiply_adds for layer in notebook(self.N) if not layer.pooled_grad)

    @property
    def step_multiply_adds(self) -> int:
        return sum(layer.multiply_adds for layer in notebook(self.N) if not layer.pooled_grad)

    @property
    def roundings(self) -> float:
        """The layers' errors add up, on the way there and on the way back."""
        return 2 * sum(layer.roundings for layer in notebook(self.N) if not layer.pooled_grad)


@dataclass(frozen=True)
class Step(Network):
    """One training step of SimpleCNN on N images: forward, loss, backward, Adam."""

    kind: ClassVar[str] = "step"
    name: str = "training step"

    @property
    def title(self) -> str:
        return f"SimpleCNN, batch {self.N}: forward, loss, backward, Adam"

    @property
    def multiply_adds(self) -> int:
        return self.step_multiply_adds


@dataclass(frozen=True)
class Inference(Network):
    """SimpleCNN's logits for N images."""

    kind: ClassVar[str] = "inference"
    name: str = field(default="inference")

    @property
    def title(self) -> str:
        return f"SimpleCNN, batch {self.N}: forward, nothing kept"

    @property
    def multiply_adds(self) -> int:
        return self.forward_multiply_adds


@dataclass(frozen=True)
class Epoch(Network):
    """One epoch in batches of N, as `minicnn.train` and `reference/` do it: loader,
    metrics, validation.
    """

    kind: ClassVar[str] = "epoch"
    name: str = "epoch"
    train_size: int = 5000
    val_size: int = 1000

    @property
    def title(self) -> str:
        return f"{self.train_size:,} images in batches of {self.N}, then {self.val_size:,} to validate"

    @property
    def multiply_adds(self) -> int:
        per_step, per_forward = self.step_multiply_adds // self.N, self.forward_multiply_adds // self.N
        return per_step * self.train_size + per_forward * self.val_size


Work = Layer | Step | Inference | Epoch
