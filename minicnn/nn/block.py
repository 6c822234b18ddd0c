"""Layers of a Sequential that work as one: Conv2d, ReLU, MaxPool2d; and Linear, ReLU.

A kernel that knows of all three need not write down what lies between: ReLU's input and
output, and the two gradients of that size, most of whose numbers are 0. So Sequential
calls such a block instead of its layers, if nobody wants to see what passes between them:
none of them is watched (`nn.watch`), or of a class of its own. All numbers are those of
the layers one by one, to the bit.

Each layer keeps its part of one common forward. Together they go back in one step. A
layer whose backward is called by itself gets what its own forward would have kept; ReLU's
output is computed again for that, unless an optimizer has changed the weights meanwhile.
"""

from typing import Any, NamedTuple

from . import passes
from .convolution import Conv2d
from .functional import block as F
from .functional.links import follower
from .linear import Linear
from .module import Module
from .pointwise import ReLU
from .pooling import MaxPool2d


def steps(layers: list[Any]) -> "list[Module | ConvBlock | LinearBlock]":
    """The same, with blocks for the layers that may work as one."""
    kinds = [type(layer) for layer in layers]
    found: list[Module | ConvBlock | LinearBlock] = []
    at = 0
    while at < len(layers):
        if kinds[at : at + 3] == [Conv2d, ReLU, MaxPool2d]:
            found.append(ConvBlock(*layers[at : at + 3]))
            at += 3
        elif kinds[at : at + 2] == [Linear, ReLU]:
            found.append(LinearBlock(*layers[at : at + 2]))
            at += 2
        else:
            found.append(layers[at])
            at += 1
    return found


def _alone(*layers: Module) -> bool:
    """Whether nobody sees or changes what passes between these layers."""
    if follower.get() is not None:
        return False
    keeps = passes.keeps(layers[0])
    for layer in layers:
        own = vars(layer)
        if "forward" in own or "backward" in own or passes.keeps(layer) != keeps:
            return False
    return True


class Together(NamedTuple):
    """What the three layers of a ConvBlock keep of their common forward.

    Called with one of them, it gives what that layer would have kept by itself.
    """

    block: "ConvBlock"
    pooled: F.Pooled
    options: dict[str, Any]
    window: tuple[Any, ...]
    versions: list[int]  # of the convolution's parameters

    def __call__(self, layer: Module) -> tuple[Any, ...]:
        conv = self.block.conv
        if layer is conv:
            return self.pooled.x, self.options, None
        if layer is self.block.pool:
            return F.places(self.pooled), self.pooled.g.output_shape, self.window
        if self.versions != passes.versions(conv):
            raise RuntimeError(
                f"ReLU.backward was called by itself, but its output is not there any more, and the parameters of "
                f"{conv!r} before it have changed since forward: call forward again after optimizer.step() or "
                "load_state_dict()."
            )
        return (F.activation(self.pooled, conv.weight.data, _data(conv.bias)),)


class ConvBlock(NamedTuple):
    """Conv2d, ReLU and MaxPool2d."""

    conv: Conv2d
    relu: ReLU
    pool: MaxPool2d

    def __call__(self, x: Any) -> Any:
        """pool(relu(conv(x)))."""
        conv = self.conv
        pooled = None
        if _alone(*self) and conv.padding_mode == "zeros" and not self.pool.return_indices:
            options = {name: getattr(conv, name) for name in ("stride", "padding", "dilation", "groups")}
            pooled = F.conv_block(x, conv.weight.data, _data(conv.bias), options, self.pool.window)
        if pooled is None:
            return _one_by_one(self, x)
        together: Any = ()
        if passes.keeps(conv):
            together = Together(self, pooled, options, self.pool.window, passes.versions(conv))
        for layer in self:
            passes.keep(layer, together)
        return pooled.output

    def backward(self, grad_output: Any) -> Any:
        """The gradients of all three."""
        kept = self.conv.kept_for_backward
        together: Any = kept.values if kept is not None else None
        common = isinstance(together, Together) and _alone(*self) and F.fits(grad_output, together.pooled)
        if not common:
            return _backward_one_by_one(self, grad_output)
        for layer in reversed(self):
            passes.take(layer)  # or an error
        weight, bias = self.conv.weight, self.conv.bias
        grad_input, grad_weight, grad_bias = F.conv_block_backward(
            grad_output,
            together.pooled,
            weight.data,
            needs_input_grad=self.conv.needs_input_grad,
            needs_bias_grad=bias is not None and bias.requires_grad,
            needs_weight_grad=weight.requires_grad,
        )
        weight.accumulate(grad_weight)
        if bias is not None:
            bias.accumulate(grad_bias)
        return grad_input


class LinearBlock(NamedTuple):
    """Linear and ReLU: nothing is saved but checks and calls."""

    linear: Linear
    relu: ReLU

    def __call__(self, x: Any) -> Any:
        """relu(linear(x))."""
        output = None
        if _alone(*self):
            output = F.linear_block(x, self.linear.weight.data, _data(self.linear.bias))
        if output is None:
            return _one_by_one(self, x)
        passes.keep(self.linear, (x,))
        passes.keep(self.relu, (output,))
        return output

    def backward(self, grad_output: Any) -> Any:
        """The gradients of both."""
        return _backward_one_by_one(self, grad_output)


def _one_by_one(layers: tuple[Module, ...], x: Any) -> Any:
    for layer in layers:
        x = layer(x)
    return x


def _backward_one_by_one(layers: tuple[Module, ...], grad_output: Any) -> Any:
    for layer in reversed(layers):
        grad_output = layer.backward(grad_output)
    return grad_output


def _data(bias: Any) -> Any:
    return None if bias is None else bias.data
