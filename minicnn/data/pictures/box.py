"""MNIST's recipe: light on dark, fitted into 20x20, centred in 28x28.

Its authors' words (http://yann.lecun.com/exdb/mnist): the digit keeps its proportions and
just fits into a box of 20x20; the box is put into 28x28 so that the centre of mass of the
ink is in the middle.
"""

import numpy as np
from PIL import Image

from .ink import otsu
from .sheet import border

SIDE, BOX = 28, 20
MIDDLE = 14  # the pixel index at which all 70,000 images of MNIST have their centre of mass, give or take half a pixel
RINGING = 48  # of 255 levels: as much does JPEG add where an image of MNIST is black


def normalise(ink: np.ndarray) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """The digit as MNIST's authors would have stored it, (28, 28) uint8, and the box in
    which it was found.
    """
    top, left, bottom, right = box = find_box(ink)
    scale = BOX / max(bottom - top, right - left)
    height, width = (max(1, round(scale * n)) for n in (bottom - top, right - left))
    filter_ = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    small = np.asarray(Image.fromarray(ink[top:bottom, left:right]).resize((width, height), filter_), np.float32)
    if not small.any():
        raise ValueError(f"expected a digit, found specks that vanish when they are fitted into {BOX}x{BOX} pixels.")
    small = np.rint(small * (255 / small.max())).astype(np.uint8)  # thin strokes have become faint

    pixels = np.zeros((SIDE, SIDE), np.uint8)
    offsets = (MIDDLE - centre for centre in centre_of_mass(small))
    y, x = (min(max(round(offset), 0), SIDE - n) for offset, n in zip(offsets, small.shape, strict=True))
    pixels[y : y + height, x : x + width] = small
    return pixels, box


def find_box(ink: np.ndarray) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) around the ink; at each side a five-hundredth may be
    left out, for it may be dust.
    """
    dense = ink > otsu(ink)[0]
    sides = []
    for along in (1, 0):
        reached = np.cumsum(dense.sum(axis=along))
        dust = reached[-1] // 500
        first, last = np.searchsorted(reached, [dust + 1, reached[-1] - dust])
        soft = np.pad(ink.any(axis=along), 1)  # one soft row or column further belongs to the stroke's edge
        first, last = first - soft[first], last + soft[last + 2]
        sides.append((int(first), int(last) + 1))
    (top, bottom), (left, right) = sides
    return top, left, bottom, right


def is_mnist(grey: np.ndarray) -> bool:
    """Is this an image such as MNIST's 70,000, of which each one is? Light on black, in a
    box of 20x20, and centred.

    What JPEG adds does not count: nearly all lose their black margin in it, at the best
    quality too.
    """
    if grey.shape != (SIDE, SIDE):
        return False
    light = np.where(grey > RINGING, grey, 0)
    if not light.any() or np.median(border(light[:, :, None])) > 0:
        return False
    box = max(np.ptp(indices) + 1 for indices in light.nonzero())
    return bool(box <= BOX) and all(abs(centre - MIDDLE) < 0.6 for centre in centre_of_mass(light))


def centre_of_mass(grey: np.ndarray) -> tuple[float, float]:
    """Row and column, as real numbers."""
    mass = grey.astype(np.float64)
    rows, columns = np.indices(grey.shape)
    return float((mass * rows).sum() / mass.sum()), float((mass * columns).sum() / mass.sum())
