"""A fault as a reader can check it by hand: the arrays as grids, the wrong cells
marked, the sum behind one of them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from minicnn import geometry

from .questions import Question, textbook
from .subject import Subject
from .verdicts import Fault

SHOWN = 6  # rows, columns and planes of an array; a larger one is cut


def counterexample(fault: Fault, subject: Subject) -> str:
    """The whole text about one fault: the configuration, the grids, one sum, a program
    to paste.
    """
    q = fault.question
    shapes = ", ".join(f"{name} {a.shape}" for name, a in q.arrays.items() if a.ndim)
    options = ", ".join(f"{name}={value}" for name, value in q.options.items())
    lines = [f"{q.operation}({', '.join(filter(None, [shapes, options]))}) in {q.dtype}: {fault.result}: {fault.text}."]
    if fault.kind in ("values", "shape"):
        for name, array in q.arrays.items():
            lines += ["", *grid(name, array)]
        lines += ["", *grid(f"{fault.result} that is right", fault.right)]
        if fault.got is not None:
            lines += ["", *grid(f"{fault.result} of {subject.title}", fault.got, wrong(fault))]
        cell = next(iter(np.argwhere(wrong(fault))), None) if fault.got is not None else None
        if cell is not None:
            lines += ["", behind(fault, tuple(int(i) for i in cell))]
    return "\n".join([*lines, "", "To try it:", "", program(fault, subject)])


def wrong(fault: Fault) -> np.ndarray:
    """Which numbers are wrong; none where the shapes differ."""
    if fault.got is None or fault.right is None or fault.got.shape != fault.right.shape:
        return np.zeros(() if fault.got is None else fault.got.shape, bool)
    with np.errstate(all="ignore"):
        near = np.abs(fault.got.astype(np.float64) - fault.right) <= fault.allowed
    return ~(near | (fault.got == fault.right) | (np.isnan(fault.got) & np.isnan(fault.right)))


def grid(title: str, array: Any, marked: np.ndarray | None = None) -> list[str]:
    """Each plane as rows of numbers; the marked ones stand between > and <."""
    array = np.asarray(array)
    if not array.ndim:
        return [f"{title} = {array:.6g}"]
    marked = np.zeros(array.shape, bool) if marked is None else marked
    *leading, columns = array.shape
    *planes, rows = leading or [1]
    flat = array.reshape(*planes, rows, columns)
    marks = marked.reshape(flat.shape)
    lines = []
    for n, place in enumerate(np.ndindex(*planes)):
        if n == SHOWN:
            lines.append(f"... {int(np.prod(planes)) - SHOWN} more planes")
            break
        lines.append(f"{title}{list(place) if place else ''}:")
        texts = [
            [f">{value:.5g}<" if mark else f" {value:.5g} " for value, mark in zip(row, marks_, strict=True)][
                : 2 * SHOWN
            ]
            for row, marks_ in zip(flat[place][: 2 * SHOWN], marks[place], strict=False)
        ]
        wide = max((len(text) for row in texts for text in row), default=0)
        lines += ["  " + " ".join(f"{text:>{wide}}" for text in row) for row in texts]
    return lines


def behind(fault: Fault, cell: tuple[int, ...]) -> str:
    """Where one right number comes from, term by term."""
    q, right = fault.question, fault.right
    got = fault.got[cell] if fault.got is not None else None
    place = f"{fault.result}{list(cell) if cell else ''}"
    terms = list(_terms(q, fault.result, cell))
    if not terms or right is None:
        value = right[cell] if right is not None else None
        return f"{place} must be {value:.6g}, and is {got:.6g}."
    sign = " + " if q.operation != "max_pool2d" or fault.result != "output" else ", "
    text = sign.join(terms[:12]) + (f"{sign}... ({len(terms) - 12} more)" if len(terms) > 12 else "")
    if sign == ", ":
        text = f"max({text})"
    return f"{place} = {text} = {right[cell]:.6g}, and is {got:.6g}."


def _terms(q: Question, result: str, cell: tuple[int, ...]) -> Iterator[str]:
    """The products of a sum, or what a maximum is taken of, with their numbers."""
    a = q.arrays
    if q.operation == "linear":
        (x, w, grad) = a["input"], a["weight"], a["grad_output"]
        if result == "output":
            yield from (f"{x[cell[0], i]:.4g}*{w[cell[1], i]:.4g}" for i in range(x.shape[1]))
            yield from ([f"{a['bias'][cell[1]]:.4g}"] if "bias" in a else [])
        elif result == "grad_input":
            yield from (f"{grad[cell[0], o]:.4g}*{w[o, cell[1]]:.4g}" for o in range(len(w)))
        elif result == "grad_weight":
            yield from (f"{grad[n, cell[0]]:.4g}*{x[n, cell[1]]:.4g}" for n in range(len(x)))
        else:
            yield from (f"{grad[n, cell[0]]:.4g}" for n in range(len(x)))
    elif q.operation == "max_pool2d" and result == "output":
        g = geometry.max_pool2d(a["input"].shape, **q.options)
        n, c, i, j = cell
        for kh, kw in np.ndindex(g.KH, g.KW):
            h, w = i * g.SH - g.PH + kh * g.DH, j * g.SW - g.PW + kw * g.DW
            if 0 <= h < g.H and 0 <= w < g.W:
                yield f"{a['input'][n, c, h, w]:.4g}"
    elif q.operation == "conv2d":
        yield from _products(q, result, cell)


def _products(q: Question, result: str, cell: tuple[int, ...]) -> Iterator[str]:
    """Every product is a triple of places (input, weight, output); a result sums those
    that meet its cell.
    """
    x, weight, grad = q.arrays["input"], q.arrays["weight"], q.arrays["grad_output"]
    g = geometry.conv2d(x.shape, weight.shape, **q.options)
    if result == "grad_bias":
        yield from (f"{value:.4g}" for value in grad[:, cell[0]].ravel())
        return
    for n, o, i, j, c, kh, kw in np.ndindex(g.N, g.O, g.OH, g.OW, g.C // g.G, g.KH, g.KW):
        h, w = i * g.SH - g.PH + kh * g.DH, j * g.SW - g.PW + kw * g.DW
        if not (0 <= h < g.H and 0 <= w < g.W):
            continue
        seen, tap, made = (n, o // (g.O // g.G) * (g.C // g.G) + c, h, w), (o, c, kh, kw), (n, o, i, j)
        factors = {"output": (made, x[seen], weight[tap]), "grad_input": (seen, grad[made], weight[tap])}
        factors["grad_weight"] = (tap, grad[made], x[seen])
        where, first, second = factors[result]
        if where == cell:
            yield f"{first:.4g}*{second:.4g}"
    if result == "output" and "bias" in q.arrays:
        yield f"{q.arrays['bias'][cell[1]]:.4g}"


def program(fault: Fault, subject: Subject) -> str:
    """A program that calls the function with these numbers."""
    q = fault.question
    lines = ["import numpy as np"]
    module = subject.title
    if module.endswith(".py"):
        lines += ["import sys", f"sys.path.insert(0, {str(Path(subject.path).parent)!r})"]
        module = Path(subject.path).stem
    lines += [f"import importlib; theirs = importlib.import_module({module!r})"]
    for name, a in q.arrays.items():
        if a.size > 200:
            lines.append(f"# {name}: {a.shape}, too large to print")
        lines.append(
            f"{name} = np.array({a.tolist() if a.size <= 200 else '...'}, {str(a.dtype)!r}).reshape({a.shape})"
        )
    name = q.operation + ("_backward" if fault.result.startswith("grad") else "")
    part = subject.parts.get(name)
    if q.operation in ("adam", "sgd") or part is None:
        return "\n".join([*lines, f"# call theirs.{name} with these arrays, step by step: {q.options}"])
    layer = getattr(part.function, "of_class", None)
    if layer is not None:
        text = f"# make a theirs.{layer} with {q.options}, put these arrays in, call it; then backward(grad_output)"
        return "\n".join([*lines, text])
    if "output" in part.names:
        lines.append(f"output = np.array({textbook(q)['output'].tolist()}, {str(q.dtype)!r})")
    arrays = {own: known for known, own in part.names.items() if known in q.arrays or known == "output"}
    options = {own: repr(q.options[known]) for known, own in part.names.items() if known in q.options}
    given = ", ".join(f"{own}={value}" for own, value in (arrays | options).items())
    return "\n".join([*lines, f"print(theirs.{name}({given}))"])
