"""What the tests of convolution and of its transpose share."""

import numpy as np

from tests.support import oracle, strategies

NAMES = ("output", "grad_input", "grad_weight", "grad_bias")


def assert_integers_agree(case, layouts, ours, theirs):
    """Bit for bit with torch, in every layout of the arrays, which are left as they were."""
    plain = case.arrays(strategies.integers)
    arrays = strategies.lay_out(plain, layouts)
    expected = oracle.differentiate(theirs(case.arguments), plain[:3], plain[3])
    with oracle.unchanged(arrays):
        results = ours(*arrays, case.arguments)
    assert results[0].shape == case.output
    for name, result, right in zip(NAMES, results, expected, strict=False):
        oracle.assert_equal(result, right, name)


def assert_reals_agree(case, dtype, ours, theirs, terms):
    """With torch in float64, within the bound for sums of so many terms."""
    arrays = case.arrays(strategies.reals, dtype)
    *exact, grad = [a if a is None else a.astype(np.float64) for a in arrays]
    expected = oracle.differentiate(theirs(case.arguments), exact, grad)
    scale = oracle.magnitudes(theirs(case.arguments), exact, grad)
    results = ours(*arrays, case.arguments)
    for name, result, right, size, n in zip(NAMES, results, expected, scale, terms(case), strict=False):
        assert result.dtype == dtype, name
        oracle.assert_close(result, right, size, n, name)
