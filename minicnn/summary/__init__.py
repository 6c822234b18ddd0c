"""What a model is made of, layer by layer: shapes, parameters, arithmetic, memory, and
how much each output sees.

Nothing here is looked up: the model runs twice, on a copy, and is watched. (A folder,
not a file, so that `minicnn.summary(...)` can be a function and `python -m
minicnn.summary` a command.)
"""

import copy
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import table
from ..kernels import use_backend
from ..nn import BatchNorm2d, Conv2d, ConvTranspose2d, LayerNorm, Linear, Module, Parameter
from ..nn.functional import random
from ..nn.watch import Call, watch

ALIGN = "<<<>>>>>>>"
HEAD = ("layer", "type", "output", "parameters", "%", "multiply-adds", "%", "kept bytes", "%", "sees")


class Row(NamedTuple):
    """One call of a layer. None is what cannot be known: the arithmetic of a layer that
    is not from minicnn.nn, or the receptive field when the input is no image.
    """

    name: str
    type: str
    output_shape: tuple[int, ...] | None  # without the batch dimension; None for a layer that was not called
    parameters: int
    multiply_adds: int | None  # of the forward pass, for one example
    kept_bytes: int  # for one example, until backward
    receptive_field: tuple[int, int] | None  # rows and columns of the model's input
    frozen: int = 0  # of the parameters, those that are not learnt


class Summary:
    """What `summary` found: `rows`, one for each layer, and the totals. Printed, it is
    a table.
    """

    def __init__(self, title: str, rows: list[Row]):
        self.title = title
        self.rows = rows

    @property
    def parameters(self) -> int:
        return sum(row.parameters for row in self.rows)

    @property
    def trainable(self) -> int:
        """The parameters that are learnt: those with requires_grad."""
        return self.parameters - sum(row.frozen for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        return sum(row.multiply_adds or 0 for row in self.rows)

    @property
    def kept_bytes(self) -> int:
        return sum(row.kept_bytes for row in self.rows)

    def _cells(self, row: Row) -> list[str]:
        def number(value: int | None, total: int) -> list[str]:
            return ["?", ""] if value is None else [f"{value:,}", f"{100 * value / total:.1f}" if total else ""]

        shape = "(not called)" if row.output_shape is None else _batched(row.output_shape)
        field = "" if row.receptive_field is None else "{} x {}".format(*row.receptive_field)
        counts = ((row.parameters, self.parameters), (row.multiply_adds, self.multiply_adds))
        numbers = [text for pair in (*counts, (row.kept_bytes, self.kept_bytes)) for text in number(*pair)]
        return [row.name, row.type, shape, *numbers, field]

    def _table(self) -> list[Sequence[str]]:
        totals = [f"{self.parameters:,}", "", f"{self.multiply_adds:,}", "", f"{self.kept_bytes:,}", "", ""]
        return [HEAD, *map(self._cells, self.rows), ("total", "", "", *totals)]

    def _frozen(self) -> list[str]:
        learnt = [f"{self.trainable:,} of the parameters are learnt, the others are frozen."]
        return learnt if self.trainable < self.parameters else []

    def __str__(self) -> str:
        head, *body, total = table.lines(self._table(), ALIGN)
        rule = "-" * max(map(len, [head, *body, total]))
        return "\n".join([self.title, "", head, rule, *body, rule, total, *self._frozen()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The table, as a notebook shows it."""
        return table.as_html(self._table(), ALIGN, self.title, self._frozen(), total=True)


def summary(model: Module, input_shape: Sequence[int]) -> Summary:
    """A table of the model's layers; `input_shape` is the shape of one example, without
    the batch dimension, as in `model.input_shape`.

    parameters      numbers that are learnt, or frozen; what two layers share counts once
    multiply-adds   the products that are summed in the forward pass of one example;
                    backward takes about twice as many. With every output O and input I of a
                    layer: O C/G KH KW for Conv2d (I O/G KH KW for ConvTranspose2d), O in
                    for Linear, none elsewhere. "?" for a layer of your own that has
                    parameters
    kept bytes      what forward really keeps until backward, for one example; an array that
                    two layers keep counts once
    sees            the receptive field: rows x columns of the input that one output depends
                    on, in the middle of the image. Each window adds D (K - 1) times the
                    product of the strides before it; it ends at the image's edge

    >>> from minicnn import nn
    >>> layers = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2)
    >>> print(summary(nn.Sequential(*layers), (1, 6, 6)))
    Sequential on an input of (N, 1, 6, 6), float32
    <BLANKLINE>
    layer  type     output        parameters     %  multiply-adds     %  kept bytes     %   sees
    --------------------------------------------------------------------------------------------
    0      Conv2d   (N, 4, 4, 4)          40  23.5            576  81.8         144  36.0  3 x 3
    1      ReLU     (N, 4, 4, 4)           0   0.0              0   0.0         256  64.0  3 x 3
    2      Flatten  (N, 64)                0   0.0              0   0.0           0   0.0  3 x 3
    3      Linear   (N, 2)               130  76.5            128  18.2           0   0.0  6 x 6
    --------------------------------------------------------------------------------------------
    total                                170                  704               400

    (Linear keeps what ReLU keeps already.) Often believed: where the parameters are,
    the time is. In fact convolutions hold few and use each of them for every pixel; a
    linear layer uses each once. Raises TypeError for what is not a Module or lives on a
    device; ValueError for an input_shape that is none; what the model raises for one
    that does not fit.
    """
    if not isinstance(model, Module):
        raise TypeError(f"summary: model must be a minicnn.nn.Module, got {type(model).__name__}: {model!r}.")
    shape = _shape(input_shape)
    dtype = next((parameter.dtype for parameter in model.parameters()), np.dtype(np.float32))
    if not isinstance(dtype, np.dtype):
        raise TypeError(
            f"summary: the model's parameters must be NumPy arrays, got {dtype}; move the model back first."
        )
    watched = copy.deepcopy(model).train()
    before = [array for module in watched.modules() for array in _arrays(list(vars(module).values()))]
    try:
        calls = _calls(watched, np.zeros((1, *shape), dtype))
    except (IndexError, RuntimeError, TypeError, ValueError) as error:
        raise type(error)(
            f"summary: the model refuses an input of shape {_batched(shape)}; input_shape is the shape of one example, "
            f"without the batch dimension. {error}"
        ) from error
    kept = _kept_bytes(calls, before)
    fields = _receptive_fields(watched.eval(), shape, dtype, len(calls))  # no image sees another one
    rows: list[Row] = []
    seen: set[int] = set()
    counted: set[Parameter] = set()
    for call, field in zip(calls, fields, strict=True):
        module = call.module
        first = id(module) not in seen  # a layer that is used twice has its parameters once
        own, frozen = _own_parameters(module, counted) if first else (0, 0)
        size = kept.pop(id(module), 0)
        if any(module.children()) and not own and not size:
            continue  # a container: its layers have rows of their own
        seen.add(id(module))
        what = (call.name or "(model)", type(module).__name__, call.outputs[0].shape[1:], own)
        rows.append(Row(*what, _multiply_adds(call), size, field, frozen))
    for name, module in watched.named_modules():
        if id(module) not in seen:
            own, frozen = _own_parameters(module, counted)
            if own:
                rows.append(Row(name or "(model)", type(module).__name__, None, own, 0, 0, None, frozen))
    return Summary(f"{type(model).__name__} on an input of {_batched(shape)}, {dtype}", rows)


# ----------------------------------------------------------------------------- watching


def _calls(model: Module, x: np.ndarray) -> list[Call]:
    """Every call in model(x), innermost first."""
    calls: list[Call] = []
    stands = random.get_state()  # dropout draws from the stream that the training goes on with
    with use_backend("numpy"), np.errstate(all="ignore"):  # the textbook: nothing to compile
        watch(model, x, leaving=calls.append)
    random.set_state(*stands)
    return calls


def _multiply_adds(call: Call) -> int | None:
    """The number of products that are summed: each output of a convolution, or each
    input of a transposed one, meets all weights of one channel.
    """
    module = call.module
    if isinstance(module, (Conv2d, Linear)):
        return call.outputs[0].size * math.prod(module.weight.shape[1:])
    if isinstance(module, ConvTranspose2d):
        return call.inputs[0].size * math.prod(module.weight.shape[1:])
    has_parameters = next(module.parameters(recurse=False), None) is not None
    known = isinstance(module, (BatchNorm2d, LayerNorm))  # a product for each number, but no sum
    return None if has_parameters and not known else 0


def _own_parameters(module: Module, counted: set[Parameter]) -> tuple[int, int]:
    """How many numbers, and how many of them are frozen; without those that have been
    counted.
    """
    own = [parameter for parameter in module.parameters(recurse=False) if parameter not in counted]
    counted.update(own)
    return sum(p.numel() for p in own), sum(p.numel() for p in own if not p.requires_grad)


def _arrays(value: Any) -> Iterator[np.ndarray]:
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (tuple, list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _arrays(item)


def _kept_bytes(calls: list[Call], before: list[np.ndarray]) -> dict[int, int]:
    """For each module the memory of the arrays that forward left in its attributes. The
    first to hold one pays for it.
    """
    paid = {id(array) for array in before}
    kept: dict[int, int] = {}
    for call in calls:
        module = call.module
        mine = 0
        for array in _arrays(list(vars(module).values())):
            while isinstance(array.base, np.ndarray):  # a view keeps the whole array alive
                array = array.base
            mine += 0 if id(array) in paid else array.nbytes
            paid.add(id(array))
        kept[id(module)] = kept.get(id(module), 0) + mine
    return kept


def _receptive_fields(model: Module, shape: tuple[int, ...], dtype, n: int) -> list[tuple[int, int] | None]:
    """NaN spreads to whatever depends on it. So H images with one row of NaN each show
    which rows an output depends on, W images with one column each the columns; and what
    was not an image, or stops NaN, gives None.
    """
    if len(shape) != 3:
        return [None] * n
    C, H, W = shape
    x = np.zeros((H + W, C, H, W), dtype)
    for line in range(H):
        x[line, :, line] = np.nan
    for line in range(W):
        x[H + line, :, :, line] = np.nan
    try:
        calls = _calls(model, x)
    except (IndexError, RuntimeError, TypeError, ValueError):  # a model may refuse NaN
        return [None] * n
    return [_extent(call.outputs[0], H, W) for call in calls]


def _extent(output: np.ndarray, H: int, W: int) -> tuple[int, int] | None:
    if output.ndim == 0 or len(output) != H + W or output.dtype.kind != "f":
        return None
    reached = np.isnan(output).reshape(H + W, -1)
    sizes = []
    for lines in (reached[:H], reached[H:]):  # (lines of the input, numbers of the output)
        first, last = lines.argmax(axis=0), len(lines) - lines[::-1].argmax(axis=0)
        sizes.append(int(((last - first) * lines.any(axis=0)).max(initial=0)))
    return (sizes[0], sizes[1]) if all(sizes) else None


# ------------------------------------------------------------------------------ helpers


def _shape(input_shape: Sequence[int]) -> tuple[int, ...]:
    given = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    if not given or not all(isinstance(size, (int, np.integer)) and size > 0 for size in given):
        raise ValueError(
            f"summary: input_shape must be the shape of one example such as (1, 28, 28), without the batch dimension, "
            f"got {input_shape!r}."
        )
    return tuple(map(int, given))


def _batched(shape: tuple[int, ...]) -> str:
    return f"({', '.join(['N', *map(str, shape)])})"
