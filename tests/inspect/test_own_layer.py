"""The example "Write your own layer" runs as it is printed, learns, and its mistake is
found.
"""

import re
from pathlib import Path

import numpy as np
import pytest

import minicnn
from minicnn import data

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
(PAGE,) = re.findall(r"^## Write your own layer\n(.*?)(?=^## )", README, re.DOTALL | re.MULTILINE)
(EXAMPLE,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def names():
    found: dict = {}
    with minicnn.use_backend("numpy"):
        exec(EXAMPLE, found)  # noqa: S102 - it is our own page
    return found


def test_the_example_learns(names):
    images, labels = data.MNIST(train=False).batch(range(1000))
    with minicnn.use_backend("numpy"):
        right = (names["model"](images).argmax(axis=1) == labels).mean()
    assert right > 0.85  # one pass over 5,000 digits; guessing gives 0.1


def test_the_layer_has_ten_lines_and_the_page_forty():
    lines = EXAMPLE[EXAMPLE.index("class LeakyReLU") : EXAMPLE.index("x = np.random")].split("\n")
    assert sum(bool(line.strip()) for line in lines) <= 10
    assert PAGE.count("\n") <= 45


def test_the_mistake_is_called_as_the_page_says(names):
    wrong = EXAMPLE[: EXAMPLE.index("x = np.random")].replace("self.slope * grad_output", "grad_output")
    exec(wrong, names)  # noqa: S102
    report = minicnn.gradcheck(names["LeakyReLU"](), np.random.default_rng(0).standard_normal((4, 5)))
    assert not report
    (sentence,) = re.findall(r"gradcheck says: `(.*?)`", PAGE, re.DOTALL)
    assert " ".join(sentence.split()) in str(report)
