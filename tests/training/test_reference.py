"""minicnn's training and the course's torch code: same weights, same images, same losses."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the oracle: pip install 'minicnn[torch]'")

import minicnn
from minicnn.data import MNIST, DataLoader, Subset
from minicnn.models import SimpleCNN
from minicnn.nn import CrossEntropyLoss
from minicnn.optim import Adam
from reference import simple_cnn as reference


@pytest.mark.parametrize("seed", [0, 1, 42, 2**31 + 5])
def test_same_initial_weights_bit_for_bit(seed):
    torch.manual_seed(seed)
    expected = reference.SimpleCNN().state_dict()
    minicnn.manual_seed(seed)
    found = SimpleCNN().state_dict()
    assert list(found) == list(expected)
    for name, weight in expected.items():
        assert found[name].dtype == np.float32
        assert found[name].tobytes() == weight.numpy().tobytes(), name


@pytest.mark.parametrize("train", [True, False])
def test_same_images_and_labels(train):
    expected_images, expected_labels = reference.load_images(train=train, size=200)
    images, labels = next(iter(DataLoader(Subset(MNIST(train=train), range(200)), 200)))
    assert images.tobytes() == expected_images.numpy().tobytes()
    assert images.shape == expected_images.shape
    assert np.array_equal(labels, expected_labels.numpy())


@pytest.mark.parametrize("seed", [0, 1])
def test_first_ten_losses(seed):
    images, labels = reference.load_images(size=640)
    batches = list(zip(images.split(64), labels.split(64), strict=True))
    torch.manual_seed(seed)
    expected = []
    reference.train(reference.SimpleCNN(), batches, batches[:1], epochs=1, on_step=expected.append)

    minicnn.manual_seed(seed)
    model, criterion = SimpleCNN(), CrossEntropyLoss()
    optimizer = Adam(model.parameters(), lr=1e-3)
    losses = []
    with minicnn.use_backend("numpy"):
        for x, y in DataLoader(Subset(MNIST(), range(640)), 64):
            optimizer.zero_grad()
            losses.append(float(criterion(model(x), y)))
            model.backward(criterion.backward())
            optimizer.step()

    assert len(losses) == 10
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_reference_names_the_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="train-images-idx3-ubyte"):
        reference.load_images(tmp_path)


def test_reference_reads_torchvision_layout_unpacked(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    pixels = np.arange(2 * 28 * 28).astype(np.uint8)
    header = np.array([0x803, 2, 28, 28], ">i4").tobytes()
    (raw / "t10k-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
    (raw / "t10k-labels-idx1-ubyte").write_bytes(np.array([0x801, 2], ">i4").tobytes() + b"\x07\x02")
    images, labels = reference.load_images(tmp_path, train=False)
    assert images.shape == (2, 1, 28, 28)
    assert labels.tolist() == [7, 2]
    assert images.flatten()[255] == 1.0
