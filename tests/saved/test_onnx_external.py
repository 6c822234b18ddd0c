"""Weights in files beside an ONNX model: read where they belong and are whole, refused before
anything is read otherwise.
"""

import numpy as np
import pytest

from minicnn import nn
from minicnn.onnx import export, load

onnx = pytest.importorskip("onnx", reason="ONNX files are written by the package onnx: pip install 'minicnn[onnx]'")

SIZE = 4 * (30 * 20 + 30)


@pytest.fixture
def model(tmp_path):
    """(layer, the model's path): its weights lie in model.onnx.data."""
    layer = nn.Linear(20, 30)
    path = tmp_path / "model.onnx"
    export(layer, path, (1, 20))
    written = onnx.load(path)
    options = {"location": "model.onnx.data", "size_threshold": 0, "convert_attribute": True}
    onnx.save_model(written, path, save_as_external_data=True, **options)
    return layer, path


def changed(path, key, value):
    """The first weight says something else about where it lies."""
    written = onnx.load(path, load_external_data=False)
    entries = written.graph.initializer[0].external_data
    for entry in entries:
        if entry.key == key:
            entry.value = value
    path.write_bytes(written.SerializeToString())


def test_weights_beside_the_model_are_read(model):
    layer, path = model
    assert path.with_suffix(".onnx.data").stat().st_size == SIZE
    x = np.random.default_rng(0).standard_normal((3, 20), np.float32)
    np.testing.assert_array_equal(load(path)(x), layer(x))


def test_no_file_outside_the_models_folder_is_opened(model, tmp_path):
    _, path = model
    outside = tmp_path.parent / "elsewhere.data"
    outside.write_bytes(path.with_suffix(".onnx.data").read_bytes())
    for location in ("../elsewhere.data", str(outside), "sub/../../elsewhere.data"):
        changed(path, "location", location)
        with pytest.raises(ValueError, match="outside the model's folder; put that file beside model.onnx"):
            load(path)


def test_a_link_out_of_the_folder_is_not_followed(model, tmp_path):
    _, path = model
    outside = tmp_path.parent / "linked.data"
    data = path.with_suffix(".onnx.data")
    outside.write_bytes(data.read_bytes())
    data.unlink()
    data.symlink_to(outside)
    with pytest.raises(ValueError, match="outside the model's folder"):
        load(path)


def test_a_missing_file_is_named(model):
    _, path = model
    path.with_suffix(".onnx.data").unlink()
    with pytest.raises(ValueError, match="lies in model.onnx.data, which is not beside model.onnx"):
        load(path)


def test_a_file_that_is_cut_off_is_refused(model):
    _, path = model
    data = path.with_suffix(".onnx.data")
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"shape \(30, 20\) needs 2,400 bytes; model.onnx.data has 1,000"):
        load(path)


def test_a_size_that_the_shape_does_not_ask_for_is_refused_before_memory_is_spent(model):
    _, path = model
    written = onnx.load(path, load_external_data=False)
    del written.graph.initializer[0].dims[:]
    written.graph.initializer[0].dims.extend([2**40, 2**20])
    path.write_bytes(written.SerializeToString())
    with pytest.raises(ValueError, match="needs 4,611,686,018,427,387,904 bytes; model.onnx.data has 2,520"):
        load(path)


@pytest.mark.parametrize(("key", "value"), [("length", "2396"), ("offset", "200"), ("length", "99999999999")])
def test_a_length_or_an_offset_that_does_not_fit_is_refused(model, key, value):
    _, path = model
    changed(path, key, value)
    with pytest.raises(ValueError, match="needs 2,400 bytes"):
        load(path)
