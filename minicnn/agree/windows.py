"""What the usual mistakes of sliding windows compute: convolution, its transpose, pooling."""

from collections.abc import Callable

import numpy as np

import minicnn
from minicnn import geometry
from minicnn.kernels import numpy_textbook as K
from minicnn.nn import functional as F

from .gradients import Wrong, of_any_gradient
from .questions import Question, textbook


def convolution(q: Question) -> Wrong:
    x, w, grad = q.arrays["input"], q.arrays["weight"], q.arrays["grad_output"]
    b = q.arrays.get("bias")
    g = geometry.conv2d(x.shape, w.shape, **q.options)
    right = textbook(q)

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
    sides = ((0, 0), (0, 0), (g.PH, g.padded_size[0] - g.PH - g.H), (g.PW, g.padded_size[1] - g.PW - g.W))
    inside = g._replace(H=g.padded_size[0], W=g.padded_size[1], PH=0, PW=0)
    for mode in ("edge", "reflect", "wrap"):
        yield "padding that is not zero", {"output": lambda mode=mode: K.conv2d(np.pad(x, sides, mode), w, b, inside)}
    once = resized(H=g.H - g.PH, W=g.W - g.PW)
    yield "padding counted once", {"output": lambda: right["output"][:, :, : once.OH, : once.OW]}
    yield "padding H and W swapped", both(PH=g.PW, PW=g.PH)
    yield "stride forgotten", both(SH=1, SW=1)
    yield "stride H and W swapped", both(SH=g.SW, SW=g.SH)
    yield "stride H and W swapped", all_of(g._replace(SH=g.SW, SW=g.SH))
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
    yield "last window missing", {"output": lambda: _without_last_windows(x, w, b, g)}
    plain = K.conv2d(x, w, None, g)
    if b is not None:
        yield "bias missing", {"output": lambda: plain}
        yield "bias added per product", {"output": lambda: plain + b[:, None, None] * (w[0].size)}
        yield "bias added per product", {"output": lambda: plain + b[:, None, None] * w.shape[1]}
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
    yield (
        "channels mixed up in a reshape",
        {"output": lambda: K.conv2d(x, w, b, g).transpose(1, 2, 3, 0).reshape(g.output_shape)},
    )
    yield "only the first channel", {"output": lambda: K.conv2d(x * (np.arange(g.C) == 0)[:, None, None], w, b, g)}
    first = (np.arange(g.N) == 0)[:, None, None, None]
    last = (np.arange(g.N) == g.N - 1)[:, None, None, None]
    yield "only the first image", {"output": lambda: K.conv2d(x, w, b, g) * first}
    if g.G > 1:
        order = np.arange(g.C).reshape(g.C // g.G, g.G).T.ravel()
        yield "groups interleaved", {"output": lambda: K.conv2d(x[:, order], w, b, g)}
        filters = np.argsort(np.arange(g.O) % g.G, kind="stable")  # filter f reads group f % G
        back = np.argsort(filters)
        added = 0 if b is None else b[:, None, None]
        yield "groups interleaved", {"output": lambda: K.conv2d(x, w[filters], None, g)[:, back] + added}
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
    for kept in _first_windows(grad):
        yield (
            "only the first windows",
            {
                "grad_input": lambda kept=kept: K.conv2d_grad_input(kept, w, g),
                "grad_weight": lambda kept=kept: weight_grad(kept, x, g),
            },
        )
    yield "bias gradient summed over the channels", {"grad_bias": lambda: np.full(g.O, grad.sum())}
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
    rows = (g.OH - 1) * g.SH + g.DH * (g.KH - 1) + 1 - 2 * g.PH
    columns = (g.OW - 1) * g.SW + g.DW * (g.KW - 1) + 1 - 2 * g.PW
    if rows >= 0 and columns >= 0:
        yield "size computed back from the output", {"grad_input": lambda: right["grad_input"][:, :, :rows, :columns]}
    if g.PH == 0 or g.PW == 0:
        height, width = g.H if g.PH else 0, g.W if g.PW else 0
        yield "cut off with -0", {"grad_input": lambda: right["grad_input"][:, :, :height, :width]}
    yield from of_any_gradient(right, grad, lambda ones: textbook(q._replace(arrays=q.arrays | {"grad_output": ones})))


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


def _first_windows(grad):
    """grad_output where a loop ends too early: after one window, one row of them, one image."""
    for places in (np.s_[:1, :1, :1, :1], np.s_[:, :, :1, :1], np.s_[:1, :1, :1], np.s_[:, :, :1], np.s_[:1, :1]):
        kept = np.zeros_like(grad)
        kept[places] = grad[places]
        yield kept


def _without_last_windows(x, w, b, g):
    """Windows that end with the image are left out: range(H - KH); their outputs stay 0."""
    height, width = g.padded_size
    rows = np.arange(g.OH) * g.SH < height - g.DH * (g.KH - 1) - 1
    columns = np.arange(g.OW) * g.SW < width - g.DW * (g.KW - 1) - 1
    seen = K.conv2d(x, w, None, g) * (rows[:, None] & columns)
    return seen if b is None else seen + b[:, None, None]


def _last_pixel(grad, x, g):
    one = np.zeros_like(grad)
    one[:, :, -1, -1] = grad[:, :, -1, -1]
    return K.conv2d_grad_weight(one, x, g)


def transposed(q: Question) -> Wrong:
    grad = q.arrays["grad_output"]
    right = textbook(q)
    w, b = q.arrays["weight"], q.arrays.get("bias")

    def other(**arrays):
        return lambda: textbook(q._replace(arrays=q.arrays | arrays))["output"]

    yield "kernel turned the wrong way", {"output": other(weight=w[..., ::-1, ::-1])}
    PH, PW = geometry.pair(q.options.get("padding", 0), "padding", 0, "conv_transpose2d")

    def whole(bias):
        """The output with nothing cut off."""
        with minicnn.use_backend("numpy"):
            return F.conv_transpose2d(q.arrays["input"], w, bias, **q.options | {"padding": 0})

    def widened(output):
        return np.pad(output, ((0, 0), (0, 0), (PH, PH), (PW, PW)))

    yield "padding forgotten", {"output": lambda: whole(b)}
    yield "padding added to the output", {"output": lambda: widened(whole(b))}
    if b is not None:
        yield "padding added to the output", {"output": lambda: widened(whole(None)) + b[:, None, None]}
        yield "bias missing", {"output": other(bias=np.zeros_like(b))}
    yield from of_any_gradient(right, grad, lambda ones: textbook(q._replace(arrays=q.arrays | {"grad_output": ones})))


def pooling(q: Question) -> Wrong:
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

    def over_channels(seen):
        together = seen.reshape(g.N, -1)
        return np.eye(together.shape[1])[together.argmax(axis=1)].reshape(seen.shape)

    def shared(seen):
        return ties(seen) / ties(seen).sum(axis=-1, keepdims=True)

    zeros = np.pad(x, ((0, 0), (0, 0), (g.PH, g.padded_size[0] - g.PH - g.H), (g.PW, g.padded_size[1] - g.PW - g.W)))
    over_zeros = g._replace(H=g.padded_size[0], W=g.padded_size[1], PH=0, PW=0)
    yield "maximum over padded zeros", {"output": pooled(over_zeros, zeros)}
    yield "maximum starts at 0", {"output": lambda: np.maximum(K.max_pool2d(x, g)[0], 0)}
    yield "maximum over all channels", {"grad_input": gradient(over_channels)}
    yield "padding forgotten", {"output": pooled(resized(PH=0, PW=0))}
    yield "stride forgotten", {"output": pooled(resized(SH=1, SW=1))}
    yield "stride forgotten", {"output": pooled(resized(SH=g.KH, SW=g.KW))}
    yield "stride H and W swapped", {"output": pooled(resized(SH=g.SW, SW=g.SH))}
    up = (-(-(g.H + 2 * g.PH - g.KH) // g.SH) + 1, -(-(g.W + 2 * g.PW - g.KW) // g.SW) + 1)
    yield "size rounded up", {"output": pooled(g._replace(OH=up[0], OW=up[1]))}
    yield "last window missing", {"output": pooled(g._replace(OH=g.OH - 1, OW=g.OW - 1))}
    cols = K.im2col(x, g).reshape(g.N, g.C, -1, g.OH, g.OW)
    yield "mean instead of maximum", {"output": lambda: cols.mean(axis=2)}
    infinite = np.full(zeros.shape, -np.inf)
    infinite[:, :, g.PH : g.PH + g.H, g.PW : g.PW + g.W] = x
    over_infinite = K.im2col(infinite, over_zeros).reshape(cols.shape)
    yield "mean instead of maximum", {"output": lambda: over_infinite.mean(axis=2)}
    if (g.SH, g.SW, g.PH, g.PW) == (g.KH, g.KW, 0, 0):
        tiles = x[:, :, : g.OH * g.KH, : g.OW * g.KW]
        mixed = (g.N, g.C, g.OH, g.OW, g.KH * g.KW)
        yield "channels mixed up in a reshape", {"output": lambda: tiles.reshape(mixed).max(axis=-1)}
    yield "minimum instead of maximum", {"output": lambda: -K.max_pool2d(-x, g)[0]}
    yield "gradient spread over ties", {"grad_input": gradient(ties)}
    yield "gradient shared among ties", {"grad_input": gradient(shared)}
    yield "gradient to the last of ties", {"grad_input": gradient(only(False))}
    yield "overlap overwritten", {"grad_input": gradient(only(True), overwrite=True)}
    yield "gradient to the whole window", {"grad_input": gradient(lambda seen: np.isfinite(seen).astype(float))}
    for kept in _first_windows(grad):
        early = q._replace(arrays=q.arrays | {"grad_output": kept})
        yield "only the first windows", {"grad_input": lambda early=early: textbook(early)["grad_input"]}
    yield "mean instead of maximum", {"grad_input": gradient(lambda seen: np.isfinite(seen) / seen.shape[-1])}
    right = textbook(q)
    yield from of_any_gradient(right, grad, lambda ones: textbook(q._replace(arrays=q.arrays | {"grad_output": ones})))
