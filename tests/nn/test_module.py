"""Module, Parameter and Sequential: names, order, repr and state are torch's; and the
step from forward to backward.
"""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minicnn
from minicnn import nn
from minicnn.nn.watch import watch
from tests.nn.test_layers import layers, torch_arguments
from tests.support import strategies
from tests.support.oracle import rejects, torch

LAYERS = ["Conv2d", "ConvTranspose2d", "MaxPool2d", "ReLU", "Sigmoid", "Tanh", "Flatten", "Unflatten", "Linear"]


def network(library, arrangement):
    """The same nested network in either library: a module with blocks, as SimpleCNN has
    them.
    """

    class Network(library.Module):
        def __init__(self):
            super().__init__()
            for name, block in arrangement.items():
                made = [getattr(library, kind)(**torch_arguments(arguments)) for kind, arguments in block]
                setattr(self, name, made[0] if len(made) == 1 else library.Sequential(*made))

    return Network()


arrangements = st.dictionaries(
    st.sampled_from(["cnn", "flatten_", "linear_block", "head", "a", "b1"]),
    st.lists(layers().map(lambda drawn: drawn[:2]), min_size=1, max_size=3),
    min_size=1,
    max_size=3,
)


# ---------------------------------------------------------------------- names and order


@given(arrangements)
def test_names_shapes_order_and_repr_are_torchs(arrangement):
    ours, theirs = network(nn, arrangement), network(torch.nn, arrangement)
    assert repr(ours) == repr(theirs)
    found, expected = ours.state_dict(), theirs.state_dict()
    assert list(found) == list(expected)
    assert [value.shape for value in found.values()] == [tuple(value.shape) for value in expected.values()]
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    assert [name for name, _ in ours.named_children()] == [name for name, _ in theirs.named_children()]
    assert [name for name, _ in ours.named_modules()] == [name for name, _ in theirs.named_modules()]
    assert [type(m).__name__ for m in ours.modules()] == [type(m).__name__ for m in theirs.modules()]


@given(layers())
def test_a_layer_prints_as_torchs(drawn):
    name, arguments, *_ = drawn
    assert repr(getattr(nn, name)(**torch_arguments(arguments))) == repr(
        getattr(torch.nn, name)(**torch_arguments(arguments))
    )


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Flatten", ()),
        ("Flatten", (0, 2)),
        ("Unflatten", (1, (2, 3))),
        ("Unflatten", (-1, (2, -1))),
        ("ReLU", (True,)),
        ("MaxPool2d", (2,)),
        ("MaxPool2d", ((2, 3), None, 1)),
        ("CrossEntropyLoss", ()),
        ("BCELoss", ()),
        ("MSELoss", ()),
        ("BCEWithLogitsLoss", ()),
        ("Sequential", ()),
        ("Module", ()),
        ("Conv2d", (1, 2, 3, 1, "same")),
    ],
)
def test_these_print_as_torchs(name, arguments):
    assert repr(getattr(nn, name)(*arguments)) == repr(getattr(torch.nn, name)(*arguments))


def test_a_nested_sequential_prints_as_torchs():
    def nested(library):
        inner = library.Sequential(library.ReLU(), library.Sequential(library.Tanh()), library.Flatten())
        return library.Sequential(library.Linear(2, 3), inner, library.Sequential())

    assert repr(nested(nn)) == repr(nested(torch.nn))


def test_a_parameter_of_a_module_of_ones_own_comes_before_its_childrens():
    class Scaled(nn.Module):
        def __init__(self):
            self.inner = nn.Linear(1, 1)
            self.scale = nn.Parameter(np.ones(1))
            self.no_parameter = np.ones(1)

    assert list(Scaled().state_dict()) == ["scale", "inner.weight", "inner.bias"]


def test_without_bias_there_is_no_key_and_the_attribute_is_none():
    for layer in (nn.Conv2d(1, 1, 1, bias=False), nn.ConvTranspose2d(1, 1, 1, bias=False), nn.Linear(1, 1, bias=False)):
        assert layer.bias is None
        assert list(layer.state_dict()) == ["weight"]


# --------------------------------------------------------------------------- sequential


def test_sequential_is_indexed_as_torchs():
    ours = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    assert (ours[0], ours[-1], len(ours)) == (next(iter(ours)), list(ours)[2], 3)
    assert list(ours[1:].state_dict()) == ["2.weight", "2.bias"]  # a slice keeps the names
    theirs = torch.nn.Sequential(torch.nn.Linear(1, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1))
    assert list(theirs[1:].state_dict()) == ["2.weight", "2.bias"]
    assert len(ours.append(nn.Tanh())) == 4
    assert isinstance(ours[3], nn.Tanh)
    assert ours[-4] is ours[0]
    assert list(ours.append(nn.Linear(1, 3)).state_dict())[-2:] == ["4.weight", "4.bias"]


def test_sequential_takes_names():
    named = nn.Sequential({"first": nn.Linear(1, 2), "act": nn.ReLU()})
    assert list(named.state_dict()) == ["first.weight", "first.bias"]
    assert isinstance(named.act, nn.ReLU)


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: nn.Sequential(nn.ReLU(), np.tanh), TypeError, "layer 1 must be a Module, got ufunc"),
        (lambda: nn.Sequential(nn.ReLU(), nn.Linear), TypeError, "layer 1 must be a Module, got type"),
        (lambda: nn.Sequential({"a.b": nn.ReLU()}), KeyError, "'a.b' cannot name a layer"),
        (lambda: nn.Sequential({"": nn.ReLU()}), KeyError, "'' cannot name a layer"),
        (lambda: nn.Sequential({"forward": nn.ReLU()}), KeyError, "hide a method"),
        (lambda: nn.Sequential(nn.ReLU())[1], IndexError, "layer 1 does not exist, there are 1"),
        (lambda: nn.Sequential(nn.ReLU())[-2], IndexError, "layer -2 does not exist"),
    ],
)
def test_sequential_refuses_what_is_no_layer_or_no_name(call, kind, text):
    with pytest.raises(kind, match=re.escape(text) if "'" in text else text):
        call()


# ------------------------------------------------------------------- saving and loading


def model():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2, 3))


@given(strategies.seeds, st.sampled_from(strategies.FLOATS), st.sampled_from(["=", "<", ">"]))
def test_loading_takes_over_values_and_dtype_in_native_order_and_forgets_gradients(seed, dtype, order):
    ours = model()
    ours[3].weight.grad = np.ones((3, 2))
    rng = np.random.default_rng(seed)
    arrays = {
        name: rng.standard_normal(value.shape).astype(np.dtype(dtype).newbyteorder(order))
        for name, value in ours.state_dict().items()
    }
    assert ours.load_state_dict(arrays) == ([], [])
    for name, parameter in ours.named_parameters():
        assert parameter.data.dtype == np.dtype(dtype)
        assert parameter.data.dtype.isnative
        assert parameter.grad is None
        np.testing.assert_array_equal(parameter.data, arrays[name])
        assert not np.shares_memory(parameter.data, arrays[name])


def test_loading_takes_nested_lists():
    layer = nn.Linear(2, 1)
    layer.load_state_dict({"weight": [[0.5, 1.5]], "bias": [2.5]})
    assert (layer.weight.data.tolist(), layer.bias.data.tolist()) == ([[0.5, 1.5]], [2.5])


def test_every_loading_and_every_step_makes_a_parameter_newer():
    """So a forward that came before is noticed, in whatever order they come."""
    layer = nn.Linear(2, 1)
    optimizer, versions = minicnn.optim.SGD(layer.parameters()), [layer.weight.version]
    for change in ("load", "load", "step", "load", "step", "step"):
        layer.weight.grad = np.ones((1, 2), np.float32)
        layer.load_state_dict(layer.state_dict()) if change == "load" else optimizer.step()
        versions.append(layer.weight.version)
    assert versions == sorted(set(versions))


def test_torchs_state_loads_and_gives_torchs_output():
    ours = model()
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(2, 3)
    ).double()
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((4, 1, 3, 3))
    np.testing.assert_allclose(ours(x), theirs(torch.tensor(x)).detach(), rtol=1e-13, atol=1e-13)


def test_all_that_does_not_fit_is_listed_at_once_and_nothing_is_loaded():
    ours = model()
    before = {name: value.copy() for name, value in ours.state_dict().items()}
    state = {**before, "0.weight": np.ones((2, 1, 5, 5)), "3.bias": np.ones(3, int), "7.weight": np.ones(1)}
    state["0.bias"] = before["0.bias"] + 1
    del state["3.weight"]
    with pytest.raises(RuntimeError) as error:
        ours.load_state_dict(state)
    title, *lines = str(error.value).split("\n  ")
    assert title == "Sequential cannot load this state_dict:"
    assert sorted(lines) == [
        "0.weight: expected shape (2, 1, 3, 3), got (2, 1, 5, 5)",
        "3.bias: expected float32 or float64, got int64",
        "3.weight: missing",
        "7.weight: unexpected",
    ]
    for name, value in ours.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_not_strict_reports_missing_and_unexpected_keys_as_torch_and_loads_the_rest():
    ours, theirs = nn.Linear(2, 3), torch.nn.Linear(2, 3)
    found = ours.load_state_dict({"bias": np.full(3, 7.0, np.float32), "more": np.ones(1)}, strict=False)
    expected = theirs.load_state_dict({"bias": torch.full((3,), 7.0), "more": torch.ones(1)}, strict=False)
    assert (found.missing_keys, found.unexpected_keys) == (expected.missing_keys, expected.unexpected_keys)
    np.testing.assert_array_equal(ours.bias.data, [7, 7, 7])
    with pytest.raises(RuntimeError, match=r"bias: expected shape \(3,\), got \(4,\)"):
        ours.load_state_dict({"bias": np.ones(4)}, strict=False)


# ------------------------------------------------------------- from forward to backward


def test_train_and_eval_reach_every_module_and_return_the_model():
    ours = nn.Sequential(nn.Sequential(nn.ReLU()), nn.Tanh())
    assert ours.eval() is ours
    assert all(module.training is False for module in ours.modules())
    assert ours.train() is ours
    assert all(module.training for module in ours.modules())
    assert not ours.train(False).training


@pytest.mark.parametrize(
    "layer", [nn.Linear(2, 2), nn.Conv2d(1, 1, 1), nn.ReLU(), nn.Flatten(), nn.MaxPool2d(1)], ids=repr
)
def test_backward_needs_a_forward_of_its_own(layer):
    x, name = np.ones((1, 1, 2, 2), np.float32), type(layer).__name__
    with pytest.raises(RuntimeError, match=f"{name}.backward was called, but nothing was kept.*one forward"):
        layer.backward(x)
    output = layer(x)
    layer.backward(np.ones_like(output))
    with pytest.raises(RuntimeError, match=f"{name}.backward.*each forward serves one backward"):
        layer.backward(np.ones_like(output))


def test_a_criterion_needs_a_forward_too():
    with pytest.raises(RuntimeError, match="MSELoss.backward was called, but nothing was kept"):
        nn.MSELoss().backward()


def sentence_of(call):
    with pytest.raises(RuntimeError) as caught:
        call()
    return str(caught.value)


def test_a_backward_that_cannot_be_says_what_to_do():
    layer, x = nn.Linear(1, 1), np.ones((1, 1), np.float32)
    assert sentence_of(lambda: layer.backward(x)) == (
        "Linear.backward was called, but nothing was kept: backward follows one forward, and each "
        "forward serves one backward."
    )
    layer.eval()(x)
    assert sentence_of(lambda: layer.backward(x)) == (
        "Linear.backward was called, but in eval() mode forward keeps nothing; call train() before forward."
    )
    layer.train()(x)
    layer.load_state_dict(layer.state_dict())
    assert sentence_of(lambda: layer.backward(x)) == (
        "Linear.backward was called, but its parameters have changed since forward:"
        " call forward again after optimizer.step() or load_state_dict()."
    )


def test_switching_the_mode_forgets_what_was_kept():
    layer = nn.ReLU()
    layer(np.ones(2))
    with pytest.raises(RuntimeError, match=r"nothing was kept"):
        layer.eval().train().backward(np.ones(2))


def test_without_needs_input_grad_the_first_layer_returns_none_and_the_rest_is_unchanged():
    minicnn.manual_seed(0)
    ours, x = model(), np.random.default_rng(0).standard_normal((2, 1, 3, 3)).astype(np.float32)
    grads = []
    for needed in (True, False):
        ours[0].needs_input_grad = needed
        ours.zero_grad()
        grad_input = ours.backward(np.ones_like(ours(x)))
        assert (grad_input is not None) == needed
        grads.append([parameter.grad.tobytes() for parameter in ours.parameters()])
    assert grads[0] == grads[1]


@pytest.mark.parametrize("layer", [nn.Conv2d(1, 1, 1), nn.ConvTranspose2d(1, 1, 1), nn.Linear(3, 3)])
def test_every_layer_with_weights_can_leave_out_the_gradient_to_its_input(layer):
    layer.needs_input_grad = False
    output = layer(np.ones((1, 1, 3, 3), np.float32))
    assert layer.backward(output) is None
    assert layer.weight.grad is not None


def test_the_innermost_layer_signs_an_error_once():
    outer = nn.Sequential(nn.Sequential(nn.Linear(3, 2)))
    with pytest.raises(RuntimeError) as error:
        outer(np.ones((1, 4), np.float32))
    assert str(error.value).count("[in ") == 1
    assert "[in Linear(in_features=3, out_features=2, bias=True)]" in str(error.value)


def test_a_module_without_forward_or_backward_says_so():
    class Empty(nn.Module):
        pass

    for call, text in (
        (lambda: Empty()(1), "Empty defines no forward"),
        (lambda: Empty().backward(1), "Empty defines no backward"),
    ):
        with pytest.raises(NotImplementedError, match=text):
            call()


def test_a_parameter_knows_its_array_and_prints_it():
    parameter = nn.Parameter(np.array([[1.0, 2.0]]))
    assert (parameter.shape, parameter.dtype, parameter.size, parameter.grad) == ((1, 2), np.float64, 2, None)
    assert repr(parameter).startswith("Parameter containing:\narray([[1., 2.]])")
    parameter.accumulate(np.ones((1, 2)))
    parameter.accumulate(np.ones((1, 2)))
    np.testing.assert_array_equal(parameter.grad, [[2.0, 2.0]])


def test_accumulating_does_not_write_into_the_array_that_was_given():
    parameter, first = nn.Parameter(np.zeros(2)), np.ones(2)
    parameter.accumulate(first)
    parameter.accumulate(np.ones(2))
    np.testing.assert_array_equal(first, [1.0, 1.0])


def test_an_error_of_the_input_leaves_no_trace_of_it():
    """A forward that failed keeps nothing that a backward could use by mistake."""
    layer = nn.Linear(2, 2)
    assert rejects(lambda: layer(np.ones((1, 3), np.float32)))
    with pytest.raises(RuntimeError, match="nothing was kept"):
        layer.backward(np.ones((1, 2), np.float32))


def test_after_an_error_far_below_every_module_is_visited_a_fixed_number_of_times(monkeypatch):
    """Not once for each level above it, which takes the square of the depth."""
    depth, visited = 100, []
    model = nn.Linear(2, 2)
    for _ in range(depth):
        model = nn.Sequential(model)
    named_modules = nn.Module.named_modules

    def counted(module, *arguments):
        visited.append(module)
        return named_modules(module, *arguments)

    monkeypatch.setattr(nn.Module, "named_modules", counted)
    assert rejects(lambda: model(np.ones((1, 3), np.float32)))
    assert len(visited) <= 2 * (depth + 1)


def test_an_error_forgets_what_all_layers_before_it_kept():
    first, last = nn.ReLU(), nn.Linear(2, 2)
    model = nn.Sequential(nn.Sequential(first), nn.Sequential(last))
    assert rejects(lambda: model(np.ones((1, 3), np.float32)))
    for layer in (first, last):
        with pytest.raises(RuntimeError, match="nothing was kept"):
            layer.backward(np.ones((1, 2), np.float32))


def test_what_a_caught_error_left_is_not_used():
    """A forward that tries one layer, and takes another where that fails."""

    class Either(nn.Module):
        def __init__(self):
            self.linear, self.relu = nn.Linear(2, 2), nn.ReLU()

        def forward(self, x):
            try:
                return self.linear(x)
            except RuntimeError:
                return self.relu(x)

    model = Either()
    model(np.ones((1, 3), np.float32))
    with pytest.raises(RuntimeError, match="nothing was kept"):
        model.linear.backward(np.ones((1, 2), np.float32))


def test_a_layer_that_was_called_on_its_own_is_named():
    model, x = nn.Sequential(nn.Linear(2, 2), nn.ReLU()), np.ones((1, 2), np.float32)
    output = model(x)
    model[1](x)
    model[1].backward(x)
    model(x)
    model[0](x)
    assert sentence_of(lambda: model.backward(output)) == (
        "ReLU.backward was called, but Linear(in_features=2, out_features=2, bias=True) was called on "
        "its own after the "
        "network's forward pass and replaced what that pass had stored. Call the whole network again before backward."
    )


# ----------------------------------------------------------------------------- watching


def test_watching_tells_of_every_module_inside_out_and_leaves_no_trace():
    inner = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    model, x = nn.Sequential(inner, nn.Linear(3, 1)), np.ones((4, 2), np.float32)
    entered, left = [], []
    outputs = watch(model, x, entering=entered.append, leaving=left.append)
    assert [call.name for call in entered] == ["", "0", "0.0", "0.1", "1"]
    assert [call.name for call in left] == ["0.0", "0.1", "0", "1", ""]
    assert [call.outputs[0].shape for call in left] == [(4, 3), (4, 3), (4, 3), (4, 1), (4, 1)]
    assert left[-1].inputs[0] is x
    assert left[-1].outputs[0] is outputs[0]
    assert not any("forward" in vars(module) for module in model.modules())
    np.testing.assert_array_equal(model(x), outputs[0])


def test_watching_a_forward_that_fails_leaves_no_trace():
    model = nn.Sequential(nn.Linear(2, 3))
    with pytest.raises(RuntimeError, match=r"\[in Linear"):
        watch(model, np.ones((4, 3), np.float32), leaving=lambda call: None)
    assert not any("forward" in vars(module) for module in model.modules())


def test_apply_visits_every_module_in_torchs_order_and_returns_the_model():
    def nested(library):
        return library.Sequential(library.Sequential(library.ReLU(), library.Tanh()), library.Flatten())

    orders = []
    for library in (nn, torch.nn):
        model, names = nested(library), []
        assert model.apply(lambda module, names=names: names.append(type(module).__name__)) is model
        orders.append(names)
    assert orders[0] == orders[1]


def test_numel_counts_as_torchs():
    assert nn.Parameter(np.ones((2, 3))).numel() == torch.nn.Parameter(torch.ones(2, 3)).numel() == 6
