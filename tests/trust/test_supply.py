"""What minicnn stands on: the oldest versions that it allows, and machines where
something is missing.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minicnn

ROOT = Path(minicnn.__file__).parents[1]
PLAIN = {"LC_ALL": "C", "LANG": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
SMALL = ["--epochs", "1", "--train-size", "40", "--val-size", "20", "--threads", "2"]


def run(module, *flags, drop=(), **environment):
    kept = {name: value for name, value in os.environ.items() if name not in drop}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", f"minicnn.{module}", *flags],
        check=False,
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def bounds(text):
    """{package: lower bound} from lines such as numpy>=2.0."""
    return {name.lower(): version for name, version in re.findall(r'"([\w-]+)>=([\w.]+)"', text)}


def test_the_oldest_versions_that_are_tested_are_those_that_are_allowed():
    allowed = bounds((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    tested = dict(re.findall(r"^([\w-]+)==([\w.]+)$", (ROOT / "tests/oldest.txt").read_text(), re.MULTILINE))
    core = re.search(r"^dependencies = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)[1]
    assert tested.keys() >= bounds(core).keys()
    assert tested.keys() - allowed.keys() == {"pyparsing"}
    for name, version in tested.items():
        if name not in allowed:
            continue
        assert re.fullmatch(re.escape(allowed[name]) + r"(\.0)*", version), f"{name}: {allowed[name]} is allowed"


def test_no_dependency_has_an_upper_cap():
    """A cap would need a reason beside it, and a test; there is none."""
    assert not re.search(r'"[\w-]+[^"]*(<|==|~=)[^"]*"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_it_trains_and_draws_without_a_display():
    status, _, err = run("train", *SMALL, "--backend", "numpy", "--out", "run", drop=("DISPLAY", "WAYLAND_DISPLAY"))
    assert (status, err) == (0, b"")
    assert Path("run", "history.png").stat().st_size > 10_000


def test_every_command_answers_on_a_terminal_that_knows_no_utf_8():
    assert run("train", *SMALL, "--backend", "numpy", "--out", "Zo\u00eb", **PLAIN)[0] == 0
    os.rename("Zo\u00eb", "run")
    from PIL import Image

    from minicnn.data import MNIST

    Image.fromarray(MNIST().images[0]).save("fünf.png")
    commands = [
        ("train", "--resume", "run", "--epochs", "2"),
        ("predict", "run", "fünf.png"),
        ("evaluate", "run", "--csv", "fünf.csv"),
        ("convert", "run", "fünf.safetensors"),
        ("onnx", "run", "fünf.onnx"),
        ("summary",),
    ]
    pytest.importorskip("onnx", reason="pip install 'minicnn[onnx]'")
    for command in commands:
        status, out, err = run(*command, **PLAIN)
        assert (status, err) == (0, b""), command
        out.decode("ascii")
    status, _, err = run("predict", "run", "nicht-dä.png", **PLAIN)
    assert status == 1
    assert b"nicht-d" in err.decode("ascii").encode()


@pytest.mark.parametrize("layer", ["workqueue", "tbb"])
def test_numbas_own_threads_are_not_needed(layer):
    """The kernels run on plain Python threads: whatever layer Numba is told to take, or
    lacks, it trains to the same bits.
    """
    assert run("train", *SMALL, "--no-plots", "--out", "plain", "--quiet")[0] == 0
    flags = [*SMALL, "--no-plots", "--out", "run", "--quiet"]
    status, _, err = run("train", *flags, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="1")
    assert (status, err) == (0, b"")
    weights = [Path(folder, "model.safetensors").read_bytes() for folder in ("plain", "run")]
    assert weights[0] == weights[1]


def test_nothing_of_numbas_parallel_machinery_is_used():
    for path in (ROOT / "minicnn").rglob("*.py"):
        numbas = r"parallel=True|prange\(|import .*prange|from numba import .*set_num_threads"
        assert not re.search(numbas, path.read_text("utf-8")), path
