"""Weights travel between minicnn and torch unchanged; other files are refused with a reason."""

import os
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import minicnn
from minicnn import nn
from minicnn.convert import convert, main
from minicnn.models import SimpleCNN, networks
from minicnn.saved.weights import load_weights, save_weights
from tests.support import strategies
from tests.support.oracle import torch

SUFFIXES = [".safetensors", ".pt", ".pth"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("weights")


@st.composite
def states(draw):
    """Arrays of any bits (NaN, -0.0), any shape and layout, under names such as torch's."""
    rng = np.random.default_rng(draw(strategies.seeds))
    names = draw(st.lists(st.from_regex(r"[a-z]{1,5}(\.[a-z0-9]{1,5}){0,2}", fullmatch=True), max_size=4, unique=True))
    state = {}
    for name in names:
        shape = tuple(draw(st.lists(st.integers(0, 4), max_size=4)))
        dtype = np.dtype(draw(st.sampled_from(strategies.FLOATS)))
        plain = np.frombuffer(rng.bytes(dtype.itemsize * int(np.prod(shape))), dtype).reshape(shape)
        layout = draw(st.sampled_from(sorted(strategies.LAYOUTS))) if shape else "plain"
        state[name] = strategies.LAYOUTS[layout](plain)
    return state


def plain(state):
    """Copies in native byte order and without gaps."""
    return {name: np.array(a, np.dtype(a.dtype).newbyteorder("="), order="C") for name, a in state.items()}


def bits(state):
    """What must not change: names, types, shapes, and each number's bits."""
    return {name: (a.dtype.name, a.shape, a.tobytes()) for name, a in plain(state).items()}


def arrays(tensors):
    return {name: tensor.detach().contiguous().numpy() for name, tensor in tensors.items()}


def tensors(state):
    return {name: torch.from_numpy(array) for name, array in plain(state).items()}


# ---------------------------------------------------------------------------------- bit for bit


@given(states())
def test_torch_loads_what_minicnn_saves(folder, state):
    save_weights(folder / "a.safetensors", state)
    assert bits(arrays(load_file(folder / "a.safetensors"))) == bits(state)
    convert(folder / "a.safetensors", folder / "b.pt", force=True)
    assert bits(arrays(torch.load(folder / "b.pt", weights_only=True))) == bits(state)


@given(states(), st.booleans())
def test_minicnn_loads_what_torch_saves(folder, state, zipped):
    """Today's format and the one before 1.6."""
    torch.save(tensors(state), folder / "a.pt", _use_new_zipfile_serialization=zipped)
    assert bits(load_weights(folder / "a.pt")) == bits(state)
    save_file(tensors(state), folder / "a.safetensors")
    assert bits(load_weights(folder / "a.safetensors")) == bits(state)


@given(states(), st.lists(st.sampled_from(SUFFIXES), min_size=1, max_size=4))
def test_any_chain_of_conversions_gives_the_same_bits(folder, state, suffixes):
    source = folder / "0.safetensors"
    save_weights(source, state)
    for number, suffix in enumerate(suffixes, 1):
        target = folder / f"{number}{suffix}"
        convert(source, target, force=True)
        source = target
    assert bits(load_weights(source)) == bits(state)


def test_a_network_goes_to_torch_and_back():
    ours = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2, 3))
    theirs = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(2, 3))
    theirs.load_state_dict(tensors(ours.state_dict()))
    x = np.random.default_rng(0).standard_normal((2, 1, 3, 3)).astype(np.float32)
    np.testing.assert_allclose(ours(x), theirs(torch.from_numpy(x)).detach(), rtol=1e-5, atol=1e-6)


def test_the_content_decides_not_the_name(folder):
    state = SimpleCNN().state_dict()
    torch.save(tensors(state), folder / "misnamed.safetensors")
    save_weights(folder / "misnamed.pt", state)
    assert (
        bits(load_weights(folder / "misnamed.safetensors")) == bits(state) == bits(load_weights(folder / "misnamed.pt"))
    )


def test_a_header_of_640_bytes_begins_as_a_pickle_does_and_is_none(folder):
    """The length comes first: 640 is written 80 02 00 ..., as protocol 2 of pickle is."""
    for length in range(300, 700):
        save_weights(folder / "odd.safetensors", {"n" * length: np.ones(1, np.float32)})
        if (folder / "odd.safetensors").read_bytes()[:2] == b"\x80\x02":
            assert list(load_weights(folder / "odd.safetensors")) == ["n" * length]
            return
    pytest.fail("no header had 640 bytes")


def linear():
    return torch.nn.Linear(2, 3)


def test_strided_tied_and_half_tensors_come_as_they_are(folder):
    grid, tied = torch.arange(6.0).reshape(2, 3), torch.ones(2)
    state = {
        "turned": grid.T,
        "a": tied,
        "b": tied,
        "part": grid[:, 1:],
        "half": tied.half(),
        "minus": torch._neg_view(tied),
    }
    torch.save(state | {"parameter": torch.nn.Parameter(tied), "number": torch.tensor(3.0)}, folder / "odd.pt")
    found = load_weights(folder / "odd.pt")
    np.testing.assert_array_equal(found["turned"], grid.numpy().T)
    np.testing.assert_array_equal(found["part"], grid.numpy()[:, 1:])
    assert found["a"].tolist() == found["b"].tolist() == found["parameter"].tolist() == [1, 1]
    assert found["minus"].tolist() == [-1, -1]
    assert (found["half"].dtype, found["number"].shape) == (np.float32, ())
    with pytest.raises(RuntimeError, match="weight: expected float32 or float64, got float16"):
        nn.Linear(2, 3).load_state_dict(arrays(linear().half().state_dict()))
    convert(folder / "odd.pt", folder / "even.safetensors")
    assert bits(load_weights(folder / "even.safetensors")) == bits(found)


# -------------------------------------------------------------------------------------- refused


def torch_file(value, **options):
    return lambda path: torch.save(value(), path, **options)


def written(content):
    return lambda path: path.write_bytes(content)


def cut(save, bytes_left):
    def write(path):
        save(path)
        path.write_bytes(path.read_bytes()[:bytes_left])

    return write


def with_promise(path):
    """A tensor's shape, made larger than what is stored."""
    torch.save({"a": torch.arange(3.0)}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    assert content.count(b"K\x03\x85") == 1
    path.write_bytes(content.replace(b"K\x03\x85", b"J" + (10**9).to_bytes(4, "little") + b"\x85"))


def zip_bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10**6))


def optimiser():
    return torch.optim.Adam(linear().parameters()).state_dict()


STATE = torch_file(lambda: linear().state_dict())
OLD = torch_file(lambda: linear().state_dict(), _use_new_zipfile_serialization=False)
ODD = {"a": torch.ones(2).to(torch.float8_e5m2), "b": torch.ones(1), "c": torch.eye(2).to_sparse()}
HEADER = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'


def safetensors_file(header, data):
    return written(len(header).to_bytes(8, "little") + header + data)


REFUSED = {
    "empty": (written(b""), "is empty"),
    "short": (written(b"abc"), "neither a whole safetensors file nor a state_dict.*begins with b'abc'"),
    "picture": (written(b"\x89PNG\r\n\x1a\n" + bytes(50)), "neither a whole safetensors file"),
    "old pickle": (lambda path: path.write_bytes(pickle.dumps({"a": 1}, protocol=0)), "neither a whole"),
    "other pickle": (
        lambda path: path.write_bytes(pickle.dumps({"a": np.ones(2)})),
        "another kind of pickle, or damaged",
    ),
    "module": (torch_file(linear), r"is a whole module, .*asks for torch\.nn\.\S*Linear, .*nothing was loaded"),
    "checkpoint": (
        torch_file(lambda: {"epoch": 3, "model": linear().state_dict(), "ema": linear().state_dict()}),
        r"entries 'epoch', 'model', 'ema', of which 'model', 'ema' hold.*checkpoint', weights_only=True\)\['model'\]",
    ),
    "no weights": (
        torch_file(lambda: {"epoch": 3, "optimizer": optimiser()}),
        r"checkpoint with the entries 'epoch', 'optimizer', none of which maps names to tensors",
    ),
    "optimiser": (torch_file(optimiser), "holds an optimiser's state, not weights"),
    "tensor": (torch_file(lambda: torch.ones(2)), "holds an object of type Tensor, expected a state_dict"),
    "list": (torch_file(lambda: [torch.ones(2)]), "holds an object of type list"),
    "numbers": (
        torch_file(lambda: {"a": 1, 2: torch.ones(2)}),
        r"(?s)a: expected a name with a tensor, got str with int.*2: .*int",
    ),
    "sparse": (torch_file(lambda: ODD), r"(?s)a: NumPy has no such tensors \(float8.*\n  c: .*sparse_coo"),
    "expanded half": (torch_file(lambda: {"a": torch.ones(1).half().expand(10**12)}), "a: promises shape"),
    "expanded": (torch_file(lambda: {"a": torch.ones(1).expand(10**12)}), "a: promises shape .1000000000000,., but"),
    "promise": (with_promise, "is not a whole state_dict saved by torch"),
    "zip bomb": (zip_bomb, "its entries promise more bytes than the file has"),
    "half a zip": (cut(STATE, 900), "is not a whole state_dict saved by torch"),
    "start of a zip": (cut(STATE, 30), "is not a whole state_dict saved by torch"),
    "half an old one": (cut(OLD, -4), "is not a whole state_dict saved by torch"),
    "half a safetensors": (safetensors_file(HEADER, bytes(7)), "is not a whole safetensors file"),
    "more than promised": (safetensors_file(HEADER, bytes(9)), "is not a whole safetensors file"),
    "half a header": (written((10**3).to_bytes(8, "little") + HEADER), "is not a whole safetensors file"),
    "endless header": (written((2**60).to_bytes(8, "little") + HEADER), "is not a whole safetensors file"),
    "terabytes": (
        safetensors_file(HEADER.replace(b"[2]", b"[999999999999]").replace(b",8]", b",3999999999996]"), bytes(8)),
        "is not a whole safetensors file",
    ),
    "unknown type": (
        safetensors_file(HEADER.replace(b"F32", b"F8_E5M2").replace(b",8]", b",2]"), bytes(2)),
        "type F8_E5M2, which NumPy does not have|is not a whole safetensors file",  # so the oldest safetensors
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_weights_file_is_refused_by_name_and_reason(tmp_path, name):
    write, text = REFUSED[name]
    path = tmp_path / name
    write(path)
    with pytest.raises(ValueError, match=text) as refused:
        load_weights(path)
    assert str(refused.value).startswith(str(path))


@pytest.mark.parametrize("protocol", [0, 2, 4, None, "old"])
def test_a_pickle_that_runs_code_is_refused_and_runs_nothing(tmp_path, protocol):
    proof, path = tmp_path / "proof", tmp_path / "weights.pt"

    class Runs:
        def __reduce__(self):
            return os.mkdir, (str(proof),)

    if isinstance(protocol, int):
        path.write_bytes(pickle.dumps({"a": Runs()}, protocol))
    else:
        torch.save({"a": Runs()}, path, _use_new_zipfile_serialization=protocol is None)
    with pytest.raises(ValueError, match=r"weights\.pt"):
        load_weights(path)
    assert not proof.exists()
    pickle.loads(pickle.dumps(Runs()))  # it would have
    assert proof.exists()


def test_an_error_that_torch_has_with_a_damaged_file_names_the_file(tmp_path, monkeypatch):
    """Its reader of zip archives seeks before the beginning: an OSError without a name."""

    def load(*_, **__):
        raise OSError(22, "Invalid argument")

    torch.save({"a": torch.ones(2)}, tmp_path / "w.pt")
    monkeypatch.setattr(torch, "load", load)
    with pytest.raises(
        ValueError, match=r"w.pt is not a whole state_dict saved by torch: \[Errno 22\] Invalid argument"
    ):
        load_weights(tmp_path / "w.pt")


@given(strategies.seeds, st.sampled_from(["zip", "old", "safetensors"]))
def test_a_damaged_file_is_refused_or_read_never_more(folder, seed, kind):
    rng, path = np.random.default_rng(seed), folder / "damaged"
    if kind == "safetensors":
        save_weights(path, arrays(linear().state_dict()))
    else:
        torch.save(linear().state_dict(), path, _use_new_zipfile_serialization=kind == "zip")
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    places = rng.integers(0, len(content), rng.integers(1, 5))
    content[places] = rng.integers(0, 256, len(places))
    path.write_bytes(content.tobytes()[: rng.integers(len(content) // 2, len(content) + 1)])
    try:
        found = load_weights(path)
    except ValueError as error:
        assert str(error).startswith(str(path))
    else:
        assert all(isinstance(array, np.ndarray) and array.nbytes < 1000 for array in found.values())


def test_folders_and_missing_files_are_named(tmp_path):
    with pytest.raises(IsADirectoryError, match="is no file: name the file with the weights"):
        load_weights(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_weights(tmp_path / "nowhere.pt")


def test_without_torch_only_torchs_format_is_refused_and_the_extra_named(tmp_path, monkeypatch):
    STATE(tmp_path / "a.pt")
    save_weights(tmp_path / "a.safetensors", {"a": np.ones(2)})
    monkeypatch.setitem(sys.modules, "torch", None)
    assert load_weights(tmp_path / "a.safetensors")["a"].tolist() == [1, 1]
    with pytest.raises(ImportError, match=r"a\.pt is in torch's format.*pip install 'minicnn\[torch\]'"):
        load_weights(tmp_path / "a.pt")
    with pytest.raises(ImportError, match=r"needs torch: pip install 'minicnn\[torch\]'"):
        convert(tmp_path / "a.safetensors", tmp_path / "b.pt")
    assert not (tmp_path / "b.pt").exists()


# ----------------------------------------------------------------------------- the command line


def test_a_run_folder_goes_to_torch_and_back(tmp_path, capsys):
    (tmp_path / "run").mkdir()
    state = SimpleCNN().state_dict()
    save_weights(tmp_path / "run" / "model.safetensors", state)
    there, back = tmp_path / "there.pth", tmp_path / "back.safetensors"
    assert main([str(tmp_path / "run"), str(there), "--model", "SimpleCNN"]) == 0
    printed = capsys.readouterr().out
    assert f"model.safetensors -> {there}" in printed
    for name, array in state.items():
        (line,) = [line for line in printed.splitlines() if line.startswith(f"{name} ")]
        assert all(part in line for part in (str(array.shape), "float32", f"{array.size:,}"))
    assert "8 tensors, 215,370 numbers" in printed
    assert main([str(there), str(back)]) == 0
    assert bits(load_weights(back)) == bits(state)


@pytest.mark.parametrize(
    ("outputs", "shape"), [(4, (3, 32, 32)), (10, (1, 16, 16)), (128, (1, 16, 19)), (2, (1, 4, 4))]
)
def test_weights_for_other_images_and_classes_are_simplecnns_too(tmp_path, capsys, outputs, shape):
    state = SimpleCNN(outputs, shape).state_dict()
    save_weights(tmp_path / "a.safetensors", {f"module.{name}": array for name, array in state.items()})
    assert main([str(tmp_path / "a.safetensors"), str(tmp_path / "b.safetensors"), "--model", "SimpleCNN"]) == 0
    assert "Left out of the names: module." in capsys.readouterr().out
    assert bits(load_weights(tmp_path / "b.safetensors")) == bits(state)


def test_all_that_does_not_fit_the_model_is_listed_at_once_and_nothing_written(tmp_path, capsys):
    state = dict(SimpleCNN().state_dict())
    state |= {"cnn.0.weight": np.ones((16, 3, 5, 5), np.float32), "more": np.ones(1)}
    del state["linear_block.0.bias"]
    save_weights(tmp_path / "a.safetensors", state)
    assert main([str(tmp_path / "a.safetensors"), str(tmp_path / "b.pt"), "--model", "SimpleCNN"]) == 1
    said = capsys.readouterr().err
    assert "cnn.0.weight: expected shape (16, 1, 5, 5), got (16, 3, 5, 5)" in said
    assert "linear_block.0.bias: missing" in said
    assert "more: unexpected" in said
    assert not (tmp_path / "b.pt").exists()


def test_a_wrappers_prefix_is_noticed_and_can_be_stripped(tmp_path, capsys):
    wrapped = torch.nn.DataParallel(linear())
    torch.save(wrapped.state_dict(), tmp_path / "a.pt")
    assert main([str(tmp_path / "a.pt"), str(tmp_path / "b.safetensors")]) == 0
    assert "--strip-prefix module. leaves it out" in capsys.readouterr().out
    assert main([str(tmp_path / "a.pt"), str(tmp_path / "c.safetensors"), "--strip-prefix", "module."]) == 0
    assert bits(load_weights(tmp_path / "c.safetensors")) == bits(arrays(wrapped.module.state_dict()))
    refused(
        capsys, "these names do not begin so: bias, weight", tmp_path / "c.safetensors", tmp_path / "d.pt", prefix="x."
    )


def refused(capsys, text, source, target, prefix=""):
    with pytest.raises(SystemExit) as stopped:
        main([str(source), str(target), *(["--strip-prefix", prefix] if prefix else [])])
    assert stopped.value.code == 2
    assert text in " ".join(capsys.readouterr().err.split())


def test_what_cannot_be_written_is_refused_before_anything_is(tmp_path, capsys):
    source, taken = tmp_path / "a.safetensors", tmp_path / "b.pt"
    save_weights(source, {"a": np.ones(2)})
    taken.write_text("precious")
    refused(capsys, "is not overwritten: name another file, or say --force", source, taken)
    assert taken.read_text() == "precious"
    refused(capsys, "must end in .safetensors, .pt or .pth", source, tmp_path / "b.onnx")
    refused(capsys, "is the file to be read", source, source)
    refused(capsys, "there is no folder", source, tmp_path / "nowhere" / "b.pt")
    (tmp_path / "folder.pt").mkdir()
    refused(capsys, "is a folder: name a file in it", source, tmp_path / "folder.pt")
    refused(capsys, "model.safetensors", tmp_path, tmp_path / "c.pt")
    assert main([str(source), str(taken), "--force"]) == 0
    assert load_weights(taken)["a"].tolist() == [1, 1]


def test_networks_are_those_of_minicnn_models():
    assert networks()["SimpleCNN"] is SimpleCNN
    assert "Module" not in networks()


def test_help_needs_no_torch():
    code = "import sys; sys.modules['torch'] = None; from minicnn.convert import main; main(['--help'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--force" in done.stdout


# ------------------------------------------------------------------------ torch's words


@pytest.mark.parametrize("suffix", ["safetensors", "pt", "pth"])
def test_what_is_saved_is_loaded_bit_for_bit(tmp_path, suffix):
    path = tmp_path / f"weights.{suffix}"
    state = SimpleCNN().state_dict()
    minicnn.save(state, path)
    found = minicnn.load(str(path))
    assert sorted(found) == sorted(state)
    for name, value in state.items():
        assert found[name].dtype == value.dtype
        assert found[name].tobytes() == value.tobytes()


def test_torch_loads_what_is_saved_and_the_other_way_round(tmp_path):
    theirs = torch.nn.Linear(3, 2)
    torch.save(theirs.state_dict(), tmp_path / "theirs.pt")
    ours = minicnn.nn.Linear(3, 2)
    ours.load_state_dict(minicnn.load(tmp_path / "theirs.pt"))
    assert np.array_equal(ours.weight.data, theirs.weight.detach().numpy())
    ours.weight.data[...] = 7
    minicnn.save(ours.to(torch.device("cpu")).state_dict(), tmp_path / "ours.pt")  # tensors by now
    theirs.load_state_dict(torch.load(tmp_path / "ours.pt"))
    assert theirs.weight.eq(7).all()


@pytest.mark.parametrize("what", [SimpleCNN(), {"a": 1.0}, [np.zeros(2)], {"state": {}, "param_groups": []}])
def test_what_is_no_state_dict_is_not_saved(tmp_path, what):
    with pytest.raises(TypeError, match=r"got .*; write minicnn\.save\(model\.state_dict\(\), path\)\."):
        minicnn.save(what, tmp_path / "weights.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_file_whose_name_says_no_format_is_not_written(tmp_path):
    with pytest.raises(ValueError, match=r"weights\.npz: .* must end in \.safetensors, \.pt or \.pth"):
        minicnn.save(SimpleCNN().state_dict(), tmp_path / "weights.npz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_wrappers_prefixes_are_left_out_where_that_makes_the_names_fit_and_it_is_said(tmp_path, capsys, prefix):
    state = SimpleCNN().state_dict()
    save_weights(tmp_path / "a.safetensors", {prefix + name: array for name, array in state.items()})
    assert main([str(tmp_path / "a.safetensors"), str(tmp_path / "b.safetensors"), "--model", "SimpleCNN"]) == 0
    assert f"Left out of the names: {prefix.replace('.', '., ', prefix.count('.') - 1)}" in capsys.readouterr().out
    assert bits(load_weights(tmp_path / "b.safetensors")) == bits(state)
