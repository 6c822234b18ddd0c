"""Adadelta: a step as long as the recent steps, so that no learning rate has to be found."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..kernels import arrays
from ..nn.parameter import Parameter
from .optimizer import Optimizer, check_at_least_zero, check_number


class Adadelta(Optimizer):
    """Gradient descent whose step has the size of the recent steps, divided by that of the
    recent gradients.

        v = rho v + (1 - rho) grad^2              the recent mean of the gradient's square
        d = sqrt(u + eps) / sqrt(v + eps) grad    the step
        u = rho u + (1 - rho) d^2                 the recent mean of the step's square
        p = p - lr d

    >>> from minicnn.nn import Parameter
    >>> p = Parameter(np.array([1.0, 1.0]))
    >>> optimizer = Adadelta([p])
    >>> p.grad = np.array([1000.0, -0.1])
    >>> optimizer.step()
    >>> p.data.round(4)  # though the gradients differ by 10^4
    array([0.9968, 1.0032])

    `d` has the unit of the parameter itself, so lr has none. Both means start at 0, and
    the first steps are as small as `eps` makes them.

        params         what to update; see Optimizer
        lr             a factor for the step, at least 0
        rho            how much of both means stays, in [0, 1]
        eps            added under both roots, at least 0
        weight_decay   this times p is added to the gradient; at least 0
        maximize       climb instead

    The state of a parameter: `square_avg` (v) and `acc_delta` (u), in its shape and dtype;
    `step`, a float32. It is composed of the arrays' own operations, so every kernel set
    computes the same.

    Cost: a dozen operations and two roots for each number. Often believed: Adadelta needs
    no tuning. In fact `eps` sets the length of its first steps, as lr does elsewhere.

    Raises ValueError for arguments out of range, TypeError for what is not a number.
    Zeiler, 2012.
    https://docs.pytorch.org/docs/stable/generated/torch.optim.Adadelta.html
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ):
        options = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, options)

    def check_options(self, group: dict[str, Any]) -> None:
        check_at_least_zero("Adadelta", lr=group["lr"], eps=group["eps"], weight_decay=group["weight_decay"])
        check_number("Adadelta", rho=group["rho"])
        if not 0 <= group["rho"] <= 1:
            raise ValueError(f"Adadelta: rho must be in [0, 1], got {group['rho']}.")

    def needed(self, group: dict[str, Any]) -> set[str]:
        return {"step", "square_avg", "acc_delta"}

    def update(self, parameter: Parameter, grad: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state["step"] = np.zeros((), np.float32)
            state["square_avg"] = arrays.full(parameter.shape, 0, parameter.data)
            state["acc_delta"] = arrays.full(parameter.shape, 0, parameter.data)
        state["step"] += np.float32(1)
        param = arrays.native(parameter.data)
        grad = arrays.native(grad)
        rho, eps = group["rho"], group["eps"]
        if group["maximize"]:
            grad = -grad
        if group["weight_decay"]:
            grad = grad + group["weight_decay"] * param
        square_avg = rho * state["square_avg"] + (1 - rho) * grad * grad
        step = (state["acc_delta"] + eps) ** 0.5 / (square_avg + eps) ** 0.5 * grad
        arrays.overwrite(state["acc_delta"], rho * state["acc_delta"] + (1 - rho) * step * step)
        arrays.overwrite(state["square_avg"], square_avg)
        arrays.overwrite(parameter.data, param - group["lr"] * step)
