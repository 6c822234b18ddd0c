"""Adam: a step of about lr in every coordinate, whatever the scale of the gradient there."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..kernels import arrays, kernels_for
from ..nn.parameter import Parameter
from .optimizer import Optimizer, check_at_least_zero, check_number


class Adam(Optimizer):
    """Gradient descent whose step is about `lr` in every coordinate, whatever the scale
    of the gradient there.

        m = b1 m + (1 - b1) grad                  the recent mean of the gradient
        v = b2 v + (1 - b2) grad^2                the recent mean of its square
        p = p - lr m' / (sqrt(v') + eps)          m' = m / (1 - b1^t), v' = v / (1 - b2^t)

    Both means start at 0 and are too small in the first steps t; m' and v' make up for
    it. The update itself stands in `kernels.numpy_textbook.optimizers`.

    >>> from minicnn.nn import Parameter
    >>> p = Parameter(np.array([1.0, 1.0]))
    >>> optimizer = Adam([p], lr=0.1)
    >>> p.grad = np.array([1000.0, -0.001])
    >>> optimizer.step()
    >>> p.data.round(3)  # a step of lr each, though the gradients differ by 10^6
    array([0.9, 1.1])

        params                   what to update; see Optimizer
        lr                       how far a weight moves in a step, at least 0; its unit is
                                 that of the parameter itself
        betas                    b1 and b2, each in [0, 1)
        eps                      added to the root, at least 0
        weight_decay             this times p is added to the gradient; at least 0
        amsgrad                  divide by the largest v so far
        maximize                 climb instead
        decoupled_weight_decay   shrink p itself by lr weight_decay p instead (AdamW)

    The state of a parameter: `exp_avg` (m) and `exp_avg_sq` (v), in its shape and
    dtype, so twice its memory; `step` (t), a float32.

    Cost: about ten operations and a square root for each number, once a step. Often
    believed: with Adam the learning rate does not matter. In fact it means the same for
    every weight, and so it has to fit the size of the weights, not of the gradients.

    Raises ValueError for arguments out of range, TypeError for what is not a number.
    Kingma and Ba, 2014.
    https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ):
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
        options |= {"maximize": maximize, "decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, options)

    def check_options(self, group: dict[str, Any]) -> None:
        check_at_least_zero(self._who, lr=group["lr"], eps=group["eps"], weight_decay=group["weight_decay"])
        if not isinstance(group["betas"], (tuple, list)) or len(group["betas"]) != 2:
            raise ValueError(f"{self._who}: betas must be two numbers in [0, 1), got {group['betas']!r}.")
        check_number(self._who, beta1=group["betas"][0], beta2=group["betas"][1])
        if not all(0 <= beta < 1 for beta in group["betas"]):
            raise ValueError(f"{self._who}: betas must be two numbers in [0, 1), got {group['betas']}.")

    def needed(self, group: dict[str, Any]) -> set[str]:
        return {"step", "exp_avg", "exp_avg_sq"} | ({"max_exp_avg_sq"} if group["amsgrad"] else set())

    def update(self, parameter: Parameter, grad: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state["step"] = np.zeros((), np.float32)  # an array, as the averages: state_dict() is alive
            state["exp_avg"] = arrays.full(parameter.shape, 0, parameter.data)
            state["exp_avg_sq"] = arrays.full(parameter.shape, 0, parameter.data)
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = arrays.full(parameter.shape, 0, parameter.data)
        state["step"] += np.float32(1)
        beta1, beta2 = group["betas"]
        kernels_for(parameter.data).adam(
            parameter.data,
            grad,
            state["exp_avg"],
            state["exp_avg_sq"],
            state["max_exp_avg_sq"] if group["amsgrad"] else None,
            int(state["step"]),
            group["lr"],
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"],
            group["maximize"],
            group["decoupled_weight_decay"],
        )
