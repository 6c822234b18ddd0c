"""Two correct results in float32 are not the same bits. How far apart may they lie?

Each of the n additions in a sum rounds its partial sum, which is about as large as the
largest result M, by at most u M, u = eps / 2. Taken as independent, n such errors make
about sqrt(n) u M (Higham and Mary, 2019), and the errors of two computations in
different orders together less than sqrt(n) eps M. Eight times that never happens by
chance. Through a network the layers' bounds add up. So

    |found - expected|  <=  8 roundings eps max |expected|

with roundings = sqrt(n), summed over the layers.

Adam's first step is w - lr f(g) with f(g) = g / (|g| + 1e-8), almost the sign: a
gradient near 0 may move the weight either way. f grows with g, so a gradient known up
to d gives an f between f(g - d) and f(g + d). To that come the roundings of w and of
some ten operations on lr f, in both computations. An epoch is chaotic: it is judged by
its figures, its steps by the step.
"""

import numpy as np

from .work import Network, Work

EPS = float(np.finfo(np.float32).eps)
EPOCH = {"train loss": 0.01, "train accuracy": 0.01, "val loss": 0.03, "val accuracy": 0.015}

Results = dict[str, np.ndarray]


class Disagreement(Exception):
    """A contender's results are not those of torch: there is nothing to time."""


def demand(work: Work, who: str, found: Results, against: str, expected: Results) -> float:
    """The largest deviation in units of its tolerance, at most 1; otherwise Disagreement."""
    if found.keys() != expected.keys():
        raise Disagreement(f"{work.name}: {who} gives {', '.join(found)}; {against} gives {', '.join(expected)}.")
    worst = 0.0
    for what, right in expected.items():
        if found[what].shape != right.shape:
            raise Disagreement(f"{work.name}: {what} of {who} has shape {found[what].shape}, expected {right.shape}.")
        allowed = tolerance(work, what, expected)
        error = np.abs(found[what].astype(np.float64) - right)
        share = np.max(error / allowed, initial=0.0)
        if not share <= 1:  # a NaN does not agree with anything
            raise Disagreement(
                f"{work.name} is not timed: {what} of {who} deviates from {against} by up to {error.max():.3g},"
                f" {share:.3g} times what rounding explains ({work.title})."
            )
        worst = max(worst, float(share))
    return worst


def tolerance(work: Work, what: str, expected: Results) -> np.ndarray:
    """For each element of the result `what`."""
    right = expected[what].astype(np.float64)
    if work.kind == "epoch":
        return np.full(right.shape, EPOCH[what])
    if isinstance(work, Network) and what.startswith("updated "):
        g = expected["gradient of " + what.removeprefix("updated ")].astype(np.float64)
        d = tolerance(work, "gradient of " + what.removeprefix("updated "), expected)
        low, high = ((g + side) / (np.abs(g + side) + 1e-8) for side in (-d, d))
        return work.lr * (high - low) + EPS * (np.abs(right) + 10 * work.lr)
    return np.full(right.shape, 8 * work.roundings * EPS * np.abs(right).max(initial=0.0) + np.finfo(np.float32).tiny)
