"""Cost against batch, image size and channels: a training step, and five kinds of layers,
forward plus backward, ours beside torch's.

Each curve changes one of the three and keeps the others. Its slope is how fast the cost
grows: with 1 twice as much costs twice as much, with 2 four times. It is that of the line
of least squares through the logarithms. The arithmetic alone has slope 1 against the batch
and 2 against the image's side; against the channels a convolution has 2 (as many come in as
go out), the others 1. A slope below that means that something besides arithmetic costs.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from minicnn import table

from .report import ms, times
from .work import EAGER, OURS, TEXTBOOK, Layer, Step, Work

BATCH, SIDE, CHANNELS = "batch", "image side", "channels"
STEEPER = 0.1  # of two slopes: over an axis that grows 16 times, 1.32 times as long

Point = dict[str, Any]


class Kind(NamedTuple):
    """A kind of layer on images with C channels and S pixels a side."""

    name: str
    side: int  # that stays while the batch or the channels change
    make: Callable[[int, int], tuple[str, tuple, dict[str, Any], tuple[int, ...]]]
    # (C, S) -> its name in torch.nn, arguments, options, the input's shape without the batch


KINDS = (
    Kind("Conv2d", 28, lambda C, S: ("Conv2d", (C, C, 3), {"padding": 1}, (C, S, S))),
    Kind("depthwise", 28, lambda C, S: ("Conv2d", (C, C, 3), {"padding": 1, "groups": C}, (C, S, S))),
    Kind("ConvTranspose2d", 14, lambda C, S: ("ConvTranspose2d", (C, C, 4, 2, 1), {}, (C, S, S))),
    Kind("MaxPool2d", 28, lambda C, S: ("MaxPool2d", (2,), {}, (C, S, S))),
    Kind("Linear", 7, lambda C, S: ("Linear", (C * S * S, 128), {}, (C * S * S,))),
)


def layer(kind: Kind, N: int, C: int, S: int) -> Layer:
    name, args, options, image = kind.make(C, S)
    return Layer(f"{kind.name}, {N} x {C} x {S} x {S}", name, args, options, (N, *image), bars=())


def works(quick: bool = False) -> Iterator[tuple[str, str, int, Work]]:
    """(what, axis, place on it, work), curve by curve."""
    N = 2 if quick else 16
    C = 4 if quick else 32
    for kind in KINDS:
        side = 7 if quick else kind.side
        for batch in (1, 4) if quick else (1, 4, 16, 64):
            yield kind.name, BATCH, batch, layer(kind, batch, C, side)
        for factor in (1, 2) if quick else (0.25, 0.5, 1, 2, 4):
            S = max(2, round(side * factor))
            yield kind.name, SIDE, S, layer(kind, N, C, S)
        for channels in (4, 8) if quick else (8, 16, 32, 64, 128):
            yield kind.name, CHANNELS, channels, layer(kind, N, channels, side)
    for batch in (8, 16) if quick else (16, 64, 256, 1024):
        yield "training step", BATCH, batch, Step(batch, name=f"training step, batch {batch}")


def taking_part(contenders: Sequence[Any]) -> list[Any]:
    """torch eager and ours; without the Numba set the textbook."""
    names = [one.name for one in contenders]
    return [one for one in contenders if one.name in (EAGER, OURS if OURS in names else TEXTBOOK)]


def curves(points: Sequence[Point]) -> dict[tuple[str, str], list[Point]]:
    """By (what, axis)."""
    found: dict[tuple[str, str], list[Point]] = {}
    for point in points:
        found.setdefault((point["what"], point["axis"]), []).append(point)
    return found


def cost(point: Point, name: str) -> float:
    """Milliseconds."""
    return point["row"]["contenders"][name]["median_ms"]


def slope(points: Sequence[Point], name: str) -> float:
    x = [math.log(point["at"]) for point in points]
    y = [math.log(cost(point, name)) for point in points]
    return float(np.polyfit(x, y, 1)[0])


def rows_of(points: Sequence[Point]) -> list[tuple[str, ...]]:
    """The table of one curve: head, a row for each place, the slopes."""
    theirs, ours = points[0]["row"]["contenders"]
    rows = [(points[0]["axis"], f"{theirs}, ms", f"{ours}, ms", "ratio")]
    for point in points:
        costs = ms(cost(point, theirs)), ms(cost(point, ours))
        rows.append((str(point["at"]), *costs, times(point["row"]["contenders"][ours]["ratio"])))
    return [*rows, ("slope", *(f"{slope(points, name):.2f}" for name in (theirs, ours)), "")]


def printed(points: Sequence[Point]) -> Iterator[str]:
    """One curve."""
    yield f"\n{points[0]['what']} against {points[0]['axis']}"
    yield from table.lines(rows_of(points), ">>>>")


def summary(points: Sequence[Point]) -> list[tuple[str, ...]]:
    """A row for each curve: both slopes, and whether ours is the steeper one."""
    rows: list[tuple[str, ...]] = [("what", "against", "torch's slope", "ours", "")]
    for (what, axis), some in curves(points).items():
        theirs, ours = (slope(some, name) for name in some[0]["row"]["contenders"])
        said = "ours is steeper" if ours > theirs + STEEPER else ""
        rows.append((what, axis, f"{theirs:.2f}", f"{ours:.2f}", said))
    return rows


def verdict(points: Sequence[Point]) -> str:
    steeper = [f"{row[0]} against {row[1]}" for row in summary(points)[1:] if row[-1]]
    if not steeper:
        return f"Nowhere is our curve steeper than torch's by more than {STEEPER}."
    return f"Our curve is steeper than torch's by more than {STEEPER}: {'; '.join(steeper)}."
