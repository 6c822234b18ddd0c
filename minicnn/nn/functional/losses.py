"""The losses without state. The formulas stand in `kernels.numpy_textbook.losses`.

A loss is one number, of the input's dtype, or with reduction="none" an array. Its gradient
takes grad_output first, the gradient with respect to that: one number, or an array of the
losses' shape.
"""

import numbers
from typing import Any

import numpy as np

from ...kernels import arrays, kernels_for
from ...kernels.arrays import Array
from . import checks
from .loss_value import with_hint


def check_reduction(reduction: str, who: str) -> str:
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{who}: reduction must be 'mean', 'sum' or 'none', got {reduction!r}.")
    return reduction


def check_label_smoothing(label_smoothing: float, who: str) -> float:
    """At most 1; torch ignores a negative one, and so does this."""
    if not checks.number(label_smoothing, "label_smoothing", who) <= 1:
        raise ValueError(f"{who}: label_smoothing must be between 0 and 1, got {label_smoothing}.")
    return max(float(label_smoothing), 0.0)


def loss_grad(grad_output, x, loss_shape, reduction, who):
    """The gradient with respect to the loss as an array of the input's dtype.

    One number, or one for each loss.
    """
    if isinstance(grad_output, numbers.Real):
        grad = arrays.full((), grad_output, x)
    else:
        grad_output = arrays.copied(grad_output, x) if isinstance(grad_output, (list, tuple)) else grad_output
        grad = checks.array(grad_output, "grad_output", who, checks.FLOATS + checks.INTEGERS)
        grad = arrays.cast(checks.together(grad, "grad_output", x, who), x.dtype)
    expected = loss_shape if reduction == "none" else ()
    if grad.shape != expected:
        raise RuntimeError(f"{who}: grad_output must have the shape of the loss, {expected}, got {tuple(grad.shape)}.")
    return grad


# ------------------------------------------------------------------------ cross-entropy


def class_arguments(input, target, weight, ignore_index, reduction, label_smoothing, who, *, called="logits"):
    """The kernel's arguments, checked and with a batch dimension; the shape of the losses."""
    x = checks.array(input, "input", who)
    if x.ndim == 0 or x.shape[min(x.ndim - 1, 1)] == 0:
        raise IndexError(
            f"{who}: the input must be {called} (C,), (N, C) or (N, C, d1, ...) with C >= 1, "
            f"got shape {tuple(x.shape)}."
        )
    classes = checks.INT64 + (checks.UINT8 if x.ndim < 3 else ())  # torch takes uint8 for (N, C) alone
    target = checks.together(checks.array(target, "target", who, classes + checks.FLOATS), "target", x, who)
    probabilities = arrays.dtype_name(target) in checks.FLOATS
    ignore_index = checks.whole_number(ignore_index, "ignore_index", who)
    logits = x[None] if x.ndim == 1 else x  # (N, C, ...)
    N, C, *rest = logits.shape
    each = () if x.ndim == 1 else (N, *rest)  # a class for each of these
    one = x.ndim == 1 and target.shape == (1,) and C > 1  # torch takes (1,) for () here
    if target.shape != (x.shape if probabilities else each) and (probabilities or not one):
        or_shares = f" or probabilities (float) of shape {tuple(x.shape)}" if called == "logits" else ""
        raise ValueError(
            f"{who}: for {called} of shape {tuple(x.shape)} the target must hold class indices (int64) of shape {each}"
            f"{or_shares}, got {arrays.dtype_name(target)} of shape {tuple(target.shape)}."
        )
    if probabilities and ignore_index >= 0:
        raise RuntimeError(f"{who}: ignore_index={ignore_index} needs class indices, but the target is probabilities.")
    if not probabilities:
        labels = arrays.checkable_values(target)
        wrong = labels[(labels != ignore_index) & ((labels < 0) | (labels >= C))]
        if wrong.size:
            raise IndexError(
                f"{who}: the target must hold classes from 0 to {C - 1} for {called} of {C} classes"
                f" (or ignore_index={ignore_index}), got {wrong.flat[0]}."
            )
    if weight is not None:
        weight = checks.like(weight, "weight", x, who, (C,))
    smoothing = check_label_smoothing(label_smoothing, who)
    batch = target.reshape(logits.shape if probabilities else (N, *rest))
    arguments = (logits, batch, weight, ignore_index, smoothing, check_reduction(reduction, who))
    return arguments, each if probabilities else target.shape


def cross_entropy(
    input: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Logits (N, C, ...) against class indices (N, ...) or probabilities (N, C, ...).

    Returns the loss, one number of the logits' dtype (float32 or float64); with
    reduction="none" the losses (N, ...). Indices are int64 (for (N, C) uint8 too), weight
    is (C,).

    >>> logits = np.zeros((1, 4))  # four equal classes: log 4
    >>> print(cross_entropy(logits, np.array([2])).round(4))
    1.3863

    Raises TypeError for what is not an array or a number; IndexError for a class outside
    [0, C); ValueError for shapes that do not fit and unknown options; RuntimeError for
    other dtypes.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html
    """
    arguments, loss_shape = class_arguments(
        input, target, weight, ignore_index, reduction, label_smoothing, "cross_entropy"
    )
    loss = kernels_for(arguments[0]).cross_entropy(*arguments)
    return loss.reshape(loss_shape) if reduction == "none" else with_hint(loss)


def cross_entropy_backward(
    grad_output: Any,
    input: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Array:
    """The gradient with respect to the logits, in their shape and dtype.

    p - (1 at the true class), for "mean" divided as the loss was. grad_output is one number, or
    (N, ...) with reduction="none".

    >>> cross_entropy_backward(1.0, np.zeros((1, 4)), np.array([2]))
    array([[ 0.25,  0.25, -0.75,  0.25]])

    Raises what cross_entropy raises, and RuntimeError for a grad_output of another shape.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html
    """
    who = "cross_entropy_backward"
    arguments, loss_shape = class_arguments(input, target, weight, ignore_index, reduction, label_smoothing, who)
    x = arguments[0]
    grad = loss_grad(grad_output, x, loss_shape, reduction, who)
    grad = grad.reshape(x.shape[0], *x.shape[2:]) if reduction == "none" else grad
    return kernels_for(x).cross_entropy_grad(grad, *arguments).reshape(input.shape)


# ------------------------------------------------------------ binary cross-entropy, MSE


def _broadcasts(shape, wanted):
    """Each size, counted from the end, is the wanted one or 1."""
    from_behind = zip(shape[::-1], wanted[::-1], strict=False)
    return len(shape) <= len(wanted) and all(size in (1, n) for size, n in from_behind)


def _elements(input, target, reduction, who, **factors):
    """Input and target of one shape and dtype; each factor None or broadcasts to theirs."""
    x = checks.array(input, "input", who)
    target = checks.like(target, "target", x, who)
    if target.shape != x.shape:
        raise ValueError(
            f"{who}: input and target must have the same shape, "
            f"got {tuple(x.shape)} and {tuple(target.shape)}; reshape one of them."
        )
    for name, factor in factors.items():
        if factor is not None and not _broadcasts(checks.like(factor, name, x, who).shape, x.shape):
            raise ValueError(
                f"{who}: {name} of shape {tuple(factor.shape)} "
                f"does not broadcast to the input's shape {tuple(x.shape)}."
            )
    return x, target, *factors.values(), check_reduction(reduction, who)


def _probabilities(input, target, weight, reduction, who):
    arguments = _elements(input, target, reduction, who, weight=weight)[:3]
    for name, values in zip(("input", "target"), arguments, strict=False):
        values = arrays.checkable_values(values)
        if not ((values >= 0) & (values <= 1)).all():
            raise RuntimeError(
                f"{who}: the {name} must lie between 0 and 1, got values from {values.min()} to {values.max()}; "
                "for logits use binary_cross_entropy_with_logits."
            )
    return *arguments, reduction


def binary_cross_entropy(input: Array, target: Array, weight: Array | None = None, reduction: str = "mean") -> Any:
    """Probabilities against targets of the same shape, both in [0, 1].

    Returns the loss, one number of the input's dtype (float32 or float64); with
    reduction="none" the losses in the input's shape. weight broadcasts to that shape.

    >>> p = np.array([0.5, 1.0])
    >>> print(binary_cross_entropy(p, np.array([1.0, 1.0])).round(4))  # (log 2 + 0) / 2
    0.3466

    Raises TypeError for what is not an array; ValueError where shapes differ and for an unknown
    reduction; RuntimeError where dtypes differ and for values outside [0, 1].

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.binary_cross_entropy.html
    """
    arguments = _probabilities(input, target, weight, reduction, "binary_cross_entropy")
    return with_hint(kernels_for(arguments[0]).binary_cross_entropy(*arguments))


def binary_cross_entropy_backward(
    grad_output: Any, input: Array, target: Array, weight: Array | None = None, reduction: str = "mean"
) -> Array:
    """The gradient with respect to the probabilities, in their shape and dtype.

    (p - y) / (p (1 - p)), for "mean" divided by their number. grad_output is a number, or with
    reduction="none" of the input's shape.

    >>> binary_cross_entropy_backward(1.0, np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    array([-1.,  1.])

    Raises what binary_cross_entropy raises, and RuntimeError for a grad_output of another
    shape.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.binary_cross_entropy.html
    """
    who = "binary_cross_entropy_backward"
    arguments = _probabilities(input, target, weight, reduction, who)
    grad = loss_grad(grad_output, arguments[0], input.shape, reduction, who)
    return kernels_for(arguments[0]).binary_cross_entropy_grad(grad, *arguments)


def binary_cross_entropy_with_logits(
    input: Array,
    target: Array,
    weight: Array | None = None,
    reduction: str = "mean",
    pos_weight: Array | None = None,
) -> Any:
    """binary_cross_entropy(sigmoid(input), target), exact for any logit.

    Returns the loss, one number of the input's dtype (float32 or float64); with
    reduction="none" the losses in the input's shape. weight and pos_weight, which
    multiplies the part of the positives, broadcast to that shape.

    >>> print(binary_cross_entropy_with_logits(np.array([-200.0]), np.array([1.0])))
    200.0

    Raises TypeError for what is not an array; ValueError where shapes differ and for an unknown
    reduction; RuntimeError where dtypes differ.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.binary_cross_entropy_with_logits.html
    """
    who = "binary_cross_entropy_with_logits"
    arguments = _elements(input, target, reduction, who, weight=weight, pos_weight=pos_weight)
    return with_hint(kernels_for(arguments[0]).binary_cross_entropy_with_logits(*arguments))


def binary_cross_entropy_with_logits_backward(
    grad_output: Any,
    input: Array,
    target: Array,
    weight: Array | None = None,
    reduction: str = "mean",
    pos_weight: Array | None = None,
) -> Array:
    """The gradient with respect to the logits, in their shape and dtype: sigmoid(x) - y.

    For "mean" divided by their number. grad_output is one number, or with reduction="none"
    of the input's shape.

    >>> logits = np.array([0.0, -200.0])
    >>> binary_cross_entropy_with_logits_backward(1.0, logits, np.array([1.0, 0.0]))
    array([-0.25,  0.  ])

    Raises what binary_cross_entropy_with_logits raises, and RuntimeError for a grad_output of
    another shape.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.binary_cross_entropy_with_logits.html
    """
    who = "binary_cross_entropy_with_logits_backward"
    arguments = _elements(input, target, reduction, who, weight=weight, pos_weight=pos_weight)
    grad = loss_grad(grad_output, arguments[0], input.shape, reduction, who)
    return kernels_for(arguments[0]).binary_cross_entropy_with_logits_grad(grad, *arguments)


def _same_shape(input, weight, who):
    if weight is not None and np.shape(weight) != np.shape(input):
        raise ValueError(
            f"{who}: weight must have the input's shape {tuple(np.shape(input))}, got {tuple(np.shape(weight))}."
        )


def mse_loss(input: Array, target: Array, reduction: str = "mean", weight: Array | None = None) -> Any:
    """weight (input - target)^2, all of one shape.

    Returns the loss, one number of the input's dtype (float32 or float64); with
    reduction="none" the losses in the input's shape. "mean" divides by the number of
    elements, or by the sum of the weights. torch broadcasts a target of another shape, with
    a warning; here that is an error.

    >>> print(mse_loss(np.array([1.0, 4.0]), np.array([1.0, 2.0])))
    2.0

    Raises TypeError for what is not an array; ValueError where shapes differ and for an unknown
    reduction; RuntimeError where dtypes differ.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.mse_loss.html
    """
    _same_shape(input, weight, "mse_loss")
    arguments = _elements(input, target, reduction, "mse_loss", weight=weight)
    return with_hint(kernels_for(arguments[0]).mse_loss(*arguments))


def mse_loss_backward(
    grad_output: Any, input: Array, target: Array, reduction: str = "mean", weight: Array | None = None
) -> Array:
    """The gradient with respect to the input, in its shape and dtype.

    2 weight (input - target), for "mean" divided as the loss was. grad_output is one number, or
    with reduction="none" of the input's shape.

    >>> mse_loss_backward(1.0, np.array([1.0, 4.0]), np.array([1.0, 2.0]))
    array([0., 2.])

    Raises what mse_loss raises, and RuntimeError for a grad_output of another shape.

    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.mse_loss.html
    """
    _same_shape(input, weight, "mse_loss_backward")
    arguments = _elements(input, target, reduction, "mse_loss_backward", weight=weight)
    grad = loss_grad(grad_output, arguments[0], input.shape, reduction, "mse_loss_backward")
    return kernels_for(arguments[0]).mse_loss_grad(grad, *arguments)
