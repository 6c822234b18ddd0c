"""A checkpoint gives back a training bit for bit, or says why it cannot."""

import json
import math
import struct

import numpy as np
import pytest

import minicnn
from minicnn import nn, optim
from minicnn.nn import init
from minicnn.saved import checkpoints

IMAGES, LABELS = np.random.default_rng(0).random((6, 1, 6, 6), np.float32), np.array([0, 1, 2, 0, 1, 2])
OPTIMISERS = {
    "Adam": lambda p: optim.Adam(p, lr=0.01),
    "Adam with everything": lambda p: optim.Adam(p, amsgrad=True, weight_decay=0.1, decoupled_weight_decay=True),
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "SGD with momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
}


@pytest.fixture(autouse=True)
def textbook():
    with minicnn.use_backend("numpy"):
        yield


def network(classes=3):
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, classes))


def train(model, optimizer, steps):
    criterion, images = nn.CrossEntropyLoss(), IMAGES.astype(model[0].weight.dtype)
    for _ in range(steps):
        optimizer.zero_grad()
        criterion(model(images), LABELS)
        model.backward(criterion.backward())
        optimizer.step()
    return {name: value.tobytes() for name, value in model.state_dict().items()}


def in_dtype(model, dtype):
    model.load_state_dict({name: value.astype(dtype) for name, value in model.state_dict().items()})
    return model


@pytest.fixture
def file(tmp_path):
    """A checkpoint of a network that has learnt a little."""
    model = network()
    optimizer = optim.Adam(model.parameters())
    train(model, optimizer, 2)
    path = tmp_path / "checkpoint.safetensors"
    checkpoints.save(path, model, optimizer, {"task": "digits"}, [(1, 0.5, 0.25)])
    return path


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", OPTIMISERS.values(), ids=OPTIMISERS)
def test_a_restored_training_ends_with_the_same_bits(tmp_path, make, dtype):
    minicnn.manual_seed(3)
    model = in_dtype(network(), dtype)
    optimizer = make(model.parameters())
    train(model, optimizer, 2)
    checkpoints.save(tmp_path / "c", model, optimizer, {}, [])
    expected, drawn = train(model, optimizer, 3), init.uniform((3,), 1.0, np.float32)

    minicnn.manual_seed(4)
    other = in_dtype(network(), dtype)
    restored = make(other.parameters())
    checkpoints.load(tmp_path / "c").restore(other, restored)
    assert train(other, restored, 3) == expected
    np.testing.assert_array_equal(init.uniform((3,), 1.0, np.float32), drawn)


def test_configuration_and_metrics_come_back(file):
    checkpoint = checkpoints.load(file)
    assert checkpoint.config == {"task": "digits"}
    assert checkpoint.history == [[1, 0.5, 0.25]]


def test_every_changed_byte_and_every_truncation_is_noticed(file):
    whole, rng = file.read_bytes(), np.random.default_rng(0)
    for place in [*rng.integers(0, len(whole), 300), *range(64)]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match="checkpoint.safetensors is (damaged|no checkpoint)"):
            checkpoints.load(file)
    for length in [0, 1, 7, 8, *rng.integers(9, len(whole), 50)]:
        file.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="is damaged"):
            checkpoints.load(file)


def test_a_file_of_weights_is_no_checkpoint(tmp_path):
    header = json.dumps({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).encode()
    (tmp_path / "w").write_bytes(struct.pack("<Q", len(header)) + header + b"\0")
    with pytest.raises(ValueError, match="is no checkpoint of this version: expected format 1, got None"):
        checkpoints.load(tmp_path / "w")


def test_another_network_is_refused_and_left_as_it_was(file):
    model = network(classes=4)
    before = {name: value.copy() for name, value in model.state_dict().items()}
    with pytest.raises(
        ValueError, match=r"holds another network: .*\n  3.weight: expected shape \(4, 32\), got \(3, 32\)"
    ):
        checkpoints.load(file).restore(model, optim.Adam(model.parameters()))
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_weights_of_another_precision_are_refused_and_the_network_left_as_it_was(file):
    model = in_dtype(network(), np.float64)
    with pytest.raises(ValueError, match="holds float32 weights, expected float64"):
        checkpoints.load(file).restore(model, optim.Adam(model.parameters()))
    assert {parameter.dtype for parameter in model.parameters()} == {np.dtype(np.float64)}


HISTORIES = [
    [[2, 0.5]],
    [[1, 0.5], [1, 0.5]],
    [[1.0, math.inf], [math.inf, 0.5]],
    [[1, 10**400]],
    [[1, "0.5"]],
    [[]],
    [{}],
]


@pytest.mark.parametrize("history", HISTORIES)
def test_a_history_must_count_its_epochs_and_hold_floats(tmp_path, history):
    model = network()
    checkpoints.save(tmp_path / "c", model, optim.Adam(model.parameters()), {}, history)
    wrong = len(history) if len(history) < 2 or history[0][0] == 1 else 1
    with pytest.raises(ValueError, match=f"row {wrong} of its history must be the epoch, {wrong}, and floats"):
        checkpoints.load(tmp_path / "c")


def test_a_failed_write_leaves_the_old_checkpoint(file, monkeypatch):
    before, model = file.read_bytes(), network()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.save(file, model, optim.Adam(model.parameters()), {}, [])
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]
