"""From forward to backward: what forward keeps, and how a backward that does not belong
to it is noticed.

There is no tape. A layer's forward keeps what its backward will need, and backward uses
that up: it belongs to the latest forward, and may be called once for it. So one layer
object can stand twice only where somebody notes what each call kept, as Sequential and
`nn.chain` do. The arrays themselves are kept, not
copies: do not change them between the two.

Three things can go wrong without a trace, and each becomes an error: backward without a
forward; a parameter that an optimizer or load_state_dict changed after forward (not one
changed by hand); and a layer that was called on its own after the network's forward, so
that it keeps another input than its neighbours.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from . import hints
from .parameter import Parameter

if TYPE_CHECKING:
    from .module import Module


class Forward:
    """One forward pass, from the call of the outermost module to its return."""

    # The layer that was called again although this pass's backward was still to come.
    superseded_by: str | None = None

    def __init__(self, outermost: "Module"):
        self.outermost = outermost


class Kept(NamedTuple):
    """What one layer's forward kept."""

    values: tuple[Any, ...] | Callable[["Module"], tuple[Any, ...]]  # or who has them for this layer
    versions: list[int]  # of the layer's own parameters, at the time
    forward: Forward
    again: bool  # whether the layer had been called in this forward before


# Like a global, but each thread has its own.
_under_way: ContextVar[Forward | None] = ContextVar("minicnn_forward", default=None)
_nothing_kept: ContextVar[bool] = ContextVar("minicnn_no_grad", default=False)


class forward_pass:
    """Around the forward of each module. After an error nothing is kept, and the
    innermost layer signs its message.
    """

    def __init__(self, module: "Module"):
        self.module = module

    def __enter__(self) -> None:
        self.outermost = _under_way.set(Forward(self.module)) if _under_way.get() is None else None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if self.outermost is not None:
            _under_way.reset(self.outermost)
        if error is not None:
            _sign(error, self.module, self.outermost is not None)


def _sign(error: BaseException, module: "Module", outermost: bool) -> None:
    module.kept_for_backward = None
    if outermost:  # once for all below: not at each level again
        forget(module)
    told_to_users = isinstance(error, (IndexError, RuntimeError, TypeError, ValueError))
    if told_to_users and not any(module.children()):
        error.args = (f"{error} [in {module!r}]",)
    elif outermost and (hint := hints.for_torchs_word(error)) is not None:
        error.args = (f"{error}; {hint}.",)


@contextmanager
def no_grad() -> Iterator[None]:
    """Inside `with no_grad():` no forward keeps anything, so no backward can follow.

    That saves memory, as after `eval()`; but all else is as in training: dropout drops, and a
    BatchNorm2d follows the batch. It may also stand over a function, as `@no_grad()`.

    >>> import numpy as np
    >>> from minicnn.nn import Tanh
    >>> layer = Tanh()
    >>> with no_grad():
    ...     output = layer(np.zeros(2))
    >>> layer.kept_for_backward is None
    True

    https://docs.pytorch.org/docs/stable/generated/torch.no_grad.html
    """
    before = _nothing_kept.set(True)
    try:
        yield
    finally:
        _nothing_kept.reset(before)


@contextmanager
def without_input_grad(layer: "Module | None") -> Iterator[None]:
    """Inside, this layer's backward returns None for the gradient with respect to its input."""
    if layer is None or not layer.needs_input_grad:
        yield
        return
    layer.needs_input_grad = False
    try:
        yield
    finally:
        del layer.needs_input_grad  # the class says True


def keeps(module: "Module") -> bool:
    """Whether backward may follow: in training mode, and in any part of a network that is in
    training itself. So a BatchNorm2d in eval() mode is frozen, and passes gradients on.
    """
    if _nothing_kept.get():
        return False
    forward = _under_way.get()
    return module.training or (forward is not None and forward.outermost.training)


def keep(module: "Module", values: tuple[Any, ...] | Callable[["Module"], tuple[Any, ...]]) -> None:
    """`Module.keep`."""
    if not keeps(module):
        if module.kept_for_backward is not None:  # to set an attribute takes a microsecond
            module.kept_for_backward = None
        return
    forward = _under_way.get() or Forward(module)  # a new one where forward() was called directly
    before = module.kept_for_backward
    if before is not None and before.forward is not forward:
        before.forward.superseded_by = repr(module)
    again = before is not None and before.forward is forward
    module.kept_for_backward = Kept(values, versions(module), forward, again)


def take_kept(module: "Module") -> tuple[Any, ...]:
    """`Module.kept`."""
    values = take(module)
    return values(module) if callable(values) else values


def take(module: "Module") -> tuple[Any, ...] | Callable[["Module"], tuple[Any, ...]]:
    """What `keep` was given."""
    who = f"{type(module).__name__}.backward was called, but"
    kept = module.kept_for_backward
    module.kept_for_backward = None
    if kept is None and not module.training:
        raise RuntimeError(f"{who} in eval() mode forward keeps nothing; call train() before forward.")
    if kept is None:
        raise RuntimeError(
            f"{who} nothing was kept: backward follows one forward, and each forward serves one backward."
        )
    again = kept.forward.superseded_by
    if again is not None:
        raise RuntimeError(
            f"{who} {again} was called on its own after the network's forward pass and replaced what that pass "
            "had stored. Call the whole network again before backward."
        )
    if kept.again:
        raise RuntimeError(f"{who} {_places(module, kept.forward.outermost)}")
    # Without grad_input backward reads no weights, so changed ones do no harm.
    if kept.versions != versions(module) and module.needs_input_grad:
        raise RuntimeError(
            f"{who} its parameters have changed since forward: "
            "call forward again after optimizer.step() or load_state_dict()."
        )
    return kept.values


def forget(module: "Module") -> None:
    """Nothing is kept any more, in `module` and in all below it."""
    for one in module.modules():
        one.kept_for_backward = None


def _places(module: "Module", outermost: "Module") -> str:
    """Where a layer stands that was called twice."""
    names = [f"'{name}'" for name, one in outermost.named_places() if one is module]
    where = f"stands at {' and '.join(names)}" if len(names) > 1 else f"{' '.join(names) or 'it'} is called twice"
    return (
        f"{where} in one forward pass of {type(outermost).__name__}, and only the latest call is kept. Make a layer "
        "of its own for each place. (In one Sequential, or a class without a backward of its own, it may stand twice.)"
    )


def versions(module: "Module") -> list[int]:
    """How often each of its own parameters has been changed."""
    return [value.version for value in vars(module).values() if isinstance(value, Parameter)]
