"""Adam in one pass over the four arrays, where NumPy makes a dozen. SGD is the textbook's."""

import math

import numpy as np

from .engine.compilation import compiled
from .engine.machine import fused
from .engine.team import parallel, take

SHARE = 1 << 14  # numbers for a part


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
    """Updates param and the averages in place, operation for operation as torch: the scalars in float64, the rest as the arrays."""
    number = param.dtype.type
    scalars = (
        number(1 - lr * weight_decay if decoupled_weight_decay else 1),
        number(0 if decoupled_weight_decay else weight_decay),
        number(1 - beta1) - number(beta1 <= 0.5),
        number(beta2),
        number(1 - beta2),
        number(math.sqrt(1 - beta2**step)),
        number(eps),
        number(-lr / (1 - beta1**step)),
    )
    amsgrad = max_exp_avg_sq is not None
    arrays = [param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq if amsgrad else exp_avg_sq]
    whole = [a if a.flags.carray and a.dtype.isnative else np.array(a, number, order="C") for a in arrays]
    parts = max(1, param.size // SHARE)
    parallel(_adam_loops, parts, *(a.reshape(-1) for a in whole), amsgrad, maximize, scalars)
    for a, b in zip(arrays[::2] + arrays[3:4], whole[::2] + whole[3:4], strict=True):
        if a is not b:
            a[...] = b


# numpy: a division that may raise cannot be vectorised, 0.34 instead of 0.81 ms
@compiled(error_model="numpy")
def _adam_loops(team, parts, param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq, amsgrad, maximize, scalars):
    shrink, decay, weight, old2, new2, correction, eps, size = scalars
    k = take(team)
    while k < parts:
        for q in range(np.uint64(k * param.size // parts), np.uint64((k + 1) * param.size // parts)):
            p, g = param[q] * shrink, -grad[q] if maximize else grad[q]
            if decay != 0:
                g = fused(p, decay, g)
            m = fused(weight, g - exp_avg[q], exp_avg[q] if weight > 0 else g)  # from the nearer end
            v = fused(new2 * g, g, exp_avg_sq[q] * old2)
            exp_avg[q], exp_avg_sq[q] = m, v
            if amsgrad:
                v = max_exp_avg_sq[q] if max_exp_avg_sq[q] > v else v  # NaN stays NaN
                max_exp_avg_sq[q] = v
            param[q] = p + size * m / (np.sqrt(v) / correction + eps)
        k = take(team)
