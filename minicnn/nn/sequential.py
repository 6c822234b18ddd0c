"""Layers one after the other: forward in order, backward in the opposite order.

That is the chain rule.
"""

import operator
from collections.abc import Iterator, Mapping
from typing import Any, overload

from . import block, passes
from .module import Module


class Sequential(Module):
    """The composition of modules: Sequential(a, b)(x) = b(a(x)).

    The gradient of b(a(x)) is b's gradient, passed on through a; so backward walks from
    the last layer to the first. Takes modules, or one mapping name -> module; indexing
    with an int gives a layer, with a slice a Sequential.

        input   what the first layer takes      output  what the last layer gives

    >>> import numpy as np
    >>> from minicnn.nn import ReLU, Tanh
    >>> model = Sequential(ReLU(), Tanh())
    >>> model(np.array([-1.0, 0.0, 1000.0]))
    array([0., 0., 1.])
    >>> model.backward(np.ones(3))  # tanh' is 1 at 0, but ReLU lets nothing pass there
    array([0., 0., 0.])
    >>> model[-1], len(model)
    (Tanh(), 2)

    Cost: that of the layers, nothing more. Often believed: the order of the layers is a
    matter of taste. In fact ReLU before a convolution is another network than after it.
    (Pooling before ReLU gives the same numbers as after it, as both keep order, for a
    quarter of the work.) Raises TypeError for what is not a Module, KeyError for a name
    that cannot be an attribute's, IndexError for an index outside the layers.
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Sequential.html
    """

    def __init__(self, *modules: Module | Mapping[str, Module]):
        named = modules[0] if len(modules) == 1 and isinstance(modules[0], Mapping) else dict(enumerate(modules))
        for name, module in named.items():
            self._add(str(name), module)

    def _add(self, name: str, module: Any) -> None:
        if not isinstance(module, Module):
            raise TypeError(f"Sequential: layer {name} must be a Module, got {type(module).__name__}: {module!r}.")
        if hasattr(Module, name) or not name or "." in name:
            raise KeyError(
                f"Sequential: {name!r} cannot name a layer: it must not be empty, hold a dot or hide a method."
            )
        setattr(self, name, module)

    def append(self, module: Module) -> "Sequential":
        """Add a layer at the end, named by its number. Returns self."""
        self._add(str(len(self)), module)
        return self

    def forward(self, x: Any) -> Any:
        """Each layer's output is the next one's input. What may work as one does (`block`)."""
        layers = list(self)
        stands_twice = len(set(layers)) < len(layers)
        for step in layers if stands_twice else block.steps(layers):
            x = step(x)
        return x

    def backward(self, grad_output: Any, input_grad: bool = True) -> Any:
        """Each layer's grad_input is the grad_output of the one before it.

        A training never asks for the gradient with respect to the pixels. With
        `input_grad=False` it is left out, and None returned: the way back ends at the first
        layer that learns. That saves a fifth of SimpleCNN's training step.
        """
        if self.needs_following():  # each call of a layer that stands twice has been noted
            grad_input = super().backward(grad_output)
            return grad_input if input_grad else None
        first = None if input_grad else self.first_that_learns()
        with passes.without_input_grad(first):
            for step in reversed(block.steps(list(self))):
                if grad_output is None:
                    break
                grad_output = step.backward(grad_output)
        return grad_output if input_grad else None

    def first_that_learns(self) -> Module | None:
        """The first layer with a parameter that is not frozen, if nothing stands around it
        that needs its grad_input, such as a sum.
        """
        for layer in self:
            if any(parameter.requires_grad for parameter in layer.parameters()):
                if isinstance(layer, Sequential):
                    return layer.first_that_learns()
                return None if any(layer.children()) else layer
        return None

    def needs_following(self) -> bool:
        """Whether a layer stands twice, so that it keeps something for each call."""
        modules = list(self.children())
        return len(set(modules)) < len(modules)

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __len__(self) -> int:
        return sum(1 for _ in self.children())

    @overload
    def __getitem__(self, index: int) -> Module: ...

    @overload
    def __getitem__(self, index: slice) -> "Sequential": ...

    def __getitem__(self, index: int | slice) -> Module:
        if isinstance(index, slice):
            return Sequential(dict(list(self.named_children())[index]))
        if not -len(self) <= operator.index(index) < len(self):
            raise IndexError(f"Sequential: layer {index} does not exist, there are {len(self)}.")
        return list(self.children())[index]
