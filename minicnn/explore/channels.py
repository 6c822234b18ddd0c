"""How channels meet: the products of each input channel before they are summed, and
which links groups cut.
"""

from typing import Any

import numpy as np

from .. import nn
from ..nn import functional as F
from . import ask, formula, layer_bench
from .ask import Refused
from .say import say
from .wiring import blocks

CHANNELS, SIZE, KERNEL = 6, 7, 3


def _layer(body: Any) -> tuple[nn.Conv2d, dict[str, Any]]:
    arguments: dict[str, Any] = {
        "in_channels": ask.integer(body, "in_channels", 0, CHANNELS),
        "out_channels": ask.integer(body, "out_channels", 0, CHANNELS),
        "kernel_size": ask.integer(body, "kernel_size", 0, KERNEL),
        "groups": ask.integer(body, "groups", 0, CHANNELS),
        "dtype": np.float64,
    }
    layer = nn.Conv2d(**arguments)
    seed = ask.integer(body, "seed", 0, 10**6)
    for offset, parameter in enumerate(layer.parameters(), start=1):
        parameter.data = ask.filled(None, parameter.shape, seed + offset, -2, 2)
    return layer, arguments


def answer(body: Any) -> dict[str, Any]:
    """POST /api/channels: input, weights, the output, and what each input channel adds
    to it.
    """
    size = ask.integer(body, "size", 1, SIZE)
    try:
        layer, arguments = _layer(body)
        x = ask.filled(None, (layer.in_channels, size, size), ask.integer(body, "seed", 0, 10**6), -3, 4)
        output = layer(x)  # (O, OH, OW)
    except layer_bench.REFUSALS as error:
        return {"problem": layer_bench.problem(error)}
    C, O, G = layer.in_channels, layer.out_channels, layer.groups
    shown = ask.integer(body, "shown", 0, CHANNELS) % O
    sources = blocks(G, C, O, shown)
    one = layer.weight.data[shown]  # (C / G, KH, KW)
    partial = [F.conv2d(x[c : c + 1], one[None, local : local + 1])[0] for local, c in enumerate(sources)]
    K = layer.kernel_size[0]
    weights, all_weights = O * (C // G) * K * K, O * C * K * K
    return {
        "problem": None,
        "line": formula.line("Conv2d", arguments),
        "input": x,
        "kernel": one,
        "bias": layer.state_dict()["bias"][shown],
        "partial": partial,
        "sources": list(sources),
        "shown": shown,
        "output": output[shown],
        "links": [[c in blocks(G, C, O, o) for c in range(C)] for o in range(O)],
        "weights": weights,
        "weights_without_groups": all_weights,
        "multiply_adds": weights * output.shape[1] * output.shape[2],
        "remark": _remark(C, O, G),
    }


def _remark(C: int, O: int, G: int) -> str:
    if G == 1:
        return say("channels.groups.1")
    if G == C:
        one = "one" if O == C else "many"
        return say(f"channels.depthwise.{one}", groups=G, each=O // G)
    return say("channels.groups.many", groups=G, inputs=C // G, outputs=O // G, all=C * O, left=C * O // G)


def cell(body: Any) -> dict[str, Any]:
    """POST /api/channels/cell: one output number: for each channel its products, their
    sum, and the sum of all.
    """
    result = answer(body)
    if result["problem"]:
        raise Refused(f"{result['problem']['kind']}: {result['problem']['sentence']}", 422)
    OH, OW = result["output"].shape
    i = ask.integer(body, "row", 0, OH - 1)
    j = ask.integer(body, "column", 0, OW - 1)
    K = result["kernel"].shape[-1]
    channels = [
        {
            "channel": c,
            "weights": result["kernel"][local].reshape(-1),
            "inputs": result["input"][c, i : i + K, j : j + K].reshape(-1),
            "products": (result["kernel"][local] * result["input"][c, i : i + K, j : j + K]).reshape(-1),
            "sum": result["partial"][local][i, j],
        }
        for local, c in enumerate(result["sources"])
    ]
    return {"channels": channels, "bias": result["bias"], "total": result["output"][i, j], "kernel_size": K}
