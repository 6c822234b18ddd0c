"""Hypothesis profiles: dev while writing, ci on each change, deep for a long differential run.

pytest --hypothesis-profile=deep
"""

import pytest
from hypothesis import HealthCheck, settings

import minicnn
from minicnn import kernels

_COMMON = {"deadline": None, "print_blob": True, "suppress_health_check": [HealthCheck.too_slow]}

collect_ignore = ["oracle.py"]  # looked through for doctests, it would stay behind half imported where torch is missing

settings.register_profile("dev", max_examples=20, **_COMMON)
settings.register_profile("ci", max_examples=100, **_COMMON)
settings.register_profile("deep", max_examples=20_000, **_COMMON)
settings.load_profile("dev")

minicnn.set_num_threads(1)  # the arrays are small, and the test processes share the cores


@pytest.fixture(params=("numpy", "numba"), scope="module")
def backend(request):
    """Runs a test once on each kernel set that torch may judge: `pytestmark =
    pytest.mark.usefixtures("backend")`.

    The torch set is judged by the textbook instead (test_torch_set.py).
    """
    with minicnn.use_backend(request.param):
        yield request.param


@pytest.fixture(autouse=True)
def backend_and_threads_as_before():
    """What a test sets for the whole process ends with it."""
    default, threads = kernels._default, minicnn.get_num_threads()
    yield
    if (kernels._default, minicnn.get_num_threads()) != (default, threads):
        minicnn.set_backend(default)
        minicnn.set_num_threads(threads)
