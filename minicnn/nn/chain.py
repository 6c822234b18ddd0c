"""The backward of a class that defines none, where its forward is a chain of layers.

Nothing records every operation. While such a forward runs, the calls of its layers, and
of the functions of `nn.functional` without parameters, are noted, and one question is
asked at each: is this the very array that the one before gave, unchanged, or that array
in another shape? If so for all, the gradient goes back through them in the opposite
order, as in Sequential. An array is the same if it is the same object; it is another
shape of one if it has the same memory from the first number to the last, in the same
order; it is unchanged if its numbers equal a copy that was taken when it was given.

Whatever else a forward does makes another array (a sum, a product, a slice) or writes
into one. Then a link is missing, and backward says between which two, and what to write
for this class. It never guesses.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ..kernels.arrays import is_array, is_reshaped, is_unchanged, witness
from . import passes
from .functional.links import follower

if TYPE_CHECKING:
    from .module import Module


class Step(NamedTuple):
    """One call."""

    who: str  # as it is written in the class: "self.conv1", "F.relu"
    gap: str | None  # what is wrong with its input, in a sentence
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    backward: Callable[[Any, Any], Any]  # of the gradient and the state
    state: Any


class Chain:
    """What one forward of `owner` did, call by call."""

    def __init__(self, owner: "Module", inputs: list[Any]):
        self.owner = owner
        self.steps: list[Step] = []
        self.names = {module: _written(name) for name, module in owner.named_modules() if name}
        self.inside: set[Module] = set()  # all that have been called, and all below them
        self.given: list[tuple[str, int]] = []  # who gave which array so far
        self.input_shape = _shape(inputs[0]) if inputs else ()
        self.gap: str | None = None
        self.hold("the input", inputs[0] if len(inputs) == 1 else None)

    def hold(self, giver: str, value: Any) -> None:
        self.giver = giver
        self.value = value
        self.witness = witness(value) if is_array(value) else None
        self.given.append((giver, id(value)))

    def entering(self, who: str, inputs: list[Any], module: "Module | None") -> None:
        self.who = self.names.get(module, f"{type(module).__name__}(...)") if module is not None else who
        self.entered = _shape(inputs[0]) if inputs else ()
        self.gap = self.missing_link(inputs, self.who)
        if module is not None:
            for part in module.modules():
                if part in self.inside:  # its earlier call is safe in that step's state
                    part.kept_for_backward = None

    def leaving(self, output: Any, backward: Callable[[Any, Any], Any], state: Any) -> None:
        self.steps.append(Step(self.who, self.gap, self.entered, _shape(output), backward, state))
        self.hold(self.who, output)

    def missing_link(self, inputs: list[Any], taker: str) -> str | None:
        """Why what `taker` is given is not what the last one gave; None if it is."""
        if len(inputs) != 1:
            return f"{taker} has {len(inputs)} arrays"
        given = inputs[0]
        if given is self.value or is_reshaped(given, self.value):
            if self.witness is None or is_unchanged(self.value, self.witness):
                return None
            return f"what {self.giver} gave is changed in place before it comes to {taker}"
        earlier = [giver for giver, identity in self.given[:-1] if identity == id(given)]
        if earlier:
            return f"{taker} has what {earlier[-1]} gave, and not what {self.giver} gave"
        return f"between {self.giver} and {taker} something is done that is neither a layer nor a reshape"

    def finish(self, output: Any) -> None:
        self.gap = self.missing_link([output], "the output")
        self.output_shape = _shape(output)
        self.value = self.witness = None  # no longer needed
        self.given.clear()

    # ------------------------------------------------------------------------ backwards

    def backward(self, grad: Any) -> Any:
        """The gradient with respect to the input, or None where the first layer does not
        need it.
        """
        if len(self.steps) == 0 or self.gap or any(step.gap for step in self.steps[1:]):
            raise NotImplementedError(self.what_to_write())
        first = self.steps[0]
        if first.gap and not _may_leave_out_the_input(first):
            raise NotImplementedError(self.what_to_write())
        if _shape(grad) != self.output_shape:
            name = type(self.owner).__name__
            raise RuntimeError(
                f"{name}.backward: grad_output must have the output's shape {self.output_shape}, got {_shape(grad)}."
            )
        for step in reversed(self.steps):
            if grad is None:
                raise RuntimeError(
                    f"{type(self.owner).__name__}.backward: a layer after {step.who} has needs_input_grad = False, "
                    f"but {step.who} needs the gradient; only a first layer can leave it out."
                )
            grad = step.backward(grad.reshape(step.output_shape), step.state)
        if grad is not None and first.gap:
            raise NotImplementedError(self.what_to_write())
        return grad if grad is None else grad.reshape(self.input_shape)

    def what_to_write(self) -> str:
        """For this class."""
        name = type(self.owner).__name__
        all_gaps = [*(step.gap for step in self.steps), self.gap]
        gaps = [gap for gap in all_gaps if gap]
        why = "; ".join(gaps) if self.steps else "no layer of minicnn.nn was called"
        lines = ["def backward(self, grad_output):", "    grad = grad_output"]
        for number in reversed(range(len(self.steps) + 1)):
            gap = self.gap if number == len(self.steps) else self.steps[number].gap
            if gap or not self.steps:
                lines.append(f"    grad = ...  # the gradient of this step of forward: {gap or why}")
            if number:
                step = self.steps[number - 1]
                shape = "" if step.output_shape == self.taken_after(number) else f".reshape({_batched(step)})"
                if step.who.startswith("F."):
                    lines.append(f"    grad = {step.who}_backward(grad{shape}, ...)  # what forward kept for it")
                else:
                    lines.append(f"    grad = {step.who}.backward(grad{shape})")
        lines.append("    return grad")
        return (
            f"{name} defines no backward, and its forward is not a chain from which one follows: {why}. "
            "nn.Residual and nn.Concat are layers for a sum and for branches. Or define it in the class; after this "
            "forward it would begin as\n\n    " + "\n    ".join(lines)
        )

    def taken_after(self, number: int) -> tuple[int, ...]:
        """The shape that the output of step `number` - 1 had where it went."""
        return self.output_shape if number == len(self.steps) else self.steps[number].input_shape


def follow(module: "Module", inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """module.forward(*inputs, **options): followed if the module defines no backward, and
    noted by whoever follows the forward around it.
    """
    around = follower.get()
    follows = passes.keeps(module) and module.needs_following()
    if around is None and not follows:
        return module.forward(*inputs, **options)
    chain = None
    given = [value for value in (*inputs, *options.values()) if is_array(value)]
    if follows:
        chain = Chain(module, given)
    if around is not None:
        around.entering("", given, module)
    token = follower.set(chain)
    try:
        output = module.forward(*inputs, **options)
    finally:
        follower.reset(token)
    if chain is not None:
        chain.finish(output)
        passes.keep(module, (chain,))
    if around is not None:
        state = {part: part.kept_for_backward for part in module.modules()}
        around.leaving(output, _restored_backward(module), state)
        if isinstance(around, Chain):
            around.inside.update(state)
    return output


def _restored_backward(module: "Module") -> Callable[[Any, Any], Any]:
    def backward(grad: Any, state: "dict[Module, Any]") -> Any:
        for part, kept in state.items():
            part.kept_for_backward = kept
        return module.backward(grad)

    return backward


def backward(module: "Module", grad_output: Any) -> Any:
    """`Module.backward`, where a class defines none of its own."""
    (chain,) = module.kept()
    return chain.backward(grad_output)


# ------------------------------------------------------------------------------ helpers


def _may_leave_out_the_input(step: Step) -> bool:
    return not step.who.startswith("F.") and any(not part.needs_input_grad for part in step.state)


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(getattr(value, "shape", ()))


def _batched(step: Step) -> str:
    return ", ".join(["len(grad)", *map(str, step.output_shape[1:])])


def _written(name: str) -> str:
    """ "blocks.0.conv" -> "self.blocks[0].conv"."""
    parts = [f"[{part}]" if part.isdecimal() else f".{part}" for part in name.split(".")]
    return "self" + "".join(parts)
