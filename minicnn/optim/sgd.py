"""Stochastic gradient descent: a step against the gradient, of lr times its length."""

from collections.abc import Iterable
from typing import Any

from ..kernels import kernels_for
from ..nn.parameter import Parameter
from .optimizer import Optimizer, check_at_least_zero, check_number


class SGD(Optimizer):
    """p = p - lr grad; with `momentum` the step follows a running sum of the gradients instead.

        b = momentum b + (1 - dampening) grad     (b = grad in the first step)
        p = p - lr b                              or, with `nesterov`, p - lr (grad +
                                                  momentum b)

    >>> import numpy as np
    >>> from minicnn.nn import Parameter
    >>> p = Parameter(np.array([1.0]))
    >>> optimizer = SGD([p], lr=0.1, momentum=0.5)
    >>> for _ in range(2):
    ...     p.grad = np.array([1.0])
    ...     optimizer.step()
    >>> p.data  # 1 - 0.1 * 1 - 0.1 * 1.5
    array([0.75])

        params         what to update; see Optimizer
        lr             at least 0. Its unit is parameter^2 / loss, as that of grad is loss /
                       parameter: scale the loss by 10, and the step is ten times as long
        momentum       how much of b stays, at least 0
        dampening      how much of the gradient is left out of b
        weight_decay   this times p is added to the gradient; at least 0
        nesterov       look ahead by one step; needs momentum above 0 and dampening 0
        maximize       climb instead

    The state of a parameter: `momentum_buffer` (b), in its shape and dtype; nothing without
    momentum.

    Cost: a multiply-add for each number, two with momentum. Often believed: momentum
    only smooths the way. In fact it lengthens the step too: under a constant gradient
    to lr / (1 - momentum), ten times lr for 0.9.

    Raises ValueError for arguments out of range, TypeError for what is not a number.
    https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ):
        options = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        super().__init__(params, {**options, "nesterov": nesterov, "maximize": maximize})

    def check_options(self, group: dict[str, Any]) -> None:
        check_at_least_zero("SGD", lr=group["lr"], momentum=group["momentum"], weight_decay=group["weight_decay"])
        check_number("SGD", dampening=group["dampening"])
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError(
                f"SGD: nesterov needs momentum above 0 and dampening 0, got {group['momentum']} and "
                f"{group['dampening']}."
            )

    def update(self, parameter: Parameter, grad: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        names = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")
        options = [group[name] for name in names]
        buffer = kernels_for(parameter.data).sgd(parameter.data, grad, state.get("momentum_buffer"), *options)
        if buffer is not None:
            state["momentum_buffer"] = buffer
