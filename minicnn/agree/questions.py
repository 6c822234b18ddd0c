"""What a subject is asked: one configuration with its arrays, from one pixel and small
integers up to larger ones.

The right answer and its bound come from the textbook kernels in float64, or from torch.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np

import minicnn
from minicnn import geometry
from minicnn.nn import Parameter
from minicnn.nn import functional as F

from . import bounds
from .backwards import channels, window
from .choices import Choices
from .subject import LOSSES

SUMS = ("conv2d", "conv_transpose2d", "linear")


class Offer(NamedTuple):
    """What the subject's functions take: the names of their options, and which of these
    may be pairs, or words; whether arrays are float32 alone, and kernels square.
    """

    options: frozenset[str]
    pairs: frozenset[str] = frozenset()
    float32: bool = False
    square: bool = False
    words: frozenset[str] = frozenset()  # where "same" and "valid" are understood


class Question(NamedTuple):
    """One configuration of one operation."""

    operation: str
    arrays: dict[str, np.ndarray]
    options: dict[str, Any]
    terms: tuple[int, ...] = ()  # the largest number of products in a sum: of the output, then of each gradient

    @property
    def dtype(self) -> np.dtype:
        return next(iter(self.arrays.values())).dtype

    @property
    def rates(self) -> list[float]:
        """The learning rate of each of an optimiser's steps."""
        return list(np.broadcast_to(self.options["lr"], len(self.arrays["grads"])).tolist())

    def doubled(self) -> "Question":
        """The same in float64."""
        return self.cast(np.float64)

    def cast(self, dtype: type) -> "Question":
        """The same with all its real numbers in `dtype`."""
        arrays = {name: a.astype(dtype) if a.dtype.kind == "f" else a for name, a in self.arrays.items()}
        return self._replace(arrays=arrays)


def draw(operation: str, choices: Choices, level: int, offer: Offer) -> Question:
    """Level 0 has one to three pixels and channels, level 2 up to twenty."""
    size = choices.integer(0, level)
    question = _DRAWS[operation](choices, size, offer)
    return question.cast(np.float32) if offer.float32 else question


def _pair(choices: Choices, low: int, high: int, name: str, offer: Offer, otherwise: int) -> tuple[int, int]:
    """Two numbers for an argument, as different as the subject can take them."""
    if name not in offer.options:
        return otherwise, otherwise
    first = choices.integer(low, high)
    return (first, choices.integer(low, high)) if name in offer.pairs else (first, first)


def _spelled(name: str, value: tuple[int, int], offer: Offer) -> dict[str, Any]:
    if name not in offer.options:
        return {}
    return {name: value if name in offer.pairs else value[0]}


def _values(choices: Choices, kind: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    rng = np.random.default_rng(choices.integer(0, 999))
    if kind == 0:
        return np.asarray(rng.integers(-3, 4, shape), dtype)
    return np.asarray(rng.standard_normal(shape) * 10.0 ** choices.integer(-2, 2), dtype)


def _arrays(choices: Choices, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    kind = choices.integer(0, 1)
    dtype = choices.pick("float64", "float32")
    return {name: _values(choices, kind, shape, dtype) for name, shape in shapes.items()}


def _conv2d(choices: Choices, size: int, offer: Offer) -> Question:
    most = (2, 3, 8)[size]
    N = choices.integer(1, most)
    G, C, O = channels(choices.integer, most, 3 if "groups" in offer.options else 1)
    KH, KW = choices.pair(1, (2, 3, 5)[size])
    KW = KH if offer.square else KW
    SH, SW = _pair(choices, 1, 3, "stride", offer, 1)
    DH, DW = _pair(choices, 1, 3, "dilation", offer, 1)
    padding = (1, 2, 4)[size] if "padding" in offer.options else 0
    largest = (2, 4, 12)[size]
    OH, _, PH, H = window(choices.integer, KH, SH, DH, padding, largest=largest)
    OW, _, PW, W = window(choices.integer, KW, SW, DW, padding, largest=largest)
    if "padding" not in offer.pairs:  # one number: more of it makes the output larger
        PH = PW = max(PH, PW)
        OH = (H + 2 * PH - DH * (KH - 1) - 1) // SH + 1
        OW = (W + 2 * PW - DW * (KW - 1) - 1) // SW + 1
    named = {"stride": (SH, SW), "padding": (PH, PW), "dilation": (DH, DW)}
    options = {name: value for key, pair in named.items() for name, value in _spelled(key, pair, offer).items()}
    if "groups" in offer.options:
        options["groups"] = G
    word = choices.pick(None, None, "valid", "same") if "padding" in offer.words else None
    if word == "same":
        options["stride"] = 1
    if word is not None:
        options["padding"] = word
        options = {name: value for name, value in options.items() if name in offer.options}
        g = geometry.conv2d((N, C, H + 9, W + 9), (O, C // G, KH, KW), **options)
        H, W, OH, OW = g.H, g.W, g.OH, g.OW
    shapes = {"input": (N, C, H, W), "weight": (O, C // G, KH, KW), "bias": (O,), "grad_output": (N, O, OH, OW)}
    if "bias" not in offer.options:
        del shapes["bias"]
    terms = (C // G * KH * KW + 1, O // G * KH * KW, N * OH * OW, N * OH * OW)
    return Question("conv2d", _arrays(choices, shapes), options, terms)


def _conv_transpose2d(choices: Choices, size: int, offer: Offer) -> Question:
    most = (2, 3, 8)[size]
    N = choices.integer(1, most)
    G, C, O = channels(choices.integer, most, 3 if "groups" in offer.options else 1)
    H, W = choices.pair(1, (2, 4, 8)[size])
    KH, KW = choices.pair(1, (2, 3, 4)[size])
    SH, SW = _pair(choices, 1, 3, "stride", offer, 1)
    DH, DW = _pair(choices, 1, 2, "dilation", offer, 1)
    full = ((H - 1) * SH + DH * (KH - 1) + 1, (W - 1) * SW + DW * (KW - 1) + 1)
    most_padding = min(2, (min(full) - 1) // 2)
    PH, PW = _pair(choices, 0, most_padding, "padding", offer, 0)
    named = {"stride": (SH, SW), "padding": (PH, PW), "dilation": (DH, DW)}
    options = {name: value for key, pair in named.items() for name, value in _spelled(key, pair, offer).items()}
    if "groups" in offer.options:
        options["groups"] = G
    OPH, OPW = 0, 0
    if "output_padding" in offer.options:
        OPH, OPW = choices.integer(0, SH - 1), choices.integer(0, SW - 1)
        if "output_padding" not in offer.pairs:
            OPH = OPW = min(OPH, OPW)
        options |= _spelled("output_padding", (OPH, OPW), offer)
    output = (N, O, full[0] - 2 * PH + OPH, full[1] - 2 * PW + OPW)
    shapes = {"input": (N, C, H, W), "weight": (C, O // G, KH, KW), "bias": (O,), "grad_output": output}
    if "bias" not in offer.options:
        del shapes["bias"]
    terms = (C // G * KH * KW + 1, O // G * KH * KW, N * H * W, N * output[2] * output[3])
    return Question("conv_transpose2d", _arrays(choices, shapes), options, terms)


def _linear(choices: Choices, size: int, offer: Offer) -> Question:
    most = (3, 5, 60)[size]
    N = choices.integer(1, most)
    features, outputs = choices.pair(1, most)
    shapes = {"input": (N, features), "weight": (outputs, features), "bias": (outputs,), "grad_output": (N, outputs)}
    if "bias" not in offer.options:
        del shapes["bias"]
    return Question("linear", _arrays(choices, shapes), {}, (features + 1, outputs, N, N))


def _max_pool2d(choices: Choices, size: int, offer: Offer) -> Question:
    N, C = choices.pair(1, (2, 3, 8)[size])
    KH, KW = choices.pair(1, 3)
    KH, KW = (KH, KW) if "kernel_size" in offer.pairs else (KH, KH)
    given = _pair(choices, 0, 3, "stride", offer, 0)  # 0: the window's size; two of them: not given
    SH, SW = given[0] or KH, given[1] or KW
    DH, DW = _pair(choices, 1, 2, "dilation", offer, 1)
    padding = "padding" in offer.options
    largest = (2, 4, 9)[size]
    _, _, PH, H = window(choices.integer, KH, SH, DH, KH // 2 if padding else 0, largest=largest)
    _, _, PW, W = window(choices.integer, KW, SW, DW, KW // 2 if padding else 0, largest=largest)
    if padding and "padding" not in offer.pairs:
        PH = PW = min(max(PH, PW), min(KH, KW) // 2)
    H, W = max(H, DH * KH - 2 * PH, DH), max(W, DW * KW - 2 * PW, DW)  # each window sees a pixel of the image
    options: dict[str, Any] = {"kernel_size": (KH, KW) if "kernel_size" in offer.pairs else KH}
    if any(given):
        options |= _spelled("stride", (SH, SW), offer)
    options |= _spelled("padding", (PH, PW), offer)
    options |= _spelled("dilation", (DH, DW), offer)
    if "ceil_mode" in offer.options:
        options["ceil_mode"] = choices.pick(False, True)
    output = geometry.max_pool2d((N, C, H, W), **options).output_shape
    arrays = _arrays(choices, {"input": (N, C, H, W), "grad_output": output})
    return Question("max_pool2d", arrays, options, (1, KH * KW))


def _pointwise(name: str):
    def made(choices: Choices, size: int, offer: Offer) -> Question:
        shape = choices.pair(1, (2, 4, 20)[size])
        return Question(name, _arrays(choices, {"input": shape, "grad_output": shape}), {})

    return made


def _cross_entropy(choices: Choices, size: int, offer: Offer) -> Question:
    N, C = choices.pair(1, (3, 5, 40)[size])
    arrays = _arrays(choices, {"input": (N, C)})
    shift = choices.pick(0, 0, 0, 1000)  # no probability changes by it, but exp(1000) overflows
    x = np.clip(arrays["input"], -20, 20) + arrays["input"].dtype.type(shift)
    rng = np.random.default_rng(choices.integer(0, 999))
    target = rng.integers(0, C, N)
    options = _reduction(choices, offer)
    if "label_smoothing" in offer.options:
        options["label_smoothing"] = choices.pick(0.0, 0.0, 0.25)
    if "ignore_index" in offer.options and choices.integer(0, 1):
        options["ignore_index"] = int(target[0]) if (target != target[0]).any() else -100
    arrays = {"input": x, "target": target, "grad_output": _upstream(choices, options, (N,), x.dtype)}
    if "weight" in offer.options and choices.integer(0, 1):
        arrays["weight"] = rng.integers(1, 5, C).astype(x.dtype) / 2
    return Question("cross_entropy", arrays, options)


def _reduction(choices: Choices, offer: Offer) -> dict[str, Any]:
    return {"reduction": choices.pick("mean", "sum", "none")} if "reduction" in offer.options else {}


def _upstream(choices: Choices, options: dict[str, Any], shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """The gradient with respect to the loss: one number, or one for each of them."""
    if options.get("reduction") == "none":
        return _values(choices, 0, shape, str(dtype))
    return np.asarray(choices.pick(1, 2, -3), dtype)


def _element_loss(name: str):
    """A loss of each element by itself."""

    def made(choices: Choices, size: int, offer: Offer) -> Question:
        shape = choices.pair(1, (2, 4, 20)[size])
        arrays = _arrays(choices, {"input": shape, "target": shape})
        x, rng = arrays["input"], np.random.default_rng(choices.integer(0, 999))
        if name.startswith("binary"):
            arrays["target"] = rng.integers(0, 2, shape).astype(x.dtype)
        if name == "binary_cross_entropy":
            arrays["input"] = rng.integers(1, 64, shape).astype(x.dtype) / 64  # not 0 or 1: no logarithm of 0
        options = _reduction(choices, offer)
        arrays["grad_output"] = _upstream(choices, options, shape, x.dtype)
        for option in ("weight", "pos_weight"):
            if option in offer.options and choices.integer(0, 1):
                arrays[option] = rng.integers(1, 5, shape).astype(x.dtype) / 2
        return Question(name, arrays, options)

    return made


def _optimiser(name: str):
    def made(choices: Choices, size: int, offer: Offer) -> Question:
        n, steps = choices.integer(1, (2, 4, 30)[size]), choices.integer(1, 4)
        options: dict[str, Any] = {"lr": choices.pick(0.5, 0.001)}
        if name == "adam":
            options |= {"betas": choices.pick((0.5, 0.75), (0.9, 0.999)), "eps": choices.pick(0.5, 1e-8)}
        elif {"momentum", "momentum_buffer"} <= offer.options:
            options["momentum"] = choices.pick(0.5, 0.9)
        if "weight_decay" in offer.options:
            options["weight_decay"] = choices.pick(0.0, 0.5)
        arrays = _arrays(choices, {"param": (n,), "grads": (steps, n)})
        if "lr" in offer.options and steps > 1 and choices.integer(0, 1):
            options["lr"] = tuple(options["lr"] / 2**t for t in range(steps))  # another one for each step
        return Question(name, arrays, options)

    return made


_DRAWS = {
    "conv2d": _conv2d,
    "conv_transpose2d": _conv_transpose2d,
    "linear": _linear,
    "max_pool2d": _max_pool2d,
    **{name: _pointwise(name) for name in ("relu", "sigmoid", "tanh")},
    "cross_entropy": _cross_entropy,
    **{name: _element_loss(name) for name in LOSSES if name != "cross_entropy"},
    **{name: _optimiser(name) for name in ("adam", "sgd")},
}


# --------------------------------------------------------------------------------------
# ------- the right answer


def textbook(q: Question) -> dict[str, np.ndarray]:
    """The output and the gradients, or what the optimiser leaves after its steps, by
    the textbook in float64.
    """
    with minicnn.use_backend("numpy"):
        return _optimised(q.doubled()) if q.operation in ("adam", "sgd") else _answer(q.doubled())


def _answer(q: Question) -> dict[str, np.ndarray]:
    forward, backward = getattr(F, q.operation), getattr(F, f"{q.operation}_backward")
    arrays, options = q.arrays, q.options
    x, grad = arrays["input"], arrays["grad_output"]
    if q.operation in SUMS:
        output = forward(x, arrays["weight"], arrays.get("bias"), **options)
        grads = backward(grad, x, arrays["weight"], **options)
        return dict(zip(("output", "grad_input", "grad_weight", "grad_bias"), (output, *grads), strict=True))
    if q.operation == "max_pool2d":
        output, indices = forward(x, return_indices=True, **options)
        return {"output": output, "grad_input": backward(grad, indices, x.shape, **options)}
    if "target" in arrays:
        rest = (x, arrays["target"])
        options = options | {name: arrays[name] for name in ("weight", "pos_weight") if name in arrays}
        return {"output": np.asarray(forward(*rest, **options)), "grad_input": backward(grad, *rest, **options)}
    output = forward(x)
    return {"output": output, "grad_input": backward(grad, output)}


def _optimised(q: Question) -> dict[str, np.ndarray]:
    parameter = Parameter(q.arrays["param"].copy())
    options = q.options | {"lr": 0.0}
    optimizer = (minicnn.optim.Adam if q.operation == "adam" else minicnn.optim.SGD)([parameter], **options)
    for grad, lr in zip(q.arrays["grads"], q.rates, strict=True):
        optimizer.param_groups[0]["lr"] = lr
        parameter.grad = grad
        optimizer.step()
    return {"param": np.asarray(parameter.data)}


def torchs(q: Question) -> dict[str, np.ndarray]:
    """The same by torch."""
    import torch

    d = q.doubled()
    if q.operation in ("adam", "sgd"):
        parameter = torch.nn.Parameter(torch.tensor(d.arrays["param"]))
        options = q.options | {"lr": 0.0}
        optimizer = (torch.optim.Adam if q.operation == "adam" else torch.optim.SGD)([parameter], **options)
        for grad, lr in zip(d.arrays["grads"], q.rates, strict=True):
            optimizer.param_groups[0]["lr"] = lr
            parameter.grad = torch.tensor(grad)
            optimizer.step()
        return {"param": parameter.detach().numpy()}
    named = {name: torch.tensor(a) for name, a in d.arrays.items() if name != "grad_output"}
    leaves = [name for name in ("input", "weight", "bias") if name in named]
    leaves = ["input"] if q.operation in LOSSES else leaves  # the weight of a loss is not learnt
    for name in leaves:
        named[name].requires_grad_()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using padding='same'")  # costs a copy, with an even kernel
        output = getattr(torch.nn.functional, q.operation)(**named, **q.options)
    wanted = [named[name] for name in leaves]
    grads = torch.autograd.grad(output, wanted, torch.tensor(d.arrays["grad_output"]))
    found = {"output": output.detach().numpy()}
    found |= {f"grad_{name}": grad.numpy() for name, grad in zip(leaves, grads, strict=True)}
    if q.operation in SUMS and "bias" not in named:
        found["grad_bias"] = d.arrays["grad_output"].sum(axis=(0, *range(2, output.ndim)))
    return found


def allowed(q: Question, right: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """How far each number of a right result may lie from the right answer."""
    dtype = q.dtype
    if q.operation in ("adam", "sgd"):
        magnitudes = bounds.adam_magnitudes if q.operation == "adam" else bounds.sgd_magnitudes
        size = magnitudes(q.arrays["param"], list(q.arrays["grads"]), **q.options)["param"]
        return {"param": bounds.of_sums(size, bounds.OPTIMISER_ROUNDINGS * len(q.arrays["grads"]), dtype)}
    grad = q.arrays["grad_output"].astype(np.float64)
    if q.operation in ("relu", "sigmoid", "tanh"):
        # e^x - e^-x and 1 - 1 / (1 + e^x) are right too; they round as numbers near 1 do
        largest = np.ones(right["output"].shape)
        output, gradient = bounds.of_pointwise(q.operation, largest, grad, dtype)
        return {"output": output, "grad_input": gradient}
    if "target" in q.arrays:
        options = {"ignore_index": -100, "label_smoothing": 0.0, "reduction": "mean"} | q.options
        options |= {name: q.arrays[name] for name in ("weight", "pos_weight") if name in q.arrays}
        arguments = (q.arrays["input"], q.arrays["target"], options, q.arrays["grad_output"])
        loss, gradient, n = bounds.loss_magnitudes(q.operation, *arguments)
        if q.operation.startswith("binary"):  # 1 - p and 1 + exp(-|x|) round by eps / 2, however small their logarithm
            factors = q.arrays.get("weight", 1) * q.arrays.get("pos_weight", 1) * np.ones(q.arrays["input"].shape)
            reduced = {"none": factors, "sum": factors.sum(), "mean": factors.mean()}
            loss = loss + 2 * reduced[str(options["reduction"])]
        return {"output": bounds.of_sums(loss, n, dtype), "grad_input": bounds.of_sums(gradient, n, dtype)}
    if q.operation == "max_pool2d":
        same = q.arrays | {"grad_output": np.abs(q.arrays["grad_output"])}
        size = textbook(q._replace(arrays=same))["grad_input"]
        return {"output": np.zeros(right["output"].shape), "grad_input": bounds.of_sums(size, q.terms[1], dtype)}
    sizes = textbook(q._replace(arrays={name: np.abs(a) for name, a in q.arrays.items()}))
    return {name: bounds.of_sums(sizes[name], n, dtype) for name, n in zip(sizes, q.terms, strict=True)}
