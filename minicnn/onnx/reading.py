"""Models from other frameworks: `minicnn.onnx.load(path)` makes a `Sequential` of a chain
of nodes (`graph`).

Names tell nothing: an exporter that folds BatchNorm into a convolution keeps the old weight's
name. So what a node computes is all that counts.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from . import external
from .graph import JOINS, Node, nodes
from .writing import _onnx


def load(path: str | Path) -> nn.Sequential:
    """The network in an ONNX file, as a `Sequential` in eval mode; needs the extra `onnx`.

    Read are chains of convolutions, transposed convolutions, poolings, linear layers,
    activation functions, softmax, resizing and reshaping, as torch's two exporters, Keras
    and skl2onnx write them, and as `export` does. A sum of two branches is a Residual, branches
    side by side are a Concat. Dropout is left out. BatchNormalization
    behind a convolution or a linear layer is folded into it, elsewhere it is a BatchNorm2d.
    Weights in a file of their own (`model.onnx.data`) are found beside the model, and only
    there; a size that their shape does not ask for is refused before anything is read.

    Raises ValueError with the name of the node that has no counterpart here or leaves the
    chain, or where the file is no ONNX model; FileNotFoundError; ImportError without the
    package onnx.
    """
    onnx = _onnx()
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file.")
    try:
        model = onnx.load(str(path), load_external_data=False)
        external.check(onnx, model, path)
        onnx.external_data_helper.load_external_data_for_model(model, str(path.parent))
        onnx.checker.check_model(model)
        model = onnx.shape_inference.infer_shapes(model)
    except Exception as error:  # protobuf and the checker raise kinds of their own
        reason = str(error).strip().split("\n")[0]
        raise ValueError(f"{path} is not a whole ONNX model: {reason}") from error
    try:
        made = layers(nodes(onnx, model.graph))
        if not made:
            raise ValueError("the model has no layers.")
        network = nn.Sequential(*made)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error
    network.eval()
    return network


def layers(chain: Sequence[Node]) -> list[nn.Module]:
    """The layers of a chain, in order."""
    made: list[nn.Module] = []
    for node in chain:
        if node.op in ("Identity", "Dropout"):
            continue
        if node.branches:
            made.append(concat(node) if node.op == "Concat" else residual(node))
        elif node.op in ("Add", "BatchNormalization"):
            fold(node, made)
        elif node.op in MAKERS:
            made.append(MAKERS[node.op](node))
        else:
            known = ", ".join([*MAKERS, *JOINS, "BatchNormalization"])
            raise node.refuse(f"has no counterpart here; these have: {known}.")
    return made


def one_layer(branch: Sequence[Node]) -> nn.Module:
    """A branch of a join as one module."""
    made = layers(branch)
    return made[0] if len(made) == 1 else nn.Sequential(*made) if made else nn.Identity()


def residual(node: Node) -> nn.Module:
    """A sum of two branches; one may be the value itself."""
    if len(node.branches) != 2 or node.constants:
        raise node.refuse("expected a sum of two.")
    body, shortcut = (layers(branch) for branch in node.branches)
    if not body:
        body, shortcut = shortcut, body
    if not shortcut:
        return nn.Residual(*(body or [nn.Identity()]))
    return nn.Residual(*body, shortcut=shortcut[0] if len(shortcut) == 1 else nn.Sequential(*shortcut))


def concat(node: Node) -> nn.Module:
    if node.constants:
        raise node.refuse("puts constants beside what it is given, which no layer here does.")
    return nn.Concat(*(one_layer(branch) for branch in node.branches), dim=node.attributes["axis"])


# ------------------------------------------------------------------------ nodes as layers


def put(layer: nn.Module, **arrays: np.ndarray) -> nn.Module:
    layer.load_state_dict({name: np.array(array, order="C") for name, array in arrays.items()})
    return layer


def window(node: Node, kernel: Sequence[int]) -> dict[str, Any]:
    """Kernel size, stride, dilation and padding, which must be the same at both ends, or
    what auto_pad says.
    """
    stride = tuple(node.attributes.get("strides", (1, 1)))
    dilation = tuple(node.attributes.get("dilations", (1, 1)))
    options = {"kernel_size": tuple(kernel), "stride": stride, "dilation": dilation}
    if len(kernel) != 2:
        raise node.refuse(f"works on {len(kernel)} dimensions; here all work on two, height and width.")
    auto = node.attributes.get("auto_pad", b"NOTSET").decode()
    pads = list(node.attributes.get("pads", (0, 0, 0, 0)))
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        pads = same_pads(node, kernel, stride, dilation, auto == "SAME_LOWER")
    top, left, bottom, right = pads
    if (top, left) != (bottom, right):
        small = [(k - 1) * d // 2 for k, d in zip(kernel, dilation, strict=True)]
        whole = [(k - 1) * d - p for k, d, p in zip(kernel, dilation, small, strict=True)]
        if node.op == "Conv" and stride == (1, 1) and pads == [*small, *whole]:
            return options | {"padding": "same"}
        raise node.refuse(f"pads {pads}, more at one end than at the other, which no layer here does.")
    return options | {"padding": (top, left)}


def same_pads(
    node: Node, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int], lower: bool
) -> list[int]:
    sizes = node.shape[2:]
    begin, end = [], []
    for k, s, d, n in zip(kernel, stride, dilation, sizes or (None, None), strict=True):
        if n is None and s != 1:
            raise node.refuse("has auto_pad and a stride, and the file does not say how large its input is.")
        out = 0 if n is None else -(-n // s)
        total = (k - 1) * d if n is None else max(0, (out - 1) * s + (k - 1) * d + 1 - n)
        begin.append(total - total // 2 if lower else total // 2)
        end.append(total - begin[-1])
    return [*begin, *end]


def conv2d(node: Node) -> nn.Module:
    weight, *bias = node.constants
    O, CG = weight.shape[:2]
    G = node.attributes.get("group", 1)
    options = window(node, weight.shape[2:])
    layer = nn.Conv2d(CG * G, O, **options, groups=G, bias=bool(bias), dtype=weight.dtype)
    return put(layer, weight=weight, **({"bias": bias[0]} if bias else {}))


def conv_transpose2d(node: Node) -> nn.Module:
    weight, *bias = node.constants
    C, OG = weight.shape[:2]
    G = node.attributes.get("group", 1)
    if node.attributes.get("auto_pad", b"NOTSET") != b"NOTSET" or "output_shape" in node.attributes:
        raise node.refuse("asks for an output size; expected pads and output_padding.")
    options = window(node, weight.shape[2:])
    extra = tuple(node.attributes.get("output_padding", (0, 0)))
    layer = nn.ConvTranspose2d(
        C, OG * G, **options, output_padding=extra, groups=G, bias=bool(bias), dtype=weight.dtype
    )
    return put(layer, weight=weight, **({"bias": bias[0]} if bias else {}))


def max_pool2d(node: Node) -> nn.Module:
    options = window(node, node.attributes["kernel_shape"])
    return nn.MaxPool2d(**options, ceil_mode=bool(node.attributes.get("ceil_mode", 0)))


def avg_pool2d(node: Node) -> nn.Module:
    options = window(node, node.attributes["kernel_shape"])
    if options.pop("dilation") != (1, 1):
        raise node.refuse("has a dilation, which no average pooling has here.")
    ceil_mode = bool(node.attributes.get("ceil_mode", 0))
    return nn.AvgPool2d(
        **options, ceil_mode=ceil_mode, count_include_pad=bool(node.attributes.get("count_include_pad", 0))
    )


def upsample(node: Node) -> nn.Module:
    """Resize to sizes or by factors, with the places that torch has."""
    constants = [array for array in node.constants if array.size]  # a region of interest is empty
    mode = node.attributes.get("mode", b"nearest").decode()
    places = node.attributes.get("coordinate_transformation_mode", b"half_pixel").decode()
    nearest = node.attributes.get("nearest_mode", b"round_prefer_floor").decode()
    half = ("half_pixel", "pytorch_half_pixel")  # which differ for an output of one pixel alone
    read = {
        **{("linear", name): ("bilinear", False) for name in half},
        ("linear", "align_corners"): ("bilinear", True),
        ("nearest", "asymmetric"): ("nearest", None),
    }
    if (mode, places) not in read or (mode == "nearest" and nearest != "floor") or len(constants) != 1:
        raise node.refuse(f"resizes by mode {mode}, {places}, {nearest}, which no layer here does.")
    kind, align_corners = read[mode, places]
    last: list[Any] = constants[0].tolist()
    if len(last) != 4 or (isinstance(last[0], float) and last[:2] != [1, 1]):
        raise node.refuse(f"resizes by {last}; expected height and width alone.")
    given: dict[str, Any] = {"size" if isinstance(last[0], int) else "scale_factor": tuple(last[2:])}
    return nn.Upsample(**given, mode=kind, align_corners=align_corners)


def linear(weight: np.ndarray, bias: np.ndarray | None = None) -> nn.Module:
    O, I = weight.shape
    layer = nn.Linear(I, O, bias=bias is not None, dtype=weight.dtype)
    return put(layer, weight=weight, **({} if bias is None else {"bias": np.broadcast_to(bias.reshape(-1), (O,))}))


def gemm(node: Node) -> nn.Module:
    weight, *bias = node.constants
    if node.attributes.get("transA", 0):
        raise node.refuse("transposes its input.")
    weight = weight if node.attributes.get("transB", 0) else weight.T
    alpha, beta = node.attributes.get("alpha", 1.0), node.attributes.get("beta", 1.0)
    weight = weight * weight.dtype.type(alpha)
    return linear(weight, bias[0] * bias[0].dtype.type(beta) if bias else None)


def mat_mul(node: Node) -> nn.Module:
    if len(node.constants) != 1 or node.constants[0].ndim != 2:
        raise node.refuse("does not multiply by one constant matrix.")
    return linear(node.constants[0].T)


def flatten(node: Node) -> nn.Module:
    if node.attributes.get("axis", 1) != 1:
        raise node.refuse("flattens the batch too.")
    return nn.Flatten()


def reshape(node: Node) -> nn.Module:
    if len(node.constants) != 1:
        raise node.refuse("takes its sizes from another node; expected constants.")
    batch, *sizes = node.constants[0].tolist()
    known = len(node.shape) > 1 and None not in node.shape[1:]
    whole = known and math.prod(sizes) == math.prod(n or 0 for n in node.shape[1:])
    fixed = batch > 0 and (whole or sizes == [-1])  # a batch of a fixed size may have any
    if not sizes or 0 in sizes or not (fixed or batch in (0, -1)):
        raise node.refuse(f"reshapes to {[batch, *sizes]}; expected 0 or -1 for the batch, which may have any size.")
    if len(sizes) == 1:
        return nn.Flatten()
    if len(node.shape) not in (0, 2):
        raise node.refuse(f"reshapes {len(node.shape)} dimensions to {len(sizes) + 1}.")
    return nn.Unflatten(1, tuple(sizes))


def fold(node: Node, made: list[nn.Module]) -> None:
    """Adds or scales what the last layer, a convolution or a linear one, gives, by
    changing its parameters.
    """
    last: Any = made[-1] if made else None
    if node.op == "BatchNormalization" and not isinstance(last, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        made.append(batch_norm2d(node))
        return
    if not isinstance(last, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        raise node.refuse("stands behind no convolution or linear layer, with which it could be one.")
    weight = last.weight.data.astype(np.float64)
    O = last.out_features if isinstance(last, nn.Linear) else last.out_channels
    bias = np.zeros(O) if last.bias is None else last.bias.data.astype(np.float64)
    if node.op == "Add":
        scale, shift = np.ones(O), per_channel(node, node.constants[-1], O, isinstance(last, nn.Linear))
    else:
        gain, offset, mean, variance = (array.astype(np.float64) for array in node.constants)
        scale = gain / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
        shift = offset - mean * scale
    made[-1] = with_parameters(last, weight, scale, bias * scale + shift)


def batch_norm2d(node: Node) -> nn.Module:
    """One that has no layer before it, with which it could be one."""
    weight, bias, mean, variance = node.constants
    if len(node.shape) not in (0, 4):
        raise node.refuse(f"normalises {len(node.shape)} dimensions; expected (N, C, H, W).")
    layer = nn.BatchNorm2d(len(weight), eps=node.attributes.get("epsilon", 1e-5), dtype=weight.dtype)
    arrays = {"weight": weight, "bias": bias, "running_mean": mean, "running_var": variance}
    return put(layer, **arrays, num_batches_tracked=np.array(0))


def with_parameters(layer: Any, weight: np.ndarray, scale: np.ndarray, bias: np.ndarray) -> nn.Module:
    """Such a layer with its outputs scaled and another bias."""
    dtype = layer.weight.data.dtype
    if isinstance(layer, nn.Linear):
        return linear((weight * scale[:, None]).astype(dtype), bias.astype(dtype))
    names = ("kernel_size", "stride", "padding", "dilation", "groups")
    options = {name: getattr(layer, name) for name in names}
    if isinstance(layer, nn.ConvTranspose2d):
        G = layer.groups
        per_group = scale.reshape(G, 1, -1, 1, 1)  # the weight is (C, O/G, KH, KW)
        weight = (weight.reshape(G, -1, *weight.shape[1:]) * per_group).reshape(weight.shape)
        options["output_padding"] = layer.output_padding
    else:
        weight = weight * scale[:, None, None, None]
    made = type(layer)(layer.in_channels, layer.out_channels, **options, bias=True, dtype=dtype)
    return put(made, weight=weight.astype(dtype), bias=bias.astype(dtype))


def per_channel(node: Node, array: np.ndarray, O: int, last: bool) -> np.ndarray:
    """What is added to each of O channels, which are the last axis or the one before
    height and width.
    """
    wanted = (O,) if last else (O, 1, 1)
    sizes = tuple(n for n in array.shape)
    while len(sizes) > len(wanted) and sizes[0] == 1:
        sizes = sizes[1:]
    if sizes not in (wanted, ()) and not (len(sizes) <= len(wanted) and all(n == 1 for n in sizes)):
        raise node.refuse(f"adds an array of shape {array.shape}; expected a number for each of {O} channels.")
    return np.broadcast_to(array.reshape(-1).astype(np.float64), (O,))


def pointwise(kind: type[nn.Module]) -> Callable[[Node], nn.Module]:
    return lambda node: kind()


def softmax(kind: type[nn.Softmax]) -> Callable[[Node], nn.Module]:
    def make(node: Node) -> nn.Module:
        axis = node.attributes.get("axis", -1)
        n = len(node.shape)
        if n and not -n <= axis < n:
            raise node.refuse(f"adds up along axis {axis} of {n} dimensions.")
        return kind(axis)

    return make


MAKERS: dict[str, Callable[[Node], nn.Module]] = {
    "Conv": conv2d,
    "ConvTranspose": conv_transpose2d,
    "MaxPool": max_pool2d,
    "AveragePool": avg_pool2d,
    "GlobalAveragePool": lambda node: nn.AdaptiveAvgPool2d(1),
    "Resize": upsample,
    "Gemm": gemm,
    "MatMul": mat_mul,
    "Flatten": flatten,
    "Reshape": reshape,
    "LeakyRelu": lambda node: nn.LeakyReLU(node.attributes.get("alpha", 0.01)),
    "Gelu": lambda node: nn.GELU(node.attributes.get("approximate", b"none").decode()),
    "Softmax": softmax(nn.Softmax),
    "LogSoftmax": softmax(nn.LogSoftmax),
    "Relu": pointwise(nn.ReLU),
    "Sigmoid": pointwise(nn.Sigmoid),
    "Tanh": pointwise(nn.Tanh),
}
