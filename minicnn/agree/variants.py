"""What the usual mistakes compute: for each operation the wrong results by the name of
their mistake.

A wrong result is named by comparing it with these. They use the textbook kernels with
another geometry or other
arrays, in float64. What cannot be computed for a configuration is left out.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minicnn import geometry
from minicnn.kernels import numpy_textbook as K

from .questions import Question, textbook

Wrong = Iterator[tuple[str, Any]]  # the mistake, and {result: a function that computes it}


def variants(q: Question) -> dict[str, dict[str, np.ndarray]]:
    """{mistake: {result: what it computes}}."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, results in _MADE[q.operation](q.doubled()):
        for result, compute in results.items():
            try:
                with np.errstate(all="ignore"):
                    value = compute()
            except (ValueError, IndexError, RuntimeError, ZeroDivisionError):
                continue
            found.setdefault(name, {})[result] = np.asarray(value)
    return found


def _gradients(right: dict[str, np.ndarray], grad: np.ndarray, again: Callable[[np.ndarray], Any]) -> Wrong:
    """Mistakes that any gradient can have."""
    for name, value in right.items():
        if not name.startswith("grad"):
            continue
        yield "sign wrong", {name: lambda value=value: -value}
        yield "grad_output ignored", {name: lambda name=name: again(np.ones_like(grad))[name]}
        yield "gradient kept from the call before", {name: lambda value=value: 2 * value}
        if value.ndim >= 2:
            yield "transposed", {name: lambda value=value: value.swapaxes(-1, -2)}


def _convolution(q: Question) -> Wrong:
    x, w, grad = q.arrays["input"], q.arrays["weight"], q.arrays["grad_output"]
    b = q.arrays.get("bias")
    g = geometry.conv2d(x.shape, w.shape, **q.options)

    def all_of(g, x=x, w=w, b=b, grad=grad, turn=None):
        """The three results with another geometry or other arrays; `turn` is undone in
        the weight's gradient.
        """
        results = {"output": lambda: K.conv2d(x, w, b, g)}
        if (g.OH, g.OW) == grad.shape[2:]:
            results["grad_input"] = lambda: K.conv2d_grad_input(grad, w, g)
            results["grad_weight"] = lambda: (turn or np.asarray)(K.conv2d_grad_weight(grad, x, g))
        return results

    def resized(**changes):
        """Another stride, padding or dilation, and the output size that follows."""
        h = g._replace(**changes)
        OH = (h.H + 2 * h.PH - h.DH * (h.KH - 1) - 1) // h.SH + 1
        OW = (h.W + 2 * h.PW - h.DW * (h.KW - 1) - 1) // h.SW + 1
        return h._replace(OH=max(OH, 0), OW=max(OW, 0))

    def both(**changes):
        """The mistake in the output, where the size follows, and in gradients, where it
        is given.
        """
        fixed = all_of(g._replace(**changes))
        return {**fixed, "output": lambda: K.conv2d(x, w, b, resized(**changes))}

    def flip(a):
        return a[..., ::-1, ::-1]

    yield "kernel flipped", all_of(g, w=flip(w), turn=flip)
    yield "padding on one side", all_of(g._replace(PH=0, PW=0))
    yield "padding forgotten", both(PH=0, PW=0)
    yield "padding H and W swapped", both(PH=g.PW, PW=g.PH)
    yield "stride forgotten", both(SH=1, SW=1)
    yield "stride H and W swapped", both(SH=g.SW, SW=g.SH)
    yield "dilation ignored", both(DH=1, DW=1)
    yield "dilation ignored", all_of(g._replace(DH=1, DW=1))
    yield "dilation H and W swapped", both(DH=g.DW, DW=g.DH)
    if w.shape[2] == w.shape[3]:
        yield "kernel transposed", all_of(g, w=w.swapaxes(2, 3), turn=lambda a: a.swapaxes(2, 3))
    up = (
        -(-(g.H + 2 * g.PH - g.DH * (g.KH - 1) - 1) // g.SH) + 1,
        -(-(g.W + 2 * g.PW - g.DW * (g.KW - 1) - 1) // g.SW) + 1,
    )
    yield "size rounded up", {"output": lambda: K.conv2d(x, w, b, g._replace(OH=up[0], OW=up[1]))}
    yield "last window missing", {"output": lambda: K.conv2d(x, w, b, g._replace(OH=g.OH - 1, OW=g.OW - 1))}
    plain = K.conv2d(x, w, None, g)
    if b is not None:
        yield "bias missing", {"output": lambda: plain}
        yield "bias added per product", {"output": lambda: plain + b[:, None, None] * (w[0].size)}
        yield "bias on the wrong axis", {"output": lambda: plain + b}
    mixed = (*g.output_shape[:1], g.OH, g.OW, g.O)
    yield (
        "channels mixed up in a reshape",
        {
            "output": lambda: K.conv2d(x, w, b, g).transpose(0, 2, 3, 1).reshape(g.output_shape),
            "grad_weight": lambda: K.conv2d_grad_weight(grad.reshape(mixed).transpose(0, 3, 1, 2), x, g),
            "grad_input": lambda: K.conv2d_grad_input(grad.reshape(mixed).transpose(0, 3, 1, 2), w, g),
        },
    )
    yield (
        "channels mixed up in a reshape",
        {"output": lambda: K.conv2d(x, w, b, g).swapaxes(0, 1).reshape(g.output_shape)},
    )
    yield "only the first channel", {"output": lambda: K.conv2d(x * (np.arange(g.C) == 0)[:, None, None], w, b, g)}
    first = (np.arange(g.N) == 0)[:, None, None, None]
    last = (np.arange(g.N) == g.N - 1)[:, None, None, None]
    yield "only the first image", {"output": lambda: K.conv2d(x, w, b, g) * first}
    if g.G > 1:
        order = np.arange(g.C).reshape(g.C // g.G, g.G).T.ravel()
        yield "groups interleaved", {"output": lambda: K.conv2d(x[:, order], w, b, g)}
        yield "groups ignored", {"output": lambda: K.conv2d(np.tile(x[:, : g.C // g.G], (1, g.G, 1, 1)), w, b, g)}
    weight_grad = K.conv2d_grad_weight
    for name, kept in (("not summed over the batch", last), ("only the first image", first)):
        yield (
            name,
            {
                "grad_weight": lambda kept=kept: weight_grad(grad * kept, x, g),
                "grad_bias": lambda kept=kept: (grad * kept).sum(axis=(0, 2, 3)),
            },
        )
    yield (
        "averaged over the batch",
        {
            "grad_weight": lambda: weight_grad(grad, x, g) / g.N,
            "grad_bias": lambda: grad.sum(axis=(0, 2, 3)) / g.N,
            "grad_input": lambda: K.conv2d_grad_input(grad, w, g) / g.N,
        },
    )
    yield "bias gradient of one pixel", {"grad_bias": lambda: grad[:, :, -1, -1].sum(axis=0)}
    yield "a factor is off", {"grad_bias": lambda: grad.mean(axis=(0, 2, 3))}
    yield (
        "kernel flipped",
        {
            "grad_input": lambda: K.conv2d_grad_input(grad, flip(w), g),
            "grad_weight": lambda: flip(weight_grad(grad, x, g)),
        },
    )
    yield "overlap overwritten", {"grad_input": lambda: _overwritten(grad, w, g)}
    yield "overlap overwritten", {"grad_weight": lambda: _last_pixel(grad, x, g)}
    right = textbook(q)
    yield from _gradients(right, grad, lambda ones: textbook(q._replace(arrays=q.arrays | {"grad_output": ones})))


def _overwritten(grad, w, g):
    """Each window writes its gradient over what was there, window by window."""
    padded = np.zeros((g.N, g.C, *g.padded_size))
    for i, j in np.ndindex(g.OH, g.OW):
        one = np.zeros_like(grad)
        one[:, :, i, j] = grad[:, :, i, j]
        rows = slice(i * g.SH, i * g.SH + g.DH * (g.KH - 1) + 1, g.DH)
        columns = slice(j * g.SW, j * g.SW + g.DW * (g.KW - 1) + 1, g.DW)
        whole = g._replace(H=g.padded_size[0], W=g.padded_size[1], PH=0, PW=0)
        padded[:, :, rows, columns] = K.conv2d_grad_input(one, w, whole)[:, :, rows, columns]
    return padded[:, :, g.PH : g.PH + g.H, g.PW : g.PW + g.W]


def _last_pixel(grad, x, g):
    one = np.zeros_like(grad)
    one[:, :, -1, -1] = grad[:, :, -1, -1]
    return K.conv2d_grad_weight(one, x, g)


def _transposed(q: Question) -> Wrong:
    grad = q.arrays["grad_output"]
    right = textbook(q)
    w, b = q.arrays["weight"], q.arrays.get("bias")

    def other(**arrays):
        return lambda: textbook(q._replace(arrays=q.arrays | arrays))["output"]

    yield "kernel flipped", {"output": other(weight=w[..., ::-1, ::-1])}
    if b is not None:
        yield "bias missing", {"output": other(bias=np.zeros_like(b))}
    yield from _gradients(right, grad, lambda ones: textbook(q._replace(arrays=q.arrays | {"grad_output": ones})))


def _linear(q: Question) -> Wrong:
    x, w, grad = q.arrays["input"], q.arrays["weight"], q.arrays["grad_output"]
    b = q.arrays.get("bias", np.zeros(len(w)))
    N = len(x)
    yield "bias missing", {"output": lambda: x @ w.T}
    yield "bias added per product", {"output": lambda: x @ w.T + b * w.shape[1]}
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
    yield from _gradients(right, grad, lambda ones: textbook(q._replace(arrays=q.arrays | {"grad_output": ones})))


def _pooling(q: Question) -> Wrong:
    x, grad = q.arrays["input"], q.arrays["grad_output"]
    g = geometry.max_pool2d(x.shape, **q.options)

    def resized(**changes):
        h = g._replace(**changes)
        OH, OW = (h.H + 2 * h.PH - h.KH) // h.SH + 1, (h.W + 2 * h.PW - h.KW) // h.SW + 1
        return h._replace(OH=OH, OW=OW)

    def pooled(h, x=x):
        return lambda: K.max_pool2d(x, h)[0]

    def gradient(share: Callable[[np.ndarray], np.ndarray], x=x, overwrite=False):
        """Each window's gradient times the share of each of its pixels (0 for padding)."""

        def made():
            padded = np.full((g.N, g.C, *g.padded_size), -np.inf)
            padded[:, :, g.PH : g.PH + g.H, g.PW : g.PW + g.W] = x
            total = np.zeros_like(padded)
            for i, j in np.ndindex(g.OH, g.OW):
                rows, columns = slice(i * g.SH, i * g.SH + g.KH), slice(j * g.SW, j * g.SW + g.KW)
                seen = padded[:, :, rows, columns].reshape(g.N, g.C, -1)
                part = (share(seen) * grad[:, :, i, j, None]).reshape(g.N, g.C, g.KH, g.KW)
                if overwrite:
                    total[:, :, rows, columns] = np.where(part != 0, part, total[:, :, rows, columns])
                else:
                    total[:, :, rows, columns] += part
            return total[:, :, g.PH : g.PH + g.H, g.PW : g.PW + g.W]

        return made

    def ties(seen):
        return (seen == seen.max(axis=-1, keepdims=True)).astype(float)

    def only(first):
        return lambda seen: np.eye(seen.shape[-1])[
            seen.argmax(axis=-1) if first else seen.shape[-1] - 1 - seen[..., ::-1].argmax(axis=-1)
        ]

    def shared(seen):
        return ties(seen) / ties(seen).sum(axis=-1, keepdims=True)

    zeros = np.pad(x, ((0, 0), (0, 0), (g.PH, g.padded_size[0] - g.PH - g.H), (g.PW, g.padded_size[1] - g.PW - g.W)))
    over_zeros = g._replace(H=g.padded_size[0], W=g.padded_size[1], PH=0, PW=0)
    yield "maximum over padded zeros", {"output": pooled(over_zeros, zeros)}
    yield "padding forgotten", {"output": pooled(resized(PH=0, PW=0))}
    yield "stride forgotten", {"output": pooled(resized(SH=1, SW=1))}
    yield "stride forgotten", {"output": pooled(resized(SH=g.KH, SW=g.KW))}
    yield "stride H and W swapped", {"output": pooled(resized(SH=g.SW, SW=g.SH))}
    up = (-(-(g.H + 2 * g.PH - g.KH) // g.SH) + 1, -(-(g.W + 2 * g.PW - g.KW) // g.SW) + 1)
    yield "size rounded up", {"output": pooled(g._replace(OH=up[0], OW=up[1]))}
    yield "last window missing", {"output": pooled(g._replace(OH=g.OH - 1, OW=g.OW - 1))}
    cols = K.im2col(x, g).reshape(g.N, g.C, -1, g.OH, g.OW)
    yield "mean instead of maximum", {"output": lambda: cols.mean(axis=2)}
    yield "minimum instead of maximum", {"output": lambda: -K.max_pool2d(-x, g)[0]}
    yield "gradient spread over ties", {"grad_input": gradient(ties)}
    yield "gradient shared among ties", {"grad_input": gradient(shared)}
    yield "gradient to the last of ties", {"grad_input": gradient(only(False))}
    yield "overlap overwritten", {"grad_input": gradient(only(True), overwrite=True)}
    yield "gradient to the whole window", {"grad_input": gradient(lambda seen: np.isfinite(seen).astype(float))}
    yield "mean instead of maximum", {"grad_input": gradient(lambda seen: np.isfinite(seen) / seen.shape[-1])}
    right = textbook(q)
    yield from _gradients(right, grad, lambda ones: textbook(q._replace(arrays=q.arrays | {"grad_output": ones})))


def _pointwise(q: Question) -> Wrong:
    x, grad = q.arrays["input"], q.arrays["grad_output"]
    right = textbook(q)
    y = right["output"]
    if q.operation == "relu":
        yield "absolute value", {"output": lambda: np.abs(x)}
        yield "slope 1 at zero", {"grad_input": lambda: grad * (y >= 0)}
        yield "grad_output ignored", {"grad_input": lambda: (y > 0) * 1.0}
        yield "sign of the input in place of the output", {"grad_input": lambda: grad * (grad > 0)}
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
    yield from _gradients(right, grad, lambda ones: textbook(q._replace(arrays=q.arrays | {"grad_output": ones})))


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
    yield "softmax twice", {"output": lambda: loss(softmax(p)), "grad_input": lambda: (softmax(p) - one) / N * grad}
    yield "softmax missing", {"output": lambda: loss(x), "grad_input": lambda: (x - one) / N * grad}
    yield "softmax missing", {"output": lambda: -x[np.arange(N), y].mean()}
    yield "one-hot missing in the gradient", {"grad_input": lambda: p / N * grad}
    yield from _averaged(right, N, C)
    yield "sign wrong", {"output": lambda: -right["output"]}
    yield from _gradients(right, grad, lambda ones: textbook(q._replace(arrays=q.arrays | {"grad_output": ones})))


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
    yield from _gradients(right, grad, lambda ones: textbook(q._replace(arrays=q.arrays | {"grad_output": ones})))


def _adam(q: Question) -> Wrong:
    o = q.options
    b1, b2 = o["betas"]
    decay = o.get("weight_decay", 0.0)

    def steps(
        b1=b1, b2=b2, first=1, corrected=True, inside=False, root=True, keep=True, sign=1, coupled=decay, apart=0.0
    ):
        def made():
            p, m, v = q.arrays["param"], 0.0, 0.0
            for t, grad in enumerate(q.arrays["grads"], first):
                g = sign * grad + coupled * p
                m, v = (m, v) if keep else (0.0, 0.0)
                m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
                mean, square = (m / (1 - b1**t), v / (1 - b2**t)) if corrected else (m, v)
                base = np.sqrt(square + o["eps"]) if inside else (np.sqrt(square) if root else square) + o["eps"]
                p = p * (1 - o["lr"] * apart) - o["lr"] * mean / base
            return p

        return {"param": made}

    yield "no bias correction", steps(corrected=False)
    yield "bias correction counts from zero", steps(first=0)
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
    lr, momentum, decay = o["lr"], o.get("momentum", 0.0), o.get("weight_decay", 0.0)

    def steps(sign=1, share=1.0, momentum=momentum, decay=decay):
        def made():
            p, buffer = q.arrays["param"], 0.0
            for grad in q.arrays["grads"]:
                buffer = momentum * buffer + share * (sign * grad + decay * p)
                p = p - lr * buffer
            return p

        return {"param": made}

    yield "gradient ascended", steps(sign=-1)
    yield "momentum ignored", steps(momentum=0.0)
    yield "momentum buffer scaled by 1 - momentum", steps(share=1 - momentum)
    yield "weight decay left out", steps(decay=0.0)


_MADE: dict[str, Callable[[Question], Wrong]] = {
    "conv2d": _convolution,
    "conv_transpose2d": _transposed,
    "linear": _linear,
    "max_pool2d": _pooling,
    **dict.fromkeys(("relu", "sigmoid", "tanh"), _pointwise),
    "cross_entropy": _cross_entropy,
    "mse_loss": _mse_loss,
    "adam": _adam,
    "sgd": _sgd,
}


def likely(faults: list[Any]) -> str | None:
    """The mistake that explains most of the faults of one result, and at least three in
    four of them.
    """
    for kind, name in (("modified", "input modified in place"), ("dtype", "float32 silently float64"),
                       ("kept", "gradient kept from the call before")):  # fmt: skip
        if faults and all(fault.kind == kind for fault in faults):
            return name
    compared = [fault for fault in faults if fault.kind in ("values", "shape") and fault.got is not None]
    if not compared:
        return None
    score: dict[str, int] = {}
    for fault in compared:
        for name, results in variants(fault.question).items():
            if fault.result in results and _same(fault, results[fault.result]):
                score[name] = score.get(name, 0) + 1
    best = max(score, key=score.__getitem__, default=None)
    return best if best is not None and score[best] >= 0.75 * len(compared) else None


def _same(fault: Any, wrong: np.ndarray) -> bool:
    if wrong.shape != fault.got.shape:
        return False
    got = fault.got.astype(np.float64)
    tolerance = np.finfo(fault.question.dtype).eps * 1000 * (1 + np.abs(wrong).max(initial=0, where=np.isfinite(wrong)))
    with np.errstate(all="ignore"):
        return bool(
            np.all((np.abs(got - wrong) <= tolerance) | (got == wrong) | ~(np.isfinite(got) | np.isfinite(wrong)))
        )
