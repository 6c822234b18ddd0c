"""The losses and their gradients with respect to the input.

Each has one loss per element (cross-entropy: per target), then the reduction: "none" keeps
them, "sum" adds them, "mean" divides the sum by their number (cross-entropy with class
indices, and mse: by the sum of the weights). A gradient takes grad_output, the gradient with
respect to what the loss returned: one number, or one for each loss with "none".
"""

import numpy as np

from .pointwise import sigmoid

# Decorates what may meet 0 / 0, 0 * inf, inf - inf or an overflow: NaN and infinity travel
# in silence, as in torch.
_silent = np.errstate(divide="ignore", invalid="ignore", over="ignore")


def _reduce(losses, reduction, divisor):
    """The losses themselves, or one number.

    The mean over nothing is 0 / 0 = NaN, as in torch.
    """
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    return losses.sum() / losses.dtype.type(divisor)


def _reduce_grad(grad_output, reduction, divisor):
    """What reaches each single loss: grad_output, divided as the mean was."""
    return grad_output / divisor if reduction == "mean" else grad_output


# -------------------------------------------------------- cross-entropy: the plain case
#
#     p_c   = exp(x_c) / sum over k of exp(x_k)        softmax: scores become probabilities
#     loss  = - log p_y                                y is the true class
#
# As log p_y = x_y - log(sum over k of exp(x_k)), the gradient is
#
#     grad x_k = p_k - [k = y]                         [k = y] is 1 if k = y, else 0
#
# since d log(sum over k of exp(x_k)) / d x_k = p_k, and the loss has the opposite sign.


def plain_cross_entropy(logits, target):
    """logits (N, C), classes (N,) -> the mean of -log p_y, one number.

    For reading: tests hold it against `cross_entropy`. Not the logarithm of p: a small p is 0
    in the computer, and log 0 is -inf.
    """
    log_p = log_softmax(logits, 1)  # (N, C)
    images = np.arange(len(target))  # (N,)
    return -log_p[images, target].mean()


def plain_cross_entropy_grad(logits, target):
    """(N, C): p, less 1 at the true class, divided by N as the mean was."""
    grad = softmax(logits, 1)  # (N, C)
    images = np.arange(len(target))  # (N,)
    grad[images, target] -= 1
    return grad / len(target)


@_silent
def softmax(x, axis):
    """p_c, along the axis of the classes."""
    return np.exp(log_softmax(x, axis))


@_silent
def log_softmax(x, axis):
    """log p_c.

    Shifting all logits by the largest changes no probability and keeps exp from
    overflowing.
    """
    shifted = x - x.max(axis=axis, keepdims=True)
    total = np.exp(shifted).sum(axis=axis, keepdims=True)
    return shifted - np.log(total)


# ---------------------------------------------------------- cross-entropy: every option
#
#     loss  = - sum over c of q_c log p_c
#
# q_c is weight[y] for the class c = y and 0 elsewhere when the target is an index y, and
# target_c weight_c when the target holds probabilities. Label smoothing e mixes in the uniform
# distribution: (1 - e) q + (e / C) weight. As d log p_c / d x_k = [c = k] - p_k,
#
#     grad x_k = p_k (sum over c of q_c) - q_k
#
# Why the loss has two branches and not one q: where a logit is -inf, log p_c is -inf too.
# An index leaves that class out and the loss stays finite; in the sum over all classes q_c
# log p_c is 0 * -inf, which is NaN.


@_silent
def cross_entropy(logits, target, weight, ignore_index, label_smoothing, reduction):
    """Logits (N, C, ...) against class indices (N, ...) or probabilities (N, C, ...)."""
    log_p = log_softmax(logits, 1)  # (N, C, ...)
    if target.dtype.kind == "f":
        q = _probability_target(logits, target, weight, label_smoothing)  # (N, C, ...)
        losses = -(q * log_p).sum(axis=1)  # (N, ...)
        return _reduce(losses, reduction, losses.size)
    loss = nll_loss(log_p, target, weight, ignore_index, reduction)
    if not label_smoothing:
        return loss
    counted, _, weights = _index_target(logits, target, weight, ignore_index)
    all_classes = -(_class_weights(logits, weight) * log_p).sum(axis=1)  # (N, ...)
    all_classes = np.where(counted, all_classes, logits.dtype.type(0))
    uniform = _reduce(all_classes, reduction, weights.sum())
    return (1 - label_smoothing) * loss + label_smoothing / logits.shape[1] * uniform


@_silent
def cross_entropy_grad(grad_output, logits, target, weight, ignore_index, label_smoothing, reduction):
    """(N, C, ...): grad x = grad log_p - p sum(grad log_p), where

    grad log_p = -q * grad_output, and 0 where the target is ignored.
    """
    p = softmax(logits, 1)  # (N, C, ...)
    if target.dtype.kind == "f":
        q = _probability_target(logits, target, weight, label_smoothing)  # (N, C, ...)
        counted = np.True_
        divisor = q.size / q.shape[1]
    else:
        counted, classes, weights = _index_target(logits, target, weight, ignore_index)
        counted = counted[:, None]  # (N, 1, ...)
        divisor = weights.sum()
        q = np.zeros_like(logits)  # (N, C, ...)
        q_y = (1 - label_smoothing) * weights  # (N, ...)
        np.put_along_axis(q, classes, q_y[:, None], axis=1)
        q += label_smoothing / q.shape[1] * _class_weights(logits, weight)
    share = _reduce_grad(grad_output, reduction, divisor)  # one number, or (N, ...)
    share = share[:, None] if reduction == "none" else share
    grad_log_p = np.where(counted, -q * share, 0)  # (N, C, ...)
    total = grad_log_p.sum(axis=1, keepdims=True)  # (N, 1, ...)
    grad = grad_log_p - p * total
    return grad.astype(logits.dtype, copy=False)  # (N, C, ...)


@_silent
def nll_loss(log_p, target, weight, ignore_index, reduction):
    """-weight[y] log_p[y], for class indices y: the second half of cross-entropy."""
    counted, classes, weights = _index_target(log_p, target, weight, ignore_index)
    log_p_y = np.take_along_axis(log_p, classes, axis=1)[:, 0]  # (N, ...)
    losses = np.where(counted, -weights * log_p_y, log_p.dtype.type(0))  # (N, ...)
    return _reduce(losses, reduction, weights.sum())


@_silent
def nll_loss_grad(grad_output, log_p, target, weight, ignore_index, reduction):
    """(N, C, ...): -weight[y] at the class y, 0 elsewhere."""
    counted, classes, weights = _index_target(log_p, target, weight, ignore_index)
    share = _reduce_grad(grad_output, reduction, weights.sum())  # one number, or (N, ...)
    grad_y = np.where(counted, -weights * share, log_p.dtype.type(0))  # (N, ...)
    grad = np.zeros_like(log_p)  # (N, C, ...)
    np.put_along_axis(grad, classes, grad_y[:, None], axis=1)
    return grad


def _class_weights(logits, weight):
    """`weight`, or ones, in a shape that multiplies (N, C, ...)."""
    if weight is None:
        weight = np.ones(logits.shape[1], logits.dtype)
    behind = [1] * (logits.ndim - 2)
    return weight.reshape(-1, *behind)  # (C, 1, ...)


def _index_target(logits, target, weight, ignore_index):
    """Which targets count (N, ...), their classes (N, 1, ...), the weight of each (N, ...)."""
    counted = target != ignore_index
    classes = np.where(counted, target, 0)
    classes = classes.astype(np.int64)[:, None]
    weights = np.broadcast_to(_class_weights(logits, weight), logits.shape)  # (N, C, ...)
    weights = np.take_along_axis(weights, classes, axis=1)[:, 0]  # (N, ...)
    weights = np.where(counted, weights, logits.dtype.type(0))
    return counted, classes, weights


def _probability_target(logits, target, weight, label_smoothing):
    """q of the formula above, (N, C, ...)."""
    smooth = (1 - label_smoothing) * target + label_smoothing / logits.shape[1]
    q = smooth * _class_weights(logits, weight)
    return q.astype(logits.dtype, copy=False)


# ------------------------------------------------------------ binary cross-entropy, MSE


@_silent
def binary_cross_entropy(p, target, weight, reduction):
    """-weight (y log p + (1 - y) log(1 - p)), where y is the target.

    A logarithm counts as at least -100, so that p = 0 costs no infinity.
    """
    log_p = np.maximum(np.log(p), -100)
    log_1_minus_p = np.maximum(np.log1p(-p), -100)
    losses = -(target * log_p + (1 - target) * log_1_minus_p)
    losses = losses if weight is None else losses * weight
    return _reduce(losses, reduction, losses.size)


@_silent
def binary_cross_entropy_grad(grad_output, p, target, weight, reduction):
    """(p - y) / (p (1 - p)), the denominator at least 1e-12 (float32's, as in torch)."""
    least = float(np.float32(1e-12))
    slope = np.maximum((1 - p) * p, least)
    grad = (p - target) / slope
    grad = grad if weight is None else grad * weight
    grad = grad * _reduce_grad(grad_output, reduction, p.size)
    return grad.astype(p.dtype, copy=False)


@_silent
def binary_cross_entropy_with_logits(logits, target, weight, pos_weight, reduction):
    """The same with p = sigmoid(x), exact for any x.

        weight ((1 - y) x + (1 + (pos_weight - 1) y) softplus(-x))

    since log sigmoid(x) = -softplus(-x) and log(1 - sigmoid(x)) = -x - softplus(-x);
    pos_weight multiplies the loss of y = 1.

    softplus(-x) = log(1 + exp(-x)) = log(1 + exp(-|x|)) + max(-x, 0), and the last form
    does not overflow.
    """
    positives = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    near_0 = np.log1p(np.exp(-np.abs(logits)))
    softplus = near_0 + np.maximum(-logits, 0)
    losses = (1 - target) * logits + positives * softplus
    losses = losses if weight is None else losses * weight
    return _reduce(losses, reduction, losses.size)


@_silent
def binary_cross_entropy_with_logits_grad(grad_output, logits, target, weight, pos_weight, reduction):
    """d softplus(-x) / dx = -sigmoid(-x)."""
    positives = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    grad = (1 - target) - positives * sigmoid(-logits)
    grad = grad if weight is None else grad * weight
    grad = grad * _reduce_grad(grad_output, reduction, logits.size)
    return grad.astype(logits.dtype, copy=False)


@_silent
def mse_loss(x, target, weight, reduction):
    """weight (x - y)^2, where y is the target; the mean divides by the sum of the weights."""
    losses = np.square(x - target)
    if weight is None:
        return _reduce(losses, reduction, losses.size)
    return _reduce(losses * weight, reduction, weight.sum())


@_silent
def mse_loss_grad(grad_output, x, target, weight, reduction):
    """2 weight (x - y).

    The products are in torch's order: another one may exceed the largest number where this
    does not.
    """
    if weight is None:
        two = _reduce_grad(x.dtype.type(2), reduction, x.size)
        grad = two * (x - target) * grad_output
    else:
        share = _reduce_grad(grad_output, reduction, weight.sum())
        grad = 2 * (x - target) * (weight * share)
    return grad.astype(x.dtype, copy=False)
