"""The zoo's layers are what the papers say, are measured rightly, and told as they are. So
is a layer of one's own.
"""

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="the benchmarks compare with torch: pip install 'minicnn[torch]'")

import torch

from benchmarks import agreement, contenders, expression, measure, ours, results, work
from benchmarks.__main__ import main
from benchmarks.zoo import memory, report, turns
from benchmarks.zoo import run as zoo_run
from benchmarks.zoo.networks import LARGE_SIDE, ZOO, Member
from tests.support import scripts

from .test_benchmarks import numpy_alone_and_threads_as_before  # noqa: F401 - a fixture

SMALL = Member("A network", "A paper, 1998", "first", "Conv2d(2, 3, 3, padding=1)", (2, 6, 5))


def as_ours(backend):
    """The textbook set under the name that the bars are about: nothing is compiled."""
    contender = ours.Minicnn(backend)
    contender.name = work.OURS
    return contender


# ----------------------------------------------------------------------------- the members


def test_there_are_enough_layers_and_none_twice():
    assert len(ZOO) >= 60
    assert len({member.name for member in ZOO}) == len(ZOO)
    assert len({(member.text, member.image) for member in ZOO}) == len(ZOO)
    assert {member.kind for member in ZOO} == {
        *("convolution", "1 x 1", "grouped", "depthwise", "transposed", "pooling", "linear")
    }
    assert all(any(year in member.paper for year in map(str, range(1998, 2025))) for member in ZOO)


@pytest.mark.parametrize("member", ZOO, ids=lambda member: member.name)
def test_torch_takes_each_layer_and_its_output_has_that_shape(member):
    layer = member.layer(2)
    with torch.device("meta"):  # shapes alone
        module = layer.build(torch.nn)
        output = module(torch.empty(layer.shape))
    assert tuple(output.shape) == layer.output_shape
    assert 4 * sum(p.numel() for p in module.parameters()) <= 256e6
    assert (32 in member.batches) == (
        max(member.image[1:], default=1) < LARGE_SIDE and member.layer(1).forward_multiply_adds <= 1e9
    )


# ----------------------------------------------------------------------------- measuring


def test_each_layer_gives_a_row_for_each_batch_and_number_of_threads():
    everybody = [*contenders.contenders(), as_ours("numpy")]
    rows = list(zoo_run.rows(SMALL, everybody, [1, 2], turns.Plan.quick()._replace(judged=True), quick=False))
    assert [(row["batch"], row["threads"]) for row in rows] == [(N, n) for N in (1, 8, 32) for n in (1, 2)]
    assert [row["judged"] for row in rows] == [False] * 5 + [True]
    for row in rows:
        assert list(row["passes"]) == ["forward", "backward", "together"]
        for figures in row["passes"].values():
            assert figures["ratio"] == pytest.approx(figures["ms"][work.OURS] / figures["ms"][work.EAGER])
        for name in (work.EAGER, work.OURS):
            forward, backward, both = (figures["ms"][name] for figures in row["passes"].values())
            assert both == pytest.approx(forward + backward)
    assert rows[-1]["textbook"]["ratio"] > 0
    assert rows[-1]["memory_mb"].keys() == {work.EAGER, work.OURS}


def test_wrong_results_are_not_timed(monkeypatch):
    class Wrong(ours.Minicnn):
        def task(self, work):
            task = super().task(work)
            results = task.results
            task.results = lambda: {name: value * np.float32(1.01) for name, value in results().items()}
            return task

    wrong = Wrong("numpy")
    everybody = [contenders.contenders()[0], wrong]
    with pytest.raises(agreement.Disagreement, match="A network, first is not timed: output of minicnn numpy"):
        next(zoo_run.rows(SMALL, everybody, [1], turns.Plan.quick(), quick=True))


def test_ratios_are_taken_within_a_round_pass_by_pass():
    rounds = [
        {work.EAGER: [[1.0, 3.0]], work.OURS: [[2.0, 3.0]]},
        {work.EAGER: [[10.0, 30.0], [10.0, 30.0]], work.OURS: [[20.0, 60.0], [20.0, 60.0]]},
        {work.EAGER: [[1.0, 1.0]], work.OURS: [[2.0, 4.0]]},
    ]
    found = {which: turns.summary(rounds, which)["ratio"] for which in turns.PASSES}
    assert found == {"forward": 2.0, "backward": 2.0, "together": 2.0}
    assert turns.summary(rounds, "together")["ratio_quartiles"] == [1.625, 2.5]


@pytest.mark.skipif(not memory.CLEAR.exists(), reason="the system does not tell")
@pytest.mark.parametrize("megabytes", [8, 40])
def test_the_memory_of_a_call_is_what_it_holds_at_its_fullest(megabytes, tmp_path):
    """In a process of its own, as it is measured: what other tests left in a heap is trimmed
    and touched again, which takes 1 MB.
    """
    script = f"""
        from benchmarks.task import Task
        from benchmarks.zoo import memory

        kept = []

        def run():
            kept.append(np.ones({megabytes} << 17))
            np.ones({megabytes} << 17).sum()  # let go at once, beside the one that stays

        task = Task((run,), dict, kept.clear)
        task.run()
        print(memory.extra_mb(task))
    """
    assert abs(float(scripts.run(tmp_path, script)) - 2 * megabytes) <= memory.GRAIN


# ------------------------------------------------------------------------------- telling


def row(ratio, low, judged=True, textbook=0.5, ours=1.0, theirs=2.0):
    figures = {"ms": {work.EAGER: 1.0, work.OURS: ratio}, "ratio": ratio, "ratio_quartiles": [low, ratio]}
    return {
        "network": "A network",
        "paper": "A paper",
        "role": f"layer {ratio}",
        "kind": "pooling",
        "layer": "MaxPool2d(2)",
        "image": [1, 4, 4],
        "batch": 32,
        "threads": 2,
        "passes": dict.fromkeys(turns.PASSES, figures),
        "judged": judged,
        "textbook": {"ratio": textbook},
        "memory_mb": {work.EAGER: theirs, work.OURS: ours},
    }


def test_each_layer_that_falls_short_is_named():
    rows = [row(0.25, 0.2), row(1.0, 0.9, textbook=1.2), row(2.0, 1.1), row(4.0, 3.0, ours=9.0), row(9.0, 8.0, False)]
    assert report.geometric_mean([0.25, 1.0, 2.0, 4.0]) == pytest.approx(2**0.25)
    told = report.verdicts(rows)
    assert told[0].startswith("geometric mean 1.19: at most 0.70, aim 0.55: MISSED")
    assert told[1:3] == [
        "layers above 1.15 times torch eager, their lower quartile too: 1",
        "  4.00 (3.00 to 4.00)  A network, layer 4.0: MaxPool2d(2) on 32x1x4x4",
    ]
    assert told[3:5] == [
        "layers above 1.10 times minicnn numpy: 1",
        "  1.20  A network, layer 1.0: MaxPool2d(2) on 32x1x4x4",
    ]
    assert told[5].endswith(": 1")
    assert "9.0 MB beside 2.0 MB" in told[6]
    assert report.verdicts([row(0.5, 0.4)])[0].endswith("met")
    assert report.verdicts([row(9.0, 8.0, judged=False)]) == []
    lines = report.distribution(rows)
    assert lines[1][:3] == ("largest batch, all threads", "forward", "4")
    assert lines[4] == ("batch 32, 2 threads", "forward", "5", "1.78", "0.25", "1.00", "2.00", "4.00", "9.00", "3")


def test_the_zoo_stands_in_the_results_with_its_picture(tmp_path, monkeypatch):
    for name in ("RESULTS", "README", "ZOO"):
        monkeypatch.setattr(results, name, tmp_path / getattr(results, name).name)
    monkeypatch.setattr(results, "ROOT", tmp_path)
    results.README.write_text("")
    about = {"cpu": "A CPU", "cores": 2, "threads": 2, "started": "2026-01-02T", "versions": {"torch": "2"}}
    document = {"machine": {**about, "command": "python -m benchmarks zoo", "others": 0.0}, "quick": False}
    document |= {
        "results": [],
        "scale": [],
        "facts": [],
        "profile": [],
        "seeds": None,
        "zoo": [row(2.0, 1.5), row(0.5, 0.4)],
    }
    file = tmp_path / "run.json"
    file.write_text(json.dumps(document))
    assert results.main([str(file)]) == 0
    written = results.RESULTS.read_text()
    assert "![The zoo](zoo.svg)" in written
    assert written.index("A network, layer 2.0: `MaxPool2d(2)`") < written.index("A network, layer 0.5: `MaxPool2d(2)`")
    assert "- geometric mean 1.00: at most 0.70" in written
    assert "<svg" in results.ZOO.read_text()


# ----------------------------------------------------------------------- a layer of one's own


def test_a_layer_is_read_as_python_writes_it():
    assert expression.read(" nn.Conv2d(64, (1, 3), padding='same') ") == ("Conv2d", (64, (1, 3)), {"padding": "same"})
    assert expression.read("torch.nn.ReLU()") == ("ReLU", (), {})
    assert expression.shape("32,64,16,16") == expression.shape("(32x64x16x16)") == (32, 64, 16, 16)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Conv2d", "no parentheses"),
        ("Conv2D(1, 2, 3)", "did you mean Conv2d"),
        ("Conv2d(1, 2,", "cannot be read"),
        ("", "cannot be read"),
        ("1 + 2", "cannot be read"),
        ("open('x')", "there is no layer 'open'"),
        ("(lambda: 1)()", "there is no layer"),
        ("Sequential()", "there is no layer 'Sequential'"),
        ("functional()", "there is no layer 'functional'"),
        ("MSELoss()", "there is no layer 'MSELoss'"),
        ("Conv2d(1, n, 3)", "an argument is 'n'"),
        ("Conv2d(1, 2, 3, padding=max(1, 2))", "padding is 'max(1, 2)'"),
        ("Conv2d(**{'a': 1})", "not with **"),
    ],
)
def test_what_is_not_a_layer_is_refused_with_a_sentence(text, said):
    with pytest.raises(ValueError, match=r"[.?]$") as refused:
        expression.read(text)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "shape", "said"),
    [
        ("Conv2d(64, 8, 3)", "2,63,5,5", "minicnn does not take Conv2d(64, 8, 3) on 2x63x5x5"),
        ("Conv2d(64, 8, 3)", "64,5,5", "takes batch, channels, height and width"),
        ("Conv2d(64, 8, 3, nonsense=1)", "2,64,5,5", "unexpected keyword argument 'nonsense'"),
        ("MaxPool2d(2, return_indices=True)", "2,64,5,5", "returns 2 arrays"),
        ("ReLU(inplace=True)", "2,3", "torch does not take ReLU(inplace=True) on 2x3"),
        ("ReLU()", "2,x", "is not a shape"),
        ("ReLU()", "2", "a shape has a batch"),
        ("ReLU()", "0,2", "a shape has a batch"),
    ],
)
def test_a_layer_that_somebody_refuses_is_not_timed(text, shape, said, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["layer", text, "--input", shape])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("Conv2d(4, 6, (3, 1), 2, (1, 0), groups=2)", "2,4,7,6"),
        ("ConvTranspose2d(4, 2, 3, stride=2, output_padding=1)", "2,4,3,3"),
        ("MaxPool2d(3, 2, ceil_mode=True)", "2,3,6,8"),
        ("Linear(5, 3)", "2,4,5"),
        ("Unflatten(1, (2, 3))", "2,6"),
        ("Conv2d(2, 4, 3, padding='same', padding_mode='reflect')", "2,2,6,6"),
    ],
)
def test_a_layer_of_ones_own_is_timed_beside_torch(text, shape, tmp_path, capsys):
    file = tmp_path / "run.json"
    assert main(["layer", text, "--input", shape, "--quick", "--threads", "1", "--json", str(file)]) == 0
    (found,) = json.loads(file.read_text())["results"]
    assert {work.EAGER, work.TEXTBOOK} <= found["contenders"].keys()
    assert all(entry["deviation_in_tolerances"] <= 1 for entry in found["contenders"].values())
    assert "your layer: " in capsys.readouterr().out


def test_layer_is_told_to_go_alone(capsys):
    with pytest.raises(SystemExit):
        main(["step", "layer"])
    assert "layer goes first and alone" in capsys.readouterr().err


def test_arguments_by_position_and_by_name_cost_the_same():
    one = work.Layer("", "Conv2d", (4, 6, 3, 2, 1, 1, 2), {}, (2, 4, 9, 9))
    other = work.Layer("", "Conv2d", (4, 6), {"kernel_size": 3, "stride": 2, "padding": 1, "groups": 2}, (2, 4, 9, 9))
    assert one.multiply_adds == other.multiply_adds == 3 * 2 * 6 * 25 * 2 * 9
    assert one.output_shape == other.output_shape == (2, 6, 5, 5)
    assert measure.middle([1.0]) == (1.0, 1.0, 1.0)
