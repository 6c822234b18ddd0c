"""Adam in one pass over the arrays, where NumPy makes a dozen. SGD is the textbook's."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .engine.compilation import compiled
from .engine.machine import fused
from .engine.team import next_part, parallel

SHARE = 1 << 14  # numbers for a part


class Scalars(NamedTuple):
    """What Adam multiplies by, worked out in float64 and rounded to the arrays' dtype."""

    shrink: float  # decoupled weight decay: param *= shrink
    decay: float  # the other weight decay: grad += decay param
    weight: float  # exp_avg moves by it towards the gradient, or from the gradient towards exp_avg
    beta2: float
    rest2: float  # 1 - beta2
    correction: float  # sqrt(1 - beta2^step)
    eps: float
    size: float  # of the step: -lr / (1 - beta1^step)


def adam(
    param,
    grad,
    exp_avg,
    exp_avg_sq,
    max_exp_avg_sq,
    step,
    lr,
    beta1,
    beta2,
    eps,
    weight_decay,
    maximize,
    decoupled_weight_decay,
):
    """Updates param and the averages in place, operation for operation as torch."""
    number = param.dtype.type
    scalars = _scalars(number, step, lr, beta1, beta2, eps, weight_decay, decoupled_weight_decay)
    amsgrad = max_exp_avg_sq is not None
    if not amsgrad:
        max_exp_avg_sq = np.empty(0, number)
    arrays = [param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq]
    whole = [a if a.flags.carray and a.dtype.isnative else np.array(a, number, order="C") for a in arrays]
    parts = max(1, param.size // SHARE)
    parallel(_adam_loops, parts, *(a.reshape(-1) for a in whole), amsgrad, maximize, scalars)
    for array, updated in zip(arrays, whole, strict=True):
        if array is not updated and array is not grad:
            array[...] = updated


@lru_cache(maxsize=4)  # one step asks for each parameter, and all have the same
def _scalars(number, step, lr, beta1, beta2, eps, weight_decay, decoupled_weight_decay):
    scalars = Scalars(
        shrink=number(1 - lr * weight_decay if decoupled_weight_decay else 1),
        decay=number(0 if decoupled_weight_decay else weight_decay),
        weight=number(1 - beta1) - number(beta1 <= 0.5),
        beta2=number(beta2),
        rest2=number(1 - beta2),
        correction=number(math.sqrt(1 - beta2**step)),
        eps=number(eps),
        size=number(-lr / (1 - beta1**step)),
    )
    return tuple(scalars)


# numpy: a division that may raise cannot be vectorised, 0.34 instead of 0.81 ms
@compiled(error_model="numpy")
def _adam_loops(team, parts, param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq, amsgrad, maximize, scalars):
    scalars = Scalars(*scalars)
    weight = scalars.weight
    k = next_part(team)
    while k < parts:
        first = k * param.size // parts
        last = (k + 1) * param.size // parts
        for q in range(np.uint64(first), np.uint64(last)):
            p = param[q] * scalars.shrink
            g = -grad[q] if maximize else grad[q]
            if scalars.decay != 0:
                g = fused(p, scalars.decay, g)
            m = fused(weight, g - exp_avg[q], exp_avg[q] if weight > 0 else g)  # from the nearer end
            v = fused(scalars.rest2 * g, g, exp_avg_sq[q] * scalars.beta2)
            exp_avg[q] = m
            exp_avg_sq[q] = v
            if amsgrad:
                v = max_exp_avg_sq[q] if max_exp_avg_sq[q] > v else v  # NaN stays NaN
                max_exp_avg_sq[q] = v
            root = np.sqrt(v) / scalars.correction + scalars.eps
            param[q] = p + scalars.size * m / root
        k = next_part(team)
