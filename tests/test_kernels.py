"""The kernel sets: one vocabulary, and how one of them is chosen."""

import importlib
import inspect
import threading

import pytest

import minicnn
from minicnn import kernels

NAMES = tuple(kernels._MODULES)


def kernel_set(name):
    return importlib.import_module(f"minicnn.kernels.{kernels._MODULES[name]}")


def signature(function):
    """Names and defaults of the arguments, without annotations."""
    function = getattr(function, "py_func", function)  # a compiled function's Python source
    return [(p.name, p.default, p.kind) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize("name", NAMES)
def test_every_kernel_set_has_the_textbooks_functions_with_the_same_arguments(name):
    textbook, other = kernel_set("numpy"), kernel_set(name)
    assert sorted(other.__all__) == sorted(textbook.__all__)
    for function in textbook.__all__:
        assert signature(getattr(other, function)) == signature(getattr(textbook, function)), function


@pytest.mark.parametrize("name", NAMES)
def test_use_backend_holds_inside_its_block_and_in_its_thread_alone(name):
    before, seen = minicnn.get_backend(), []
    with minicnn.use_backend(name):
        assert minicnn.get_backend() == name
        assert kernels.active() is kernel_set(name)
        thread = threading.Thread(target=lambda: seen.append(minicnn.get_backend()))
        thread.start()
        thread.join()
    assert minicnn.get_backend() == before
    assert seen == [before]


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
