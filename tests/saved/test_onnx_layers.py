"""Each layer that is no sum of products, exported alone: ONNX's own evaluator computes what
the layer computes in evaluation mode, and where the reader knows the node, what comes back
computes it too.

A judge is judged first. Before opset 14 the evaluator's BatchNormalization (1.23) mixes the
batch's mean and variance into the running ones, though ONNX says that a node with one output
takes those as they are; here its own code for inference does so.
"""

import numpy as np
import pytest

from minicnn import nn
from minicnn.onnx import export, load

onnx = pytest.importorskip("onnx", reason="ONNX files are written by the package onnx: pip install 'minicnn[onnx]'")

from onnx.reference import ReferenceEvaluator
from onnx.reference.ops import op_batch_normalization


class BatchNormalization(op_batch_normalization.BatchNormalization_9):
    op_domain = ""

    def _run(self, *arrays, epsilon=None, **_):
        return super()._run(*arrays, epsilon=epsilon)


IMAGE = (2, 3, 6, 8)
READ = [
    (nn.BatchNorm2d(3), IMAGE),
    (nn.BatchNorm2d(3, eps=0.1, affine=False), IMAGE),
    (nn.AvgPool2d(2), IMAGE),
    (nn.AvgPool2d((3, 2), stride=(2, 1), padding=(1, 0)), IMAGE),
    (nn.AvgPool2d(3, padding=1, count_include_pad=False), IMAGE),
    (nn.AdaptiveAvgPool2d(1), IMAGE),
    (nn.LeakyReLU(0.25), IMAGE),
    (nn.Upsample(scale_factor=2), IMAGE),
    (nn.Upsample(scale_factor=(3, 1), mode="bilinear"), IMAGE),
    (nn.Upsample(size=(12, 16), mode="bilinear", align_corners=True), IMAGE),
    (nn.Softmax(1), IMAGE),
    (nn.Softmax(-1), (2, 5)),
    (nn.LogSoftmax(1), (2, 5)),
]
WRITTEN = [
    *READ,
    (nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True), IMAGE),
    (nn.AvgPool2d(4, stride=3, padding=1, ceil_mode=True, count_include_pad=False), IMAGE),
    (nn.AvgPool2d(2, divisor_override=3), IMAGE),
    (nn.AdaptiveAvgPool2d((3, 2)), IMAGE),
    (nn.AdaptiveAvgPool2d((None, 4)), IMAGE),
    (nn.Identity(3), IMAGE),
    (nn.Upsample(scale_factor=1.7), IMAGE),
    (nn.Upsample(size=(4, 11)), IMAGE),
    (nn.Upsample(scale_factor=2, mode="nearest-exact"), IMAGE),
    (nn.Upsample(scale_factor=(0.5, 1.3), mode="bilinear"), IMAGE),
    (nn.Upsample(size=(7, 5), mode="bilinear", align_corners=True), IMAGE),
    (nn.GELU(), IMAGE),
    (nn.GELU("tanh"), IMAGE),
    (nn.Dropout(0.9), IMAGE),
    (nn.Dropout2d(0.9), IMAGE),
    (nn.LayerNorm((6, 8)), IMAGE),
    (nn.LayerNorm(8, bias=False), IMAGE),
    (nn.LayerNorm(3, elementwise_affine=False), (2, 3)),
]


def filled(layer, seed=0):
    """The layer in evaluation mode, parameters and running numbers drawn from [0.5, 1.5)."""
    rng = np.random.default_rng(seed)
    for array in layer.state_dict().values():
        if array.dtype.kind == "f":
            array[...] = rng.uniform(0.5, 1.5, array.shape)
    return layer.eval()


def assert_near(found, expected):
    """The numbers are near 1, and no layer here takes more than 100 of them together."""
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=0, atol=100 * np.finfo(np.float32).eps * np.abs(expected).max())


@pytest.mark.parametrize(("layer", "shape"), WRITTEN, ids=[repr(layer) for layer, _ in WRITTEN])
def test_the_file_computes_what_the_layer_computes_for_any_batch(layer, shape, tmp_path):
    model = nn.Sequential(filled(layer))
    export(model, tmp_path / "model.onnx", shape)
    onnx.checker.check_model(str(tmp_path / "model.onnx"), full_check=True)
    judge = ReferenceEvaluator(str(tmp_path / "model.onnx"), new_ops=[BatchNormalization])
    for n in (shape[0], 1, 5):
        x = np.random.default_rng(n).standard_normal((n, *shape[1:])).astype(np.float32)
        assert_near(judge.run(None, {"input": x})[0], model(x))


@pytest.mark.parametrize(("layer", "shape"), READ, ids=[repr(layer) for layer, _ in READ])
def test_what_is_exported_is_loaded_and_computes_the_same(layer, shape, tmp_path):
    model = nn.Sequential(filled(layer))
    export(model, tmp_path / "model.onnx", shape)
    back = load(tmp_path / "model.onnx")
    assert [type(part) for part in back] == [type(layer)]
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    assert_near(back(x), model(x))


def test_batch_normalisation_behind_a_convolution_is_loaded_as_one_layer(tmp_path):
    model = filled(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()))
    export(model, tmp_path / "model.onnx", IMAGE)
    back = load(tmp_path / "model.onnx")
    assert [type(part) for part in back] == [nn.Conv2d, nn.ReLU]
    x = np.random.default_rng(0).standard_normal(IMAGE).astype(np.float32)
    assert_near(back(x), model(x))


@pytest.mark.parametrize("size", [4, (3, 5), 0])
def test_windows_of_several_sizes_have_no_counterpart(size, tmp_path):
    with pytest.raises(ValueError, match="each size must divide the input's"):
        export(nn.AdaptiveAvgPool2d(size), tmp_path / "model.onnx", IMAGE)


def test_a_softmax_over_the_batch_has_no_counterpart(tmp_path):
    with pytest.raises(ValueError, match="adds up over the batch"):
        export(nn.Softmax(0), tmp_path / "model.onnx", (2, 3))


def test_batch_normalisation_without_running_numbers_has_no_counterpart(tmp_path):
    with pytest.raises(ValueError, match="has no running statistics"):
        export(nn.BatchNorm2d(3, track_running_stats=False), tmp_path / "model.onnx", IMAGE)


# --------------------------------------------------------------- nodes of other programs


def written(path, op, shape=IMAGE, constants=(), **attributes):
    """A file with one node; `constants` are its further inputs, None one that is left out."""
    helper = onnx.helper
    names = [f"c{k}" if array is not None else "" for k, array in enumerate(constants)]
    node = helper.make_node(op, ["x", *names], ["y"], name="the_node", **attributes)
    kept = [onnx.numpy_helper.from_array(a, n) for a, n in zip(constants, names, strict=True) if a is not None]
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None] * len(shape))
    graph = helper.make_graph([node], "g", [x], [y], kept)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), str(path))
    return path


FOUR = np.ones(4, np.float32)


@pytest.mark.parametrize(
    ("op", "constants", "attributes", "text"),
    [
        ("AveragePool", (), {"kernel_shape": [2, 2], "dilations": [2, 2]}, "has a dilation"),
        ("AveragePool", (), {"kernel_shape": [2, 2], "pads": [0, 0, 1, 1]}, "more at one end"),
        ("Resize", (None, None, np.array([2, 3, 12, 16])), {"mode": "cubic"}, "mode cubic"),
        (
            "Resize",
            (None, 2 * FOUR),
            {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
            "alone",
        ),
        ("Resize", (None, FOUR), {"mode": "nearest"}, "half_pixel, round_prefer_floor"),
        ("BatchNormalization", (FOUR, FOUR, FOUR, FOUR[:3]), {}, "expected shape"),
        ("Softmax", (), {"axis": 7}, "adds up along axis 7 of 4"),
    ],
)
def test_a_node_that_no_layer_is_like_is_refused_with_a_sentence(op, constants, attributes, text, tmp_path):
    path = written(tmp_path / "model.onnx", op, (2, 4, 6, 8), constants, **attributes)
    with pytest.raises(ValueError, match=text):
        load(path)


@pytest.mark.parametrize(
    ("op", "constants", "attributes", "wanted"),
    [
        ("Gelu", (), {"approximate": "tanh"}, nn.GELU("tanh")),
        ("Gelu", (), {}, nn.GELU()),
        ("LeakyRelu", (), {}, nn.LeakyReLU(0.01)),
        ("Softmax", (), {}, nn.Softmax(-1)),
        ("GlobalAveragePool", (), {}, nn.AdaptiveAvgPool2d(1)),
        (
            "Resize",
            (None, None, np.array([2, 3, 12, 16])),
            {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"},
            nn.Upsample(size=(12, 16), mode="bilinear", align_corners=False),
        ),
    ],
)
def test_a_node_of_a_later_opset_is_loaded(op, constants, attributes, wanted, tmp_path):
    back = load(written(tmp_path / "model.onnx", op, IMAGE, constants, **attributes))
    assert [repr(layer) for layer in back] == [repr(wanted)]
    x = np.random.default_rng(0).standard_normal(IMAGE).astype(np.float32)
    assert_near(back(x), wanted(x))
