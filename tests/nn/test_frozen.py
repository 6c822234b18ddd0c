"""Parts in eval() mode in a network that is in training, as when a trained network is fitted
to other data: torch's outputs and gradients, nothing of theirs changes, resume is exact.
"""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minicnn
from minicnn import nn, optim
from minicnn.saved import checkpoints
from tests.support import oracle
from tests.support.oracle import torch
from tests.support.strategies import seeds

pytestmark = pytest.mark.usefixtures("backend")


def layers(library):
    return [
        *(library.Conv2d(2, 4, 3, padding=1), library.BatchNorm2d(4), library.ReLU(), library.Dropout2d(0.5)),
        *(library.Conv2d(4, 4, 3), library.BatchNorm2d(4, affine=False), library.Flatten(), library.Dropout(0.5)),
        library.Linear(36, 3),
    ]


def freeze(model, library):
    """The habit: after train(), statistics and dropout as when the network is used."""
    for module in model.train().modules():
        if isinstance(module, library.BatchNorm2d | library.Dropout | library.Dropout2d):
            module.eval()


def both(seed):
    """The same network of both libraries in float64, with running statistics of a batch."""
    torch.manual_seed(seed)
    theirs = torch.nn.Sequential(*layers(torch.nn)).double()
    theirs(torch.randn(8, 2, 5, 5, dtype=torch.float64))
    ours = nn.Sequential(*layers(nn))
    ours.load_state_dict(theirs.state_dict())
    freeze(ours, nn)
    freeze(theirs, torch.nn)
    return ours, theirs


@given(seeds, st.integers(1, 4))
def test_outputs_and_gradients_through_frozen_parts_are_torchs(seed, N):
    ours, theirs = both(seed)
    rng = np.random.default_rng(seed)
    before = {name: array.copy() for name, array in ours.named_buffers()}
    for _ in range(2):
        x = rng.standard_normal((N, 2, 5, 5))
        grad = rng.standard_normal((N, 3))
        leaf = torch.tensor(x, requires_grad=True)
        expected = theirs(leaf)
        expected.backward(torch.tensor(grad))
        np.testing.assert_allclose(ours(x), expected.detach(), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(ours.backward(grad), leaf.grad, rtol=1e-9, atol=1e-9)
    for parameter, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(parameter.grad, other.grad, rtol=1e-9, atol=1e-9)
    for name, array in ours.named_buffers():
        oracle.assert_identical(array, before[name], name)


def test_a_class_without_backward_may_have_a_frozen_part():
    class Whole(nn.Module):
        def __init__(self):
            self.trained = Part()
            self.head = nn.Linear(36, 2)

        def forward(self, x):
            return self.head(self.trained(x).reshape(len(x), -1))

    class Part(nn.Module):
        def __init__(self):
            self.conv = nn.Conv2d(2, 4, 3)
            self.norm = nn.BatchNorm2d(4)

        def forward(self, x):
            return self.norm(self.conv(x))

    model = Whole()
    model.trained.eval()
    chain = nn.Sequential(model.trained.conv, model.trained.norm, nn.Flatten(), model.head)
    x = np.random.default_rng(0).standard_normal((3, 2, 5, 5)).astype(np.float32)
    grad = np.random.default_rng(1).standard_normal((3, 2)).astype(np.float32)
    chain(x)
    expected = chain.backward(grad)
    model(x)
    oracle.assert_identical(model.backward(grad), expected)


def test_a_part_that_is_called_alone_in_eval_mode_still_keeps_nothing():
    model = nn.Sequential(*layers(nn)).eval()
    model(np.zeros((2, 2, 5, 5), np.float32))
    assert all(module.kept_for_backward is None for module in model.modules())
    with pytest.raises(RuntimeError, match=r"in eval\(\) mode forward keeps nothing; call train\(\) before forward"):
        model[1].backward(np.zeros((2, 4, 5, 5), np.float32))


def resumed(model, optimizer, path):
    """The same training in objects of its own, from a file."""
    checkpoints.save(path, model, optimizer, {}, [])
    again = nn.Sequential(*layers(nn))
    going_on = optim.Adam(again.parameters(), lr=0.01)
    checkpoints.load(path).restore(again, going_on)
    return again, going_on


@pytest.mark.parametrize("stop", [1, 3])
def test_a_training_with_frozen_statistics_goes_on_to_the_same_bits(stop, tmp_path):
    """Dropout goes on drawing, and the statistics stay those of the first batch."""
    ends = []
    for stops in (None, stop):
        rng = np.random.default_rng(0)
        minicnn.manual_seed(1)
        model = nn.Sequential(*layers(nn))
        model(rng.standard_normal((4, 2, 5, 5)).astype(np.float32))
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        statistics = model[1].running_mean.copy()
        for step in range(4):
            if step == stops:
                model, optimizer = resumed(model, optimizer, tmp_path / "c.safetensors")
            for module in model.train().modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
            criterion = nn.CrossEntropyLoss()
            optimizer.zero_grad()
            criterion(model(rng.standard_normal((4, 2, 5, 5)).astype(np.float32)), rng.integers(0, 3, 4))
            model.backward(criterion.backward())
            optimizer.step()
        oracle.assert_identical(model[1].running_mean, statistics)
        ends.append(model.state_dict())
    for name, array in ends[0].items():
        oracle.assert_identical(ends[1][name], array, name)


# ----------------------------------------------------------------------------- no_grad


def test_in_no_grad_nothing_is_kept_and_all_else_is_as_in_training():
    """As in torch: dropout drops, statistics follow; after it backward works again."""
    x = np.random.default_rng(0).standard_normal((4, 2, 5, 5)).astype(np.float32)
    outputs = []
    for context in (minicnn.no_grad, contextlib.nullcontext):
        minicnn.manual_seed(3)
        model = nn.Sequential(*layers(nn))
        with context():
            outputs.append((model(x), model[1].running_mean))
            kept = [module.kept_for_backward for module in model.modules()]
        assert all(one is None for one in kept) == (context is minicnn.no_grad)
    for found, expected in zip(*outputs, strict=True):
        oracle.assert_identical(found, expected)


def test_no_grad_may_be_nested_and_stand_over_a_function_and_ends_with_an_error():
    layer = nn.Linear(2, 1)
    x = np.ones((1, 2), np.float32)

    @minicnn.no_grad()
    def evaluate(depth):
        layer(x)
        assert layer.kept_for_backward is None
        if depth:
            evaluate(depth - 1)
        assert layer(x) is not None
        assert layer.kept_for_backward is None

    evaluate(2)
    with pytest.raises(ZeroDivisionError), minicnn.no_grad(), minicnn.no_grad():
        raise ZeroDivisionError
    layer(x)
    layer.backward(np.ones((1, 1), np.float32))
    with minicnn.no_grad():
        layer(x)
    with pytest.raises(RuntimeError, match="nothing was kept"):
        layer.backward(np.ones((1, 1), np.float32))


def test_a_class_that_is_a_chain_keeps_nothing_in_no_grad_either():
    class Own(nn.Module):
        def __init__(self):
            self.fc = nn.Linear(4, 3)

        def forward(self, x):
            return self.fc(x.reshape(len(x), -1))

    model = Own()
    with minicnn.no_grad():
        model(np.ones((2, 2, 2), np.float32))
    assert model.kept_for_backward is None
    assert model.fc.kept_for_backward is None
