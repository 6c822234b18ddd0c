"""Downloading, from mirrors on this machine: down, corrupt, whole; all four files or none."""

import hashlib
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from minicnn.data import MNIST, download
from minicnn.data.download import DIGESTS, MIRRORS, fetch
from minicnn.data.mnist import BUNDLED, BUNDLED_DIGESTS

pooch = pytest.importorskip("pooch", reason="the extra `download` is not installed")
IMAGES = "train-images-idx3-ubyte.gz"


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        self.server.asked.append(self.path.strip("/"))
        if self.server.failures:
            self.send_error(self.server.failures.pop())
        else:
            super().do_GET()


@pytest.fixture
def serve():
    """serve(folder) -> the address of a mirror; `.failures` holds the errors it gives first."""
    servers = []

    def start(folder):
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        server.asked, server.failures = [], []
        server.url = f"http://127.0.0.1:{server.server_port}/"
        server.thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        server.thread.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.thread.join()
        server.server_close()


@pytest.fixture
def corrupt(tmp_path):
    """A folder in which the training images are damaged."""
    folder = tmp_path / "corrupt"
    folder.mkdir()
    for name in BUNDLED_DIGESTS:
        content = (BUNDLED / name).read_bytes()
        (folder / name).write_bytes(content[:-1] if name == IMAGES else content)
    return folder


@pytest.fixture(autouse=True)
def small_and_quick(monkeypatch):
    """The bundled subset stands in for MNIST, and nobody waits between two attempts."""
    monkeypatch.setattr(download, "DIGESTS", BUNDLED_DIGESTS)
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


DOWN = "http://127.0.0.1:9/"  # nobody listens on the port `discard`


def test_the_real_mirrors_and_digests():
    assert len(MIRRORS) > 1 and all(url.startswith("https://") for url in MIRRORS)
    assert sorted(DIGESTS) == sorted(BUNDLED_DIGESTS) and DIGESTS != BUNDLED_DIGESTS
    assert all(len(bytes.fromhex(digest)) == 32 for digest in DIGESTS.values())


def test_mirrors_and_file_names_are_torchvisions():
    torchvision = pytest.importorskip("torchvision")
    theirs = torchvision.datasets.MNIST
    assert sorted(DIGESTS) == sorted(name for name, _ in theirs.resources)
    assert set(MIRRORS) & set(theirs.mirrors)


def test_download_then_read(serve, tmp_path):
    mirror = serve(BUNDLED)
    root = tmp_path / "data"
    found = MNIST(root, download=True, mirrors=[mirror.url])
    np.testing.assert_array_equal(found.images, MNIST().images)
    raw = root / "MNIST" / "raw"
    assert sorted(path.name for path in raw.iterdir()) == sorted(BUNDLED_DIGESTS)
    for path in raw.iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == BUNDLED_DIGESTS[path.name]
        assert path.stat().st_mode & 0o444 == 0o444  # readable for others too

    asked = len(mirror.asked)
    assert len(MNIST(root, train=False, download=True, mirrors=[mirror.url])) == 1_000
    assert len(mirror.asked) == asked == 4  # what is there is not fetched again


@pytest.mark.parametrize("slash", ["", "/"])
def test_one_mirror_as_a_string(serve, tmp_path, slash):
    fetch(tmp_path, serve(BUNDLED).url.rstrip("/") + slash)
    assert len(MNIST(tmp_path)) == 5_000


def test_first_mirror_down(serve, tmp_path):
    MNIST(tmp_path, download=True, mirrors=[DOWN, serve(BUNDLED).url])


def test_first_mirror_corrupt(serve, tmp_path, corrupt):
    first, second = serve(corrupt), serve(BUNDLED)
    found = MNIST(tmp_path / "data", download=True, mirrors=[first.url, second.url])
    np.testing.assert_array_equal(found.images, MNIST().images)
    assert second.asked == [IMAGES]
    assert first.asked.count(IMAGES) == 3  # a first attempt and two more


def test_a_passing_failure_is_tried_again(serve, tmp_path):
    mirror = serve(BUNDLED)
    mirror.failures = [503, 500]
    fetch(tmp_path, [mirror.url])
    assert len(mirror.asked) == 2 + 4


def test_all_mirrors_fail_and_nothing_is_kept(serve, tmp_path, corrupt):
    (tmp_path / "empty").mkdir()
    empty, broken = serve(tmp_path / "empty"), serve(corrupt)
    root = tmp_path / "data"
    with pytest.raises(RuntimeError) as caught:
        MNIST(root, download=True, mirrors=[DOWN, empty.url, broken.url])
    first, *answers, last = str(caught.value).splitlines()
    assert first == f"MNIST: no mirror gave {IMAGES}. Nothing was kept. They answered:"
    assert answers[0].startswith(f"  {DOWN}: ") and "refused" in answers[0]
    assert answers[1].startswith(f"  {empty.url}: 404 ")
    assert answers[2].startswith(f"  {broken.url}: SHA256 hash of downloaded file")
    assert last.startswith("Try again later")
    assert not [path for path in root.rglob("*") if path.is_file()]


def test_nothing_is_kept_when_only_the_last_file_fails(serve, tmp_path, corrupt):
    root, last = tmp_path / "data", list(BUNDLED_DIGESTS)[-1]
    (corrupt / IMAGES).write_bytes((BUNDLED / IMAGES).read_bytes())
    (corrupt / last).unlink()
    with pytest.raises(RuntimeError, match=f"no mirror gave {last}"):
        fetch(root, [serve(corrupt).url])
    assert list(root.iterdir()) == []


def test_a_progress_bar_runs_on_a_terminal_only(serve, tmp_path, monkeypatch, capsys):
    mirror = serve(BUNDLED)
    fetch(tmp_path / "quiet", [mirror.url])
    assert "%" not in capsys.readouterr().err
    pytest.importorskip("tqdm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fetch(tmp_path / "loud", [mirror.url])
    assert "100%" in capsys.readouterr().err


def test_missing_pooch_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"pip install 'minicnn\[download\]'"):
        MNIST(tmp_path, download=True)
    assert list(tmp_path.iterdir()) == []
