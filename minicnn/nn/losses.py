"""The criteria: one number that says how wrong the network was, and the gradient with which backward begins.

`criterion(input, target)` gives the loss, `criterion.backward()` the gradient with respect to `input`. The formulas stand
in `kernels.numpy_textbook.losses`.
"""

import numpy as np

from . import functional as F
from .functional.losses import check_label_smoothing, check_reduction
from .module import Module


class _Loss(Module):
    """Calls `functional.<name>(input, target, **options)` and its gradient."""

    name: str

    def __init__(self, reduction: str = "mean"):
        self.reduction = check_reduction(reduction, type(self).__name__)

    def _options(self) -> dict:
        return {"reduction": self.reduction}

    def forward(self, input, target):
        self.keep(input, target)
        return getattr(F, self.name)(input, target, **self._options())

    def backward(self, grad_output=1.0):
        input, target = self.kept()
        return getattr(F, f"{self.name}_backward")(grad_output, input, target, **self._options())


class CrossEntropyLoss(_Loss):
    """How surprised the network is by the true class: minus the logarithm of the probability that it gave to it.

        p_c  = exp(x_c) / (sum over k of exp(x_k))     softmax turns logits into probabilities
        loss = - weight[y] log p_y                     for the true class y

        input   (N, C), (N, C, d1, ...) or (C,)        logits, not probabilities: the softmax is inside
        target  (N,), (N, d1, ...) or ()               classes, int64 or uint8; or probabilities in the input's shape

    >>> criterion = CrossEntropyLoss()
    >>> print(criterion(np.array([[0.0, 0.0, 0.0, 0.0]]), np.array([2])).round(4))  # knows nothing: log 4
    1.3863
    >>> criterion.backward()
    array([[ 0.25,  0.25, -0.75,  0.25]])

    The gradient is p - (1 at the true class): each logit is pushed down by the probability it got, the true one up.
    With 'mean' it is divided as the loss is. Cost: an exponential for each logit; kept for backward: both arguments.

    `reduction`: 'mean' divides by the sum of the targets' weights, 'sum', 'none'. Targets equal to `ignore_index` do not
    count. `label_smoothing` e wants (1 - e) for the true class and e / C for every class. A misconception: a softmax layer
    must not stand before this loss. https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """

    name = "cross_entropy"

    def __init__(
        self,
        weight: np.ndarray | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ):
        super().__init__(reduction)
        self.weight = weight
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        check_label_smoothing(label_smoothing, "CrossEntropyLoss")

    def _options(self) -> dict:
        names = ("weight", "ignore_index", "reduction", "label_smoothing")
        return {name: getattr(self, name) for name in names}


class BCELoss(_Loss):
    """Cross-entropy for yes or no: -weight (y log p + (1 - y) log(1 - p)), each logarithm at least -100.

        input   any shape, probabilities (after a sigmoid)      target  the same shape and dtype, numbers in [0, 1]
        output  a number, or with reduction 'none' the input's shape

    >>> criterion = BCELoss()
    >>> print(criterion(np.array([0.5, 0.5]), np.array([1.0, 0.0])).round(4))  # log 2
    0.6931
    >>> criterion.backward()
    array([-1.,  1.])

    The gradient is (p - y) / (p (1 - p)); times the sigmoid's slope p (1 - p) only p - y is left.
    BCEWithLogitsLoss computes the two together, exactly even where p rounds to 0 or 1.
    Cost: two logarithms for each number; kept for backward: both arguments. A misconception: one output is not too few for
    two classes. It is the probability of "yes"; the answer is yes where it exceeds 0.5, and argmax has nothing to choose from.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html
    """

    name = "binary_cross_entropy"

    def __init__(self, weight: np.ndarray | None = None, reduction: str = "mean"):
        super().__init__(reduction)
        self.weight = weight

    def _options(self) -> dict:
        return {"weight": self.weight, "reduction": self.reduction}


class BCEWithLogitsLoss(_Loss):
    """BCELoss of sigmoid(input), exact for any logit; `pos_weight` multiplies the loss of the positive targets.

        loss = -weight (pos_weight y log s + (1 - y) log(1 - s))                  s = 1 / (1 + exp(-x))

        input   any shape, logits               target  the same shape and dtype, numbers in [0, 1]
        output  a number, or with reduction 'none' the input's shape

    >>> criterion = BCEWithLogitsLoss()
    >>> print(criterion(np.array([0.0, -200.0]), np.array([1.0, 0.0])).round(4))  # (log 2 + 0) / 2
    0.3466
    >>> criterion.backward()
    array([-0.25,  0.  ])

    The gradient is weight (s - y), divided by their number for 'mean' (without pos_weight): what is left of BCELoss's
    (s - y) / (s (1 - s)) after the sigmoid's slope s (1 - s). Cost: an exponential and a logarithm for each number; kept for
    backward: both arguments. A misconception: no sigmoid must stand before this loss; to predict, ask whether x > 0.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """

    name = "binary_cross_entropy_with_logits"

    def __init__(self, weight: np.ndarray | None = None, reduction: str = "mean", pos_weight: np.ndarray | None = None):
        super().__init__(reduction)
        self.weight = weight
        self.pos_weight = pos_weight

    def _options(self) -> dict:
        return {"weight": self.weight, "pos_weight": self.pos_weight, "reduction": self.reduction}


class MSELoss(_Loss):
    """The mean squared error: the mean of (input - target)^2 over all n numbers; or their sum; or each ('none').

        input   any shape                       target  the same shape and dtype
        output  a number, or with reduction 'none' the input's shape

    >>> criterion = MSELoss()
    >>> print(criterion(np.array([1.0, 4.0]), np.array([1.0, 2.0])))
    2.0
    >>> criterion.backward()
    array([0., 2.])

    The gradient is 2 (input - target), divided by n for 'mean'. Cost: a multiplication for each number; kept for backward:
    both arguments. A misconception: behind a sigmoid this is no loss for classes. Where the network is surely wrong the
    sigmoid's slope is near 0, and so is the gradient; cross-entropy divides that slope out.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """

    name = "mse_loss"
