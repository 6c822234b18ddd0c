"""Layers of a Sequential that work as one: nobody can tell, but by the time it takes."""

import copy
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicnn import nn, optim, use_backend
from minicnn.nn import block
from minicnn.nn.watch import watch
from tests.support.strategies import seeds

pytestmark = pytest.mark.usefixtures("backend")


class Apart(nn.ReLU):
    """A ReLU of a class of its own, which no block takes."""


Apart.__name__ = "ReLU"  # so that errors read the same


def images(seed, N=3, C=2, H=9, W=10):
    return np.random.default_rng(seed).standard_normal((N, C, H, W), np.float32)


def network(relu=nn.ReLU, seed=0, **options):
    """Two blocks of three layers, and one of two."""
    layers = [nn.Conv2d(2, 4, 3, padding=1, **options), relu(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(4, 6, 3, padding=1, **options), relu(), nn.MaxPool2d(2, ceil_mode=True)]
    layers += [nn.Flatten(), nn.Linear(6 * 2 * 3, 5), relu(), nn.Linear(5, 3)]
    rng = np.random.default_rng(seed)
    for layer in layers:
        for parameter in layer.parameters():
            parameter.data = rng.standard_normal(parameter.shape, np.float32)
    return nn.Sequential(*layers)


def twins(seed=0, **options):
    """The same network, with blocks and without."""
    return network(nn.ReLU, seed, **options), network(Apart, seed, **options)


def results(model, x, grad_output):
    output = model(x)
    grad_input = model.backward(grad_output)
    return [output, grad_input, *[parameter.grad for parameter in model.parameters()]]


def bits(arrays):
    return [None if array is None else array.tobytes() for array in arrays]


def test_the_patterns_are_found_and_nothing_else():
    together, apart = twins()
    kinds = [type(step).__name__ for step in block.steps(list(together))]
    assert kinds == ["ConvBlock", "ConvBlock", "Flatten", "LinearBlock", "Linear"]
    assert block.steps(list(apart)) == list(apart)


@given(seeds, st.booleans(), st.booleans())
def test_all_numbers_are_those_of_the_layers_one_by_one(seed, bias, input_grad):
    rng = np.random.default_rng(seed)
    x = images(seed)
    grad_output = rng.standard_normal((3, 3), np.float32)
    found = []
    for model in twins(seed, bias=bias):
        model[0].needs_input_grad = input_grad
        model[3].weight.requires_grad = bias
        found.append(bits([*results(model, x, grad_output), *results(model, x, grad_output)]))  # grads add up
        model.eval()
        found[-1].append(model(x).tobytes())
    assert found[0] == found[1]


def test_a_layer_of_a_block_goes_backward_by_itself_too():
    x = images(1)
    grad_output = np.random.default_rng(1).standard_normal((3, 3), np.float32)
    together, apart = twins()
    expected = results(apart, x, grad_output)
    output = together(x)
    grad = grad_output
    for layer in reversed(together):
        grad = layer.backward(grad)
    assert bits([output, grad, *[parameter.grad for parameter in together.parameters()]]) == bits(expected)


def test_relus_output_is_not_computed_again_from_other_weights():
    model = network()
    model(images(0))
    for parameter in model.parameters():
        parameter.grad = np.ones_like(parameter.data)
    optim.SGD(model.parameters(), lr=0.1).step()
    with pytest.raises(RuntimeError, match=re.escape("ReLU.backward was called by itself, but its output is not")):
        model[1].backward(np.ones((3, 4, 9, 10), np.float32))


def step(model):
    for parameter in model.parameters():
        parameter.grad = np.ones_like(parameter.data)
    optim.SGD(model.parameters(), lr=0.1).step()


GRAD = np.ones((3, 3), np.float32)


def called_again(model):
    model(images(0))
    model[3](images(0, C=4))
    model.backward(GRAD)


def backward_twice(model):
    model(images(0))
    model.backward(GRAD)
    model.backward(GRAD)


def after_a_step(model):
    model(images(0))
    step(model)
    model.backward(GRAD)


def in_eval_mode(model):
    model.eval()(images(0))
    model.backward(GRAD)


def after_an_error(model):
    model(images(0))
    with pytest.raises(RuntimeError):
        model(images(0, C=3))
    model.backward(GRAD)


def of_another_shape(model):
    part = model[:3]
    part(images(0))
    part.backward(np.ones((3, 4, 4, 6), np.float32))


def of_another_dtype(model):
    part = model[:3]
    part(images(0))
    part.backward(np.ones((3, 4, 4, 5), np.float64))


MISTAKES = {
    "backward first": lambda model: model.backward(GRAD),
    "backward twice": backward_twice,
    "a layer called on its own": called_again,
    "a step between": after_a_step,
    "eval": in_eval_mode,
    "an error between": after_an_error,
    "another shape": of_another_shape,
    "another dtype": of_another_dtype,
    "no array": lambda model: model([1, 2]),
    "other channels": lambda model: model(images(0, C=3)),
    "integers": lambda model: model(np.ones((3, 2, 9, 10), np.int64)),
    "float64": lambda model: model(np.ones((3, 2, 9, 10))),
    "too small": lambda model: model(images(0, H=1)),
    "too many pixels": lambda model: model(images(0, H=20)),
    "two dimensions": lambda model: model(np.ones((9, 10), np.float32)),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_the_same_sentence(mistake):
    sentences = []
    for model in twins():
        with pytest.raises(Exception, match=r"\w") as error:
            MISTAKES[mistake](model)
        sentences.append((error.type, str(error.value)))
    assert sentences[0] == sentences[1]


@pytest.mark.parametrize(
    "x",
    [images(0)[0], images(0)[:0], images(0).astype(">f4"), images(0)[..., ::-1], images(0).view(np.memmap)],
    ids=["one image", "no image", "other bytes", "backwards", "a subclass"],
)
def test_inputs_of_any_kind_give_what_they_give_one_by_one(x):
    together, apart = (model[:3] for model in twins())
    output = together(x)
    grad_output = np.ones_like(output)
    assert bits([output, *results(together, x, grad_output)]) == bits([apart(x), *results(apart, x, grad_output)])


def test_whoever_watches_sees_each_layer():
    seen = {}
    for key, model in zip(("together", "apart"), twins(), strict=True):
        calls = []
        watch(model, images(0), leaving=calls.append)
        seen[key] = [(call.name, bits(call.outputs)) for call in calls]
    assert len(seen["together"]) == 11
    assert seen["together"] == seen["apart"]


def test_a_patched_layer_is_called():
    model = network()
    model[1].forward = lambda x: x * 0
    assert not model[:3](images(0)).any()


def test_a_copy_taken_between_forward_and_backward_goes_backward_too():
    model = network()
    model(images(0))
    other = copy.deepcopy(model)
    model.backward(GRAD)
    other.backward(GRAD)
    assert bits(p.grad for p in model.parameters()) == bits(p.grad for p in other.parameters())


def test_another_kernel_set_may_do_the_backward():
    model = network()
    for forward, backward in (("numpy", "numba"), ("numba", "numpy")):
        model.zero_grad()
        with use_backend(forward):
            model(images(0))
        with use_backend(backward):
            model.backward(GRAD)
        assert all(np.isfinite(parameter.grad).all() for parameter in model.parameters())
