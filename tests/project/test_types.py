"""What a type checker says of code that uses minicnn: nothing.

The README's own layer leaves annotations out, as one would who writes a layer to learn; its
untyped functions are forgiven, and nothing else that --strict asks for. The layer below has
them all, and is forgiven nothing.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.examples import EXAMPLES

pytest.importorskip("mypy", reason="mypy checks the types of the examples (extra `dev`)")

ROOT = Path(__file__).resolve().parents[2]
ANNOTATED = '''
import numpy as np

import minicnn
from minicnn import nn, optim
from minicnn.data import MNIST, DataLoader
from minicnn.nn import functional as F


class Scale(nn.Module):
    """Multiplies with a number that is learnt."""

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = nn.Parameter(np.array([factor]))

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.keep(x)
        scaled: np.ndarray = self.factor.data * x
        return scaled

    def backward(self, grad_output: np.ndarray) -> np.ndarray:
        (x,) = self.kept()
        self.factor.accumulate(np.sum(grad_output * x, keepdims=True))
        grad_input: np.ndarray = self.factor.data * grad_output
        return grad_input


scale: Scale = Scale(2.0).train().to("numpy")
model: minicnn.models.SimpleCNN = minicnn.models.SimpleCNN().train()
parity = minicnn.models.ParityCNN().eval()
painter = minicnn.models.Autoencoder()
front: nn.Sequential = model.cnn[:3]
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
schedule = optim.lr_scheduler.StepLR(optimizer, step_size=1)
for images, labels in DataLoader(MNIST(), batch_size=64, shuffle=True):
    pixels: np.ndarray = images
    loss: float = criterion(model(images), labels)
    model.backward(criterion.backward())
    optimizer.step()
schedule.step()
x = np.zeros((1, 1, 4, 4))
maxima: np.ndarray = F.max_pool2d(x, 2)
both: tuple[np.ndarray, np.ndarray] = F.max_pool2d(x, 2, return_indices=True)
right: bool = bool(minicnn.gradcheck(scale, x))
parameters: int = minicnn.summary(model, (1, 28, 28)).parameters
'''
WRONG = """
import numpy as np
from minicnn.nn import functional as F

maxima, places = F.max_pool2d(np.zeros((1, 1, 4, 4)), 2)
both: tuple[int, int] = F.max_pool2d(np.zeros((1, 1, 4, 4)), 2, return_indices=True)
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """What mypy found out about NumPy and minicnn, for the next test."""
    return tmp_path_factory.mktemp("mypy")


def complaints(program: Path, cache: Path, *options: str) -> list[str]:
    """The lines in which mypy --strict finds an error."""
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={cache}", *options]
    found = subprocess.run(
        [*command, str(program)],
        check=False,  # 1: there are complaints
        cwd=program.parent,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
    )
    assert found.returncode in (0, 1), found.stdout + found.stderr
    return [line for line in found.stdout.splitlines() if ": error: " in line]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_readmes_examples_have_the_right_types(tmp_path, cache, number):
    program = tmp_path / "example.py"
    program.write_text(EXAMPLES[number], encoding="utf-8")
    own = ("--allow-untyped-defs", "--untyped-calls-exclude=example")
    assert complaints(program, cache, *own) == []


def test_an_annotated_layer_and_its_training_have_the_right_types(tmp_path, cache):
    program = tmp_path / "layer.py"
    program.write_text(ANNOTATED, encoding="utf-8")
    assert complaints(program, cache) == []


def test_a_wrong_type_is_found(tmp_path, cache):
    """Otherwise everything might be Any; max_pool2d's type follows return_indices."""
    program = tmp_path / "wrong.py"
    program.write_text(WRONG, encoding="utf-8")
    assert any("wrong.py:6: error: Incompatible types in assignment" in line for line in complaints(program, cache))
