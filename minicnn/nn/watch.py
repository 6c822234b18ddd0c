"""Run a model and watch its layers: what each was given, and what it gave.

Nothing of a model says in which order its layers work. So it is run once, and every
call is noted.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .joins import Concat, Residual
from .module import Module


class Call(NamedTuple):
    """One module at work. A MaxPool2d with return_indices gives two arrays, every other
    layer one.
    """

    name: str  # as in state_dict(): "cnn.0"; the model itself is ""
    module: Module
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.name}: {self.module!r}" if self.name else repr(self.module)


def _say_nothing(call: Call) -> None:
    pass


def watch(
    model: Module,
    *inputs: Any,
    entering: Callable[[Call], None] = _say_nothing,
    leaving: Callable[[Call], None] = _say_nothing,
) -> tuple[Any, ...]:
    """The outputs of model(*inputs). Each module tells `entering` what it is given
    (outputs is still empty), `leaving` what it gave.

    A module that stands in two places goes by the first of its names.
    """
    names: dict[Module, str] = {}
    for name, module in model.named_modules():
        names.setdefault(module, name)
    for module, name in names.items():
        vars(module)["forward"] = _watched(module, name, entering, leaving)
    try:
        return _as_tuple(model(*inputs))
    finally:
        for module in names:
            del vars(module)["forward"]


def _watched(
    module: Module, name: str, entering: Callable[[Call], None], leaving: Callable[[Call], None]
) -> Callable[..., Any]:
    forward = module.forward

    def forward_and_tell(*inputs: Any, **options: Any) -> Any:
        call = Call(name, module, (*inputs, *options.values()), ())
        entering(call)
        output = forward(*inputs, **options)
        leaving(call._replace(outputs=_as_tuple(output)))
        return output

    return forward_and_tell


def _as_tuple(output: Any) -> tuple[Any, ...]:
    return output if isinstance(output, tuple) else (output,)


class Join(NamedTuple):
    """A Residual or Concat at work: the calls of each of its branches, all from one array."""

    call: Call
    branches: list[list[Any]]  # of Calls and Joins; empty where the array itself is taken


def chain(model: Module, x: np.ndarray) -> tuple[list[Call], tuple[Any, ...]]:
    """The calls of all innermost layers in order, and what comes out, if the layers
    form a chain from x to there.

    In a chain each layer is given the very array that the one before gave. Raises
    ValueError for a model that is not a chain, and for one without layers.
    """
    return _Following(model, x, joins=()).run()


def chain_with_joins(model: Module, x: np.ndarray) -> tuple[list[Call | Join], tuple[Any, ...]]:
    """The same, but a link of the chain may be a Residual or a Concat, whose branches are
    such chains.
    """
    return _Following(model, x, joins=(Residual.forward, Concat.forward)).run()


class _Open(NamedTuple):
    """A join under way."""

    call: Call
    as_given: np.ndarray
    before: list[Any]  # the steps that lead to it
    branches: list[list[Any]]


class _Following:
    """One forward of `model`, link by link; `joins` are the forwards that may have branches."""

    def __init__(self, model: Module, x: np.ndarray, joins: tuple[Any, ...]):
        self.model = model
        self.x = x
        self.joins = joins
        self.steps: list[Any] = []
        self.open: list[_Open] = []  # outermost first
        self.inside: list[Module] = []  # the modules under way, outermost first
        self.pass_on("the input", x, x.copy())

    def run(self) -> tuple[list[Any], tuple[Any, ...]]:
        outputs = watch(self.model, self.x, entering=self.entering, leaving=self.leaving)
        self.demand_link(outputs[0], "the output")
        if not self.steps:
            raise ValueError(f"{type(self.model).__name__} has no layers.")
        return self.steps, outputs

    def pass_on(self, giver: str, array: Any, copy: np.ndarray) -> None:
        self.giver = giver
        self.given = array
        self.as_given = copy  # who writes into its input gives the same array, but not the same numbers

    def demand_link(self, array: Any, taker: str) -> None:
        if array is not self.given or not np.array_equal(self.given, self.as_given, equal_nan=True):
            raise ValueError(
                f"{type(self.model).__name__} is not a chain of layers: between {self.giver} and {taker} its forward "
                "does something that is not a layer, or leaves the chain. Make it a layer of nn, or take the parts one "
                "by one."
            )

    def is_innermost(self, module: Module) -> bool:
        return self.is_join(module) or not any(module.children())

    def is_join(self, module: Module) -> bool:
        return type(module).forward in self.joins

    def at_branch(self) -> bool:
        """Whether what is called, or has returned, is a branch of the innermost join."""
        return bool(self.open) and self.inside[-1] is self.open[-1].call.module

    def entering(self, call: Call) -> None:
        if self.at_branch():
            join = self.open[-1]
            self.steps = []
            join.branches.append(self.steps)
            self.pass_on(f"the input of {_short(join.call)}", join.call.inputs[0], join.as_given)
        self.inside.append(call.module)
        if self.is_innermost(call.module):
            self.demand_link(call.inputs[0], call.name or repr(call.module))
        if self.is_join(call.module):
            self.open.append(_Open(call, self.as_given, self.steps, []))

    def leaving(self, call: Call) -> None:
        self.inside.pop()
        if self.is_join(call.module):
            join = self.open.pop()
            self.steps = join.before
            plain = isinstance(call.module, Residual) and call.module.shortcut is None
            self.steps.append(Join(call, [*join.branches, []] if plain else join.branches))
            self.pass_on(_short(call), call.outputs[0], call.outputs[0].copy())
        elif self.is_innermost(call.module):
            self.steps.append(call)
            self.pass_on(str(call), call.outputs[0], call.outputs[0].copy())
        if self.at_branch():
            self.demand_link(call.outputs[0], f"the end of a branch of {_short(self.open[-1].call)}")


def _short(call: Call) -> str:
    return call.name or type(call.module).__name__
