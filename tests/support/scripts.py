"""Scripts in a Python process of their own: what forks, ends, or must begin with
nothing loaded.
"""

import inspect
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

import minicnn

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 60  # seconds; whoever takes longer hangs


def two_steps(model=None):
    """Logits, gradients and weights of two training steps of SimpleCNN; the model's
    weights are drawn anew.
    """
    rng, model, criterion = np.random.default_rng(0), model or minicnn.models.SimpleCNN(), minicnn.nn.CrossEntropyLoss()
    optimizer = minicnn.optim.Adam(model.parameters())
    for parameter in model.parameters():
        parameter.data[...] = rng.uniform(-0.1, 0.1, parameter.data.shape)
    results = []
    for _ in range(2):
        optimizer.zero_grad()
        results.append(model(rng.standard_normal((16, 1, 28, 28), np.float32)))
        criterion(results[-1], rng.integers(0, 10, 16))
        model.backward(criterion.backward())
        results += [parameter.grad.copy() for parameter in model.parameters()]
        optimizer.step()
    return [array.tobytes() for array in (*results, *(parameter.data for parameter in model.parameters()))]


def run(folder, script, root=ROOT, timeout=TIMEOUT, **environment):
    """What a Python process of its own prints when it runs the script; whoever hangs or
    fails fails the test.
    """
    file = folder / "script.py"
    prelude = "import multiprocessing, os, sys, threading\nimport numpy as np\nimport minicnn\n"
    file.write_text(f"{prelude}\n{inspect.getsource(two_steps)}\n{inspect.cleandoc(script)}\n", encoding="utf-8")
    return run_command([file], root, timeout, **environment)


def run_command(arguments, root=ROOT, timeout=TIMEOUT, **environment):
    environment = os.environ | {"PYTHONPATH": str(root)} | environment
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # its children too
        raise AssertionError(f"hangs; printed so far: {process.communicate()[0]}") from None
    assert process.returncode == 0, f"exit code {process.returncode}: {printed}"
    return printed
