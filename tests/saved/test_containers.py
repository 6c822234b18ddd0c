"""Weights from every container that people have: read with the numbers that they had, or
refused with what it is and the way in.
"""

import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import numpy as safetensors

import minicnn
from minicnn import nn
from minicnn.convert import main, read
from minicnn.models import SimpleCNN
from minicnn.saved.fitting import fitted
from minicnn.saved.formats import Found, flax
from minicnn.saved.formats.found import widened, widened_bfloat16
from minicnn.saved.weights import load_weights, save_weights
from tests.saved import containers
from tests.support import strategies
from tests.support.oracle import torch

SAME = ["model.safetensors", "model.safetensors.index.json", "state.pt", "old.pt", "checkpoint.pt", "arrays.npz"]
WRAPPED = ["parallel.pt", "compiled.pt", "averaged.pt", "lightning.ckpt"]
HALF = {"half.safetensors": containers.bfloat16, "float16.pt": containers.float16, "bfloat16.pt": containers.bfloat16}
COMMANDS = ["traced.pt", "program.pt2", "module.pt", "namespace.ckpt"]
h5py = pytest.importorskip("h5py")
pytest.importorskip("msgpack")


def made(name, folder):
    (container,) = [one for one in containers.CONTAINERS if one.name == name]
    container.write(folder / name)
    return folder / name


def same(found, tensors):
    assert sorted(found) == sorted(tensors)
    for name, tensor in tensors.items():
        assert found[name].dtype == np.float32
        assert found[name].tobytes() == tensor.float().numpy().tobytes(), name


# ---------------------------------------------------------------------------------- the table


def test_the_printed_table_is_what_minicnn_does(tmp_path):
    """`python -m tests.saved.containers` writes it; versions may be others."""
    pytest.importorskip("onnx")
    printed = (containers.HERE / "README.md").read_text(encoding="utf-8")
    for line in containers.table(tmp_path)[2:]:
        name, what, _, does = line.split(" | ", 3)
        assert f"{name} | {what} | " in printed
        assert does in printed, name


# ----------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize("name", SAME)
def test_the_numbers_are_those_that_were_written(tmp_path, name):
    same(load_weights(made(name, tmp_path)), containers.state())


@pytest.mark.parametrize("name", HALF)
def test_half_precision_is_widened(tmp_path, name):
    same(load_weights(made(name, tmp_path)), HALF[name]())


def test_every_number_of_16_bits_keeps_its_value():
    bits = np.arange(2**16, dtype=np.uint16)
    np.testing.assert_array_equal(widened(bits.view(np.float16)), bits.view(np.float16).astype(np.float64))
    theirs = torch.from_numpy(bits.view(np.int16)).view(torch.bfloat16).double().numpy()
    np.testing.assert_array_equal(widened_bfloat16(bits), theirs)


@pytest.mark.parametrize("name", WRAPPED)
def test_what_wrappers_put_into_the_names_is_left_out_and_said(tmp_path, name):
    model = containers.small()
    path = made(name, tmp_path)
    with pytest.warns(UserWarning, match=r"Left out of the names: (module|model|_orig_mod)\."):
        weights = minicnn.load(path, model)
    same(weights, containers.state())
    with pytest.warns(UserWarning, match=r"load_state_dict: left out of the names"):
        model.load_state_dict(minicnn.load(path))
    same(model.state_dict(), containers.state())


@pytest.mark.parametrize("name", ["keras.keras", "keras.weights.h5", "keras.h5", "linen.msgpack", "nnx.msgpack"])
def test_a_network_of_keras_or_flax_gives_the_outputs_that_it_gave_there(name):
    model = containers.course()
    with pytest.warns(UserWarning, match=r"Matched by shape: 0 is "):
        model.load_state_dict(minicnn.load(containers.HERE / name, model))
    kept = np.load(containers.HERE / "outputs.npz")
    x = np.ascontiguousarray(kept["images"].transpose(0, 3, 1, 2))  # (N, C, H, W)
    bound = np.abs(x)
    for layer in model:  # what the outputs would be if nothing cancelled
        if isinstance(layer, nn.Conv2d | nn.Linear):
            upper = containers.course()[list(model).index(layer)]
            upper.load_state_dict({key: np.abs(value) for key, value in layer.state_dict().items()})
            bound = upper(bound)
        else:
            bound = layer(bound)
    terms = 9 + 36 + 48 + 6 + 4  # products in each sum, and the biases
    error = np.abs(model(x) - kept[name.partition(".")[0]])
    assert (error <= 2 * terms * np.finfo(np.float32).eps * bound).all()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_that_a_sentence_names_makes_it_readable(tmp_path, name):
    path = made(name, tmp_path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="python -c") as refused:
        load_weights(path)
    code = re.search(r'python -c "(.*?)"', str(refused.value))[1]
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, cwd=tmp_path, capture_output=True)
    found = read(tmp_path / f"{path.stem}-weights.pt")
    same(fitted(found, containers.small().state_dict()).weights, containers.state())
    assert path.read_bytes() == before


def test_the_command_for_gguf_makes_it_readable(tmp_path):
    pytest.importorskip("gguf")
    path = made("small.gguf", tmp_path)
    with pytest.raises(ValueError, match="python -c") as refused:
        load_weights(path)
    code = re.search(r'python -c "(.*?)"', str(refused.value))[1]
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    found = load_weights(tmp_path / "small-weights.npz")
    assert found["0.weight"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["0.bias"].tolist() == [0.5, -1.5]


def test_a_command_never_writes_over_a_file(tmp_path):
    path = made("traced.pt", tmp_path)
    (tmp_path / "traced-weights.pt").write_bytes(b"precious")
    with pytest.raises(ValueError, match=r"traced-weights-new\.pt"):
        load_weights(path)


def test_convert_brings_keras_weights_to_the_courses_names(tmp_path, capsys):
    rng = np.random.default_rng(0)
    state = {name: rng.standard_normal(array.shape).astype("f") for name, array in SimpleCNN().state_dict().items()}
    rows = state["linear_block.0.weight"].reshape(128, 32, 49)  # (O, C, H W)
    kernels = {
        "conv2d": state["cnn.0.weight"].transpose(2, 3, 1, 0),
        "conv2d_1": state["cnn.3.weight"].transpose(2, 3, 1, 0),
        "dense": rows.transpose(2, 1, 0).reshape(1568, 128),
        "dense_1": state["linear_block.2.weight"].T,
    }
    biases = [array for name, array in state.items() if name.endswith("bias")]
    with h5py.File(tmp_path / "digits.weights.h5", "w") as file:
        for (name, kernel), bias in zip(kernels.items(), biases, strict=True):
            file[f"layers/{name}/vars/0"] = kernel
            file[f"layers/{name}/vars/1"] = bias
    assert main([str(tmp_path / "digits.weights.h5"), str(tmp_path / "a.safetensors"), "--model", "SimpleCNN"]) == 0
    printed = capsys.readouterr().out
    assert "The rows of dense went from (H, W, C) to (C, H, W), C = 32" in printed
    assert "cnn.0 is conv2d, cnn.3 is conv2d_1, linear_block.0 is dense, linear_block.2 is dense_1" in printed
    found = load_weights(tmp_path / "a.safetensors")
    for name, array in state.items():
        np.testing.assert_array_equal(found[name], array)


# ------------------------------------------------------------------------------------- names


@given(st.lists(st.sampled_from(["module", "_orig_mod"]), min_size=1, max_size=4), st.integers(0, 3), st.booleans())
def test_any_wrappers_in_any_order_and_place_are_left_out(parts, place, counted):
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 3)), nn.Sequential(nn.Linear(3, 2)))
    state = dict(model.state_dict())
    old = {
        ".".join([*parts[:place], *name.split(".")[:1], *parts[place:], *name.split(".")[1:]]): name for name in state
    }
    weights = {name: state[new] for name, new in old.items()}
    if counted:
        weights["n_averaged"] = np.array(3)
    found = fitted(Found(weights), state)
    assert found.weights.keys() == state.keys()
    assert all(found.weights[name] is state[name] for name in state)
    assert set(re.findall(r"\w+(?=\.)", found.notes[0])) == set(parts)


def test_names_that_fit_in_no_way_stay_and_the_error_lists_them():
    model = nn.Linear(2, 3)
    weights = {"module.weight": np.ones((3, 2), "f"), "module.other": np.ones(3, "f")}
    found = Found(weights)
    assert fitted(found, model.state_dict()) is found
    with pytest.raises(RuntimeError, match=r"(?s)weight: missing.*module\.weight: unexpected"):
        model.load_state_dict(weights)


def test_a_layer_of_ones_own_may_be_called_module():
    class Net(nn.Module):
        def __init__(self):
            self.module = nn.Linear(2, 3)

    model = Net()
    assert list(model.state_dict()) == ["module.weight", "module.bias"]
    model.load_state_dict({name: array + 1 for name, array in model.state_dict().items()})  # no warning


# ------------------------------------------------------------------------------------- refused


def test_parts_that_are_missing_or_lie_elsewhere_are_named(tmp_path):
    path = made("model.safetensors.index.json", tmp_path)
    (tmp_path / "model-2-of-2.safetensors").unlink()
    with pytest.raises(ValueError, match=r"names 2 files, of which 1 are not beside it: model-2-of-2\.safetensors"):
        load_weights(path)
    path.write_text('{"weight_map": {"a": "../model.safetensors"}}')
    with pytest.raises(ValueError, match="expected files that lie beside it"):
        load_weights(path)
    save_weights(tmp_path / "part.safetensors", {"b": np.ones(1, np.float32)})
    path.write_text('{"weight_map": {"a": "part.safetensors"}}')
    with pytest.raises(ValueError, match="promises 'a', which its files do not hold"):
        load_weights(path)
    path.write_text('{"a": 1}')
    with pytest.raises(ValueError, match="is a JSON file without weights"):
        load_weights(path)


def test_python_objects_in_an_npz_are_not_loaded(tmp_path):
    proof = tmp_path / "proof"

    class Runs:
        def __reduce__(self):
            return os.mkdir, (str(proof),)

    np.savez(tmp_path / "a.npz", a=np.array([Runs()], object))
    with pytest.raises(ValueError, match="holds Python objects, which could run code and are not loaded"):
        load_weights(tmp_path / "a.npz")
    assert not proof.exists()


def test_an_npz_that_promises_more_than_is_read_is_refused_at_once(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(2000))
    monkeypatch.setattr("minicnn.saved.formats.arrays.LARGEST", 1000)
    with pytest.raises(ValueError, match="its arrays have 16,128 bytes; at most 1,000 are read"):
        load_weights(tmp_path / "a.npz")


def hdf5(path, arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


REFUSED_HDF5 = {
    "normalisation": ({"layers/bn/vars/0": np.ones(3), "layers/bn/vars/1": np.ones(3)}, r"the layer bn holds arrays"),
    "no multiple": (
        {"layers/conv2d/vars/0": np.ones((3, 3, 1, 4)), "layers/dense/vars/0": np.ones((6, 2))},
        "takes 6 numbers, and the last convolution gives 4 channels",
    ),
    "images": ({"images": np.ones((2, 3, 3)), "labels": np.ones(2)}, "holds no layers as Keras writes them"),
    "text": ({"layers/dense/vars/0": b"text"}, "holds no array of numbers"),
}


@pytest.mark.parametrize("name", REFUSED_HDF5)
def test_hdf5_that_holds_no_chain_of_layers_is_refused_by_name(tmp_path, name):
    arrays, said = REFUSED_HDF5[name]
    hdf5(tmp_path / "a.h5", arrays)
    with pytest.raises(ValueError, match=said) as refused:
        load_weights(tmp_path / "a.h5")
    assert str(refused.value).startswith(str(tmp_path / "a.h5"))


def test_hdf5_that_points_elsewhere_or_promises_too_much_is_refused(tmp_path):
    hdf5(tmp_path / "secret.h5", {"numbers": np.ones((2, 2))})
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["layers/dense/vars/0"] = h5py.ExternalLink("secret.h5", "numbers")
    with pytest.raises(ValueError, match=r"points to another file, which is not read"):
        load_weights(tmp_path / "link.h5")
    with h5py.File(tmp_path / "promise.h5", "w") as file:
        file.create_dataset("layers/dense/vars/0", (1000, 1000), "f")
    with pytest.raises(ValueError, match="promises shape .1000, 1000., and the file holds none of its numbers"):
        load_weights(tmp_path / "promise.h5")
    with h5py.File(tmp_path / "huge.h5", "w") as file:
        file.create_dataset("layers/dense/vars/0", (10**6, 10**6), "f")
    with pytest.raises(ValueError, match="its arrays have 4,000,000,000,000 bytes"):
        load_weights(tmp_path / "huge.h5")


def test_a_keras_network_with_a_reshape_is_refused(tmp_path):
    with zipfile.ZipFile(made("keras.keras", tmp_path)) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content["config.json"] = content["config.json"].replace(b'"class_name": "Flatten"', b'"class_name": "Reshape"')
    with zipfile.ZipFile(tmp_path / "b.keras", "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    with pytest.raises(ValueError, match="the network has a Reshape"):
        load_weights(tmp_path / "b.keras")


@given(strategies.seeds, st.sampled_from(["linen.msgpack", "keras.keras", "keras.weights.h5", "arrays.npz"]))
def test_a_damaged_container_is_refused_or_read_never_more(tmp_path_factory, seed, name):
    rng = np.random.default_rng(seed)
    path = made(name, tmp_path_factory.getbasetemp())
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    places = rng.integers(0, len(content), rng.integers(1, 5))
    content[places] = rng.integers(0, 256, len(places))
    path.write_bytes(content.tobytes()[: rng.integers(len(content) // 2, len(content) + 1)])
    try:
        found = load_weights(path)
    except ValueError as error:
        assert str(error).startswith(str(path))
    else:
        assert all(isinstance(array, np.ndarray) and array.nbytes < 10**5 for array in found.values())


def test_flax_with_statistics_is_refused_by_name(tmp_path):
    import msgpack

    tree = {"params": {"fc": {"scale": 1}}, "batch_stats": {"bn": {"mean": 2}}}
    (tmp_path / "a.msgpack").write_bytes(msgpack.packb(tree))
    with pytest.raises(ValueError, match="holds batch_stats beside params"):
        load_weights(tmp_path / "a.msgpack")
    assert not flax.begins(b"\x80\x02")  # a pickle


def test_without_its_library_a_container_is_named_with_the_extra(tmp_path, monkeypatch):
    for library, name in (("h5py", "keras.keras"), ("msgpack", "linen.msgpack")):
        monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(ImportError, match=r"pip install 'minicnn\[formats\]'"):
            load_weights(made(name, tmp_path))


def test_bfloat16_beside_other_types_comes_with_all_of_them(tmp_path):
    save = {"a": np.ones(2, np.float64), "b": np.arange(3)}
    header = safetensors.save(save)
    (tmp_path / "a.safetensors").write_bytes(header)
    assert load_weights(tmp_path / "a.safetensors")["a"].dtype == np.float64
