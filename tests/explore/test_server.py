"""Who may ask, what may be read, how mistakes are said: over HTTP, without a browser."""

import contextlib
import http.client
import json
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from importlib import resources

import pytest

from minicnn.explore import __main__ as command
from minicnn.explore import server as server_module
from minicnn.explore.server import LARGEST_BODY
from tests.support.scripts import TIMEOUT

from .conftest import setting

JSON = {"Content-Type": "application/json"}


def test_the_page_and_all_it_needs_is_served_with_its_kind(server):
    status, headers, content = server.raw("GET", "/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    html = content.decode()
    needed = re.findall(r'(?:src|href)="([^"#?]+)"', html)
    assert "main.js" in needed
    files = [file.name for file in resources.files("minicnn.explore").joinpath("static").iterdir()]
    for name in needed + files:
        status, headers, content = server.raw("GET", f"/{name}")
        assert status == 200, name
        assert content
        kind = {"js": "text/javascript", "css": "text/css", "html": "text/html", "svg": "image/svg+xml"}[
            name.split(".")[-1]
        ]
        assert headers["Content-Type"].startswith(kind)


def test_nothing_is_loaded_from_elsewhere():
    for file in resources.files("minicnn.explore").joinpath("static").iterdir():
        text = file.read_text()
        assert set(re.findall(r"https?://[^\s\"'`)]+", text)) <= {"http://www.w3.org/2000/svg"}, file.name
        for module in re.findall(r'from "([^"]+)"', text):
            assert module.startswith("./"), file.name
        assert text.count("\n") <= 400, f"{file.name} is too long to read"


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1",
        (
            b"POST /api/bench HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\nHost: "
            b"127.0.0.1:%d\r\n\r\n"
        ),
    ],
    ids=["before", "headers", "body"],
)
def test_a_request_that_drips_does_not_hold_its_thread(server, monkeypatch, start):
    """Each drop comes within the timeout for silence; what ends it is the time of the
    whole request.
    """
    monkeypatch.setattr(server_module, "LONGEST_REQUEST", 0.5)
    port = server.server.server_port
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(start % port if b"%d" in start else start)
        client.settimeout(0.1)
        for _ in range(100):
            try:
                client.sendall(b" " if start else b"")
                if client.recv(1000) == b"":
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        else:
            pytest.fail("the connection is still open after ten seconds")
    assert server.raw("GET", "/")[0] == 200
    for _ in range(100):  # the threads of both connections notice that they have ended
        if not server.server.arriving:
            return
        time.sleep(0.05)
    pytest.fail(f"still waiting for a request: {server.server.arriving}")


def test_connections_wait_for_a_busy_server_and_are_not_turned_away():
    """A browser opens six for each tab. Nobody serves here: a connection beyond the
    queue would time out.
    """
    server = server_module.Server(0)
    clients = [socket.create_connection(("127.0.0.1", server.server_port), timeout=1) for _ in range(60)]
    for client in clients:
        client.close()
    server.server_close()


@pytest.mark.parametrize("path", ["/", "/api/costs", "/nothing"])
def test_every_answer_has_the_headers_that_protect_it(server, path):
    _, headers, _ = server.raw("GET", path)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Server"].startswith("minicnn/")


def test_only_this_machine_is_listened_to(server):
    assert server.server.server_address[0] == "127.0.0.1"
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", server.url)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{port}", ""]
)
def test_a_foreign_host_name_is_refused(server, host):
    for method, path in (("GET", "/"), ("POST", "/api/bench")):
        headers = {"Host": host.format(port=server.server.server_port)} | JSON
        status, _, content = server.raw(method, path, "{}" if method == "POST" else None, headers)
        assert status == 403
        assert "answers to http://127.0.0.1" in json.loads(content)["error"]


def test_localhost_is_us(server):
    headers = {"Host": f"localhost:{server.server.server_port}"}
    assert server.raw("GET", "/api/costs", None, headers)[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_cannot_post(server, headers):
    headers = {name: value.format(port=server.server.server_port) for name, value in headers.items()} | JSON
    status, _, content = server.raw("POST", "/api/bench", json.dumps(setting()), headers)
    assert status == 403
    assert json.loads(content)["error"].startswith("A POST must come from http://127.0.0.1")


def test_our_own_page_can_post(server):
    headers = {"Origin": server.url.rstrip("/"), "Sec-Fetch-Site": "same-origin"} | JSON
    assert server.raw("POST", "/api/bench", json.dumps(setting()), headers)[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../server.py",
        "/..%2fserver.py",
        "/%2e%2e/server.py",
        "/static/../../../../../etc/passwd",
        "//etc/passwd",
        "/etc/passwd",
        "/..\\server.py",
        "/main.js/",
        "/main.js%00",
        "/./main.js",
        "/api/../main.js",
        "/config.json",
        "/model.safetensors",
        "/static/main.js",
    ],
)
def test_no_path_leads_to_another_file(run_server, path):
    status, _, content = run_server.raw("GET", path)
    assert status == 404
    assert json.loads(content)["error"].startswith("There is nothing at ")


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "words"),
    [
        ("POST", "/api/bench", "{}", {"Content-Type": "text/plain"}, 415, "must have Content-Type: application/json"),
        ("POST", "/api/bench", "{}", {}, 415, "must have Content-Type: application/json"),
        ("POST", "/api/bench", "{", JSON, 400, "The body is not JSON"),
        ("POST", "/api/bench", b"\xff\xfe", JSON, 400, "The body is not JSON"),
        ("POST", "/api/bench", "[" * 100_000, JSON, 400, "The body is not JSON"),
        ("POST", "/api/bench", '{"size": NaN}', JSON, 400, 'NaN is no JSON; write it as a string: "NaN"'),
        ("POST", "/api/bench", "[]", JSON, 400, "The request must be a JSON object, got a list of 0"),
        ("POST", "/api/bench", "{}", JSON, 400, "The request must have the field 'layer'; it has none"),
        ("POST", "/api/bench", "{}", JSON | {"Content-Length": str(LARGEST_BODY + 1)}, 413, "at most 262,144 bytes"),
        ("POST", "/api/bench", "{}", JSON | {"Content-Length": "9" * 30}, 413, "at most 262,144 bytes"),
        ("POST", "/api/bench", "{}", JSON | {"Content-Length": "-1"}, 411, "must say its Content-Length"),
        ("POST", "/api/bench", "{}", JSON | {"Content-Length": "x"}, 411, "must say its Content-Length"),
        ("POST", "/api/bench", "{}", JSON | {"Transfer-Encoding": "chunked"}, 411, "not come in chunks"),
        ("POST", "/api/nothing", "{}", JSON, 404, "There is nothing at '/api/nothing'"),
        ("POST", "/api/costs", "{}", JSON, 405, "/api/costs answers to GET alone"),
        ("POST", "/main.js", "{}", JSON, 405, "/main.js answers to GET alone"),
        ("GET", "/api/bench", None, {}, 405, "/api/bench answers to POST alone"),
        ("GET", "/", "body", {}, 400, "A GET has no body here"),
        ("PUT", "/", "{}", JSON, 405, "PUT is no method here"),
        ("DELETE", "/api/run", None, {}, 405, "DELETE is no method here"),
        ("OPTIONS", "/api/bench", None, {}, 405, "OPTIONS is no method here"),
        ("GET", "/" + "x" * 70_000, None, {}, 414, "Too Long"),
    ],
)
def test_a_bad_request_is_a_sentence(server, method, path, body, headers, status, words):
    found, answered, content = server.raw(method, path, body, headers)
    assert found == status
    assert answered["Content-Type"] == "application/json"
    assert words.lower() in json.loads(content)["error"].lower()


def changed(**changes):
    return setting() | changes


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/api/bench", changed(size=[13, 5]), 400, "size must be a whole number from 1 to 12, got 13"),
        ("/api/bench", changed(size=[5]), 400, "size must be two whole numbers [height, width], got a list of 1"),
        ("/api/bench", changed(size=[5, 5.5]), 400, "from 1 to 12, got 5.5"),
        ("/api/bench", changed(size=[5, True]), 400, "from 1 to 12, got true"),
        (
            "/api/bench",
            changed(layer="Linear"),
            400,
            "layer must be one of 'Conv2d', 'MaxPool2d', 'ConvTranspose2d', got 'Linear'",
        ),
        ("/api/bench", changed(layer="x" * 500), 400, "..."),
        ("/api/bench", changed(backward=1), 400, "backward must be true or false, got 1"),
        ("/api/bench", setting(kernel_size=[8, 8]), 400, "kernel_size must be a whole number from 0 to 7"),
        ("/api/bench", setting(in_channels=5), 400, "in_channels must be a whole number from 0 to 4"),
        ("/api/bench", setting(dilation=[10**9, 1]), 400, "dilation must be a whole number from 0 to 8"),
        ("/api/bench", setting(padding="half"), 400, "padding must be one of 'same', 'valid'"),
        ("/api/bench", changed(input=[[[0] * 1025]]), 413, "input must have at most 1024 cells"),
        ("/api/bench", changed(weight=[[1]]), 400, "weight must be 4 nested lists of numbers"),
        ("/api/bench", changed(input=[[[1, 2], [3]]]), 400, "input must be a full grid"),
        (
            "/api/bench",
            changed(input=[[["two"]]]),
            400,
            "input must hold a number such as 1.5, -2, nan or inf, got 'two'",
        ),
        (
            "/api/bench/cell",
            changed(grid="output", cell=[0, 99, 0]),
            400,
            "cell must be a whole number from 0 to 2, got 99",
        ),
        ("/api/bench/cell", changed(grid="output", cell=0), 400, "cell must be 3 whole numbers, a place in the output"),
        ("/api/bench/cell", changed(grid="frame", cell=[0, 0, 0]), 400, "grid must be one of"),
        ("/api/bench/cell", changed(layer="MaxPool2d", grid="weight", cell=[0]), 400, "MaxPool2d has no weight"),
        ("/api/bench/cell", setting(groups=3) | {"grid": "output", "cell": [0, 0, 0]}, 422, "divisible by groups"),
        ("/api/channels", {"in_channels": 7}, 400, "must have the field 'size'"),
        ("/api/matrix", {"size": [7, 7]}, 400, "size must be a whole number from 1 to 6"),
        ("/api/costs/time", {"batch": 257}, 400, "batch must be a whole number from 1 to 256"),
        ("/api/costs/time", {"batch": 1, "backend": "cuda"}, 400, "backend must be one of"),
        ("/api/run/digit", {}, 404, "No run is open. Train one with `python -m minicnn.train`"),
    ],
)
def test_sizes_are_bounded_and_every_refusal_says_why(server, path, body, status, words):
    found, answer = server.post(path, body)
    assert found == status
    assert words in answer["error"]


def test_without_a_run_the_page_is_told_how_to_train_one(server):
    status, answer = server.get("/api/run")
    assert (status, answer["open"]) == (200, False)
    assert "python -m minicnn.explore --run runs/simplecnn-seed0" in answer["how"]
    assert server.get("/api/run/confusion")[0] == 404


def test_a_connection_serves_many_questions(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.server.server_port, timeout=20)
    for _ in range(3):
        connection.request("POST", "/api/bench", json.dumps(setting()), JSON)
        response = connection.getresponse()
        assert (response.status, response.version) == (200, 11)
        response.read()
        assert not response.will_close
    connection.close()


@pytest.mark.parametrize(("version", "keeps"), [("1.0", False), ("1.1", True)])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_ends_when_its_version_of_http_says_so(server, method, version, keeps):
    body = json.dumps(setting()) if method == "POST" else ""
    head = f"Host: {server.url[7:-1]}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    path = {"GET": "/api/costs", "POST": "/api/bench"}[method]
    with socket.create_connection(("127.0.0.1", server.server.server_port), timeout=20) as connection:
        connection.sendall(f"{method} {path} HTTP/{version}\r\n{head}{body}".encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == 200
        assert answer.read()
        assert (answer.getheader("Connection") != "close") is keeps
        if not keeps:
            assert connection.recv(1) == b""


def test_rubbish_on_the_socket_is_answered_and_the_server_lives(server):
    for rubbish in (b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n"):
        with socket.create_connection(("127.0.0.1", server.server.server_port), timeout=5) as connection:
            connection.sendall(rubbish)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(4096)
    assert server.get("/api/costs")[0] == 200


def test_an_unforeseen_error_is_said_and_the_server_lives(server, monkeypatch, capsys):
    def fail(body):
        raise ZeroDivisionError("planted")

    monkeypatch.setitem(server.server.post, "/api/matrix", fail)
    status, answer = server.post("/api/matrix", {})
    assert status == 500
    assert "its terminal shows where" in answer["error"]
    assert "ZeroDivisionError: planted" in capsys.readouterr().err
    assert server.get("/api/costs")[0] == 200


def test_a_file_that_cannot_be_read_is_a_sentence(server, monkeypatch):
    def fail(body):
        raise PermissionError(13, "Permission denied", "metrics.csv")

    monkeypatch.setitem(server.server.post, "/api/matrix", fail)
    assert server.post("/api/matrix", {}) == (500, {"error": "metrics.csv cannot be read: Permission denied."})


def test_a_client_that_breaks_off_in_its_body_is_no_news(server, capsys):
    with socket.create_connection(("127.0.0.1", server.server.server_port), timeout=5) as connection:
        head = (
            f"POST /api/bench HTTP/1.1\r\nHost: {server.url[7:-1]}\r\nContent-Type: "
            "application/json\r\nContent-Length: 99\r\n\r\n"
        )
        connection.sendall(head.encode() + b"{")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not a farewell
    assert server.get("/api/costs")[0] == 200
    assert capsys.readouterr().err == ""


# -------------------------------------------------------------------------- the command


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_where_it_is_and_stops_cleanly(stop):
    arguments = [sys.executable, "-m", "minicnn.explore", "--no-browser"]
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)  # or it may be born deaf to it
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, heard)
    try:
        line = process.stdout.readline()
        port = int(re.fullmatch(r"minicnn explore: http://127\.0\.0\.1:(\d+)/\n", line).group(1))
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)) as connection:
            connection.request("GET", "/")
            assert connection.getresponse().read()
            process.send_signal(stop)  # while the connection is open
            out, err = process.communicate(timeout=TIMEOUT)
    finally:
        process.kill()  # one that did not stop would outlive this test, and its pipes spoil another
        process.communicate()
    assert (process.returncode, err) == (0, "")
    assert out.endswith("Stopped.\n")


def test_a_port_that_is_taken_is_a_sentence(server, capsys):
    assert command.main(["--no-browser", "--port", str(server.server.server_port)]) == 1
    assert "cannot be had" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "x"], "expected a whole number from 0 to 65535, got 'x'"),
        (["--port", "70000"], "expected a whole number from 0 to 65535, got '70000'"),
        (["--run", "no/such/folder"], "--run no/such/folder: there is no such folder"),
    ],
)
def test_wrong_flags_are_sentences(arguments, words, capsys):
    with pytest.raises(SystemExit) as left:
        command.main(arguments)
    assert left.value.code == 2
    assert words in capsys.readouterr().err
