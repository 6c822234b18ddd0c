"""The kernel sets: how one of them is chosen."""

import importlib
import subprocess
import sys
import threading
from importlib.util import find_spec

import numpy as np
import pytest

import minicnn
from minicnn import kernels

WITHOUT = pytest.mark.skipif(find_spec("torch") is None, reason="needs torch: pip install 'minicnn[torch]'")
NAMES = [pytest.param(name, marks=WITHOUT) if name == "torch" else name for name in kernels.SETS]


def kernel_set(name):
    return importlib.import_module(f"minicnn.kernels.{kernels.SETS[name]}")


@pytest.mark.parametrize("name", NAMES)
def test_use_backend_holds_inside_its_block_and_in_its_thread_alone(name):
    before, seen = minicnn.get_backend(), []
    with minicnn.use_backend(name):
        assert minicnn.get_backend() == name
        assert kernels.current() is kernel_set(name)
        thread = threading.Thread(target=lambda: seen.append(minicnn.get_backend()))
        thread.start()
        thread.join()
    assert minicnn.get_backend() == before
    assert seen == [before]


@pytest.mark.parametrize("name", NAMES)
def test_tensors_suit_the_torch_set_and_arrays_the_set_in_use(name):
    torch = pytest.importorskip("torch")
    with minicnn.use_backend(name):
        assert kernels.kernels_for(np.zeros(1)) is kernel_set(name)
        assert kernels.kernels_for(torch.zeros(1)) is kernel_set("torch")
        assert kernels.kernels_for(torch.nn.Parameter(torch.zeros(1))) is kernel_set("torch")


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # as if it were not installed
import numpy as np, minicnn
minicnn.set_num_threads(1)
layer = minicnn.nn.Linear(2, 2).to("numpy")
assert layer(np.ones((1, 2), np.float32)).shape == (1, 2)
for call in (lambda: minicnn.set_backend("torch"), lambda: layer.to("cuda")):
    try:
        call()
    except ImportError as error:
        print(error)
"""


def test_without_torch_arrays_work_and_whatever_needs_it_says_what_to_install():
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH], check=False, capture_output=True, text=True)
    text = "tensors, devices and backend 'torch' need PyTorch: pip install 'minicnn[torch]'."
    assert (done.stdout.splitlines(), done.stderr) == ([text, text], "")


def test_use_backend_ends_with_an_error_too():
    before = minicnn.get_backend()
    with pytest.raises(KeyError), minicnn.use_backend("numpy"):
        raise KeyError
    assert minicnn.get_backend() == before


@pytest.mark.parametrize("name", NAMES)
def test_set_backend_holds_in_every_thread(name):
    before, seen = minicnn.get_backend(), []
    try:
        minicnn.set_backend(name)
        thread = threading.Thread(target=lambda: seen.append(minicnn.get_backend()))
        thread.start()
        thread.join()
        assert seen == [minicnn.get_backend()] == [name]
    finally:
        minicnn.set_backend(before)


@pytest.mark.parametrize("choose", [minicnn.set_backend, lambda name: minicnn.use_backend(name).__enter__()])
def test_an_unknown_backend_is_rejected_with_the_known_names(choose):
    with pytest.raises(ValueError, match="one of 'numpy'.*got 'fortran'"):
        choose("fortran")


def test_threads_are_counted_from_one():
    before = minicnn.get_num_threads()
    minicnn.set_num_threads(1)
    assert minicnn.get_num_threads() == 1
    minicnn.set_num_threads(before)
    for n in (0, -1, 1.5, True, "2", 10**20):
        with pytest.raises(ValueError, match=r"an int from 1 to 1024, got"):
            minicnn.set_num_threads(n)


@pytest.mark.parametrize(
    ("environment", "threads"),
    [
        ({"OMP_NUM_THREADS": "3"}, 3),
        ({"NUMBA_NUM_THREADS": "5"}, 5),
        ({"OMP_NUM_THREADS": "3", "NUMBA_NUM_THREADS": "5"}, 5),
        ({"OMP_NUM_THREADS": " 4,2"}, 4),
        ({"OMP_NUM_THREADS": "3", "NUMBA_NUM_THREADS": "many"}, 3),
    ],
    ids=str,
)
def test_the_number_of_threads_is_at_first_what_the_environment_says(monkeypatch, environment, threads):
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert kernels.threads.threads_at_first() == threads


@pytest.mark.parametrize("value", ["", "0", "-2", "many", "2.5", "100000"])
def test_a_variable_that_holds_no_number_of_threads_is_ignored(monkeypatch, value):
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert kernels.threads.threads_at_first() == kernels.threads.cores()
