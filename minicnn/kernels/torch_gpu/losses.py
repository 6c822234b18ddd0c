"""The losses and their gradients, by the textbook's formulas, which are explained there.

Nothing here looks at a value, so that a GPU never has to wait.
"""

import torch

from .tensors import on_tensors


def _reduce(losses, reduction, divisor):
    if reduction == "none":
        return losses
    return losses.sum() / divisor if reduction == "mean" else losses.sum()


def _reduce_grad(grad_output, reduction, divisor):
    return grad_output / divisor if reduction == "mean" else grad_output


# ------------------------------------------------------------------------ cross-entropy


def _class_weights(logits, weight):
    weight = logits.new_ones(logits.shape[1]) if weight is None else weight
    return weight.reshape(1, -1, *[1] * (logits.ndim - 2))


def _index_target(logits, target, weight, ignore_index):
    counts = target != ignore_index  # (N, ...)
    classes = target.masked_fill(~counts, 0).to(torch.int64)[:, None]  # (N, 1, ...)
    weights = _class_weights(logits, weight).expand(logits.shape).gather(1, classes)[:, 0]
    return counts, classes, weights.masked_fill(~counts, 0)


def _probability_target(logits, target, weight, label_smoothing):
    smooth = (1 - label_smoothing) * target + label_smoothing / logits.shape[1]
    return (smooth * _class_weights(logits, weight)).to(logits.dtype)


@on_tensors
def softmax(x, axis):
    return torch.softmax(x, axis)


@on_tensors
def log_softmax(x, axis):
    return torch.log_softmax(x, axis)


@on_tensors
def nll_loss(log_p, target, weight, ignore_index, reduction):
    counts, classes, weights = _index_target(log_p, target, weight, ignore_index)
    losses = (-weights * log_p.gather(1, classes)[:, 0]).masked_fill(~counts, 0)  # (N, ...)
    return _reduce(losses, reduction, weights.sum())


@on_tensors
def nll_loss_grad(grad_output, log_p, target, weight, ignore_index, reduction):
    counts, classes, weights = _index_target(log_p, target, weight, ignore_index)
    share = _reduce_grad(grad_output, reduction, weights.sum())
    grad_y = (-weights * share).masked_fill(~counts, 0)  # (N, ...)
    return torch.zeros_like(log_p).scatter_(1, classes, grad_y[:, None])  # (N, C, ...)


@on_tensors
def cross_entropy(logits, target, weight, ignore_index, label_smoothing, reduction):
    log_p = torch.log_softmax(logits, 1)  # (N, C, ...)
    if target.is_floating_point():
        losses = -(_probability_target(logits, target, weight, label_smoothing) * log_p).sum(1)  # (N, ...)
        return _reduce(losses, reduction, losses.numel())
    loss = nll_loss(log_p, target, weight, ignore_index, reduction)
    if not label_smoothing:
        return loss
    counts, _, weights = _index_target(logits, target, weight, ignore_index)
    uniform = (-(_class_weights(logits, weight) * log_p).sum(1)).masked_fill(~counts, 0)
    share = label_smoothing / logits.shape[1]
    return (1 - label_smoothing) * loss + share * _reduce(uniform, reduction, weights.sum())


@on_tensors
def cross_entropy_grad(grad_output, logits, target, weight, ignore_index, label_smoothing, reduction):
    p = torch.softmax(logits, 1)
    if target.is_floating_point():
        grad_log_p = -_probability_target(logits, target, weight, label_smoothing)
        divisor = grad_log_p.numel() / grad_log_p.shape[1]
    else:
        counts, classes, weights = _index_target(logits, target, weight, ignore_index)
        divisor = weights.sum()
        q = torch.zeros_like(logits).scatter_(1, classes, (1 - label_smoothing) * weights[:, None])
        q += label_smoothing / q.shape[1] * _class_weights(logits, weight)
        grad_log_p = -q
    share = _reduce_grad(grad_output, reduction, divisor)
    grad_log_p = grad_log_p * (share[:, None] if reduction == "none" else share)
    if not target.is_floating_point():
        grad_log_p = grad_log_p.masked_fill(~counts[:, None], 0)
    return (grad_log_p - p * grad_log_p.sum(1, keepdim=True)).to(logits.dtype)  # (N, C, ...)


# ------------------------------------------------------------ binary cross-entropy, MSE


@on_tensors
def binary_cross_entropy(p, target, weight, reduction):
    losses = -(target * torch.log(p).clamp(min=-100) + (1 - target) * torch.log1p(-p).clamp(min=-100))
    losses = losses if weight is None else losses * weight
    return _reduce(losses, reduction, losses.numel())


@on_tensors
def binary_cross_entropy_grad(grad_output, p, target, weight, reduction):
    grad = (p - target) / ((1 - p) * p).clamp(min=_LEAST)
    grad = grad if weight is None else grad * weight
    return grad * _reduce_grad(grad_output, reduction, p.numel())


_LEAST = torch.tensor(1e-12, dtype=torch.float32).item()


@on_tensors
def binary_cross_entropy_with_logits(logits, target, weight, pos_weight, reduction):
    positives = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    softplus = torch.log1p(torch.exp(-logits.abs())) + (-logits).clamp(min=0)
    losses = (1 - target) * logits + positives * softplus
    losses = losses if weight is None else losses * weight
    return _reduce(losses, reduction, losses.numel())


@on_tensors
def binary_cross_entropy_with_logits_grad(grad_output, logits, target, weight, pos_weight, reduction):
    positives = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    grad = (1 - target) - positives * torch.sigmoid(-logits)
    grad = grad if weight is None else grad * weight
    return grad * _reduce_grad(grad_output, reduction, logits.numel())


@on_tensors
def mse_loss(x, target, weight, reduction):
    losses = torch.square(x - target)
    if weight is None:
        return _reduce(losses, reduction, losses.numel())
    return _reduce(losses * weight, reduction, weight.sum())


@on_tensors
def mse_loss_grad(grad_output, x, target, weight, reduction):
    if weight is None:
        return _reduce_grad(x.new_full((), 2), reduction, x.numel()) * (x - target) * grad_output
    return 2 * (x - target) * (weight * _reduce_grad(grad_output, reduction, weight.sum()))
