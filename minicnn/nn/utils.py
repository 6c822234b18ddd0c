"""What is done to all gradients at once."""

from collections.abc import Iterable
from typing import Any

from .parameter import Parameter


def clip_grad_norm_(
    parameters: Parameter | Iterable[Parameter],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Any:
    """Shorten all gradients together, so that their norm is at most `max_norm`. Returns the
    norm before.

        norm = (sum of |g|^p over all numbers of all gradients)^(1 / p)    p = norm_type
        g    = g * min(1, max_norm / (norm + 1e-6))

    The direction of the step stays, as all are shortened by one factor. With p = infinity
    the norm is the largest |g|. Parameters without a gradient are left out; without any the
    norm is 0.

    >>> import numpy as np
    >>> p, q = Parameter(np.zeros(1)), Parameter(np.zeros(1))
    >>> p.grad, q.grad = np.array([3.0]), np.array([4.0])
    >>> float(clip_grad_norm_([p, q], max_norm=1.0))
    5.0
    >>> p.grad.round(3), q.grad.round(3)
    (array([0.6]), array([0.8]))

    Raises ValueError for a max_norm below 0; RuntimeError for a norm that is not finite,
    with `error_if_nonfinite`.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html
    """
    if not max_norm >= 0:
        raise ValueError(f"clip_grad_norm_: max_norm must be at least 0, got {max_norm}.")
    every = [parameters] if isinstance(parameters, Parameter) else list(parameters)
    learnt = [parameter for parameter in every if parameter.grad is not None]
    if not learnt:
        return 0.0
    if norm_type == float("inf"):
        norm = max(abs(p.grad).max() for p in learnt if p.numel())
    else:
        norms = [(abs(p.grad) ** norm_type).sum() ** (1.0 / norm_type) for p in learnt]  # of each, as torch
        norm = sum(one**norm_type for one in norms) ** (1.0 / norm_type)
    if error_if_nonfinite and not float(norm) - float(norm) == 0:
        raise RuntimeError(f"clip_grad_norm_: the norm of the gradients is {float(norm)}; nothing was changed.")
    factor = max_norm / (norm + 1e-6)
    for parameter in learnt:
        parameter.grad = parameter.grad * factor if not float(factor) > 1 else parameter.grad
    return norm
