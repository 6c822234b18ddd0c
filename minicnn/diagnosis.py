"""What gradcheck says of a wrong gradient, and which usual mistake explains it; the names
are those of `mistakes`.

A mistake is named only if it explains each number that was compared: within 1e-4, or
within what the difference quotient itself may err.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

FARTHEST = 8  # pixels by which a crop may be off


class Element(NamedTuple):
    """One number of one array, and what is said about its gradient."""

    place: tuple[int, ...]
    backward: float
    difference: float  # the central difference
    allowed: float
    left: float  # the slopes to both sides
    right: float

    @property
    def error(self) -> float:
        return abs(self.backward - self.difference)

    @property
    def at_kink(self) -> bool:
        """Where f has a kink: whether backward lies between the slopes to both sides."""
        low, high = sorted((self.left, self.right))
        return low - self.allowed <= self.backward <= high + self.allowed

    @property
    def badness(self) -> float:
        """The error in units of what is allowed; infinite for NaN."""
        if not self.error > 0:
            return 0.0 if self.error == 0 else math.inf
        return self.error / self.allowed if self.allowed else math.inf


# ---------------------------------------------------------------------------- sentences


def unfit(name: str, array: np.ndarray, grad: Any) -> str | None:
    if grad is None and name.startswith("input"):
        return "backward returned None: it must return the gradient with respect to the input."
    if grad is None:
        return "backward left .grad at None: it must call accumulate(gradient) of this parameter."
    if not isinstance(grad, (np.ndarray, np.generic)):
        return f"the gradient must be a NumPy array, got {type(grad).__name__}."
    if grad.shape != array.shape:
        turned = grad.ndim > 1 and grad.shape == array.shape[::-1]
        return f"the gradient must have the shape {array.shape}, got {grad.shape}{': transposed?' if turned else '.'}"
    if grad.dtype != array.dtype:
        return f"the gradient must have the dtype {array.dtype}, got {grad.dtype}."
    return None


def accumulation(first: Any, second: Any) -> str | None:
    """After two passes, .grad must be the sum of both."""
    if np.allclose(second, 2 * first, rtol=1e-9, atol=1e-9 * np.abs(first).max(initial=0.0)):
        return None
    if np.allclose(second, first, rtol=1e-9, atol=0):
        return "a second backward replaced .grad: it must add to it; accumulate(gradient) does."
    return "after two equal backward passes .grad is not twice what it was after one: it must add up, nothing else."


def in_common(wrong: list[Element], grad: Any) -> str | None:
    """What all the wrong numbers have in common, if that is plain to see."""
    big = [element for element in wrong if abs(element.difference) > 100 * element.allowed]
    ratios = [element.backward / element.difference for element in big]
    if big and all(element.backward == 0 for element in wrong):
        return ": backward gives 0, but the output depends on them."
    if len(ratios) > 1 and max(ratios) - min(ratios) <= 1e-4 * abs(ratios[0]):
        if abs(ratios[0] + 1) < 1e-4:
            return ", each -1 times what it must be: a sign is wrong."
        return f", each {ratios[0]:.6g} times what it must be: a factor is missing."
    square = grad.ndim == 2 and len(grad) == len(grad.T) and len(wrong) > 1
    if square and explains(grad.T, wrong):
        return ": the gradient is transposed."
    return None


def worst_of(wrong: list[Element], array: np.ndarray) -> str:
    worst = max(wrong, key=lambda element: element.badness)
    return (
        f", worst element {text_of(worst.place)}, where the value is {array[worst.place]:.9g}: "
        f"backward gives {worst.backward:.9g}, the difference quotient {worst.difference:.9g} +- {worst.allowed:.1g}."
    )


def text_of(place: tuple) -> str:
    return str([int(i) for i in place])


# ----------------------------------------------------------------------------- mistakes


def kernels_turned(kernel: np.ndarray) -> dict[str, np.ndarray]:
    """What somebody may have taken for this kernel (O, C, KH, KW), or for its gradient."""
    if kernel.ndim != 4:
        return {}
    turned = {"kernel flipped": kernel[..., ::-1, ::-1].copy()}
    if kernel.shape[2] == kernel.shape[3]:
        turned["kernel transposed"] = kernel.swapaxes(2, 3).copy()
    return turned


def explains(candidate: Any, elements: Iterable[Element]) -> bool:
    """Whether `candidate` is the right gradient wherever that is known."""
    candidate = np.asarray(candidate)
    return all(_near(candidate[e.place], e.difference, e.allowed) for e in elements)


def cropped(grad: np.ndarray, elements: Sequence[Element]) -> bool:
    """Whether `grad` (..., H, W) is the right gradient moved by a few rows or columns.

    That is what a crop of the padding at the wrong end makes of it. At least three
    numbers that are plainly not 0 must have moved within the array.
    """
    if grad.ndim < 3:
        return False
    H, W = grad.shape[-2:]
    rows = range(-min(FARTHEST, H - 1), min(FARTHEST, H - 1) + 1)
    columns = range(-min(FARTHEST, W - 1), min(FARTHEST, W - 1) + 1)
    for down, right in itertools.product(rows, columns):
        moved = []
        for element in elements:
            *leading, h, w = element.place
            if (down or right) and 0 <= h + down < H and 0 <= w + right < W:
                moved.append(element._replace(place=(*leading, h + down, w + right)))
        plain = [element for element in moved if abs(element.difference) > 100 * element.allowed]
        if len(plain) >= 3 and explains(grad, moved):
            return True
    return False


def first_or_last_alone(sums: Sequence[np.ndarray], elements: Sequence[Element]) -> bool:
    """Whether backward gives the first, or the last, of the numbers whose sum it must be.

    `sums` has an array of them for each element, in the order in which a loop comes to
    them; at least two elements, and two numbers in each that are not 0.
    """
    terms = [numbers[numbers != 0] for numbers in sums]
    if len(elements) < 2 or min(map(len, terms)) < 2:
        return False
    return any(
        all(_near(numbers[end], e.backward, e.allowed) for numbers, e in zip(terms, elements, strict=True))
        for end in (0, -1)
    )


def _near(found: float, wanted: float, allowed: float) -> bool:
    return bool(abs(found - wanted) <= 1e-4 * abs(wanted) + allowed)
