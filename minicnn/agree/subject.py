"""Somebody else's functions: found in a file or module by torch's names, their signatures
read, called.

The file is imported and runs in this process, as with pytest: it can do whatever its
author can.
"""

import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .classes import CLASSES, Unusable, functions

LOSSES = ("cross_entropy", "mse_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits")
# What a function takes first, in this order; and which options it may have. The names
# that others use stand behind.
TAKES = {
    "conv2d": ("input", "weight"),
    "conv_transpose2d": ("input", "weight"),
    "linear": ("input", "weight"),
    "max_pool2d": ("input", "kernel_size"),
    **{name: ("input",) for name in ("relu", "sigmoid", "tanh")},
    **{name: ("input", "target") for name in LOSSES},
    "conv2d_backward": ("grad_output", "input", "weight"),
    "conv_transpose2d_backward": ("grad_output", "input", "weight"),
    "linear_backward": ("grad_output", "input", "weight"),
    "max_pool2d_backward": ("grad_output", "input", "kernel_size"),
    **{f"{name}_backward": ("grad_output", "output") for name in ("relu", "sigmoid", "tanh")},
    **{f"{name}_backward": ("grad_output", "input", "target") for name in LOSSES},
    "adam": ("param", "grad", "exp_avg", "exp_avg_sq", "step"),
    "sgd": ("param", "grad"),
}
WINDOW = ("stride", "padding", "dilation")
OPTIONS = {
    "conv2d": ("bias", *WINDOW, "groups"),
    "conv_transpose2d": ("bias", *WINDOW, "output_padding", "groups"),
    "linear": ("bias",),
    "max_pool2d": (*WINDOW, "ceil_mode"),
    "cross_entropy": ("weight", "ignore_index", "reduction", "label_smoothing"),
    "mse_loss": ("reduction",),
    "binary_cross_entropy": ("weight", "reduction"),
    "binary_cross_entropy_with_logits": ("weight", "reduction", "pos_weight"),
    "adam": ("lr", "betas", "beta1", "beta2", "eps", "weight_decay"),
    "sgd": ("momentum_buffer", "lr", "momentum", "weight_decay"),
}
ALIASES = {
    "input": "x X a z inp inputs image images logits pred prediction",
    "weight": "w W kernel filters weights",
    "bias": "b",
    "grad_output": "dout grad dy upstream grad_out delta",
    "target": "y t label labels targets",
    "output": "out y a",
    "kernel_size": "k size pool_size",
    "stride": "s strides",
    "padding": "pad p",
    "param": "w theta p",
    "grad": "g dw",
    "exp_avg": "m",
    "exp_avg_sq": "v",
    "step": "t",
    "lr": "learning_rate eta alpha",
    "momentum_buffer": "velocity v buf",
}
GIVES = {
    "conv2d": ("grad_input", "grad_weight", "grad_bias"),
    "conv_transpose2d": ("grad_input", "grad_weight", "grad_bias"),
    "linear": ("grad_input", "grad_weight", "grad_bias"),
    "adam": ("param", "exp_avg", "exp_avg_sq"),
    "sgd": ("param", "momentum_buffer"),
}
OPERATIONS = tuple(name for name in TAKES if not name.endswith("_backward"))


class CannotBeJudged(Exception):
    """Nothing can be said about this file; the text says why and where."""


class Raised(Exception):
    """The function raised something; the text names the line of its file."""


class Part(NamedTuple):
    """One function with the names under which it takes what torch's function takes."""

    function: Callable
    names: dict[str, str]  # torch's name -> the function's own

    def offers(self, name: str) -> bool:
        return name in self.names


class Subject(NamedTuple):
    """The functions that a file offers."""

    title: str
    path: str
    parts: dict[str, Part]
    left_out: tuple[str, ...] = ()  # what cannot be judged, each a sentence

    @property
    def operations(self) -> list[str]:
        """Those of which at least the gradient or the function itself is there."""
        return [name for name in OPERATIONS if name in self.parts or f"{name}_backward" in self.parts]

    def line(self) -> str:
        """What it offers."""
        offered = []
        for name, part in self.parts.items():
            options = [option for option in OPTIONS.get(name.removesuffix("_backward"), ()) if part.offers(option)]
            offered.append(f"{name} ({', '.join(options)})" if options else name)
        return " ".join([f"{self.title} offers {', '.join(offered)}.", *self.left_out])


def load(text: str) -> Subject:
    """Import a file (it ends in .py) or a module, and read the signatures of what has a
    known name.

    Raises CannotBeJudged: there is no such file, it does not import, no name is known, a
    signature cannot be read.
    """
    module, path = _import(text)
    parts: dict[str, Part] = {}
    left_out = []
    for name in CLASSES:
        layer = getattr(module, name, None)
        if isinstance(layer, type):
            try:
                own = functions(name, layer, OPTIONS.get(CLASSES[name], ()), ALIASES)
                parts |= {key: Part(function, _names(key, function, text)) for key, function in own.items()}
            except Unusable as error:
                left_out.append(f"{text}: {error}")
    for name in TAKES:
        function = getattr(module, name, None)
        if not callable(function):
            continue
        try:
            parts[name] = Part(function, _names(name, function, text))
        except CannotBeJudged as error:
            left_out.append(str(error))
    if not parts and left_out:
        raise CannotBeJudged("\n".join(left_out))
    if not parts:
        raise CannotBeJudged(
            f"{text} has none of the names {', '.join((*TAKES, *CLASSES))}; name a function or a class so,"
            " or write an adapter."
        )
    return Subject(text, path, parts, tuple(left_out))


def _import(text: str) -> tuple[Any, str]:
    if not text.endswith(".py"):
        if Path(text).exists():
            raise CannotBeJudged(f"{text} is not a Python file: its name must end in .py.")
        try:
            module = importlib.import_module(text)
        except ModuleNotFoundError as error:
            raise CannotBeJudged(f"{text}: {error}. Give a file that ends in .py, or a module that imports.") from error
        return module, str(getattr(module, "__file__", ""))
    path = Path(text).resolve()
    if not path.is_file():
        raise CannotBeJudged(f"There is no file {text}.")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise CannotBeJudged(f"{text} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))  # so that it may import its neighbours
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise CannotBeJudged(f"{text}, line {error.lineno}: {error.msg}: {(error.text or '').strip()}") from error
    except (Exception, SystemExit) as error:
        raise CannotBeJudged(f"{text} does not import. {place(error, str(path))}") from error
    finally:
        sys.path.remove(str(path.parent))
    return module, str(path)


def _names(name: str, function: Callable, text: str) -> dict[str, str]:
    """Torch's name of each parameter: the same, a usual one, or else the next that is
    needed, in their order.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        raise CannotBeJudged(f"{text}: the arguments of {name} cannot be read; write it with def.") from error
    required = TAKES[name]
    if name == "max_pool2d_backward" and any(parameter.name == "indices" for parameter in parameters):
        required = ("grad_output", "indices", "input_shape", "kernel_size")  # as minicnn's own
    known = (*required, *OPTIONS.get(name.removesuffix("_backward"), ()))
    found: dict[str, str] = {}
    unknown = []
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        fits = [k for k in known if k not in found and parameter.name in (k, *ALIASES.get(k, "").split())]
        exact = [k for k in fits if k == parameter.name]
        if name in ("relu_backward", "sigmoid_backward", "tanh_backward") and parameter.name in ("input", "x"):
            found["input"] = parameter.name  # this one wants the input, not the output
        elif fits:
            found[(exact or fits)[0]] = parameter.name
        elif parameter.default is parameter.empty:
            unknown.append(parameter.name)
    missing = [k for k in required if k not in found and not (k == "output" and "input" in found)]
    for own in unknown:
        if not missing:
            wanted = f"{name}({', '.join(required)}, ...)"
            raise CannotBeJudged(f"{text}: {name} asks for {own!r}, which is unknown here; {wanted} is expected.")
        found[missing.pop(0)] = own
    if missing:
        raise CannotBeJudged(f"{text}: {name} does not take {' and '.join(missing)}.")
    return found


def place(error: BaseException, path: str) -> str:
    """The error in a sentence, with the last line of their file on the way to it."""
    text = f"{type(error).__name__}: {error}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    if not frames:
        return text
    return f"{Path(path).name}, line {frames[-1].lineno}: {text}\n    {frames[-1].line}"


def call(subject: Subject, name: str, values: dict[str, Any]) -> Any:
    """The function's answer to `values`, which have torch's names; Raised where it raises."""
    part = subject.parts[name]
    arguments = {own: values[known] for known, own in part.names.items() if known in values}
    parameters = inspect.signature(part.function).parameters.values()
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY]
    try:
        with np.errstate(all="ignore"):
            return part.function(*(arguments.pop(own) for own in positional if own in arguments), **arguments)
    except (Exception, SystemExit) as error:
        raise Raised(place(error, subject.path)) from error
