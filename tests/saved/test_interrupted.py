"""An exception at every line of what writes the run folder: each file is the old one or the
new one, and whole.
"""

import numpy as np
import pytest

import minicnn
from minicnn import nn, optim
from minicnn.saved import checkpoints
from minicnn.saved.run_folder import Metrics, Run
from minicnn.saved.weights import load_weights
from tests.support.commands import metrics
from tests.support.interruption import interrupted

FILES = tuple(f"minicnn/saved/{name}.py" for name in ("run_folder", "files", "checkpoints", "weights"))
CONFIG = {"task": "digits"}


class Small(nn.Module):
    def __init__(self):
        self.layer = nn.Linear(2, 3)


def state(model):
    return {name: array.copy() for name, array in model.state_dict().items()}


def learn(model, optimizer, seed):
    for parameter in model.parameters():
        parameter.grad = np.random.default_rng(seed).standard_normal(parameter.shape).astype(np.float32)
    optimizer.step()
    return state(model)


def same(found, expected):
    return all(np.array_equal(found[name], expected[name]) for name in expected)


def finish_second_epoch(folder, line):
    """Whether there was such a line, and the weights after each of the two epochs."""
    minicnn.manual_seed(0)
    model = Small()
    optimizer = optim.Adam(model.parameters())
    run = Run(folder, "run", CONFIG)
    filters = np.zeros((1, 1, 2, 2), np.float32)
    weights = [learn(model, optimizer, 1)]
    run.finish_epoch(Metrics(1, *[0.5] * 5), model, optimizer, filters)
    weights.append(learn(model, optimizer, 2))
    second = Metrics(2, *[0.25] * 5)
    there = interrupted(lambda: run.finish_epoch(second, model, optimizer, filters + 1), FILES, line)
    run.lock.release()
    return there, weights


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a file that the exception left open
@pytest.mark.parametrize("start", range(8))
def test_the_folder_is_whole_whatever_line_an_exception_hits(tmp_path, start):
    line = start + 1
    there = True
    while there:
        folder = tmp_path / f"line{line}"
        there, weights = finish_second_epoch(folder, line)

        kept = checkpoints.load(folder / "checkpoint.safetensors")
        epochs = len(kept.history)
        assert epochs in (1, 2)
        assert epochs == 2 or there, "nothing went wrong, and yet an epoch is missing"
        model = Small()
        optimizer = optim.Adam(model.parameters())
        kept.restore(model, optimizer)
        assert same(model.state_dict(), weights[epochs - 1])

        shown = load_weights(folder / "model.safetensors")
        assert same(shown, weights[0]) or same(shown, weights[1])
        assert len(metrics(folder)) in (1, 2)

        run = Run.reopen(folder, CONFIG, kept.history)  # what --resume does
        run.show(model)
        run.lock.release()
        assert not list(folder.glob("*.unfinished"))
        assert same(load_weights(folder / "model.safetensors"), weights[epochs - 1])
        assert len(metrics(folder)) == epochs
        assert sorted(run.filters) == [f"epoch-{epoch:03d}" for epoch in range(1, epochs + 1)]
        line += 8
    assert line > 40, "the lines that write were not traced"
