"""Comparing with a bound that follows from the number of roundings."""

import numpy as np

from minicnn.agree import bounds


def assert_close(actual, expected, magnitude, n, what="result"):
    """Each element within the bound for sums of n terms in the precision of `actual`.

    `expected` has the same shape and may be more precise; `magnitude` is, for each element,
    the sum of the absolute values of its terms: the operation itself on absolute values.
    Raises AssertionError, which names the worst element.
    """
    if actual.shape != expected.shape:
        raise AssertionError(f"{what} has shape {actual.shape}, expected {expected.shape}")
    bound = bounds.of_sums(magnitude, n, actual.dtype)
    error = np.abs(actual.astype(np.float64) - expected)
    if not (error <= bound).all():
        place = np.unravel_index(np.argmax(error - bound), error.shape)
        raise AssertionError(
            f"{what}{[int(i) for i in place]} is {actual[place]!r}, expected {expected[place]!r}: "
            f"the error {error[place]:.3g} exceeds the bound {bound[place]:.3g} for {n} terms"
        )
