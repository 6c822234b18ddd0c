"""Buffers: arrays of a module that go on from batch to batch and are not learnt; torch as
the judge of names, order and refusals.
"""

import copy

import numpy as np
import pytest

import minicnn
from minicnn import nn
from minicnn.optim import SGD
from minicnn.saved import checkpoints
from tests.support import oracle
from tests.support.oracle import torch


def make(library):
    """The same module of each library: parameters, buffers of every kind, a child."""
    array = np.array if library is nn else torch.tensor

    class Part(library.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", array([1.0, 2.0]))
            self.register_buffer("scratch", array([7.0]), persistent=False)
            self.register_buffer("absent", None)
            self.weight = library.Parameter(array([3.0]))
            self.register_buffer("count", array(5))

    class Whole(library.Module):
        def __init__(self):
            super().__init__()
            self.part = Part()
            self.register_buffer("own", array([[4.0]]))
            self.bias = library.Parameter(array([0.5]))

    return Whole()


def values(pairs):
    return {name: np.asarray(value.detach() if torch.is_tensor(value) else value).tolist() for name, value in pairs}


def test_names_order_and_state_dict_are_torchs():
    ours, theirs = make(nn), make(torch.nn)
    assert list(values(ours.named_buffers()).items()) == list(values(theirs.named_buffers()).items())
    assert list(values(ours.state_dict().items()).items()) == list(values(theirs.state_dict().items()).items())
    assert values(ours.named_buffers("a", recurse=False)) == values(theirs.named_buffers("a", recurse=False))
    assert [buffer.tolist() for buffer in ours.buffers()] == [buffer.tolist() for buffer in theirs.buffers()]
    assert values(("", p.data) for p in ours.parameters()) == values(("", p) for p in theirs.parameters())


def test_a_state_dict_of_torchs_is_loaded_buffers_too_and_nothing_is_shared():
    ours, theirs = make(nn), make(torch.nn)
    with torch.no_grad():
        for number, value in enumerate(theirs.state_dict().values()):
            value.fill_(number + 10)
    ours.load_state_dict(theirs.state_dict())
    assert values(ours.state_dict().items()) == values(theirs.state_dict().items())
    assert isinstance(ours.part.count, np.ndarray)
    assert ours.part.count.dtype == np.int64
    given = copy.deepcopy(ours.state_dict())
    ours.load_state_dict(given)
    given["part.mean"][:] = -1
    assert ours.part.mean.tolist() != [-1, -1]


def test_what_does_not_fit_is_named_and_nothing_is_loaded():
    module = make(nn)
    state = {**module.state_dict(), "part.count": np.array(5.0), "own": np.zeros(3), "bias": np.array([9.0])}
    del state["part.mean"]
    with pytest.raises(RuntimeError) as error:
        module.load_state_dict(state)
    for line in [
        "part.count: expected int64, got float64",
        "own: expected shape (1, 1), got (3,)",
        "part.mean: missing",
    ]:
        assert line in str(error.value)
    assert module.bias.data.tolist() == [0.5]
    assert module.load_state_dict({}, strict=False).missing_keys == list(module.state_dict())


@pytest.mark.parametrize(
    ("name", "value", "kind", "text"),
    [
        ("bias", np.zeros(1), KeyError, "'bias' is an attribute already"),
        ("forward", np.zeros(1), KeyError, "'forward' is an attribute already"),
        ("a.b", np.zeros(1), KeyError, "'a.b' must be a name without dots"),
        ("", np.zeros(1), KeyError, "'' must be a name without dots"),
        ("mean", [1.0], TypeError, "expected a name with a NumPy array, a torch tensor or None, got str with list"),
        (3, np.zeros(1), TypeError, "got int with ndarray"),
    ],
)
def test_what_torch_refuses_to_register_is_refused(name, value, kind, text):
    with pytest.raises(kind, match=text):
        make(nn).register_buffer(name, value)
    with pytest.raises(kind):
        make(torch.nn).register_buffer(name, torch.tensor(value) if isinstance(value, np.ndarray) else value)


def test_a_buffer_may_be_registered_anew_and_filled_later():
    module = make(nn)
    module.part.register_buffer("mean", np.array([8.0]), persistent=False)
    module.part.absent = np.array([6.0])
    assert "part.mean" not in module.state_dict()
    assert module.state_dict()["part.absent"].tolist() == [6.0]


def test_buffers_move_with_the_module_and_come_back():
    module = make(nn)
    before = values(module.named_buffers())
    module.to(torch.device("cpu"))
    assert all(torch.is_tensor(buffer) for buffer in module.buffers())
    assert module.state_dict()["part.count"].dtype == torch.int64
    module.to("numpy")
    assert all(isinstance(buffer, np.ndarray) for buffer in module.buffers())
    assert values(module.named_buffers()) == before


def test_buffers_are_in_files_of_weights_and_in_checkpoints(tmp_path):
    module = make(nn)
    wanted = values(module.state_dict().items())
    minicnn.save(module.state_dict(), tmp_path / "w.safetensors")
    checkpoints.save(tmp_path / "c.safetensors", module, SGD(module.parameters(), lr=0.1), {}, [])
    for value in module.state_dict().values():
        value[...] = 0
    other = make(nn)
    other.load_state_dict(minicnn.load(tmp_path / "w.safetensors"))
    assert values(other.state_dict().items()) == wanted
    checkpoints.load(tmp_path / "c.safetensors").restore(module, SGD(module.parameters(), lr=0.1))
    assert values(module.state_dict().items()) == wanted
    oracle.assert_identical(module.part.count, np.array(5))
