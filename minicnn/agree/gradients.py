"""Mistakes that any gradient can have."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Wrong = Iterator[tuple[str, Any]]  # the mistake, and {result: a function that computes it}


def of_any_gradient(right: dict[str, np.ndarray], grad: np.ndarray, again: Callable[[np.ndarray], Any]) -> Wrong:
    """Mistakes that any gradient can have."""
    for name, value in right.items():
        if not name.startswith("grad"):
            continue
        yield "sign wrong", {name: lambda value=value: -value}
        yield "grad_output ignored", {name: lambda name=name: again(np.ones_like(grad))[name]}
        yield "gradient kept from the call before", {name: lambda value=value: 2 * value}
        if value.ndim >= 2:
            yield "transposed", {name: lambda value=value: value.swapaxes(-1, -2)}
