"""Run a model and watch its layers: what each was given, and what it gave.

Nothing of a model says in which order its layers work. So it is run once, and every
call is noted.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

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


def chain(model: Module, x: np.ndarray) -> tuple[list[Call], tuple[Any, ...]]:
    """The calls of all innermost layers in order, and what comes out, if the layers
    form a chain from x to there.

    In a chain each layer is given the very array that the one before gave. Raises
    ValueError for a model that is not a chain, and for one without layers.
    """
    who = type(model).__name__
    calls: list[Call] = []
    giver = "the input"
    given = x
    as_given = x.copy()  # a layer that writes into its input passes on the same array, but not the same numbers

    def demand_link(array: Any, taker: str) -> None:
        if array is not given or not np.array_equal(given, as_given, equal_nan=True):
            raise ValueError(
                f"{who} is not a chain of layers: between {giver} and {taker} its forward does something that is not a "
                "layer, or leaves the chain. Make it a layer of nn, or take the parts one by one."
            )

    def entering(call: Call) -> None:
        if not any(call.module.children()):
            demand_link(call.inputs[0], call.name or repr(call.module))

    def leaving(call: Call) -> None:
        nonlocal giver, given, as_given
        if not any(call.module.children()):
            calls.append(call)
            giver = str(call)
            given = call.outputs[0]
            as_given = given.copy()

    outputs = watch(model, x, entering=entering, leaving=leaving)
    demand_link(outputs[0], "the output")
    if not calls:
        raise ValueError(f"{who} has no layers.")
    return calls, outputs
