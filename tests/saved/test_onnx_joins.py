"""Residual and Concat in ONNX: what is written computes what the network computes, what is
read does too, and the networks of `benchmarks.networks` go there and back.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn import nn
from minicnn.onnx import export, load
from tests.support.strategies import seeds

onnx = pytest.importorskip("onnx", reason="ONNX files are written by the package onnx: pip install 'minicnn[onnx]'")

from onnx.reference import ReferenceEvaluator

from tests.saved.test_onnx_layers import BatchNormalization, assert_near, filled

IMAGE = (2, 3, 6, 8)


def evaluators(path):
    """ONNX's own evaluator, and ONNX Runtime where it is installed: each a function of x."""
    judge = ReferenceEvaluator(str(path), new_ops=[BatchNormalization])
    yield lambda x: judge.run(None, {"input": x})[0]
    try:
        import onnxruntime
    except ImportError:
        return
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    yield lambda x: session.run(None, {"input": x})[0]


def there_and_back(model, shape, path):
    """The network that is read again, after the file has computed what `model` does."""
    export(model, path, shape)
    onnx.checker.check_model(str(path), full_check=True)
    back = load(path)
    for n in (shape[0], 1, 5):
        x = np.random.default_rng(n).standard_normal((n, *shape[1:])).astype(np.float32)
        expected = model(x)
        for evaluate in evaluators(path):
            assert_near(evaluate(x), expected)
        assert_near(back(x), expected)
    return back


def kinds(model):
    """The joins, in the order in which they stand."""
    return [type(module) for module in model.modules() if isinstance(module, nn.Residual | nn.Concat)]


JOINS = {
    "a sum": nn.Residual(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU()),
    "a sum of layers that are no sums of products": nn.Residual(nn.BatchNorm2d(3)),
    "a shortcut": nn.Residual(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), shortcut=nn.Conv2d(3, 4, 1, 2)),
    "a shortcut of two layers": nn.Residual(
        nn.Conv2d(3, 4, 1), shortcut=nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    ),
    "a sum inside a sum": nn.Residual(nn.Tanh(), nn.Residual(nn.Sigmoid(), nn.Conv2d(3, 3, 1))),
    "branches": nn.Concat(nn.Conv2d(3, 2, 1), nn.Identity(), nn.Sequential(nn.AvgPool2d(3, 1, 1), nn.Conv2d(3, 1, 1))),
    "branches along the rows": nn.Concat(nn.ReLU(), nn.Tanh(), dim=-2),
    "one branch": nn.Concat(nn.Tanh()),
    "branches inside a sum": nn.Residual(nn.Concat(nn.Conv2d(3, 1, 1), nn.Conv2d(3, 2, 3, padding=1)), nn.Sigmoid()),
    "two sums": nn.Sequential(nn.Residual(nn.Tanh()), nn.Residual(nn.ReLU())),
}


@pytest.mark.parametrize("what", JOINS)
def test_a_join_goes_there_and_back(what, tmp_path):
    model = nn.Sequential(filled(JOINS[what]), nn.ReLU())
    back = there_and_back(model.eval(), IMAGE, tmp_path / "model.onnx")
    assert kinds(back) == kinds(model)


@st.composite
def networks(draw, depth=2):
    """A module that keeps the shape of IMAGE, of joins of such modules."""
    kind = draw(st.sampled_from(["layer", "chain", "sum", "shortcut", "branches"] if depth else ["layer"]))
    if kind == "layer":
        made = [nn.Tanh(), nn.ReLU(), nn.Identity(), nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Dropout(0.5)]
        return draw(st.sampled_from(made))
    parts = [draw(networks(depth - 1)) for _ in range(draw(st.integers(1, 3)))]
    if kind == "chain":
        return nn.Sequential(*parts)
    if kind == "branches":
        return nn.Sequential(nn.Concat(*parts), nn.Conv2d(3 * len(parts), 3, 1))
    return nn.Residual(*parts, shortcut=draw(networks(depth - 1)) if kind == "shortcut" else None)


@settings(max_examples=25)
@given(networks(), seeds)
def test_any_joins_of_joins_go_there_and_back(tmp_path_factory, model, seed):
    model = filled(nn.Sequential(nn.Tanh(), model), seed)
    there_and_back(model, IMAGE, tmp_path_factory.mktemp("onnx") / "model.onnx")


@pytest.mark.parametrize("name", ["ResNet-8", "a U-Net", "torch's MNIST example"])
def test_the_networks_that_people_bring_go_there_and_back(name, tmp_path):
    examples = pytest.importorskip("benchmarks.networks", reason="the benchmarks are not part of an installed package")
    network = examples.NETWORKS[name]
    model = network.make(nn).eval()
    back = there_and_back(model, (1, *network.input_shape), tmp_path / "model.onnx")
    assert kinds(back) == kinds(model)


def test_torchs_own_residual_and_concat_are_read(tmp_path):
    """A file as torch's exporter writes it: the shortcut may stand first."""
    make = onnx.helper.make_node
    weight = np.random.default_rng(0).standard_normal((3, 3, 1, 1)).astype(np.float32)
    nodes = [
        make("Conv", ["input", "w"], ["a"]),
        make("Add", ["input", "a"], ["b"]),
        make("Relu", ["b"], ["c"]),
        make("Concat", ["c", "b"], ["output"], axis=1),
    ]
    x, y = (onnx.helper.make_tensor_value_info(name, 1, [None, C, 6, 8]) for name, C in (("input", 3), ("output", 6)))
    graph = onnx.helper.make_graph(nodes, "g", [x], [y], [onnx.numpy_helper.from_array(weight, "w")])
    path = tmp_path / "theirs.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8), path)
    model = load(path)
    assert kinds(model) == [nn.Residual, nn.Concat]
    images = np.random.default_rng(1).standard_normal(IMAGE).astype(np.float32)
    assert_near(model(images), ReferenceEvaluator(str(path)).run(None, {"input": images})[0])


class Doubling(nn.Module):
    def forward(self, x):
        x *= 2
        return x


class Own(nn.Residual):
    def forward(self, x):
        return x - self.body(x)


@pytest.mark.parametrize(
    "model", [nn.Residual(nn.Tanh(), Own(nn.ReLU())), nn.Concat(nn.Sequential(Doubling()), nn.Tanh())]
)
def test_a_branch_that_is_no_chain_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match=r"is not a chain of layers|has no counterpart in ONNX"):
        export(nn.Sequential(model), tmp_path / "no.onnx", IMAGE)
    assert not (tmp_path / "no.onnx").exists()
