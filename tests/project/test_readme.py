"""What the README says is so."""

import re
from pathlib import Path

import pytest

import minicnn
from benchmarks import results
from minicnn.kernels import numba_fast, numpy_textbook
from tests.project.examples import EXAMPLES, README

ROOT = Path(__file__).resolve().parents[2]
GUIDE = re.findall(r"\[([\w/]+\.py)\]\((\S+)\)", README)
BEGINNING = "kernels/numpy_textbook/convolution.py"


def test_the_reading_guide_comes_first_and_has_one_beginning():
    assert README.index("## Two commands") < README.index("## Reading guide") < README.index("## What to expect")
    assert len(GUIDE) >= 20
    assert GUIDE[0][0] == BEGINNING
    for module in (numpy_textbook, numba_fast):
        assert BEGINNING in module.__doc__


@pytest.mark.parametrize(("name", "link"), GUIDE)
def test_the_reading_guide_names_files_that_exist(name, link):
    assert link.endswith(name)
    assert (ROOT / link).is_file()


def test_every_link_into_the_repository_leads_somewhere():
    for document in ("README.md", "README.pt.md", "CONTRIBUTING.md", "reference/README.md"):
        text = (ROOT / document).read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert ((ROOT / document).parent / link).exists(), f"{document}: {link}"


def test_the_table_of_times_is_that_of_the_results():
    """Both are written by `make results`."""
    (block,) = results.BLOCK.findall(README)
    assert block.strip() in results.RESULTS.read_text(encoding="utf-8")


def test_the_shares_of_simple_cnn():
    found = minicnn.summary(minicnn.models.SimpleCNN(), (1, 28, 28))
    first_linear = next(row for row in found.rows if row.name == "linear_block.0")
    second_convolution = next(row for row in found.rows if row.name == "cnn.3")
    words = " ".join(README.split())
    parameters = f"{first_linear.parameters / found.parameters:.0%}".replace("%", " %")
    arithmetic = f"{second_convolution.multiply_adds / found.multiply_adds:.0%}".replace("%", " %")
    assert f"{parameters} of SimpleCNN's parameters are in the first Linear" in words
    assert f"{arithmetic} of its multiply-adds in the second convolution" in words


def test_the_accuracy_that_never_moves_is_the_share_of_even_digits():
    _, labels = minicnn.data.MNIST(train=True).batch(range(5000))
    assert f"would report {(labels % 2 == 0).mean():.3f} of the training images for ever" in " ".join(README.split())


def test_every_make_command_in_the_documents_is_a_target():
    text = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    wanted = set(re.findall(r"(?:`|^)make ([a-z]+)", text, re.MULTILINE))
    assert {"train", "test", "help"} <= wanted <= targets


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(monkeypatch, capsys, example):
    few = minicnn.data.Subset(minicnn.data.MNIST(), range(128))
    monkeypatch.setattr(minicnn.data, "MNIST", lambda: few)
    names: dict = {}
    exec(example, names)  # noqa: S102 - it is our own README
    if "loss = " in example:
        assert 0 < float(names["loss"]) < 3
    else:
        assert "'cnn.0': (8, 16, 28, 28)" in capsys.readouterr().out


def test_the_example_network_has_the_weights_that_the_readme_names():
    minicnn.manual_seed(0)
    keys = list(minicnn.models.SimpleCNN().state_dict())
    assert (keys[0], keys[-1]) == ("cnn.0.weight", "linear_block.2.bias")
    assert all(key in README for key in (keys[0], keys[-1]))
