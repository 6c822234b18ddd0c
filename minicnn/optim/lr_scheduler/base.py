"""What all schedules share: they count steps, and write the new rates into the optimizer."""

from collections.abc import Sequence
from typing import Any

from ..optimizer import Optimizer


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


def for_each_group(name: str, value: float | Sequence[float], groups: Sequence[Any]) -> list[float]:
    """A value for each group, from one for all or a list of them."""
    if not isinstance(value, (list, tuple)):
        return [value] * len(groups)  # type: ignore[list-item]
    if len(value) != len(groups):
        raise ValueError(f"{name} must be a number, or one for each of the {len(groups)} groups; got {len(value)}.")
    return list(value)
