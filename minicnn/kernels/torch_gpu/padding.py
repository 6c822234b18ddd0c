"""Padding with copies of the image, by the textbook's table of what each place copies."""

from functools import lru_cache

import torch

from ..numpy_textbook.padding import sources
from .tensors import on_tensors


@lru_cache(64)
def _sources(size, before, after, mode, device):
    """The textbook's table on the device; kept, as sending it there makes the device wait."""
    return torch.from_numpy(sources(size, before, after, mode)).to(device)


@on_tensors
def pad(x, left, right, top, bottom, mode):
    *_, H, W = x.shape
    rows = _sources(H, top, bottom, mode, x.device)
    columns = _sources(W, left, right, mode, x.device)
    return x.index_select(2, rows).index_select(3, columns)  # (N, C, top + H + bottom, left + W + right)


@on_tensors
def pad_grad(grad_output, left, right, top, bottom, mode):
    N, C, HP, WP = grad_output.shape
    H = HP - top - bottom
    W = WP - left - right
    rows = _sources(H, top, bottom, mode, grad_output.device)
    columns = _sources(W, left, right, mode, grad_output.device)
    narrow = grad_output.new_zeros((N, C, HP, W)).index_add_(3, columns, grad_output)
    return grad_output.new_zeros((N, C, H, W)).index_add_(2, rows, narrow)
