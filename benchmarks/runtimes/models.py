"""What is exported: each kind of layer with each argument, the networks, random layers."""

from collections.abc import Iterator

import numpy as np

import minicnn
from minicnn import models, nn
from minicnn.onnx.nodes import NODES

Case = tuple[str, nn.Module, np.ndarray]  # its name, the model in eval(), a batch for it


def kinds() -> Iterator[Case]:
    """The same ones each time."""
    minicnn.manual_seed(0)
    rng = np.random.default_rng(0)
    for shape, layers in _LAYERS.items():
        for text in layers:
            layer = eval(f"nn.{text}", {"nn": nn})
            yield text, _worn(layer, rng), rng.standard_normal(shape, np.float32)
    networks = {"SimpleCNN()": (1, 28, 28), "ParityCNN()": (1, 28, 28), "Generator()": (16,)}
    for text, shape in networks.items():
        network = getattr(models, text[:-2])()
        yield text, network.eval(), rng.standard_normal((3, *shape), np.float32)
    chain = nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1, stride=2), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True),
        nn.ConvTranspose2d(6, 3, 3, 2, 1, 1), nn.Sigmoid(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 4),
    )  # fmt: skip
    yield "a chain of nine layers", _worn(chain, rng), rng.standard_normal((3, 2, 11, 13), np.float32)


def _worn(model: nn.Module, rng: np.random.Generator) -> nn.Module:
    """In eval(), with running statistics that are not those of a new layer."""
    for name, array in model.state_dict().items():
        if name.endswith("running_mean"):
            array[...] = rng.standard_normal(array.shape)
        elif name.endswith("running_var"):
            array[...] = 0.5 + rng.random(array.shape)
    return model.eval()


_LAYERS = {
    (3, 4, 9, 8): (
        "Conv2d(4, 6, 3)",
        "Conv2d(4, 6, 1)",
        "Conv2d(4, 6, (2, 5))",
        "Conv2d(4, 6, 3, bias=False)",
        "Conv2d(4, 6, 3, stride=2)",
        "Conv2d(4, 6, 3, stride=(2, 3))",
        "Conv2d(4, 6, 3, padding=1)",
        "Conv2d(4, 6, (3, 5), padding=(1, 2))",
        "Conv2d(4, 6, 3, padding='same')",
        "Conv2d(4, 6, (2, 4), padding='same')",
        "Conv2d(4, 6, (2, 4), padding='same', dilation=(3, 1))",
        "Conv2d(4, 6, 3, padding='valid')",
        "Conv2d(4, 6, 3, dilation=2)",
        "Conv2d(4, 6, 3, dilation=(1, 3))",
        "Conv2d(4, 6, 3, groups=2)",
        "Conv2d(4, 8, 3, groups=4)",
        "Conv2d(4, 6, 3, padding=2, padding_mode='reflect')",
        "Conv2d(4, 6, 3, padding=2, padding_mode='replicate')",
        "Conv2d(4, 6, 3, padding=2, padding_mode='circular')",
        "Conv2d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2)",
        "ConvTranspose2d(4, 6, 3)",
        "ConvTranspose2d(4, 6, 1)",
        "ConvTranspose2d(4, 6, (2, 5))",
        "ConvTranspose2d(4, 6, 3, bias=False)",
        "ConvTranspose2d(4, 6, 3, stride=2)",
        "ConvTranspose2d(4, 6, 3, stride=(2, 3))",
        "ConvTranspose2d(4, 6, 3, padding=1)",
        "ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1)",
        "ConvTranspose2d(4, 6, 2, stride=3, output_padding=(2, 1))",
        "ConvTranspose2d(4, 6, 3, dilation=2)",
        "ConvTranspose2d(4, 6, 3, dilation=3, output_padding=2)",
        "ConvTranspose2d(4, 6, 3, groups=2)",
        "ConvTranspose2d(4, 8, 4, stride=2, padding=1, groups=4)",
        "MaxPool2d(2)",
        "MaxPool2d((3, 2))",
        "MaxPool2d(3, stride=2)",
        "MaxPool2d(3, stride=(1, 2))",
        "MaxPool2d(3, stride=2, padding=1)",
        "MaxPool2d(2, ceil_mode=True)",
        "MaxPool2d(3, stride=2, padding=1, ceil_mode=True)",
        "MaxPool2d(2, dilation=2)",
        "MaxPool2d(2, stride=1, dilation=(3, 1))",
        "MaxPool2d(2, 2, padding=1, dilation=2, ceil_mode=True)",
        "MaxPool2d(3, 3, padding=1, dilation=2)",
        "AvgPool2d(2)",
        "AvgPool2d((3, 2))",
        "AvgPool2d(3, stride=2, padding=1)",
        "AvgPool2d(3, stride=2, padding=1, count_include_pad=False)",
        "AvgPool2d(2, ceil_mode=True)",
        "AvgPool2d(3, stride=2, padding=1, ceil_mode=True)",
        "AvgPool2d(2, divisor_override=3)",
        "AdaptiveAvgPool2d(1)",
        "AdaptiveAvgPool2d((3, 2))",
        "BatchNorm2d(4)",
        "BatchNorm2d(4, affine=False)",
        "BatchNorm2d(4, eps=0.1)",
        "LayerNorm((9, 8))",
        "LayerNorm(8, elementwise_affine=False)",
        "LayerNorm(8, bias=False)",
        "ReLU()",
        "LeakyReLU()",
        "LeakyReLU(0.3)",
        "GELU()",
        "GELU('tanh')",
        "Softmax(1)",
        "Softmax(3)",
        "LogSoftmax(1)",
        "Upsample(scale_factor=2)",
        "Upsample(scale_factor=(3, 2))",
        "Sigmoid()",
        "Tanh()",
        "Identity()",
        "Dropout(0.5)",
        "Dropout2d(0.5)",
        "Flatten()",
        "Flatten(2)",
        "Flatten(1, 2)",
        "Unflatten(1, (2, 2))",
        "Linear(8, 3)",
    ),
    (3, 12): (
        "Linear(12, 5)",
        "Linear(12, 5, bias=False)",
        "Unflatten(1, (3, 2, 2))",
        "ReLU()",
        "LayerNorm(12)",
    ),
}


def left_out() -> list[str]:
    """Layers that can be exported and stand in no kind."""
    written = " ".join(text for texts in _LAYERS.values() for text in texts)
    return [layer.__name__ for layer in NODES if f"{layer.__name__}(" not in written]


def random_layers(count: int, seed: int = 0) -> Iterator[Case]:
    """Convolutions, transposed ones, poolings and Linear, with all their arguments drawn."""
    minicnn.manual_seed(seed)
    rng = np.random.default_rng(seed)
    made = 0
    while made < count:
        text, shape = _DRAWS[made % len(_DRAWS)](rng)
        x = rng.standard_normal(shape, np.float32)
        try:
            layer = eval(f"nn.{text}", {"nn": nn}).eval()
            layer(x)
        except (ValueError, RuntimeError):  # such a layer cannot be, or not on this picture
            continue
        made += 1
        yield text, layer, x


def _two(rng: np.random.Generator, low: int, high: int) -> tuple[int, int]:
    first, second = rng.integers(low, high, 2, endpoint=True)
    return int(first), int(second)


def _picture(rng: np.random.Generator, channels: int) -> tuple[int, ...]:
    return int(rng.integers(1, 4)), channels, *_two(rng, 1, 16)


def _conv2d(rng: np.random.Generator) -> tuple[str, tuple[int, ...]]:
    G, C, O = (int(n) for n in rng.integers(1, 4, 3))
    mode = str(rng.choice(["zeros", "zeros", "zeros", "reflect", "replicate"]))
    options = f"stride={_two(rng, 1, 3)}, padding={_two(rng, 0, 3)}, dilation={_two(rng, 1, 3)}, groups={G}"
    options += f", bias={rng.random() < 0.7}, padding_mode={mode!r}"
    return f"Conv2d({G * C}, {G * O}, {_two(rng, 1, 5)}, {options})", _picture(rng, G * C)


def _conv_transpose2d(rng: np.random.Generator) -> tuple[str, tuple[int, ...]]:
    G, C, O = (int(n) for n in rng.integers(1, 4, 3))
    options = f"stride={_two(rng, 1, 3)}, padding={_two(rng, 0, 2)}, output_padding={_two(rng, 0, 2)}"
    options += f", groups={G}, bias={rng.random() < 0.7}, dilation={_two(rng, 1, 3)}"
    return f"ConvTranspose2d({G * C}, {G * O}, {_two(rng, 1, 4)}, {options})", _picture(rng, G * C)


def _max_pool2d(rng: np.random.Generator) -> tuple[str, tuple[int, ...]]:
    options = f"stride={_two(rng, 1, 3)}, padding={_two(rng, 0, 2)}, dilation={_two(rng, 1, 3)}"
    return f"MaxPool2d({_two(rng, 1, 4)}, {options}, ceil_mode={rng.random() < 0.5})", _picture(rng, 3)


def _avg_pool2d(rng: np.random.Generator) -> tuple[str, tuple[int, ...]]:
    options = f"stride={_two(rng, 1, 3)}, padding={_two(rng, 0, 2)}, ceil_mode={rng.random() < 0.5}"
    return f"AvgPool2d({_two(rng, 1, 4)}, {options}, count_include_pad={rng.random() < 0.5})", _picture(rng, 3)


def _linear(rng: np.random.Generator) -> tuple[str, tuple[int, ...]]:
    features, outputs = _two(rng, 1, 60)
    leading = _two(rng, 1, 4)[: int(rng.integers(1, 3))]
    return f"Linear({features}, {outputs}, bias={rng.random() < 0.7})", (*leading, features)


_DRAWS = (_conv2d, _conv_transpose2d, _max_pool2d, _avg_pool2d, _linear)
