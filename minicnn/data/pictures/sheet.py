"""Where the sheet is: desks, margins, frames and figures around it are cut away."""

import numpy as np
from scipy import ndimage

from .ink import otsu

LEAST = 0.1  # of the picture: a smaller rectangle is no sheet
RECTANGLE = 0.82  # of its box: as much fills a sheet that is turned by a few degrees; an oval fills 0.785
SOLID = 0.6  # of its box: paper with a digit on it
FRAME = 0.6  # of its box: what a frame leaves empty
HOLE = 0.003  # of its box: a digit is larger
RIM = 3  # pixels beyond a frame, which show what is behind it
EIGHT = np.ones((3, 3), bool)  # a pixel's neighbours, the diagonal ones too


def find_sheet(colours: np.ndarray) -> tuple[np.ndarray, int, int]:
    """The part of a picture, (H, W, C) uint8, on which the digit is, and the row and the
    column where it begins.
    """
    top = left = 0
    while (inside := look_inside(colours)) is not None:
        colours, down, right = inside
        top += down
        left += right
    return colours, top, left


def look_inside(colours: np.ndarray) -> tuple[np.ndarray, int, int] | None:
    """What the largest rectangle in a picture holds, or nothing where there is none.

    A rectangle is a piece that differs from the picture's border, does not touch it, and
    fills its box. Paper with a digit on it is solid, with holes where the ink is; a frame
    is all hole.
    """
    H, W, _ = colours.shape
    differs = np.abs(colours - np.median(border(colours), axis=0)).max(axis=2)
    labels, count = ndimage.label(differs > otsu(differs)[0], EIGHT)
    boxes = ndimage.find_objects(labels)
    inner = [k for k in range(count) if touches_nothing(boxes[k], H, W)]
    if not inner:
        return None
    largest = max(inner, key=lambda k: labels[boxes[k]].size)
    rows, columns = boxes[largest]
    piece = labels[rows, columns] == largest + 1
    filled = ndimage.binary_fill_holes(piece)
    holes = filled & ~piece
    if piece.size < LEAST * H * W or filled.mean() < RECTANGLE or holes.mean() < HOLE:
        return None
    if holes.mean() >= FRAME:
        if (labels[rows, columns][holes] > 0).mean() < HOLE:  # an empty frame may be a zero
            return None
        top, left = max(0, rows.start - RIM), max(0, columns.start - RIM)
        cut = colours[top : rows.stop + RIM, left : columns.stop + RIM]
        return None if cut.shape == colours.shape else (cut, top, left)
    if piece.mean() < SOLID:
        return None
    inside = ndimage.binary_erosion(filled, EIGHT, RIM + max(H, W) // 200)  # without the sheet's blurred edge
    if not inside.any():
        return None
    (within,) = ndimage.find_objects(inside.astype(int))
    edge = inside & ~ndimage.binary_erosion(inside, EIGHT, 2)
    sheet = colours[rows, columns].copy()
    sheet[~inside] = np.median(sheet[edge], axis=0)
    return sheet[within], rows.start + within[0].start, columns.start + within[1].start


def touches_nothing(box: tuple[slice, slice], H: int, W: int) -> bool:
    rows, columns = box
    return rows.start > 0 and columns.start > 0 and rows.stop < H and columns.stop < W


def border(image: np.ndarray) -> np.ndarray:
    """The outermost pixels of (H, W, C), as (K, C)."""
    return np.concatenate([image[0], image[-1], image[1:-1, 0], image[1:-1, -1]])
