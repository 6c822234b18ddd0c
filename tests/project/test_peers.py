"""Other libraries beside torch: torch under its own judge, and the page without any of them."""

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is the judge: pip install 'minicnn[torch]'")

from benchmarks import theirs
from benchmarks.measure import Plan
from benchmarks.peers import alarms, cases, child, command, page
from minicnn.agree.subject import OPERATIONS, load

ROOT = Path(__file__).resolve().parents[2]
IMPORTED = {  # what an adapter imports
    "jax_": ("jax", "optax"),
    "keras_": ("keras", "tensorflow"),
    "onnxruntime_": ("onnxruntime", "onnx"),
    "opencv_": ("cv2", "onnx"),
    "openvino_": ("openvino", "onnx"),
}


def test_torch_agrees_with_itself_in_every_row_and_case():
    adapter = child.torch_
    rows = list(child.judged(load(adapter.__name__), adapter, 3))
    asked = {row["operation"] for row in rows}
    binary = {"binary_cross_entropy", "binary_cross_entropy_with_logits"}  # no adapter has them
    assert asked == set(OPERATIONS) - {"adam", "sgd"} - binary  # optimisers of torch have no such function
    assert all(row["notes"] == [] and row["kinds"] == [] for row in rows)
    arguments = {row["argument"] for row in rows if row["operation"] == "conv2d"}
    assert arguments == {"", "bias", "stride", "padding", "dilation", "groups"}
    assert set(child.cases(adapter)) == {case.title for case in cases.CASES}


class Wrong:
    """A library whose maximum pads with zeros, whose relu refuses large arrays, and whose
    tanh widens.
    """

    @staticmethod
    def max_pool2d(input, kernel_size, stride=None, padding=0):
        pads = [(p, p) for p in (padding if isinstance(padding, tuple) else (padding, padding))]
        return child.torch_.max_pool2d(np.pad(input, [(0, 0), (0, 0), *pads]), kernel_size, stride)

    @staticmethod
    def relu(input):
        if input.size > 4:
            raise ValueError("too large")
        return np.maximum(input, 0)

    @staticmethod
    def tanh(input):
        return np.tanh(input.astype(np.float64))


def test_what_a_library_does_otherwise_is_told_with_a_small_case(tmp_path, monkeypatch):
    file = tmp_path / "wrong.py"
    file.write_text(
        "from tests.project.test_peers import Wrong\n"
        "max_pool2d, relu, tanh = Wrong.max_pool2d, Wrong.relu, Wrong.tanh\n"
    )
    subject = load(str(file))
    found = {(row["operation"], row["argument"]): row for row in child.judged(subject, Wrong, 30)}
    assert found["max_pool2d", ""]["notes"] == []
    assert found["max_pool2d", "stride"]["notes"] == []
    ((_, text),) = found["max_pool2d", "padding"]["notes"]
    assert "As if: maximum over padded zeros" in text
    assert re.search(r"output: (the number is|\d of \d numbers are) wrong \(\d+ of 30\)", text)
    assert found["relu", ""]["kinds"] == ["raised"]
    assert "too large" in found["relu", ""]["notes"][0][1]
    assert found["tanh", ""]["kinds"] == ["dtype"]
    assert "float64 where the input is float32" in found["tanh", ""]["notes"][0][1]


def test_what_is_right_in_the_table_is_asked_again_and_what_it_refuses_is_counted_apart(tmp_path):
    file = tmp_path / "wrong.py"
    file.write_text("from tests.project.test_peers import Wrong\nrelu, tanh = Wrong.relu, Wrong.tanh\n")
    subject = load(str(file))
    rows = list(child.judged(subject, Wrong, 30))
    assert alarms.right_operations(rows) == ["relu"]
    right, wrong = alarms.asked(subject, Wrong, ["relu", "tanh"], 61, child.notes)
    assert (right["tried"], right["wrong"], wrong["tried"]) == (31, 0, 30)
    assert 0 < right["refused"] < 31
    assert 0 < wrong["wrong"] < 30
    text = alarms.section({"Ours": {"versions": ["ours 1.0"], "alarms": [right, wrong]}}, 61, "2026-01-01")
    assert text.startswith("## False alarms: 61 configurations, each library")
    row = re.search(r"\| Ours +\| relu, tanh +\| +61 \| +(\d+) \| +(\d+) \|", text)
    assert [int(number) for number in row.groups()] == [right["refused"], wrong["wrong"]]
    assert "Ours, tanh: output: it is float64" in text


def test_a_new_run_for_false_alarms_leaves_the_rest_of_the_page(tmp_path, monkeypatch):
    document = {"versions": ["ours 1.0"], "alarms": [{"operation": "relu", "wrong": 0, "refused": 0, "notes": []}]}

    def ask(name, what, seconds):
        return {**document, "alarms": [document["alarms"][0] | {"tried": int(what)}]}

    monkeypatch.setattr(command, "ask", ask)
    file = tmp_path / "PEERS.md"
    file.write_text("# The page\n\ntext\n")
    for configurations in ("20", "30", "20"):
        assert command.main(["JAX", "--false-alarms", configurations, "--output", str(file)]) == 0
    first, *sections = command.sections(file)
    assert first == "# The page\n\ntext\n"
    assert [section.splitlines()[0].split()[3] for section in sections] == ["30", "20"]
    assert [re.findall("(?m)^[|] JAX .* (\\d+) [|] +0 [|] +0 [|]$", section) for section in sections] == [
        ["30"],
        ["20"],
    ]


def training(factors):
    """An adapter whose training step is torch's own, its first losses times these factors."""

    def step(work):
        task = theirs.Torch().task(work)
        state = iter(factors)

        def run():
            task.run()
            return task.results()["loss"] * next(state, 1.0)

        return run

    return SimpleNamespace(step=step)


def test_a_step_is_timed_where_its_losses_are_torchs():
    found = child.timed(training([]), Plan.quick())
    assert found["ms"] > 0
    assert found["torch_ms"] > 0
    low, high = found["ratio"][1:]
    assert low <= found["ratio"][0] <= high
    assert "its losses are" in child.timed(training([1.0, 1.01]), Plan.quick())["refused"]
    assert child.timed(SimpleNamespace(), Plan.quick()) is None


def row(operation, argument, result="output", kinds=(), notes=()):
    return {"operation": operation, "argument": argument, "result": result, "kinds": list(kinds), "notes": list(notes)}


def test_the_page_without_any_library():
    first, second = cases.CASES[:2]
    note = ("output values", "output: the number is wrong")
    documents = {
        "Ours": {
            "versions": ["ours 1.0"],
            "rows": [
                row("conv2d", ""),
                row("conv2d", "", "gradient", ["values"], [note]),
                row("conv2d", "stride", "gradient", ["values"], [note]),
                row("relu", "", "output", ["raised"], [("relu raised", "relu: it raises")]),
            ],
            "cases": {first.title: "1", second.title: "2"},
            "torch": {first.title: "1", second.title: "3"},
            "step": {"ms": 20.0, "torch_ms": 10.0, "ratio": [2.0, 1.9, 2.1], "first_s": 0.5},
        },
        "Theirs": {
            "versions": ["theirs 2.0"],
            "rows": [row("conv2d", "")],
            "cases": {first.title: "1"},
            "torch": {first.title: "1", second.title: "3"},
            "step": {"refused": "its losses are others"},
        },
        "Absent": {"missing": "No module named 'absent'"},
    }
    text = page.page(documents, "2026-01-02", "A machine.", 9)
    assert "on 2026-01-02; not edited by hand. A machine.\nours 1.0, theirs 2.0." in text
    assert "Not judged: Absent (No module named 'absent')." in text
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    assert ["operation", "argument", "Ours", "Theirs"] in cells
    assert ["conv2d", "", "agrees", "agrees"] in cells
    assert ["conv2d, gradient", "stride", "**differs**", ""] in cells
    assert ["relu", "", "refuses some", ""] in cells
    assert text.count("the number is wrong") == 1  # an argument that adds nothing new is not told again
    assert [second.title, "3", "2 (Ours)"] in cells
    assert first.title not in text
    assert ["Ours", "20.0", "10.0", "2.00 (1.90 to 2.10)", "0.5"] in cells
    assert "Theirs is not timed: its losses are others." in text


def test_a_library_that_is_not_there_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(command, "ask", lambda name, what: {"missing": f"no {name}"})
    assert command.main(["JAX", "--output", str(tmp_path / "page.md")]) == 1
    assert "JAX: no JAX" in capsys.readouterr().out
    assert "Not judged: JAX (no JAX)." in (tmp_path / "page.md").read_text()
    with pytest.raises(SystemExit):
        command.main(["nobody"])
    assert "there is no peer nobody" in capsys.readouterr().err


@pytest.mark.parametrize("name", child.PEERS)
def test_an_adapter_offers_what_can_be_judged(name):
    module, environment = child.PEERS[name]
    packages = IMPORTED.get(module, (module.rstrip("_"),))
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        pytest.skip(f"{name} is judged where {', '.join(missing)} is installed: benchmarks/peers/requirements.txt")
    if environment or module == "tinygrad_":
        pytest.skip(f"{name} is asked in a process of its own: python -m benchmarks peers")
    adapter = child.adapter_of(name)
    subject = load(adapter.__name__)
    assert subject.left_out == ()
    assert {"conv2d", "relu"} <= set(subject.operations)
    assert child.versions(adapter)


def test_the_requirements_pin_each_library():
    text = (ROOT / "benchmarks/peers/requirements.txt").read_text()
    pinned = set(re.findall(r"^([\w-]+)==[\d.]+$", text, re.MULTILINE))
    assert {"jax", "keras", "tensorflow-cpu", "tinygrad", "mygrad", "dezero", "pydynet", "openvino"} < pinned
