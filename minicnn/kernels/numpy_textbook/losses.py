"""The losses and their gradients with respect to the input.

Each has one loss per element (cross-entropy: per target), then the reduction: "none" keeps them, "sum" adds them, "mean"
divides the sum by their number (cross-entropy: by the sum of the targets' weights). A gradient takes grad_output, the
gradient with respect to what the loss returned: one number, or one for each loss with "none".
"""

import numpy as np

from .pointwise import sigmoid

# Decorates what may meet 0 / 0, 0 * inf, inf - inf or an overflow: NaN and infinity travel in silence, as in torch.
_silent = np.errstate(divide="ignore", invalid="ignore", over="ignore")


def _reduce(losses, reduction, divisor):
    """The mean over nothing is 0 / 0 = NaN, as in torch."""
    if reduction == "none":
        return losses
    return losses.sum() / losses.dtype.type(divisor if reduction == "mean" else 1)


def _reduce_grad(grad_output, reduction, divisor):
    """What reaches each single loss: grad_output, divided as the mean was."""
    return grad_output / divisor if reduction == "mean" else grad_output


# ---------------------------------------------------------------------------------------------- cross-entropy
#
#     log p_c = x_c - log(sum over k of exp(x_k))              the logarithm of softmax
#     loss    = - sum over c of q_c log p_c
#
# q_c is weight[y] for the class c = y and 0 elsewhere when the target is an index y, and target_c weight_c when the
# target holds probabilities; label smoothing e mixes in the uniform distribution, (1 - e) q + e / C weight.
# As d log p_c / d x_k = [c = k] - p_k, the gradient is          grad x_k = p_k (sum over c of q_c) - q_k.


def _log_softmax(logits):
    """Shifting all logits by the largest changes no probability and keeps exp from overflowing."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _class_weights(logits, weight):
    """`weight`, or ones, in a shape that multiplies (N, C, ...)."""
    weight = np.ones(logits.shape[1], logits.dtype) if weight is None else weight
    return weight.reshape(-1, *[1] * (logits.ndim - 2))


def _index_target(logits, target, weight, ignore_index):
    """Which targets count; their classes as an index array (N, 1, ...); the weight of each, 0 where ignored."""
    counts = target != ignore_index  # (N, ...)
    classes = np.where(counts, target, 0).astype(np.int64)[:, None]  # (N, 1, ...)
    weights = np.broadcast_to(_class_weights(logits, weight), logits.shape)
    return counts, classes, np.where(counts, np.take_along_axis(weights, classes, axis=1)[:, 0], logits.dtype.type(0))


def _probability_target(logits, target, weight, label_smoothing):
    """q of the formula above."""
    smooth = (1 - label_smoothing) * target + label_smoothing / logits.shape[1]
    return (smooth * _class_weights(logits, weight)).astype(logits.dtype, copy=False)


@_silent
def cross_entropy(logits, target, weight, ignore_index, label_smoothing, reduction):
    """Logits (N, C, ...) against class indices (N, ...) or probabilities (N, C, ...)."""
    log_p = _log_softmax(logits)  # (N, C, ...)
    if target.dtype.kind == "f":
        losses = -(_probability_target(logits, target, weight, label_smoothing) * log_p).sum(axis=1)  # (N, ...)
        return _reduce(losses, reduction, losses.size)
    counts, classes, weights = _index_target(logits, target, weight, ignore_index)
    zero = logits.dtype.type(0)
    losses = np.where(counts, -weights * np.take_along_axis(log_p, classes, axis=1)[:, 0], zero)  # (N, ...)
    loss = _reduce(losses, reduction, weights.sum())
    if not label_smoothing:
        return loss
    uniform = np.where(counts, -(_class_weights(logits, weight) * log_p).sum(axis=1), zero)
    share = label_smoothing / logits.shape[1]
    return (1 - label_smoothing) * loss + share * _reduce(uniform, reduction, weights.sum())


@_silent
def cross_entropy_grad(grad_output, logits, target, weight, ignore_index, label_smoothing, reduction):
    """grad log_p = -q * grad_output, 0 where the target is ignored; grad x = grad log_p - p sum(grad log_p)."""
    p = np.exp(_log_softmax(logits))
    if target.dtype.kind == "f":
        q = _probability_target(logits, target, weight, label_smoothing)
        counts, divisor = np.True_, q.size / q.shape[1]
    else:
        counts, classes, weights = _index_target(logits, target, weight, ignore_index)
        counts, divisor = counts[:, None], weights.sum()
        q = np.zeros_like(logits)
        np.put_along_axis(q, classes, (1 - label_smoothing) * weights[:, None], axis=1)
        q += label_smoothing / q.shape[1] * _class_weights(logits, weight)
    share = _reduce_grad(grad_output, reduction, divisor)
    share = share[:, None] if reduction == "none" else share
    grad_log_p = np.where(counts, -q * share, 0)
    grad = grad_log_p - p * grad_log_p.sum(axis=1, keepdims=True)
    return grad.astype(logits.dtype, copy=False)  # (N, C, ...)


# ----------------------------------------------------------------------------------- binary cross-entropy, MSE


@_silent
def binary_cross_entropy(p, target, weight, reduction):
    """-weight (y log p + (1 - y) log(1 - p)); a logarithm counts as at least -100, so that p = 0 costs no infinity."""
    losses = -(target * np.maximum(np.log(p), -100) + (1 - target) * np.maximum(np.log1p(-p), -100))
    losses = losses if weight is None else losses * weight
    return _reduce(losses, reduction, losses.size)


@_silent
def binary_cross_entropy_grad(grad_output, p, target, weight, reduction):
    """(p - y) / (p (1 - p)), the denominator at least 1e-12, rounded to float32 as torch has it."""
    grad = (p - target) / np.maximum((1 - p) * p, float(np.float32(1e-12)))
    grad = grad if weight is None else grad * weight
    return (grad * _reduce_grad(grad_output, reduction, p.size)).astype(p.dtype, copy=False)


@_silent
def binary_cross_entropy_with_logits(logits, target, weight, pos_weight, reduction):
    """The same with p = sigmoid(x), exact for any x: (1 - y) x + (1 + (pos_weight - 1) y) log(1 + exp(-x)).

    log(1 + exp(-x)) = log(1 + exp(-|x|)) + max(-x, 0) does not overflow.
    """
    positives = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    softplus = np.log1p(np.exp(-np.abs(logits))) + np.maximum(-logits, 0)
    losses = (1 - target) * logits + positives * softplus
    losses = losses if weight is None else losses * weight
    return _reduce(losses, reduction, losses.size)


@_silent
def binary_cross_entropy_with_logits_grad(grad_output, logits, target, weight, pos_weight, reduction):
    """d softplus(-x) / dx = -sigmoid(-x)."""
    positives = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    grad = (1 - target) - positives * sigmoid(-logits)
    grad = grad if weight is None else grad * weight
    return (grad * _reduce_grad(grad_output, reduction, logits.size)).astype(logits.dtype, copy=False)


@_silent
def mse_loss(x, target, weight, reduction):
    """weight (x - y)^2; the mean divides by the sum of the weights."""
    losses = np.square(x - target)
    if weight is None:
        return _reduce(losses, reduction, losses.size)
    return _reduce(losses * weight, reduction, weight.sum())


@_silent
def mse_loss_grad(grad_output, x, target, weight, reduction):
    """2 weight (x - y), in torch's order of products: another one may exceed the largest number where this does not."""
    if weight is None:
        grad = _reduce_grad(x.dtype.type(2), reduction, x.size) * (x - target) * grad_output
    else:
        grad = 2 * (x - target) * (weight * _reduce_grad(grad_output, reduction, weight.sum()))
    return grad.astype(x.dtype, copy=False)
