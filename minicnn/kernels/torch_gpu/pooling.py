"""Max pooling by torch's own function, whose rules for ties and NaN the textbook follows.

`g` is the Geometry of the call (`minicnn.geometry`).
"""

from torch.nn.functional import max_pool2d_with_indices

from ...geometry import Geometry, pool_size
from .. import numpy_textbook as textbook
from .tensors import integers_by, on_tensors


@on_tensors
@integers_by(textbook.max_pool2d)
def max_pool2d(x, g: Geometry):
    OH = pool_size(g.H, g.KH, g.SH, g.PH, g.DH, ceil_mode=False)
    OW = pool_size(g.W, g.KW, g.SW, g.PW, g.DW, ceil_mode=False)
    ceil_mode = (g.OH, g.OW) != (OH, OW)
    return max_pool2d_with_indices(x, (g.KH, g.KW), (g.SH, g.SW), (g.PH, g.PW), (g.DH, g.DW), ceil_mode)


@on_tensors
def max_pool2d_grad(grad_output, indices, g: Geometry):
    places = indices.reshape(g.N, g.C, g.OH * g.OW)
    grad = grad_output.reshape(g.N, g.C, g.OH * g.OW)
    grad_input = grad_output.new_zeros((g.N, g.C, g.H * g.W)).scatter_add_(2, places, grad)
    return grad_input.reshape(g.input_shape)  # (N, C, H, W)
