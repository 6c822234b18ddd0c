"""A layer as one writes it in Python, read from a text: "Conv2d(64, 128, 3, padding=1)".

Nothing of the text is executed: a name of `minicnn.nn`, and literals as its arguments.
"""

import ast
import difflib
from collections.abc import Sequence
from typing import Any

from minicnn import nn

# What turns one array into one array. A loss needs a target besides, and a Sequential layers.
LAYERS = tuple(
    name
    for name in nn.__all__
    if name[0].isupper() and name not in ("Module", "Parameter", "Sequential") and not name.endswith("Loss")
)

Read = tuple[str, tuple[Any, ...], dict[str, Any]]  # the layer's name, its arguments, those with a keyword


def read(text: str) -> Read:
    """Raises ValueError with a sentence."""
    example = 'as in "Conv2d(64, 128, 3, padding=1)"'
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        call = None
    if isinstance(call, ast.Name):
        raise ValueError(f"{text!r} has no parentheses: write a layer with its arguments, {example}.")  # noqa: TRY004
    if not isinstance(call, ast.Call):
        raise ValueError(f"{text!r} cannot be read: write one layer with its arguments, {example}.")  # noqa: TRY004
    name = called(call.func)
    if name not in LAYERS:
        near = difflib.get_close_matches(name or "", LAYERS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(LAYERS)}."
        raise ValueError(f"there is no layer {name or ast.unparse(call.func)!r} to time: {hint}")
    args = tuple(literal(argument, "an argument") for argument in call.args)
    options = {word.arg: literal(word.value, word.arg) for word in call.keywords if word.arg is not None}
    if len(options) < len(call.keywords):
        raise ValueError(f"{text!r}: write each argument by its name, not with **.")
    return name, args, options


def called(function: ast.expr) -> str | None:
    """Conv2d, nn.Conv2d or torch.nn.Conv2d; None for anything that is not a name."""
    if isinstance(function, ast.Attribute) and called(function.value) is not None:
        return function.attr
    return function.id if isinstance(function, ast.Name) else None


def literal(argument: ast.expr, which: str | None) -> Any:
    try:
        return ast.literal_eval(argument)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise ValueError(
            f"{which} is {ast.unparse(argument)!r}: arguments are numbers, strings, True, False, None, or pairs."
        ) from None


def shape(text: str) -> tuple[int, ...]:
    """ "32,64,16,16" or "32x64x16x16". Raises ValueError with a sentence."""
    words: Sequence[str] = text.strip("() ").replace("x", ",").split(",")
    try:
        sizes = tuple(int(word) for word in words)
    except ValueError:
        raise ValueError(f"{text!r} is not a shape: write the batch first, as in 32,64,16,16.") from None
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"{text!r}: a shape has a batch and at least one size more, each at least 1, as in 32,784.")
    return sizes
