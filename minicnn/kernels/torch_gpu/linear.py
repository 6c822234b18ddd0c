"""The linear layer."""

import torch

from .. import numpy_textbook as textbook
from .tensors import integers_by, on_tensors


@on_tensors
@integers_by(textbook.linear)
def linear(x, weight, bias):
    return torch.nn.functional.linear(x, weight, bias)  # (M, out)


@on_tensors
@integers_by(textbook.linear_grad_input)
def linear_grad_input(grad_output, weight):
    return grad_output @ weight  # (M, in)


@on_tensors
@integers_by(textbook.linear_grad_weight)
def linear_grad_weight(grad_output, x):
    return grad_output.T @ x  # (out, in)
