"""What all layers share: parameters, the names they are saved under, and the step from forward to backward.

There is no tape. `forward(x)` keeps what `backward(grad_output)` will need, and `backward` uses it up: it belongs to the
latest forward, and may be called once for it. It keeps the arrays themselves, not copies: between the two leave them alone.
"""

import math
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from ..kernels import arrays


class Parameter:
    """An array that is learnt: `data`, and `grad`, which backward adds to (None until it first does).

    Both are NumPy arrays, or torch tensors after `Module.to(device)`.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html

    >>> p = Parameter(np.array([1.0, 2.0]))
    >>> p.accumulate(np.array([0.5, 0.0]))
    >>> p.accumulate(np.array([0.5, 1.0]))
    >>> p.grad
    array([1., 1.])
    """

    def __init__(self, data: Any):
        if not arrays.is_array(data):
            raise TypeError(f"Parameter: data must be a NumPy array or a torch tensor, got {type(data).__name__}.")
        self.data = data
        self.grad: Any = None
        self.version = 0  # how often an optimiser or load_state_dict has changed it

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.data.shape)

    @property
    def dtype(self) -> Any:
        return self.data.dtype

    @property
    def size(self) -> int:
        return math.prod(self.data.shape)

    def accumulate(self, grad: Any) -> None:
        """Add to `grad`: gradients of several backward passes sum up until `zero_grad`, as in torch."""
        self.grad = grad if self.grad is None else self.grad + grad

    def __repr__(self) -> str:
        return f"Parameter containing:\n{self.data!r}"


class KeysReport(NamedTuple):
    """What `load_state_dict` could not match."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Pass:
    """One way forward through a network, from the outermost call to its return."""

    overtaken_by: str | None = None  # the layer that was called again before its backward, outside this pass


_under_way: ContextVar[Pass | None] = ContextVar("minicnn_pass", default=None)


class Module:
    """The base of all layers and networks: subclasses define `forward(x)` and `backward(grad_output)`.

    Parameters and modules that are attributes are found by themselves, parameters first, each in the order in which they
    were assigned; that order is the order of `parameters()` and of the keys of `state_dict()`.

    `training` is True at first. After `eval()` forward keeps nothing: that saves memory and lets several threads use one
    model, and it means that backward needs `train()` before forward.

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
    # Set to False on the first layer, it spares backward the gradient to the data: backward returns None.
    needs_input_grad = True
    _kept: tuple | None = None

    def __call__(self, *inputs):
        """forward(*inputs); an error says in which layer it happened, and then nothing is kept."""
        outermost = _under_way.set(Pass()) if _under_way.get() is None else None
        try:
            return self.forward(*inputs)
        except BaseException as error:
            for module in self.modules():
                module._kept = None
            signs = isinstance(error, (IndexError, RuntimeError, TypeError, ValueError))
            if signs and not any(self.children()):  # the innermost layer signs
                error.args = (f"{error} [in {self!r}]",)
            raise
        finally:
            if outermost is not None:
                _under_way.reset(outermost)

    def forward(self, *inputs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no forward.")

    def backward(self, grad_output: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no backward.")

    def keep(self, *values) -> None:
        """For forward: put aside what backward needs."""
        if not self.training:
            self._kept = None
            return
        under_way = _under_way.get() or Pass()
        if self._kept is not None and self._kept[2] is not under_way:
            self._kept[2].overtaken_by = repr(self)
        self._kept = values, self._versions(), under_way

    def kept(self) -> Any:
        """For backward: what the latest forward put aside, once."""
        who = f"{type(self).__name__}.backward was called, but"
        if self._kept is None:
            why = "nothing was kept: backward follows one forward, and each forward serves one backward"
            why = why if self.training else "in eval() mode forward keeps nothing; call train() before forward"
            raise RuntimeError(f"{who} {why}.")
        (values, versions, its), self._kept = self._kept, None
        if its.overtaken_by is not None:
            raise RuntimeError(
                f"{who} {its.overtaken_by} of the same network has been called by itself since the network's forward: "
                "call that again."
            )
        if versions != self._versions() and self.needs_input_grad:
            raise RuntimeError(
                f"{who} its parameters have changed since forward: "
                "call forward again after optimizer.step() or load_state_dict()."
            )
        return values

    def _versions(self) -> list[int]:
        return [parameter.version for _, parameter in self._members(Parameter)]

    # ---------------------------------------------------------------------------------- parameters and names

    def _members(self, kind: type) -> Iterator[tuple[str, Any]]:
        return ((name, value) for name, value in vars(self).items() if isinstance(value, kind))

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        yield from self._members(Module)

    def children(self) -> Iterator["Module"]:
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """(name, module): this one, called "", and all below it; one that stands in two places comes twice."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator["Module"]:
        return (module for _, module in self.named_modules())

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """(name, parameter), the name built from the attributes that lead there: "cnn.0.weight"."""
        for name, parameter in self._members(Parameter):
            yield prefix + name, parameter
        for name, child in self.named_children():
            yield from child.named_parameters(f"{prefix}{name}.")

    def parameters(self) -> Iterator[Parameter]:
        return (parameter for _, parameter in self.named_parameters())

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters():
            parameter.grad = None

    def train(self, mode: bool = True) -> "Module":
        for module in self.modules():
            module.training = mode
            module._kept = None
        return self

    def eval(self) -> "Module":
        return self.train(False)

    def to(self, device: Any) -> "Module":
        """Move parameters, their gradients and other arrays (such as a loss's weights) to a torch device, in place.

        There they are torch tensors, and so are inputs and outputs; what forward kept is forgotten. "cpu", "cuda", "cuda:1",
        "mps" or a torch.device; "numpy" makes NumPy arrays of them again.
        """
        move = arrays.mover(device)
        for parameter in self.parameters():
            parameter.data = move(parameter.data)
            parameter.grad = None if parameter.grad is None else move(parameter.grad)
        for module in self.modules():
            module._kept = None
            for name, value in vars(module).items():
                if arrays.is_array(value):
                    setattr(module, name, move(value))
        return self

    # ------------------------------------------------------------------------------------- saving and loading

    def state_dict(self) -> dict[str, Any]:
        """Name -> array (tensor, on a device), for all parameters: the arrays themselves, not copies."""
        return {name: parameter.data for name, parameter in self.named_parameters()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> KeysReport:
        """Copy the arrays or tensors into the parameters, where those live, and take over their dtype.

        Keys and shapes that do not fit are listed all at once, and then nothing has been loaded. With strict=False missing
        and unexpected keys are allowed (and returned), wrong shapes are not.
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

    # ------------------------------------------------------------------------------------------------- repr

    def extra_repr(self) -> str:
        """What stands between the parentheses."""
        return ""

    def unless(self, **defaults) -> str:
        """For extra_repr: ", name=value" for each attribute that differs from its default."""
        values = {name: getattr(self, name) for name in defaults}
        return "".join(f", {name}={value}" for name, value in values.items() if value != defaults[name])

    def __repr__(self) -> str:
        lines = [f"({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.named_children()]
        inside = self.extra_repr() if not lines else "\n  " + "\n  ".join(lines) + "\n"
        return f"{type(self).__name__}({inside})"
