"""The server: who may ask, which addresses there are, and how mistakes are said.

Only this machine can reach it (127.0.0.1). A page of another site that the browser has
open could still try: so the Host header must be ours (a foreign name may point here:
DNS rebinding), and a POST must be JSON and come from our own page.
"""

import contextlib
import json
import socket
import sys
import time
import traceback
import urllib.parse
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from socketserver import TCPServer
from typing import Any

from .. import __version__
from ..kernels import use_backend
from . import cells, channels, costs, digits, layer_bench, matrix, open_run
from .answer import encode
from .ask import Refused
from .open_run import RunFolder
from .say import best, fill, say, speaking
from .source.own import Own
from .source.walk import Walks
from .train_view import addresses
from .train_view.trainer import Trainer

LARGEST_BODY = 2**18
LONGEST_REQUEST = 60.0  # seconds that a request may take to arrive, however slowly it drips
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Server(ThreadingHTTPServer):
    """Serves the page and its answers on 127.0.0.1; port 0 takes a free one. The language is
    the address's (?lang=), else `language`, else the first that the browser asks for.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128  # a browser opens six connections at once for each tab

    def __init__(
        self, port: int = 0, run: RunFolder | None = None, own: Own | None = None, language: str | None = None
    ):
        self.run = run
        self.language = language
        self.walks = Walks(own)
        self.trainer = Trainer()
        self.files = static_files()
        self.arriving: dict[socket.socket, float] = {}  # connections that wait for a request, and since when
        self.get: dict[str, Callable[[], Any]] = {
            "/api/run": lambda: (
                open_run.overview(self.run) if self.run else {"open": False, "how": say("server.no_run")}
            ),
            "/api/run/filters": lambda: open_run.filters(self.needs_run()),
            "/api/run/confusion": lambda: open_run.confusion(self.needs_run()),
            "/api/source/subjects": self.walks.listing,
            "/api/costs": lambda: costs.answer(self.run),
            "/api/about": lambda: {"version": __version__, "run": self.run.folder.name if self.run else None},
            **addresses.gets(self.trainer),
        }
        self.post: dict[str, Callable[[Any], Any]] = {
            "/api/bench": layer_bench.answer,
            "/api/bench/cell": cells.answer,
            "/api/channels": channels.answer,
            "/api/channels/cell": channels.cell,
            "/api/matrix": matrix.answer,
            "/api/source": self.walks.answer,
            "/api/source/cell": self.walks.cell,
            "/api/run/digit": lambda body: digits.answer(self.needs_run(), body),
            "/api/run/plane": lambda body: digits.plane(self.needs_run(), body),
            "/api/run/images": lambda body: open_run.images(self.needs_run(), body),
            "/api/costs/time": lambda body: costs.timing(self.run, body),
            **addresses.posts(self.trainer),
        }
        super().__init__(("127.0.0.1", port), Handler)

    def server_bind(self) -> None:
        """As the base class's, without its look-up of the machine's name, which can
        take seconds.
        """
        self.allow_reuse_address = sys.platform != "win32"
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def server_close(self) -> None:
        super().server_close()
        self.trainer.close()

    def service_actions(self) -> None:
        """Twice a second: end the requests that take too long to arrive. A timeout
        alone counts the silences only.
        """
        now = time.monotonic()
        for connection, since in self.arriving.copy().items():
            if now - since > LONGEST_REQUEST:
                with contextlib.suppress(OSError):  # the client was faster
                    connection.shutdown(socket.SHUT_RDWR)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    @property
    def hosts(self) -> set[str]:
        names = {f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")}
        return names | ({"127.0.0.1", "localhost"} if self.server_port == 80 else set())

    @property
    def origins(self) -> set[str]:
        """Whose pages may POST: its own."""
        return {f"http://{host}" for host in self.hosts}

    def headers(self, path: str) -> dict[str, str]:
        """What every answer says beside its own."""
        return HEADERS

    def needs_run(self) -> RunFolder:
        if self.run is None:
            raise Refused(say("server.no_run"), 404)
        return self.run

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle of an answer is no news."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def static_files() -> dict[str, tuple[str, bytes]]:
    """All that can be fetched beside the answers: read once, found by name. No path
    ever reaches the disk.
    """
    files = {}
    for file in resources.files(__package__).joinpath("static").iterdir():
        ending = file.name[file.name.rfind(".") :]
        if ending in TYPES:
            files[f"/{file.name}"] = (f"{TYPES[ending]}; charset=utf-8", file.read_bytes())
    files["/"] = files["/index.html"]
    return files


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # one connection for many questions
    disable_nagle_algorithm = True
    timeout = 30  # seconds that a silent client may hold a thread
    server: Server

    def handle_one_request(self) -> None:
        self.server.arriving[self.connection] = time.monotonic()
        try:
            super().handle_one_request()
        finally:
            self._arrived()

    def _arrived(self) -> None:
        """The request is here: from now on the time is ours."""
        self.server.arriving.pop(self.connection, None)

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, find: Callable[[], tuple[str, bytes]]) -> None:
        with speaking(self._language()):
            self._answer_in_words(find)

    def _language(self) -> str:
        asked = urllib.parse.parse_qs(self.path.partition("?")[2]).get("lang", [""])[0]
        return best(asked) or self.server.language or best(self.headers.get("Accept-Language", "")) or "en"

    def _answer_in_words(self, find: Callable[[], tuple[str, bytes]]) -> None:
        status = 200
        try:
            self._check_host()
            kind, content = find()
        except Refused as refused:
            status, kind, content = refused.status, "application/json", encode({"error": refused.sentence})
        except (ConnectionError, TimeoutError):
            self.close_connection = True  # nobody is there to be answered
            return
        except OSError as error:
            file = error.filename or say("server.a_file")
            sentence = say("server.unreadable", file=file, why=error.strerror or error)
            status, kind, content = 500, "application/json", encode({"error": sentence})
        except Exception:  # noqa: BLE001 - whatever it is, the page is told, and the traceback shown here
            traceback.print_exc()
            status, kind, content = 500, "application/json", encode({"error": say("server.failed")})
        self._send(status, kind, content)

    def _check_host(self) -> None:
        if self.headers.get_all("Host", []) not in [[host] for host in self.server.hosts]:
            self.close_connection = True
            raise Refused(f"This server answers to {self.server.url} and to no other name.", 403)

    def _get(self) -> tuple[str, bytes]:
        self._arrived()
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            raise Refused("A GET has no body here.")
        path = self.path.partition("?")[0]
        if path in self.server.files:
            kind, content = self.server.files[path]
            return kind, fill(content.decode()).encode() if kind.startswith("text/html") else content
        return self._api(self.server.get, path, "POST", self.server.post)()

    def _post(self) -> tuple[str, bytes]:
        closing = self.close_connection  # what the request's own headers and its version of HTTP say
        self.close_connection = True  # unless the body was read, what follows on this connection is not to be trusted
        self._check_origin()
        if self.headers.get_content_type() != "application/json":
            raise Refused("A POST must have Content-Type: application/json.", 415)
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            raise Refused("A POST must say its Content-Length, and not come in chunks.", 411)
        if len(length) > 12 or int(length) > LARGEST_BODY:
            raise Refused(f"The body must have at most {LARGEST_BODY:,} bytes, got {length[:12]}.", 413)
        body = self.rfile.read(int(length))
        self._arrived()
        if len(body) < int(length):
            raise ConnectionError(f"The body ended after {len(body)} of {length} bytes.")
        self.close_connection = closing
        answer = self._api(self.server.post, self.path.partition("?")[0], "GET", self.server.get | self.server.files)
        return answer(self._json(body))

    def _check_origin(self) -> None:
        origin = self.headers.get("Origin")
        site = self.headers.get("Sec-Fetch-Site", "none")
        if origin is not None and origin not in self.server.origins:
            raise Refused(f"A POST must come from {self.server.url}, not from {origin[:80]!r}.", 403)
        if site not in ("same-origin", "none"):
            raise Refused(f"A POST must come from {self.server.url}, not from another site.", 403)

    @staticmethod
    def _json(body: bytes) -> Any:
        def refuse(word: str) -> None:
            raise Refused(f'{word} is no JSON; write it as a string: "{word}".')

        try:
            return json.loads(body, parse_constant=refuse)
        except (ValueError, RecursionError) as error:
            raise Refused(f"The body is not JSON: {str(error)[:200]}.") from error

    @staticmethod
    def _api(table: dict[str, Callable], path: str, other: str, others: Any) -> Callable[..., tuple[str, bytes]]:
        if path not in table:
            if path in others:
                raise Refused(f"{path} answers to {other} alone.", 405)
            raise Refused(f"There is nothing at {path[:80]!r}.", 404)

        def call(*arguments: Any) -> tuple[str, bytes]:
            with use_backend("numpy"):  # the textbook: nothing waits for a compiler
                return "application/json", encode(table[path](*arguments))

        return call

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in self.server.headers(getattr(self, "path", "")).items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the standard library refuses by itself (methods, malformed requests), in
        our words.
        """
        self.close_connection = True
        if not hasattr(self, "request_version"):
            self.request_version = "HTTP/1.1"
        if code == 501:
            code, message = 405, f"{self.command} is no method here: GET and POST are."
        self._send(code, "application/json", encode({"error": message or self.responses[code][1]}))

    def version_string(self) -> str:
        return f"minicnn/{__version__}"

    def log_message(self, *arguments: Any) -> None:
        """The terminal stays quiet."""
