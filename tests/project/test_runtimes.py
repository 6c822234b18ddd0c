"""Exported models in the runtimes that read ONNX; ONNX Runtime judges where it is installed."""

import json
import sys

import numpy as np
import pytest

pytest.importorskip("onnx", reason="ONNX files are written by the package onnx: pip install 'minicnn[onnx]'")

from benchmarks.runtimes import command, int8, models, runner
from minicnn import nn
from minicnn.data import MNIST
from minicnn.models import SimpleCNN
from minicnn.onnx import export


def test_the_kinds_have_every_layer_that_can_be_exported_and_the_networks():
    assert models.left_out() == []
    names = [name for name, _, _ in models.kinds()]
    assert len(names) >= 65
    assert {"SimpleCNN()", "ParityCNN()", "Generator()"} < set(names)


def test_random_layers_are_the_same_for_the_same_seed():
    first, second = (list(models.random_layers(10, seed=3)) for _ in range(2))
    assert [name for name, _, _ in first] == [name for name, _, _ in second]
    assert [x.tobytes() for _, _, x in first] == [x.tobytes() for _, _, x in second]
    assert {name.split("(")[0] for name, _, _ in first} == {
        "Conv2d",
        "ConvTranspose2d",
        "MaxPool2d",
        "AvgPool2d",
        "Linear",
    }


def test_onnxruntime_computes_what_every_kind_computes(tmp_path):
    pytest.importorskip("onnxruntime", reason="a runtime for what is exported: pip install 'minicnn[onnxruntime]'")
    names, refused = command.write([*models.kinds(), *models.random_layers(100)], tmp_path)
    assert refused == []
    _, answers = command.run("onnxruntime", sys.executable, tmp_path, len(names))
    wrong = {name: answer for name, answer in zip(names, answers, strict=True) if command.judged(answer) != "right"}
    assert wrong == {}


def test_the_reference_evaluator_is_asked_in_a_process_of_its_own(tmp_path):
    cases = [("ReLU()", nn.ReLU(), np.float32([[-1.0, 2.0]])), ("Tanh()", nn.Tanh(), np.float32([[0.5, 0.0]]))]
    names, refused = command.write(cases, tmp_path)
    assert (names, refused) == (["ReLU()", "Tanh()"], [])
    np.savez(tmp_path / "0001.npz", x=np.float32([[0.5, 0.0]]), y=np.float32([[0.5, 0.0]]))
    _, answers = command.run("onnx.reference", sys.executable, tmp_path, 2)
    assert command.judged(answers[0]) == "right"
    assert command.judged(answers[1]) == "other: 0.076"  # tanh(0.5) is 0.462


def test_a_model_that_takes_its_runtime_down_is_refused_and_the_next_is_asked(tmp_path, monkeypatch):
    script = tmp_path / "runner.py"
    script.write_text(
        "import json, sys\n"
        "print(json.dumps({'version': '1.0'}), flush=True)\n"
        "for i in range(int(sys.argv[3]), 3):\n"
        "    if i == 1:\n"
        "        sys.exit(7)\n"
        "    print(json.dumps({'name': i, 'error': 0.0}), flush=True)\n"
    )
    monkeypatch.setattr(command, "RUNNER", script)
    version, answers = command.run("tract", sys.executable, tmp_path, 3)
    assert version == "1.0"
    assert [command.judged(answer) for answer in answers] == ["right", "refused", "right"]
    assert answers[1]["refused"] == "the process ends with status 7"


def test_the_report_shows_kinds_and_what_is_not_right_everywhere():
    columns = {
        "one 1.0": [{"error": 0.0}, {"error": 1e-6}, {"error": 0.5}],
        "two 2.0": [{"error": "NaN"}, {"error": 0.0}, {"refused": "no"}],
    }
    lines = command.report(["Kind", "Right", "Random"], columns, 1)
    cells = [line.split() for line in lines]
    assert ["Kind", "right", "other:", "NaN"] in cells
    assert ["Random", "other:", "0.5", "refused"] in cells
    assert not any(line[:1] == ["Right"] for line in cells)
    assert "two 2.0, Random: no" in lines
    assert command.counts(columns["two 2.0"]) == "1 right, 1 other, 1 refused"


def test_results_of_another_shape_or_with_nan_are_not_right():
    right = np.float32([[1.0, 2.0]])
    assert command.judged(runner.compared(right.T, right)).startswith("other: shape (2, 1)")
    assert command.judged(runner.compared(right * np.nan, right)) == "other: nan"
    assert json.dumps(runner.compared(right, right)) == '{"error": 0.0}'
    assert command.judged(runner.compared(right[:0], right[:0])) == "right"


def test_a_runtime_that_is_not_installed_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(command, "kinds", lambda: [("ReLU()", nn.ReLU(), np.float32([[1.0]]))])
    monkeypatch.setattr(command, "run", lambda *_: (_ for _ in ()).throw(ImportError("No module named 'tract'")))
    assert command.main(["--only", "tract"]) == 1
    assert "tract is not asked: No module named 'tract'" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        command.main(["--python", "nothing=python"])
    assert "--python takes RUNTIME=PYTHON" in capsys.readouterr().err


def test_int8_without_its_runtime_or_a_run_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(int8.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        int8.main([str(tmp_path)])
    assert "pip install 'minicnn[onnxruntime]'" in capsys.readouterr().err
    monkeypatch.setattr(int8.importlib.util, "find_spec", lambda name: name)
    with pytest.raises(SystemExit):
        int8.main([str(tmp_path / "nowhere")])
    assert "nowhere" in capsys.readouterr().err


def test_calibration_images_are_given_one_at_a_time():
    reader = int8.Reader(np.zeros((2, 1, 28, 28), np.float32))
    assert reader.get_next()["input"].shape == (1, 1, 28, 28)
    assert reader.get_next() is not None
    assert reader.get_next() is None


def test_int8_files_run_and_are_a_third_as_large(tmp_path):
    pytest.importorskip("onnxruntime", reason="it quantizes: pip install 'minicnn[onnxruntime]'")
    path = tmp_path / "model.onnx"
    export(SimpleCNN(), path, (1, 1, 28, 28))
    images, _ = MNIST(train=False).batch(range(200))
    answers = {}
    for name, file in int8.files(path):
        answers[name] = file.stat().st_size
        assert 0 <= int8.accuracy(file, images, np.zeros(200, int)) <= 1
    assert set(answers) == {"float32", "int8, dynamic", "int8, static"}
    assert answers["int8, static"] < answers["float32"] / 3
