"""Learning rate schedules: what the learning rate of each group is after so many steps
of the schedule.

A schedule is stepped after the optimizer, once an epoch (`OneCycleLR`: once a batch).
Most of them compute the next rate from the present one, as torch does: in floating
point lr * gamma * gamma is another number than lr * gamma**2, and a rate that was
changed in between goes on from there.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from .optimizer import Optimizer


class LRScheduler:
    """The base: a subclass defines `next_lr(group, base_lr)`.

    `last_epoch` counts the steps. With -1 the schedule begins; another number goes on
    after as many steps, for which the groups must hold "initial_lr", as they do once a
    schedule was made for them.

    Raises TypeError if `optimizer` is not an Optimizer, KeyError if "initial_lr" is missing.

    https://docs.pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1):
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__}: expected an optimizer of minicnn.optim, got {optimizer!r}.")
        self.optimizer = optimizer
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"{type(self).__name__}: last_epoch={last_epoch} goes on with a schedule, but group "
                    f"{number} has no "
                    "'initial_lr'; load the optimizer's state first, or leave last_epoch out."
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._begun = False
        self.step()
        self._begun = True

    def next_lr(self, group: dict[str, Any], base_lr: float) -> float:
        """The rate of a group at step `last_epoch`, from its present options and its
        first rate.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no next_lr.")

    def step(self) -> None:
        """Go on by one step: write the new rates into the optimizer's groups."""
        self.last_epoch += 1
        groups = self.optimizer.param_groups
        rates = [self.next_lr(group, base) for group, base in zip(groups, self.base_lrs, strict=True)]
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate

    def get_last_lr(self) -> list[float]:
        """The present rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """All but the optimizer, copied: numbers, and lists of numbers."""
        return {name: _copy(value) for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken. The rates themselves are in the
        optimizer's state.
        """
        unknown = set(state_dict) ^ (set(vars(self)) - {"optimizer"})
        if unknown:
            raise ValueError(
                f"{type(self).__name__}: this is another schedule's state; it differs in {', '.join(sorted(unknown))}."
            )
        vars(self).update({name: _copy(value) for name, value in state_dict.items()})


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, (list, dict)) else value


class StepLR(LRScheduler):
    """The rate times `gamma` (0.1) after every `step_size` steps.

    >>> from minicnn import nn, optim
    >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
    >>> schedule = StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for epoch in range(4):
    ...     optimizer.step()
    ...     schedule.step()
    ...     print(schedule.get_last_lr())
    [1.0]
    [0.5]
    [0.5]
    [0.25]

    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1):
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def next_lr(self, group, base_lr):
        if self.last_epoch == 0 or self.last_epoch % self.step_size:
            return group["lr"]
        return group["lr"] * self.gamma


class MultiStepLR(LRScheduler):
    """The rate times `gamma` (0.1) at each of the steps `milestones`; twice where one
    is named twice.

    >>> from minicnn import nn, optim
    >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
    >>> schedule = MultiStepLR(optimizer, [1, 3], gamma=0.5)
    >>> for epoch in range(3):
    ...     schedule.step()
    >>> schedule.get_last_lr()
    [0.25]

    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiStepLR.html
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1):
        self.milestones = dict(Counter(milestones))  # how often each is named
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def next_lr(self, group, base_lr):
        times = self.milestones.get(self.last_epoch, 0)
        return group["lr"] * self.gamma**times if times else group["lr"]


class ExponentialLR(LRScheduler):
    """The rate times `gamma` after every step.

    >>> from minicnn import nn, optim
    >>> schedule = ExponentialLR(optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0), gamma=0.5)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]

    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ExponentialLR.html
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def next_lr(self, group, base_lr):
        return group["lr"] * self.gamma if self._begun else group["lr"]


class CosineAnnealingLR(LRScheduler):
    """From the first rate to `eta_min` (0) along half a cosine of `T_max` steps, and
    back (Loshchilov and Hutter, 2017).

        lr_t = eta_min + (lr_0 - eta_min) (1 + cos(pi t / T_max)) / 2

    computed from the step before: (lr_t - eta_min) / (lr_(t-1) - eta_min) is the
    quotient of the two cosines.

    >>> from minicnn import nn, optim
    >>> schedule = CosineAnnealingLR(optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0), T_max=2)
    >>> schedule.step()
    >>> round(schedule.get_last_lr()[0], 12)
    0.5

    https://arxiv.org/abs/1608.03983
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1):
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def next_lr(self, group, base_lr):
        t = self.last_epoch
        if not self._begun:
            if t == 0:
                return group["lr"]
            return self.eta_min + (base_lr - self.eta_min) * (1 + math.cos(t * math.pi / self.T_max)) / 2
        if (t - 1 - self.T_max) % (2 * self.T_max) == 0:  # the step before was at the bottom: its cosine is -1
            return group["lr"] + (base_lr - self.eta_min) * (1 - math.cos(math.pi / self.T_max)) / 2
        now = 1 + math.cos(math.pi * t / self.T_max)
        before = 1 + math.cos(math.pi * (t - 1) / self.T_max)
        return now / before * (group["lr"] - self.eta_min) + self.eta_min


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
            for group, most in zip(groups, _each("max_lr", max_lr, groups), strict=True):
                group["initial_lr"] = most / div_factor
                group["max_lr"] = most
                group["min_lr"] = group["initial_lr"] / final_div_factor
            if cycle_momentum:
                highs = _each("max_momentum", max_momentum, groups)
                lows = _each("base_momentum", base_momentum, groups)
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
        share = (self.last_epoch - begun) / (ends - begun)
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


def _each(name: str, value: float | Sequence[float], groups: Sequence[Any]) -> list[float]:
    """A value for each group, from one for all or a list of them."""
    if not isinstance(value, (list, tuple)):
        return [value] * len(groups)  # type: ignore[list-item]
    if len(value) != len(groups):
        raise ValueError(f"{name} must be a number, or one for each of the {len(groups)} groups; got {len(value)}.")
    return list(value)


class ReduceLROnPlateau:
    """The rate times `factor` (0.1) when a figure has not become better for more than
    `patience` (10) steps.

    `mode` says what is better: "min" for a loss, "max" for an accuracy. An improvement
    must exceed `threshold` (1e-4), as a share ("rel") or absolutely ("abs",
    `threshold_mode`). After a reduction `cooldown` steps are not counted. The rate
    never falls below `min_lr`, nor changes by less than `eps`.

    Raises TypeError and ValueError for arguments that make no sense.

    >>> from minicnn import nn, optim
    >>> optimizer = optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
    >>> schedule = ReduceLROnPlateau(optimizer, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.1]

    https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
    ):
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"ReduceLROnPlateau: expected an optimizer of minicnn.optim, got {optimizer!r}.")
        if factor >= 1.0:
            raise ValueError(f"ReduceLROnPlateau: factor must be below 1, or the rate would not fall; got {factor}.")
        if mode not in ("min", "max"):
            raise ValueError(f"ReduceLROnPlateau: mode must be 'min' or 'max', got {mode!r}.")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"ReduceLROnPlateau: threshold_mode must be 'rel' or 'abs', got {threshold_mode!r}.")
        self.optimizer = optimizer
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.cooldown = cooldown
        self.min_lrs = _each("ReduceLROnPlateau: min_lr", min_lr, optimizer.param_groups)
        self.eps = eps
        self.last_epoch = 0
        self.best = math.inf if mode == "min" else -math.inf
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    def step(self, metrics: float) -> None:
        """Look at the figure of this epoch."""
        figure = float(metrics)
        self.last_epoch += 1
        if self._is_better(figure):
            self.best = figure
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0

    def _is_better(self, figure: float) -> bool:
        """NaN is never better."""
        sign = -1 if self.mode == "min" else 1
        if self.threshold_mode == "rel":
            bound = self.best * (1.0 + sign * self.threshold)
        else:
            bound = self.best + sign * self.threshold
        return figure < bound if self.mode == "min" else figure > bound

    def _reduce(self) -> None:
        for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            rate = max(group["lr"] * self.factor, least)
            if group["lr"] - rate > self.eps:
                group["lr"] = rate

    get_last_lr = LRScheduler.get_last_lr
    state_dict = LRScheduler.state_dict
    load_state_dict = LRScheduler.load_state_dict
