"""The page with the course's notebook runs, counts its changes rightly, and learns what the
reference in plain torch learns.
"""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.agreement import EPOCH
from tests.support.oracle import torch

PAGE = Path(__file__).resolve().parents[2] / "reference" / "notebook_for_minicnn.md"
if not PAGE.is_file():
    pytest.skip("the reference is not part of an installed package", allow_module_level=True)
TEXT = PAGE.read_text(encoding="utf-8")
CELLS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


def test_the_page_learns_what_the_reference_learns(monkeypatch):
    """The same weights at first; an epoch is chaotic, so it is judged by its figures."""
    pyplot = pytest.importorskip("matplotlib.pyplot")
    from reference import simple_cnn

    monkeypatch.setattr(pyplot, "show", pyplot.close)
    names = {}
    for cell in CELLS[:3]:
        exec(compile(cell, str(PAGE), "exec"), names)  # noqa: S102 - our own page
    torch.manual_seed(0)
    theirs = simple_cnn.SimpleCNN()
    for name, array in names["model"].state_dict().items():
        np.testing.assert_array_equal(array, theirs.state_dict()[name].numpy())
    for cell in CELLS[3:]:
        exec(compile(cell.replace("epochs = 10", "epochs = 1"), str(PAGE), "exec"), names)  # noqa: S102 - our own page
    loaders = [
        torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*simple_cnn.load_images(None, train, size)), 64)
        for train, size in ((True, 5000), (False, 1000))
    ]
    (expected,) = simple_cnn.train(theirs, *loaders, epochs=1)
    for found, wanted, allowed in zip(names["history"][0], expected, EPOCH.values(), strict=True):
        assert abs(found - wanted) <= allowed


def test_what_is_marked_as_torchs_makes_torchs_notebook_again():
    for cell in CELLS:
        back = re.sub(r"^( *)\S.*?  # torch: (.*)$", r"\1\2", cell, flags=re.MULTILINE)
        ast.parse(back)
        assert "minicnn" not in back


def test_the_table_has_a_row_for_every_place():
    """Marked lines that do the same thing, or stand together, are one place."""
    rows = [line for line in TEXT.split("What else")[0].splitlines() if line.startswith("| ")][1:]
    marks = re.findall(r"# torch: (.*)", TEXT.split("## Imports")[1])
    assert len(rows) == 5
    kinds = {re.sub(r"import.*|from.*", "imports", mark).split("(")[0].split("=")[0].strip() for mark in marks}
    assert kinds == {"imports", "train_set", "val_set", "x", "loss.backward", "_, predicted"}


WORDS = re.findall(r"\| `(.*?)` \| (.*?) \| (.*?) \|", TEXT.split("What else")[1])


@pytest.mark.parametrize(("word", "answer", "line"), WORDS, ids=[row[0] for row in WORDS])
def test_what_numpy_answers_to_torchs_word_and_what_is_written_instead(word, answer, line):
    arrays = {
        "images": np.random.default_rng(0).random((4, 1, 5, 5), np.float32),
        "outputs": np.random.default_rng(1).standard_normal((4, 3)),
        "labels": np.arange(4),
    }
    if "attribute" in answer or "callable" in answer or "argument" in answer:
        with pytest.raises((AttributeError, TypeError), match=answer):
            eval(word, arrays)
    else:
        assert isinstance(eval(word, arrays), np.ndarray)
    torchs = {name: torch.from_numpy(array) for name, array in arrays.items() if isinstance(array, np.ndarray)}
    expected = eval(word, torchs)
    expected = expected.indices if isinstance(expected, tuple) else expected
    lines = re.findall("`(.*?)`", line) or [word.split(".")[0]]
    for written in lines:
        found = eval(written, arrays | {"np": np})
        np.testing.assert_array_equal(found, expected)
        assert str(getattr(found, "dtype", "")) == str(getattr(expected, "dtype", "")).removeprefix("torch.")
