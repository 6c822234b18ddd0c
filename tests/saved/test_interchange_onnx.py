"""What is exported to ONNX computes what the model computes, for every batch size;
judged by ONNX's own evaluator in NumPy.

A judge is judged first. Two of the evaluator's operators (1.23) do not do what ONNX's
specification says. MaxPool with all strides and dilations 1 goes another way, on which
the four pads are read in the wrong order; here it always goes the general way.
ConvTranspose with groups cuts the weight along the wrong count, gives every group the
first biases and keeps one channel of each; here its own code for a single group does
one group after the other.
"""

import copy
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minicnn
from minicnn import models, nn
from minicnn.convert import convert
from minicnn.nn.watch import chain
from minicnn.onnx import export, load, main
from minicnn.saved.weights import load_weights, save_weights
from minicnn.trained import Trained
from tests.support import strategies

onnx = pytest.importorskip("onnx", reason="ONNX files are written by the package onnx: pip install 'minicnn[onnx]'")

from onnx.reference import ReferenceEvaluator
from onnx.reference.ops import op_conv_transpose, op_max_pool


class MaxPool(op_max_pool.MaxPool):
    op_domain = ""

    def _run(self, x, **attributes):
        return self._max_pool(x, **attributes)


class ConvTranspose(op_conv_transpose.ConvTranspose):
    op_domain = ""

    def _run(self, X, W, B=None, group=1, **attributes):
        biases = [None] * group if B is None else np.split(B, group)
        parts = zip(np.split(X, group, axis=1), np.split(W, group), biases, strict=True)
        one = super()._run
        return (np.concatenate([one(*part, group=1, **attributes)[0] for part in parts], axis=1),)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("onnx")


def evaluate(path, x):
    """All outputs, by the judge."""
    return ReferenceEvaluator(str(path), new_ops=[MaxPool, ConvTranspose]).run(None, {"input": x})


def error_bound(model, x):
    """How far two right results may lie apart: each layer carries on the error that it
    gets, and adds its own.

    A sum of n products adds (n + 1) eps times the sum of their absolute values (see
    oracle.py), and carries on an error e as the sum of |weight| e; bending and pooling
    carry it on no larger than it was.
    """
    eps, error = np.finfo(x.dtype).eps, np.zeros(x.shape)
    with minicnn.use_backend("numpy"):
        for call in chain(copy.deepcopy(model).eval(), x)[0]:
            layer = copy.deepcopy(call.module)
            if hasattr(layer, "weight"):
                layer.load_state_dict({k: np.abs(v).astype(np.float64) for k, v in layer.state_dict().items()})
                n = layer.weight.size // layer.weight.shape[isinstance(layer, nn.ConvTranspose2d)] + 1
                magnitude = layer(np.abs(call.inputs[0]) + error, *call.inputs[1:])
                layer.bias = None
                error = layer(error, *call.inputs[1:]) + (n + 1) * eps * magnitude
            elif isinstance(layer, nn.Sigmoid | nn.Tanh):
                error = error + 8 * eps
            elif isinstance(layer, nn.ReLU):
                pass
            else:
                layer.return_indices = False
                error = layer(error)
    return error


def assert_exported(model, x, path, exported_batch=2):
    """Every output, of several batch sizes, within the bound; indices exactly."""
    export(model, path, (exported_batch, *x.shape[1:]), dtype=x.dtype)
    onnx.checker.check_model(str(path), full_check=True)
    model.eval()
    for batch in (x, x[:1], np.concatenate([x, x[::-1]])):
        expected = model(batch)
        expected = expected if isinstance(expected, tuple) else (expected,)
        found = evaluate(path, batch)
        assert [a.shape for a in found] == [b.shape for b in expected]
        assert [a.dtype for a in found] == [b.dtype for b in expected]
        error = np.abs(found[0].astype(np.float64) - expected[0])
        bound = error_bound(model, batch)
        assert (error <= bound).all(), f"{model}: the error {error.max()} exceeds the bound {bound.max()}"
        for ours, theirs in zip(expected[1:], found[1:], strict=True):
            np.testing.assert_array_equal(ours, theirs)


def numbers(seed, dtype, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def as_dtype(model, dtype):
    model.load_state_dict({name: value.astype(dtype) for name, value in model.state_dict().items()})
    return model


# --------------------------------------------------------------------------- each layer


@given(strategies.padded_layers())
def test_convolution_with_every_argument(folder, case):
    model = as_dtype(nn.Conv2d(**case.arguments), case.dtype)
    assert_exported(model, numbers(case.seed, case.dtype, 3, *case.input[-3:]), folder / "conv.onnx")


@given(strategies.conv_transposes(), st.sampled_from(strategies.FLOATS))
def test_transposed_convolution_with_every_argument(folder, case, dtype):
    C, OG, *K = case.weight
    O = OG * case.arguments["groups"]
    model = nn.ConvTranspose2d(C, O, tuple(K), **case.arguments, bias=case.bias is not None, dtype=dtype)
    assert_exported(model, numbers(case.seed, dtype, 3, *case.input[-3:]), folder / "up.onnx")


@given(strategies.pools(dtypes=strategies.FLOATS), st.booleans())
def test_max_pooling_with_every_argument_and_its_indices(folder, case, return_indices):
    model = nn.MaxPool2d(**case.arguments, return_indices=return_indices)
    assert_exported(model, numbers(case.seed, "float32", 3, *case.input[-3:]), folder / "pool.onnx")


@given(
    strategies.seeds,
    st.sampled_from(strategies.FLOATS),
    st.lists(st.integers(1, 3), max_size=2),
    strategies.pairs(1, 6),
    st.booleans(),
)
def test_linear_on_any_leading_dimensions(folder, seed, dtype, leading, features, bias):
    model = nn.Linear(*features, bias=bias, dtype=dtype)
    assert_exported(model, numbers(seed, dtype, 3, *leading, features[0]), folder / "linear.onnx")


@pytest.mark.parametrize("model", [nn.ReLU(), nn.Sigmoid(), nn.Tanh(), nn.Sequential(nn.ReLU(inplace=True))], ids=repr)
def test_pointwise(folder, model):
    assert_exported(model, 10 * numbers(0, "float32", 3, 4, 5), folder / "pointwise.onnx")


@pytest.mark.parametrize(
    "model",
    [
        *(nn.Flatten(*dims) for dims in [(), (0,), (0, 1), (1, 2), (2,), (-2, -1), (0, 0), (3, 3)]),
        *(nn.Unflatten(*to) for to in [(1, (2, 3)), (1, (-1, 2)), (-1, (5, 1)), (2, (2, -1)), (0, (-1, 1))]),
        nn.Sequential(nn.Flatten(0, 1), nn.Unflatten(0, (-1, 6))),
    ],
    ids=repr,
)
def test_reshaping(folder, model):
    assert_exported(model, numbers(0, "float32", 3, 6, 4, 5), folder / "shape.onnx")


# ------------------------------------------------------------------------- whole models


@pytest.mark.parametrize("dtype", strategies.FLOATS)
def test_the_courses_network(folder, dtype):
    minicnn.manual_seed(0)
    model, path = as_dtype(models.SimpleCNN(), dtype), folder / "simple.onnx"
    assert_exported(model, numbers(0, dtype, 3, 1, 28, 28), path, exported_batch=1)
    stored = {array.name: onnx.numpy_helper.to_array(array) for array in onnx.load(path).graph.initializer}
    for name, value in model.state_dict().items():  # the names and layouts of state_dict()
        np.testing.assert_array_equal(stored[name], value)


def layers_for_everything():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, padding_mode="circular"),
        nn.Tanh(),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.Sequential(nn.ConvTranspose2d(4, 3, 3, stride=2, output_padding=1), nn.ReLU()),
        nn.Flatten(),
        nn.Linear(3 * 10 * 8, 6),
        nn.Unflatten(1, (2, 3)),
        nn.Linear(3, 2),
        nn.Sigmoid(),
    )


@pytest.mark.parametrize("dtype", strategies.FLOATS)
def test_a_network_of_all_layers(folder, dtype):
    assert_exported(as_dtype(layers_for_everything(), dtype), numbers(1, dtype, 3, 2, 7, 5), folder / "all.onnx")


class Twice(nn.Module):
    """A chain that is no Sequential: a layer used twice, an output size asked for, only
    one of pooling's two results.
    """

    def __init__(self):
        self.up = nn.ConvTranspose2d(2, 2, 3, stride=2)
        self.pool = nn.MaxPool2d(2, return_indices=True)

    def forward(self, x):
        x, _ = self.pool(self.up(x, (8, 10)))
        return self.up(x)


def test_a_chain_that_is_no_sequential(folder):
    assert_exported(Twice(), numbers(2, "float32", 3, 2, 3, 4), folder / "twice.onnx")


def test_a_layer_used_twice_on_different_sizes(folder):
    pool, flat = nn.MaxPool2d(2, return_indices=True), nn.Flatten(2)

    class Pools(nn.Module):
        def __init__(self):
            self.pool, self.flat, self.back = pool, flat, nn.Unflatten(2, (2, -1))

        def forward(self, x):
            x = self.back(self.flat(self.pool(x)[0]))
            return self.pool(x)

    assert_exported(Pools(), numbers(3, "float32", 3, 2, 8, 8), folder / "sizes.onnx")


def test_the_model_is_left_as_it_was(folder):
    model, x = layers_for_everything(), numbers(1, "float32", 3, 2, 7, 5)
    before = {name: value.tobytes() for name, value in model.state_dict().items()}
    output = model(x)
    export(model, folder / "left.onnx", x.shape)
    assert all(module.training for module in model.modules())
    assert {name: value.tobytes() for name, value in model.state_dict().items()} == before
    model.backward(np.ones_like(output))  # what forward kept is still there


# ------------------------------------------------------------------------------ refused


class Shortcut(nn.Module):
    def __init__(self, between):
        self.first, self.second, self.between = nn.Linear(4, 4), nn.Linear(4, 4), between

    def forward(self, x):
        return self.second(self.between(x, self.first(x)))


def overwritten(_, y):
    y *= 2
    return y


@pytest.mark.parametrize("between", [lambda x, y: x + y, lambda x, _: x, lambda _, y: y.copy(), overwritten])
def test_what_is_no_chain_is_refused(folder, between):
    text = r"Shortcut is not a chain of layers: between first: Linear\(.*\) and second its forward does something"
    with pytest.raises(ValueError, match=text):
        export(Shortcut(between), folder / "no.onnx", (1, 4))
    assert not (folder / "no.onnx").exists()


class Leaky(nn.Module):
    def forward(self, x):
        return np.maximum(x, x / 100)


class Custom(nn.Linear):
    """A layer that may do anything: its kin's node would be a guess."""


class Doubles(nn.Module):
    def __init__(self):
        self.linear = nn.Linear(4, 2)

    def forward(self, x):
        return 2 * self.linear(x)


@pytest.mark.parametrize(
    ("model", "shape", "text"),
    [
        (
            nn.Sequential(nn.Linear(4, 4), Leaky()),
            (1, 4),
            r"1: Leaky\(\) has no counterpart in ONNX.*these have: Conv2d,",
        ),
        (nn.Sequential(Custom(4, 4)), (1, 4), r"0: Custom\(.*\) has no counterpart"),
        (Doubles(), (1, 4), r"between linear: Linear\(.*\) and the output"),
        (nn.Sequential(), (1, 4), "Sequential has no layers|no counterpart"),
        (nn.Conv2d(1, 1, 1), (1, 4, 4), r"Conv2d.* gets \(1, 4, 4\); in ONNX it takes batches only"),
        (nn.MaxPool2d(1), (1, 4, 4), "takes batches only"),
        (nn.ConvTranspose2d(1, 1, 1), (1, 4, 4), "takes batches only"),
        (nn.Unflatten(0, (2, 2)), (4, 4), "fixes the size of the batch; write -1"),
        (nn.Linear(4, 4), (4,), r"batch_shape must be the shape of a batch.*got \(4,\)"),
        (nn.Linear(4, 4), (0, 4), "sizes of at least 1"),
        (nn.Linear(4, 4), (1.0, 4), "sizes of at least 1"),
    ],
)
def test_what_has_no_counterpart_is_refused_and_named(folder, model, shape, text):
    with pytest.raises((ValueError, NotImplementedError), match=text):
        export(model, folder / "no.onnx", shape)
    assert not (folder / "no.onnx").exists()


def test_an_input_that_does_not_fit_is_the_models_own_error(folder):
    with pytest.raises(RuntimeError, match=r"SimpleCNN: the input must be grey images"):
        export(models.SimpleCNN(), folder / "no.onnx", (1, 3, 28, 28))


def test_arrays_that_are_not_numpys_are_refused(folder):
    model = nn.Linear(2, 2)
    model.bias.data = [0.0, 0.0]
    with pytest.raises(TypeError, match=r'bias is a list: call model.to\("numpy"\) first'):
        export(model, folder / "no.onnx", (1, 2))


def test_without_the_package_the_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setitem(sys.modules, "onnx.checker", None)
    with pytest.raises(ImportError, match=r"pip install 'minicnn\[onnx\]'"):
        export(nn.Linear(1, 1), folder / "no.onnx", (1, 1))


# --------------------------------------------------------------------- the command line


@pytest.fixture
def run(tmp_path):
    """A run folder with a network that has learnt nothing."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"network": "SimpleCNN", "epochs": 1}))
    save_weights(folder / "model.safetensors", models.SimpleCNN().state_dict())
    return folder


def test_the_command_exports_a_run_folder(run, tmp_path, capsys):
    target, x = tmp_path / "model.onnx", numbers(0, "float32", 2, 1, 28, 28)
    assert main([str(run), str(target)]) == 0
    assert "SimpleCNN, input (N, 1, 28, 28)" in capsys.readouterr().out
    model = Trained(run).model
    assert (np.abs(evaluate(target, x)[0] - model(x)) <= error_bound(model, x)).all()
    refused(capsys, "is not overwritten", str(run), str(target))
    assert main([str(run), str(target), "--force"]) == 0


def refused(capsys, text, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert text in " ".join(capsys.readouterr().err.split())


def test_the_command_refuses_what_is_no_run(run, tmp_path, capsys):
    target = str(tmp_path / "model.onnx")
    refused(
        capsys,
        (
            f"expected a run folder, as python -m minicnn.train leaves it (runs/simplecnn-seed0); {tmp_path} "
            "holds no config.json."
        ),
        str(tmp_path),
        target,
    )
    refused(capsys, "there is no folder", str(run), str(tmp_path / "nowhere" / "model.onnx"))
    (run / "config.json").write_text('{"network": "Module"}')
    refused(capsys, f"{run} holds 'Module', which does not learn digits; expected SimpleCNN.", str(run), target)
    (run / "config.json").write_text('{"network": "Autoencoder", "task": "generator"}')
    refused(capsys, "config.json does not describe the network of generator: 'latent_dim'.", str(run), target)
    (run / "config.json").write_text("[")
    refused(capsys, "config.json is damaged: ", str(run), target)
    (run / "config.json").write_text('{"network": "SimpleCNN"}')
    save_weights(run / "model.safetensors", nn.Linear(1, 1).state_dict())
    refused(capsys, "model.safetensors does not fit: SimpleCNN cannot load this state_dict:", str(run), target)
    refused(capsys, "cnn.0.weight: missing", str(run), target)
    assert not Path(target).exists()


def test_help_needs_neither_onnx_nor_torch():
    code = (
        "import sys; sys.modules['onnx'] = sys.modules['torch'] = None; from minicnn.onnx import main; main(['--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "RUN" in done.stdout


# ------------------------------------------------------------------------------ read back


def same(model, x, path):
    """What was exported is loaded as a chain that computes the same bits."""
    export(model, path, x.shape, dtype=x.dtype)
    found = load(path)
    model.eval()
    np.testing.assert_array_equal(found(x), model(x))


def test_what_is_exported_is_loaded_and_computes_the_same_bits(folder):
    minicnn.manual_seed(0)
    same(models.SimpleCNN(), numbers(0, "float32", 3, 1, 28, 28), folder / "back.onnx")
    chain = nn.Sequential(
        nn.Conv2d(2, 4, (3, 2), stride=2, padding=1, dilation=(1, 2), groups=2, bias=False),
        nn.Tanh(),
        nn.MaxPool2d(2, 1, ceil_mode=True),
        nn.ConvTranspose2d(4, 2, 3, stride=2, output_padding=1, groups=2),
        nn.Sigmoid(),
        nn.Flatten(),
    )
    same(chain, numbers(1, "float32", 3, 2, 9, 8), folder / "back.onnx")


def model_of(folder, nodes, constants, shape, rank=2):
    """A file with these nodes, from "input" to "output"."""
    helper = onnx.helper
    declared = [
        helper.make_tensor_value_info(name, 1, size) for name, size in (("input", shape), ("output", [None] * rank))
    ]
    arrays = [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "theirs", declared[:1], declared[1:], arrays)
    path = folder / "theirs.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def judged(path, x):
    found, model = evaluate(path, x)[0], load(path)
    assert found.shape == model(x).shape
    error = np.abs(found.astype(np.float64) - model(x))
    assert (error <= 4 * error_bound(model, x) + 1e-6).all()  # the folded parameters are rounded, too


def test_mat_mul_and_add_is_a_linear_layer(folder):
    weight, bias = numbers(0, "float32", 5, 3), numbers(1, "float32", 3)
    make = onnx.helper.make_node
    nodes = [make("MatMul", ["input", "w"], ["a"]), make("Add", ["a", "b"], ["c"]), make("Relu", ["c"], ["output"])]
    path = model_of(folder, nodes, {"w": weight, "b": bias}, [None, 5])
    assert [type(layer).__name__ for layer in load(path).children()] == ["Linear", "ReLU"]
    judged(path, numbers(2, "float32", 4, 5))


def test_batch_normalization_behind_a_convolution_is_folded(folder):
    make = onnx.helper.make_node
    arrays = {
        "w": numbers(0, "float32", 3, 2, 3, 3),
        "gain": numbers(1, "float32", 3),
        "shift": numbers(2, "float32", 3),
    }
    names = ("gain", "shift", "mean", "variance")
    arrays |= {"mean": numbers(3, "float32", 3), "variance": np.abs(numbers(4, "float32", 3)) + 0.5}
    nodes = [
        make("Conv", ["input", "w"], ["a"], pads=[1, 1, 1, 1]),
        make("BatchNormalization", ["a", "gain", "shift", "mean", "variance"], ["output"]),
    ]
    path = model_of(folder, nodes, arrays, [None, 2, 6, 5], rank=4)
    assert [type(layer).__name__ for layer in load(path).children()] == ["Conv2d"]
    x = numbers(5, "float32", 2, 2, 6, 5)
    plain = nn.Conv2d(2, 3, 3, padding=1, bias=False, dtype=np.float64)
    plain.load_state_dict({"weight": arrays["w"].astype(np.float64)})
    gain, shift, mean, variance = (arrays[k].astype(np.float64)[:, None, None] for k in names)
    expected = (plain(x.astype(np.float64)) - mean) / np.sqrt(variance + 1e-5) * gain + shift
    model = load(path)
    bound = error_bound(model, x) + 4 * np.finfo(np.float32).eps * (np.abs(gain * mean) + np.abs(shift))
    assert (np.abs(model(x) - expected) <= 2 * bound).all()  # the folded parameters are rounded, too


def test_auto_pad_is_same_with_the_odd_pixel_at_the_end(folder):
    """Judged by torch's meaning of "same"."""
    weight, x = numbers(0, "float32", 3, 2, 2, 4), numbers(1, "float32", 2, 2, 6, 5)
    node = onnx.helper.make_node("Conv", ["input", "w"], ["output"], auto_pad="SAME_UPPER")
    layer = nn.Conv2d(2, 3, (2, 4), padding="same", bias=False)
    layer.load_state_dict({"weight": weight})
    found = load(model_of(folder, [node], {"w": weight}, [None, 2, 6, 5], rank=4))
    np.testing.assert_array_equal(found(x), layer(x))


def test_gemm_with_factors_and_a_reshape_of_a_fixed_batch(folder):
    make = onnx.helper.make_node
    nodes = [
        make("Reshape", ["input", "sizes"], ["a"]),
        make("Gemm", ["a", "w", "b"], ["output"], alpha=0.5, beta=2.0),
    ]
    arrays = {"sizes": np.array([1, 12]), "w": numbers(0, "float32", 12, 3), "b": numbers(1, "float32", 3)}
    path = model_of(folder, nodes, arrays, [1, 3, 2, 2])
    judged(path, numbers(2, "float32", 1, 3, 2, 2))


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ([("Erf", ["input"])], r"the node n0 \(Erf\) has no counterpart here; these have: Conv, "),
        ([("Mul", ["input", "input"])], r"the node n0 \(Mul\) leaves the chain: it takes input, input"),
        ([("Relu", ["input"]), ("Mul", ["n0", "input"])], r"the node n1 \(Mul\) leaves the chain"),
        ([("Relu", ["input"]), ("Tanh", ["input"])], r"the node n0 \(Relu\) leaves the chain: the output does not"),
        (
            [("Relu", ["input"]), ("Add", ["n0", "input"]), ("Tanh", ["n1"]), ("Concat", ["n0", "n2"], {"axis": 1})],
            r"the node n0 \(Relu\) leaves the chain: two branches of one join go through it",
        ),
        ([("Concat", ["input", "kernel"], {"axis": 1})], r"n0 \(Concat\) puts constants beside what it is given"),
        ([("Add", ["input", "one"])], r"the node n0 \(Add\) stands behind no convolution or linear layer"),
        ([("Flatten", ["input"], {"axis": 0})], "flattens the batch too"),
        ([("Conv", ["input", "kernel"], {"pads": [0, 1, 2, 1]})], "more at one end than at the other"),
        ([("Reshape", ["input", "sizes"])], r"reshapes to \[7, -1, 2\]; expected 0 or -1 for the batch"),
    ],
)
def test_what_is_no_chain_of_layers_is_refused_by_its_node(folder, nodes, text):
    constants = {"one": np.ones(1, np.float32), "kernel": np.ones((1, 1, 2, 2), np.float32)}
    constants["sizes"] = np.array([7, -1, 2])
    made = []
    for k, (op, inputs, *attributes) in enumerate(nodes):
        output = "output" if k == len(nodes) - 1 else f"n{k}"
        made.append(onnx.helper.make_node(op, inputs, [output], f"n{k}", **(attributes or [{}])[0]))
    path = model_of(folder, made, constants, [None, 1, 4, 4], rank=4)
    with pytest.raises(ValueError, match=text) as refused_:
        load(path)
    assert str(refused_.value).startswith(str(path))


def test_what_is_no_onnx_model_is_refused(folder):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load(folder / "nowhere.onnx")
    for content in (b"", b"hello", b"\0" * 100):
        (folder / "no.onnx").write_bytes(content)
        with pytest.raises(ValueError, match=r"no\.onnx is not a whole ONNX model"):
            load(folder / "no.onnx")


# ----------------------------------------------------------------------- for all runtimes


def opset(path):
    return onnx.load(path).opset_import[0].version


def test_the_opset_is_the_smallest_that_suffices(folder):
    for mode, expected in (("zeros", 13), ("reflect", 13), ("replicate", 13), ("circular", 19)):
        export(nn.Conv2d(1, 1, 3, padding=1, padding_mode=mode), folder / "mode.onnx", (1, 1, 5, 5))
        assert opset(folder / "mode.onnx") == expected


def test_pooling_pads_less_than_its_kernel_and_drops_no_window_with_ceil_mode(folder):
    """The smallest of those that runtimes refused: the end was padded by as much as the
    kernel is wide.
    """
    for model, shape in [
        (nn.MaxPool2d(2, 2, padding=1, dilation=2, ceil_mode=True), (8, 8)),
        (nn.MaxPool2d((2, 3), (2, 3), padding=(1, 1), dilation=(2, 1), ceil_mode=True), (8, 6)),
    ]:
        assert_exported(model, numbers(0, "float32", 2, 2, *shape), folder / "pool.onnx")
        for node in onnx.load(folder / "pool.onnx").graph.node:
            if node.op_type == "MaxPool":
                found = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
                assert all(p < k for p, k in zip(found["pads"], found["kernel_shape"] * 2, strict=True))


def test_float64_is_refused_until_it_is_asked_for(folder):
    model, x = nn.Linear(3, 2, dtype=np.float64), numbers(0, "float64", 2, 3)
    with pytest.raises(
        ValueError, match=r"pass dtype=np\.float32 to round its weights, or dtype=np\.float64 to keep them"
    ):
        export(model, folder / "double.onnx", x.shape)
    export(model, folder / "double.onnx", x.shape, dtype=np.float32)
    assert evaluate(folder / "double.onnx", x.astype(np.float32))[0].dtype == np.float32
    assert model.weight.dtype == np.float64
    with pytest.raises(ValueError, match="dtype must be float32 or float64, got int64"):
        export(model, folder / "double.onnx", x.shape, dtype=np.int64)


def test_convert_reads_the_weights_of_a_chain(folder):
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    export(model, folder / "weights.onnx", (1, 3))
    convert(folder / "weights.onnx", folder / "weights.safetensors", force=True, model=nn.Sequential(nn.Linear(3, 2)))
    found = load_weights(folder / "weights.safetensors")
    assert {name: array.tobytes() for name, array in found.items()} == {
        name: array.tobytes() for name, array in model.state_dict().items()
    }
