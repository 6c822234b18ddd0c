"""What was measured is written as it is, each part under its own day and processor."""

import json
import math
import re

import pytest

pytest.importorskip("torch", reason="the benchmarks compare with torch: pip install 'minicnn[torch]'")

from benchmarks import profile, report, results, scale, sections, seeds, work
from benchmarks.__main__ import COMMANDS, main
from benchmarks.agreement import Disagreement
from benchmarks.cold import fact
from benchmarks.curve import Curve
from reference.simple_cnn import Figures

from .test_benchmarks import numpy_alone_and_threads_as_before  # noqa: F401 - a fixture

NOTHING_ELSE = {"facts": [], "scale": [], "zoo": [], "profile": [], "seeds": None}


def row(name, ours, theirs, ratio, quartiles, bar=1.0):
    bars = [{"against": work.EAGER, "bar": bar, "aim": 0.5, "ratio": ratio, "ratio_quartiles": quartiles}]
    entries = {work.EAGER: {"median_ms": theirs}, work.OURS: {"median_ms": ours, "share_of_peak": 0.5}}
    bars[0]["met"] = ratio <= bar
    return {"command": "step", "work": name, "threads": 2, "contenders": entries, "bars": bars}


def a_run(*rows, quick=False, others=0.0):
    about = {"cpu": "A CPU", "cores": 2, "threads": 2, "started": "2026-01-02T", "versions": {"torch": "2"}}
    machine = {**about, "command": "python -m benchmarks step --json x.json", "others": others}
    return {"machine": machine, "quick": quick, "results": list(rows), **NOTHING_ELSE}


def test_a_ratio_over_its_limit_is_told_and_so_is_one_that_the_columns_contradict():
    good, bad = row("good", 1.0, 2.0, 0.5, [0.4, 0.6]), row("bad", 3.24, 2.0, 1.2, [1.1, 1.3])
    written = sections.timings([good, bad])
    assert "0.50 (0.40 to 0.60), at most 1.00, aim 0.50 |" in written
    assert "**1.20 (1.10 to 1.30)*, over 1.00, aim 0.50**" in written
    assert "bad with 2 threads: 1.62 times torch eager" in written
    assert "*" not in sections.timings([good])


def test_quick_and_disturbed_runs_say_that_their_figures_mean_nothing():
    one = row("training step", 1.0, 2.0, 0.5, [0.4, 0.6])
    assert report.doubts(a_run(one)) is None
    assert report.doubts(a_run(one, others=None)) is None  # unknown on this system
    assert "quick run" in report.doubts(a_run(one, quick=True))
    assert "others kept 0.7 of the 2 cores busy" in report.doubts(a_run(one, others=0.7))
    found = sections.of_run(a_run(one, others=0.7))
    for written in (results.page(found), results.short(found)):
        assert "its figures mean nothing" in " ".join(written.split())


def test_a_quick_run_is_not_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(results, "RESULTS", tmp_path / "RESULTS.md")
    file = tmp_path / "run.json"
    file.write_text(json.dumps(a_run(quick=True)))
    assert results.main([str(file)]) == 1
    assert "not written" in capsys.readouterr().err
    assert not results.RESULTS.exists()


def test_results_and_the_readmes_table_are_written_from_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(results, "ROOT", tmp_path)
    monkeypatch.setattr(results, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(results, "README", tmp_path / "README.md")
    results.README.write_text("before\n<!-- from benchmarks/RESULTS.md -->\nold\n<!-- to here -->\nafter\n")
    file = tmp_path / "run.json"
    file.write_text(json.dumps(a_run(row("training step", 1.0, 2.0, 0.5, [0.4, 0.6]))))
    assert results.main([str(file)]) == 0
    readme = results.README.read_text()
    (table,) = results.BLOCK.findall(readme)
    assert "| training step |" in table
    assert table.strip() in results.RESULTS.read_text()
    assert "x.json" not in readme
    assert readme.startswith("before\n")
    assert readme.endswith("after\n")
    assert "old" not in readme


@pytest.fixture
def files(tmp_path, monkeypatch):
    """RESULTS.md and README.md elsewhere."""
    for name in ("RESULTS", "README", "ZOO"):
        monkeypatch.setattr(results, name, tmp_path / getattr(results, name).name)
    monkeypatch.setattr(results, "ROOT", tmp_path)
    results.README.write_text("before\n<!-- from benchmarks/RESULTS.md -->\nold\n<!-- to here -->\nafter\n")
    return results


def test_a_part_is_written_anew_and_the_others_keep_their_day_and_processor(files):
    files.RESULTS.write_text("# Results\n\n## gpu\n\n<!-- from python -m benchmarks gpu -->\n\n| a table |\n")
    first = a_run(
        row("training step", 1.0, 2.0, 0.5, [0.4, 0.6]), {**row("epoch", 1, 2, 0.5, [0.4, 0.6]), "command": "epoch"}
    )
    files.write(first)
    second = a_run(row("training step", 1.0, 4.0, 0.25, [0.2, 0.3]))
    second["machine"] |= {"cpu": "Another CPU", "started": "2027-03-04T"}
    files.write(second)
    found = sections.read(files.RESULTS.read_text())
    assert list(found) == ["step", "epoch", "gpu"]
    assert "on Another CPU" in found["step"] and "2027-03-04" in found["step"]
    assert "0.25 (0.20 to 0.30)" in found["step"] and "0.50" not in found["step"].split("aim 0.50")[0]
    assert "on A CPU" in found["epoch"] and "2026-01-02" in found["epoch"]
    assert found["gpu"].endswith("| a table |")
    readme = files.README.read_text()
    assert re.search(r"step: `.*Another CPU.*\n.*2027-03-04", readme)
    assert re.search(r"epoch: `.*on A CPU.*\n.*2026-01-02", readme)


def test_the_page_is_its_sections():
    found = sections.read(results.RESULTS.read_text(encoding="utf-8"))
    assert set(found) <= set(sections.ORDER)
    assert sections.read(results.page(found)) == found
    assert set(sections.ORDER) == {*COMMANDS, "gpu"}


def test_the_readmes_rows_are_those_of_the_sections():
    one = row("training step", 1.0, 2.0, 0.5, [0.4, 0.6])
    alone = {**row("training step", 3.0, 9.0, 0.3, [0.2, 0.4]), "threads": 1}
    text = results.short(sections.of_run(a_run(one, alone)))
    assert "| training step |       2 |" in text and "|       1 |" not in text
    assert results.short({}) == results.NOTHING
    assert [row["a"] for row in sections.rows_of("| a | b |\n|---|--:|\n| x\\|y |  |\n\n| c |")] == ["x\\|y"]


def test_a_figure_that_is_no_ratio_stands_with_its_limit():
    facts = [{"command": "step", **fact("Python's share", 9.0, "%", bar=7, aim=4)}]
    found = sections.of_run({**a_run(), "facts": facts})
    assert "| Python's share |  9 % | at most 7 %, aim 4 %: **MISSED** |" in found["step"]
    limits = report.limits([row("epoch", 1.0, 2.0, 0.5, [0.4, 0.6])], facts)
    assert limits[0] == ("epoch", "2", work.EAGER, "0.50", "1.00", "0.50", "reaches the aim")
    assert limits[1] == ("Python's share", "", "", "9 %", "7 %", "4 %", "OVER THE LIMIT")


def test_measuring_parts_quickly_writes_nothing(files, capsys):
    assert main(["results", "--only", "scale,profile,seeds", "--quick", "--threads", "1"]) == 0
    printed = capsys.readouterr()
    assert "not written" in printed.err
    assert not files.RESULTS.exists()
    assert all(f"\n{kind.name} against channels\n" in printed.out for kind in scale.KINDS)
    assert "Kernel set numpy: a training step" in printed.out
    assert "difference within a seed" in printed.out
    assert "(seeds took " in printed.out


def test_a_part_that_there_is_not_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["results", "--only", "step,nothing"])
    assert "there is no part 'nothing'; there are step" in capsys.readouterr().err


# --------------------------------------------------------------------------------- scale


def points(what, axis, theirs, ours):
    def contender(ms, ratio):
        return {"median_ms": ms, "ratio": ratio}

    return [
        {
            "what": what,
            "axis": axis,
            "at": at,
            "row": {"contenders": {work.EAGER: contender(t, 1.0), work.OURS: contender(o, o / t)}},
        }
        for at, t, o in zip((2, 4, 8), theirs, ours, strict=True)
    ]


def test_a_slope_is_the_power_and_the_steeper_curve_is_named():
    square = points("Conv2d", scale.CHANNELS, [8.0, 16.0, 32.0], [4.0, 16.0, 64.0])
    level = points("Linear", scale.BATCH, [1.0, 2.0, 4.0], [3.0, 6.0, 12.0])
    assert scale.slope(square, work.OURS) == pytest.approx(2)
    assert scale.slope(square, work.EAGER) == pytest.approx(1)
    assert scale.summary(square + level)[1:] == [
        ("Conv2d", "channels", "1.00", "2.00", "ours is steeper"),
        ("Linear", "batch", "1.00", "1.00", ""),
    ]
    assert scale.verdict(square + level).endswith("by more than 0.1: Conv2d against channels.")
    assert scale.verdict(level).startswith("Nowhere")
    written = "\n\n".join(sections.of_scale(square))
    assert "| ours is steeper |" in written


@pytest.mark.parametrize("quick", [True, False])
def test_each_kind_of_layer_is_measured_along_three_axes_and_one_size_changes(quick):
    found = {}
    for what, axis, at, one in scale.works(quick):
        found.setdefault((what, axis), []).append((at, one))
    axes = (scale.BATCH, scale.SIDE, scale.CHANNELS)
    assert set(found) == {(kind.name, axis) for kind in scale.KINDS for axis in axes} | {("training step", "batch")}
    for (what, axis), curve in found.items():
        sizes = [at for at, _ in curve]
        assert sizes == sorted(set(sizes))
        if what == "training step":
            continue
        power = 2 if axis == scale.SIDE or (axis == scale.CHANNELS and what in ("Conv2d", "ConvTranspose2d")) else 1
        (small, first), *_, (large, last) = curve
        cost = [layer.multiply_adds or math.prod(layer.shape) for layer in (first, last)]
        assert cost[1] / cost[0] == pytest.approx((large / small) ** power)


# ------------------------------------------------------------------------- seeds, profile


def test_the_spread_of_seeds_by_hand():
    found = [seeds.Seed(0, 0.9, 0.8), seeds.Seed(1, 0.7, 0.8)]
    assert seeds.spread(found)[1:] == [
        ("minicnn", "0.8000", "0.1414", "0.7000", "0.9000"),
        ("reference", "0.8000", "0.0000", "0.8000", "0.8000"),
        ("difference within a seed", "0.0000", "0.1414", "-0.1000", "0.1000"),
    ]
    document = {**a_run(), "seeds": seeds.document(seeds.QUICK, found)}
    written = sections.of_run(document)["seeds"]
    assert "2 seeds, 1 epoch of 256 images" in written
    assert "| minicnn" in written


def test_both_begin_with_the_same_bits_and_quickly_end_with_the_same_figures(tmp_path):
    file = tmp_path / "seeds.json"
    assert main(["seeds", "1", "--quick", "--threads", "1", "--json", str(file)]) == 0
    (one,) = json.loads(file.read_text())["seeds"]["accuracies"]
    assert one["seed"] == 0
    assert 0 < one["minicnn"] < 1
    assert one["minicnn"] == pytest.approx(one["reference"], abs=2 / 64)  # four steps: rounding has not grown


def test_other_weights_at_first_are_told(monkeypatch, capsys):
    def other(plan, seed, dtype):
        curve = seeds.follow_minicnn(plan, seed, dtype, "numpy")
        changed = {name: weight + 1 for name, weight in curve.weights.items()}
        return Curve(changed, [], [Figures(0, 0, 0, 0)])

    monkeypatch.setattr(seeds, "follow_reference", other)
    with pytest.raises(Disagreement, match=r"Seed 0 gives cnn\.0\.weight other bits"):
        next(seeds.trained(seeds.QUICK, "numpy"))
    assert main(["seeds", "--quick", "--threads", "1"]) == 1
    assert "other bits" in capsys.readouterr().err


def test_the_profile_adds_up_and_names_the_rest(tmp_path, capsys):
    file = tmp_path / "profile.json"
    assert main(["profile", "--backend", "numpy", "--quick", "--batch-size", "4", "--json", str(file)]) == 0
    (found,) = json.loads(file.read_text())["profile"]
    assert sum(one["ms"] for one in found["rows"]) == pytest.approx(found["ms"])
    assert sum(one["share"] for one in found["rows"]) == pytest.approx(1)
    assert found["rows"][0]["who"] == "cnn.0 to cnn.2 Conv2d, ReLU, MaxPool2d"
    assert found["the rest"][0] == "the loop"
    assert "SimpleCNN" in found["the rest"]
    printed = capsys.readouterr().out
    assert re.search(r"cnn\.3 to cnn\.5 Conv2d, ReLU, MaxPool2d +backward .* conv_block_grad", printed)
    assert "8 x adam" in printed
    assert "Python's share of the step is" in printed
    lines = profile.rows_of(found)
    assert int(lines[-1][-2]) == sum(int(line[-2]) for line in lines[1:-1]) > 20
    assert "| the step" in "\n".join(sections.of_profile([found], 1))
