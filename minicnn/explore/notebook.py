"""`show` in a cell of a notebook: the page inline, served by the kernel itself.

One thread serves, on 127.0.0.1, from the first `show` until `close()` or the kernel's end. In
Colab the browser is on another machine. There Colab's port proxy leads to the server, which
answers to the name that the proxy gives it, and to no other.

With every cell comes a still page. A reader sees it where no server answers: in a saved
notebook, or when the kernel runs on a machine that the browser does not reach.
"""

import atexit
import html
import importlib
import json
import secrets
import threading
import urllib.parse
from pathlib import Path
from typing import Any

from .. import nn
from ..kernels import use_backend
from ..messages import LANGUAGES
from ..trained import Trained
from . import layer_bench
from .open_run import RunFolder
from .say import count, say, speaking
from .server import HEADERS, Server
from .source import export
from .source.own import Own
from .source.walk import Walks

FRAMES = "http://localhost:* http://127.0.0.1:* https://localhost:* https://127.0.0.1:* vscode-webview:"
COLAB_FRAMES = "https://colab.research.google.com https://*.googleusercontent.com"
FRAME = '<iframe title="minicnn explore" style="width: 100%; height: {height}px; border: 0" {what}></iframe>'
LIVE = """<div id="{cell}">{still}</div>
<script>
(async () => {{
  const here = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  if (!here && location.protocol !== "vscode-webview:") return;
  const told = await fetch("{url}api/shown").then((answer) => answer.json()).catch(() => null);
  if (told?.shown === "{mark}") document.getElementById("{cell}").innerHTML = {live};
}})();
</script>"""


class NotebookServer(Server):
    """Answers to one more name where a proxy has given it one, and may stand in the page of a
    notebook.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mark = f"minicnn-{secrets.token_hex(8)}"
        self.name_there = ""
        self.get["/api/shown"] = lambda: {"shown": self.mark}

    @property
    def hosts(self) -> set[str]:
        return super().hosts | ({self.name_there} if self.name_there else set())

    @property
    def origins(self) -> set[str]:
        there = {f"http://{self.name_there}"}  # the proxy speaks https alone
        return (super().origins - there) | ({f"https://{self.name_there}"} if self.name_there else set())

    def headers(self, path: str) -> dict[str, str]:
        frames = COLAB_FRAMES if self.name_there else FRAMES
        policy = HEADERS["Content-Security-Policy"]
        mine = {"Content-Security-Policy": policy.replace("frame-ancestors 'none'", f"frame-ancestors {frames}")}
        if path.partition("?")[0] == "/api/shown":  # the notebook's page asks whether this server is its own
            mine["Access-Control-Allow-Origin"] = "*"
        return HEADERS | mine


_lock = threading.Lock()
_server: NotebookServer | None = None


class Shown:
    """What `show` gives: a notebook draws it, a terminal prints the address."""

    def __init__(self, page: str, text: str):
        self._page = page
        self._text = text

    def _repr_html_(self) -> str:
        return self._page

    def __repr__(self) -> str:
        return self._text


def show(
    what: Any = None, x: Any = None, *, function: str | None = None, height: int = 760, lang: str | None = None
) -> Shown:
    """The explorer's page, inline in a cell of Jupyter or Colab.

        show("runs/simplecnn-seed0")      a run folder, or a `Trained`: what its network does
        show(LeakyReLU())                 a layer of one's own: its lines, step by step
        show(net, x)                      a network, walked through with the input x
        show(function="conv2d")           a function of the textbook
        show()                            the layer bench

    `x` is an array (N, C, H, W), or whatever the layer takes. Without one a layer gets the
    layer bench's numbers, (1, 1, 5, 5) float64 at first. `function` is a name in the view
    Source; for a layer of one's own it is "forward" (the default) or "backward". `height` is in
    pixels (default 760); `lang` is "en" or "pt" (default: the browser's language, and English
    in the still page).

    A server starts in a thread at the first call, on this machine alone, and later calls
    share it; `close()` ends it. Raises ValueError for a folder that holds no run, a function
    that is not there, and a language that the page does not speak; TypeError for what is
    none of these.
    """
    if lang is not None and lang not in LANGUAGES:
        raise ValueError(f"show: lang must be one of {', '.join(LANGUAGES)}, got {lang!r}.")
    run = None
    own = None
    if isinstance(what, Trained):
        what = what.folder
    if isinstance(what, (str, Path)):
        run = RunFolder(Path(what))
    elif isinstance(what, nn.Module):
        own = Own(what, x)
    elif what is not None:
        raise TypeError(f"show: expected a run folder, a layer or nothing, got {type(what).__name__}.")
    with speaking(lang or "en"):
        return _shown(run, own, function, height, lang)


def close() -> None:
    """Ends the server that `show` started, if there is one. The still pages stay."""
    global _server
    with _lock:
        server, _server = _server, None
    if server is not None:
        server.shutdown()
        server.server_close()


def _shown(run: RunFolder | None, own: Own | None, function: str | None, height: int, lang: str | None) -> Shown:
    walks = Walks(own)
    name = _subject(walks, own, function)
    place = f"#source?{urllib.parse.urlencode({'function': name})}" if name else "#run" if run else "#bench"
    path = f"{f'?lang={lang}' if lang else ''}{place}"
    still = _run_page(run) if run and not name else _walk_page(walks, name or "conv2d", height)
    colab = _colab()
    server = _serving(run, own)
    if server is None:
        return Shown(still, "minicnn explore: no port can be had here, so that the page stands still.")
    if colab is None:
        live = FRAME.format(height=height, what=f'src="{html.escape(server.url + path)}"')
        return Shown(_live(still, live, server), f"minicnn explore: {server.url}{path}")
    name_there = _proxied(colab, server.server_port)
    if not name_there:
        return Shown(still, "minicnn explore: Colab gives no way to the server, so that the page stands still.")
    server.name_there = name_there
    colab.serve_kernel_port_as_iframe(server.server_port, path=f"/{path}", height=str(height))
    return Shown("", f"minicnn explore: https://{name_there}/{path}")


def _subject(walks: Walks, own: Own | None, function: str | None) -> str | None:
    """The walk that is asked for by name, or the forward of a layer of one's own."""
    if own is None and function is None:
        return None
    name = function or "forward"
    if own is not None:
        forward, backward = own.subjects()
        name = {"forward": forward, "backward": backward}.get(name, name)
    if name not in walks.subjects:
        raise ValueError(f"show: there is no function {name!r}; choose from {', '.join(walks.subjects)}.")
    return name


# --------------------------------------------------------------------------- the server


def _serving(run: RunFolder | None, own: Own | None) -> NotebookServer | None:
    """The one server, with this run and this layer open in it; None where none can be had."""
    global _server
    with _lock:
        if _server is None:
            try:
                _server = NotebookServer()
            except OSError:
                return None
            threading.Thread(target=_server.serve_forever, name="minicnn explore", daemon=True).start()
            atexit.register(close)
        if run is not None:
            _server.run = run
        if own is not None:
            _server.walks.add(own)
        return _server


def _live(still: str, live: str, server: NotebookServer) -> str:
    """The still page, and the program that puts the live one in its place."""
    cell = f"minicnn-cell-{secrets.token_hex(4)}"
    return LIVE.format(cell=cell, still=still, url=server.url, mark=server.mark, live=_in_script(live))


def _in_script(text: str) -> str:
    return json.dumps(text).replace("<", "\\u003c")


def _colab() -> Any:
    """Colab's module for what a cell shows; None elsewhere."""
    try:
        return importlib.import_module("google.colab.output")
    except ImportError:
        return None


def _proxied(colab: Any, port: int) -> str:
    """The name under which Colab's proxy serves a port, or ""."""
    try:
        url = urllib.parse.urlsplit(str(colab.eval_js(f"google.colab.kernel.proxyPort({port})", timeout_sec=20)))
    except Exception:  # noqa: BLE001 - without a browser it fails in ways of its own
        return ""
    return url.netloc if url.scheme == "https" else ""


# ---------------------------------------------------------------------- what stands still


def _walk_page(walks: Walks, name: str, height: int) -> str:
    """A walk as a page of its own, in a frame in which it can reach nothing."""
    with use_backend("numpy"):
        recording = walks.answer(
            layer_bench.start(walks.subjects[name].layer or "Conv2d") | {"subject": name}, origins=True
        )
    if recording["problem"]:
        return f"<p>{html.escape(name)}: {html.escape(recording['problem']['sentence'])}</p>"
    page = export.page(name, recording, walks)
    if page is None:
        sentence = say("export.too_large", name=name, most=count(export.LARGEST))
        return f"<p>{html.escape(sentence)}</p>"
    return FRAME.format(height=height, what=f'sandbox="allow-scripts" srcdoc="{html.escape(page)}"')


def _run_page(run: RunFolder) -> str:
    try:
        return Trained(run.folder)._repr_html_()
    except ValueError as error:
        return f"<p>{html.escape(str(error))}</p>"
