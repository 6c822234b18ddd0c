"""Which ink is the digit: the large connected pieces, without lines, specks and whatever
runs along the border.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from .lines import find_lines
from .sheet import EIGHT

SPECK = 0.1  # of the largest piece: what is smaller is dust, a crumb or grain
TALL = 0.5  # of the tallest digit: a piece beside it that is as tall is a digit too
ALONG = 0.5  # of a side: a piece that runs along the border so far is desk or shade
RIM = 16  # a piece within a sixteenth of the picture from a side is what is left of a line there
EDGE = 28  # of the picture: as soft may the edge of a stroke be, for a small image may have been enlarged
FULL = 0.75  # of its box


class Found(NamedTuple):
    """One digit's ink, and why it may be none."""

    mask: np.ndarray  # (H, W) bool, the soft edges included
    doubts: list[str]


def find_digits(mask: np.ndarray, split: bool = False) -> list[Found]:
    """The digits in the ink of a picture, (H, W) bool: one, or with `split` as many as
    stand in a row, left to right.
    """
    lines = find_lines(mask)
    labels, sizes = pieces(mask & ~lines)
    if not sizes.any():  # a lone stroke is as straight as a line
        lines = np.zeros_like(mask)
        labels, sizes = pieces(mask)
    along = runs_along_border(labels, len(sizes))
    if sizes[~along].max() >= SPECK * sizes.max() / 10:
        sizes[along] = 0
    large = (sizes >= SPECK * sizes.max()).nonzero()[0]
    rows = in_a_row(labels, large)
    groups = rows if split else [large]
    reach = 1 + max(mask.shape) // EDGE
    found = []
    for group in groups:
        digit = (ndimage.distance_transform_cdt(~np.isin(labels, group)) <= reach) & ~lines
        found.append(Found(digit, list(doubts(np.isin(labels, group), 1 if split else len(rows)))))
    return found


def pieces(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A number for each connected piece, (H, W) int, and the pixels of each number; 0 is
    the paper, of which none count.
    """
    labels, count = ndimage.label(mask, EIGHT)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    return labels, sizes


def runs_along_border(labels: np.ndarray, count: int) -> np.ndarray:
    """Which pieces cover half of one of the picture's sides, or lie close to it as a
    whole, (count,) bool.
    """
    found = np.zeros(count, bool)
    for grid in (labels, labels[::-1], labels.T, labels.T[::-1]):
        found |= np.bincount(grid[0], minlength=count) > ALONG * grid.shape[1]
        found |= np.bincount(grid[len(grid) // RIM :].ravel(), minlength=count) == 0
    found[0] = False
    return found


def in_a_row(labels: np.ndarray, large: np.ndarray) -> list[list[int]]:
    """The numbers of the pieces of each digit, from left to right.

    Pieces one above the other are of one digit, and so is a small piece beside a tall
    one, such as the bar of a five.
    """
    boxes = ndimage.find_objects(labels)
    order = sorted(large.tolist(), key=lambda k: boxes[k - 1][1].start)
    tallest = max(boxes[k - 1][0].stop - boxes[k - 1][0].start for k in order)
    groups: list[list[int]] = []
    end = -1.0
    for k in order:
        rows, columns = boxes[k - 1]
        beside = columns.start >= end - 0.25 * (columns.stop - columns.start)
        if not groups or (beside and rows.stop - rows.start >= TALL * tallest):
            groups.append([])
        groups[-1].append(k)
        end = max(end, columns.stop)
    return groups


def doubts(digit: np.ndarray, digits: int):
    """Why the ink may not be one whole digit, in words."""
    if digits > 1:
        yield f"{digits} digits side by side? --split reads each"
    if digit[0].any() or digit[-1].any() or digit[:, 0].any() or digit[:, -1].any():
        yield "the ink touches the border"
    (box,) = ndimage.find_objects(digit.astype(int))
    height, width = digit[box].shape
    if digit[box].mean() > FULL and 3 * min(height, width) > max(height, width):
        yield "the ink fills its box"
