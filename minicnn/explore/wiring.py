"""Which pixel lies under which kernel element, for which output pixel: read off from
the library itself.

A plane of numbered pixels goes through the library's own padding and unfolding; what
arrives in the patch matrix names the pixel that every tap of every window reads. So the
page's arrows cannot disagree with what the layer computes.
"""

from typing import Any, NamedTuple

import numpy as np

from .. import geometry
from ..nn import functional as F

Frame = tuple[int, int, int, int]  # left, right, top, bottom


class Wiring(NamedTuple):
    """The window's taps on one plane, each array (KH, KW, OH, OW)."""

    source: np.ndarray  # the pixel h W + w of the plane, or -1 where the frame is not a copy of any
    place: np.ndarray  # the pixel of the framed plane
    framed: tuple[int, int]  # its size
    frame: Frame

    def reads(self, kh: int, kw: int, i: int, j: int, width: int) -> tuple[list[int] | None, list[int]]:
        """What tap (kh, kw) of window (i, j) reads: [row, column] in the plane (None in
        the frame) and in the framed one.
        """
        source, place = int(self.source[kh, kw, i, j]), int(self.place[kh, kw, i, j])
        return (None if source < 0 else list(divmod(source, width))), list(divmod(place, self.framed[1]))

    def seen(self, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Which pixels some window reads: of the plane (H, W), and of the framed plane."""
        plane, framed = np.zeros(height * width, bool), np.zeros(self.framed, bool)
        plane[self.source[self.source >= 0]] = True
        framed.reshape(-1)[self.place.reshape(-1)] = True
        return plane.reshape(height, width), framed


def wire(g: geometry.Geometry, frame: Frame, mode: str = "constant") -> Wiring:
    """The wiring of one channel's plane (g.H, g.W) with this frame around it."""
    numbered = np.arange(1.0, g.H * g.W + 1).reshape(1, g.H, g.W)
    framed = F.pad(numbered, frame, mode)
    places = np.arange(float(framed.size)).reshape(framed.shape)
    rows, columns = (g.OH - 1) * g.SH + (g.KH - 1) * g.DH + 1, (g.OW - 1) * g.SW + (g.KW - 1) * g.DW + 1

    def taps(plane: np.ndarray) -> np.ndarray:
        cols = F.unfold(plane[:, :rows, :columns], (g.KH, g.KW), (g.DH, g.DW), 0, (g.SH, g.SW))
        return cols.reshape(g.KH, g.KW, g.OH, g.OW).astype(np.int64)

    return Wiring(taps(framed) - 1, taps(places), framed.shape[1:], frame)


def blocks(G: int, C: int, O: int, o: int) -> range:
    """The channels on one side (C in all) that channel `o` of the other side (O in all)
    is linked with.
    """
    group = o // (O // G)
    return range(group * (C // G), (group + 1) * (C // G))


def central(function: Any, array: np.ndarray, place: tuple[int, ...]) -> float:
    """The numeric derivative: (function(array + h) - function(array - h)) / 2 h, with h
    added at one place.
    """
    h = 2.0**-10  # a power of two: exact for the numbers that a person types
    up, down = array.copy(), array.copy()
    up[place] += h
    down[place] -= h
    with np.errstate(invalid="ignore", over="ignore"):
        return float((function(up) - function(down)) / (up[place] - down[place]))
