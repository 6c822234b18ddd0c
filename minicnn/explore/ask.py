"""What a request may say: read from JSON, checked and bounded. Whatever does not fit is
a `Refused` with a sentence.
"""

import math
from typing import Any

import numpy as np

from .say import say

CELLS = 1024  # of one grid, over all channels
MAGNITUDE = 8  # the largest argument that is not bounded otherwise


class Refused(Exception):
    """A request that is not answered: the HTTP status, and a sentence for the person
    behind it.
    """

    def __init__(self, sentence: str, status: int = 400):
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status


def field(body: Any, name: str) -> Any:
    """`body[name]`, which must be there."""
    if not isinstance(body, dict):
        raise Refused(say("ask.object", got=_kind(body)))
    if name not in body:
        fields = ", ".join(map(repr, body)) or say("ask.none")
        raise Refused(say("ask.field", name=repr(name), fields=fields))
    return body[name]


def integer(body: Any, name: str, low: int, high: int) -> int:
    return _integer(field(body, name), name, low, high)


def pair(body: Any, name: str, low: int, high: int) -> tuple[int, int]:
    """Two ints, (height, width)."""
    value = field(body, name)
    if not isinstance(value, list) or len(value) != 2:
        raise Refused(say("ask.pair", name=name, got=_kind(value)))
    return _integer(value[0], name, low, high), _integer(value[1], name, low, high)


def choice(body: Any, name: str, choices: Any) -> Any:
    value = field(body, name)
    if not isinstance(value, str) or value not in choices:
        raise Refused(say("ask.choice", name=name, choices=", ".join(map(repr, choices)), got=_kind(value)))
    return value


def flag(body: Any, name: str) -> bool:
    value = field(body, name)
    if not isinstance(value, bool):
        raise Refused(say("ask.flag", name=name, got=_kind(value)))
    return value


def _integer(value: Any, name: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Refused(say("ask.integer", name=name, low=low, high=high, got=_kind(value)))
    return value


def number(value: Any, name: str = "") -> float:
    """A float from a JSON number, or from what a person types into a cell: "1e-3",
    "nan", "-inf".
    """
    name = name or say("ask.a_cell")
    if isinstance(value, str) and len(value) <= 32:
        text = value.strip().replace("\u2212", "-").replace("\u221e", "inf")
        try:
            return float(text)
        except ValueError:
            raise Refused(say("ask.text", name=name, got=repr(value))) from None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Refused(say("ask.number", name=name, got=_kind(value)))
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def grid(value: Any, name: str, ndim: int) -> np.ndarray | None:
    """Nested lists of numbers as a float64 array with `ndim` dimensions; None stays None."""
    if value is None:
        return None
    shape, level = [], value
    for _ in range(ndim):
        if not isinstance(level, list) or not level:
            raise Refused(say("ask.nested", name=name, count=ndim))
        shape.append(len(level))
        level = level[0]
    if math.prod(shape) > CELLS:
        raise Refused(say("ask.cells", name=name, most=CELLS, sizes=" x ".join(map(str, shape))), 413)
    numbers: list[float] = []
    _flatten(value, shape, name, numbers)
    return np.array(numbers).reshape(shape)


def _flatten(value: Any, shape: list[int], name: str, numbers: list[float]) -> None:
    if not shape:
        numbers.append(number(value, name))
        return
    if not isinstance(value, list) or len(value) != shape[0]:
        raise Refused(say("ask.full", name=name))
    for part in value:
        _flatten(part, shape[1:], name, numbers)


def _kind(value: Any) -> str:
    """The value as a short text: an error must not repeat a megabyte."""
    if isinstance(value, (dict, list)):
        return say("ask.an_object") if isinstance(value, dict) else say("ask.a_list", count=len(value))
    text = repr(value)
    return {"None": "null", "True": "true", "False": "false"}.get(text, text if len(text) <= 40 else f"{text[:40]}...")


def filled(given: np.ndarray | None, shape: tuple[int, ...], seed: int, low: int = -3, high: int = 3) -> np.ndarray:
    """A grid of this shape: what was given as far as it reaches, small integers drawn
    from `seed` for the rest.

    The number at a place depends on the place and the seed alone, so that a grid that
    grows keeps its numbers.
    """
    places = np.indices(shape).reshape(len(shape), -1).astype(np.uint64)
    mixed = np.full(places.shape[1], seed + 1, np.uint64)
    for axis in places:
        mixed = (mixed + axis + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    result = low + (mixed % np.uint64(high - low + 1)).astype(np.float64).reshape(shape)
    if given is not None and given.ndim == len(shape):
        both = tuple(slice(min(a, b)) for a, b in zip(given.shape, shape, strict=True))
        result[both] = given[both]
    return result
