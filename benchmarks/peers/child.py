"""One peer in a process of its own: judged, asked the cases, timed; a JSON document on stdout.

python -m benchmarks.peers.child JAX judge     (or: time, or a number of configurations)
"""

import contextlib
import importlib
import importlib.metadata
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from minicnn.agree import questions
from minicnn.agree.of import KEPT, Report, judge
from minicnn.agree.subject import OPERATIONS, OPTIONS, Subject, load
from minicnn.agree.variants import likely
from minicnn.agree.verdicts import Fault, probe

from ..measure import Plan, middle, ratios, take_turns
from ..task import Task
from ..work import EAGER, Step
from . import alarms
from .adapters import torch_
from .cases import CASES, answer

PEERS = {  # name -> (adapter, what stands in the environment before it is imported)
    "JAX": ("jax_", {}),
    "Keras on JAX": ("keras_", {"KERAS_BACKEND": "jax"}),
    "Keras on TensorFlow": ("keras_", {"KERAS_BACKEND": "tensorflow"}),
    "tinygrad": ("tinygrad_", {}),
    "MyGrad": ("mygrad_", {}),
    "DeZero": ("dezero_", {}),
    "PyDyNet": ("pydynet_", {}),
    "miniGrad": ("minigrad_", {}),
    "ONNX Runtime": ("onnxruntime_", {}),
    "OpenVINO": ("openvino_", {}),
    "OpenCV": ("opencv_", {}),
}
EXAMPLES = 6  # configurations for each row of the table
TRIES = 40  # further ones to make the first fault smaller
SHOWN = 12  # numbers of an array that a note shows


def adapter_of(name: str) -> ModuleType:
    """Raises ImportError where the library is not installed."""
    return importlib.import_module(f"{__package__}.adapters.{PEERS[name][0]}")


def versions(adapter: ModuleType) -> list[str]:
    return [f"{name} {importlib.metadata.version(name)}" for name in adapter.PACKAGES]


def judged(subject: Subject, adapter: ModuleType, examples: int = EXAMPLES) -> Iterator[dict[str, Any]]:
    """For each operation, without options and then with each of them alone: a row for the
    output and one for the gradients.
    """
    for operation in OPERATIONS:
        if operation not in subject.operations:
            continue
        offer = probe(subject, operation)
        always = {"bias"} if needs_bias(adapter, operation) else set()
        plain = set(offer.options) - set(OPTIONS.get(operation, ())) | always
        plain |= {"lr", "betas", "beta1", "beta2", "eps", "momentum_buffer"} & offer.options
        for option in ("", *(o for o in OPTIONS.get(operation, ()) if o in offer.options - plain)):
            wanted = frozenset(plain | {option} - {""})
            asked = questions.Offer(
                wanted, offer.pairs & wanted, hasattr(adapter, "FLOAT32"), hasattr(adapter, "SQUARE")
            )
            report = judge(subject, operation, examples, 0, questions.torchs, offer=asked, tries=TRIES)
            for result in ("output", "gradient"):
                part = operation if result == "output" else f"{operation}_backward"
                if part not in subject.parts:
                    continue
                mine = {name: found for name, found in report.faults.items() if belongs(name, operation, result)}
                yield {
                    "operation": operation,
                    "argument": option,
                    "result": result,
                    "kinds": sorted({fault.kind for found in mine.values() for fault in found}),
                    "notes": list(notes(report, mine)),
                }


def needs_bias(adapter: ModuleType, operation: str) -> bool:
    import inspect

    parameters = inspect.signature(getattr(adapter, operation)).parameters if hasattr(adapter, operation) else {}
    return "bias" in parameters and parameters["bias"].default is inspect.Parameter.empty


def belongs(name: str, operation: str, result: str) -> bool:
    """What raised has the operation's name: it is told with the output."""
    return (result == "gradient") == name.startswith("grad_")


def notes(report: Report, mine: dict[str, list[Fault]]) -> Iterator[tuple[str, str]]:
    """(kind, note) for each result and each kind of fault in it; the first kind was made
    smaller.
    """
    for name, found in mine.items():
        smallest = report.smallest[name]
        for kind in dict.fromkeys([smallest.kind, *(fault.kind for fault in found)]):
            same = [fault for fault in found if fault.kind == kind]
            one = smallest if kind == smallest.kind else min(same, key=size)
            yield f"{name} {kind}", note(one, len(same), report.tried, likely(same[:KEPT]))


def size(fault: Fault) -> int:
    return sum(array.size for array in fault.question.arrays.values())


def note(fault: Fault, wrong: int, tried: int, mistake: str | None) -> str:
    """One sentence with a small case, its numbers where they are few."""
    q = fault.question
    arrays = {name: array for name, array in q.arrays.items() if name != "grad_output" or "grad" in fault.result}
    given = [f"{name} {numbers(array)}" for name, array in arrays.items()]
    given += [f"{name}={value}" for name, value in q.options.items()]
    text = f"{fault.result}: {fault.text.splitlines()[0]} ({wrong} of {tried}). {', '.join(given)}, {q.dtype}"
    if fault.got is not None and fault.right is not None:
        text += f": {numbers(fault.got)} where torch has {numbers(fault.right)}"
    return text + (f". As if: {mistake}" if mistake else "")


def numbers(array: np.ndarray) -> str:
    if array.size > SHOWN:
        return f"of shape {array.shape}"
    text = np.array2string(array, formatter={"all": lambda x: f"{x:.7g}"}, separator=" ", max_line_width=10_000)
    return " ".join(text.split())


def cases(adapter: ModuleType) -> dict[str, str]:
    answers = {case.title: answer(case, adapter) for case in CASES}
    return {title: text for title, text in answers.items() if text is not None}


def timed(adapter: ModuleType, plan: Plan) -> dict[str, Any] | None:
    """A training step of the course's network with 64 images beside torch eager's. The
    first losses must be torch's to a thousandth.
    """
    if not hasattr(adapter, "step"):
        return None
    from ..theirs import Torch

    work = Step(64)
    eager = Torch().task(work)
    run = adapter.step(work)
    started = time.perf_counter()
    losses = [float(np.asarray(run()))]
    first = time.perf_counter() - started
    for _ in range(3):
        losses.append(float(np.asarray(run())))
    right = []
    for _ in losses:
        eager.run()
        right.append(float(eager.results()["loss"]))
    if not np.allclose(losses, right, rtol=1e-3):
        return {
            "refused": f"its losses are {losses[0]:.4g} and {losses[-1]:.4g}, torch's {right[0]:.4g}, {right[-1]:.4g}"
        }
    tasks = {EAGER: eager, "peer": Task((run,), dict)}
    rounds = take_turns(tasks, plan)
    samples = {name: [s for turns in rounds for s in turns.get(name, [])] for name in tasks}
    ratio, low, high = middle(ratios(rounds, "peer", EAGER))
    return {
        "ms": 1e3 * statistics.median(samples["peer"]),
        "torch_ms": 1e3 * statistics.median(samples[EAGER]),
        "ratio": [ratio, low, high],
        "first_s": first,
    }


def main(name: str, what: str) -> None:
    with contextlib.redirect_stdout(sys.stderr):  # libraries greet
        adapter = adapter_of(name)
        document: dict[str, Any] = {"versions": versions(adapter)}
        if what == "time":
            document["step"] = timed(adapter, Plan(rounds=5, total=2.0))
        elif what.isdecimal():
            subject = load(adapter.__name__)
            right = alarms.right_operations(judged(subject, adapter))
            document["alarms"] = list(alarms.asked(subject, adapter, right, int(what), notes))
        else:
            subject = load(adapter.__name__)
            document["rows"] = list(judged(subject, adapter))
            document["cases"] = cases(adapter)
            document["torch"] = cases(torch_)
    print(json.dumps(document))


if __name__ == "__main__":
    sys.modules["triton"] = None  # type: ignore[assignment]  # its LLVM and TensorFlow's crash in one process
    os.environ.update(PEERS[sys.argv[1]][1])
    main(sys.argv[1], sys.argv[2])
