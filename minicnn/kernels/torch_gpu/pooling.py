"""Max pooling by torch's own function, whose rules for ties and NaN the textbook follows."""

from torch.nn.functional import max_pool2d_with_indices

from ...geometry import pool_size
from .tensors import integers_by_the_textbook, on_tensors


@on_tensors
@integers_by_the_textbook
def max_pool2d(x, g):
    rounded_down = (pool_size(g.H, g.KH, g.SH, g.PH, g.DH, False), pool_size(g.W, g.KW, g.SW, g.PW, g.DW, False))
    ceil_mode = (g.OH, g.OW) != rounded_down
    return max_pool2d_with_indices(x, (g.KH, g.KW), (g.SH, g.SW), (g.PH, g.PW), (g.DH, g.DW), ceil_mode)


@on_tensors
def max_pool2d_grad(grad_output, indices, g):
    windows = (g.N, g.C, g.OH * g.OW)
    grad_input = grad_output.new_zeros((g.N, g.C, g.H * g.W))
    return grad_input.scatter_add_(2, indices.reshape(windows), grad_output.reshape(windows)).reshape(g.input_shape)
