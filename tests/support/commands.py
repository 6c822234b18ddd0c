"""How the tests start a command, and read what it leaves or says."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.numpy import load_file

import minicnn

ROOT = str(Path(minicnn.__file__).parents[1])
SMALL = ["--epochs", "1", "--train-size", "72", "--val-size", "24", "--backend", "numpy"]
USAGE = {
    "minicnn.train": "[options]",
    "minicnn.predict": "RUN image [image ...] [options]",
    "minicnn.evaluate": "RUN [options]",
}


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """Each test runs in an empty folder."""
    monkeypatch.chdir(tmp_path)


def rows(folder):
    """The table of metrics as it is written."""
    with Path(folder, "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def metrics(folder):
    """The same in numbers."""
    return [{name: float(value) for name, value in row.items()} for row in rows(folder)]


def losses(folder):
    return [(row["train_loss"], row["val_loss"]) for row in metrics(folder)]


def config(folder):
    return json.loads(Path(folder, "config.json").read_text(encoding="utf-8"))


def weights(folder):
    return load_file(Path(folder, "model.safetensors"))


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir() if path.name != ".lock")


def refused(capsys, command, *arguments):
    """The sentence with which a command refuses its arguments: status 2, and no run folder."""
    with pytest.raises(SystemExit) as stopped:
        command.main([str(argument) for argument in arguments])
    assert stopped.value.code == 2
    assert not Path("runs").exists()
    out, err = capsys.readouterr()
    usage, sentence = err.split("\n", 1)
    assert out == ""
    assert usage == f"usage: python -m {command.__name__} {USAGE[command.__name__]}"
    assert sentence.startswith(f"python -m {command.__name__}: error: ")
    return sentence.removeprefix(f"python -m {command.__name__}: error: ").removesuffix("\n")


def environment(**more):
    """Of a process that finds minicnn here, and leaves the cores to the tests beside it."""
    return {**os.environ, "PYTHONPATH": ROOT, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **more}


def start(*flags, env=(), **settings):
    """A training in a process of its own."""
    command = [sys.executable, "-W", "error", "-m", "minicnn.train", *flags]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment(**dict(env)), **{**streams, **settings})
