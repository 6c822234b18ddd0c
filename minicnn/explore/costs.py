"""Where the parameters and the time are: counted from the layers, and measured on this
machine when asked.
"""

import threading
import time
from typing import Any

import numpy as np

from .. import kernels
from ..kernels.threads import cores, get_num_threads, set_num_threads
from ..models import SimpleCNN
from ..summary import summary
from . import ask
from .ask import Refused
from .network import layers as layers_of
from .open_run import RunFolder
from .say import say

BUDGET = 3.0  # seconds of measuring
_busy = threading.Lock()


def _model(run: RunFolder | None) -> Any:
    """A network of the run's kind with weights of its own, so that nobody waits for it;
    without a run SimpleCNN.
    """
    return SimpleCNN() if run is None else run.rebuild()[1]


def answer(run: RunFolder | None) -> dict[str, Any]:
    """GET /api/costs."""
    model = _model(run)
    found = summary(model, model.input_shape)
    names = dict(layers_of(model))
    total = {name: getattr(found, name) for name in ("parameters", "multiply_adds", "kept_bytes")}
    layers = [
        row._asdict()
        | {"layer": repr(names[row.name])}
        | {f"share_{name}": (getattr(row, name) or 0) / total[name] for name in total}
        for row in found.rows
    ]
    return {
        "network": type(model).__name__,
        "layers": layers,
        "total": total,
        "cores": cores(),
        "backends": list(kernels.SETS),
    }


def timing(run: RunFolder | None, body: Any) -> dict[str, Any]:
    """POST /api/costs/time: the median seconds of each layer, forward and backward, on
    one batch.
    """
    batch = ask.integer(body, "batch", 1, 256)
    backend = ask.choice(body, "backend", tuple(kernels.SETS))
    threads = ask.integer(body, "threads", 1, cores())
    if not _busy.acquire(blocking=False):
        raise Refused(say("costs.busy"), 409)
    before = get_num_threads()
    set_num_threads(threads)
    try:
        with kernels.use_backend(backend):
            rounds = _measure(_model(run), batch)
    except ImportError as error:
        raise Refused(str(error), 422) from error
    finally:
        set_num_threads(before)
        _busy.release()
    median = np.median(rounds, axis=0)  # (layers, 2)
    names = [name for name, _ in layers_of(_model(run))]
    return {
        "batch": batch,
        "backend": backend,
        "rounds": len(rounds),
        "threads": threads,
        "layers": [
            {"name": name, "forward": forward, "backward": backward}
            for name, (forward, backward) in zip(names, median, strict=True)
        ],
        "total": {"forward": median[:, 0].sum(), "backward": median[:, 1].sum()},
    }


def _measure(model: Any, batch: int) -> list[np.ndarray]:
    """One array (layers, 2) of seconds for each round; the first round warms up (and
    compiles) and does not count.
    """
    layers = [layer for _, layer in layers_of(model)]
    generator = np.random.default_rng(0)
    images = generator.random((batch, *model.input_shape), np.float32)
    rounds: list[np.ndarray] = []
    started = None
    while started is None or len(rounds) < 3 or (len(rounds) < 15 and time.perf_counter() - started < BUDGET):
        seconds = np.zeros((len(layers), 2))
        x = images
        for place, layer in enumerate(layers):
            before = time.perf_counter()
            x = layer(x)
            seconds[place, 0] = time.perf_counter() - before
        grad = generator.standard_normal(x.shape, np.float32) / batch
        for place, layer in reversed(list(enumerate(layers))):
            before = time.perf_counter()
            grad = layer.backward(grad)
            seconds[place, 1] = time.perf_counter() - before
        model.zero_grad()
        if started is None:
            started = time.perf_counter()
        else:
            rounds.append(seconds)
    return rounds
