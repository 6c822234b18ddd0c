"""Stochastic gradient descent."""

from ..kernels import kernels_for
from .optimizer import Optimizer, check_at_least_zero, check_number


class SGD(Optimizer):
    """p = p - lr g; with `momentum` the step follows a running sum of the gradients instead.

        b = momentum b + (1 - dampening) g        (b = g in the first step)
        p = p - lr b                              or, with `nesterov`, p - lr (g + momentum b)

    >>> import numpy as np
    >>> from minicnn.nn import Parameter
    >>> p = Parameter(np.array([1.0]))
    >>> optimizer = SGD([p], lr=0.1, momentum=0.5)
    >>> for _ in range(2):
    ...     p.grad = np.array([1.0])
    ...     optimizer.step()
    >>> p.data  # 1 - 0.1 * 1 - 0.1 * 1.5
    array([0.75])

        lr, momentum, weight_decay    numbers >= 0; nesterov needs momentum > 0 and dampening 0; ValueError otherwise
        momentum_buffer               b, in the parameter's shape and dtype; without momentum nothing is kept

    Cost: a multiply-add for each number, two with momentum. lr has the unit parameter^2 / loss, as g is loss / parameter:
    scale the loss by 10, and the step is ten times as long. A misconception: momentum does not only smooth. Under a
    constant gradient the step grows to lr / (1 - momentum), ten times lr for 0.9.

    `weight_decay` adds weight_decay * p to the gradient; `maximize` climbs instead.
    https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """

    def __init__(
        self,
        params,
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

    def check_options(self, group):
        check_at_least_zero("SGD", lr=group["lr"], momentum=group["momentum"], weight_decay=group["weight_decay"])
        check_number("SGD", dampening=group["dampening"])
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError(
                f"SGD: nesterov needs momentum above 0 and dampening 0, got {group['momentum']} and {group['dampening']}."
            )

    def update(self, parameter, grad, state, group):
        names = ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize")
        options = [group[name] for name in names]
        buffer = kernels_for(parameter.data).sgd(parameter.data, grad, state.get("momentum_buffer"), *options)
        if buffer is not None:
            state["momentum_buffer"] = buffer
