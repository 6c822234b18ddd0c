"""Lines that are printed: of ruled and squared paper, margins, tables, forms."""

import numpy as np

STEEPEST = 0.05  # rise over run, about three degrees
THICKEST = 30  # a line is thinner than a thirtieth of the picture
SEEN = 0.4  # of a line's length: the rest may lie under the digit
AT_ENDS = 0.6  # of its first and of its last eighth


def find_lines(mask: np.ndarray) -> np.ndarray:
    """The pixels of straight lines from side to side and from top to bottom, (H, W) bool,
    in those of ink.
    """
    return level_lines(mask) | level_lines(mask.T).T


def level_lines(mask: np.ndarray) -> np.ndarray:
    """The pixels of lines from the left to the right side; where the digit crosses one,
    the ink is thicker and stays.

    Hough's idea (1962): for each slope, thin pixels vote for the row at which their line
    would begin.
    """
    H, W = mask.shape
    thickest = max(3, max(H, W) // THICKEST)
    y, x = (mask & (runs(mask) <= thickest)).nonzero()
    found = np.zeros_like(mask)
    highest = int(STEEPEST * W) + 1
    end = max(2, W // 8)
    for rise in range(-highest, highest + 1, 2):  # in rows, from the left to the right side
        begins = np.rint(y - rise * x / W).astype(int) + highest
        votes = np.bincount(begins, minlength=1)
        for row in (votes >= SEEN * W).nonzero()[0]:
            seen = np.zeros(W, bool)
            seen[x[np.abs(begins - row) <= 1]] = True
            if seen[:end].mean() > AT_ENDS and seen[-end:].mean() > AT_ENDS:
                near = np.abs(begins - row) <= thickest
                found[y[near], x[near]] = True
    return found


def runs(mask: np.ndarray) -> np.ndarray:
    """How many pixels of ink stand on each other where a pixel is, (H, W) int, 0 where
    there is none.
    """
    steps = np.diff(np.pad(mask.T, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    columns, starts = (steps == 1).nonzero()
    _, ends = (steps == -1).nonzero()
    changes = np.zeros(steps.shape, int)  # a run's length from where it starts, nothing again from where it ends
    changes[columns, starts] += ends - starts
    changes[columns, ends] -= ends - starts
    return changes.cumsum(axis=1)[:, :-1].T
