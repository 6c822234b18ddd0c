"""A run folder and what a digit does in its network: each number equals the library's,
each damage is a sentence.
"""

import base64
import json
import os

import numpy as np
import pytest

import minicnn
from minicnn import models, nn
from minicnn.data import MNIST
from minicnn.explore import costs, digits, open_run
from minicnn.explore.ask import Refused
from minicnn.explore.open_run import RunFolder
from minicnn.nn import functional as F
from minicnn.saved.weights import load_weights, save_weights

from .conftest import keep


@pytest.fixture(autouse=True)
def textbook():
    with minicnn.use_backend("numpy"):
        yield


@pytest.fixture(scope="module")
def run(run_folder):
    return RunFolder(run_folder)


@pytest.fixture(scope="module")
def trained(run_folder):
    model = models.SimpleCNN()
    model.load_state_dict(load_weights(run_folder / "model.safetensors"))
    return model


def values(told):
    return np.frombuffer(base64.b64decode(told["bytes"]), np.uint8).reshape(told["shape"])


@pytest.mark.parametrize("shape", [(1, 9, 12), (3, 12, 9)])
def test_a_network_of_another_size_or_in_colour_is_shown_as_it_is(tmp_path, shape):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (14, *shape), np.uint8)
    stored = images.transpose(0, 2, 3, 1) if shape[0] == 3 else images[:, 0]
    labels = np.arange(14) % 2
    np.savez(tmp_path / "data.npz", x_train=stored, y_train=labels, x_test=stored, y_test=labels)
    model = models.SimpleCNN(2, shape)
    names = {"outputs": 2, "input_shape": shape, "classes": ["cat", "dog"], "data": str(tmp_path / "data.npz")}
    run = RunFolder(keep(tmp_path, "digits", model, **names))
    assert open_run.overview(run)["shape"] == shape
    told = digits.answer(run, {"digit": {"index": 3}, "of": "logit"})
    x, _ = run.test.batch([3])
    shares = run.trained().task.probabilities
    assert told["image"]["shape"] == shape
    np.testing.assert_allclose(told["probabilities"], shares(model(x))[0], rtol=1e-5)
    assert values(told["image_gradient"]).shape == shape
    last = digits.plane(
        run, {"digit": {"index": 3}, "of": "logit", "layer": -1, "what": "activation", "channel": shape[0] - 1}
    )
    np.testing.assert_array_equal(last["values"], x[0, -1])
    shown = open_run.images(run, {"start": 0})["images"]
    assert [one["name"] for one in shown[:2]] == [run.test.classes[label] for label in run.test.labels[:2]]
    drawn = base64.b64encode(bytes([255]) * 280 * 280).decode()
    told = digits.answer(run, {"digit": {"pixels": drawn}, "of": "logit"})
    np.testing.assert_allclose(told["probabilities"], shares(model(np.ones((1, *shape), "f")))[0], rtol=1e-5)
    assert costs.answer(run)["layers"][0]["name"] == "cnn.0"


def test_the_overview_is_the_files(run, run_folder):
    told = open_run.overview(run)
    assert told["config"] == json.loads((run_folder / "config.json").read_text())
    rows = (run_folder / "metrics.csv").read_text().splitlines()
    assert [str(row["val_loss"]) for row in told["metrics"]] == [row.split(",")[3] for row in rows[1:]]


def test_filters_come_epoch_by_epoch_or_the_final_ones_alone(run, run_folder, tmp_path):
    told = open_run.filters(run)
    kept = load_weights(run_folder / "filters.safetensors")
    assert [one["epoch"] for one in told["epochs"]] == [0, 1, 2]
    for one in told["epochs"]:
        np.testing.assert_array_equal(one["filters"], kept[f"epoch-{one['epoch']:03d}"])
    assert told["largest"] == max(abs(array).max() for array in kept.values())
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((run_folder / name).read_bytes())
    told = open_run.filters(RunFolder(tmp_path))
    assert (told["complete"], len(told["epochs"])) == (False, 1)
    np.testing.assert_array_equal(told["epochs"][0]["filters"], kept["epoch-002"])


def test_filters_are_in_the_order_of_their_epochs_and_what_is_no_epoch_is_left_out(painter_folder):
    weight = np.ones((2, 1, 3, 3), np.float32)
    names = ["epoch-1000", "epoch-101", "epoch-000", "epoch-\u00b2", "epoch-" + 5000 * "1", "epoch-", "other"]
    save_weights(painter_folder / "filters.safetensors", dict.fromkeys(names, weight))
    assert [one["epoch"] for one in open_run.filters(RunFolder(painter_folder))["epochs"]] == [0, 101, 1000]


@pytest.mark.parametrize(
    "array",
    [
        np.ones((0, 1, 3, 3), np.float32),
        np.ones((2, 1, 3, 3), np.int32),
        np.ones((2, 1, 3, 3), bool),
        np.ones((9, 3)),
        np.ones((1, 1, 257, 257)),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_filters_that_are_none_are_refused(painter_folder, array):
    save_weights(painter_folder / "filters.safetensors", {"epoch-000": array})
    with pytest.raises(Refused, match=r"The filters must be \(O, C, KH, KW\), of 1 to 65,536 real numbers") as refused:
        open_run.filters(RunFolder(painter_folder))
    assert refused.value.status == 422


@pytest.mark.parametrize("of", ["logit", "loss"])
def test_a_digit_on_its_way_is_the_networks_own_forward_and_backward(run, trained, of):
    image, label = MNIST(train=False)[3]
    told = digits.answer(run, {"digit": {"index": 3}, "target": 5, "of": of})
    x = image[None]
    logits = trained(x)
    np.testing.assert_array_equal(told["steps"]["logits"], logits[0])
    np.testing.assert_array_equal(told["probabilities"], told["steps"]["probabilities"])
    np.testing.assert_allclose(told["steps"]["shifted"], logits[0] - logits.max())
    np.testing.assert_allclose(told["steps"]["exp"], np.exp(told["steps"]["shifted"]))
    np.testing.assert_allclose(told["steps"]["probabilities"], told["steps"]["exp"] / told["steps"]["sum"])
    assert (told["label"], told["predicted"], told["target"]) == (label, logits.argmax(), 5)
    criterion = nn.CrossEntropyLoss()
    assert told["loss"] == criterion(logits, np.array([5]))
    assert told["loss"] == pytest.approx(-np.log(told["steps"]["probabilities"][5]), rel=1e-5)
    assert [one["name"] for one in told["layers"]][::3] == ["cnn.0", "cnn.3", "flatten", "linear_block.2"]

    grad = criterion.backward() if of == "loss" else np.eye(10, dtype=np.float32)[None, 5]
    grad = trained.backward(grad)
    plane = digits.plane(
        run, {"digit": {"index": 3}, "target": 5, "of": of, "layer": -1, "channel": 0, "what": "gradient"}
    )
    np.testing.assert_array_equal(plane["values"], grad[0, 0])
    first = trained.cnn[0](x)
    plane = digits.plane(
        run, {"digit": {"index": 3}, "target": 5, "of": of, "layer": 0, "channel": 7, "what": "activation"}
    )
    np.testing.assert_array_equal(plane["values"], first[0, 7])
    assert values(told["layers"][0]["activation"]).shape == (16, 28, 28)
    trained.train()


def test_gradients_at_the_layers_are_derivatives(run, trained):
    """Of the logit, by central differences, at an activation in the middle of the network."""
    body = {"digit": {"index": 0}, "target": 7, "of": "logit", "layer": 7, "channel": 0, "what": "gradient"}
    told = digits.plane(run, body)["values"].reshape(-1)  # linear_block.0's output
    hidden = trained.linear_block[0](trained.flatten(trained.cnn(MNIST(train=False)[0][0][None]))).astype(np.float64)
    last = trained.linear_block[2]
    weight, bias = last.weight.data.astype(np.float64), last.bias.data.astype(np.float64)
    for place in range(0, 128, 17):
        up, down = hidden.copy(), hidden.copy()
        up[0, place] += 1e-4
        down[0, place] -= 1e-4
        difference = (F.linear(F.relu(up), weight, bias) - F.linear(F.relu(down), weight, bias))[0, 7] / 2e-4
        assert difference == pytest.approx(told[place], abs=1e-6)


def test_a_network_with_one_output_says_even_or_odd(parity_folder):
    model = models.ParityCNN()
    model.load_state_dict(load_weights(parity_folder / "model.safetensors"))
    run = RunFolder(parity_folder)
    assert open_run.overview(run)["classes"] == ["even", "odd"]
    image, label = run.test[2]
    p = float(model(image[None])[0, 0])
    told = digits.answer(run, {"digit": {"index": 2}, "target": 0, "of": "logit"})
    assert (told["classes"], told["label"], told["predicted"]) == (("even", "odd"), label % 2, int(p > 0.5))
    steps = told["steps"]
    assert (steps["kind"], steps["probabilities"][0]) == ("sigmoid", np.float32(p))
    assert 1 / steps["sum"][0] == pytest.approx(p, rel=1e-5)
    assert told["probabilities"] == pytest.approx([1 - p, p])
    assert told["loss"] == pytest.approx(-np.log(1 - p), rel=1e-5)
    body = {"digit": {"index": 2}, "layer": -1, "channel": 0, "what": "gradient"}
    slope = model.backward(np.ones((1, 1), np.float32))[0, 0]  # of p
    for target, sign in ((0, -1), (1, 1)):
        values = digits.plane(run, body | {"target": target, "of": "logit"})["values"]  # of 1 - p, or p
        np.testing.assert_allclose(values, sign * slope, rtol=1e-4, atol=1e-9)
    loss = digits.plane(run, body | {"target": 1, "of": "loss"})["values"]  # of -log p
    np.testing.assert_allclose(loss, -slope / p, rtol=1e-4, atol=1e-9)
    counts = open_run.confusion(run)["counts"]
    np.testing.assert_array_equal(counts.sum(axis=1), np.bincount(run.test.labels % 2))
    assert costs.answer(run)["network"] == "ParityCNN"


def test_a_run_that_paints_shows_what_it_has(painter_folder):
    painter = RunFolder(painter_folder)
    told = open_run.overview(painter)
    assert (told["classes"], told["question"][:18]) == ([], "paint it in colour")
    assert open_run.filters(painter)["complete"]
    with pytest.raises(Refused, match="learnt the task 'generator'; expected the run folder of a training of digits"):
        digits.answer(painter, {"digit": {"index": 0}, "target": None, "of": "logit"})
    told = costs.answer(painter)
    assert (told["network"], told["layers"][-1]["output_shape"]) == ("Autoencoder", (3, 100, 100))
    assert len(costs.timing(painter, {"batch": 1, "backend": "numpy", "threads": 1})["layers"]) == len(told["layers"])


def test_the_confusion_matrix_and_the_images_behind_its_cells(run, trained):
    data = MNIST(train=False)
    told = open_run.confusion(run)
    trained.eval()
    predicted = trained(data.batch(range(1000))[0]).argmax(axis=1)
    trained.train()
    for truth, answer in np.ndindex(10, 10):
        assert told["counts"][truth, answer] == ((data.labels == truth) & (predicted == answer)).sum()
    assert told["accuracy"] == (predicted == data.labels).mean() == told["right"] / told["all"]
    behind = open_run.images(run, {"truth": 7, "predicted": 7, "start": 0})
    assert behind["total"] == told["counts"][7, 7]
    assert len(behind["images"]) == 40
    for one in behind["images"]:
        assert one["label"] == 7
        assert base64.b64decode(one["pixels"]) == data.images[one["index"]].tobytes()
        assert one["shape"] == (1, 28, 28)
    assert open_run.images(run, {"start": 990})["total"] == 1000


def test_training_that_goes_on_is_seen(run_folder, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((run_folder / name).read_bytes())
    run = RunFolder(tmp_path)
    assert open_run.overview(run)["metrics"] == []
    body = {"digit": {"index": 0}, "target": None, "of": "logit"}
    before = digits.answer(run, body)["steps"]["logits"]
    weights = load_weights(tmp_path / "model.safetensors")
    weights["linear_block.2.bias"] = weights["linear_block.2.bias"] + 1
    save_weights(tmp_path / "model.safetensors", weights)
    os.utime(tmp_path / "model.safetensors", ns=(1, 1))
    np.testing.assert_allclose(digits.answer(run, body)["steps"]["logits"], before + 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "content", "words", "status"),
    [
        ("model.safetensors", b"{}", "model.safetensors is a JSON file without weights", 422),
        ("model.safetensors", None, "The run folder has no model.safetensors yet", 404),
        ("metrics.csv", b"epoch\nx\n", "metrics.csv is damaged", 422),
        ("metrics.csv", "\u00e9poca\n1\n".encode("latin-1"), "metrics.csv is damaged: 'utf-8' codec can't decode", 422),
        ("config.json", '{"\u00e9": 1}'.encode("latin-1"), "config.json is damaged", 422),
        ("config.json", b"{", "config.json is damaged", 422),
        ("config.json", b"[]", 'config.json: expected an object with "network"', 422),
        (
            "config.json",
            b'{"network": "Generator"}',
            "holds 'Generator', which does not learn digits; expected SimpleCNN.",
            422,
        ),
        ("config.json", b'{"network": "SimpleCNN", "task": "__class__"}', "learnt the task '__class__'; expected", 422),
    ],
)
def test_a_damaged_run_is_a_sentence(run_folder, tmp_path, name, content, words, status):
    for file in ("config.json", "model.safetensors", "metrics.csv"):
        (tmp_path / file).write_bytes((run_folder / file).read_bytes())
    run = RunFolder(tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(Refused) as refused:
        open_run.overview(run)
        digits.answer(run, {"digit": {"index": 0}, "target": None, "of": "logit"})
    assert words in refused.value.sentence
    assert refused.value.status == status


def test_a_network_that_does_not_fit_its_weights_is_a_sentence(run_folder, tmp_path):
    (tmp_path / "config.json").write_bytes((run_folder / "config.json").read_bytes())
    save_weights(tmp_path / "model.safetensors", {"cnn.0.weight": np.zeros((1, 1, 1, 1), np.float32)})
    with pytest.raises(Refused, match=r"(?s)model.safetensors does not fit: .*cnn.0.weight"):
        RunFolder(tmp_path).trained()


def test_links_out_of_the_folder_and_giant_files_are_not_read(run_folder, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_bytes((run_folder / "config.json").read_bytes())
    secret = tmp_path / "secret.csv"
    secret.write_text("epoch\n1\n")
    (folder / "metrics.csv").symlink_to(secret)
    run = RunFolder(folder)
    with pytest.raises(Refused, match="metrics.csv is a link to a file outside of the run folder") as refused:
        run.metrics()
    assert refused.value.status == 403
    with (folder / "model.safetensors").open("wb") as file:
        file.truncate(2**27 + 1)  # sparse: it takes no room
    with pytest.raises(Refused, match="at most 134,217,728 are read"):
        run.trained()


def test_a_folder_that_is_no_run_is_refused_at_the_start(tmp_path):
    with pytest.raises(ValueError, match="there is no such folder. `python -m minicnn.train` makes one"):
        RunFolder(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ValueError, match="loop: there is no such folder"):
        RunFolder(tmp_path / "loop")
    with pytest.raises(ValueError, match=r"a run folder holds config.json, .* and this one does not"):
        RunFolder(tmp_path)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((0, 28, 28), "--data .* holds no test images; expected at least one"),
        ((2, 28, 27), "This run reads grey images of 28x28 pixels .*; --data .* has grey images of 28x27"),
    ],
)
def test_images_that_the_page_cannot_show_are_refused_at_the_start(run_folder, tmp_path, shape, words):
    header = bytes([0, 0, 8, 3]) + np.array(shape, ">u4").tobytes()
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(header + bytes(int(np.prod(shape))))
    header = bytes([0, 0, 8, 1]) + np.array(shape[:1], ">u4").tobytes()
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(header + bytes(shape[0]))
    with pytest.raises(ValueError, match=words):
        RunFolder(run_folder, tmp_path)


@pytest.mark.parametrize(
    ("digit", "words"),
    [
        ({"index": 1000}, "index must be a whole number from 0 to 999, got 1000"),
        ({"pixels": "AAAA"}, "pixels must be 280 x 280 bytes in base64, got 3 bytes"),
        ({"pixels": "?"}, "got 0 bytes"),
        ({"pixels": 3}, "got 0 bytes"),
        ({}, "must have the field 'pixels'"),
        (7, "must be a JSON object"),
    ],
)
def test_a_digit_that_is_none_is_refused(run, digit, words):
    with pytest.raises(Refused, match=words):
        digits.answer(run, {"digit": digit, "target": None, "of": "logit"})
