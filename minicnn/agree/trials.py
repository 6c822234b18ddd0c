"""Random configurations of the operations, each a `Trial` that `programs` makes text of."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..nn.functional.resizing import sizes
from .backwards import channels, window
from .programs import Trial


def _int(rng, low: int, high: int) -> int:
    """From low to high, both included."""
    return int(rng.integers(low, high + 1))


def _pair(rng, low: int, high: int) -> tuple[int, int]:
    return _int(rng, low, high), _int(rng, low, high)


def _choice(rng, *values):
    return values[_int(rng, 0, len(values) - 1)]


def _reals(rng, shape, low: float = -3, high: float = 3) -> str:
    """Normal numbers, each array on a scale of its own."""
    return f"np.asarray(rng.standard_normal({shape}) * {10 ** rng.uniform(low, high):.3g}, DTYPE)"


def _grads(rng, shape) -> str:
    """Dense, or mostly zeros, as behind a max pooling."""
    sparse = f" * (rng.random({shape}) < 0.25)" if rng.random() < 0.5 else ""
    return f"np.asarray(rng.standard_normal({shape}){sparse}, DTYPE)"


def _window(rng, K: int, S: int, D: int, most: int, large: bool) -> tuple[int, int, int]:
    """One axis: (output size, padding, input size); `most` is the largest padding."""
    out, _, P, size = window(partial(_int, rng), K, S, D, most, largest=14 if large else 4)
    return out, P, size


def _channels(rng, large: bool) -> tuple[int, int, int]:
    """Large ones fill whole vectors and blocks."""
    return channels(partial(_int, rng), 24 if large else 3)


def conv2d(rng) -> Trial:
    large = rng.random() < 0.25
    N, (G, C, O), (KH, KW), (DH, DW) = _int(rng, 1, 4), _channels(rng, large), _pair(rng, 1, 5), _pair(rng, 1, 3)
    kind = _choice(rng, "numbers", "numbers", "same", "valid")
    SH, SW = (1, 1) if kind == "same" else _pair(rng, 1, 3)
    if kind == "same":
        OH, OW = H, W = _pair(rng, 1, 14 if large else 6)
        padding: Any = kind
    else:
        OH, PH, H = _window(rng, KH, SH, DH, 4 if kind == "numbers" else 0, large)
        OW, PW, W = _window(rng, KW, SW, DW, 4 if kind == "numbers" else 0, large)
        padding = (PH, PW) if kind == "numbers" else kind
    options = {"stride": (SH, SW), "padding": padding, "dilation": (DH, DW), "groups": G}
    shapes = {"input": (N, C, H, W), "weight": (O, C // G, KH, KW), "bias": (O,)}
    terms = (C // G * KH * KW + 1, O // G * KH * KW, N * OH * OW, N * OH * OW)
    return _sums(rng, "conv2d", shapes, (N, O, OH, OW), options, terms)


def conv_transpose2d(rng) -> Trial:
    large = rng.random() < 0.25
    N, (G, C, O), sizes = _int(rng, 1, 4), _channels(rng, large), _pair(rng, 1, 8 if large else 4)
    K, S, D = _pair(rng, 1, 4), _pair(rng, 1, 3), _pair(rng, 1, 3)
    OP = tuple(_int(rng, 0, max(s, d) - 1) for s, d in zip(S, D, strict=True))
    full = [(size - 1) * s + d * (k - 1) + op + 1 for size, k, s, d, op in zip(sizes, K, S, D, OP, strict=True)]
    P = tuple(_int(rng, 0, min(4, (size - 1) // 2)) for size in full)
    OH, OW = (size - 2 * p for size, p in zip(full, P, strict=True))
    options = {"stride": S, "padding": P, "output_padding": OP, "groups": G, "dilation": D}
    shapes = {"input": (N, C, *sizes), "weight": (C, O // G, *K), "bias": (O,)}
    taps = K[0] * K[1]
    terms = (C // G * taps + 1, O // G * taps, N * sizes[0] * sizes[1], N * OH * OW)
    return _sums(rng, "conv_transpose2d", shapes, (N, O, OH, OW), options, terms)


def linear(rng) -> Trial:
    (features, outputs), most = _pair(rng, 1, _choice(rng, 6, 200)), _choice(rng, 4, 70)
    leading = [(), (_int(rng, 1, most),), _pair(rng, 1, 4)][_int(rng, 0, 2)]
    shapes = {"input": (*leading, features), "weight": (outputs, features), "bias": (outputs,)}
    rows = int(np.prod(leading, dtype=int))
    return _sums(rng, "linear", shapes, (*leading, outputs), {}, (features + 1, outputs, rows, rows))


def _sums(rng, name: str, shapes: dict, output: tuple, options: dict, terms: tuple) -> Trial:
    """Operations that sum products; the bias is there or not."""
    if rng.random() < 0.3:
        del shapes["bias"]
    arrays = {array: _reals(rng, shape) for array, shape in shapes.items()} | {"grad_output": _grads(rng, output)}
    return Trial(name, arrays, options, leaves=tuple(shapes), terms=terms[: len(shapes) + 1])


def max_pool2d(rng) -> Trial:
    large = rng.random() < 0.25
    N, C, K = _int(rng, 1, 4), _int(rng, 1, 40 if large else 4), _pair(rng, 1, 4)
    S = K if rng.random() < 0.5 else _pair(rng, 1, 4)
    D = (1, 1) if rng.random() < 0.5 else _pair(rng, 1, 3)
    axes = [_window(rng, k, s, d, k // 2 if d == 1 else 0, large) for k, s, d in zip(K, S, D, strict=True)]
    (OH, PH, H), (OW, PW, W) = axes
    options = {"kernel_size": K, "stride": S, "padding": (PH, PW), "dilation": D}
    shape, output = (N, C, H, W), (N, C, OH, OW)
    ties = f"np.asarray(rng.integers(-3, 4, {shape}), DTYPE)"
    arrays = {"input": _reals(rng, shape) if rng.random() < 0.5 else ties, "grad_output": _grads(rng, output)}
    return Trial("max_pool2d", arrays, options, terms=(1, K[0] * K[1]))


def avg_pool2d(rng) -> Trial:
    large = rng.random() < 0.25
    N, C, K = _int(rng, 1, 4), _int(rng, 1, 40 if large else 4), _pair(rng, 1, 4)
    S = K if rng.random() < 0.5 else _pair(rng, 1, 4)
    (OH, PH, H), (OW, PW, W) = (_window(rng, k, s, 1, k // 2, large) for k, s in zip(K, S, strict=True))
    options = {"kernel_size": K, "stride": S, "padding": (PH, PW), "count_include_pad": bool(rng.random() < 0.5)}
    options["divisor_override"] = _choice(rng, None, None, 3)
    return _means(rng, "avg_pool2d", (N, C, H, W), (N, C, OH, OW), options)


def adaptive_avg_pool2d(rng) -> Trial:
    shape = (_int(rng, 1, 4), _int(rng, 1, 8), *_pair(rng, 1, _choice(rng, 8, 30)))
    sizes = _pair(rng, 1, 8)
    return _means(rng, "adaptive_avg_pool2d", shape, (*shape[:2], *sizes), {"output_size": sizes})


def _means(rng, name: str, shape: tuple, output: tuple, options: dict) -> Trial:
    """Sums that are divided; a pixel may lie under any of the windows."""
    arrays = {"input": _reals(rng, shape), "grad_output": _grads(rng, output)}
    trial = Trial(name, arrays, options, terms=(shape[2] * shape[3] + 2, output[2] * output[3] + 2))
    return trial._replace(kept=f"input.shape{trial.call()}")


def interpolate(rng) -> Trial:
    N, C, (H, W) = _int(rng, 1, 3), _int(rng, 1, 4), _pair(rng, 1, _choice(rng, 5, 20))
    mode = _choice(rng, "nearest", "nearest-exact", "bilinear")
    options: dict[str, Any] = {"size": _pair(rng, 1, 20)}
    if rng.random() < 0.5:
        options = {"scale_factor": _choice(rng, 2.0, 1.3, (1.7, 3.0), (2.5, 1.0))}
    options |= {"mode": mode} | ({"align_corners": bool(rng.random() < 0.5)} if mode == "bilinear" else {})
    shape = (N, C, H, W)
    (OH, OW), _ = sizes(shape, options.get("size"), options.get("scale_factor"), None, "interpolate")
    arrays = {"input": _reals(rng, shape), "grad_output": _grads(rng, (N, C, OH, OW))}
    rounded = 2 * max(H, W, OH, OW) + 8  # a place near W is off by up to W eps
    trial = Trial("interpolate", arrays, options, terms=(rounded, rounded + OH * OW))
    return trial._replace(kept=f"input.shape{trial.call()}")


def max_unpool2d(rng) -> Trial:
    """The indices of a max pooling side by side: each window holds one place, drawn here."""
    N, C, (KH, KW), (H, W) = _int(rng, 1, 3), _int(rng, 1, 4), _pair(rng, 1, 3), _pair(rng, 1, 6)
    shape = (N, C, H, W)
    row = f"(np.arange({H})[:, None] * {KH} + rng.integers(0, {KH}, {shape}))"
    column = f"np.arange({W}) * {KW} + rng.integers(0, {KW}, {shape})"
    arrays = {"input": _reals(rng, shape), "indices": f"{row} * {W * KW} + {column}"}
    arrays["grad_output"] = _grads(rng, (N, C, H * KH, W * KW))
    options = {"kernel_size": (KH, KW)}
    return Trial("max_unpool2d", arrays, options, terms=(0, 0), kept=f"indices, kernel_size={(KH, KW)}")


def _dropout(name: str) -> Callable[[np.random.Generator], Trial]:
    def draw(rng) -> Trial:
        shape = tuple(_int(rng, 1, _choice(rng, 5, 12)) for _ in range(_int(rng, 2, 4)))
        options = {"p": _choice(rng, 0.5, 0.1, 0.9)}
        return Trial(name, {"input": _reals(rng, shape), "grad_output": _grads(rng, shape)}, options, terms=(1, 1))

    return draw


def _pointwise(name: str) -> Callable[[np.random.Generator], Trial]:
    def draw(rng) -> Trial:
        shape = tuple(_int(rng, 1, _choice(rng, 5, 40)) for _ in range(_int(rng, 0, 3)))
        return Trial(name, {"input": _reals(rng, shape), "grad_output": _grads(rng, shape)}, {})

    return draw


def batch_norm(rng) -> Trial:
    shape = (_int(rng, 2, 5), _int(rng, 1, _choice(rng, 4, 20)), *_pair(rng, 1, _choice(rng, 4, 20)))
    eps = _choice(rng, 1e-5, 1e-2)
    options = {"running_mean": None, "running_var": None, "training": True, "eps": eps}
    kept = f"input, None, None, weight, training=True, eps={eps}"
    return _normalization(rng, "batch_norm", shape, shape[1:2], options, kept)


def layer_norm(rng) -> Trial:
    shape = tuple(_int(rng, 1, _choice(rng, 5, 40)) for _ in range(_int(rng, 1, 3)))
    normalized = shape[-_int(rng, 1, len(shape)) :]
    eps = _choice(rng, 1e-5, 1e-2)
    kept = f"input, {normalized}, weight, eps={eps}"
    return _normalization(rng, "layer_norm", shape, normalized, {"normalized_shape": normalized, "eps": eps}, kept)


def _normalization(rng, name: str, shape: tuple, channels: tuple, options: dict, kept: str) -> Trial:
    arrays = {"input": _reals(rng, shape), "weight": _reals(rng, channels), "bias": _reals(rng, channels)}
    arrays["grad_output"] = _grads(rng, shape)
    return Trial(name, arrays, options, ("weight", "bias"), leaves=tuple(arrays)[:3], kept=kept)


def cross_entropy(rng) -> Trial:
    N, C = _pair(rng, 1, _choice(rng, 5, 70))
    extra = tuple(_int(rng, 1, 3) for _ in range(_int(rng, 0, 2)))
    shape, reduction = (N, C, *extra), _choice(rng, "mean", "sum", "none")
    arrays = {"input": _reals(rng, shape, -2, 0.7), "target": f"np.asarray(rng.random({shape}), DTYPE)"}
    options: dict[str, Any] = {"reduction": reduction, "label_smoothing": _choice(rng, 0.0, 0.1, 0.7, 1.0)}
    if rng.random() < 0.7:
        arrays["target"] = f"rng.integers(0, {C}, {(N, *extra)})"
        options["ignore_index"] = _choice(rng, -100, 0, C - 1)
    keywords = ("weight",) if rng.random() < 0.5 else ()
    arrays |= {name: f"np.asarray(rng.random({C}) + 0.1, DTYPE)" for name in keywords}
    arrays["grad_output"] = f"np.asarray(rng.standard_normal({(N, *extra) if reduction == 'none' else ()}), DTYPE)"
    return Trial("cross_entropy", arrays, options, keywords)


def nll_loss(rng) -> Trial:
    trial = cross_entropy(rng)
    while "ignore_index" not in trial.options:  # the target is probabilities
        trial = cross_entropy(rng)
    options = {name: value for name, value in trial.options.items() if name != "label_smoothing"}
    return trial._replace(operation="nll_loss", options=options)


def _softmax(name: str) -> Callable[[np.random.Generator], Trial]:
    def draw(rng) -> Trial:
        shape = tuple(_int(rng, 1, _choice(rng, 5, 40)) for _ in range(_int(rng, 1, 3)))
        dim = _int(rng, -len(shape), len(shape) - 1)
        arrays = {"input": _reals(rng, shape, -2, 0.7), "grad_output": _grads(rng, shape)}
        return Trial(name, arrays, {"dim": dim}, kept=f"output, dim={dim}")

    return draw


def leaky_relu(rng) -> Trial:
    trial = _pointwise("leaky_relu")(rng)
    return trial._replace(options={"negative_slope": _choice(rng, 0.01, 0.0, 0.3, -0.5)}, terms=(1, 1))


def gelu(rng) -> Trial:
    return _pointwise("gelu")(rng)._replace(options={"approximate": _choice(rng, "none", "tanh")})


def _elementwise(name: str) -> Callable[[np.random.Generator], Trial]:
    def draw(rng) -> Trial:
        shape = tuple(_int(rng, 1, _choice(rng, 4, 30)) for _ in range(_int(rng, 1, 3)))
        reduction = _choice(rng, "mean", "sum", "none")
        arrays = {"input": _reals(rng, shape, -2, 0.7), "target": _reals(rng, shape, -2, 0.7)}
        if name.startswith("binary"):
            arrays["target"] = f"np.asarray(rng.choice([0, 1, rng.random()], {shape}), DTYPE)"
        if name == "binary_cross_entropy":
            arrays["input"] = f"np.asarray(rng.choice([0, 1, *rng.random(7)], {shape}), DTYPE)"
        possible = ["weight", "pos_weight"] if name.endswith("logits") else ["weight"]
        keywords = tuple(factor for factor in possible if rng.random() < 0.5)
        arrays |= {factor: f"np.asarray(rng.random({shape}) * 3, DTYPE)" for factor in keywords}
        arrays["grad_output"] = f"np.asarray(rng.standard_normal({shape if reduction == 'none' else ()}), DTYPE)"
        return Trial(name, arrays, {"reduction": reduction}, keywords)

    return draw


def adam(rng) -> Trial:
    options = {
        "lr": _choice(rng, 1e-3, 0.1),
        "betas": _choice(rng, (0.9, 0.999), (0.0, 0.0), (0.3, 0.5), (0.95, 0.9)),
        "eps": _choice(rng, 1e-8, 1e-3),
        "weight_decay": _choice(rng, 0.0, 0.1),
        **{name: bool(rng.random() < 0.5) for name in ("amsgrad", "maximize", "decoupled_weight_decay")},
    }
    return _steps(rng, "Adam", options)


def adamw(rng) -> Trial:
    options = {name: value for name, value in adam(rng).options.items() if name != "decoupled_weight_decay"}
    return _steps(rng, "AdamW", options)


def adadelta(rng) -> Trial:
    options = {
        "lr": _choice(rng, 1.0, 0.1),
        "rho": _choice(rng, 0.9, 0.0, 0.5),
        "eps": _choice(rng, 1e-6, 1e-3),
        "weight_decay": _choice(rng, 0.0, 0.1),
        "maximize": bool(rng.random() < 0.5),
    }
    return _steps(rng, "Adadelta", options)


def sgd(rng) -> Trial:
    momentum, nesterov = _choice(rng, 0.0, 0.5, 0.9), bool(rng.random() < 0.5)
    options = {"lr": _choice(rng, 1e-3, 0.1), "momentum": momentum, "weight_decay": _choice(rng, 0.0, 0.1)}
    options |= {"nesterov": True} if nesterov and momentum else {"dampening": _choice(rng, 0.0, 0.3)}
    return _steps(rng, "SGD", options | {"maximize": bool(rng.random() < 0.5)})


def _steps(rng, name: str, options: dict) -> Trial:
    n, steps = _int(rng, 1, _choice(rng, 9, 300)), _int(rng, 1, 6)
    return Trial(name, {"start": _reals(rng, (n,), 0, 0), "grads": _reals(rng, (steps, n))}, options)


OPERATIONS: dict[str, Callable[[np.random.Generator], Trial]] = {
    "conv2d": conv2d,
    "conv_transpose2d": conv_transpose2d,
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "adaptive_avg_pool2d": adaptive_avg_pool2d,
    "interpolate": interpolate,
    "max_unpool2d": max_unpool2d,
    "linear": linear,
    **{name: _dropout(name) for name in ("dropout", "dropout2d")},
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    **{name: _pointwise(name) for name in ("relu", "sigmoid", "tanh")},
    "leaky_relu": leaky_relu,
    "gelu": gelu,
    **{name: _softmax(name) for name in ("softmax", "log_softmax")},
    "nll_loss": nll_loss,
    "cross_entropy": cross_entropy,
    **{name: _elementwise(name) for name in ("binary_cross_entropy", "binary_cross_entropy_with_logits", "mse_loss")},
    "Adam": adam,
    "AdamW": adamw,
    "Adadelta": adadelta,
    "SGD": sgd,
}
