"""Puts a question to a subject and compares its answers with the right ones, number by
number.
"""

from typing import Any, NamedTuple

import numpy as np

import minicnn
from minicnn.nn import functional as F

from .choices import Choices
from .classes import GRADS
from .questions import Offer, Question, allowed, draw, textbook
from .subject import GIVES, Raised, Subject, call

NAMES = {"grad_input": ("dx", "dX"), **GRADS}


class Fault(NamedTuple):
    """One wrong result of one question."""

    question: Question
    result: str  # output, grad_input ..., or what raised
    kind: str  # values, shape, dtype, raised, kept, modified
    text: str  # a sentence about it
    got: np.ndarray | None = None
    right: np.ndarray | None = None
    allowed: np.ndarray | None = None


def probe(subject: Subject, operation: str) -> Offer:
    """What the functions of an operation take both; a pair of numbers is tried where
    one number is taken.
    """
    parts = [subject.parts[name] for name in (operation, f"{operation}_backward") if name in subject.parts]
    options = frozenset.intersection(*(frozenset(part.names) for part in parts))
    if operation in subject.parts and "bias" in subject.parts[operation].names:
        options |= {"bias"}
    windows = [name for name in ("stride", "padding", "dilation", "kernel_size", "output_padding") if name in options]
    pairs = set()
    for name in windows:
        q = draw(operation, Choices(made=[0] * 60), 0, Offer(options, frozenset()))
        if name not in q.options:
            continue
        q.options[name] = (q.options[name],) * 2
        try:
            answers(subject, q)
        except Raised:
            continue
        pairs.add(name)
    words = set()
    if operation == "conv2d" and "padding" in options:
        q = draw(operation, Choices(made=[0] * 60), 0, Offer(options, frozenset()))
        try:
            for word in ("valid", "same"):
                answers(subject, q._replace(options=q.options | {"padding": word}))
            words.add("padding")
        except Raised:
            pass
    return Offer(options, frozenset(pairs), words=frozenset(words))


def answers(subject: Subject, q: Question) -> dict[str, Any]:
    """{result: what the subject returned}. Raises Raised."""
    if q.operation in ("adam", "sgd"):
        return _steps(subject, q)
    values: dict[str, Any] = {**q.arrays, **q.options}
    found: dict[str, Any] = {}
    if q.operation in subject.parts:
        found["output"] = call(subject, q.operation, values)
    backward = f"{q.operation}_backward"
    if backward in subject.parts:
        if q.operation in ("relu", "sigmoid", "tanh"):
            values["output"] = textbook(q)["output"].astype(q.dtype)
        if subject.parts[backward].offers("indices"):
            with minicnn.use_backend("numpy"):
                _, values["indices"] = F.max_pool2d(q.arrays["input"], return_indices=True, **q.options)
            values["input_shape"] = q.arrays["input"].shape
        grads = call(subject, backward, values)
        names = GIVES.get(q.operation, ("grad_input",))
        if isinstance(grads, (tuple, list)):
            found |= dict(zip(names, grads, strict=False))
        elif isinstance(grads, np.ndarray) or not (there := _by_name(grads, names)):
            found[names[0]] = grads
        else:
            found |= there
    return found


def _by_name(grads: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The gradients of a dictionary, or those that are attributes."""
    held = grads if isinstance(grads, dict) else getattr(grads, "__dict__", {})
    return {name: held[key] for name in names for key in (name, *NAMES[name]) if key in held}


def _steps(subject: Subject, q: Question) -> dict[str, Any]:
    """The parameter after all steps; what an optimiser returns goes into the next step,
    None keeps what is there.
    """
    param = q.arrays["param"].copy()
    kept = {name: np.zeros_like(param) for name in ("exp_avg", "exp_avg_sq", "momentum_buffer")}
    betas = q.options.get("betas", (0.0, 0.0))
    values = {"param": param, **kept, **q.options, "beta1": betas[0], "beta2": betas[1]}
    names = GIVES[q.operation]
    for t, (grad, lr) in enumerate(zip(q.arrays["grads"], q.rates, strict=True), 1):
        given = call(subject, q.operation, values | {"grad": grad.copy(), "step": t, "lr": lr})
        if isinstance(given, (tuple, list)):
            values |= dict(zip(names, given, strict=False))
        elif given is not None:
            values["param"] = given
    return {"param": values["param"]}


def faults(subject: Subject, q: Question, judge=textbook) -> list[Fault]:
    """All that is wrong with the subject's answers to one question; none of it is right."""
    before = {name: a.tobytes() for name, a in q.arrays.items()}
    try:
        found = answers(subject, q)
        changed = [name for name, a in q.arrays.items() if a.tobytes() != before[name]]
        for name in changed:  # so that what follows is compared with what was asked
            old = np.frombuffer(before[name], q.arrays[name].dtype).reshape(q.arrays[name].shape)
            q.arrays[name][...] = old
        again = found if changed else answers(subject, q)
    except Raised as error:
        return [Fault(q, q.operation, "raised", f"it raises {error}")]
    made = [Fault(q, name, "modified", f"it writes into {name}, which belongs to the caller") for name in changed]
    for name in changed:
        q.arrays[name][...] = np.frombuffer(before[name], q.arrays[name].dtype).reshape(q.arrays[name].shape)
    right = judge(q)
    bounds = allowed(q, right)
    for name, value in found.items():
        if name not in right:
            continue
        if name not in bounds:  # the gradient of a bias that is not there
            bounds[name] = np.full(right[name].shape, np.inf)
            continue
        fault = _compare(q, name, value, right[name], bounds[name])
        if fault is None and again is not found:
            second = _compare(q, name, again[name], right[name], bounds[name])
            fault = second and second._replace(kind="kept", text="the same call gives something else the second time")
        if fault:
            made.append(fault)
    return made


def _compare(q: Question, name: str, value: Any, right: np.ndarray, bound: Any) -> Fault | None:
    if value is None:
        return Fault(q, name, "shape", "it returns None: is a return missing?", None, right)
    try:
        got = np.asarray(value)
        wrong_type = got.dtype.kind not in "fiub"
    except Exception:  # noqa: BLE001 - lists of unequal length, foreign objects
        wrong_type = True
    if wrong_type:
        return Fault(q, name, "shape", f"it returns {type(value).__name__}, not an array of numbers", None, right)
    if got.shape != right.shape:
        text = f"it has the shape {got.shape}, and {right.shape} is right"
        return Fault(q, name, "shape", text, got, right, bound)
    bound = np.broadcast_to(bound, right.shape)
    with np.errstate(all="ignore"):
        error = np.abs(got.astype(np.float64) - right)
        fine = (error <= bound) | (got == right) | (np.isnan(got) & np.isnan(right))
    if not fine.all():
        text = f"{(~fine).sum()} of {fine.size} numbers are wrong" if fine.size > 1 else "the number is wrong"
        return Fault(q, name, "values", text, got, right, bound)
    if got.ndim and got.dtype != q.dtype:
        return Fault(q, name, "dtype", f"it is {got.dtype} where the input is {q.dtype}", got, right, bound)
    return None
