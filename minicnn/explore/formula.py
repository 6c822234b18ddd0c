"""The size formula with the numbers in it, and the Python lines that do the same: text
for the page to show.
"""

import math
from typing import Any

import numpy as np

from .. import geometry
from .say import say

AXES = (("height", "H"), ("width", "W"))


def sizes(layer: str, size: tuple[int, int], arguments: dict[str, Any], output_size: Any = None) -> list[dict]:
    """For each axis: the formula in symbols, then line by line with numbers, down to
    the size. None where it has no value.
    """
    explain = {"Conv2d": _conv, "MaxPool2d": _pool, "ConvTranspose2d": _conv_transpose}[layer]
    return [
        {"axis": axis} | explain(letter, which, size[which], arguments, output_size)
        for which, (axis, letter) in enumerate(AXES)
    ]


def _conv(letter: str, which: int, size: int, arguments: dict[str, Any], _: Any) -> dict[str, Any]:
    K, S, D = (arguments[name][which] for name in ("kernel_size", "stride", "dilation"))
    symbols = f"⌊({letter} + 2·P{letter} − D{letter}·(K{letter} − 1) − 1) / S{letter}⌋ + 1"
    padding, total = arguments["padding"], 0
    if isinstance(padding, str):
        before, after = geometry.same_padding(K, D) if padding == "same" else (0, 0)
        total = before + after
        padded = f"{size} + {before} + {after}"
        symbols = symbols.replace(f"2·P{letter}", "before + after")
    else:
        total = 2 * padding[which]
        padded = f"{size} + 2·{_n(padding[which])}"
    first = f"({padded} − {_n(D)}·({K} − 1) − 1) / {_n(S)}"
    return _floor(letter, symbols, first, size + total - D * (K - 1) - 1, S, geometry.conv_size, size, K, total, D)


def _floor(letter, symbols, first, span, S, size_of, size, K, total, D) -> dict[str, Any]:
    steps, value = [f"⌊{first}⌋ + 1"], None
    if S < 1:
        return {
            "symbols": f"O{letter} = {symbols}",
            "steps": steps,
            "value": None,
            "remark": say("size.no_stride", stride=S),
        }
    value = size_of(size, K, S, total, D)
    steps += [f"⌊{_n(span)} / {S}⌋ + 1", f"{_n(value - 1)} + 1", _n(value)]
    rest, remark = span % S, ""
    if rest and value > 0:
        line = {"H": "row", "W": "column"}[letter]
        remark = say(f"size.{line}.one") if rest == 1 else say(f"size.{line}.many", rest=rest)
    return {"symbols": f"O{letter} = {symbols}", "steps": steps, "value": value, "remark": remark}


def _pool(letter: str, which: int, size: int, arguments: dict[str, Any], _: Any) -> dict[str, Any]:
    K, S, P, D = (arguments[name][which] for name in ("kernel_size", "stride", "padding", "dilation"))
    if not arguments["ceil_mode"] or S < 1:
        return _conv(letter, which, size, arguments, None)
    symbols = f"⌈({letter} + 2·P{letter} − D{letter}·(K{letter} − 1) − 1) / S{letter}⌉ + 1"
    span = size + 2 * P - D * (K - 1) - 1
    up, value = -(-span // S) + 1, geometry.pool_size(size, K, S, P, D, True)
    first = f"⌈({size} + 2·{_n(P)} − {_n(D)}·({K} − 1) − 1) / {S}⌉ + 1"
    steps = [first, f"⌈{_n(span)} / {S}⌉ + 1", f"{_n(up - 1)} + 1", _n(up)]
    remark = ""
    if value < up:
        steps.append(f"{_n(up)} − 1 = {_n(value)}")
        remark = say("size.dropped", start=(up - 1) * S, end=size + P)
    elif span % S:
        remark = say("size.ceiling")
    return {"symbols": f"O{letter} = {symbols}", "steps": steps, "value": value, "remark": remark}


def _conv_transpose(letter: str, which: int, size: int, arguments: dict[str, Any], output_size: Any) -> dict[str, Any]:
    K, S, P, D = (arguments[name][which] for name in ("kernel_size", "stride", "padding", "dilation"))
    OP = arguments["output_padding"][which]
    symbols = f"({letter} − 1)·S{letter} − 2·P{letter} + D{letter}·(K{letter} − 1) + OP{letter} + 1"
    least = geometry.conv_transpose_size(size, K, S, P, D, 0)
    remark = ""
    if output_size is not None:
        OP = output_size[which] - least
        remark = say("size.asked", size=output_size[which], padding=_n(OP))
    elif S > 1:
        remark = say("size.several", stride=S, least=least, most=least + S - 1, size=size)
    value = geometry.conv_transpose_size(size, K, S, P, D, OP)
    parts = [(size - 1) * S, -2 * P, D * (K - 1), OP, 1]
    steps = [
        f"({size} − 1)·{_n(S)} − 2·{_n(P)} + {_n(D)}·({K} − 1) + {_n(OP)} + 1",
        " + ".join(map(_n, parts)).replace("+ (−0)", "+ 0"),
        _n(value),
    ]
    return {"symbols": f"O{letter} = {symbols}", "steps": steps, "value": value, "remark": remark}


def _n(value: int) -> str:
    """An int as it stands in a formula: negative ones in parentheses, with a true minus."""
    return str(value) if value >= 0 else f"(−{-value})"


# ------------------------------------------------------------------------- Python lines

DEFAULTS: dict[str, Any] = {
    "stride": 1,
    "padding": 0,
    "output_padding": 0,
    "dilation": 1,
    "groups": 1,
    "bias": True,
    "padding_mode": "zeros",
    "return_indices": False,
    "ceil_mode": False,
    "dtype": np.float32,
}


def line(layer: str, arguments: dict[str, Any]) -> str:
    """The constructor's call, without what is the default anyway."""
    given = {name: _short(value) for name, value in arguments.items()}
    defaults = DEFAULTS | ({"stride": given["kernel_size"]} if layer == "MaxPool2d" else {})
    words = []
    for name, value in given.items():
        if name in ("in_channels", "out_channels") or (name == "kernel_size" and layer == "MaxPool2d"):
            words.append(repr(value))
        elif name not in defaults or defaults[name] != value:
            words.append(f"{name}=np.{value.__name__}" if name == "dtype" else f"{name}={value!r}")
    return f"nn.{layer}({', '.join(words)})"


def program(setting: Any, arrays: dict[str, np.ndarray]) -> str:
    """A whole program to paste: the layer, its numbers, the call, and backward if it is
    switched on.
    """
    lines = ["import numpy as np", "from minicnn import nn", "", f"layer = {line(setting.layer, setting.arguments)}"]
    for name in ("weight", "bias"):
        if name in arrays:
            lines.append(f"layer.{name}.data = {literal(arrays[name])}")
    lines.append(f"x = {literal(arrays['input'])}")
    result = "output, indices" if setting.arguments.get("return_indices") else "output"
    size = f", output_size={setting.output_size}" if setting.output_size else ""
    lines.append(f"{result} = layer(x{size})")
    if "grad_output" in arrays:
        lines.append(f"grad_input = layer.backward({literal(arrays['grad_output'])})")
    return "\n".join(lines) + "\n"


def literal(array: np.ndarray) -> str:
    """The array as Python source."""
    dtype = "" if array.dtype == np.float64 else f", dtype=np.{array.dtype.name}"
    return f"np.array({_nested(array.tolist())}{dtype})"


def _nested(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_nested, value))}]"
    if math.isfinite(value):
        return repr(value)
    return "np.nan" if math.isnan(value) else "np.inf" if value > 0 else "-np.inf"


def _short(value: Any) -> Any:
    """(3, 3) is 3."""
    return value[0] if isinstance(value, tuple) and len(value) == 2 and value[0] == value[1] else value
