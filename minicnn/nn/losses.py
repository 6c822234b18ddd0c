"""The criteria: one number that says how wrong the network was, and where backward begins.

`criterion(input, target)` gives the loss, `criterion.backward()` the gradient with
respect to `input`. The formulas stand in `kernels.numpy_textbook.losses`.
"""

from typing import Any

import numpy as np

from ..kernels.arrays import Array
from . import functional as F
from .functional.losses import check_label_smoothing, check_reduction
from .module import Module


class _Loss(Module):
    """What the four have in common: how the losses of all elements become one number."""

    def __init__(self, reduction: str = "mean"):
        self.reduction = check_reduction(reduction, type(self).__name__)


class CrossEntropyLoss(_Loss):
    """How surprised the network is by the true class: minus the logarithm of its probability.

        p_c  = exp(x_c) / (sum over k of exp(x_k))     softmax turns logits into probabilities
        loss = - weight[y] log p_y                     for the true class y

        input   (N, C), (N, C, d1, ...) or (C,)    logits, float32 or float64
        target  (N,), (N, d1, ...) or ()           classes, int64 or uint8; or probabilities of
                                                   the input's shape and dtype
        output  one number, or with reduction 'none' one for each class asked for

    >>> criterion = CrossEntropyLoss()
    >>> print(criterion(np.array([[0.0, 0.0, 0.0, 0.0]]), np.array([2])).round(4))  # log 4
    1.3863
    >>> criterion.backward()
    array([[ 0.25,  0.25, -0.75,  0.25]])

    The gradient is p - (1 at the true class): each logit is pushed down by the
    probability it got, the true one up. With 'mean' it is divided as the loss is. Cost:
    an exponential for each logit; kept for backward: both arguments. Often believed:
    the network needs a softmax layer before this loss. In fact the softmax is inside,
    and a second one would flatten the probabilities.

        weight            (C,), a factor for each class
        ignore_index      targets equal to it do not count
        reduction         'mean' (divides by the sum of the targets' weights), 'sum' or 'none'
        label_smoothing   e: wants 1 - e for the true class and e / C for every class

    Raises TypeError for what is not an array, ValueError for arguments, IndexError for
    a class that does not exist, RuntimeError where shapes or dtypes do not fit.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """

    def __init__(
        self,
        weight: np.ndarray | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ):
        super().__init__(reduction)
        self.weight: Any = weight
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        check_label_smoothing(label_smoothing, "CrossEntropyLoss")

    def forward(self, input: Array, target: Array) -> Array:
        """The loss: one number, or with reduction 'none' one for each element."""
        self.keep(input, target)
        return F.cross_entropy(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )

    def backward(self, grad_output: Any = 1.0) -> Any:
        """The gradient with respect to the input, times `grad_output` (of the loss's shape)."""
        input, target = self.kept()
        return F.cross_entropy_backward(
            grad_output,
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_Loss):
    """Minus the logarithm of the probability of the true class, which is given as such.

        loss = - weight[y] input[y]        for the true class y

        input   (N, C), (N, C, d1, ...) or (C,)    logarithms of probabilities, such as
                                                   LogSoftmax gives; float32 or float64
        target  (N,), (N, d1, ...) or ()           classes, int64 or uint8
        output  one number, or with reduction 'none' one for each class asked for

    >>> criterion = NLLLoss()
    >>> print(criterion(np.log([[0.25, 0.5, 0.25]]), np.array([2])).round(4))  # log 4
    1.3863
    >>> criterion.backward()
    array([[ 0.,  0., -1.]])

    The gradient is -weight[y] at the true class, 0 at the others; with 'mean' it is divided as
    the loss is. Cost: one product for each target; kept for backward: both arguments. Often
    believed: it takes a logarithm. In fact that is for the layer before it: with probabilities
    as its input it gives a negative number that means nothing.

        weight         (C,), a factor for each class
        ignore_index   targets equal to it do not count
        reduction      'mean' (divides by the sum of the targets' weights), 'sum' or 'none'

    Raises TypeError for what is not an array, ValueError for arguments, IndexError for
    a class that does not exist, RuntimeError where shapes or dtypes do not fit.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.NLLLoss.html
    """

    def __init__(self, weight: np.ndarray | None = None, ignore_index: int = -100, reduction: str = "mean"):
        super().__init__(reduction)
        self.weight: Any = weight
        self.ignore_index = ignore_index

    def forward(self, input: Array, target: Array) -> Array:
        """The loss: one number, or with reduction 'none' one for each target."""
        self.keep(input, target)
        return F.nll_loss(input, target, self.weight, self.ignore_index, self.reduction)

    def backward(self, grad_output: Any = 1.0) -> Any:
        """The gradient with respect to the input, times `grad_output` (of the loss's shape)."""
        input, target = self.kept()
        return F.nll_loss_backward(grad_output, input, target, self.weight, self.ignore_index, self.reduction)


class BCELoss(_Loss):
    """Cross-entropy for yes or no: -weight (y log p + (1 - y) log(1 - p)), each
    logarithm at least -100.

        input   any shape, probabilities (after a sigmoid), float32 or float64
        target  the same shape and dtype, numbers in [0, 1]
        output  one number, or with reduction 'none' the input's shape

    >>> criterion = BCELoss()
    >>> print(criterion(np.array([0.5, 0.5]), np.array([1.0, 0.0])).round(4))  # log 2
    0.6931
    >>> criterion.backward()
    array([-1.,  1.])

    The gradient is (p - y) / (p (1 - p)); times the sigmoid's slope p (1 - p) only p -
    y is left. BCEWithLogitsLoss computes the two together, exactly even where p rounds
    to 0 or 1. Cost: two logarithms for each number; kept for backward: both arguments.
    Often believed: two classes need two outputs. In fact one is enough: the probability
    of "yes". The answer is yes where it exceeds 0.5; argmax would have nothing to
    choose from.

        weight      a factor for each loss, of a shape that broadcasts to the input's
        reduction   'mean', 'sum' or 'none'

    Raises TypeError for what is not an array, ValueError for arguments and shapes that
    differ, RuntimeError for other dtypes and numbers outside [0, 1].
    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html
    """

    def __init__(self, weight: np.ndarray | None = None, reduction: str = "mean"):
        super().__init__(reduction)
        self.weight: Any = weight

    def forward(self, input: Array, target: Array) -> Array:
        """The loss: one number, or with reduction 'none' one for each element."""
        self.keep(input, target)
        return F.binary_cross_entropy(input, target, weight=self.weight, reduction=self.reduction)

    def backward(self, grad_output: Any = 1.0) -> Any:
        """The gradient with respect to the input, times `grad_output` (of the loss's shape)."""
        input, target = self.kept()
        return F.binary_cross_entropy_backward(grad_output, input, target, weight=self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """BCELoss of sigmoid(input), exact for any logit.

        loss = -weight (pos_weight y log s + (1 - y) log(1 - s))        s = 1 / (1 + exp(-x))

        input   any shape, logits, float32 or float64
        target  the same shape and dtype, numbers in [0, 1]
        output  one number, or with reduction 'none' the input's shape

    >>> criterion = BCEWithLogitsLoss()
    >>> print(criterion(np.array([0.0, -200.0]), np.array([1.0, 0.0])).round(4))  # log(2) / 2
    0.3466
    >>> criterion.backward()
    array([-0.25,  0.  ])

    The gradient is weight (s - y), divided by their number for 'mean' (without
    pos_weight): what is left of BCELoss's (s - y) / (s (1 - s)) after the sigmoid's
    slope s (1 - s). Cost: an exponential and a logarithm for each number; kept for
    backward: both arguments. Often believed: a sigmoid must stand before this loss. In
    fact it is inside; to predict, ask whether x > 0.

        weight       a factor for each loss, of a shape that broadcasts to the input's
        reduction    'mean', 'sum' or 'none'
        pos_weight   a factor for the losses of positive targets; broadcasts too

    Raises TypeError for what is not an array, ValueError for arguments and shapes that
    differ, RuntimeError for other dtypes and weights that do not broadcast.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """

    def __init__(self, weight: np.ndarray | None = None, reduction: str = "mean", pos_weight: np.ndarray | None = None):
        super().__init__(reduction)
        self.weight: Any = weight
        self.pos_weight: Any = pos_weight

    def forward(self, input: Array, target: Array) -> Array:
        """The loss: one number, or with reduction 'none' one for each element."""
        self.keep(input, target)
        return F.binary_cross_entropy_with_logits(
            input,
            target,
            weight=self.weight,
            reduction=self.reduction,
            pos_weight=self.pos_weight,
        )

    def backward(self, grad_output: Any = 1.0) -> Any:
        """The gradient with respect to the input, times `grad_output` (of the loss's shape)."""
        input, target = self.kept()
        return F.binary_cross_entropy_with_logits_backward(
            grad_output,
            input,
            target,
            weight=self.weight,
            reduction=self.reduction,
            pos_weight=self.pos_weight,
        )


class MSELoss(_Loss):
    """The mean squared error: the mean of (input - target)^2 over all n numbers.

        input   any shape, float32 or float64
        target  the same shape and dtype
        output  one number, or with reduction 'none' the input's shape

    >>> criterion = MSELoss()
    >>> print(criterion(np.array([1.0, 4.0]), np.array([1.0, 2.0])))
    2.0
    >>> criterion.backward()
    array([0., 2.])

    The gradient is 2 (input - target), divided by n for 'mean'. Cost: a multiplication
    for each number; kept for backward: both arguments. Often believed: behind a sigmoid
    this is as good a loss for classes as cross-entropy. In fact, where the network is
    surely wrong the sigmoid's slope is near 0, and so is the gradient; cross-entropy
    divides that slope out.

    `reduction` is 'mean', 'sum' or 'none' (one for each number). Raises TypeError for
    what is not an array, ValueError for another reduction and for shapes that differ,
    RuntimeError for dtypes that differ.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """

    def forward(self, input: Array, target: Array) -> Array:
        """The loss: one number, or with reduction 'none' one for each element."""
        self.keep(input, target)
        return F.mse_loss(input, target, reduction=self.reduction)

    def backward(self, grad_output: Any = 1.0) -> Any:
        """The gradient with respect to the input, times `grad_output` (of the loss's shape)."""
        input, target = self.kept()
        return F.mse_loss_backward(grad_output, input, target, reduction=self.reduction)
