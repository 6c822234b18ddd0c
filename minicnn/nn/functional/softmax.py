"""Softmax, its logarithm, and the loss that takes it: together they are cross-entropy."""

import warnings
from typing import Any

import numpy as np  # noqa: F401 - for the examples

from ...kernels import arrays, kernels_for
from ...kernels.arrays import Array
from . import checks
from .links import linked
from .loss_value import with_hint
from .losses import class_arguments, loss_grad


def _axis(x, dim: int | None, who: str) -> int:
    """`dim` counted from the first dimension; None is torch's old choice, with its warning."""
    if dim is None:
        dim = 0 if x.ndim in (0, 1, 3) else 1
        warnings.warn(f"{who}: dim is not given, so {dim} is chosen, as torch does; say dim={dim}.", stacklevel=4)
    axis = checks.whole_number(dim, "dim", who)
    n = max(x.ndim, 1)
    if not -n <= axis < n:
        raise IndexError(f"{who}: dim must lie in [{-n}, {n - 1}] for the shape {tuple(x.shape)}, got {axis}.")
    return axis % n


def _along(kernel: str, input, dim, dtype, who: str) -> Any:
    x = checks.array(input, "input", who)
    if dtype is not None:
        wanted = arrays.dtype_for(dtype, who).name
        if wanted not in checks.FLOATS:
            raise RuntimeError(f"{who}: dtype must be float32 or float64, got {dtype}.")
        x = arrays.cast(x, arrays.dtype_like(wanted, x))
    axis = _axis(x, dim, who)
    if not x.ndim:
        return getattr(kernels_for(x), kernel)(x.reshape(1), 0).reshape(())
    if 0 in x.shape:
        return arrays.copied(x, x)
    return getattr(kernels_for(x), kernel)(x, axis)


@linked
def softmax(input: Array, dim: int | None = None, dtype: Any = None) -> Array:
    """exp(x_k) divided by the sum of exp(x_c) along the dimension `dim`.

    Any shape, float32 or float64, and so is the output; `dtype` converts the input before.
    Scores become probabilities: positive, with the sum 1.

    >>> softmax(np.array([[0.0, 0.0, 0.0, 0.0], [1000.0, 0.0, 0.0, 0.0]]), dim=1)
    array([[0.25, 0.25, 0.25, 0.25],
           [1.  , 0.  , 0.  , 0.  ]])

    Raises TypeError for what is not an array; IndexError for a dimension that is not there;
    RuntimeError for another dtype.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html
    """
    return _along("softmax", input, dim, dtype, "softmax")


def softmax_backward(grad_output: Array, output: Array, dim: int | None = None) -> Array:
    """p (g - sum of g p) for the output p and grad_output g, the sum along `dim`.

    As d p_c / d x_k = p_c ([c = k] - p_k). grad_output and softmax's output have one shape and
    one dtype, float32 or float64; so has the gradient with respect to the input.

    >>> softmax_backward(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]), dim=1)
    array([[ 0.25, -0.25]])

    Raises what softmax raises, and RuntimeError where dtypes or shapes do not fit.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html
    """
    who = "softmax_backward"
    p: Any = checks.array(output, "output", who)
    grad = checks.grad(grad_output, p.shape, p, who, "output")
    axis = _axis(p, dim, who)
    products = grad * p
    total = products.sum(axis, keepdims=True) if p.ndim else products
    return arrays.from_number(products - p * total)


@linked
def log_softmax(input: Array, dim: int | None = None, dtype: Any = None) -> Array:
    """x_k - log(sum of exp(x_c)) along the dimension `dim`: the logarithm of softmax.

    Any shape, float32 or float64, and so is the output; `dtype` converts the input before. Not
    log(softmax(x)): a small probability is 0 in the computer, and log 0 is -inf.

    >>> log_softmax(np.array([[0.0, -1000.0]]), dim=1)
    array([[    0., -1000.]])

    Raises TypeError for what is not an array; IndexError for a dimension that is not there;
    RuntimeError for another dtype.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.log_softmax.html
    """
    return _along("log_softmax", input, dim, dtype, "log_softmax")


def log_softmax_backward(grad_output: Array, output: Array, dim: int | None = None) -> Array:
    """g - p sum of g for grad_output g and p = exp(output), the sum along `dim`.

    As d log p_c / d x_k = [c = k] - p_k. grad_output and log_softmax's output have one shape
    and one dtype, float32 or float64; so has the gradient with respect to the input.

    >>> log_softmax_backward(np.array([[1.0, 0.0]]), np.log([[0.5, 0.5]]), dim=1)
    array([[ 0.5, -0.5]])

    Raises what log_softmax raises, and RuntimeError where dtypes or shapes do not fit.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.log_softmax.html
    """
    who = "log_softmax_backward"
    log_p: Any = checks.array(output, "output", who)
    grad = checks.grad(grad_output, log_p.shape, log_p, who, "output")
    axis = _axis(log_p, dim, who)
    if 0 in log_p.shape:
        return arrays.copied(grad, grad)
    shape = log_p.shape if log_p.ndim else (1,)
    p = kernels_for(log_p).softmax(log_p.reshape(shape), axis)  # of logarithms of p it gives p
    grad = grad.reshape(shape)
    return (grad - p * grad.sum(axis, keepdims=True)).reshape(log_p.shape)


def nll_loss(
    input: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Any:
    """-weight[y] input[y] for class indices y: input holds logarithms of probabilities.

    (N, C, ...) against class indices (N, ...) of int64 (for (N, C) uint8 too); weight is (C,).
    Returns the loss, one number of the input's dtype, float32 or float64; with
    reduction="none" the losses (N, ...). "mean" divides by the sum of the weights.

    >>> log_p = log_softmax(np.zeros((1, 4)), dim=1)
    >>> print(nll_loss(log_p, np.array([2])).round(4))  # cross-entropy of four equal classes
    1.3863

    Raises TypeError for what is not an array or a number; IndexError for a class outside
    [0, C); ValueError for shapes that do not fit and unknown options; RuntimeError for
    other dtypes.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.nll_loss.html
    """
    arguments, loss_shape = _indices(input, target, weight, ignore_index, reduction, "nll_loss")
    loss = kernels_for(arguments[0]).nll_loss(*arguments)
    return loss.reshape(loss_shape) if reduction == "none" else with_hint(loss)


def _indices(input, target, weight, ignore_index, reduction, who):
    """The kernel's arguments, checked and with a batch dimension; the shape of the losses."""
    found = checks.array(target, "target", who, checks.INTEGERS + checks.FLOATS)
    if arrays.dtype_name(found) in checks.FLOATS:
        raise RuntimeError(f"{who}: the target must hold class indices (int64), got {arrays.dtype_name(found)}.")
    arguments, shape = class_arguments(
        input, target, weight, ignore_index, reduction, 0.0, who, called="log-probabilities"
    )
    log_p, batch, weight, ignore_index, _, reduction = arguments
    return (log_p, batch, weight, ignore_index, reduction), shape


def nll_loss_backward(
    grad_output: Any,
    input: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    """The gradient with respect to the input, in its shape and dtype.

    -weight[y] at the true class y, for "mean" divided as the loss was, 0 elsewhere. grad_output
    is one number, or (N, ...) with reduction="none".

    >>> nll_loss_backward(1.0, np.zeros((2, 3)), np.array([2, 0]))
    array([[ 0. ,  0. , -0.5],
           [-0.5,  0. ,  0. ]])

    Raises what nll_loss raises, and RuntimeError for a grad_output of another shape.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.nll_loss.html
    """
    who = "nll_loss_backward"
    arguments, loss_shape = _indices(input, target, weight, ignore_index, reduction, who)
    x = arguments[0]
    grad = loss_grad(grad_output, x, loss_shape, reduction, who)
    grad = grad.reshape(x.shape[0], *x.shape[2:]) if reduction == "none" else grad
    return kernels_for(x).nll_loss_grad(grad, *arguments).reshape(input.shape)
