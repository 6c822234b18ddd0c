"""A short training of the course's network follows torch's: same seed, digits and losses."""

import numpy as np
import pytest

import minicnn
from minicnn.data import MNIST, DataLoader, Subset
from minicnn.models import SimpleCNN
from minicnn.nn import CrossEntropyLoss
from minicnn.optim import Adam
from tests.support.oracle import torch

pytestmark = pytest.mark.usefixtures("backend", "one_thread")


@pytest.fixture(scope="module")
def one_thread():
    """Several workers with several threads each would wait for one another."""
    before = minicnn.get_num_threads()
    minicnn.set_num_threads(1)
    yield
    minicnn.set_num_threads(before)


def torchs_network():
    """The course's SimpleCNN in torch."""
    conv, relu, pool = torch.nn.Conv2d, torch.nn.ReLU, torch.nn.MaxPool2d
    cnn = torch.nn.Sequential(conv(1, 16, 5, padding=2), relu(), pool(2), conv(16, 32, 5, padding=2), relu(), pool(2))
    linear = torch.nn.Sequential(torch.nn.Linear(32 * 7 * 7, 128), relu(), torch.nn.Linear(128, 10))
    return torch.nn.Sequential(cnn, torch.nn.Flatten(), linear)


def batches(steps, size, dtype):
    loader = DataLoader(Subset(MNIST(), range(steps * size)), batch_size=size)
    return [(images.astype(dtype), labels) for images, labels in loader]


def our_losses(seed, data, dtype):
    minicnn.manual_seed(seed)
    model, criterion = SimpleCNN(), CrossEntropyLoss()
    model.load_state_dict({name: value.astype(dtype) for name, value in model.state_dict().items()})
    model.cnn[0].needs_input_grad = False
    optimizer, losses = Adam(model.parameters()), []
    for images, labels in data:
        optimizer.zero_grad()
        losses.append(criterion(model(images), labels))
        model.backward(criterion.backward())
        optimizer.step()
    assert {loss.dtype for loss in losses} == {np.dtype(dtype)}
    return np.array(losses, np.float64), model


def torchs_losses(seed, data, dtype):
    torch.manual_seed(seed)
    model, criterion = torchs_network().to(getattr(torch, dtype)), torch.nn.CrossEntropyLoss()
    optimizer, losses = torch.optim.Adam(model.parameters()), []
    for images, labels in data:
        optimizer.zero_grad()
        loss = criterion(model(torch.tensor(images)), torch.tensor(labels))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses), model


@pytest.mark.parametrize("seed", [0, 2**31 + 5])
def test_ten_steps_in_float32_give_torchs_losses(seed):
    data = batches(10, 32, "float32")
    np.testing.assert_allclose(our_losses(seed, data, "float32")[0], torchs_losses(seed, data, "float32")[0], rtol=1e-5)


def test_thirty_steps_in_float64_give_torchs_losses_and_weights():
    data = batches(30, 16, "float64")
    (losses, model), (expected, theirs) = our_losses(0, data, "float64"), torchs_losses(0, data, "float64")
    np.testing.assert_allclose(losses, expected, rtol=1e-9)
    for parameter, wanted in zip(model.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(parameter.data, wanted.detach(), rtol=1e-6, atol=1e-9)


def test_the_loss_falls_and_the_run_repeats_bit_for_bit():
    data = batches(20, 64, "float32")
    (first, _), (second, _) = (our_losses(0, data, "float32") for _ in range(2))
    assert first[-3:].mean() < 0.7 * first[0]
    assert first.tobytes() == second.tobytes()
