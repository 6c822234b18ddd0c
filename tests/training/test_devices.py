"""`--backend torch --device ...`: the same training on a torch device."""

import numpy as np
import pytest

from minicnn import train
from minicnn.train import main
from tests.support.commands import config, losses, refused, weights

torch = pytest.importorskip("torch", reason="the torch set needs torch: pip install 'minicnn[torch]'")

SMALL = ["--epochs", "1", "--train-size", "72", "--val-size", "24", "--no-plots", "--threads", "1"]
TORCH = [*SMALL, "--backend", "torch"]
no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")


@pytest.mark.parametrize("task", ["digits", "parity", "generator"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_task_follows_the_textbook_on_torchs_cpu(task, dtype):
    flags = ["--task", task, "--dtype", dtype, "--batch-size", "24", "--lr", "0.001"]
    assert main([*SMALL, *flags, "--backend", "numpy", "--out", "numpy"]) == 0
    assert main([*TORCH, *flags, "--device", "cpu", "--out", "torch"]) == 0
    np.testing.assert_allclose(losses("torch"), losses("numpy"), rtol=1e-4 if dtype == "float32" else 1e-9)
    assert {value.dtype.name for value in weights("torch").values()} == {dtype}
    assert weights("torch").keys() == weights("numpy").keys()
    assert (config("torch")["backend"], config("torch")["device"]) == ("torch", "cpu")


@no_gpu
def test_a_gpu_that_is_not_there_is_an_error(capsys):
    assert refused(capsys, train, *TORCH, "--device", "cuda").startswith(
        "device 'cuda' was asked for, but torch finds 0 device(s) of the kind 'cuda' here"
    )


@no_gpu
def test_auto_takes_the_cpu_where_there_is_nothing_else(capsys):
    assert main([*TORCH, "--out", "run"]) == 0
    expected = "mps" if torch.mps.is_available() else "cpu"
    assert f"Backend   torch on {expected}, threads: 1" in capsys.readouterr().out


@pytest.mark.gpu
def test_the_same_training_on_a_gpu():
    if not torch.cuda.is_available():
        pytest.skip("no GPU here")
    for device in ("cpu", "cuda"):
        assert main([*TORCH, "--dtype", "float64", "--device", device, "--out", device]) == 0
    np.testing.assert_allclose(losses("cuda"), losses("cpu"), rtol=1e-9)


@pytest.mark.parametrize("flags", [["--device", "cpu"], ["--tf32"], ["--deterministic"], ["--no-graph"]])
def test_flags_for_torch_belong_to_torch(capsys, flags):
    expected = f"{flags[0]} needs --backend torch; the backend numpy computes on the CPU."
    assert refused(capsys, train, *SMALL, "--backend", "numpy", *flags) == expected


def test_an_unknown_device_is_refused(capsys):
    expected = "device must be 'auto', 'cpu', 'cuda' (or 'cuda:1' ...) or 'mps', got 'gpu'."
    assert refused(capsys, train, *TORCH, "--device", "gpu") == expected


def test_tf32_only_where_it_was_asked_for():
    from minicnn.kernels.torch_gpu.devices import tf32_is_allowed

    for flags, expected in (([], False), (["--tf32"], True), ([], False)):
        assert main([*TORCH, "--device", "cpu", *flags]) == 0
        assert tf32_is_allowed() == (expected, expected)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_with_deterministic_two_runs_have_the_same_bits(device):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU here")
    runs = []
    for name in ("one", "two"):
        flags = ["--device", device, "--deterministic", "--epochs", "3", "--batch-size", "16", "--out", name]
        assert main([*TORCH, *flags]) == 0
        assert torch.are_deterministic_algorithms_enabled()
        runs.append(weights(name))
    for name, value in runs[0].items():
        np.testing.assert_array_equal(runs[1][name], value, name)
    assert config("one")["deterministic"] is True
    assert main([*TORCH, "--device", "cpu"]) == 0
    assert not torch.are_deterministic_algorithms_enabled()
