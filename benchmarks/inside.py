"""Where the time of a training step goes, by clocks inside it.

While it is measured, each layer's forward and backward, each block of layers that work as
one (`minicnn.nn.block`), the loss and the optimiser, each function of the kernel set, and
each compiled function below it has a clock. A clock takes 0.2 microseconds, some hundred of
them work in a step, and what they take counts as Python.

Three times that lie within each other:

    the step      the README's plain loop: zero_grad, forward, loss, backward, Adam
    in kernels    inside functions of the kernel set (`minicnn.kernels.vocabulary`)
    compiled      inside compiled functions, on the thread that asks. Unpacking the arguments
                  and waiting for the other threads counts. In the Numba set alone.

So Python's share is the step less what is compiled: the loop, the layers' checks, and the
kernels' own geometry, new arrays and the publishing of jobs. In the other sets nothing
of ours is compiled, and it is the step less what is in kernels.

What disturbs a step only adds to its time, so the means are those of the quicker half of
the steps.
"""

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any
from unittest import mock

import minicnn
from minicnn import kernels, nn
from minicnn.kernels.vocabulary import NAMES
from minicnn.models import SimpleCNN
from minicnn.nn import block
from minicnn.optim import Adam

from .work import Step

Key = tuple[str, str]  # whose, and which pass


@dataclass
class Part:
    """A layer's forward or backward in one step, without what others of this table do
    inside it.
    """

    seconds: float = 0.0
    in_kernels: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)  # of each kernel


@dataclass
class Clocks:
    """The clocks of one step."""

    parts: dict[Key, Part] = field(default_factory=dict)
    compiled: float = 0.0
    whole: float = 0.0

    @property
    def in_kernels(self) -> float:
        return sum(part.in_kernels for part in self.parts.values())

    @property
    def rest(self) -> float:
        """The loop itself, outside of all parts."""
        return self.whole - sum(part.seconds for part in self.parts.values())


class Watch:
    """Puts clocks into functions; `clocks` are those of the step under way."""

    def __init__(self) -> None:
        self.clocks = Clocks()
        self.open: list[list] = [[("the loop", ""), 0.0]]  # whose part it is; seconds of the parts inside it
        self.in_kernel = False
        self.thread = threading.get_ident()

    def part(self, function: Callable, key_of: Callable[[Any], Key]) -> Callable:
        """A method whose time is a row of the table."""

        def clocked(owner: Any, *args: Any, **kwargs: Any) -> Any:
            key = key_of(owner)
            self.open.append([key, 0.0])
            started = time.perf_counter()
            try:
                return function(owner, *args, **kwargs)
            finally:
                took = time.perf_counter() - started
                _, inside = self.open.pop()
                self.open[-1][1] += took
                self.clocks.parts.setdefault(key, Part()).seconds += took - inside

        return clocked

    def kernel(self, function: Callable, name: str) -> Callable:
        """A function of the kernel set; one that another calls is part of that one."""

        def clocked(*args: Any, **kwargs: Any) -> Any:
            if self.in_kernel:
                return function(*args, **kwargs)
            self.in_kernel = True
            started = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                took = time.perf_counter() - started
                self.in_kernel = False
                part = self.clocks.parts.setdefault(self.open[-1][0], Part())
                part.in_kernels += took
                part.calls[name] += 1

        return clocked

    def compiled(self, function: Callable) -> Callable:
        """A compiled function, which other threads run too; they have no clock."""

        def clocked(*args: Any) -> Any:
            if threading.get_ident() != self.thread:
                return function(*args)
            started = time.perf_counter()
            try:
                return function(*args)
            finally:
                self.clocks.compiled += time.perf_counter() - started

        return clocked

    @contextmanager
    def everywhere(self, backend: str, model: nn.Module, criterion: nn.Module, optimizer: Adam) -> Iterator[None]:
        """All clocks, while the block runs. Everything has to be compiled by then."""
        names = {id(module): name for name, module in model.named_modules()} | {id(criterion): "loss"}
        names |= {id(optimizer): "optimizer"}

        def key(which: str) -> Callable[[Any], Key]:
            def key_of(owner: Any) -> Key:
                layers = owner if isinstance(owner, tuple) else (owner,)  # a block is several
                places = dict.fromkeys(names.get(id(layer), "") for layer in (layers[0], layers[-1]))
                kinds = ", ".join(type(layer).__name__ for layer in layers)
                return f"{' to '.join(places)} {kinds}".strip(), which

            return key_of

        with ExitStack() as stack:

            def replace(owner: Any, name: str, made: Callable) -> None:
                stack.enter_context(mock.patch.object(owner, name, made))

            for kind in {type(module) for module in (*model.modules(), criterion)}:
                for which in ("forward", "backward"):
                    replace(kind, which, self.part(getattr(kind, which), key(which)))
            for kind in (block.ConvBlock, block.LinearBlock):
                replace(kind, "__call__", self.part(kind.__call__, key("forward")))
                replace(kind, "backward", self.part(kind.backward, key("backward")))
            for which in ("step", "zero_grad"):
                replace(Adam, which, self.part(getattr(Adam, which), key(which)))
            kernel_set = set_of(backend)
            for name in NAMES:
                replace(kernel_set, name, self.kernel(getattr(kernel_set, name), name))
            for module, name, function in compiled_functions() if backend == "numba" else ():
                replace(module, name, self.compiled(function))
            yield


def set_of(backend: str) -> ModuleType:
    with minicnn.use_backend(backend):
        return kernels.current()


def compiled_functions() -> Iterator[tuple[ModuleType, str, Callable]]:
    """Wherever a module of the Numba set has a name for one."""
    from numba.core.dispatcher import Dispatcher

    for path, module in list(sys.modules.items()):
        if path.startswith("minicnn.kernels.numba_fast"):
            for name, value in list(vars(module).items()):
                if isinstance(value, Dispatcher):
                    yield module, name, value


def steps(backend: str, step: Step, count: int, warm: int = 5) -> list[Clocks]:
    """The clocks of each of `count` training steps, after `warm` steps without.

    `backend` is one of "numpy", "numba", "torch"; torch's kernels compute on the CPU.
    """
    with minicnn.use_backend(backend):
        images, labels = step.data()
        model, criterion = SimpleCNN(), nn.CrossEntropyLoss()
        model.load_state_dict(step.weights())
        if backend == "torch":
            import torch

            model.to(torch.device("cpu"))
            images, labels = torch.from_numpy(images), torch.from_numpy(labels)
        optimizer = Adam(model.parameters(), lr=step.lr)

        def run() -> None:
            optimizer.zero_grad()
            criterion(model(images), labels)
            model.backward(criterion.backward(), input_grad=False)
            optimizer.step()

        for _ in range(warm):
            run()
        found = []
        watch = Watch()
        with watch.everywhere(backend, model, criterion, optimizer):
            for _ in range(count):
                watch.clocks = Clocks()
                started = time.perf_counter()
                run()
                watch.clocks.whole = time.perf_counter() - started
                found.append(watch.clocks)
    return found


def mean(found: list[Clocks]) -> Clocks:
    """Of the quicker half of the steps; calls are those of one step."""
    quick = sorted(found, key=lambda clocks: clocks.whole)[: (len(found) + 1) // 2]
    n = len(quick)
    parts = {}
    for key, part in quick[0].parts.items():
        every = [clocks.parts.get(key, Part()) for clocks in quick]
        parts[key] = Part(
            seconds=sum(one.seconds for one in every) / n,
            in_kernels=sum(one.in_kernels for one in every) / n,
            calls=part.calls,
        )
    return Clocks(
        parts=parts,
        compiled=sum(clocks.compiled for clocks in quick) / n,
        whole=sum(clocks.whole for clocks in quick) / n,
    )


def share_of_python(backend: str, clocks: Clocks) -> float:
    """Of the step's time; see above."""
    work = clocks.compiled if backend == "numba" else clocks.in_kernels
    return 1 - work / clocks.whole
