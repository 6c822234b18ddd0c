"""`show` in a notebook: a real kernel, a page in a browser, and a stand-in for Colab."""

import html
import http.client
import http.server
import json
import re
import sys
import threading
import types
import urllib.parse

import numpy as np
import pytest

from minicnn import explore, gradcheck, nn, plots, summary
from minicnn.explore import layer_bench, notebook
from minicnn.saved.run_folder import Metrics
from minicnn.trained import Trained

from .conftest import keep
from .page import until, values

ATTACK = "<script>alert('x & y')</script>"
COLAB = "abc123-8888-colab.googleusercontent.com"


class Half(nn.Module):
    """Half of it."""

    def forward(self, x):
        half = x / 2
        return half

    def backward(self, grad_output):
        return grad_output / 2


@pytest.fixture(autouse=True)
def closed():
    yield
    explore.close()


def asked(method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", notebook._server.server_port, timeout=60)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, dict(response.getheaders()), content


def still(shown):
    """The page that stands in the cell's HTML."""
    return html.unescape(re.search(r'srcdoc="([^"]*)"', shown._repr_html_())[1])


# ------------------------------------------------------------------------------ Jupyter


def test_one_thread_serves_until_it_is_closed():
    before = threading.active_count()
    first = explore.show()
    port = notebook._server.server_port
    explore.show(Half())
    assert notebook._server.server_port == port
    assert sum(thread.name == "minicnn explore" for thread in threading.enumerate()) == 1
    assert f"http://127.0.0.1:{port}/#bench" in repr(first)
    assert asked("GET", "/")[0] == 200
    explore.close()
    explore.close()
    with pytest.raises(ConnectionError):
        http.client.HTTPConnection("127.0.0.1", port, timeout=5).request("GET", "/")
    for thread in threading.enumerate():
        if thread.name == "minicnn explore":
            thread.join(5)
    assert threading.active_count() <= before


def test_each_kind_of_thing_opens_its_own_view(run_folder):
    assert repr(explore.show(run_folder)).endswith("/#run")
    assert repr(explore.show(str(run_folder), lang="pt")).endswith("/?lang=pt#run")
    assert repr(explore.show(Trained(run_folder))).endswith("/#run")
    assert json.loads(asked("GET", "/api/run")[2])["open"]
    assert repr(explore.show(Half())).endswith("/#source?function=Half.forward")
    assert repr(explore.show(Half(), function="backward")).endswith("/#source?function=Half.backward")
    assert repr(explore.show(function="col2im")).endswith("/#source?function=col2im")
    names = [one["name"] for one in json.loads(asked("GET", "/api/source/subjects")[2])["subjects"]]
    assert names[:2] == ["Half.forward", "Half.backward"]


def test_a_second_layer_of_a_name_takes_the_place_of_the_first():
    class Twice(nn.Module):
        def __init__(self, factor):
            self.factor = factor

        def forward(self, x):
            return self.factor * x

        def backward(self, grad_output):
            return self.factor * grad_output

    x = np.ones((2, 3))
    for factor in (2, 3):
        explore.show(Twice(factor), x)
        body = layer_bench.start("Conv2d") | {"subject": "Twice.forward"}
        _, _, content = asked("POST", "/api/source", json.dumps(body), **{"Content-Type": "application/json"})
        told = json.loads(content)
        result = told["values"][told["stops"][-1]["result"][0][0]]
        assert result["data"] == [factor] * 6


@pytest.mark.parametrize(
    ("arguments", "options", "error", "sentence"),
    [
        (("no such folder",), {}, ValueError, "there is no such folder"),
        ((3,), {}, TypeError, "show: expected a run folder, a layer or nothing, got int"),
        ((), {"function": "nothing"}, ValueError, "there is no function 'nothing'; choose from"),
        ((), {"lang": "xx"}, ValueError, "lang must be one of en, pt, got 'xx'"),
    ],
)
def test_what_cannot_be_shown_is_a_sentence(arguments, options, error, sentence):
    with pytest.raises(error, match=sentence):
        explore.show(*arguments, **options)
    assert notebook._server is None


def test_the_server_of_a_notebook_may_stand_in_its_page_and_the_command_line_s_may_not(server):
    explore.show()
    policy = asked("GET", "/")[1]["Content-Security-Policy"]
    assert "frame-ancestors http://localhost:*" in policy
    assert (
        policy.replace(f"frame-ancestors {notebook.FRAMES}", "frame-ancestors 'none'")
        == (server.raw("GET", "/")[1]["Content-Security-Policy"])
    )
    assert asked("GET", "/api/shown")[1]["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Origin" not in asked("GET", "/api/run")[1]
    assert server.raw("GET", "/api/shown")[0] == 404
    assert asked("GET", "/", Host=COLAB)[0] == 403


def test_without_a_port_the_page_stands_still(monkeypatch):
    def refuse():
        raise OSError("no sockets here")

    monkeypatch.setattr(notebook, "NotebookServer", refuse)
    shown = explore.show(Half())
    assert "stands still" in repr(shown)
    assert "<script>" not in shown._repr_html_()
    assert "Half.forward" in still(shown)


def test_a_kernel_runs_it(tmp_path):
    """The cells of a real notebook, in a real kernel."""
    nbformat = pytest.importorskip("nbformat", reason="no notebooks: the extra tour")
    nbclient = pytest.importorskip("nbclient", reason="no notebooks: the extra tour")
    cells = [
        "import urllib.request\nfrom minicnn import explore, gradcheck, nn, summary\nimport numpy as np",
        (
            "class Third(nn.Module):\n"
            "    def forward(self, x):\n"
            "        third = x / 3  # a line of a cell\n"
            "        return third\n\n"
            "    def backward(self, grad_output):\n"
            "        return grad_output / 3\n\n"
            "shown = explore.show(Third())\nshown"
        ),
        "print(urllib.request.urlopen(repr(shown).split()[-1]).status)",
        "nn.Sequential(nn.Linear(3, 2), nn.ReLU())",
        "gradcheck(Third(), np.ones((2, 2)))",
        "summary(nn.Linear(3, 2), (3,))",
        "explore.close()",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [cell.outputs[0] if cell.outputs else None for cell in book.cells]
    page = outputs[1]["data"]["text/html"]
    assert "a line of a cell" in html.unescape(page)
    assert outputs[2]["text"] == "200\n"
    for output in outputs[3:6]:
        assert output["data"]["text/html"].startswith("<table>")


@pytest.fixture
def notebook_page():
    """Serves a cell's HTML as a notebook's page does, from localhost on a port of its own."""
    pages = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(pages.get(self.path, "").encode())

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()

    def serve(shown):
        pages["/book"] = f"<!doctype html><title>a notebook</title>{shown._repr_html_()}"
        return f"http://localhost:{server.server_port}/book"

    yield serve
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_browser_shows_the_live_page_in_the_cell(notebook_page, browser):
    address = notebook_page(explore.show(Half()))
    page = browser.new_page()
    page.goto(address)
    page.wait_for_selector(f'iframe[src^="{notebook._server.url}"]')
    frame = next(frame for frame in page.frames if frame.url.startswith(notebook._server.url))
    frame.wait_for_selector("#view-source .held td.cell")
    assert frame.inner_text(".calls strong").endswith("Half.forward")
    frame.locator("#view-source .code").focus()
    frame.page.keyboard.press("End")
    np.testing.assert_array_equal(values(frame, "result"), values(frame, "x") / 2)
    page.close()


def test_a_browser_shows_the_still_page_where_no_server_answers(notebook_page, browser):
    address = notebook_page(explore.show(Half()))
    explore.close()
    page = browser.new_page()
    page.goto(address)
    frame = page.frame_locator("iframe[srcdoc]")
    frame.locator(".held td.cell").first.wait_for()
    inside = next(frame for frame in page.frames if frame != page.main_frame)
    inside.locator(".code").focus()
    page.keyboard.press("End")
    np.testing.assert_array_equal(values(inside, "result"), values(inside, "x") / 2)
    page.close()


def test_another_program_on_the_port_of_old_is_not_taken_for_the_page(notebook_page, browser, monkeypatch):
    address = notebook_page(explore.show(Half()))
    notebook._server.mark = "of a later kernel"
    page = browser.new_page()
    with page.expect_response(lambda response: response.url.endswith("/api/shown")):
        page.goto(address)
    until(page, "document.querySelector('iframe') !== null")
    assert page.locator("iframe[src]").count() == 0
    page.close()


# -------------------------------------------------------------------------------- Colab


@pytest.fixture
def colab(monkeypatch):
    """A stand-in for google.colab.output: it records what is asked of it."""
    calls = []

    def eval_js(script, ignore_result=False, timeout_sec=None):
        calls.append(("eval_js", script))
        return f"https://{COLAB}/?authuser=0"

    def serve_kernel_port_as_iframe(port, path="/", width="100%", height="400", cache_in_notebook=False):
        calls.append(("iframe", port, path, height))

    output = types.ModuleType("google.colab.output")
    output.eval_js = eval_js
    output.serve_kernel_port_as_iframe = serve_kernel_port_as_iframe
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setitem(sys.modules, "google.colab.output", output)
    output.calls = calls
    return output


def test_colab_shows_it_through_its_proxy(colab):
    shown = explore.show(Half(), height=500)
    port = notebook._server.server_port
    assert colab.calls == [
        ("eval_js", f"google.colab.kernel.proxyPort({port})"),
        ("iframe", port, "/#source?function=Half.forward", "500"),
    ]
    assert shown._repr_html_() == ""


def test_the_server_answers_to_the_proxy_s_name_and_to_no_other(colab):
    explore.show()
    own = f"127.0.0.1:{notebook._server.server_port}"
    for host, status in {COLAB: 200, own: 200, f"x{COLAB}": 403, "colab.googleusercontent.com": 403}.items():
        assert asked("GET", "/", Host=host)[0] == status, host
    body = json.dumps({})
    for origin, status in {
        f"https://{COLAB}": 400,  # the request is let in, and lacks its fields
        f"http://{COLAB}": 403,
        "https://evil.example": 403,
        f"http://{own}": 400,
    }.items():
        headers = {"Host": COLAB, "Origin": origin, "Content-Type": "application/json"}
        assert asked("POST", "/api/bench", body, **headers)[0] == status, origin


@pytest.mark.parametrize("answer", ["", "None", "http://plain.example/", "javascript:alert(1)"])
def test_colab_without_a_way_shows_the_still_page(colab, answer):
    colab.eval_js = lambda script, timeout_sec=None: answer
    shown = explore.show(Half())
    assert "Half.forward" in still(shown)
    assert asked("GET", "/", Host=urllib.parse.urlsplit(answer).netloc or COLAB)[0] == 403
    assert [call for call in colab.calls if call[0] == "iframe"] == []


def test_colab_without_a_browser_shows_the_still_page(colab):
    def fail(script, timeout_sec=None):
        raise TimeoutError("nobody answers")

    colab.eval_js = fail
    assert "Half.forward" in still(explore.show(Half()))


# ------------------------------------------------------------------- tables and figures


def cells(page):
    return [html.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", page)]


def test_a_summary_and_a_verdict_hold_the_same_cells_as_their_texts():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))
    for told in (summary(net, (1, 6, 6)), gradcheck(nn.Conv2d(1, 2, 2), np.ones((1, 1, 3, 3)))):
        page = told._repr_html_()
        text = re.sub(r"\s+", "", str(told))
        assert len(cells(page)) > 8
        assert re.sub(r"\s+", "", "".join(cells(page)))[:40] in text
        assert all(re.sub(r"\s+", "", cell) in text for cell in cells(page))


def test_a_network_s_table_counts_its_parameters_and_names_its_layers():
    net = nn.Sequential(nn.Conv2d(2, 3, (2, 3)), nn.ReLU(), nn.Linear(4, 5))
    page = net._repr_html_()
    assert cells(page)[:4] == [
        "0",
        "Conv2d",
        "2, 3, kernel_size=(2, 3), stride=(1, 1)",
        "weight (3, 2, 2, 3), bias (3,)",
    ]
    assert f"{sum(p.numel() for p in net.parameters()):,} parameters" in page


def test_nothing_in_a_table_is_taken_for_html(run_folder):
    class Attack(nn.Module):
        def extra_repr(self):
            return ATTACK

    assert "<script" not in Attack()._repr_html_()
    assert ATTACK in cells(Attack()._repr_html_())
    trained = Trained(run_folder)
    trained.config = {"data": ATTACK}
    assert "<script" not in trained._repr_html_()
    told = summary(nn.Linear(1, 1), (1,))
    told.title = ATTACK
    assert "<script" not in told._repr_html_()


def test_a_run_s_table_has_its_epochs(run_folder, parity_folder):
    rows = cells(Trained(run_folder)._repr_html_())
    assert rows[0] == "1"
    assert len(rows) == 2 * len(Metrics._fields)
    assert cells(Trained(parity_folder)._repr_html_()) == []


def test_a_plot_is_a_figure_and_no_file_without_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    history = [Metrics(1, 1.0, 0.5, 1.1, 0.4, 2.0), Metrics(2, 0.5, 0.8, 0.6, 0.7, 2.0)]
    picture = plots.draw_history(None, history)
    assert picture._repr_png_().startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == []
    same = plots.draw_history(tmp_path / "history.png", history)
    assert same._repr_png_() == picture._repr_png_() == (tmp_path / "history.png").read_bytes()


def test_a_run_that_cannot_be_read_says_so_in_its_still_page(tmp_path):
    keep(tmp_path, "parity", nn.Linear(1, 1))
    page = explore.show(tmp_path)._repr_html_()
    assert "holds 'Linear'" in html.unescape(page)
    assert "<table>" not in page
