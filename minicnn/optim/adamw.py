"""AdamW: Adam whose weight decay shrinks the weights themselves."""

from collections.abc import Iterable
from typing import Any

from .adam import Adam


class AdamW(Adam):
    """Adam with `decoupled_weight_decay`: p shrinks by lr weight_decay p, and then steps.

        p = p - lr weight_decay p                 and then Adam's step, without the decay

    >>> import numpy as np
    >>> from minicnn.nn import Parameter
    >>> p = Parameter(np.array([1.0]))
    >>> optimizer = AdamW([p], lr=0.5, weight_decay=0.5)
    >>> p.grad = np.array([0.0])
    >>> optimizer.step()
    >>> p.data
    array([0.75])

    In Adam the decay is added to the gradient, and so it is divided by the gradient's
    scale, too: weights with large gradients hardly decay. Here all shrink at one rate.

        weight_decay   the share, times lr, by which p shrinks; at least 0. It is 0.01 unless
                       said otherwise

    All else is Adam's: arguments, state, cost. Often believed: AdamW is another optimizer.
    In fact it is Adam with one line moved. Raises ValueError for arguments out of range,
    TypeError for what is not a number. (Loshchilov and Hutter, 2017.)
    https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ):
        options: dict[str, Any] = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        options |= {"amsgrad": amsgrad, "maximize": maximize}
        super().__init__(params, **options, decoupled_weight_decay=True)
