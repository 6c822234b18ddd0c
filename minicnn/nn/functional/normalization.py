"""Batch and layer normalisation without state: which numbers share a mean and a variance."""

import math
from typing import Any

import numpy as np  # noqa: F401 - for the examples

from ...kernels import arrays, kernels_for
from ...kernels.arrays import Array
from . import checks


def check_eps(eps: float, who: str) -> float:
    """`eps`, which is added to a variance before its root is taken."""
    if not checks.number(eps, "eps", who) > 0:
        raise ValueError(f"{who}: eps must be positive, got {eps}.")
    return float(eps)


# ------------------------------------------------------------------------- batch, by channel


def _channels(input, running_mean, running_var, weight, bias, training, eps, who) -> tuple[Any, tuple[int, int, int]]:
    """The input, checked as all else is, and its shape as (N, C, L)."""
    x = checks.array(input, "input", who)
    if x.ndim < 2 or x.shape[1] < 1:
        raise RuntimeError(f"{who}: the input must be (N, C, ...) with C >= 1, got shape {tuple(x.shape)}.")
    N, C, *rest = x.shape
    L = math.prod(rest)
    given = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    for name, array in given.items():
        if array is not None:
            checks.like(array, name, x, who, (C,))
    check_eps(eps, who)
    if not training and (running_mean is None or running_var is None):
        raise RuntimeError(f"{who}: with training=False it needs running_mean and running_var.")
    if training and N * L == 1:
        raise ValueError(
            f"{who}: in training a channel needs more than one number, or it has no variance; "
            f"got shape {tuple(x.shape)}. Use larger batches, or eval()."
        )
    return x, (N, C, L)


def batch_norm(
    input: Array,
    running_mean: Array | None,
    running_var: Array | None,
    weight: Array | None = None,
    bias: Array | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Array:
    """weight (x - mean) / sqrt(var + eps) + bias for each channel of (N, C, ...).

    float32 or float64, and so is the output, of the same shape; the other arrays are (C,) or
    None. In training, mean and variance are the batch's, and running_mean and running_var, if
    there, are changed in place: each becomes (1 - momentum) times itself plus momentum times
    the batch's (of the variance the one divided by n - 1). Otherwise those two are used.

    >>> x = np.array([[[1.0, 3.0]]])
    >>> batch_norm(x, None, None, training=True, eps=1e-9).round(6)
    array([[[-1.,  1.]]])
    >>> batch_norm(x, np.array([1.0]), np.array([4.0])).round(3)
    array([[[0., 1.]]])

    Raises TypeError for what is not an array or a number; RuntimeError where shapes or dtypes
    do not fit; ValueError for an eps that is not positive, and for one number a channel in
    training.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.batch_norm.html
    """
    x, (N, C, L) = _channels(input, running_mean, running_var, weight, bias, training, eps, "batch_norm")
    checks.number(momentum, "momentum", "batch_norm")
    if not training:
        output = _by(running_mean, running_var, x.reshape(N, C, L), eps)
        return _scaled(output, weight, bias).reshape(x.shape)
    if not N * L:
        return arrays.copied(x, x)
    output, mean, var, _ = kernels_for(x).normalize(x.reshape(N, C, L), eps)
    n = N * L
    for running, found in ((running_mean, mean), (running_var, var * (n / (n - 1)))):
        if running is not None:
            arrays.overwrite(running, (1 - momentum) * running + momentum * found)
    return _scaled(output, weight, bias).reshape(x.shape)


def _by(mean, var, x, eps):
    """(N, C, L), normalised with the mean and variance given."""
    return (x - mean[:, None]) / (var[:, None] + eps) ** 0.5


def _scaled(output, weight, bias):
    """weight * output + bias, for (N, C, L) and a number for each channel."""
    output = output if weight is None else output * weight[:, None]
    return output if bias is None else output + bias[:, None]


def batch_norm_backward(
    grad_output: Array,
    input: Array,
    running_mean: Array | None,
    running_var: Array | None,
    weight: Array | None = None,
    training: bool = False,
    eps: float = 1e-5,
) -> tuple[Array, Array, Array]:
    """(grad_input, grad_weight, grad_bias), of the shapes of input, weight and bias.

    In training the batch's mean and variance depend on the input too, see
    `kernels.numpy_textbook.normalization`; otherwise they are constants. All arrays have one
    dtype, float32 or float64.

    >>> x = np.array([[[1.0, 2.0, 3.0]]])
    >>> grads = batch_norm_backward(np.array([[[0.0, 1.0, 0.0]]]), x, None, None, training=True)
    >>> print(grads[0].round(2), grads[2])
    [[[-0.41  0.82 -0.41]]] [1.]

    Raises what batch_norm raises, and RuntimeError for a grad_output of another shape.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.batch_norm.html
    """
    who = "batch_norm_backward"
    x, (N, C, L) = _channels(input, running_mean, running_var, weight, None, training, eps, who)
    grad = checks.grad(grad_output, x.shape, x, who).reshape(N, C, L)
    kernels = kernels_for(x)
    x = x.reshape(N, C, L)
    if training and N * L:
        output, _, _, s = kernels.normalize(x, eps)
        grad_input, grad_weight, grad_bias = kernels.normalize_grad(grad, output, s, weight)
    else:
        output = grad_input = x  # nothing has any mean and variance
        if N * L:
            output = _by(running_mean, running_var, x, eps)
            grad_input = _by(arrays.full((C,), 0, x), running_var, _scaled(grad, weight, None), eps)
        grad_weight = kernels.grad_bias(grad * output)  # (C,)
        grad_bias = kernels.grad_bias(grad)
    return grad_input.reshape(input.shape), grad_weight, grad_bias


# ------------------------------------------------------------------------- layer, by row


def _rows(input, normalized_shape, weight, bias, eps, who) -> tuple[Any, tuple[int, int, int]]:
    """The input, checked as all else is, and its shape as (1, rows, numbers in a row)."""
    x = checks.array(input, "input", who)
    if not isinstance(normalized_shape, (tuple, list)):
        raise TypeError(f"{who}: normalized_shape must be a tuple of ints, got {normalized_shape!r}.")
    shape = tuple(normalized_shape)
    if not shape or tuple(x.shape[len(x.shape) - len(shape) :]) != shape or 0 in shape:
        raise RuntimeError(
            f"{who}: the input must end in the sizes of normalized_shape {shape}, each at least 1, "
            f"got {tuple(x.shape)}."
        )
    for name, array in (("weight", weight), ("bias", bias)):
        if array is not None:
            checks.like(array, name, x, who, shape)
    check_eps(eps, who)
    L = math.prod(shape)
    return x, (1, math.prod(x.shape) // L, L)


def layer_norm(
    input: Array,
    normalized_shape: tuple[int, ...] | list[int],
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
) -> Array:
    """weight (x - mean) / sqrt(var + eps) + bias over the last dimensions of each example.

    `normalized_shape` are the sizes of those dimensions; weight and bias have that shape, or
    are None. float32 or float64, and so is the output, of the input's shape.

    >>> layer_norm(np.array([[1.0, 3.0], [10.0, 30.0]]), [2], eps=1e-9).round(6)
    array([[-1.,  1.],
           [-1.,  1.]])

    Raises TypeError for what is not an array or, as normalized_shape, not a tuple or list;
    RuntimeError where shapes or dtypes do not fit; ValueError for an eps that is not positive.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.layer_norm.html
    """
    x, rows = _rows(input, normalized_shape, weight, bias, eps, "layer_norm")
    output = kernels_for(x).normalize(x.reshape(rows), eps)[0].reshape(x.shape)
    output = output if weight is None else output * weight
    return output if bias is None else output + bias


def layer_norm_backward(
    grad_output: Array,
    input: Array,
    normalized_shape: tuple[int, ...] | list[int],
    weight: Array | None = None,
    eps: float = 1e-5,
) -> tuple[Array, Array, Array]:
    """(grad_input, grad_weight, grad_bias), of the shapes of input, weight and bias.

    All arrays have one dtype, float32 or float64.

    >>> x = np.array([[1.0, 2.0, 3.0]])
    >>> layer_norm_backward(np.array([[0.0, 1.0, 0.0]]), x, [3])[0].round(2)
    array([[-0.41,  0.82, -0.41]])

    Raises what layer_norm raises, and RuntimeError for a grad_output of another shape.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.layer_norm.html
    """
    who = "layer_norm_backward"
    x, rows = _rows(input, normalized_shape, weight, None, eps, who)
    grad = checks.grad(grad_output, x.shape, x, who)
    kernels = kernels_for(x)
    output, _, _, s = kernels.normalize(x.reshape(rows), eps)
    grad = arrays.wide(grad)
    inner = grad if weight is None else grad * weight
    grad_input, _, _ = kernels.normalize_grad(inner.reshape(rows), output, s, None)
    grad_input = arrays.cast(grad_input, x.dtype).reshape(x.shape)
    _, M, L = rows
    shape = tuple(normalized_shape)
    grad = grad.reshape(M, L)
    grad_weight = arrays.cast((grad * output[0]).sum(axis=0), x.dtype)  # (L,)
    grad_bias = arrays.cast(grad.sum(axis=0), x.dtype)  # (L,)
    return grad_input, grad_weight.reshape(shape), grad_bias.reshape(shape)
