"""torch as the judge: its output and gradients as arrays, and how far apart two correct
results may lie.

All operations here with rounding are sums, so the operation itself, applied to absolute
values, gives the scale of the error of each element; `minicnn.agree.bounds` derives the
bound from it.
"""

import warnings
from contextlib import contextmanager

import numpy as np
import pytest

from minicnn.testing.compare import assert_close  # noqa: F401 - passed on

torch = pytest.importorskip("torch", reason="torch is the oracle: pip install 'minicnn[test]'")
torch.set_num_threads(1)


def tensor(array):
    """A copy of the array as a tensor; torch takes no other byte order and no negative
    strides.
    """
    return None if array is None else torch.from_numpy(np.array(array, array.dtype.newbyteorder("="), order="C"))


def run(function, arrays):
    """function(*arrays), computed by torch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns about 'same' with even kernels
        return function(*map(tensor, arrays)).numpy()


def differentiate(function, arrays, grad_output):
    """[output, then the gradient with respect to each array that is there], computed by
    torch in the arrays' dtype.

    torch differentiates floats only; integer gradients go by way of float64, where they
    are exact, and wrap around as integers do.
    """
    dtype = grad_output.dtype.newbyteorder("=")
    if dtype.kind in "iu":
        output, *grads = differentiate(
            function, [a if a is None else a.astype(float) for a in arrays], grad_output * 1.0
        )
        return [run(function, arrays), *(grad.astype(np.int64).astype(dtype) for grad in grads)]
    leaves = [t if t is None else t.requires_grad_() for t in map(tensor, arrays)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        output = function(*leaves)
    grads = torch.autograd.grad(output, [leaf for leaf in leaves if leaf is not None], tensor(grad_output))
    return [output.detach().numpy(), *(grad.numpy() for grad in grads)]


def magnitudes(function, arrays, grad_output):
    """`differentiate` on absolute values: for each element of each result the sum of
    the products' absolute values.
    """
    arrays = [a if a is None else np.abs(a) for a in arrays]
    return differentiate(function, arrays, np.abs(grad_output))


def rejects(call):
    """Whether a call is refused, as opposed to answered."""
    try:
        call()
    except (ValueError, TypeError, RuntimeError, IndexError):
        return True
    return False


def assert_both_reject(ours, theirs, empty=False):
    """Both refuse, or both answer; torch checks less when the input is empty, and then
    minicnn may be stricter.
    """
    refused, torch_refused = rejects(ours), rejects(theirs)
    assert refused == torch_refused or (empty and refused), (
        f"minicnn refuses: {refused}, torch refuses: {torch_refused}"
    )


# ---------------------------------------------------------------------------- comparing


def assert_identical(actual, expected, what="result"):
    """Same dtype, same shape, same numbers bit for bit: NaN where NaN is, and the signs
    of zeros too.
    """
    assert_equal(actual, expected, what)
    nan = np.isnan(expected) if expected.dtype.kind == "f" else np.zeros(expected.shape, bool)
    np.testing.assert_array_equal(np.signbit(actual[~nan]), np.signbit(expected[~nan]), f"{what}: signs", strict=True)


def assert_equal(actual, expected, what="result"):
    """Same dtype, same shape, same numbers exactly; a sum's zero may have either sign,
    as that depends on the order.
    """
    assert isinstance(actual, np.ndarray), f"{what} is {type(actual)}"
    assert actual.dtype == expected.dtype, f"{what} is {actual.dtype}, expected {expected.dtype}"
    np.testing.assert_array_equal(actual, expected, what, strict=True)


@contextmanager
def unchanged(arrays):
    """`with unchanged(arrays)`: what runs inside writes into none of them."""
    before = [None if a is None else a.tobytes() for a in arrays]
    yield
    assert [None if a is None else a.tobytes() for a in arrays] == before, "an input was changed"
