"""minicnn.summary: what its numbers mean, counted another way; the course network's
facts; what is refused.
"""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minicnn
from minicnn import nn
from minicnn.summary import __main__ as command
from tests.support import strategies


def row(found, name):
    return next(row for row in found.rows if row.name == name)


class Add(nn.Module):
    """x + branch(x): a model that is no chain."""

    def __init__(self, branch):
        self.branch = branch

    def forward(self, x):
        return x + self.branch(x)


class Scale(nn.Module):
    """A layer of one's own, with a parameter, which keeps its input in an attribute of
    its own.
    """

    def __init__(self):
        self.factor = nn.Parameter(np.ones(1, np.float32))

    def forward(self, x):
        self.mine = x
        return x * self.factor.data


class Unused(nn.Module):
    def __init__(self):
        self.spare, self.tanh = nn.Linear(4, 2), nn.Tanh()

    def forward(self, x):
        return self.tanh(x)


# ----------------------------------------------------------------- the course's network


def test_where_the_parameters_and_the_arithmetic_of_the_course_network_are():
    found = minicnn.summary(minicnn.models.SimpleCNN(), minicnn.models.SimpleCNN.input_shape)
    assert round(100 * row(found, "linear_block.0").parameters / found.parameters) == 93
    assert round(100 * row(found, "cnn.3").multiply_adds / found.multiply_adds) == 83
    assert found.parameters == sum(p.size for p in minicnn.models.SimpleCNN().parameters()) == 215_370
    assert [r.receptive_field for r in found.rows] == [
        *[(5, 5)] * 2,
        (6, 6),
        *[(14, 14)] * 2,
        *[(16, 16)] * 2,
        *[(28, 28)] * 3,
    ]
    assert "  93.2  " in str(found) and "  83.0  " in str(found)


# ------------------------------------------------------------------------ the docstring


@given(strategies.convolutions(paddings=("valid",)))
def test_multiply_adds_of_a_convolution_are_the_products_that_it_sums(case):
    """With ones everywhere and no padding each product is 1, so the outputs add up to
    their number.
    """
    O, CG, *K = case.weight
    G = case.arguments["groups"]
    arguments = {name: case.arguments[name] for name in ("stride", "dilation", "groups")}
    layer = nn.Conv2d(CG * G, O, tuple(K), bias=False, **arguments)
    layer.weight.data = np.ones(case.weight, np.float32)
    output = layer(np.ones((1, *case.input[-3:]), np.float32))
    (found,) = minicnn.summary(layer, case.input[-3:]).rows
    OH, OW = case.output[-2:]
    assert found.multiply_adds == output.sum() == O * OH * OW * CG * K[0] * K[1]
    assert found.output_shape == output.shape[1:] == case.output[-3:]


@given(strategies.conv_transposes())
def test_multiply_adds_of_a_transposed_convolution_are_the_products_that_it_sums(case):
    C, OG, *K = case.weight
    G = case.arguments["groups"]
    plain = {**case.arguments, "padding": 0, "output_padding": 0}
    layer = nn.ConvTranspose2d(C, OG * G, tuple(K), bias=False, **plain)
    layer.weight.data = np.ones(case.weight, np.float32)
    output = layer(np.ones((1, *case.input[-3:]), np.float32))
    (found,) = minicnn.summary(layer, case.input[-3:]).rows
    H, W = case.input[-2:]
    assert found.multiply_adds == output.sum() == C * H * W * OG * K[0] * K[1]


@given(strategies.pairs(1, 9))
def test_multiply_adds_of_a_linear_layer_are_its_weights(sizes):
    (found,) = minicnn.summary(nn.Linear(*sizes), sizes[:1]).rows
    assert found.multiply_adds == sizes[0] * sizes[1]
    assert found.parameters == sizes[0] * sizes[1] + sizes[1]
    assert found.receptive_field is None  # a vector has no rows and columns


windows = st.tuples(st.sampled_from(["conv", "pool"]), *[strategies.pairs(1, n) for n in (3, 2, 2)])


@given(st.lists(windows, min_size=1, max_size=3))
def test_each_window_adds_its_span_times_the_strides_before_it(drawn):
    """The formula in the docstring, for an image so large that its edges are far."""
    layers, fields, size, field, jump = [], [], np.array([1, 1]), np.array([1, 1]), np.array([1, 1])
    for _, K, S, D in reversed(drawn):  # the input that gives two outputs along each axis
        size = size * S + np.multiply(D, np.subtract(K, 1)) + 1
    for kind, K, S, D in drawn:
        layer = nn.Conv2d(1, 1, K, S, dilation=D) if kind == "conv" else nn.MaxPool2d(K, S, dilation=D)
        layers.append(layer)
        field = field + np.multiply(D, np.subtract(K, 1)) * jump
        jump = jump * S
        fields.append(tuple(map(int, field)))
    found = minicnn.summary(nn.Sequential(*layers), (1, *map(int, size)))
    assert [row.receptive_field for row in found.rows] == fields


def test_the_receptive_field_ends_at_the_edge_of_the_image():
    assert minicnn.summary(nn.Conv2d(1, 1, 7, padding=3), (1, 4, 5)).rows[0].receptive_field == (4, 5)


def test_a_transposed_convolution_sees_the_inputs_whose_stamps_overlap():
    for kernel, field in ((2, 1), (4, 2), (5, 3)):
        layer = nn.ConvTranspose2d(1, 1, kernel, stride=2)
        assert minicnn.summary(layer, (1, 9, 9)).rows[0].receptive_field == (field, field)


def test_a_branch_is_followed_and_an_own_layer_is_counted():
    model = nn.Sequential(Add(nn.Conv2d(2, 2, 3, padding=1)), Scale())
    found = minicnn.summary(model, (2, 8, 9))
    assert [r.name for r in found.rows] == ["0.branch", "1"]
    assert [r.receptive_field for r in found.rows] == [(3, 3), (3, 3)]
    assert row(found, "1").multiply_adds is None and row(found, "1").parameters == 1
    assert row(found, "1").kept_bytes == 4 * 2 * 8 * 9
    assert " ? " in str(found)


def test_kept_bytes_are_those_of_the_arrays_that_forward_keeps_and_shared_ones_count_once():
    model = nn.Sequential(nn.Conv2d(1, 3, 3, dtype="float64"), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Tanh())
    model.append(nn.Linear(12, 2, dtype="float64")).append(nn.Sigmoid())
    sizes = [r.kept_bytes for r in minicnn.summary(model, (1, 6, 6)).rows]
    # the image; ReLU's output; int64 places; shapes alone; tanh's output, which
    # Linear's input is; sigmoid's output
    assert sizes == [8 * 36, 8 * 3 * 16, 8 * 12, 0, 8 * 12, 0, 8 * 2]


def test_a_layer_used_twice_has_its_parameters_once_and_an_unused_one_is_listed():
    layer = nn.Linear(4, 4)
    found = minicnn.summary(nn.Sequential(layer, nn.Tanh(), layer), (4,))
    assert [r.parameters for r in found.rows] == [20, 0, 0]
    assert [r.multiply_adds for r in found.rows] == [16, 0, 16]
    found = minicnn.summary(Unused(), (4,))
    assert found.parameters == 10 and row(found, "spare").output_shape is None
    assert "(not called)" in str(found)


def test_the_model_is_left_as_it_was():
    model = minicnn.models.SimpleCNN().eval()
    before = {name: array.copy() for name, array in model.state_dict().items()}
    attributes = [dict(vars(module)) for module in model.modules()]
    minicnn.summary(model, (1, 28, 28))
    assert [dict(vars(module)) for module in model.modules()] == attributes
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_the_table_is_aligned_and_a_notebook_shows_it():
    found = minicnn.summary(minicnn.models.SimpleCNN(), (1, 28, 28))
    head, *rows = [line for line in str(found).splitlines()[2:] if not line.startswith("-")]
    assert repr(found) == str(found)
    end = head.index("parameters") + len("parameters")
    assert all(line[end - 1].isdigit() and line[end] == " " for line in rows)


# ------------------------------------------------------------------------------ refused


@pytest.mark.parametrize("shape", [(), 28, (1, 28, 28.0), (0, 3), "abc", None])
def test_what_is_no_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"summary: input_shape must be .* without the batch dimension, got "):
        minicnn.summary(minicnn.models.SimpleCNN(), shape)


def test_a_shape_that_the_model_refuses_comes_with_the_models_own_words():
    with pytest.raises(
        RuntimeError, match=r"refuses an input of shape \(N, 64, 1, 28, 28\).*SimpleCNN: the input must"
    ):
        minicnn.summary(minicnn.models.SimpleCNN(), (64, 1, 28, 28))


def test_what_is_no_module_is_refused():
    with pytest.raises(TypeError, match="summary: model must be a minicnn.nn.Module, got type"):
        minicnn.summary(minicnn.models.SimpleCNN, (1, 28, 28))


# -------------------------------------------------------------------------- the command


def test_the_command_prints_every_network(capsys):
    assert "SimpleCNN" in minicnn.models.networks()
    assert command.main([]) == 0
    text = capsys.readouterr().out
    for name in minicnn.models.networks():
        assert f"{name} on an input of (N, " in text
    assert command.main(["SimpleCNN"]) == 0
    with pytest.raises(SystemExit):
        command.main(["LeNet"])
    assert "there is no network LeNet; choose from " in capsys.readouterr().err


def test_function_module_and_command_of_one_name_do_not_get_in_each_others_way():
    script = (
        "import minicnn.summary; from minicnn.summary import Row; "
        "minicnn.summary(minicnn.models.SimpleCNN(), (1, 28, 28))"
    )
    for arguments in (["-c", script], ["-m", "minicnn.summary"]):
        done = subprocess.run([sys.executable, "-W", "error", *arguments], capture_output=True, text=True, check=True)
        assert done.stderr == ""
