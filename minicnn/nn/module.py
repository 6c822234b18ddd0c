"""What all layers share: parameters, buffers and their names, and how they are called, moved
and saved.

There is no tape: `forward(x)` keeps what `backward(grad_output)` will need. `passes`
has the rules of it.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import table
from ..kernels import arrays
from . import chain, names, passes
from .parameter import Parameter

if TYPE_CHECKING:
    from typing_extensions import Self  # typing has it from Python 3.11 on


class KeysReport(NamedTuple):
    """What `load_state_dict` could not match."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """The base of all layers and networks: subclasses define `forward(x)`, and
    `backward(grad_output)` where forward is more than a chain of layers.

    Parameters and modules that are attributes are found automatically; not those inside
    a list (use Sequential). Parameters come first, each in the order in which they were
    assigned; that order is the order of `parameters()` and of the keys of
    `state_dict()`. An array that goes on from batch to batch but is not learnt, such as a
    running mean, is saved if it is registered: `register_buffer`.

    `training` is True at first. After `eval()` forward keeps nothing: that saves memory
    and lets several threads use one model, and it means that backward needs `train()`
    before forward. A part in eval() mode of a network in training works as after eval(),
    and backward goes through it.

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
    # Set to False on the first layer, it spares backward the gradient to the data, which is
    # None then. `backward(grad_output, input_grad=False)` does the same for one call.
    needs_input_grad = True
    kept_for_backward: passes.Kept | None = None
    # Its own arrays that are not learnt, and whether they are part of state_dict.
    buffer_names: Mapping[str, bool] = MappingProxyType({})

    # ------------------------------------------------------------- parameters and names

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """(name, module) for each attribute that is a module, in the order of assignment."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """(name, parameter): its own, then its children's if `recurse`.

        A name is built from the attributes that lead there: "cnn.0.weight". `prefix`
        and a dot stand before each. A parameter that two layers share comes once, by
        its first name; `state_dict` has both.
        """
        seen: set[Parameter] = set()
        for where, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            for name, value in vars(module).items():
                if isinstance(value, Parameter) and value not in seen:
                    seen.add(value)
                    yield f"{where}.{name}" if where else name, value

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters alone, in the same order; what an optimizer takes."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Make `tensor` the attribute `name`: an array of the module's state that is not
        learnt.

        It is moved by `to` and, if `persistent`, saved with `state_dict`. None reserves the
        name. Raises TypeError for what is not an array, KeyError for a name that is taken,
        empty or has a dot.
        """
        who = f"{type(self).__name__}.register_buffer"
        if not isinstance(name, str) or not (tensor is None or arrays.is_array(tensor)):
            kinds = f"{type(name).__name__} with {type(tensor).__name__}"
            raise TypeError(f"{who}: expected a name with a NumPy array, a torch tensor or None, got {kinds}.")
        if not name or "." in name or (hasattr(self, name) and name not in self.buffer_names):
            why = "is an attribute already" if hasattr(self, name) else "must be a name without dots"
            raise KeyError(f"{who}: {name!r} {why}.")
        self.buffer_names = {**self.buffer_names, name: bool(persistent)}
        setattr(self, name, tensor)

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Any]]:
        """(name, array) of the buffers that are there: its own, then its children's if
        `recurse`.
        """
        start = f"{prefix}." if prefix else ""
        for name in self.buffer_names:
            if getattr(self, name) is not None:
                yield start + name, getattr(self, name)
        if recurse:
            for name, child in self.named_children():
                yield from child.named_buffers(start + name)

    def buffers(self, recurse: bool = True) -> Iterator[Any]:
        """The buffers alone, in the same order."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def children(self) -> Iterator["Module"]:
        """The modules that are attributes, without their names."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """(name, module): this one, called `prefix`, and all below it.

        A module that stands in two places comes once, by its first name.
        """
        seen: set[Module] = set()
        for name, module in self.named_places(prefix):
            if module not in seen:
                seen.add(module)
                yield name, module

    def named_places(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """The same, but a module that stands in two places comes twice."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_places(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator["Module"]:
        """This module and all below it, without their names."""
        return (module for _, module in self.named_modules())

    def apply(self, function: Callable[["Module"], Any]) -> "Self":
        """Call function(module) for everything below, then for this module. Returns self."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def requires_grad_(self, requires_grad: bool = True) -> "Self":
        """Learn all parameters, or with False freeze them. Returns self.

        Backward computes nothing for a frozen parameter, and no optimizer changes it.
        """
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        before = vars(self).get(name)
        if isinstance(before, Parameter) and not isinstance(value, Parameter | None):
            raise TypeError(
                f"{type(self).__name__}: cannot assign {type(value).__name__} as parameter {name!r}, which is a "
                f"Parameter; write .{name}.data = ... to change its numbers, .{name} = nn.Parameter(...) for another."
            )
        object.__setattr__(self, name, value)

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
            return chain.follow(self, inputs, options)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """The output for these inputs. Every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward.")

    def backward(self, *grad_output: Any, **options: Any) -> Any:
        """The gradient with respect to the input, from that with respect to the output.

        `grad_output` has the shape of the output, what is returned that of the input;
        the gradients of the parameters are added to their `grad`. A class that defines
        none has it where its forward is a chain of layers, of reshapes and of functions
        without parameters; `nn.chain` tells how that is found out. There `input_grad=False`
        gives None, as in Sequential. Raises RuntimeError where no forward came before, or
        not the right one; NotImplementedError, with the lines to write, where the forward
        is no chain.
        """
        if type(self).forward is Module.forward or len(grad_output) != 1 or options.keys() - {"input_grad"}:
            raise NotImplementedError(f"{type(self).__name__} defines no backward.")
        grad_input = chain.backward(self, *grad_output)
        return grad_input if options.get("input_grad", True) else None

    def needs_following(self) -> bool:
        """Whether backward has to be worked out from what forward does."""
        return type(self).backward is Module.backward

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
        is forgotten. "cuda", "cuda:1", "mps" or a torch.device; "numpy" makes NumPy
        arrays of them again. "cpu" brings tensors to the CPU and leaves NumPy arrays, which
        are there, what they are; torch.device("cpu") makes tensors of these too.
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
        """Name -> array (tensor, on a device), for all parameters and persistent buffers:
        the arrays themselves, not copies.
        """
        return {name: _array(getattr(*place)) for name, place in self._places()}

    def _places(self, prefix: str = "") -> Iterator[tuple[str, tuple["Module", str]]]:
        """(name, (module, attribute)) of all that `state_dict` holds, in torch's order."""
        for name, value in vars(self).items():
            if isinstance(value, Parameter):
                yield prefix + name, (self, name)
        for name, persistent in self.buffer_names.items():
            if persistent and getattr(self, name) is not None:
                yield prefix + name, (self, name)
        for name, child in self.named_children():
            yield from child._places(f"{prefix}{name}.")

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> KeysReport:
        """Copy the arrays or tensors into the parameters and buffers, where those live, and
        take over their dtype.

        Keys and shapes that do not fit are listed all at once, and then nothing has
        been loaded. With strict=False missing and unexpected keys are allowed (and
        returned), wrong shapes are not. What DataParallel (`module.`) or torch.compile
        (`_orig_mod.`) put into all names is left out where they fit then, with a warning.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict: expected names with arrays, got {type(state_dict).__name__}.")
        places = dict(self._places())
        own = {name: _array(getattr(*place)) for name, place in places.items()}
        if state_dict.keys() != own.keys():
            fitting = names.unwrapped(list(state_dict), list(own))
            if fitting:
                warnings.warn(f"load_state_dict: left out of the names: {names.left_out(fitting)}", stacklevel=2)
                state_dict = {new: state_dict[old] for old, new in fitting.items()}
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        found = {}
        for name in own:
            if name in state_dict:
                value = state_dict[name]
                found[name] = value if arrays.is_array(value) else np.asarray(value)
        problems = [
            f"{name}: expected shape {tuple(own[name].shape)}, got {tuple(value.shape)}"
            for name, value in found.items()
            if value.shape != own[name].shape
        ]
        problems += [
            f"{name}: expected {' or '.join(_dtypes(own[name]))}, got {arrays.dtype_name(value)}"
            for name, value in found.items()
            if arrays.dtype_name(value) not in _dtypes(own[name])
        ]
        if strict:
            problems += [f"{name}: missing" for name in missing]
            problems += [f"{name}: unexpected" for name in unexpected]
        if problems:
            raise RuntimeError(f"{type(self).__name__} cannot load this state_dict:\n  " + "\n  ".join(problems))
        for name, value in found.items():
            module, attribute = places[name]
            copy = arrays.copied(value, own[name])
            parameter = getattr(module, attribute)
            if not isinstance(parameter, Parameter):
                setattr(module, attribute, copy)
                continue
            parameter.data = copy
            parameter.grad = None
            parameter.version += 1
        return KeysReport(missing, unexpected)

    # ----------------------------------------------------------------------------- repr

    def extra_repr(self) -> str:
        """What stands between the parentheses."""
        return ""

    def unless(self, **defaults: Any) -> str:
        """For extra_repr: ", name=value" for each attribute that differs from its default."""
        values = {name: getattr(self, name) for name in defaults}
        others = [f", {name}={value}" for name, value in values.items() if value != defaults[name]]
        return "".join(others)

    def __repr__(self) -> str:
        lines = []
        for name, child in self.named_children():
            indented = repr(child).replace("\n", "\n  ")
            lines.append(f"\n  ({name}): {indented}")
        inside = "".join(lines) + "\n" if lines else self.extra_repr()
        return f"{type(self).__name__}({inside})"

    def _repr_html_(self) -> str:
        """The layers with their parameters, as a notebook shows them."""
        rows = [("layer", "type", "arguments", "parameters")]
        for name, module in self.named_places():
            shapes = [f"{own} {tuple(p.shape)}" for own, p in module.named_parameters(recurse=False)]
            if any(module.children()) and not shapes:
                continue  # its layers have rows of their own
            rows.append((name, type(module).__name__, module.extra_repr(), ", ".join(shapes)))
        total = sum(parameter.numel() for parameter in self.parameters())
        return table.as_html(rows, "<" * 4, type(self).__name__, [f"{total:,} parameters"])


def _array(value: Any) -> Any:
    """A buffer is an array, a parameter holds one."""
    return value.data if isinstance(value, Parameter) else value


def _dtypes(own: Any) -> tuple[str, ...]:
    """Of what can be loaded in its place: floats for floats, else the same."""
    name = arrays.dtype_name(own)
    return ("float32", "float64") if name in ("float32", "float64") else (name,)
