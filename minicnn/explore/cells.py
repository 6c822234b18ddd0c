"""One number of the layer bench, written out: the terms that it is the sum of, what it
feeds, its gradient term by term.
"""

from typing import Any

import numpy as np

from . import ask, layer_bench
from .ask import Refused
from .say import say
from .wiring import blocks, central

GRIDS = ("input", "weight", "output")


def answer(body: Any) -> dict[str, Any]:
    """POST /api/bench/cell: a setting as for /api/bench, and which number of it."""
    b = layer_bench.make(layer_bench.read(body))
    grid = ask.choice(body, "grid", GRIDS)
    if grid == "weight" and b.pooling:
        raise Refused(say("bench.no_weight"))
    array = b.weight if grid == "weight" else b.x if grid == "input" else b.output
    place = ask.field(body, "cell")
    if not isinstance(place, list) or len(place) != array.ndim:
        raise Refused(say("ask.cell", count=array.ndim, grid=grid, shape=array.shape))
    cell = tuple(ask.integer({"cell": i}, "cell", 0, n - 1) for i, n in zip(place, array.shape, strict=True))
    kind = "pool" if b.pooling else "transposed" if b.transposed else "conv"
    result = EXPLAIN[kind, grid](b, *cell)
    return {"title": f"{grid}[{', '.join(map(str, cell))}]", "grid": grid, "cell": cell, "value": array[cell]} | result


def factor(name: str, value: Any, at: Any = None) -> dict[str, Any]:
    return {"name": name, "value": value, "at": at}


def term(*factors: dict[str, Any]) -> dict[str, Any]:
    with np.errstate(invalid="ignore", over="ignore"):
        return {"factors": factors, "product": np.prod([f["value"] for f in factors], dtype=type(factors[0]["value"]))}


def touching(b: layer_bench.Bench, row: int, column: int) -> list[tuple[int, int, int, int]]:
    """(kh, kw, i, j) of all taps of windows (i, j) that read this pixel of the plane,
    window by window.
    """
    taps = np.argwhere(b.wiring.source == row * b.g.W + column).tolist()
    return sorted(((kh, kw, i, j) for kh, kw, i, j in taps), key=lambda tap: (tap[2], tap[3], tap[0], tap[1]))


def gradient(
    b: layer_bench.Bench, grid: str, cell: tuple[int, ...], terms: list, kink: str = ""
) -> dict[str, Any] | None:
    """The terms and their sum as `backward` gives it, beside the central difference."""
    if b.grad_input is None:
        return None
    total = b.grad_input[cell] if grid == "input" else b.layer.weight.grad[cell]
    double = b.in_double()
    if grid == "input":
        numeric = central(double.loss, double.x, cell)
    else:

        def loss(weight: np.ndarray) -> float:
            double.layer.weight.data = weight
            return double.loss(double.x)

        weight = double.weight
        numeric = central(loss, weight, cell)
        double.layer.weight.data = weight
    return {"terms": terms, "total": total, "numeric": numeric, "kink": kink}


def unique(places: list) -> list:
    return [list(place) for place in dict.fromkeys(tuple(place) for place in places if place is not None)]


# -------------------------------------------------------------------------- convolution


def conv_output(b: layer_bench.Bench, o: int, i: int, j: int) -> dict[str, Any]:
    terms: list[dict[str, Any]] = []
    marks: dict[str, list] = {"input": [], "framed": [], "weight": []}
    for local, c in enumerate(blocks(b.g.G, b.g.C, b.g.O, o)):
        for kh, kw in np.ndindex(b.g.KH, b.g.KW):
            source, place = b.wiring.reads(kh, kw, i, j, b.g.W)
            at = None if source is None else [c, *source]
            terms.append(
                term(
                    factor("weight", b.weight[o, local, kh, kw], [o, local, kh, kw]),
                    factor("input", b.framed[(c, *place)], at),
                )
            )
            marks["input"].append(at)
            marks["framed"].append([c, *place])
            marks["weight"].append([o, local, kh, kw])
    bias = None if b.bias is None else b.bias[o]
    marks = {name: unique(places) for name, places in marks.items()}
    return {"sum": {"terms": terms, "bias": bias, "total": b.output[o, i, j]}, "marks": marks}


def conv_input(b: layer_bench.Bench, c: int, h: int, w: int) -> dict[str, Any]:
    inside = c % (b.g.C // b.g.G)
    terms, outputs, weights = [], [], []
    for o in blocks(b.g.G, b.g.O, b.g.C, c):
        for kh, kw, i, j in touching(b, h, w):
            terms.append(
                term(
                    factor("grad_output", b.grad_output[o, i, j], [o, i, j]),
                    factor("weight", b.weight[o, inside, kh, kw], [o, inside, kh, kw]),
                )
            )
            outputs.append([o, i, j])
            weights.append([o, inside, kh, kw])
    framed = [
        [c, *divmod(int(place), b.wiring.framed[1])] for place in b.wiring.place[b.wiring.source == h * b.g.W + w]
    ]
    return {
        "feeds": len(unique(outputs)),
        "marks": {"output": unique(outputs), "weight": unique(weights), "framed": unique(framed)},
        "gradient": gradient(b, "input", (c, h, w), terms),
    }


def conv_weight(b: layer_bench.Bench, o: int, local: int, kh: int, kw: int) -> dict[str, Any]:
    c = blocks(b.g.G, b.g.C, b.g.O, o)[local]
    terms, framed, inputs = [], [], []
    for i, j in np.ndindex(b.g.OH, b.g.OW):
        source, place = b.wiring.reads(kh, kw, i, j, b.g.W)
        at = None if source is None else [c, *source]
        terms.append(
            term(factor("grad_output", b.grad_output[o, i, j], [o, i, j]), factor("input", b.framed[(c, *place)], at))
        )
        framed.append([c, *place])
        inputs.append(at)
    outputs = [[o, i, j] for i, j in np.ndindex(b.g.OH, b.g.OW)]
    return {
        "feeds": len(outputs),
        "marks": {"output": outputs, "framed": unique(framed), "input": unique(inputs)},
        "gradient": gradient(b, "weight", (o, local, kh, kw), terms),
    }


# --------------------------------------------------------------------------------------------
# transposed convolution Its geometry is that of the convolution it transposes: what
# that one reads is the output here, its windows our inputs.


def transposed_output(b: layer_bench.Bench, o: int, h: int, w: int) -> dict[str, Any]:
    local = o % (b.g.C // b.g.G)
    terms, inputs, weights = [], [], []
    for c in blocks(b.g.G, b.g.O, b.g.C, o):
        for kh, kw, i, j in touching(b, h, w):
            terms.append(
                term(
                    factor("weight", b.weight[c, local, kh, kw], [c, local, kh, kw]),
                    factor("input", b.x[c, i, j], [c, i, j]),
                )
            )
            inputs.append([c, i, j])
            weights.append([c, local, kh, kw])
    PH, PW = b.setting.arguments["padding"]
    bias = None if b.bias is None else b.bias[o]
    return {
        "sum": {"terms": terms, "bias": bias, "total": b.output[o, h, w]},
        "marks": {"input": unique(inputs), "weight": unique(weights), "framed": [[o, h + PH, w + PW]]},
    }


def transposed_input(b: layer_bench.Bench, c: int, i: int, j: int) -> dict[str, Any]:
    terms, stamps, outputs, framed = [], [], [], []
    cropped = 0
    for local, o in enumerate(blocks(b.g.G, b.g.C, b.g.O, c)):
        for kh, kw in np.ndindex(b.g.KH, b.g.KW):
            place, canvas = b.wiring.reads(kh, kw, i, j, b.g.W)
            weight = factor("weight", b.weight[c, local, kh, kw], [c, local, kh, kw])
            framed.append([o, *canvas])
            if place is None:
                cropped += 1
                continue
            outputs.append([o, *place])
            stamps.append({"at": [o, *place]} | term(factor("input", b.x[c, i, j], [c, i, j]), weight))
            terms.append(term(factor("grad_output", b.grad_output[(o, *place)], [o, *place]), weight))
    weights = [[c, local, kh, kw] for local, kh, kw in np.ndindex(b.weight.shape[1:])]
    return {
        "feeds": len(unique(outputs)),
        "cropped": cropped,
        "stamps": stamps,
        "marks": {"output": unique(outputs), "framed": unique(framed), "weight": weights},
        "gradient": gradient(b, "input", (c, i, j), terms),
    }


def transposed_weight(b: layer_bench.Bench, c: int, local: int, kh: int, kw: int) -> dict[str, Any]:
    o = blocks(b.g.G, b.g.C, b.g.O, c)[local]
    terms, outputs, framed = [], [], []
    for i, j in np.ndindex(b.g.OH, b.g.OW):
        place, canvas = b.wiring.reads(kh, kw, i, j, b.g.W)
        framed.append([o, *canvas])
        if place is not None:
            outputs.append([o, *place])
            terms.append(
                term(
                    factor("grad_output", b.grad_output[(o, *place)], [o, *place]),
                    factor("input", b.x[c, i, j], [c, i, j]),
                )
            )
    inputs = [[c, i, j] for i, j in np.ndindex(b.g.OH, b.g.OW)]
    return {
        "feeds": len(outputs),
        "marks": {"output": outputs, "framed": framed, "input": inputs},
        "gradient": gradient(b, "weight", (c, local, kh, kw), terms),
    }


# ------------------------------------------------------------------------------ pooling


def candidates(b: layer_bench.Bench, c: int, i: int, j: int) -> list[dict[str, Any]]:
    """What lies under window (i, j), in the order in which it is looked at; the padding
    takes no part.
    """
    found = []
    for kh, kw in np.ndindex(b.g.KH, b.g.KW):
        source, place = b.wiring.reads(kh, kw, i, j, b.g.W)
        at = None if source is None else [c, *source]
        wins = source is not None and source[0] * b.g.W + source[1] == b.indices[c, i, j]
        found.append({"value": b.framed[(c, *place)], "at": at, "framed": [c, *place], "wins": wins})
    return found


def pool_output(b: layer_bench.Bench, c: int, i: int, j: int) -> dict[str, Any]:
    found = candidates(b, c, i, j)
    value = b.output[c, i, j]
    ties = sum(one["at"] is not None and bool(one["value"] == value) for one in found)
    marks = {"input": unique([one["at"] for one in found]), "framed": [one["framed"] for one in found]}
    return {
        "maximum": {
            "candidates": found,
            "winner": next(one["at"] for one in found if one["wins"]),
            "ties": ties,
            "total": value,
        },
        "marks": marks | {"winner": [one["at"] for one in found if one["wins"]]},
    }


def pool_input(b: layer_bench.Bench, c: int, h: int, w: int) -> dict[str, Any]:
    terms, outputs, won, kink = [], [], [], ""
    for i, j in unique([(i, j) for _, _, i, j in touching(b, h, w)]):
        found = candidates(b, c, i, j)
        me = next(one for one in found if one["at"] == [c, h, w])
        others = [one["value"] for one in found if one["at"] is not None and one is not me]
        if any(abs(other - me["value"]) <= 2.0**-10 for other in others) and me["value"] == b.output[c, i, j]:
            kink = say("bench.tie")
        outputs.append([c, i, j])
        won += [[c, i, j]] * bool(me["wins"])
        grad = factor("grad_output", b.grad_output[c, i, j], [c, i, j])
        terms.append(term(grad, factor("won" if me["wins"] else "lost", float(me["wins"]))))
    framed = [
        [c, *divmod(int(place), b.wiring.framed[1])] for place in b.wiring.place[b.wiring.source == h * b.g.W + w]
    ]
    return {
        "feeds": len(outputs),
        "won": len(won),
        "marks": {"output": outputs, "winner_output": won, "framed": unique(framed)},
        "gradient": gradient(b, "input", (c, h, w), terms, kink),
    }


EXPLAIN: dict[tuple[str, str], Any] = {
    ("conv", "output"): conv_output,
    ("conv", "input"): conv_input,
    ("conv", "weight"): conv_weight,
    ("transposed", "output"): transposed_output,
    ("transposed", "input"): transposed_input,
    ("transposed", "weight"): transposed_weight,
    ("pool", "output"): pool_output,
    ("pool", "input"): pool_input,
}
