"""The benchmarks run, count rightly, and refuse to time what is wrong. How fast
anything is, is not judged here.
"""

import json
import re

import numpy as np
import pytest

pytest.importorskip("torch", reason="the benchmarks compare with torch: pip install 'minicnn[torch]'")

import torch

import minicnn
from benchmarks import agreement, avx2, contenders, denormals, looking, machine, measure, ours, report, scale, work
from benchmarks.__main__ import COMMANDS, main
from minicnn.kernels import numpy_textbook


@pytest.fixture(autouse=True)
def numpy_alone_and_threads_as_before(monkeypatch):
    """The textbook needs no compiling; the benchmarks set the number of threads for the
    whole process.
    """
    monkeypatch.setattr(contenders, "offered", "numpy".__eq__)
    before = torch.get_num_threads(), minicnn.get_num_threads()
    yield
    torch.set_num_threads(before[0])
    minicnn.set_num_threads(before[1])


def test_a_quick_run_from_end_to_end(tmp_path, monkeypatch, capsys):
    json_file, picture = tmp_path / "all.json", tmp_path / "all.png"
    command = ["step", "layers", "--quick", "--threads", "1", "--json", str(json_file), "--plot", str(picture)]
    monkeypatch.setattr(avx2, "offered", lambda: False)
    assert main(command) == 0

    found = json.loads(json_file.read_text())
    assert found["machine"]["threads"] == 1
    assert found["machine"]["command"] == " ".join(["python -m benchmarks", *command])
    assert found["machine"]["versions"]["torch"] == torch.__version__.split("+")[0]
    assert found["machine"]["versions"]["numpy"] == np.__version__
    assert found["machine"]["cpu"]
    assert found["peak_multiply_adds_per_second"]["1"] > 1e8

    names = [row["work"] for row in found["results"]]
    assert names == ["training step", "step, no rest", *(layer.name for layer in work.notebook(64))]
    step = found["results"][0]["contenders"]
    assert list(step) == [work.EAGER, work.TUNED, work.TEXTBOOK]
    assert step[work.EAGER]["ratio"] == 1
    for entry in step.values():
        samples = np.concatenate(entry["samples_ms"])
        assert entry["median_ms"] == pytest.approx(np.median(samples))
        assert entry["quartiles_ms"] == pytest.approx(np.quantile(samples, [0.25, 0.75]))
        seconds, speed = entry["median_ms"] / 1e3, entry["multiply_adds_per_second"]
        assert speed * seconds == pytest.approx(found["results"][0]["multiply_adds"])

    printed = capsys.readouterr().out
    assert all(f"\n{name}: " in printed for name in names)
    assert avx2.ABSENT in printed
    assert [fact["met"] for fact in found["facts"]] == [None, None]
    assert "first calls" in printed
    assert max(map(len, printed.splitlines()[6:])) <= report.WIDTH
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["shapes", "epoch", "inference", "scale"])
def test_the_other_works_agree_with_torch(name, monkeypatch):
    """Each of their kinds, small, without the clock."""
    some = {
        "shapes": [layer for layer in work.elsewhere(quick=True) if layer.shape[2] < 100],
        "epoch": [work.Epoch(16, train_size=64, val_size=32)],
        "inference": [work.Inference(1), work.Inference(5)],
        "scale": [one for *_, one in scale.works(quick=True)],
    }[name]
    assert name in COMMANDS
    for one in some:
        row = measure.measure(one, contenders.contenders(), 1, 1e9, measure.Plan.quick(rounds=1))
        assert {work.EAGER, work.TEXTBOOK} <= row["contenders"].keys()
        assert all(entry["deviation_in_tolerances"] <= 1 for entry in row["contenders"].values())


# ----------------------------------------------------------------------------- refusing


def a_little_off(kernel):
    def wrong(*arguments):
        given = kernel(*arguments)
        if not isinstance(given, tuple):
            return given * np.float32(1.01)
        return tuple(
            array * np.float32(1.01) if array is not None and array.dtype.kind == "f" else array for array in given
        )

    return wrong


@pytest.mark.parametrize(
    ("kernel", "what"),
    [
        ("linear", "logits"),
        ("linear_grad_weight", "gradient of linear_block.0.weight"),
        ("grad_bias", "gradient of linear_block.2.bias"),
        ("conv_block", "logits"),
        ("conv_block_grad", "gradient of cnn.3.weight"),
    ],
)
def test_wrong_results_are_not_timed(kernel, what, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(numpy_textbook, kernel, a_little_off(getattr(numpy_textbook, kernel)))
    assert main(["step", "--quick", "--threads", "1", "--json", str(tmp_path / "no.json")]) == 1
    printed = capsys.readouterr()
    assert "training step is not timed: " in printed.err
    assert " of minicnn numpy deviates from torch eager by up to " in printed.err
    assert "median" in printed.out
    assert "minicnn numpy" not in printed.out
    assert not (tmp_path / "no.json").exists()
    one = work.Step(4)
    results = {}
    for contender in contenders.contenders():
        task = contender.task(one)
        measure.call(task)
        results[contender.name] = task.results()
    right, wrong = results[work.EAGER], results[work.TEXTBOOK]
    assert (np.abs(wrong[what] - right[what]) > agreement.tolerance(one, what, right)).any()


def test_a_wrong_optimiser_is_not_timed(monkeypatch):
    adam = ours.Adam
    monkeypatch.setattr(ours, "Adam", lambda parameters, lr: adam(parameters, lr=1.01 * lr))
    with pytest.raises(agreement.Disagreement, match="updated .* of minicnn numpy deviates from torch eager"):
        measure.measure(work.Step(4), contenders.contenders(), 1, 1e9, measure.Plan.quick())


@pytest.mark.parametrize("wrong", [np.float32([1, np.nan]), np.float32([1, 2.1]), np.float32([[1, 2]])])
def test_nan_values_and_shapes_that_differ_are_refused(wrong):
    right = {"output": np.float32([1, 2])}
    one = work.notebook(1)[0]
    assert agreement.demand(one, "it", right, "torch", right) == 0
    with pytest.raises(agreement.Disagreement, match="conv1"):
        agreement.demand(one, "it", {"output": wrong}, "torch", right)


# ----------------------------------------------------------------------------- counting


def test_multiply_adds_by_hand():
    conv = work.Layer("", "Conv2d", (2, 6, 3), {}, (5, 2, 4, 4))
    assert conv.forward_multiply_adds == 5 * 6 * 2 * 2 * 2 * 3 * 3  # each of 5*6*2*2 outputs sums 2*3*3 products
    assert conv.multiply_adds == 3 * conv.forward_multiply_adds
    first = work.Layer("", "Conv2d", (2, 6, 3), {}, (5, 2, 4, 4), input_grad=False)
    assert first.multiply_adds == 2 * conv.forward_multiply_adds
    depthwise = work.Layer("", "Conv2d", (4, 4, 3), {"groups": 4, "padding": 1}, (1, 4, 5, 5))
    assert depthwise.forward_multiply_adds == 4 * 25 * 9
    up = work.Layer("", "ConvTranspose2d", (3, 2, 4), {"stride": 2, "padding": 1}, (1, 3, 5, 5))
    assert up.forward_multiply_adds == 3 * 25 * 2 * 16  # each of 3*5*5 inputs stamps 2*4*4 products
    assert up.output_shape == (1, 2, 10, 10)
    assert work.Layer("", "Linear", (7, 3), {}, (2, 7)).forward_multiply_adds == 42
    assert work.Layer("", "MaxPool2d", (2,), {}, (1, 1, 4, 4)).multiply_adds == 0


def test_the_network_multiplies_what_its_layers_multiply():
    forward = 16 * 784 * 25 + 32 * 196 * 400 + 1568 * 128 + 128 * 10
    assert work.Inference(1).multiply_adds == forward
    assert work.Step(64).multiply_adds == 64 * (3 * forward - 16 * 784 * 25)
    epoch = work.Epoch(64, train_size=10, val_size=3)
    assert epoch.multiply_adds == 10 * (3 * forward - 16 * 784 * 25) + 3 * forward


@pytest.mark.parametrize("layer", [*work.notebook(2), *work.elsewhere(quick=True)], ids=lambda layer: layer.name)
def test_output_shapes_are_torchs(layer):
    (x, *rest), grad = layer.data()
    output = layer.build(torch.nn)(torch.from_numpy(x), *map(torch.from_numpy, rest))
    assert grad is None or tuple(output.shape) == grad.shape


def test_the_pooled_gradient_is_as_sparse_as_training_makes_it():
    conv2 = next(layer for layer in work.notebook(64) if layer.name == "conv2, pooled grad")
    _, grad = conv2.data()
    assert 0.16 < np.count_nonzero(grad) / grad.size < 0.18
    windows = np.count_nonzero(grad.reshape(64, 32, 7, 2, 7, 2), axis=(3, 5))
    assert windows.max() == 1


# ---------------------------------------------------------------------------- reporting


def test_ratios_are_taken_within_a_round():
    rounds = [{"a": [1.0, 1.0], "b": [2.0, 4.0]}, {"a": [10.0], "b": [20.0]}, {"a": [5.0]}]
    assert measure.ratios(rounds, "b", "a") == [3.0, 2.0]


def test_bars_say_whether_they_are_met():
    bar = {"against": work.EAGER, "bar": 0.75, "aim": 0.5}
    cases = [(0.4, True, "reaches the aim"), (0.7, True, "within the limit"), (0.8, False, "OVER THE LIMIT")]
    for ratio, met, said in cases:
        row = {"work": "step", "threads": 2, "bars": [{**bar, "ratio": ratio, "met": met}]}
        last = list(report.bars([row]))[-1]
        assert last.endswith(said)
        assert f"{ratio:.2f}" in last


def test_a_quick_run_is_not_judged():
    bar = {"against": work.EAGER, "bar": 0.75, "aim": 0.5, "ratio": 0.8, "met": None}
    assert list(report.bars([{"work": "step", "threads": 2, "bars": [bar]}])) == []


@pytest.mark.parametrize("wrong", [["nothing"], ["--threads", "0"], ["--repeats", "x"], ["--json", "no/folder/x.json"]])
def test_what_it_does_not_understand_is_refused_at_once(wrong, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(wrong)
    assert stopped.value.code == 2
    assert "error: argument" in capsys.readouterr().err


def test_denormals_are_where_they_are_said_to_be_and_a_step_that_they_slow_is_told(monkeypatch, capsys):
    tiny = np.finfo(np.float32).tiny
    for sizes, array_of in (({"weights": 1e-39}, "data"), ({"gradients": 1e-37}, "grad")):
        model, run = denormals.step(**sizes)
        with minicnn.use_backend("numpy"):
            run()
        array = np.abs(getattr(model.cnn[0].weight, array_of))
        assert np.mean((array > 0) & (array < tiny)) > 0.9

    monkeypatch.setattr(denormals, "BACKENDS", ["numpy"])
    monkeypatch.setattr(denormals, "cores", lambda: 1)
    monkeypatch.setattr(denormals, "Plan", lambda total: measure.Plan.quick(1))
    monkeypatch.setattr(denormals, "BAR", 0.0)
    assert denormals.main() == 1
    assert "MISSED" in capsys.readouterr().out


def test_what_it_costs_to_look_at_a_training_is_told(monkeypatch, capsys):
    small = looking.Setting(images=64, batch_size=16, backend="numpy")
    monkeypatch.setattr(looking, "Setting", lambda: small)
    assert looking.main(["--rounds", "1"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"An epoch of [\d.]+ s takes -?\d+ % longer when it is shown, at [\d.]+ looks a second", told)
    assert re.search(r"A look takes -?[\d.]+ ms of the CPU", told)


def test_how_much_others_use_the_cores_is_measured():
    others = machine.Others()
    sum(range(100_000))
    used = others.used()
    assert used is None or used >= 0


@pytest.mark.parametrize("quick", [True, False])
def test_without_a_name_all_is_measured_and_the_zoo_only_quickly(quick, monkeypatch, capsys):
    ran = []
    for name in COMMANDS:
        monkeypatch.setitem(COMMANDS, name, lambda session, name=name: ran.append(name))
    monkeypatch.setattr(machine, "matrix_product_peak", lambda *sizes: 1e9)
    assert main(["--threads", "1", *["--quick"] * quick]) == 0
    assert set(COMMANDS) - set(ran) == (set() if quick else {"zoo"})


def test_a_command_with_flags_of_its_own_goes_first(capsys):
    with pytest.raises(SystemExit):
        main(["step", "curve"])
    assert "curve goes first and alone: python -m benchmarks curve --help" in capsys.readouterr().err
