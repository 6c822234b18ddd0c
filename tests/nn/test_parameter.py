"""Parameter: frozen or learnt, as an array for others, shared by two layers; and what
cannot be assigned.
"""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minicnn
from minicnn import nn, optim
from minicnn.saved import checkpoints
from tests.nn.test_layers import layers, torch_arguments
from tests.support import strategies
from tests.support.oracle import assert_identical, torch

pytestmark = pytest.mark.usefixtures("backend")


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def network():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.ConvTranspose2d(2, 1, 2), nn.Flatten(), nn.Linear(25, 3))


def gradients(model, x, grad_output):
    model.zero_grad()
    output = model(x)
    grad_input = model.backward(grad_output[: len(output)])
    return grad_input, {name: parameter.grad for name, parameter in model.named_parameters()}


# ------------------------------------------------------------------------------- frozen


@given(strategies.seeds, st.sets(st.integers(0, 5)))
def test_a_frozen_parameter_gets_no_gradient_and_all_others_the_same(seed, frozen):
    model, x, grad_output = network(), normal(seed, 4, 1, 6, 6), normal(seed + 1, 4, 3)
    all_input, everything = gradients(model, x, grad_output)
    for number in frozen:
        list(model.parameters())[number].requires_grad = False
    grad_input, found = gradients(model, x, grad_output)
    assert_identical(grad_input, all_input)
    for number, (name, grad) in enumerate(found.items()):
        if number in frozen:
            assert grad is None
        else:
            assert_identical(grad, everything[name])


@pytest.mark.parametrize("layer", [nn.Conv2d(1, 2, 3), nn.ConvTranspose2d(1, 2, 3), nn.Linear(6, 2)], ids=repr)
@pytest.mark.parametrize("name", ["weight", "bias"])
def test_nothing_is_computed_for_a_frozen_parameter(layer, name, monkeypatch):
    """The kernel that would compute it is not called."""
    from minicnn import kernels

    word = "grad_bias" if name == "bias" else f"{'linear' if isinstance(layer, nn.Linear) else 'conv2d'}_grad_weight"
    output = layer(np.ones((1, 1, 6, 6), np.float32))
    called = []
    kernel = getattr(kernels.current(), word)
    monkeypatch.setattr(kernels.current(), word, lambda *arguments: called.append(word) or kernel(*arguments))
    parameter = getattr(layer, name)
    for frozen in (False, True):
        called.clear()
        parameter.requires_grad_(not frozen)
        layer(np.ones((1, 1, 6, 6), np.float32))
        layer.backward(np.ones_like(output))
        assert called == ([] if frozen else [word])
    parameter.requires_grad_()


@pytest.mark.parametrize("kind", [optim.Adam, optim.SGD])
@pytest.mark.parametrize("has_grad", [True, False])
def test_no_optimizer_changes_a_frozen_parameter(kind, has_grad):
    layer = nn.Linear(3, 2)
    layer.weight.grad = normal(0, 2, 3) if has_grad else None
    layer.bias.grad = normal(1, 2)
    before = layer.weight.data.copy(), layer.bias.data.copy()
    layer.weight.requires_grad = False
    optimizer = kind(layer.parameters(), lr=0.1, weight_decay=0.5)
    optimizer.step()
    assert_identical(layer.weight.data, before[0])
    assert (layer.bias.data != before[1]).all()
    assert layer.weight not in optimizer.state


def test_a_model_is_frozen_at_once_as_in_torch():
    for library in (nn, torch.nn):
        model = library.Sequential(library.Linear(2, 3), library.Linear(3, 1))
        assert model[0].requires_grad_(False) is model[0]
        assert [p.requires_grad for p in model.parameters()] == [False, False, True, True]
        model.requires_grad_(False)
        assert not any(p.requires_grad for p in model.parameters())
        model.requires_grad_()
        assert all(p.requires_grad for p in model.parameters())


def test_gradcheck_leaves_frozen_parameters_out():
    layer = nn.Linear(3, 2)
    layer.weight.requires_grad = False
    report = minicnn.gradcheck(layer, normal(0, 4, 3))
    assert report
    assert [result.name for result in report.results] == ["input", "bias"]


def test_summary_tells_learnt_from_frozen():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    text = str(minicnn.summary(model, (4,)))
    assert "frozen" not in text
    model[0].requires_grad_(False)
    found = minicnn.summary(model, (4,))
    assert (found.parameters, found.trainable) == (15 + 8, 8)
    assert str(found) == f"{text}\n8 of the parameters are learnt, the others are frozen."


def trained(steps, at=None, path=None):
    """The weights after so many steps of a network with a frozen layer; at step `at` it
    goes on from a file.
    """
    minicnn.manual_seed(1)
    for attempt in ("begun", "resumed"):
        model = network()
        model[0].requires_grad_(False)
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        if attempt == "resumed":
            checkpoints.load(path).restore(model, optimizer)
        for step in range(0 if attempt == "begun" else at, steps):
            if attempt == "begun" and step == at:
                break
            optimizer.zero_grad()
            model(normal(step, 4, 1, 6, 6))
            model.backward(normal(100 + step, 4, 3))
            optimizer.step()
        if at is None:
            break
        if attempt == "begun":
            checkpoints.save(path, model, optimizer, {}, [])
    return model.state_dict()


def test_training_with_a_frozen_layer_resumes_to_the_bit(tmp_path):
    expected, found = trained(6), trained(6, at=3, path=tmp_path / "checkpoint.safetensors")
    for name, array in expected.items():
        assert_identical(found[name], array)


def test_a_layer_of_ones_own_need_not_ask_whether_it_is_frozen_after_all():
    """`accumulate` obeys for it."""
    parameter = nn.Parameter(np.ones(2), requires_grad=False)
    parameter.accumulate(np.ones(2))
    assert parameter.grad is None
    parameter.requires_grad_().accumulate(np.ones(2))
    assert_identical(parameter.grad, np.ones(2))


# ---------------------------------------------------------------------------- its array


@given(layers())
def test_numpy_takes_a_parameter_for_its_array(drawn):
    layer = getattr(nn, drawn[0])(**torch_arguments(drawn[1]))
    for parameter in layer.parameters():
        assert np.asarray(parameter) is parameter.data
        assert_identical(np.array(parameter), parameter.data)
        assert not np.shares_memory(np.array(parameter), parameter.data)
        assert np.asarray(parameter, np.float64).dtype == np.float64
        assert np.abs(parameter).sum() == np.abs(parameter.data).sum()
        assert_identical(np.asarray(parameter[0]), np.asarray(parameter.data[0]))
        assert (len(parameter), parameter.ndim) == (len(parameter.data), parameter.data.ndim)


@given(st.lists(st.integers(0, 5), max_size=4))
def test_size_is_numpys_number_and_torchs_method(shape):
    ours, theirs = nn.Parameter(np.zeros(shape)), torch.nn.Parameter(torch.zeros(shape))
    assert ours.size == np.zeros(shape).size == theirs.numel() == ours.numel()
    assert ours.size() == tuple(theirs.size())
    for dim in range(-len(shape), len(shape)):
        assert ours.size(dim) == theirs.size(dim)


def test_matplotlib_draws_a_parameter():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    weight = nn.Conv2d(1, 2, 3).weight
    figure, axes = pyplot.subplots()
    drawn = axes.imshow(weight[0, 0])
    np.testing.assert_array_equal(drawn.get_array(), weight.data[0, 0])
    pyplot.close(figure)


def test_the_truth_value_of_a_parameter_is_refused():
    with pytest.raises(TypeError, match="`parameter is not None` asks whether there is one"):
        bool(nn.Linear(1, 1).bias)


def test_a_function_that_is_given_a_parameter_says_where_its_array_is():
    layer = nn.Linear(2, 2)
    with pytest.raises(TypeError, match=re.escape("linear: weight must be an array, got a Parameter; its array is")):
        nn.functional.linear(np.ones((1, 2), np.float32), layer.weight)


# ---------------------------------------------------------------- assigning and sharing


@pytest.mark.parametrize("value", [np.ones((2, 3)), [1.0], 1.0, torch.ones(2, 3)], ids=lambda v: type(v).__name__)
def test_what_is_no_parameter_cannot_take_the_place_of_one(value):
    ours, theirs = nn.Linear(3, 2), torch.nn.Linear(3, 2)
    with pytest.raises(TypeError):
        theirs.weight = value
    before = ours.weight
    text = (
        f"Linear: cannot assign {type(value).__name__} as parameter 'weight', which is a Parameter; write .weight.data"
    )
    with pytest.raises(TypeError, match=re.escape(text)):
        ours.weight = value
    assert ours.weight is before
    ours.bias = None
    theirs.bias = None
    ours.weight = nn.Parameter(np.ones((2, 3)))
    assert list(ours.state_dict()) == list(theirs.state_dict()) == ["weight"]


def tied(library):
    model = library.Sequential(library.Linear(3, 3), library.ReLU(), library.Linear(3, 3))
    model[2].weight = model[0].weight
    return model


def test_tied_weights_come_once_and_learn_from_both_places_as_in_torch():
    minicnn.manual_seed(0)
    torch.manual_seed(0)
    ours, theirs = tied(nn), tied(torch.nn)
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x, grad_output = normal(3, 5, 3), normal(4, 5, 3)
    ours(x)
    ours.backward(grad_output)
    theirs(torch.from_numpy(x)).backward(torch.from_numpy(grad_output))
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(mine.grad, other.grad, rtol=1e-4, atol=1e-5)
    optim.SGD(ours.parameters(), lr=0.1).step()
    torch.optim.SGD(theirs.parameters(), lr=0.1).step()
    np.testing.assert_allclose(ours[2].weight.data, theirs[2].weight.detach(), rtol=1e-4, atol=1e-5)
    assert ours[0].weight is ours[2].weight
    assert minicnn.summary(ours, (3,)).parameters == sum(p.numel() for p in theirs.parameters())


def test_a_module_at_two_places_is_listed_once_as_in_torch():
    names = []
    for library in (nn, torch.nn):
        shared = library.Linear(2, 2)
        model = library.Sequential(shared, library.Sequential(shared, library.ReLU()))
        names.append([[name for name, _ in listed()] for listed in (model.named_modules, model.named_parameters)])
        names[-1].append(list(model.state_dict()))
    assert names[0] == names[1]


# ------------------------------------------------------------------------------- moving


def test_to_cpu_leaves_a_numpy_model_what_fits_its_data():
    model = network()
    before = {name: array for name, array in model.state_dict().items()}
    assert model.to("cpu") is model
    assert all(found is before[name] for name, found in model.state_dict().items())
    model(normal(0, 1, 1, 6, 6))
    model.to(torch.device("cpu"))
    assert all(isinstance(array, torch.Tensor) for array in model.to("cpu").state_dict().values())
    with pytest.raises(RuntimeError, match=re.escape("model.to(torch.device('cpu')) or model.to('numpy')")):
        model(normal(0, 1, 1, 6, 6))
