"""A layer of the reader's own in the view "Source": lines, numbers, gradcheck's verdict."""

import numpy as np
import pytest

from minicnn import nn, use_backend
from minicnn.explore import __main__ as command
from minicnn.explore.source import record
from minicnn.explore.source.own import Own, named
from minicnn.explore.source.walk import Walks

from .conftest import Asker, serve, setting, stop
from .page import until, values
from .test_source import at_the_end

RIGHT = '''"""A slope for what is negative."""

import numpy as np

from minicnn.nn import Module


class Leaky(Module):
    def __init__(self, slope=0.5):
        self.slope = slope

    def forward(self, x):
        self.keep(x)
        return np.where(x > 0, x, self.slope * x)

    def backward(self, grad_output):
        (x,) = self.kept()
        factor = np.where(x > 0, 1, self.slope)
        return factor * grad_output


def made():
    return Leaky(0.25)


def number():
    return 3


class Needs(Leaky):
    def __init__(self, slope):
        self.slope = slope


class Rows(Leaky):
    def forward(self, x):
        if x.ndim != 2:
            raise ValueError(f"Rows wants a matrix, got {x.ndim} dimensions.")
        return super().forward(x)


class Fails(Leaky):
    def backward(self, grad_output):
        half = grad_output / 2
        raise RuntimeError(f"lost {half.size} numbers")
'''
WRONG = RIGHT.replace("1, self.slope)", "1, 1)")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mylayers.py"
    path.write_text(RIGHT)
    return path


def ask_for(own, subject, **more):
    with use_backend("numpy"):
        return Walks(own).answer(setting() | {"subject": subject} | more)


def test_forward_and_backward_step_by_step(file):
    own = Own(named(f"{file}:Leaky"))
    told = ask_for(own, "Leaky.forward")
    state, (result,) = at_the_end(told)
    x = np.reshape(state["x"]["data"], state["x"]["shape"])
    assert x.shape == (1, 1, 5, 6)
    np.testing.assert_array_equal(np.reshape(result["data"], result["shape"]), np.where(x > 0, x, 0.5 * x))
    assert state["self.slope"] == {"text": "0.5"}
    assert told["sources"][0]["file"] == "mylayers.py"
    assert told["verdict"]["right"]
    told = ask_for(own, "Leaky.backward")
    state, (result,) = at_the_end(told)
    factor, grad = (np.reshape(state[name]["data"], (5, 6)) for name in ("factor", "grad_output"))
    np.testing.assert_array_equal(np.reshape(result["data"], (5, 6)), factor * grad)


def test_a_wrong_backward_is_called_wrong_beside_its_lines(tmp_path):
    (tmp_path / "wrong.py").write_text(WRONG)
    told = ask_for(Own(named(f"{tmp_path / 'wrong.py'}:Leaky")), "Leaky.backward")
    assert not told["verdict"]["right"]
    assert "elements are wrong" in told["verdict"]["text"]


def test_a_number_of_an_own_layer_tells_where_it_came_from(file):
    walks = Walks(Own(named(f"{file}:Leaky")))
    body = setting() | {"subject": "Leaky.backward"}
    told = walks.answer(body)
    step = len(told["stops"]) - 1
    made = walks.cell(body | {"step": step, "name": "result", "at": 7})
    assert [factor["name"] for factor in made["terms"][0]["factors"]] == ["factor", "grad_output"]


def test_an_image_or_rows_as_the_layer_takes_them(file):
    told = ask_for(Own(named(f"{file}:Rows")), "Rows.forward")
    assert at_the_end(told)[0]["x"]["shape"] == (5, 6)


def test_a_function_that_makes_the_layer(file):
    assert named(f"{file}:made").slope == 0.25


def test_an_error_inside_ends_the_walk_with_its_sentence(file):
    told = ask_for(Own(named(f"{file}:Fails")), "Fails.backward")
    assert told["cut"] == "The recording ends here, with an error: RuntimeError: lost 30 numbers"
    assert "half" in at_the_end(told)[0]
    assert told["verdict"] == {"right": False, "text": "RuntimeError: lost 30 numbers"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("Leaky", "expected FILE.py:NAME, such as layers.py:LeakyReLU"),
        ("nothing.py:Leaky", "there is no file nothing.py"),
        ("{file}:Nothing", "has no Nothing"),
        ("{file}:number", "number must give a minicnn.nn.Module, got int"),
        ("{file}:Needs", "Write a function without arguments that makes the layer, and name that"),
        ("{broken}:Leaky", "broken.py raised ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_no_layer_is_a_sentence(file, tmp_path, words, sentence, capsys):
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0")
    with pytest.raises(SystemExit):
        command.main(["--no-browser", "--layer", words.format(file=file, broken=broken)])
    assert sentence in capsys.readouterr().err


def test_no_request_opens_a_file(file):
    server, thread = serve(own=Own(named(f"{file}:Leaky")))
    try:
        asker = Asker(server)
        names = [one["name"] for one in asker.get("/api/source/subjects")[1]["subjects"]]
        assert names[:2] == ["Leaky.forward", "Leaky.backward"]
        for subject in (f"{file}:made", "Needs.forward", str(file)):
            status, told = asker.post("/api/source", setting() | {"subject": subject})
            assert status == 400
            assert "subject must be one of" in told["error"]
    finally:
        stop(server, thread)


def test_the_page_opens_it_first_with_the_verdict(file, visit):
    server, thread = serve(own=Own(named(f"{file}:Leaky")))
    try:
        page = visit(Asker(server), "source")
        until(page, "document.querySelector('.calls strong').textContent === 'Leaky.forward'")
        assert "backward is the derivative of forward." in page.inner_text("#source-verdict summary")
        page.locator("#view-source .code").focus()
        page.keyboard.press("End")
        x = values(page, "x")
        np.testing.assert_array_equal(values(page, "result"), np.where(x > 0, x, 0.5 * x))
    finally:
        stop(server, thread)


ENDLESS = RIGHT.replace("self.keep(x)", "while True:\n            x = x + 0")
ENDLESS_BACK = RIGHT.replace("(x,) = self.kept()", "(x,) = self.kept()\n        while x.size:\n            pass")
STUBBORN = RIGHT.replace(
    "self.keep(x)",
    "while True:\n            try:\n                helper(x)\n            except Exception:\n                pass",
).replace("class Leaky", "def helper(x):\n    return x + 0\n\n\nclass Leaky")


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(record, "SECONDS", 0.2)


@pytest.mark.parametrize("text", [ENDLESS, STUBBORN], ids=["plain", "it catches what it can"])
def test_an_endless_forward_is_walked_until_a_bound(tmp_path, short, text):
    (tmp_path / "endless.py").write_text(text)
    own = Own(named(f"{tmp_path / 'endless.py'}:Leaky"))
    told = ask_for(own, "Leaky.forward")
    assert "The recording ends here, after 1,500 steps" in told["cut"] or "Does a loop there never stop?" in told["cut"]
    assert len(told["stops"]) > 3
    assert told["verdict"]["text"].startswith("Leaky.forward did not come to an end")
    assert ask_for(own, "Leaky.backward")["problem"]["sentence"].startswith("Leaky.forward did not come to an end")


def test_an_endless_backward_is_walked_until_a_bound(tmp_path, short):
    (tmp_path / "endless.py").write_text(ENDLESS_BACK)
    own = Own(named(f"{tmp_path / 'endless.py'}:Leaky"))
    assert ask_for(own, "Leaky.backward")["cut"]
    told = ask_for(own, "Leaky.forward")
    assert told["cut"] == ""
    assert "Does a loop there never stop?" in told["verdict"]["text"]


def test_a_recording_that_never_reaches_its_function_is_stopped(short):
    def run():
        while True:
            pass

    with pytest.raises(record.TooLong, match="Stopped after 0.2 seconds in run, line"):
        record.record(run, test_an_image_or_rows_as_the_layer_takes_them.__code__, ())


def test_the_program_is_not_run_on_behind_the_function(file):
    """What comes after it is not shown, and could be endless."""
    came = []

    def first():
        return 1

    def run():
        first()
        came.append("on")

    recording = record.record(run, first.__code__, ())
    assert [stop.kind for stop in recording.stops] == ["enter", "return"]
    assert recording.cut == ""
    assert came == []


class Net(nn.Module):
    """Its backward is found by following the values."""

    def __init__(self):
        self.conv = nn.Conv2d(2, 3, 3)
        self.fc = nn.Linear(48, 2)

    def forward(self, x):
        x = nn.functional.relu(self.conv(x))
        return self.fc(x.reshape(len(x), -1))


def test_a_network_on_an_input_of_its_own():
    x = np.random.default_rng(0).standard_normal((1, 2, 6, 6)).astype(np.float32)
    own = Own(Net(), x)
    told = ask_for(own, "Net.forward")
    _, (result,) = at_the_end(told)
    assert result["shape"] == (1, 2)
    with use_backend("numpy"):  # which the walk goes through
        np.testing.assert_array_equal(result["data"], own.layer(x).ravel())
    names = [told["sources"][frame["source"]]["name"] for frame in told["frames"]]
    assert {"conv2d", "im2col", "linear"} <= {name.rpartition(".")[2] for name in names}
    back = ask_for(own, "Net.backward")
    _, (grad,) = at_the_end(back)
    assert grad["shape"] == (1, 2, 6, 6)
    assert back["verdict"]["right"]


def test_a_layer_of_the_library_with_weights_of_ones_own_hides_no_walk():
    own = Own(nn.Conv2d(1, 1, 2))
    walks = Walks(own)
    assert next(iter(walks.subjects)) == "your Conv2d.forward"
    assert "Conv2d.forward" in walks.subjects
    told = ask_for(own, "your Conv2d.forward")
    assert told["verdict"]["right"]
