"""One cycle of the rate, and of the momentum against it, for a whole training."""

import math
from collections.abc import Sequence
from typing import Any

from ..optimizer import Optimizer
from .base import LRScheduler, for_each_group


class OneCycleLR(LRScheduler):
    """One cycle for the whole training: up to `max_lr`, then far below the first rate
    (Smith and Topin, 2018).

    It is stepped after each batch, `total_steps` times, or `epochs` times
    `steps_per_epoch`. For the share `pct_start` of them the rate rises from max_lr /
    div_factor, then it falls to that divided by `final_div_factor`; with `three_phase`
    it first falls back to where it began. With `cycle_momentum` the momentum (Adam's
    beta1) goes the other way, between `max_momentum` and `base_momentum`.
    `anneal_strategy` is "cos" or "linear".

    Raises ValueError for arguments that make no sense, and for a step too many.

    >>> from minicnn import nn, optim
    >>> optimizer = optim.Adam(nn.Linear(2, 1).parameters())
    >>> schedule = OneCycleLR(optimizer, max_lr=0.1, total_steps=10, pct_start=0.5)
    >>> rates = []
    >>> for batch in range(9):
    ...     schedule.step()
    ...     rates.append(round(schedule.get_last_lr()[0], 3))
    >>> rates
    [0.018, 0.052, 0.086, 0.1, 0.09, 0.065, 0.035, 0.01, 0.0]

    https://arxiv.org/abs/1708.07120
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ):
        self.total_steps = _total_steps(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: pct_start must be a float from 0 to 1, got {pct_start!r}.")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"OneCycleLR: anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}.")
        self.anneal_strategy = anneal_strategy
        self.pct_start = pct_start
        self.three_phase = three_phase
        self.momentum = _momentum_name(optimizer) if cycle_momentum else None
        groups = optimizer.param_groups
        if last_epoch == -1:
            for group, most in zip(groups, for_each_group("max_lr", max_lr, groups), strict=True):
                group["initial_lr"] = most / div_factor
                group["max_lr"] = most
                group["min_lr"] = group["initial_lr"] / final_div_factor
            if cycle_momentum:
                highs = for_each_group("max_momentum", max_momentum, groups)
                lows = for_each_group("base_momentum", base_momentum, groups)
                for group, high, low in zip(groups, highs, lows, strict=True):
                    group["max_momentum"] = high
                    group["base_momentum"] = low
        super().__init__(optimizer, last_epoch)

    def phases(self) -> list[tuple[float, str, str]]:
        """(the last step, the rate at the start, the rate at the end) of each phase."""
        rise = float(self.pct_start * self.total_steps)
        if not self.three_phase:
            return [(rise - 1, "initial_lr", "max_lr"), (self.total_steps - 1, "max_lr", "min_lr")]
        return [
            (rise - 1, "initial_lr", "max_lr"),
            (float(2 * self.pct_start * self.total_steps) - 2, "max_lr", "initial_lr"),
            (self.total_steps - 1, "initial_lr", "min_lr"),
        ]

    def next_lr(self, group, base_lr):
        if self.last_epoch > self.total_steps:
            raise ValueError(
                f"OneCycleLR: this is step {self.last_epoch} of {self.total_steps}; step it once a batch, and make it "
                "for all the batches of the training (total_steps)."
            )
        phases = self.phases()
        reached = (number for number, (ends, _, _) in enumerate(phases) if self.last_epoch <= ends)
        number = next(reached, len(phases) - 1)
        begun = phases[number - 1][0] if number else 0.0
        ends, first, last = phases[number]
        # A phase of no length is at its end; there torch divides by zero
        # (pct_start = 1 / total_steps).
        share = (self.last_epoch - begun) / (ends - begun) if ends != begun else 1.0
        self._set_momentum(group, number, share)
        return self._between(group[first], group[last], share)

    def _set_momentum(self, group: dict[str, Any], phase: int, share: float) -> None:
        """The momentum falls while the rate rises, and rises while it falls."""
        if self.momentum is None:
            return
        names = ("max_momentum", "base_momentum", "max_momentum", "max_momentum")
        value = self._between(group[names[phase]], group[names[phase + 1]], share)
        group[self.momentum] = (value, *group["betas"][1:]) if self.momentum == "betas" else value

    def _between(self, first: float, last: float, share: float) -> float:
        if self.anneal_strategy == "linear":
            return (last - first) * share + first
        return last + (first - last) / 2.0 * (math.cos(math.pi * share) + 1)


def _total_steps(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    given = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    if total_steps is not None:
        given = {"total_steps": total_steps}
    if None in given.values():
        raise ValueError("OneCycleLR: say total_steps, or epochs and steps_per_epoch.")
    product = 1
    for name, value in given.items():
        if not isinstance(value, int) or value <= 0:
            raise ValueError(f"OneCycleLR: {name} must be a whole number of at least 1, got {value!r}.")
        product *= value
    return product


def _momentum_name(optimizer: Optimizer) -> str:
    for name in ("betas", "momentum"):
        if name in optimizer.defaults:
            return name
    raise ValueError("OneCycleLR: this optimizer has neither betas nor momentum; pass cycle_momentum=False.")
