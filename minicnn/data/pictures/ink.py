"""What is ink: everything that differs from the paper around it."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

CONTRAST = 10  # of 255 levels: ink that differs less from its paper is not seen
STROKES = (12, 8, 5.5, 4, 3)  # parts of the picture's longer side: a stroke is at most a third of it wide
PLATEAU = 1.05  # wider squares that find less than a twentieth more find no ink, but shade
MARGIN = 4  # a quarter of the longer side is added all round, for a tight crop shows more ink than paper


class Ink(NamedTuple):
    """The ink of a picture."""

    strength: np.ndarray  # (H, W) uint8: how much each pixel differs from the paper around it
    mask: np.ndarray  # (H, W) bool: the pixels that differ enough
    dark: bool  # darker than the paper, or lighter


def find_ink(colours: np.ndarray) -> Ink:
    """The ink of a picture, (H, W, C) uint8.

    It is looked for in the mixture of colours that shows it best, so that red on green is
    ink as well. Raises ValueError where the picture has one colour, or no ink that stands
    out.
    """
    if not np.ptp(colours, axis=(0, 1)).any():
        raise ValueError(f"expected a digit, found one colour all over, {tuple(colours[0, 0].tolist())}.")
    side = max(colours.shape[:2])
    room = side // MARGIN + 1
    wide = np.pad(colours.astype(np.float32), ((room, room), (room, room), (0, 0)), "edge")
    weights = ink_weights(wide, side)
    light = wide @ weights  # (H, W): ink is bright in it
    sigma = side / 300  # small pictures, whose strokes are a few pixels wide, hardly change
    smooth = ndimage.gaussian_filter(light, sigma, mode="nearest")
    paper = find_paper(smooth, side)
    inside = slice(room, -room), slice(room, -room)
    found = without_grain(smooth - paper)[inside]
    threshold, contrast = otsu(found)
    if contrast < CONTRAST:
        raise ValueError(
            f"expected a digit, found no ink: what differs from the paper does so by {contrast:.0f} of 255 levels,"
            f" and less than {CONTRAST} is noise."
        )
    strength = without_grain(light - paper)[inside]
    return Ink(np.rint(strength).clip(0, 255).astype(np.uint8), found > threshold, bool(weights.sum() < 0))


def ink_weights(colours: np.ndarray, side: int) -> np.ndarray:
    """The colour of ink less that of paper, as weights of red, green and blue, (C,):
    absolutely they sum to 1.

    Ink is the lesser part wherever it is, so the differences to the mean of the
    surroundings are few and large on its side, many and small on the paper's: the sum of
    their cubes has the ink's sign. A shadow's edge adds as much to both.
    """
    every = max(1, side // 150)  # pixels: this needs no detail
    few = colours[::every, ::every]
    reach = side / every / 6
    differences = few - ndimage.gaussian_filter(few, (reach, reach, 0), mode="nearest")
    roots = np.cbrt((differences**3).mean(axis=(0, 1)))
    return (roots / max(np.abs(roots).sum(), np.finfo(np.float32).tiny)).astype(np.float32)


def find_paper(light: np.ndarray, side: int) -> np.ndarray:
    """What is behind bright ink, (H, W): the morphological opening, which leaves nothing
    that is bright and narrower than a square.

    The square is the smallest that takes all of the strokes: the next two sizes find
    nothing more. So shadows, desks and margins, which are wider, belong to the paper,
    edge and all.
    """
    papers, taken = [], []
    for part in STROKES:
        size = int(side / part) + 2
        papers.append(ndimage.grey_opening(light, (size, size), mode="nearest"))
        taken.append(float(without_grain(light - papers[-1]).sum()))
        if len(taken) > 2 and taken[-3] and taken[-1] < PLATEAU * taken[-3]:
            return papers[-3]
    return papers[-1]


def without_grain(differences: np.ndarray) -> np.ndarray:
    """Differences from the paper, (H, W), less what its own grain shows: most pixels are
    paper.
    """
    return np.maximum(differences - 2 * np.median(differences), 0)


def otsu(grey: np.ndarray) -> tuple[int, float]:
    """The level that divides grey levels best in two, and how far apart the means of the
    two are.

    Otsu (1979), "A threshold selection method from gray-level histograms": most variance
    between the parts.
    """
    levels = np.rint(grey).clip(0, 255).astype(np.uint8)
    counts = np.bincount(levels.ravel(), minlength=256).astype(np.float64)
    below = np.cumsum(counts)
    mass = np.cumsum(counts * np.arange(256))
    above = below[-1] - below
    apart = (mass[-1] - mass) / np.maximum(above, 1) - mass / np.maximum(below, 1)
    threshold = int((below * above * apart**2).argmax())
    return threshold, float(apart[threshold])
