"""A layer of the reader's own: its file, its forward and backward, gradcheck's verdict.

The file is named on the command line, by the person whose machine this is; no request can
name one.
"""

import copy
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ... import nn
from ...gradcheck import GradcheckError, gradcheck
from .. import ask
from ..layer_bench import REFUSALS, Bench
from ..say import say
from . import record
from .subjects import SUBJECTS, Subject, code_of, rows

GROUP = "own"
CHECKED = 24  # elements of each array that gradcheck looks at


class Own:
    """A layer or a network of the reader's own, and where it is given the input `x` to walk
    through it with; without one it gets the bench's numbers.
    """

    def __init__(self, layer: nn.Module, x: Any = None):
        self.layer = layer
        self.x = None if x is None else np.array(x)
        self.name = type(layer).__name__
        methods = [method for module in layer.modules() for method in (type(module).forward, type(module).backward)]
        written = {code_of(method).co_filename for method in methods}
        self.files = frozenset(file for file in written if not file.startswith(record.OURS))

    def subjects(self) -> dict[str, Subject]:
        kind = type(self.layer)
        found = {}
        for word, method, prepare in (
            ("forward", kind.forward, self._forward),
            ("backward", kind.backward, self._backward),
        ):
            name = f"{self.name}.{word}"
            name = f"your {name}" if name in SUBJECTS else name
            found[name] = Subject(name, GROUP, "", code_of(method), prepare)
        return found

    def _made(self, bench: Bench) -> tuple[nn.Module, np.ndarray, Any]:
        """The layer, an input that it takes, its output. The input is the reader's, or the
        bench's: as one image, and where the layer refuses that, row by row.
        """
        refused: Exception | None = None
        for x in (bench.x[None], rows(bench)) if self.x is None else (self.x,):
            layer = self._copy(bench)
            try:
                return layer, x, record.bounded(lambda: layer(x.copy()))  # noqa: B023 - called at once
            except record.TooLong:
                return self._copy(bench), x, None
            except REFUSALS as error:
                refused = refused or error
        raise refused or ValueError(f"{self.name} takes no input.")

    def _copy(self, bench: Bench) -> nn.Module:
        layer = copy.deepcopy(self.layer)
        for parameter in layer.parameters():
            parameter.data = parameter.data.astype(bench.dtype if self.x is None else self.x.dtype)
        return layer

    def _forward(self, bench: Bench) -> Callable[[], Any]:
        layer, x, _ = self._made(bench)
        return lambda: layer(x)

    def _backward(self, bench: Bench) -> Callable[[], Any]:
        layer, _, output = self._made(bench)
        if output is None:
            raise record.TooLong(say("own.endless", name=self.name))
        grad_output = ask.filled(None, np.shape(output), bench.setting.seed + 3).astype(output.dtype)
        return lambda: layer.backward(grad_output)

    def verdict(self, bench: Bench) -> dict[str, Any]:
        """What gradcheck says to the layer on this input."""
        try:
            layer, x, output = self._made(bench)
            if output is None:
                return {"right": False, "text": say("own.endless", name=self.name)}
            report = record.bounded(lambda: gradcheck(layer, x, max_elements=CHECKED))
        except (GradcheckError, AttributeError, *REFUSALS) as error:
            return {"right": False, "text": f"{type(error).__name__}: {error}"}
        return {"right": bool(report), "text": str(report)}


def named(words: str) -> nn.Module:
    """The layer that "FILE.py:NAME" names: a Module, or what makes one without arguments.

    Raises ValueError with a sentence where there is none.
    """
    file, _, name = words.rpartition(":")
    if not file or not name:
        raise ValueError(f"--layer {words}: expected FILE.py:NAME, such as layers.py:LeakyReLU.")
    path = Path(file).resolve()
    if not path.is_file():
        raise ValueError(f"--layer {words}: there is no file {file}.")
    made = getattr(_module(path, words), name, None)
    if made is None:
        raise ValueError(f"--layer {words}: {file} has no {name}.")
    if not isinstance(made, nn.Module) and callable(made):
        try:
            made = made()
        except TypeError as error:
            raise ValueError(
                f"--layer {words}: {name}() does not work: {error}. Write a function without arguments that "
                "makes the layer, and name that."
            ) from error
    if not isinstance(made, nn.Module):
        got = type(made).__name__
        raise ValueError(f"--layer {words}: {name} must give a minicnn.nn.Module, got {got}.")  # noqa: TRY004
    return made


def _module(path: Path, words: str) -> Any:
    """The file as a module. What it raises is its own; a ValueError says where."""
    name = f"layer_of_{path.stem}"  # hides no module of the same name
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"--layer {words}: {path.name} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ValueError(f"--layer {words}: {path.name} raised {type(error).__name__}: {error}") from error
    return module
