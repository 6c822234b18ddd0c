"""Functions between layers: told to whoever follows a forward pass, with their gradient.

A class without a backward of its own has its forward followed (`nn.chain`). Layers are
seen there when they are called; of these functions nobody would know.
"""

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])
# What a gradient wants that forward returns only if it is asked.
ASKED_FOR = {"indices": "return_indices", "mask": "return_mask"}


class Follower(Protocol):
    """Who wants to know."""

    def entering(self, who: str, inputs: list[Any], module: Any) -> None:
        """`who` is about to be given these arrays."""

    def leaving(self, output: Any, backward: Callable[[Any, Any], Any], state: Any) -> None:
        """It gave `output`; backward(grad_output, state) is its gradient."""


follower: ContextVar[Follower | None] = ContextVar("minicnn_follower", default=None)


def linked(function: Function) -> Function:
    """The same function, which tells a follower of its calls; `<name>_backward` stands in
    its file.
    """

    @functools.wraps(function)
    def told(*args: Any, **options: Any) -> Any:
        following = follower.get()
        if following is None:
            return function(*args, **options)
        gradient = function.__globals__[f"{function.__name__}_backward"]
        arguments = inspect.signature(function).bind(*args, **options)
        arguments.apply_defaults()
        values = arguments.arguments
        wanted = list(inspect.signature(gradient).parameters)[1:]
        flags = [ASKED_FOR[name] for name in wanted if name in ASKED_FOR]
        if any(values[flag] for flag in flags) or (values.get("inplace") and "input" in wanted):
            return function(*args, **options)  # and the follower finds a link missing
        following.entering(f"F.{function.__name__}", [values["input"]], None)
        input_shape = tuple(getattr(values["input"], "shape", ()))
        outside = follower.set(None)  # it may be made of other functions
        try:
            found = function(**{**values, **dict.fromkeys(flags, True)})
        finally:
            follower.reset(outside)
        output, *rest = found if flags else (found,)
        known = {**values, "output": output, "input_shape": input_shape}
        known |= dict(zip([name for name in wanted if name in ASKED_FOR], rest, strict=True))
        kept = {name: known[name] for name in wanted}
        following.leaving(output, lambda grad, state: gradient(grad, **state), kept)
        return output

    return told  # type: ignore[return-value]
