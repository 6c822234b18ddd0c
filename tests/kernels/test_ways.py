"""Which way a product goes; each is right; and random configurations reach them."""

import numpy as np
import pytest
from hypothesis import find, settings

from minicnn import geometry
from minicnn.kernels import numba_fast, numpy_textbook
from minicnn.kernels.numba_fast import convolution, depthwise, ways
from minicnn.kernels.numba_fast.operands.lowering import without_idle_strides
from tests.support import strategies

MANY = settings(max_examples=2000, database=None, deadline=None)  # a tenth of those of the deep profile

# A layer, its image, and whether each product (output, gradient to the input, to the
# weights) is one of scattered matrices where grad_output has no zeros.
LAYERS = {
    "ResNet-20, deepest": ((64, 64, 3, 3), 8, 1, 1, 1, (True, True, False)),
    "VGG-16, deepest": ((512, 512, 3, 3), 14, 1, 1, 1, (True, True, True)),
    "VGG-16, widest": ((512, 256, 3, 3), 28, 1, 1, 1, (False, False, False)),
    "AlexNet, widest": ((384, 256, 3, 3), 13, 1, 1, 1, (True, False, False)),
    "GoogLeNet, 5 x 5": ((128, 48, 5, 5), 7, 1, 2, 1, (True, False, False)),
    "ResNet-50, deepest": ((512, 512, 3, 3), 7, 1, 1, 1, (True, True, True)),
    "U-Net, widest": ((1024, 512, 3, 3), 32, 1, 0, 1, (False, True, True)),
    "FCN-8s, score": ((21, 512, 1, 1), 34, 1, 0, 1, (False, False, True)),
    "DeepLabv3, dilation 4": ((512, 512, 3, 3), 28, 1, 4, 4, (True, True, True)),
    "the notebook's second": ((64, 32, 3, 3), 14, 1, 1, 1, (False, False, False)),
}


def geometry_of(name, N=8, groups=1):
    weight, size, stride, padding, dilation, _ = LAYERS[name]
    C = weight[1] * groups
    return without_idle_strides(geometry.conv2d((N, C, size, size), weight, stride, padding, dilation, groups))


def taken(g):
    return ways.scatters_output(g), ways.scatters_grad_input(g, False), ways.scatters_grad_weight(g, False)


@pytest.mark.parametrize("name", LAYERS)
def test_the_geometry_alone_says_which_way_a_layer_of_a_known_network_goes(name):
    assert taken(geometry_of(name)) == LAYERS[name][-1]
    assert taken(geometry_of(name, N=1)) == LAYERS[name][-1], "the batch has no say"
    groups = 3 if name == "FCN-8s, score" else 2
    assert taken(geometry_of(name, groups=groups)) == (False, False, False)


@pytest.mark.parametrize(
    ("weight", "image", "arguments"),
    [
        ((64, 512, 3, 3), (3, 3), (1, 1, 1)),  # patches of many channels
        ((16, 512, 1, 1), (16, 16), (1, 0, 1)),  # the same, 1 x 1
        ((64, 128, 2, 2), (4, 5), (1, 0, 2)),  # dilated patches
        ((64, 3, 3, 3), (8, 8), (1, 1, 1)),  # a small image
        ((256, 256, 1, 2), (4, 20), (1, 0, 3)),  # dilated, many channels
        ((1024, 256, 1, 2), (9, 30), (1, 0, 1)),  # very many
    ],
)
def test_each_rule_takes_a_way_that_is_exact_on_integers(weight, image, arguments):
    g = geometry.conv2d((2, weight[1], *image), weight, *arguments)
    assert any(taken(without_idle_strides(g)))
    rng = np.random.default_rng(0)
    shapes = g.input_shape, g.weight_shape, (g.O,), g.output_shape
    x, w, bias, grad = (rng.integers(-3, 4, shape).astype(np.float32) for shape in shapes)
    for name, given in (
        ("conv2d", (x, w, bias, g)),
        ("conv2d_grad_input", (grad, w, g)),
        ("conv2d_grad_weight", (grad, x, g)),
    ):
        found = getattr(numba_fast, name)(*given)
        np.testing.assert_array_equal(found, getattr(numpy_textbook, name)(*given), name, strict=True)


def conv_of(case):
    shape = case.input if len(case.input) == 4 else (1, *case.input)
    return without_idle_strides(geometry.conv2d(shape, case.weight, **case.arguments))


WAYS = {
    "depthwise": depthwise.is_depthwise,
    "the output by scattered matrices": ways.scatters_output,
    "the output by lowering": lambda g: not depthwise.is_depthwise(g) and not ways.scatters_output(g),
    "the gradient to the input by scattered matrices": lambda g: ways.scatters_grad_input(g, False),
    "the same where zeros might be skipped": lambda g: (
        ways.scatters_grad_input(g, False) and not ways.scatters_grad_input(g, True)
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_random_convolutions_reach_each_way_that_needs_no_64_channels(way):
    find(strategies.convolutions(), lambda case: WAYS[way](conv_of(case)), settings=MANY)


def test_both_gradients_ask_for_zeros_before_they_choose(monkeypatch):
    asked = []
    monkeypatch.setattr(convolution, "skips", lambda *given: asked.append(given[-1]) or False)
    g = geometry_of("the notebook's second", N=1)
    grad = np.ones(g.output_shape, np.float32)
    numba_fast.conv2d_grad_input(grad, np.ones(g.weight_shape, np.float32), g)
    numba_fast.conv2d_grad_weight(grad, np.ones(g.input_shape, np.float32), g)
    assert asked == [ways.DENSE_INPUT, ways.DENSE_WEIGHT]
