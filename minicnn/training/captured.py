"""A training step as one launch: CUDA graphs.

At batch 64 a GPU computes SimpleCNN faster than Python can ask for it: a step launches some
hundred kernels, and each launch takes the CPU longer than the kernel takes the GPU. A CUDA
graph notes the launches of a whole step down, once, and launches them all together. It repeats
the same kernels on the same memory, and from this follow the rules of this file:

    inputs      are copied into buffers that stay; each shape of batch has its own graph, and
                so has the smaller last one of an epoch
    numbers     that change from step to step are read on the device: Adam's step count and the
                learning rate. A Python number would stay as it was when the graph was made
    parameters  and Adam's averages lie in three vectors that never move
    Python      runs while the graph is made, not when it is repeated; so a step that draws
                random numbers on the CPU, or looks at a value, cannot be captured

The first steps of each shape are launched one by one, as torch asks: libraries set themselves
up in them. They are steps like all others, so nothing is learnt twice.

Not yet run on a GPU. The tests run everything but `CudaGraphs` on the CPU, with a stand-in that
notes operations down and repeats them without Python, too.
https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch

from ..kernels import kernels_for
from ..nn import Parameter
from ..optim import Adam
from .processes import Processes

WARM_UP = 3  # calls of each shape before its graph is made

Function = Callable[..., tuple[torch.Tensor, ...]]


class Graphs(Protocol):
    """How a function's work is noted down and repeated."""

    def launch(self, function: Callable[[], None]) -> None:
        """Run function() as it is, before its graph is made."""

    def capture(self, function: Callable[[], None]) -> Callable[[], None]:
        """What repeats all that function() does on tensors. Nothing is computed yet."""


class CudaGraphs:
    """torch's CUDA graphs, on the GPU in use. This class alone needs one."""

    def launch(self, function: Callable[[], None]) -> None:
        """On a stream of its own, as torch demands of what is captured afterwards."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            function()
        torch.cuda.current_stream().wait_stream(stream)

    def capture(self, function: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            function()
        return graph.replay


class _Shape:
    """One shape of inputs: the buffers, how often it was called, and its graph."""

    def __init__(self, inputs: Sequence[torch.Tensor]):
        self.inputs = [torch.empty_like(x, memory_format=torch.contiguous_format) for x in inputs]
        self.outputs: tuple[torch.Tensor, ...] = ()
        self.calls = 0
        self.replay: Callable[[], None] | None = None


class Captured:
    """function(*tensors) -> tensors, from the fourth call with the same shapes on as one graph.

    The outputs are copies, which later calls leave alone.
    """

    def __init__(self, function: Function, graphs: Graphs):
        self.function = function
        self.graphs = graphs
        self.shapes: dict[Any, _Shape] = {}

    def __call__(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        key = tuple((x.shape, x.dtype) for x in inputs)
        shape = self.shapes.get(key) or self.shapes.setdefault(key, _Shape(inputs))
        for buffer, x in zip(shape.inputs, inputs, strict=True):
            buffer.copy_(x)

        def run() -> None:
            shape.outputs = self.function(*shape.inputs)

        shape.calls += 1
        if shape.calls <= WARM_UP:
            self.graphs.launch(run)
        else:
            if shape.replay is None:
                shape.replay = self.graphs.capture(run)
            shape.replay()
        return tuple(output.clone() for output in shape.outputs)


class FlatAdam:
    """Adam on all parameters as one vector, with its numbers on the device.

    Adam treats each number by itself, so it does not matter where a parameter ends; and one
    vector takes a dozen kernels a step where eight parameters take a hundred. The parameters
    and the averages in `optimizer.state` become views of the vectors, so that the model and
    `state_dict()` are as they were.

    Takes an Adam with one group, whose parameters have all made the same number of steps.
    """

    def __init__(self, optimizer: Adam):
        (self.group,) = optimizer.param_groups
        self.parameters: list[Parameter] = [one for one in self.group["params"] if one.requires_grad]
        states = [optimizer.state.get(parameter) for parameter in self.parameters]
        done = float(states[0]["step"]) if states[0] else 0.0
        self.count = np.array(done, np.float32)  # what state_dict() shows
        self.data = torch.cat([parameter.data.reshape(-1) for parameter in self.parameters])
        self.grad = torch.zeros_like(self.data)
        self.averages = {}
        for name in sorted(optimizer.needed(self.group) - {"step"}):
            parts = [state[name].reshape(-1) for state in states if state]
            self.averages[name] = torch.cat(parts) if parts else torch.zeros_like(self.data)
        for parameter, part in zip(self.parameters, self.views(self.data), strict=True):
            parameter.data = part
            optimizer.state[parameter] = {"step": self.count}
        for name, vector in self.averages.items():
            for parameter, part in zip(self.parameters, self.views(vector), strict=True):
                optimizer.state[parameter][name] = part
        # float64, as Python's numbers are; without dimensions, so that results keep their dtype
        self.step_count = self.data.new_full((), done, dtype=torch.float64)
        self.lr = self.data.new_full((), self.group["lr"], dtype=torch.float64)
        self.known_lr = self.group["lr"]

    def views(self, vector: torch.Tensor) -> list[torch.Tensor]:
        """The part of each parameter, in its shape."""
        parts = vector.split([parameter.size for parameter in self.parameters])
        return [part.view(parameter.shape) for part, parameter in zip(parts, self.parameters, strict=True)]

    def begin_step(self) -> None:
        """What the CPU does before each step: nothing that waits for the device."""
        self.count += np.float32(1)
        if self.group["lr"] != self.known_lr:  # a schedule has changed it
            self.known_lr = self.group["lr"]
            self.lr.fill_(self.known_lr)

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    def gather(self) -> None:
        """The parameters' gradients, into the vector."""
        torch.cat([parameter.grad.reshape(-1) for parameter in self.parameters], out=self.grad)

    def step(self) -> None:
        """The update that `Adam.step` makes, on the device alone."""
        self.step_count += 1
        beta1, beta2 = self.group["betas"]
        kernels: Any = kernels_for(self.data)  # the torch set, which takes tensors for numbers
        kernels.adam(
            self.data,
            self.grad,
            self.averages["exp_avg"],
            self.averages["exp_avg_sq"],
            self.averages.get("max_exp_avg_sq"),
            self.step_count,
            self.lr,
            beta1,
            beta2,
            self.group["eps"],
            self.group["weight_decay"],
            self.group["maximize"],
            self.group["decoupled_weight_decay"],
        )


class CapturedSteps:
    """What a training does with a batch, captured: `learn` from it, or `check` the answers.

    `learn_from(images, targets)` is forward and backward, `answer(images, targets)` forward
    alone; both return tensors of one number each, the mean loss and how many are right.

    One process has the whole step in one graph. Of several, each has two, and between them the
    gradients are averaged, one message of all of them. It does not overlap with backward: that
    would cut the step into more launches, to hide a message of 0.9 MB, some 20 microseconds
    between GPUs that NVLink joins (estimated, not yet measured).
    """

    def __init__(
        self,
        learn_from: Function,
        answer: Function,
        optimizer: Adam,
        processes: Processes,
        graphs: Graphs,
    ):
        self.adam = FlatAdam(optimizer)
        self.processes = processes
        self.learn_from = learn_from
        self.check = Captured(answer, graphs)
        self._first = Captured(self._step if processes.size == 1 else self._gradients, graphs)
        self._second = Captured(self._update, graphs)

    def learn(self, images: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Mean loss and number of right answers, still on the device."""
        self.adam.begin_step()
        found = self._first(images, targets)
        if self.processes.size > 1:
            self.adam.grad.copy_(self.processes.mean(self.adam.grad, len(targets)))
            self._second()
        return found

    def _step(self, images: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = self._gradients(images, targets)
        self.adam.step()
        return found

    def _gradients(self, images: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.adam.zero_grad()
        found = self.learn_from(images, targets)
        self.adam.gather()
        return found

    def _update(self) -> tuple[torch.Tensor, ...]:
        self.adam.step()
        return ()
