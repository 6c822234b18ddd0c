"""`python -m benchmarks.denormals`: does a training step take longer where numbers are
denormal, smaller than any normal one?

Processors may handle each of them in software, a hundred times as slowly. Here they are
put where training could meet them: in the images, in the weights, and in the gradients,
in their averages in Adam (1e-40) and in those of their squares (1e-18).
"""

import statistics
import sys
from collections.abc import Callable

import numpy as np

from minicnn.kernels.threads import cores
from minicnn.models import SimpleCNN
from minicnn.nn import CrossEntropyLoss
from minicnn.optim import Adam

from . import machine, work
from .measure import Plan, ratios, take_turns
from .ours import Minicnn
from .task import Task

USUAL = "usual numbers"
BAR = 2.0
BACKENDS = ("numba", "numpy")


def step(pixels: float = 1.0, weights: float = 1.0, gradients: float = 1.0) -> tuple[SimpleCNN, Callable[[], None]]:
    """SimpleCNN and a training step whose images, weights or gradients are so many
    times as large as usual.
    """
    one = work.Step(64, ())
    images, labels = one.data()
    images, scale = images * np.float32(pixels), np.float32(gradients)
    model, criterion = SimpleCNN(), CrossEntropyLoss()
    model.load_state_dict(one.weights())
    for parameter in model.parameters():
        parameter.data *= np.float32(weights)
    optimizer = Adam(model.parameters(), lr=one.lr if weights == 1 else 0.0)  # they stay as small as they are

    def run() -> None:
        optimizer.zero_grad()
        criterion(model(images), labels)
        model.backward(criterion.backward(scale))
        optimizer.step()

    return model, run


def main() -> int:
    cases = {
        USUAL: step(),
        "denormal images": step(pixels=1e-40),
        "denormal weights": step(weights=1e-39),
        "denormal gradients": step(gradients=1e-37),
        "denormal averages": step(gradients=1e-39),
        "denormal squares": step(gradients=1e-17),
    }
    print(f"A training step beside one of {USUAL}; at most {BAR} times as long.\n")
    worst = 0.0
    for backend in BACKENDS:
        inside = Minicnn(backend).inside
        for threads in sorted({1, cores()}):
            machine.set_threads(threads)
            rounds = take_turns(
                {name: Task((run,), dict, inside=inside) for name, (_, run) in cases.items()}, Plan(total=2.0)
            )
            for name in cases:
                median = statistics.median(ratios(rounds, name, USUAL))
                worst = max(worst, median)
                print(f"{backend:8}{threads} thread{'s' * (threads > 1):3}{name:22}{median:6.2f}", flush=True)
    print(f"\nThe largest ratio is {worst:.2f}: {'met' if worst <= BAR else 'MISSED'}.")
    return int(worst > BAR)


if __name__ == "__main__":
    sys.exit(main())
