"""What all layers share: parameters and their names, and how they are called, moved and saved.

There is no tape: `forward(x)` keeps what `backward(grad_output)` will need. `passes`
has the rules of it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..kernels import arrays
from . import passes
from .parameter import Parameter

if TYPE_CHECKING:
    from typing_extensions import Self  # typing has it from Python 3.11 on


class KeysReport(NamedTuple):
    """What `load_state_dict` could not match."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """The base of all layers and networks: subclasses define `forward(x)` and
    `backward(grad_output)`.

    Parameters and modules that are attributes are found automatically; not those inside
    a list (use Sequential). Parameters come first, each in the order in which they were
    assigned; that order is the order of `parameters()` and of the keys of
    `state_dict()`.

    `training` is True at first. After `eval()` forward keeps nothing: that saves memory
    and lets several threads use one model, and it means that backward needs `train()`
    before forward.

    >>> class Double(Module):
    ...     def forward(self, x):
    ...         return 2 * x
    ...     def backward(self, grad_output):
    ...         return 2 * grad_output
    >>> layer = Double()
    >>> layer(np.array([1, 2])), layer.backward(np.array([1, 1]))
    (array([2, 4]), array([2, 2]))

    Call layer(x), not layer.forward(x): then an error says in which layer it happened.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html
    """

    training = True
    # Set to False on the first layer, it spares backward the gradient to the data:
    # backward returns None.
    needs_input_grad = True
    kept_for_backward: passes.Kept | None = None

    # ------------------------------------------------------------- parameters and names

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """(name, module) for each attribute that is a module, in the order of assignment."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """(name, parameter): its own, then its children's if `recurse`.

        A name is built from the attributes that lead there: "cnn.0.weight". `prefix`
        and a dot stand before each.
        """
        start = f"{prefix}." if prefix else ""
        for name, value in vars(self).items():
            if isinstance(value, Parameter):
                yield start + name, value
        if recurse:
            for name, child in self.named_children():
                yield from child.named_parameters(start + name)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters alone, in the same order; what an optimizer takes."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def children(self) -> Iterator["Module"]:
        """The modules that are attributes, without their names."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """(name, module): this one, called `prefix`, and all below it.

        A module that stands in two places comes twice.
        """
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator["Module"]:
        """This module and all below it, without their names."""
        return (module for _, module in self.named_modules())

    def apply(self, function: Callable[["Module"], Any]) -> "Self":
        """Call function(module) for everything below, then for this module. Returns self."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def zero_grad(self) -> None:
        """Forget all gradients: every `grad` becomes None."""
        for parameter in self.parameters():
            parameter.grad = None

    # ------------------------------------------------------------- forward and backward

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """forward(*inputs); an error says in which layer it happened, and then nothing
        is kept.
        """
        with passes.forward_pass(self):
            return self.forward(*inputs, **options)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """The output for these inputs. Every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward.")

    def backward(self, *grad_output: Any, **options: Any) -> Any:
        """The gradient with respect to the input, from that with respect to the output.
        Every subclass defines it.

        `grad_output` has the shape of the output, what is returned that of the input;
        the gradients of the parameters are added to their `grad`. Raises RuntimeError
        where no forward came before, or not the right one.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no backward.")

    def keep(self, *values: Any) -> None:
        """For forward: put aside what backward needs. After `eval()` nothing is kept."""
        passes.keep(self, values)

    def kept(self) -> tuple[Any, ...]:
        """For backward: what the latest forward put aside, once.

        Raises RuntimeError if nothing is there, or if it is out of date.
        """
        return passes.take_kept(self)

    def train(self, mode: bool = True) -> "Self":
        """Training mode for this module and all below, or evaluation mode with False.
        Returns self.

        What forward kept is forgotten.
        """
        passes.forget(self)
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> "Self":
        """Evaluation mode: train(False)."""
        return self.train(False)

    # -------------------------------------------------------------------------- devices

    def to(self, device: Any) -> "Self":
        """Move parameters, their gradients and other arrays (such as a loss's weights)
        to a torch device, in place.

        There they are torch tensors, and so are inputs and outputs; what forward kept
        is forgotten. "cpu", "cuda", "cuda:1", "mps" or a torch.device; "numpy" makes
        NumPy arrays of them again.
        """
        move = arrays.mover(device)
        passes.forget(self)
        for parameter in self.parameters():
            parameter.data = move(parameter.data)
            parameter.grad = None if parameter.grad is None else move(parameter.grad)
        for module in self.modules():
            for name, value in vars(module).items():
                if arrays.is_array(value):
                    setattr(module, name, move(value))
        return self

    # --------------------------------------------------------------- saving and loading

    def state_dict(self) -> dict[str, Any]:
        """Name -> array (tensor, on a device), for all parameters: the arrays
        themselves, not copies.
        """
        return {name: parameter.data for name, parameter in self.named_parameters()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> KeysReport:
        """Copy the arrays or tensors into the parameters, where those live, and take
        over their dtype.

        Keys and shapes that do not fit are listed all at once, and then nothing has
        been loaded. With strict=False missing and unexpected keys are allowed (and
        returned), wrong shapes are not.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict: expected names with arrays, got {type(state_dict).__name__}.")
        own = dict(self.named_parameters())
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        found = {name: state_dict[name] for name in own if name in state_dict}
        found = {name: value if arrays.is_array(value) else np.asarray(value) for name, value in found.items()}
        problems = [
            f"{name}: expected shape {own[name].shape}, got {tuple(value.shape)}"
            for name, value in found.items()
            if value.shape != own[name].shape
        ]
        problems += [
            f"{name}: expected float32 or float64, got {arrays.dtype_name(value)}"
            for name, value in found.items()
            if arrays.dtype_name(value) not in ("float32", "float64")
        ]
        if strict:
            problems += [f"{name}: missing" for name in missing] + [f"{name}: unexpected" for name in unexpected]
        if problems:
            raise RuntimeError(f"{type(self).__name__} cannot load this state_dict:\n  " + "\n  ".join(problems))
        for name, value in found.items():
            own[name].data = arrays.copied(value, own[name].data)
            own[name].grad = None
            own[name].version += 1
        return KeysReport(missing, unexpected)

    # ----------------------------------------------------------------------------- repr

    def extra_repr(self) -> str:
        """What stands between the parentheses."""
        return ""

    def unless(self, **defaults: Any) -> str:
        """For extra_repr: ", name=value" for each attribute that differs from its default."""
        values = {name: getattr(self, name) for name in defaults}
        return "".join(f", {name}={value}" for name, value in values.items() if value != defaults[name])

    def __repr__(self) -> str:
        lines = [f"({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.named_children()]
        inside = self.extra_repr() if not lines else "\n  " + "\n  ".join(lines) + "\n"
        return f"{type(self).__name__}({inside})"
