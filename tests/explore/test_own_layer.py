"""A layer of the reader's own in the view "Source": lines, numbers, gradcheck's verdict."""

import numpy as np
import pytest

from minicnn import use_backend
from minicnn.explore import __main__ as command
from minicnn.explore.source.own import Own
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
    own = Own(f"{file}:Leaky")
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
    told = ask_for(Own(f"{tmp_path / 'wrong.py'}:Leaky"), "Leaky.backward")
    assert not told["verdict"]["right"]
    assert "elements are wrong" in told["verdict"]["text"]


def test_a_number_of_an_own_layer_tells_where_it_came_from(file):
    walks = Walks(Own(f"{file}:Leaky"))
    body = setting() | {"subject": "Leaky.backward"}
    told = ask_for(walks.own, "Leaky.backward")
    step = len(told["stops"]) - 1
    made = walks.cell(body | {"step": step, "name": "result", "at": 7})
    assert [factor["name"] for factor in made["terms"][0]["factors"]] == ["factor", "grad_output"]


def test_an_image_or_rows_as_the_layer_takes_them(file):
    told = ask_for(Own(f"{file}:Rows"), "Rows.forward")
    assert at_the_end(told)[0]["x"]["shape"] == (5, 6)


def test_a_function_that_makes_the_layer(file):
    assert Own(f"{file}:made").layer.slope == 0.25


def test_an_error_inside_ends_the_walk_with_its_sentence(file):
    told = ask_for(Own(f"{file}:Fails"), "Fails.backward")
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
    server, thread = serve(own=Own(f"{file}:Leaky"))
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
    server, thread = serve(own=Own(f"{file}:Leaky"))
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
