"""How far apart two correct results may lie: bounds on rounding errors, derived, not
tuned. eps is that of the result's dtype.

A sum of n products differs from the true sum by at most n u / (1 - n u) times the sum
of the products' absolute values, whatever the order of summation; u = eps / 2 is half a
unit in the last place (Higham, 2002, section 3.1). Two such sums differ by at most
about n eps times it. Below, a magnitude is such a sum of absolute values, one for each
element of a result.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

OPTIMISER_ROUNDINGS = 12  # in one step, counting generously


def of_sums(magnitude: np.ndarray, n: int, dtype) -> np.ndarray:
    """For sums of n terms. One more covers the second order in eps and the rounding of
    `magnitude`.
    """
    return (n + 1) * np.finfo(dtype).eps * np.asarray(magnitude, np.float64)


# ---------------------------------------------------------------------------- pointwise


def of_pointwise(name: str, output: np.ndarray, grad_output: np.ndarray, dtype) -> tuple[np.ndarray, np.ndarray]:
    """For relu, sigmoid, tanh and their gradients, from torch's output and grad_output
    in float64.

    relu rounds nothing. exp and tanh are good to 4 units in the last place in both
    libraries, the sum and the division add one each. s (1 - s) is off by at most 2
    times the error of s, 1 - t^2 by at most 2 times that of t; three operations follow.
    Subnormal numbers are coarse, and torch's sigmoid is 0 where exp(-x) overflows:
    `tiny`.
    """
    if name == "relu":
        return np.zeros(output.shape), np.zeros(output.shape)
    eps, tiny = np.finfo(dtype).eps, np.finfo(dtype).tiny
    slope = np.abs(grad_output) * (np.abs(output) if name == "sigmoid" else 1)
    return 10 * eps * np.abs(output) + tiny, 23 * eps * slope + tiny * (1 + np.abs(grad_output))


def of_gelu(x: np.ndarray, grad_output: np.ndarray, approximate: str, dtype) -> tuple[np.ndarray, np.ndarray]:
    """For gelu and its gradient.

    erf, exp and tanh are good to 4 units, and their arguments are rounded where they are no
    steeper than 1: P errs by at most 10 eps, x P by that times |x|. In the gradient x P' adds
    as much: x^3 exp(-x^2 / 2) is below 1.2. With tanh the rounding of 1 - tanh^2, 2 eps, is
    multiplied with x u'; from |x| = 9 on tanh is 1 exactly.
    """
    eps, tiny = np.finfo(dtype).eps, np.finfo(dtype).tiny
    size = np.abs(x.astype(np.float64))
    near = np.minimum(size, 9)
    steep = 4 * near * (1 + 3 * 0.044715 * near**2) if approximate == "tanh" else 0
    return 10 * eps * size + tiny, (30 + steep) * eps * np.abs(grad_output) + tiny


# ------------------------------------------------------------------------------ softmax


def softmax_magnitudes(name: str, x: np.ndarray, grad_output: np.ndarray, axis: int):
    """(of softmax or log_softmax, of its gradient, the number of terms n).

    With X = max |x|: the shift x - max x errs by up to 2 X units of eps, which exp makes a
    relative error; the sum over C adds C. So p errs by n eps of itself and its logarithm by
    n eps, with n = 4 X + C + 4. In the gradients p stands twice, and a sum over C.
    """
    x, g = x.astype(np.float64), np.abs(grad_output.astype(np.float64))
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    p = e / e.sum(axis=axis, keepdims=True)
    n = 4 * np.abs(x).max(initial=0) + x.shape[axis] + 4
    if name == "softmax":
        return p, p * (g + (g * p).sum(axis, keepdims=True)), 4 * n
    with np.errstate(divide="ignore"):
        return np.abs(np.log(p)) + 1, g + p * g.sum(axis, keepdims=True), 4 * n


# --------------------------------------------------------------------------- resizing


def around(output: np.ndarray, grad_input: np.ndarray, x: np.ndarray) -> list[np.ndarray]:
    """The magnitudes where a rounded place may have crossed a pixel: then the pixel beside it
    is read, too. So the largest of |x|, and the sum over the pixels around.
    """
    H, W = grad_input.shape[-2:]
    wide = np.pad(grad_input, [(0, 0), (0, 0), (1, 1), (1, 1)])
    total = sum(wide[:, :, i : i + H, j : j + W] for i in range(3) for j in range(3))
    return [np.full(output.shape, x.max(initial=0)), np.asarray(total)]


# ------------------------------------------------------------------------ normalisation


def normalization_magnitudes(x, grad_output, weight, bias, eps):
    """{output, grad_input, grad_weight, grad_bias} and the number of terms n, for x (N, C, L),
    grad_output, weight and bias that broadcast to it; bias None is 0.

    The mean errs by up to n eps X, with X = max |x| of the channel, and so does each
    deviation from it; the variance by n eps var + 2 s n eps X, as the mean of the |deviations|
    is at most s. So the normalised y errs by n eps M with

        M = X / s (1 + |y|) + |y|

    and 1 / s by (1 + X / s) n eps of itself. In the gradient, |g| + mean |g| + |y| mean |g y|
    is added up and divided by s, with y off by M wherever it stands.
    """
    x, g = x.astype(np.float64), np.abs(grad_output.astype(np.float64))
    weight = np.abs(np.asarray(weight, np.float64))
    axes = (0, 2)
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    s = np.sqrt(var + eps)
    y = np.abs(x - mean) / s
    spread = np.abs(x).max(axes, keepdims=True) / s
    M = spread * (1 + y) + y
    inner = g * weight

    def average(a):
        return a.mean(axes, keepdims=True)

    added = inner + average(inner) + y * average(inner * y)
    moved = M * average(inner * y) + y * average(inner * M)
    magnitudes = {
        "output": weight * M + (0 if bias is None else np.abs(bias)),
        "grad_input": (added * (1 + spread) + moved) / s,
        "grad_weight": g * (y + M),  # for the caller to add up
        "grad_bias": g,
    }
    return magnitudes, x.size // x.shape[1] + 8


# ------------------------------------------------------------------------------- losses


def loss_magnitudes(name: str, input, target, options: dict[str, Any], grad_output):
    """(of the loss, of its gradient, the number of terms n): the sums of the absolute
    values of all terms.

    For cross-entropy, with X = max |x|: the shift x - max x errs by up to 2 X units of
    eps, which exp makes a relative error; the sum over C adds C and the logarithm makes
    it absolute again: E = 4 X + C + 4.
    """
    x, target = (a.astype(np.float64) if a.dtype.kind == "f" else a for a in (input, target))
    options = {key: value for key, value in options.items() if value is not None}
    weight, grad = options.get("weight", np.ones(())).astype(np.float64), np.abs(grad_output.astype(np.float64))
    if name in ("cross_entropy", "nll_loss"):
        if input.ndim == 1:
            x, target, grad = x[None], target[None], grad[None] if options["reduction"] == "none" else grad
        C = x.shape[1]
        weight = np.broadcast_to(weight, C).reshape(-1, *[1] * (x.ndim - 2))
        smoothing, divisor = max(options.get("label_smoothing", 0), 0), target.size / C
        if target.dtype.kind == "f":
            q = ((1 - smoothing) * target + smoothing / C) * weight
        else:
            counts = target != options["ignore_index"]
            one_hot = np.moveaxis(np.arange(C) == np.where(counts, target, 0)[..., None], -1, 1)
            q = np.where(counts[:, None], ((1 - smoothing) * one_hot + smoothing / C) * weight, 0)
            divisor = np.where(counts[:, None], one_hot * weight, 0).sum()
        X = np.abs(x).max(initial=0)
        e = np.exp(x - x.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        E = 4 * X + C + 4
        loss = (q * (np.abs(np.log(p)) + E)).sum(axis=1)
        grad = grad[:, None] if options["reduction"] == "none" else grad
        gradient, n = (q + p * q.sum(axis=1, keepdims=True) * E) * grad, C + loss.size + 8
        if name == "nll_loss":  # the input is log p already
            loss, gradient = (q * np.abs(x)).sum(axis=1), q * grad
    else:
        divisor, n = x.size, x.size + 8
        if name == "mse_loss":
            divisor = weight.sum() if weight.ndim == x.ndim and "weight" in options else divisor
            loss, gradient = (x - target) ** 2, 2 * np.abs(x - target)
        elif name == "binary_cross_entropy":
            with np.errstate(divide="ignore"):
                logs = -np.maximum(np.log(x), -100), -np.maximum(np.log1p(-x), -100)
            loss = target * logs[0] + (1 - target) * logs[1]
            gradient = np.abs(x - target) / np.maximum((1 - x) * x, 9e-13)
        else:
            positives = 2 + options.get("pos_weight", np.ones(())).astype(np.float64) * target
            loss = (1 - target) * np.abs(x) + positives * np.logaddexp(0, -x)
            gradient = 2 * positives
        loss, gradient = loss * weight, gradient * weight * grad
    if options["reduction"] == "none":
        return loss.reshape(grad_output.shape), gradient.reshape(input.shape), n
    divisor = divisor if options["reduction"] == "mean" else 1
    with np.errstate(divide="ignore", invalid="ignore"):
        return loss.sum() / divisor, np.nan_to_num(gradient.reshape(input.shape) / divisor), n


# --------------------------------------------------------------------------- optimisers


def adam_magnitudes(
    p,
    grads,
    lr=1e-3,
    betas=(0.9, 0.999),
    eps=1e-8,
    weight_decay=0.0,
    amsgrad=False,
    maximize=False,
    decoupled_weight_decay=False,
):
    """The absolute values of all that is added up for p, m and v, along the steps that
    Adam takes. `lr` is one number, or one for each step.

    A gradient g made of terms of size a has an error of about eps a; that of v = sum w
    g^2 is then 2 eps sum w |g| a, at most 2 eps sqrt(v sum w a^2) (Cauchy and Schwarz),
    so that of sqrt(v) is eps sqrt(sum w a^2): beside sqrt(v) itself it may be large,
    where a decay and a gradient cancel. So the steps are taken too, for m and v as they
    are.
    """
    b1, b2 = betas
    into, out_of = (0.0, weight_decay) if decoupled_weight_decay else (weight_decay, 0.0)
    value, size = p.astype(np.float64), np.abs(p.astype(np.float64))
    mean, square, most, m, v, v_most = np.zeros((6, *p.shape))
    there = [grad.astype(np.float64) for grad in grads if grad is not None]
    rates = np.broadcast_to(lr, len(there))
    for t, (grad, rate) in enumerate(zip(there, rates, strict=True), 1):
        g, a = (-grad if maximize else grad) + into * value, np.abs(grad) + into * size
        mean, square = mean + (1 - b1) * (g - mean), b2 * square + (1 - b2) * g * g
        m, v = m + (1 - b1) * a, b2 * v + (1 - b2) * a * a  # m: both libraries compute m + (1 - b1) (g - m)
        most, v_most = (np.maximum(most, square), np.maximum(v_most, v)) if amsgrad else (square, v)
        denominator, far = np.sqrt(most / (1 - b2**t)) + eps, rate / (1 - b1**t)
        spread = np.sqrt(v_most / (1 - b2**t)) / denominator
        value = value * (1 - rate * out_of) - far * mean / denominator
        size = size * (1 + rate * out_of) + far * (m + np.abs(mean) * spread) / denominator
    return {"param": size, "exp_avg": m, "exp_avg_sq": v, "max_exp_avg_sq": v_most}


def sgd_magnitudes(p, grads, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, **_):
    """The same for SGD, which is linear: every rounding error is eps times one of these."""
    size, buffer = np.abs(p.astype(np.float64)), None
    there = [grad.astype(np.float64) for grad in grads if grad is not None]
    for grad, rate in zip(there, np.broadcast_to(lr, len(there)), strict=True):
        a = np.abs(grad) + weight_decay * size
        buffer = a if buffer is None or not momentum else momentum * buffer + (1 - dampening) * a
        size = size + rate * (a + momentum * buffer if nesterov else buffer)
    return {"param": size, "momentum_buffer": buffer}


def adamw_magnitudes(p, grads, weight_decay=1e-2, **options):
    """The same for AdamW."""
    return adam_magnitudes(p, grads, weight_decay=weight_decay, decoupled_weight_decay=True, **options)


def adadelta_magnitudes(p, grads, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0.0, maximize=False):
    """What rounding may add up to, in units of eps, carried along with the values: each
    operation adds half of its result, and passes on what its arguments have.

    A square root halves a relative error: that of sqrt(v + eps) is error / (2 (v + eps)),
    and is taken twice for what that formula leaves out.
    """
    value = p.astype(np.float64)
    v, u, value_error, v_error, u_error = np.zeros((5, *p.shape))
    value_error = value_error + np.abs(value)
    for grad in (grad.astype(np.float64) for grad in grads if grad is not None):
        g = (-grad if maximize else grad) + weight_decay * value
        g_error = np.abs(g) + weight_decay * (np.abs(value) + value_error)
        v = rho * v + (1 - rho) * g * g
        v_error = rho * v_error + (1 - rho) * (2 * np.abs(g) * g_error + 2 * g * g) + 2 * v
        step = np.sqrt(u + eps) / np.sqrt(v + eps) * g
        relative = u_error / (u + eps) + v_error / (v + eps) + 4
        step_error = np.abs(step) * relative + np.sqrt(u + eps) / np.sqrt(v + eps) * g_error
        u = rho * u + (1 - rho) * step * step
        u_error = rho * u_error + (1 - rho) * (2 * np.abs(step) * step_error + 2 * step * step) + 2 * u
        value = value - lr * step
        value_error = value_error + lr * (step_error + np.abs(step)) + np.abs(value)
    return {"param": value_error, "square_avg": v_error, "acc_delta": u_error}


OPTIMISERS: dict[str, Callable[..., dict[str, Any]]] = {
    "Adam": adam_magnitudes,
    "AdamW": adamw_magnitudes,
    "Adadelta": adadelta_magnitudes,
    "SGD": sgd_magnitudes,
}
