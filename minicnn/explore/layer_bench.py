"""The layer bench: one layer on a small input, every argument free, forward and
backward as whole grids.
"""

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from .. import geometry, nn
from ..nn import functional as F
from . import ask, formula
from .ask import Refused
from .say import say
from .wiring import Wiring, wire

REFUSALS = (IndexError, RuntimeError, TypeError, ValueError)
SIZE, CHANNELS, KERNEL = 12, 4, 7
LAYERS = ("Conv2d", "MaxPool2d", "ConvTranspose2d")
MODES = ("zeros", "reflect", "replicate", "circular")
DTYPES = {"float64": np.float64, "float32": np.float32}
PLAIN: dict[str, Any] = {  # the page's controls begin so: static/setting.js
    "in_channels": 1,
    "out_channels": 1,
    "kernel_size": [3, 3],
    "stride": [1, 1],
    "padding": [1, 1],
    "output_padding": [0, 0],
    "dilation": [1, 1],
    "groups": 1,
    "bias": True,
    "padding_mode": "zeros",
    "dtype": "float64",
    "ceil_mode": False,
    "return_indices": False,
}
START: dict[str, tuple[list[int], dict[str, Any]]] = {
    "Conv2d": ([5, 5], {}),
    "MaxPool2d": ([6, 6], {"kernel_size": [2, 2], "stride": [2, 2], "padding": [0, 0]}),
    "ConvTranspose2d": ([3, 3], {"stride": [2, 2]}),
}


class Setting(NamedTuple):
    """What a request asks for. Bounded, so that no request is work; what makes sense is
    for the library to say.
    """

    layer: str
    size: tuple[int, int]
    arguments: dict[str, Any]
    output_size: tuple[int, int] | None
    seed: int
    backward: bool
    given: dict[str, np.ndarray | None]


def read(body: Any) -> Setting:
    layer = ask.choice(body, "layer", LAYERS)
    asked = ask.field(body, "arguments")
    arguments: dict[str, Any] = {}
    if layer != "MaxPool2d":
        arguments["in_channels"] = ask.integer(asked, "in_channels", 0, CHANNELS)
        arguments["out_channels"] = ask.integer(asked, "out_channels", 0, CHANNELS)
    arguments["kernel_size"] = ask.pair(asked, "kernel_size", 0, KERNEL)
    arguments["stride"] = ask.pair(asked, "stride", 0, ask.MAGNITUDE)
    words = layer == "Conv2d" and isinstance(ask.field(asked, "padding"), str)
    arguments["padding"] = (
        ask.choice(asked, "padding", ("same", "valid"))
        if words
        else ask.pair(asked, "padding", -ask.MAGNITUDE, ask.MAGNITUDE)
    )
    if layer == "ConvTranspose2d":
        arguments["output_padding"] = ask.pair(asked, "output_padding", -ask.MAGNITUDE, ask.MAGNITUDE)
    arguments["dilation"] = ask.pair(asked, "dilation", 0, ask.MAGNITUDE)
    if layer == "MaxPool2d":
        arguments["return_indices"] = ask.flag(asked, "return_indices")
        arguments["ceil_mode"] = ask.flag(asked, "ceil_mode")
    else:
        arguments["groups"] = ask.integer(asked, "groups", 0, CHANNELS)
        arguments["bias"] = ask.flag(asked, "bias")
        arguments["padding_mode"] = ask.choice(asked, "padding_mode", MODES)
        arguments["dtype"] = DTYPES[ask.choice(asked, "dtype", tuple(DTYPES))]
    wanted = body.get("output_size") if layer == "ConvTranspose2d" else None
    return Setting(
        layer,
        ask.pair(body, "size", 1, SIZE),
        arguments,
        None if wanted is None else ask.pair(body, "output_size", 0, 64),
        ask.integer(body, "seed", 0, 10**6),
        ask.flag(body, "backward"),
        {
            name: ask.grid(body.get(name), name, ndim)
            for name, ndim in (("input", 3), ("weight", 4), ("bias", 1), ("grad_output", 3))
        },
    )


def start(layer: str) -> dict[str, Any]:
    """The request with which the page begins for this layer."""
    size, arguments = START[layer]
    return {"layer": layer, "size": size, "seed": 0, "backward": False, "arguments": PLAIN | arguments}


class Bench:
    """The layer that a setting describes, on its numbers. Making it raises what the
    library says to the setting.
    """

    def __init__(self, setting: Setting):
        self.setting = setting
        self.layer = getattr(nn, setting.layer)(**setting.arguments)
        self.dtype = setting.arguments.get("dtype", np.float64)
        self.x = first_input(setting).astype(self.dtype)
        if setting.layer != "MaxPool2d":
            self._set_parameters()
        self.g = self._geometry()
        self.output_shape = self.g.input_shape[1:] if self.transposed else self.g.output_shape[1:]
        if np.prod(self.output_shape) > ask.CELLS:
            sizes = " x ".join(map(str, self.output_shape))
            raise TooLarge(say("bench.too_large", most=ask.CELLS, sizes=sizes, count=np.prod(self.output_shape)))
        self.output = self.forward(self.x)
        self.indices = self._indices
        self.grad_output = ask.filled(setting.given["grad_output"], self.output_shape, setting.seed + 3).astype(
            self.dtype
        )
        self.grad_input = self._backward() if setting.backward else None

    def _set_parameters(self) -> None:
        for name, offset in (("weight", 1), ("bias", 2)):
            parameter = getattr(self.layer, name)
            if parameter is not None:
                values = ask.filled(self.setting.given[name], parameter.shape, self.setting.seed + offset, -2, 2)
                parameter.data = values.astype(self.dtype)

    @property
    def transposed(self) -> bool:
        return self.setting.layer == "ConvTranspose2d"

    @property
    def pooling(self) -> bool:
        return self.setting.layer == "MaxPool2d"

    @property
    def weight(self) -> np.ndarray:
        return self.layer.weight.data

    @property
    def bias(self) -> np.ndarray | None:
        return None if self.pooling or self.layer.bias is None else self.layer.bias.data

    def _geometry(self) -> geometry.Geometry:
        a, who, batch = self.setting.arguments, self.setting.layer, (1, *self.x.shape)
        if self.pooling:
            return geometry.max_pool2d(
                batch, a["kernel_size"], a["stride"], a["padding"], a["dilation"], a["ceil_mode"], who
            )
        if not self.transposed:
            (top, bottom), (left, right) = geometry.conv_padding(
                a["padding"], a["kernel_size"], a["stride"], a["dilation"], who
            )
            self.frame = (left, right, top, bottom)
            return geometry.conv2d(batch, self.weight.shape, a["stride"], a["padding"], a["dilation"], a["groups"], who)
        sizes = (a["kernel_size"], a["stride"], a["padding"], a["dilation"])
        output_padding = a["output_padding"]
        if self.setting.output_size is not None:
            output_padding = geometry.output_padding_for(self.setting.output_size, batch, *sizes, who)
        self.output_padding = output_padding
        return geometry.conv_transpose2d(
            batch, self.weight.shape, a["stride"], a["padding"], output_padding, a["groups"], a["dilation"], who
        )

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The library's own layer on x."""
        if self.transposed:
            return self.layer(x, self.setting.output_size)
        if not self.pooling:
            return self.layer(x)
        self.layer.return_indices = True
        output, self._indices = self.layer(x)
        return output

    _indices: np.ndarray = np.empty(0, np.int64)

    def _backward(self) -> np.ndarray:
        return self.layer.backward(self.grad_output)

    def loss(self, x: np.ndarray) -> float:
        """What backward differentiates: the sum of all outputs, each times its
        grad_output. In float64, for the differences.
        """
        return float((self.forward(x) * self.grad_output.astype(x.dtype)).sum())

    def in_double(self) -> "Bench":
        """The same bench in float64: central differences of float32 numbers would be
        mostly rounding.
        """
        if self.dtype == np.float64:
            return self
        arguments = self.setting.arguments | {"dtype": np.float64}
        given = {"input": self.x, "weight": self.weight, "bias": self.bias, "grad_output": self.grad_output}
        return Bench(self.setting._replace(arguments=arguments, given=given, backward=False))

    @cached_property
    def wiring(self) -> Wiring:
        """For a transposed convolution on the output's plane, for the others on the input's."""
        a, g = self.setting.arguments, self.g
        if self.transposed:
            PH, PW = a["padding"]
            return wire(g, (PW, PW, PH, PH))
        if self.pooling:
            HP, WP = g.padded_size
            return wire(g, (g.PW, max(g.PW, WP - g.PW - g.W), g.PH, max(g.PH, HP - g.PH - g.H)))
        mode = a["padding_mode"]
        return wire(g, self.frame, "constant" if mode == "zeros" else mode)

    @cached_property
    def framed(self) -> np.ndarray:
        """The input with its padding; for a transposed convolution the output before
        padding crops it.
        """
        a = self.setting.arguments
        if self.transposed:
            return F.conv_transpose2d(
                self.x, self.weight, self.bias, a["stride"], 0, self.output_padding, a["groups"], a["dilation"]
            )
        if self.pooling:
            return F.pad(self.x, self.wiring.frame, "constant", -np.inf)
        mode = a["padding_mode"]
        return F.pad(self.x, self.frame, "constant" if mode == "zeros" else mode)


def transposed(bench: Bench) -> dict[str, Any] | None:
    """The page's setting of a ConvTranspose2d on a Conv2d's numbers: its input is grad_output,
    its output what backward gives. None where it has no such arguments, or the page no room.
    """
    a = bench.setting.arguments
    size = bench.output_shape[1:]
    if bench.transposed or bench.pooling or max(size) > SIZE:
        return None
    if isinstance(a["padding"], str) or a["padding_mode"] != "zeros":
        return None
    same = {name: a[name] for name in ("kernel_size", "stride", "padding", "dilation", "groups")}
    channels = {"in_channels": a["out_channels"], "out_channels": a["in_channels"]}
    other = {"size": size, "bias": False, "ask_size": True, "output_size": bench.setting.size}
    return {"values": same | channels | other, "given": {"input": bench.grad_output, "weight": bench.weight}}


class TooLarge(Exception):
    """Not wrong, only too much to draw."""


def first_input(setting: Setting) -> np.ndarray:
    """The input grid, whatever else the setting says, so that the page always has one
    to show.
    """
    channels = 1 if setting.layer == "MaxPool2d" else max(setting.arguments["in_channels"], 1)
    low, high = (0, 9) if setting.layer == "MaxPool2d" else (-3, 5)
    return ask.filled(setting.given["input"], (channels, *setting.size), setting.seed, low, high)


def problem(error: Exception) -> dict[str, str]:
    """The library's own words, without the repr of the layer that they end with."""
    kind = say("view.too_large_kind") if isinstance(error, TooLarge) else type(error).__name__
    return {"kind": kind, "sentence": str(error).rsplit(" [in ", 1)[0]}


def make(setting: Setting) -> Bench:
    """The bench of a request that needs one; a setting that cannot be is refused."""
    try:
        return Bench(setting)
    except (*REFUSALS, TooLarge) as error:
        raise Refused(f"{problem(error)['kind']}: {problem(error)['sentence']}", 422) from error


def answer(body: Any) -> dict[str, Any]:
    """POST /api/bench: all grids of a setting, or the library's error about it."""
    setting = read(body)
    result: dict[str, Any] = {
        "line": formula.line(setting.layer, setting.arguments),
        "formula": formula.sizes(setting.layer, setting.size, setting.arguments, setting.output_size),
        "input": first_input(setting),
    }
    try:
        bench = Bench(setting)
    except (*REFUSALS, TooLarge) as error:
        return result | {"problem": problem(error)}
    arrays = {"input": bench.x}
    if not bench.pooling:
        arrays["weight"] = bench.weight
    if bench.bias is not None:
        arrays["bias"] = bench.bias
    if setting.backward:
        arrays["grad_output"] = bench.grad_output
    seen, framed_seen = bench.wiring.seen(bench.g.H, bench.g.W)
    if bench.transposed:
        useful = (bench.wiring.source >= 0).any(axis=(0, 1))  # an input whose stamps are all cropped has no effect
        seen, cropped = np.asarray(useful), np.ones(bench.framed.shape[1:], bool)
        PH, PW = setting.arguments["padding"]
        cropped[PH : PH + bench.g.H, PW : PW + bench.g.W] = False
        framed_seen = ~cropped
    result |= arrays | {
        "problem": None,
        "output": bench.output,
        "framed": bench.framed,
        "frame": bench.wiring.frame,
        "unseen": {"input": ~seen, "framed": ~framed_seen},
        "unseen_count": int((~seen).sum()),
        "program": formula.program(setting, arrays),
        "output_shape": bench.output_shape,
    }
    if setting.arguments.get("return_indices"):
        result["indices"] = bench.indices
    if setting.backward:
        result["grad_input"] = bench.grad_input
        for name in ("weight", "bias"):
            if name in arrays:
                result[f"grad_{name}"] = getattr(bench.layer, name).grad
    return result
