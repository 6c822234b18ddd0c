"""What every test of a command needs."""

import pytest

import minicnn


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Each test runs in an empty folder and leaves backend and threads as they were."""
    monkeypatch.chdir(tmp_path)
    backend, threads = minicnn.get_backend(), minicnn.get_num_threads()
    yield
    minicnn.set_backend(backend)
    minicnn.set_num_threads(threads)
