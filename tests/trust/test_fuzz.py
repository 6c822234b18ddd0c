"""Fuzzing in the normal suite: some thousand inputs for each reader, and the traps by
name. `tests.trust.fuzz` does more.
"""

import gzip
import io
import json
import os
import pickle
import re
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from safetensors import numpy as safetensors

import minicnn
from minicnn import optim
from minicnn.data import MNIST
from minicnn.data.idx import read_idx, write_idx
from minicnn.data.images import read_digit
from minicnn.saved import checkpoints
from minicnn.saved.run_folder import Run
from minicnn.saved.weights import load_weights
from minicnn.trained import Trained
from tests.trust import fuzz

edits = st.lists(
    st.builds(fuzz.Edit, st.floats(0, 1), st.integers(0, 7), st.integers(1, 64), st.integers(0, 2**16 - 1)), max_size=6
)


@pytest.fixture(autouse=True)
def textbook():
    with minicnn.use_backend("numpy"):
        yield


@pytest.fixture(scope="module", params=fuzz.READERS)
def reader(request):
    if request.param == "torch weights":
        pytest.importorskip("torch", reason="pip install 'minicnn[torch]'")
    return fuzz.READERS[request.param]()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzzed")


def test_valid_inputs_are_read(reader, folder):
    read = {fuzz.attack(reader, folder, seed) for seed in reader.seeds}
    assert "read" in read


@given(st.integers(0, 100), edits)
@example(0, [fuzz.Edit(0.0, 4, 1, 0)])  # nothing at all
def test_an_edited_input_is_read_or_refused_with_a_sentence(reader, folder, which, changes):
    content = reader.seeds[which % len(reader.seeds)]
    for change in changes:
        content = change.apply(content)
    assert fuzz.attack(reader, folder, content) in ("read", "refused")


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_with_a_sentence(reader, folder, content):
    assert fuzz.attack(reader, folder, content) in ("read", "refused")


def test_the_runner_counts_and_reports_what_it_finds(capsys, monkeypatch):
    broken = fuzz.Reader([b"seed"], lambda folder, content: {}[content])
    monkeypatch.setitem(fuzz.READERS, "idx", lambda: broken)
    monkeypatch.setattr(fuzz, "limit_memory", lambda: None)
    assert fuzz.main(["idx", "--inputs", "5"]) == 1
    printed = capsys.readouterr().out
    assert "KeyError" in printed
    assert fuzz.main(["flags", "--inputs", "5"]) == 0


@pytest.mark.parametrize("kind", [OSError, ValueError, ImportError, KeyError, UnicodeError])
def test_an_error_of_another_kind_or_without_the_files_name_is_a_find(folder, kind):
    def refuse(folder, content):
        raise kind(f"{folder}/file is damaged" if content else "is damaged")

    reader, sentence = fuzz.Reader([b""], refuse), kind in (OSError, ValueError, ImportError)
    with pytest.raises(fuzz.NotRefusedProperly, match="names no file" if sentence else kind.__name__):
        fuzz.attack(reader, folder, b"")
    if sentence:
        assert fuzz.attack(reader, folder, b"named") == "refused"


def test_atheris_sees_which_lines_an_input_reaches(tmp_path):
    pytest.importorskip("atheris", reason="pip install atheris")
    command = [sys.executable, "-m", "tests.trust.fuzz", "--atheris", "idx", "--inputs", "300"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(command, check=False, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Is the code instrumented" not in done.stderr
    assert re.search(r"#300\s+DONE\s+cov: \d+", done.stderr), done.stderr


# ----------------------------------------------------------------------- traps, by name


def refused(read, path, kinds=(ValueError, OSError), most=8_000_000):
    """The sentence with which a file is refused, before memory is spent on it."""
    tracemalloc.start()
    try:
        with pytest.raises(kinds) as caught:
            read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < most, f"{peak:,} bytes were spent before it was refused"
    return str(caught.value)


@pytest.mark.parametrize("zipped", [False, True])
def test_an_idx_header_that_promises_terabytes(tmp_path, zipped):
    content = bytes([0, 0, 8, 3]) + np.array([2**20, 2**10, 2**10], ">u4").tobytes() + bytes(100)
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(content) if zipped else content)
    assert "expected at most 4 GiB" in refused(read_idx, path)
    content = bytes([0, 0, 8, 1]) + np.array([2**31], ">u4").tobytes() + bytes(100)
    path.write_bytes(gzip.compress(content) if zipped else content)
    assert "the header promises uint8 (2147483648,), 2,147,483,648 bytes; the file" in refused(read_idx, path)


def test_a_gzip_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "labels.gz"
    content = bytes([0, 0, 8, 1]) + np.array([10], ">u4").tobytes() + bytes(300_000_000)
    path.write_bytes(gzip.compress(content, 1))
    del content
    assert "found further bytes behind them" in refused(read_idx, path)


def test_a_safetensors_header_that_promises_terabytes(tmp_path):
    path = tmp_path / "w.safetensors"
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    assert "w.safetensors is not a whole safetensors file" in refused(load_weights, path)
    assert "is damaged" in refused(checkpoints.load, path)
    path.write_bytes(struct.pack("<Q", 2**60) + header)
    assert "w.safetensors is not a whole safetensors file" in refused(load_weights, path)


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_a_pickle_is_refused_without_being_run(tmp_path, suffix):
    pytest.importorskip("torch", reason="pip install 'minicnn[torch]'")

    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "it was run"),)

    plain = pickle.dumps({"weight": Trap()})
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", plain)
        file.writestr("archive/version", "3")
    for content in (plain, archive.getvalue()):
        path = tmp_path / f"w.{suffix}"
        path.write_bytes(content)
        sentence = refused(load_weights, path, ValueError)
        assert str(path) in sentence
        assert not (tmp_path / "it was run").exists()
    for read in (checkpoints.load, lambda path: Trained(path.parent), read_digit):
        refused(read, path)
        assert not (tmp_path / "it was run").exists()


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    pytest.importorskip("torch", reason="pip install 'minicnn[torch]'")
    path = tmp_path / "w.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", bytes(100_000_000))
    assert "promise more bytes than the file has" in refused(load_weights, path)


def test_an_image_that_promises_gigapixels(tmp_path):
    path = tmp_path / "large.png"
    Image.new("L", (1, 1)).save(path)
    content = bytearray(path.read_bytes())
    import zlib

    content[16:24] = struct.pack(">II", 100_000, 100_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    assert "the image has more than" in refused(read_digit, path)


def test_a_configuration_that_promises_a_giant_network(tmp_path):
    weights = minicnn.models.Autoencoder(4).state_dict()
    (tmp_path / "model.safetensors").write_bytes(safetensors.save(weights))
    config = {"task": "generator", "network": "Autoencoder"}
    for size in (10**12, -1, 2.5, "4", None, True):
        (tmp_path / "config.json").write_text(json.dumps({**config, "latent_dim": size}))
        sentence = refused(Trained, tmp_path, ValueError)
        assert sentence == (
            f"{tmp_path / 'config.json'} does not describe the network of generator:"
            f" latent_dim must be a whole number from 1 to 10000, got {size!r}."
        )
    (tmp_path / "config.json").write_text(json.dumps({**config, "latent_dim": 4}))
    assert Trained(tmp_path).model.generator.linear_block[0].in_features == 4


@pytest.mark.skipif(os.name != "posix", reason="symbolic links need rights elsewhere")
def test_links_that_lead_out_of_a_run_folder_or_nowhere(tmp_path):
    """What a link points to is read as the file that it is; it is never written through."""
    outside = tmp_path / "outside"
    outside.write_text("precious")
    run = tmp_path / "run"
    run.mkdir()
    for name in ("config.json", "model.safetensors", "checkpoint.safetensors", "metrics.csv"):
        (run / name).symlink_to(outside)
    for read in (Trained, lambda folder: checkpoints.load(folder / "checkpoint.safetensors")):
        refused(read, run)
    with pytest.raises(FileExistsError):
        Run(run, "", {})
    endless = tmp_path / "endless"
    endless.symlink_to(endless)
    for read in (Trained, load_weights, read_digit, read_idx):
        refused(read, endless)

    model = minicnn.nn.Linear(2, 2)
    new = Run(tmp_path / "new", "", {})
    (new.folder / "checkpoint.safetensors").symlink_to(outside)
    new.keep(model, optim.Adam(model.parameters()), np.zeros((1, 1, 2, 2)))
    assert outside.read_text() == "precious"
    assert not (new.folder / "checkpoint.safetensors").is_symlink()


def changed_header(tmp_path, **changes):
    """A checkpoint whose header holds something else, with a digest that fits."""
    fuzz.small_checkpoint(path := tmp_path / "checkpoint.safetensors")
    found = checkpoints.load(path)
    header = {"config": found.config, "history": found.history, "options": found.options, "position": found.position}
    arrays = {**found.arrays, **changes.pop("arrays", {})}
    text = json.dumps({**header, **changes})
    metadata = {"minicnn": checkpoints.FORMAT, "header": text, "sha256": checkpoints.digest(text, arrays)}
    path.write_bytes(safetensors.save(arrays, metadata))
    return path


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"more": 1}, "its header must hold config, history, options, position."),
        ({"config": []}, "its header must hold config, history, options, position."),
        ({"history": [["a"]]}, "row 1 of its history must be the epoch, 1, and floats."),
        ({"position": 625}, "it holds no state of the random numbers."),
        ({"arrays": {"random.key": np.zeros(3)}}, "it holds no state of the random numbers."),
        ({"options": [{}]}, "holds another optimizer's state: 'params'"),
        ({"arrays": {"optimizer.x.step": np.zeros(1)}}, "holds another optimizer's state: invalid literal for int()"),
    ],
)
def test_a_checkpoint_with_a_fitting_digest_is_not_believed_either(tmp_path, changes, sentence):
    def restore(path):
        model = fuzz.small_network()
        checkpoints.load(path).restore(model, optim.Adam(model.parameters()))

    path = changed_header(tmp_path, **changes)
    found = refused(restore, path, ValueError)
    assert found.startswith(str(path))
    assert sentence in found


def test_a_history_of_other_figures_is_refused(tmp_path):
    path = changed_header(tmp_path, history=[[1, 0.5]])
    with pytest.raises(ValueError, match="each epoch of its history must be epoch, train_loss, "):
        Run.reopen(tmp_path, {}, checkpoints.load(path).history)


def test_the_bundled_data_survive_being_written_and_read(tmp_path):
    """What the fuzzers change is what people have."""
    write_idx(tmp_path / "images.gz", MNIST().images[:3])
    np.testing.assert_array_equal(read_idx(tmp_path / "images.gz"), MNIST().images[:3])
