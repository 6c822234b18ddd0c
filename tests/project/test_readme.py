"""What the README says is so."""

import re
from pathlib import Path

import pytest

import minicnn

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = re.findall(r"^\| \[(\S+)\]\((\S+)\) \| (\d+) \|", README, re.MULTILINE)


def test_there_is_a_reading_guide():
    assert len(GUIDE) >= 10


@pytest.mark.parametrize(("name", "link", "lines"), GUIDE)
def test_the_reading_guide_names_files_that_exist_and_their_lines_to_within_a_tenth(name, link, lines):
    assert name == link
    assert (ROOT / name).read_text(encoding="utf-8").count("\n") == pytest.approx(int(lines), rel=0.1)


def test_every_make_command_in_the_documents_is_a_target():
    text = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    wanted = set(re.findall(r"(?:`|^)make ([a-z]+)", text, re.MULTILINE))
    assert {"train", "test", "help"} <= wanted <= targets


@pytest.mark.parametrize("example", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_an_example_runs(monkeypatch, capsys, example):
    few = minicnn.data.Subset(minicnn.data.MNIST(), range(128))
    monkeypatch.setattr(minicnn.data, "MNIST", lambda: few)
    names: dict = {}
    exec(example, names)  # noqa: S102 - it is our own README
    assert 0 < float(names["loss"]) < 3


def test_the_example_network_has_the_weights_that_the_readme_names():
    minicnn.manual_seed(0)
    keys = list(minicnn.models.SimpleCNN().state_dict())
    assert (keys[0], keys[-1]) == ("cnn.0.weight", "linear_block.2.bias")
    assert all(key in README for key in (keys[0], keys[-1]))
