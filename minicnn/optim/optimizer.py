"""What all optimizers share: groups of parameters, their options, and the state of each."""

import numbers
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..kernels import arrays
from ..nn.parameter import Parameter


def check_number(who: str, **options: float) -> None:
    for name, value in options.items():
        if not isinstance(value, numbers.Real):
            raise TypeError(f"{who}: {name} must be a number, got {value!r}.")


def check_at_least_zero(who: str, **options: float) -> None:
    for name, value in options.items():
        check_number(who, **{name: value})
        if not value >= 0:
            raise ValueError(f"{who}: {name} must be at least 0, got {value}.")


def _is_average(name: str, value: Any) -> bool:
    """Whether it is an array of the parameter's shape and dtype: all but the step,
    which is a number.
    """
    return name != "step" and arrays.is_array(value)


class Optimizer:
    """The base: subclasses define `check_options`, `update`, and what state they need.

    `params` is an iterable of parameters, of (name, parameter) pairs, or of dicts, each
    a group: {"params": [...], "lr": ...}. `param_groups` holds the groups with all
    their options; `state` maps a parameter to what is kept for it.

    >>> from minicnn.optim import SGD
    >>> weight, bias = Parameter(np.array([1.0])), Parameter(np.array([1.0]))
    >>> optimizer = SGD([{"params": [weight], "weight_decay": 0.5}, {"params": [bias]}], lr=0.1)
    >>> weight.grad = bias.grad = np.array([0.0])
    >>> optimizer.step()
    >>> weight.data, bias.data  # only the weight decays
    (array([0.95]), array([1.]))

    Raises TypeError for what is not a Parameter, for a set (it has no order) and for an
    unknown option; ValueError for no parameters, for one that comes twice and for
    options that make no sense.
    https://docs.pytorch.org/docs/stable/optim.html
    """

    def __init__(self, params: Iterable, defaults: dict[str, Any]):
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Parameter, dict[str, Any]] = {}
        self._who = type(self).__name__
        if isinstance(params, (Parameter, np.ndarray)) or not isinstance(params, Iterable):
            raise TypeError(
                f"{self._who}: params must be an iterable of Parameters or dicts, got {type(params).__name__}."
            )
        groups = list(params)
        if not groups:
            raise ValueError(f"{self._who}: params is empty, there is nothing to optimize.")
        for group in groups if isinstance(groups[0], Mapping) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add a group: its "params", and the options in which it differs from the defaults.

        Raises what the constructor raises.
        """
        if "params" not in param_group:
            raise ValueError(
                f'{self._who}: a group needs "params", got {", ".join(map(str, param_group)) or "nothing"}.'
            )
        params = param_group["params"]
        if isinstance(params, (set, frozenset)):
            raise TypeError(f"{self._who}: params is a set, which has no order to save the state in; make it a list.")
        params = [params] if isinstance(params, Parameter) else list(params)
        names = [item[0] for item in params if isinstance(item, tuple)]
        params = [item[1] if isinstance(item, tuple) else item for item in params]
        if names and len(names) != len(params):
            raise ValueError(
                f"{self._who}: either all parameters of a group have names or none, got {len(names)} of {len(params)}."
            )
        if self.param_groups and bool(names) != ("param_names" in self.param_groups[0]):
            other = "names" if not names else "none"
            raise ValueError(
                f"{self._who}: either all groups have names or none; the first group has {other}, "
                f"group {len(self.param_groups)} has {'names' if names else 'none'}."
            )
        for param in params:
            if not isinstance(param, Parameter):
                raise TypeError(f"{self._who}: can only optimize Parameters, got {type(param).__name__}.")
        used = [param for group in self.param_groups for param in group["params"]]
        if len(set(params)) < len(params) or not set(params).isdisjoint(used):
            raise ValueError(f"{self._who}: a parameter appears twice; it would be updated twice in one step.")
        unknown = set(param_group) - {"params"} - set(self.defaults)
        if unknown:
            raise TypeError(
                f"{self._who}: unknown option(s) {', '.join(sorted(unknown))}; there are {', '.join(self.defaults)}."
            )
        group = {**self.defaults, **param_group, "params": params, **({"param_names": names} if names else {})}
        self.check_options(group)
        self.param_groups.append(group)

    def check_options(self, group: dict[str, Any]) -> None:
        """Raise ValueError if the options make no sense, TypeError for one that is not
        a number.
        """

    def needed(self, group: dict[str, Any]) -> set[str]:
        """The names in the state of a parameter that has been updated before."""
        return set()

    def update(self, parameter: Parameter, grad: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Change `parameter.data` and `state` in place. Every subclass defines it."""
        raise NotImplementedError(f"{self._who} defines no update.")

    def step(self) -> None:
        """Update every parameter that has a gradient; one without, or a frozen one, is left
        alone, its step count too.

        Raises RuntimeError for a gradient of another shape, dtype or device than its
        parameter's, ValueError for read-only data and for a state that does not fit.
        """
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and parameter.requires_grad:
                    self.update(parameter, self._grad(parameter), self._state(parameter, group), group)
                    parameter.version += 1

    def _grad(self, parameter: Parameter) -> Any:
        """As torch asks when a gradient is assigned: of the parameter's shape and
        dtype, and where it is.
        """
        grad = parameter.grad
        if not arrays.is_writeable(parameter.data):
            raise ValueError(f"{self._who}: a parameter's data is read-only and cannot be updated.")
        dtype = arrays.dtype_name(parameter)
        if dtype not in ("float32", "float64"):
            raise RuntimeError(f"{self._who}: parameters must be float32 or float64 to be updated, got {dtype}.")
        if not arrays.is_array(grad):
            raise RuntimeError(f"{self._who}: grad must be an array like its parameter, got {type(grad).__name__}.")
        if not arrays.on_same_device(grad, parameter.data):
            raise RuntimeError(
                f"{self._who}: {arrays.not_together_message('grad', grad, 'its parameter', parameter.data)}"
            )
        if tuple(grad.shape) != parameter.shape or arrays.dtype_name(grad) != dtype:
            raise RuntimeError(
                f"{self._who}: grad must have its parameter's shape and dtype, {parameter.shape} and {dtype},"
                f" got {tuple(grad.shape)} and {arrays.dtype_name(grad)}."
            )
        return grad

    def _state(self, parameter: Parameter, group: dict[str, Any]) -> dict[str, Any]:
        """What is kept for a parameter; if the model was moved or took another dtype,
        it follows.
        """
        state = self.state.setdefault(parameter, {})
        for name, value in state.items():
            if _is_average(name, value) and (
                not arrays.on_same_device(value, parameter.data)
                or arrays.dtype_name(value) != arrays.dtype_name(parameter)
            ):
                state[name] = arrays.copied(value, parameter.data, parameter.dtype)
        self._check_state(state, parameter, group)
        return state

    def _check_state(self, state: Mapping[str, Any], parameter: Parameter, group: dict[str, Any]) -> None:
        """The state holds what the next update reads, in the parameter's shape; a new
        one nothing.
        """
        missing = self.needed(group) - state.keys()
        if state and missing:
            raise ValueError(
                f"{self._who}: the state of a parameter holds {', '.join(state)}, but no {', '.join(sorted(missing))}."
            )
        for name, value in state.items():
            if _is_average(name, value) and tuple(value.shape) != parameter.shape:
                raise ValueError(
                    f"{self._who}: {name} has shape {tuple(value.shape)}, its parameter {parameter.shape}."
                )

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients.

        With set_to_none=False they become zeros, which still move a parameter with
        momentum.
        """
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    grad = parameter.grad
                    parameter.grad = None if set_to_none else arrays.full(grad.shape, 0, grad)

    # --------------------------------------------------------------- saving and loading

    def state_dict(self) -> dict[str, Any]:
        """torch's layout: {"state": ..., "param_groups": ...}; parameters are numbers,
        counted through the groups.

        As in torch the state is alive: later steps change what was returned.
        `copy.deepcopy` keeps it as it is now. (The groups are copies.)
        """
        parameters = [parameter for group in self.param_groups for parameter in group["params"]]
        number = {parameter: i for i, parameter in enumerate(parameters)}
        groups = [
            {**group, "params": [number[parameter] for parameter in group["params"]]} for group in self.param_groups
        ]
        state = {number[parameter]: values for parameter, values in self.state.items() if values}
        return {"state": dict(sorted(state.items())), "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over options and a copy of the state; groups and parameters must be as
        many as here.

        Raises ValueError where they are not, or where the state of a parameter does not
        fit it; then nothing has changed.
        """
        groups = state_dict["param_groups"]
        state = state_dict["state"]
        sizes = [len(group["params"]) for group in groups]
        wanted = [len(group["params"]) for group in self.param_groups]
        if sizes != wanted:
            raise ValueError(
                f"{self._who}: the state has groups of {sizes} parameters, this optimizer has groups of {wanted}."
            )
        changes = [{name: saved[name] for name in self.defaults if name in saved} for saved in groups]
        changed = [{**group, **options} for group, options in zip(self.param_groups, changes, strict=True)]
        loaded = {}
        for group, saved in zip(changed, groups, strict=True):
            self.check_options(group)
            for number, parameter in zip(saved["params"], group["params"], strict=True):
                if number in state:
                    own = {name: self._own(name, value, parameter) for name, value in state[number].items()}
                    self._check_state(own, parameter, group)
                    loaded[parameter] = own
        self.param_groups, self.state = changed, loaded

    def _own(self, name: str, value: Any, parameter: Parameter) -> Any:
        """A copy of one piece of state, in the parameter's dtype and place."""
        if value is None:
            return None
        if name == "step":
            step = float(value)
            if not (step >= 0 and step.is_integer()):
                raise ValueError(f"{self._who}: step must be a whole number of at least 0, got {step}.")
            return np.array(step, np.float32)
        return arrays.copied(value, parameter.data, parameter.dtype)

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {name}: {group[name]}" for name in sorted(self.defaults)]
        return f"{self._who} (\n" + "\n".join(lines) + "\n)"
