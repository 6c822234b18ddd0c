"""A small trained run, a server to ask, and a browser to look at it."""

import http.client
import json
import shutil
import threading

import pytest

import minicnn
from minicnn import models, train
from minicnn.explore import layer_bench
from minicnn.explore.open_run import RunFolder
from minicnn.explore.server import Server
from minicnn.saved.weights import save_weights

from .page import READY


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    """Two epochs: enough to tell drawn digits apart."""
    folder = tmp_path_factory.mktemp("explore") / "run"
    arguments = ["--epochs", "2", "--threads", "1", "--no-plots", "--quiet", "--out", str(folder)]
    assert train.main(arguments) == 0
    return folder


def keep(folder, task, model, **config):
    """A run folder of this task that kept its weights and nothing else."""
    (folder / "config.json").write_text(json.dumps({"task": task, "network": type(model).__name__, **config}))
    save_weights(folder / "model.safetensors", model.state_dict())
    return folder


@pytest.fixture
def parity_folder(tmp_path):
    minicnn.manual_seed(1)
    return keep(tmp_path, "parity", models.ParityCNN())


@pytest.fixture
def painter_folder(tmp_path):
    """It names no classes."""
    model = models.Autoencoder(3)
    save_weights(tmp_path / "filters.safetensors", {"epoch-000": model.encoder.cnn[0].weight.data})
    return keep(tmp_path, "generator", model, latent_dim=3)


class Asker:
    """Asks a server as a browser would, over one connection a question."""

    def __init__(self, server):
        self.server = server
        self.url = server.url

    def raw(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=60)
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, dict(response.getheaders()), content

    def get(self, path):
        status, _, content = self.raw("GET", path)
        return status, json.loads(content)

    def post(self, path, body):
        status, _, content = self.raw("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        return status, json.loads(content)

    def ok(self, path, body):
        status, answer = self.post(path, body)
        assert status == 200, answer
        return answer


def serve(run=None, own=None, language=None):
    server = Server(0, run, own, language)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    return server, thread


def stop(server, thread):
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def server():
    """Without a run."""
    server, thread = serve()
    yield Asker(server)
    stop(server, thread)


@pytest.fixture(scope="module")
def run_server(run_folder):
    server, thread = serve(RunFolder(run_folder))
    yield Asker(server)
    stop(server, thread)


def setting(layer="Conv2d", size=(5, 6), backward=False, **arguments):
    """The body of a bench request: the page's first arguments, without padding."""
    values = layer_bench.PLAIN | {"padding": [0, 0]} | arguments
    return {"layer": layer, "size": list(size), "seed": 0, "backward": backward, "arguments": values}


ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no browser: chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="no browser driver: the package playwright")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Opens a view; at the end of the test nothing may have gone wrong in the page or
    been asked of another host.
    """
    contexts, troubles = [], []

    def open_view(asker, view="bench", width=1280, height=900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: message.type in ("error", "warning") and troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda asked: asked.url.startswith(asker.url) or troubles.append(f"asked {asked.url}"))
        page.goto(f"{asker.url}#{view}")
        page.wait_for_selector(READY[view])
        return page

    yield open_view
    for context in contexts:
        context.close()
    assert troubles == []
