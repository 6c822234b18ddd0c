"""Residual and Concat against torch's autograd; and clip_grad_norm_."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minicnn
from minicnn import nn
from tests.support.oracle import assert_close, torch
from tests.support.strategies import FLOATS, seeds

pytestmark = pytest.mark.usefixtures("backend")


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


class TorchResidual(torch.nn.Module):
    def __init__(self, *modules, shortcut=None):
        super().__init__()
        self.body, self.shortcut = torch.nn.Sequential(*modules), shortcut

    def forward(self, x):
        return self.body(x) + (x if self.shortcut is None else self.shortcut(x))


class TorchConcat(torch.nn.Module):
    def __init__(self, *branches, dim=1):
        super().__init__()
        self.branches, self.dim = torch.nn.Sequential(*branches), dim

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], self.dim)


def plain(library, residual, concat):
    return residual(library.Conv2d(2, 2, 3, padding=1), library.Tanh())


def shortened(library, residual, concat):
    return residual(library.Conv2d(2, 3, 3, stride=2, padding=1), shortcut=library.Conv2d(2, 3, 1, stride=2))


def unet(library, residual, concat):
    """Down, up again, and beside it what was there before."""
    up = library.ConvTranspose2d(3, 2, 2, stride=2)
    return library.Sequential(
        concat(library.Identity(), library.Sequential(library.Conv2d(2, 3, 2, stride=2), library.Tanh(), up)),
        library.Conv2d(4, 2, 3, padding=1),
    )


def nested(library, residual, concat):
    return residual(concat(residual(library.Tanh()), library.Conv2d(2, 1, 1)), library.Conv2d(3, 2, 1))


@pytest.mark.parametrize("make", [plain, shortened, unet, nested], ids=lambda make: make.__name__)
@given(seeds, st.integers(1, 3))
def test_output_and_every_gradient_are_torchs(make, seed, N):
    ours, theirs = make(nn, nn.Residual, nn.Concat), make(torch.nn, TorchResidual, TorchConcat).double()
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    x = normal(seed, N, 2, 6, 4)
    given_to_torch = torch.from_numpy(x).requires_grad_()
    expected = theirs(given_to_torch)
    grad_output = normal(seed + 1, *expected.shape)
    expected.backward(torch.from_numpy(grad_output))
    np.testing.assert_allclose(ours(x), expected.detach(), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(ours.backward(grad_output), given_to_torch.grad, rtol=1e-11, atol=1e-12)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(mine.grad, other.grad, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("make", [plain, shortened, unet, nested], ids=lambda make: make.__name__)
def test_gradcheck_accepts_joins(make):
    assert minicnn.gradcheck(make(nn, nn.Residual, nn.Concat), normal(0, 2, 2, 4, 4), max_elements=20)


def test_summary_shows_the_layers_inside():
    found = minicnn.summary(unet(nn, nn.Residual, nn.Concat), (2, 6, 4))
    assert found.parameters == sum(p.numel() for p in unet(nn, nn.Residual, nn.Concat).parameters())
    assert "0.branches.1.0" in str(found)


@pytest.mark.parametrize("join", [lambda *m: nn.Residual(*m), lambda *m: nn.Concat(nn.Sequential(*m))])
@pytest.mark.parametrize("before", [(), (nn.Identity(),), (nn.Dropout(0.5),)])
def test_a_first_layer_that_writes_into_the_input_is_refused(join, before):
    with pytest.raises(ValueError, match="writes into the input, which is needed again"):
        join(*before, nn.ReLU(inplace=True))
    join(nn.Linear(2, 2), nn.ReLU(inplace=True))


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: nn.Residual(nn.Linear(2, 3))(np.ones((1, 2), "f")), RuntimeError, "the layers give (1, 3), but the"),
        (lambda: nn.Residual(nn.ReLU(), shortcut=3), TypeError, "shortcut must be a Module, got int: 3"),
        (lambda: nn.Residual(np.tanh), TypeError, "layer 0 must be a Module, got ufunc"),
        (lambda: nn.Concat(), ValueError, "no branches were given"),
        (
            lambda: nn.Concat(nn.Identity(), nn.MaxPool2d(2))(np.ones((1, 1, 4, 4), "f")),
            RuntimeError,
            "equal but for dimension 1, got (1, 1, 4, 4), (1, 1, 2, 2)",
        ),
    ],
)
def test_what_does_not_fit_is_said(call, kind, text):
    with pytest.raises(kind, match=re.escape(text)):
        call()


# ----------------------------------------------------------------------------- clipping


@given(
    seeds,
    st.sampled_from(FLOATS),
    st.sampled_from([0.0, 0.1, 1.0, 1e9]),
    st.sampled_from([1.0, 2.0, 3.0, math.inf]),
)
def test_clipping_is_torchs(seed, dtype, max_norm, norm_type):
    """The norm is a sum of n powers and a root of each kind; the factor passes it on."""
    rng = np.random.default_rng(seed)
    grads = [None, *(rng.standard_normal(shape).astype(dtype) for shape in [(3,), (2, 5), (4, 1, 3)])]
    ours = [nn.Parameter(np.ones(1 if grad is None else grad.shape, dtype)) for grad in grads]
    theirs = [torch.nn.Parameter(torch.from_numpy(p.data)) for p in ours]
    for mine, other, grad in zip(ours, theirs, grads, strict=True):
        mine.grad, other.grad = grad, None if grad is None else torch.from_numpy(grad.copy())
    arguments = max_norm, norm_type
    norm = nn.utils.clip_grad_norm_(ours, *arguments)
    expected = torch.nn.utils.clip_grad_norm_(theirs, *arguments)
    n = sum(grad.size for grad in grads[1:])
    assert_close(np.asarray(norm), expected.numpy(), np.abs(expected.numpy()), 4 * n + 16, "norm")
    for mine, other in zip(ours[1:], theirs[1:], strict=True):
        assert mine.grad.dtype == np.dtype(dtype)
        assert_close(mine.grad, other.grad.numpy(), np.abs(other.grad.numpy()), 4 * n + 20, "grad")
    assert ours[0].grad is None


def test_clipping_refuses_what_torch_refuses():
    parameter = nn.Parameter(np.ones(2))
    assert nn.utils.clip_grad_norm_([parameter], 1.0) == 0
    parameter.grad = np.array([1.0, math.nan])
    with pytest.raises(RuntimeError, match="the norm of the gradients is nan; nothing was changed"):
        nn.utils.clip_grad_norm_(parameter, 1.0, error_if_nonfinite=True)
    with pytest.raises(ValueError, match="max_norm must be at least 0, got -1"):
        nn.utils.clip_grad_norm_(parameter, -1)
