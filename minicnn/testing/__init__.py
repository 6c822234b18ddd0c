"""Property tests for your own kernel: strategies and bounds, as minicnn's own tests use them.

Needs Hypothesis (the extra `test`). A test of a convolution in NumPy, C, CUDA or anything:

    from hypothesis import given
    from minicnn.nn import functional as F
    from minicnn.testing import assert_close, conv2d_cases, reals

    @given(conv2d_cases())
    def test_mine(case):
        x, weight, bias, _ = case.arrays(reals, "float32")
        args = case.arguments
        n = weight[0].size + 1  # products in one sum, and the bias
        there = [a for a in (x, weight, bias) if a is not None]
        right = F.conv2d(*(a.astype("float64") for a in there), **args)
        size = F.conv2d(*(abs(a) for a in there), **args)
        assert_close(mine(*there, **args), right, size, n)

With `case.arrays(integers)` every sum is exact, and the results must be equal. A case may
have no batch dimension, an empty batch, no bias, and arguments as ints, tuples or lists.
"""

from .cases import (
    LAYOUTS,
    Case,
    conv2d_cases,
    conv_transpose2d_cases,
    integers,
    lay_out,
    layouts,
    linear_cases,
    max_pool2d_cases,
    reals,
    seeds,
    specials,
)
from .compare import assert_close

__all__ = [
    "LAYOUTS",
    "Case",
    "assert_close",
    "conv2d_cases",
    "conv_transpose2d_cases",
    "integers",
    "lay_out",
    "layouts",
    "linear_cases",
    "max_pool2d_cases",
    "reals",
    "seeds",
    "specials",
]
