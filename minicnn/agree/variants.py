"""What the usual mistakes compute: for each operation the wrong results by the name of
their mistake.

A wrong result is named by comparing it with these. They use the textbook kernels with
another geometry or other arrays, in float64. What cannot be computed for a configuration
is left out. Those of sliding windows are in `windows`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from . import windows
from .gradients import Wrong, of_any_gradient
from .questions import Question, textbook


def variants(q: Question) -> dict[str, dict[str, list[np.ndarray]]]:
    """{mistake: {result: what it computes}}; one mistake can be made in several ways."""
    found: dict[str, dict[str, list[np.ndarray]]] = {}
    for name, results in _MADE[q.operation](q.doubled()):
        for result, compute in results.items():
            try:
                with np.errstate(all="ignore"):
                    value = compute()
            except (ValueError, IndexError, RuntimeError, ZeroDivisionError):
                continue
            found.setdefault(name, {}).setdefault(result, []).append(np.asarray(value))
    return found


def _linear(q: Question) -> Wrong:
    x, w, grad = q.arrays["input"], q.arrays["weight"], q.arrays["grad_output"]
    b = q.arrays.get("bias", np.zeros(len(w)))
    N = len(x)
    yield "bias missing", {"output": lambda: x @ w.T}
    yield "bias added per product", {"output": lambda: x @ w.T + b * w.shape[1]}
    yield "channels mixed up in a reshape", {"output": lambda: x @ w.reshape(w.T.shape) + b}
    yield (
        "transposed",
        {"output": lambda: x @ w + b, "grad_input": lambda: grad @ w.T, "grad_weight": lambda: x.T @ grad},
    )
    yield (
        "averaged over the batch",
        {
            "grad_weight": lambda: grad.T @ x / N,
            "grad_bias": lambda: grad.mean(axis=0),
            "grad_input": lambda: grad @ w / N,
        },
    )
    yield "channels mixed up in a reshape", {"grad_weight": lambda: (x.T @ grad).reshape(w.shape)}
    for name, row in (("not summed over the batch", -1), ("only the first image", 0)):
        yield (
            name,
            {
                "grad_weight": lambda row=row: np.outer(grad[row], x[row]),
                "grad_bias": lambda row=row: grad[row],
            },
        )
    yield "not summed over the batch", {"grad_bias": lambda: grad}
    right = textbook(q)
    yield from of_any_gradient(right, grad, lambda ones: textbook(q._replace(arrays=q.arrays | {"grad_output": ones})))


def _pointwise(q: Question) -> Wrong:
    x, grad = q.arrays["input"], q.arrays["grad_output"]
    right = textbook(q)
    y = right["output"]
    if q.operation == "relu":
        yield "absolute value", {"output": lambda: np.abs(x)}
        yield "slope 1 at zero", {"grad_input": lambda: grad * (y >= 0)}
        yield "slope 1 at zero", {"grad_input": lambda: grad * (x >= 0)}
        yield "grad_output ignored", {"grad_input": lambda: (y > 0) * 1.0}
        yield "sign of grad_output in place of the output", {"grad_input": lambda: grad * (grad > 0)}
    elif q.operation == "sigmoid":
        s = 1 / (1 + np.exp(-np.abs(y)))
        yield "input taken for the output", {"grad_input": lambda: grad * s * (1 - s)}
        yield "slope of sigmoid without 1 - s", {"grad_input": lambda: grad * y}
        yield "slope of sigmoid without 1 - s", {"grad_input": lambda: grad * (1 - y)}
        yield "sign wrong", {"output": lambda: 1 - y}
    else:
        yield "input taken for the output", {"grad_input": lambda: grad * (1 - np.tanh(y) ** 2)}
        yield "slope of tanh without the square", {"grad_input": lambda: grad * (1 - y)}
        yield "sign wrong", {"output": lambda: -y}
    yield "grad_output added", {"grad_input": lambda: right["grad_input"] / np.where(grad, grad, np.nan) + grad}
    yield from of_any_gradient(right, grad, lambda ones: textbook(q._replace(arrays=q.arrays | {"grad_output": ones})))


def _cross_entropy(q: Question) -> Wrong:
    x, y, grad = q.arrays["input"], q.arrays["target"], q.arrays["grad_output"]
    N, C = x.shape

    def softmax(x, axis=1):
        e = np.exp(x - x.max(axis=axis, keepdims=True))
        return e / e.sum(axis=axis, keepdims=True)

    def loss(p):
        return -np.log(p[np.arange(N), y]).mean()

    p, one = softmax(x), np.eye(C)[y]
    right = textbook(q)

    def unshifted():
        return np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)

    yield (
        "softmax without shift",
        {
            "output": lambda: loss(unshifted()),
            "grad_input": lambda: (unshifted() - one) / N * grad,
        },
    )
    yield (
        "softmax over the wrong axis",
        {
            "output": lambda: loss(softmax(x, 0)),
            "grad_input": lambda: (softmax(x, 0) - one) / N * grad,
        },
    )
    whole = x - x.max()
    whole = np.exp(whole) / np.exp(whole).sum()
    yield (
        "softmax over the whole batch",
        {"output": lambda: loss(whole), "grad_input": lambda: (whole - one) / N * grad},
    )
    yield "rows taken for classes", {"output": lambda: -np.log(p[np.minimum(y, N - 1)]).mean()}
    yield "softmax twice", {"output": lambda: loss(softmax(p)), "grad_input": lambda: (softmax(p) - one) / N * grad}
    yield "softmax missing", {"output": lambda: loss(x), "grad_input": lambda: (x - one) / N * grad}
    yield "softmax missing", {"output": lambda: -x[np.arange(N), y].mean()}
    every = p.copy()
    every[:, y] -= 1
    yield "one-hot of all rows", {"grad_input": lambda: every / N * grad}
    for small in (1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12):
        yield "small number in the logarithm", {"output": lambda small=small: loss(p + small)}
    yield "one-hot missing in the gradient", {"grad_input": lambda: p / N * grad}
    yield from _averaged(right, N, C)
    yield from _without(q)
    yield "sign wrong", {"output": lambda: -right["output"]}
    yield from of_any_gradient(right, grad, lambda ones: textbook(q._replace(arrays=q.arrays | {"grad_output": ones})))


IGNORED = {
    "weight": "weights of the loss ignored",
    "pos_weight": "pos_weight ignored",
    "ignore_index": "ignored targets counted",
    "label_smoothing": "label smoothing ignored",
}


def _without(q: Question) -> Wrong:
    """A loss that ignores one of its options."""
    for option, name in IGNORED.items():
        if option not in q.arrays and option not in q.options:
            continue
        arrays = {key: a for key, a in q.arrays.items() if key != option}
        rest = q._replace(arrays=arrays, options={key: value for key, value in q.options.items() if key != option})
        for result in ("output", "grad_input"):
            yield name, {result: lambda rest=rest, result=result: textbook(rest)[result]}


def _binary(q: Question) -> Wrong:
    x, y, grad = q.arrays["input"], q.arrays["target"], q.arrays["grad_output"]
    right = textbook(q)
    s = x if q.operation == "binary_cross_entropy" else 1 / (1 + np.exp(-x))
    yield "logarithm of a probability of zero", {"output": lambda: -(y * np.log(s) + (1 - y) * np.log(1 - s)).mean()}
    yield "half of the loss missing", {"output": lambda: -(y * np.log(s)).mean()}
    yield "sign wrong", {"output": lambda: -right["output"]}
    yield from _averaged(right, x.size, x.shape[-1])
    yield from _without(q)
    yield from of_any_gradient(right, grad, lambda ones: textbook(q._replace(arrays=q.arrays | {"grad_output": ones})))


def _averaged(right, n, per) -> Wrong:
    for name, factor in (
        ("summed instead of averaged", n),
        ("averaged twice", 1 / n),
        ("averaged over all elements", 1 / per),
    ):
        yield name, {result: lambda v=value, f=factor: v * f for result, value in right.items()}


def _mse_loss(q: Question) -> Wrong:
    x, y, grad = q.arrays["input"], q.arrays["target"], q.arrays["grad_output"]
    right = textbook(q)
    yield "not squared", {"output": lambda: np.abs(x - y).mean()}
    yield "factor 1/2 added", {"output": lambda: right["output"] / 2}
    yield "factor 2 missing", {"grad_input": lambda: right["grad_input"] / 2}
    yield "target and input swapped", {"grad_input": lambda: -right["grad_input"]}
    yield (
        "summed instead of averaged",
        {"output": lambda: right["output"] * x.size, "grad_input": lambda: 2 * (x - y) * grad},
    )
    yield "averaged twice", {name: lambda v=value: v / x.size for name, value in right.items()}
    yield (
        "averaged over the batch",
        {
            "output": lambda: np.square(x - y).sum() / len(x),
            "grad_input": lambda: 2 * (x - y) * grad / len(x),
        },
    )
    yield from of_any_gradient(right, grad, lambda ones: textbook(q._replace(arrays=q.arrays | {"grad_output": ones})))


def _adam(q: Question) -> Wrong:
    o = q.options
    b1, b2 = o["betas"]
    decay = o.get("weight_decay", 0.0)

    def steps(
        b1=b1,
        b2=b2,
        first=1,
        corrected=True,
        power=True,
        counted=1,
        divided=True,
        squared=True,
        again=False,
        inside=False,
        root=True,
        keep=True,
        sign=1,
        coupled=decay,
        apart=0.0,
    ):
        def made():
            p, m, v = q.arrays["param"], 0.0, 0.0
            for t, (grad, lr) in enumerate(zip(q.arrays["grads"], q.rates, strict=True), first):
                g = sign * grad + coupled * p
                m, v = (m, v) if keep else (0.0, 0.0)
                m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * (g * g if squared else np.abs(g))
                since = counted * t if power else 1
                first_bias, second_bias = (1 - b1**since, 1 - b2**since) if corrected else (1, 1)
                mean, square = (m / first_bias, v / second_bias) if divided else (m * first_bias, v * second_bias)
                m, v = (mean, square) if again else (m, v)
                base = np.sqrt(square + o["eps"]) if inside else (np.sqrt(square) if root else square) + o["eps"]
                p = p * (1 - lr * apart) - lr * mean / base
            return p

        return {"param": made}

    yield "no bias correction", steps(corrected=False)
    yield "bias correction counts from zero", steps(first=0)
    yield "bias correction without the power", steps(power=False)
    yield "multiplied by the bias correction", steps(divided=False)
    yield "step counted too far", steps(counted=2)
    yield "step counted too far", steps(first=2)
    yield "squares missing", steps(squared=False)
    yield "corrected moments kept", steps(again=True)
    yield "eps inside the root", steps(inside=True)
    yield "root missing", steps(root=False)
    yield "betas swapped", steps(b1=b2, b2=b1)
    yield "moments not kept", steps(keep=False)
    yield "gradient ascended", steps(sign=-1)
    if decay:
        yield "weight decay decoupled", steps(coupled=0.0, apart=decay)
        yield "weight decay left out", steps(coupled=0.0)


def _sgd(q: Question) -> Wrong:
    o = q.options
    momentum, decay = o.get("momentum", 0.0), o.get("weight_decay", 0.0)

    def steps(sign=1, share=1.0, momentum=momentum, decay=decay, inside=False):
        def made():
            p, buffer = q.arrays["param"], 0.0
            for grad, lr in zip(q.arrays["grads"], q.rates, strict=True):
                early, late = (lr, 1) if inside else (1, lr)
                buffer = momentum * buffer + early * share * (sign * grad + decay * p)
                p = p - late * buffer
            return p

        return {"param": made}

    yield "gradient ascended", steps(sign=-1)
    yield "lr inside the buffer", steps(inside=True)
    yield "momentum ignored", steps(momentum=0.0)
    yield "momentum buffer scaled by 1 - momentum", steps(share=1 - momentum)
    yield "weight decay left out", steps(decay=0.0)


_MADE: dict[str, Callable[[Question], Wrong]] = {
    "conv2d": windows.convolution,
    "conv_transpose2d": windows.transposed,
    "linear": _linear,
    "max_pool2d": windows.pooling,
    **dict.fromkeys(("relu", "sigmoid", "tanh"), _pointwise),
    "cross_entropy": _cross_entropy,
    "mse_loss": _mse_loss,
    **dict.fromkeys(("binary_cross_entropy", "binary_cross_entropy_with_logits"), _binary),
    "adam": _adam,
    "sgd": _sgd,
}


def likely(faults: list[Any]) -> str | None:
    """The mistake that explains most of the faults of one result: at least three in four of
    those where it can be computed, and four in ten of all.
    """
    for kind, name in (("modified", "input modified in place"), ("dtype", "float32 silently float64"),
                       ("kept", "gradient kept from the call before")):  # fmt: skip
        if faults and all(fault.kind == kind for fault in faults):
            return name
    compared = [fault for fault in faults if fault.kind in ("values", "shape") and fault.got is not None]
    if not compared:
        return None
    score: dict[str, int] = {}
    tried: dict[str, int] = {}
    for fault in compared:
        for name, results in variants(fault.question).items():
            # An empty result says nothing about one that is not: nothing could be computed.
            wrongs = [wrong for wrong in results.get(fault.result, []) if wrong.size or not fault.got.size]
            if wrongs:
                tried[name] = tried.get(name, 0) + 1
                score[name] = score.get(name, 0) + any(_same(fault, wrong) for wrong in wrongs)
    best = max(score, key=score.__getitem__, default=None)
    enough = best is not None and score[best] >= max(0.75 * tried[best], 0.4 * len(compared))
    return best if enough else None


def _same(fault: Any, wrong: np.ndarray) -> bool:
    if wrong.shape != fault.got.shape:
        return False
    got = fault.got.astype(np.float64)
    tolerance = np.finfo(fault.question.dtype).eps * 1000 * (1 + np.abs(wrong).max(initial=0, where=np.isfinite(wrong)))
    with np.errstate(all="ignore"):
        return bool(
            np.all((np.abs(got - wrong) <= tolerance) | (got == wrong) | ~(np.isfinite(got) | np.isfinite(wrong)))
        )
