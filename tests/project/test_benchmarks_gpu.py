"""`python -m benchmarks gpu`: without a GPU it runs as far as it can, and says so."""

import json
import os
import re
import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="the benchmarks compare with torch: pip install 'minicnn[torch]'")

import torch

from benchmarks import gpu, results
from benchmarks.__main__ import main
from benchmarks.agreement import Disagreement
from benchmarks.work import COMPILED, EAGER, TUNED, Step


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    """The dry run's, without torch.compile, which takes a quarter of a minute."""
    path = tmp_path_factory.mktemp("gpu") / "run.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "compile", lambda model, **_: model)
        assert main(["gpu", "--device", "cpu", "--json", str(path)]) == 0
    return json.loads(path.read_text())


def test_the_dry_run_measures_everybody_and_judges_nobody(document):
    assert [row["work"] for row in document["results"]] == list(gpu.works(quick=True))
    for row in document["results"]:
        assert list(row["seconds"]) == [EAGER, TUNED, COMPILED, gpu.OURS]
        assert all(0 < low <= middle <= high for middle, low, high in row["seconds"].values())
        assert row["bars"] == []
    assert document["quick"]
    assert document["gpu"]["device"] == "CPU, a dry run"


def test_without_a_gpu_it_says_so_and_succeeds(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["gpu"]) == 0
    assert capsys.readouterr().out.startswith("torch finds no NVIDIA GPU here, so nothing is measured.")


def test_every_limit_belongs_to_a_row():
    assert {*gpu.LIMITS, "epoch, 60,000 images"} == set(gpu.works(quick=False))


def test_a_contender_that_computes_something_else_is_not_timed(monkeypatch):
    right = gpu.Minicnn.step

    def wrong(self, work):
        run, found = right(self, work)
        return run, lambda: {name: 1.01 * value for name, value in found().items()}

    monkeypatch.setattr(gpu.Minicnn, "step", wrong)
    with pytest.raises(Disagreement, match="of minicnn deviates from torch eager"):
        gpu.measure("step", Step(4), [gpu.Torch(EAGER, "cpu"), gpu.Minicnn("cpu")], "cpu", quick=True)


def judged(document):
    """As a real run leaves it: not quick, and with limits."""
    rows = []
    for name, row in zip(gpu.works(quick=False), document["results"], strict=True):
        rows.append({**row, "work": name, "bars": gpu.bars(name, row["seconds"], row["ratios"])})
    return {**document, "quick": False, "results": rows}


def test_the_table_replaces_its_part_of_both_pages_alone(document, monkeypatch, tmp_path):
    pages = {}
    for name in ("RESULTS", "README"):
        page = getattr(results, name)
        pages[name] = tmp_path / page.name
        pages[name].write_text(page.read_text(encoding="utf-8"), encoding="utf-8")
        monkeypatch.setattr(results, name, pages[name])
    monkeypatch.setattr(results, "ROOT", tmp_path)
    before = {name: page.read_text(encoding="utf-8") for name, page in pages.items()}
    run = tmp_path / "run.json"
    run.write_text(json.dumps(document))
    assert results.main([str(run)]) == 1  # a quick run is not written
    run.write_text(json.dumps(judged(document)))
    assert results.main([str(run)]) == 0
    for name, page in pages.items():
        text = page.read_text(encoding="utf-8")
        assert gpu.text(judged(document)) in text
        assert "step, batch 1024" in text
        assert "at most 0.25" in text
        assert results.GPU.sub("", text) == results.GPU.sub("", before[name])


def script(*arguments):
    command = ["bash", str(results.ROOT / "benchmarks" / "gpu.sh"), *map(str, arguments)]
    env = {**os.environ, "PYTHON": sys.executable}
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=240, check=False)


@pytest.mark.skipif(sys.platform == "win32", reason="the script is for Linux")
def test_the_script_runs_a_part_without_a_gpu_and_goes_on_after_a_failure(tmp_path):
    done = script("--dry-run", tmp_path / "logs", "nothing", "agree")
    assert done.returncode == 1
    assert "There is no part nothing" in done.stderr
    assert re.search(r"^agree +\d+ s  well$", done.stdout, re.MULTILINE), done.stdout
    assert "All agree." in (tmp_path / "logs" / "agree.log").read_text()
    assert script().returncode == 2


def test_the_parts_of_the_script_may_take_eight_minutes_together():
    text = (results.ROOT / "benchmarks" / "gpu.sh").read_text(encoding="utf-8")
    seconds = [int(found) for found in re.findall(r"part [a-z-]+ (\d+) ", text)]
    assert len(seconds) == 9
    assert sum(seconds) <= 8 * 60


def test_what_was_not_run_says_so():
    """Until a run on a GPU replaces the words."""
    for page in (results.RESULTS, results.README):
        (part,) = results.GPU.findall(page.read_text(encoding="utf-8"))
        assert "Not yet run on a GPU." in part or "`python -m benchmarks gpu` on " in part
