"""The networks against the same networks in torch: first weights, outputs, every gradient."""

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minicnn
from minicnn import models
from minicnn.models import Autoencoder, Generator, ParityCNN, SimpleCNN
from tests.support.oracle import torch


def torchs_cnn(outputs):
    conv, relu, pool = torch.nn.Conv2d, torch.nn.ReLU, torch.nn.MaxPool2d
    cnn = [conv(1, 16, 5, padding=2), relu(), pool(2), conv(16, 32, 5, padding=2), relu(), pool(2)]
    return torch.nn.Sequential(
        *cnn, torch.nn.Flatten(), torch.nn.Linear(1568, 128), relu(), torch.nn.Linear(128, outputs)
    )


def torchs_generator(latent_dim):
    linear, up = torch.nn.Linear, torch.nn.ConvTranspose2d
    return torch.nn.Sequential(
        linear(latent_dim, 128),
        torch.nn.ReLU(),
        linear(128, 32 * 13 * 13),
        torch.nn.ReLU(),
        torch.nn.Unflatten(1, (32, 13, 13)),
        up(32, 16, 4, stride=2, padding=2, output_padding=1),
        torch.nn.ReLU(),
        up(16, 8, 4, stride=2, padding=1),
        torch.nn.ReLU(),
        up(8, 3, 4, stride=2, padding=1),
    )


NETWORKS = {  # name: (ours, torch's, the shape of one input)
    "SimpleCNN": (SimpleCNN, lambda: torchs_cnn(10), (1, 28, 28)),
    "SimpleCNN of 3": (lambda: SimpleCNN(outputs=3), lambda: torchs_cnn(3), (1, 28, 28)),
    "ParityCNN": (ParityCNN, lambda: torch.nn.Sequential(torchs_cnn(1), torch.nn.Sigmoid()), (1, 28, 28)),
    "Generator": (lambda: Generator(5), lambda: torchs_generator(5), (5,)),
    "Autoencoder": (
        lambda: Autoencoder(6),
        lambda: torch.nn.Sequential(torchs_cnn(6), torchs_generator(6)),
        (1, 28, 28),
    ),
}


def both(name, seed):
    """The network here and in torch, made from one seed."""
    ours, theirs, _ = NETWORKS[name]
    minicnn.manual_seed(seed)
    torch.manual_seed(seed)
    return ours(), theirs()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("seed", [0, 7, 2**31 + 5])
def test_the_first_weights_are_torchs_bit_for_bit(name, seed):
    model, theirs = both(name, seed)
    found, expected = list(model.state_dict().values()), list(theirs.state_dict().values())
    assert [(a.shape, a.tobytes()) for a in found] == [(tuple(b.shape), b.numpy().tobytes()) for b in expected]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.usefixtures("backend")
def test_output_and_every_gradient_are_torchs(name):
    model, theirs = both(name, 3)
    model.load_state_dict({key: value.astype(np.float64) for key, value in model.state_dict().items()})
    theirs = theirs.double()
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, *NETWORKS[name][2]))
    leaf = torch.tensor(x, requires_grad=True)
    expected = theirs(leaf)
    grad_output = rng.standard_normal(tuple(expected.shape))
    expected.backward(torch.tensor(grad_output))

    output = model(x)
    grad_input = model.backward(grad_output)
    found = [output, grad_input, *(parameter.grad for parameter in model.parameters())]
    wanted = [expected.detach(), leaf.grad, *(parameter.grad for parameter in theirs.parameters())]
    for ours, judge in zip(found, map(np.asarray, wanted), strict=True):
        assert (ours.dtype, ours.shape) == (np.float64, judge.shape)
        # Up to 40,000 products are summed, in eight layers: 1e-11 of the largest is far
        # above rounding, far below a mistake.
        np.testing.assert_allclose(ours, judge, rtol=1e-9, atol=1e-11 * abs(judge).max())


@given(st.integers(0, 3), st.integers(1, 40))
def test_the_generator_paints_100_by_100_pixels_in_three_channels(N, latent_dim):
    latent = np.zeros((N, latent_dim), np.float32)
    pictures = Generator(latent_dim)(latent)
    assert (pictures.shape, pictures.dtype) == ((N, 3, 100, 100), np.float32)


def test_the_autoencoder_is_its_encoder_and_then_its_generator():
    model = Autoencoder(4)
    x = np.random.default_rng(0).random((2, 1, 28, 28)).astype(np.float32)
    code = model.encoder(x)
    assert code.shape == (2, 4)
    assert np.array_equal(model.generator(code), model(x))


def test_the_generators_kernels_are_multiples_of_their_strides():
    """Each output pixel inside gets equally many stamps; with a kernel of ones and an
    input of ones that can be counted.
    """
    for layer in Generator(2).cnn:
        if isinstance(layer, minicnn.nn.ConvTranspose2d):
            assert all(K % S == 0 for K, S in zip(layer.kernel_size, layer.stride, strict=True))
    counts = {}
    for K in (3, 4):
        up = minicnn.nn.ConvTranspose2d(1, 1, K, stride=2, padding=1, bias=False)
        up.weight.data = np.ones((1, 1, K, K))
        counts[K] = set(up(np.ones((1, 1, 8, 8)))[0, 0, 1:-1, 1:-1].ravel().tolist())
    assert counts == {3: {1.0, 2.0, 4.0}, 4: {4.0}}  # as the docstring says


def test_parity_answers_with_a_probability():
    model = ParityCNN()
    p = model(np.random.default_rng(0).random((5, 1, 28, 28)).astype(np.float32))
    assert p.shape == (5, 1)
    assert ((p > 0) & (p < 1)).all()


@pytest.mark.parametrize("network", [SimpleCNN, ParityCNN, Autoencoder])
@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (2, 3, 28, 28), (2, 1, 32, 32)])
def test_other_images_are_refused(network, shape):
    name = "SimpleCNN" if network is Autoencoder else network.__name__
    with pytest.raises(RuntimeError, match=rf"{name}: .* shape \(N, 1, 28, 28\), got \({shape[0]}, .* x\[None\]"):
        network()(np.zeros(shape, np.float32))


def test_a_latent_vector_of_another_length_is_refused():
    with pytest.raises(RuntimeError, match="16"):
        Generator(16)(np.zeros((2, 5), np.float32))


def test_the_examples_in_the_docstrings():
    found = doctest.testmod(models)
    assert found.failed == 0
    assert found.attempted >= 4
