"""The textbook's normalisation, on tensors."""

import torch

from .tensors import on_tensors


@on_tensors
def normalize(x, eps):
    var, mean = torch.var_mean(x, dim=(0, 2), correction=0)  # each (C,)
    s = torch.sqrt(var + eps)  # (C,)
    return (x - mean[:, None]) / s[:, None], mean, var, s


@on_tensors
def normalize_grad(grad_output, output, s, weight):
    along = (grad_output * output).sum(dim=(0, 2))  # (C,)
    total = grad_output.sum(dim=(0, 2))  # (C,)
    n = grad_output[:, 0].numel()
    rest = grad_output - total[:, None] / n - output * along[:, None] / n
    rest = rest if weight is None else rest * weight[:, None]
    return rest / s[:, None], along, total
