"""Weights under another network's names, brought under those of a network here."""

from collections.abc import Mapping

import numpy as np

from ..nn import names
from .formats import Found


def fitted(found: Found, wanted: Mapping[str, np.ndarray]) -> Found:
    """The weights under the names in `wanted`, a network's `state_dict()`, and what was done;
    as they are if they fit already, or if they fit in no way.

    First what wrappers put into the names is left out. Then, as other frameworks have
    other names, each layer is matched with the one whose arrays have the same shapes.
    """
    weights = found.weights
    if weights.keys() == wanted.keys():
        return found
    fitting = names.unwrapped(list(weights), list(wanted))
    if fitting:
        said = f"Left out of the names: {names.left_out(fitting)}"
    else:
        fitting = by_shape(weights, wanted)
        pairs = {layer_of(new): layer_of(old) for old, new in fitting.items()}
        said = "Matched by shape: " + ", ".join(f"{new} is {old}" for new, old in pairs.items()) + "."
    if not fitting:
        return found
    return Found({new: weights[old] for old, new in fitting.items()}, (*found.notes, said))


def by_shape(weights: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray]) -> dict[str, str]:
    """The wanted name for each array, if for each layer there is one with arrays of the same
    names and shapes; otherwise nothing. Several of the same shapes are taken in their order.
    """
    there, here = layers(weights), layers(wanted)
    if len(weights) != len(wanted) or sorted(there.values()) != sorted(here.values()):
        return {}
    fitting: dict[str, str] = {}
    for layer, shapes in here.items():
        match = next(name for name, found in there.items() if found == shapes)
        del there[match]
        fitting |= {f"{match}.{last}".lstrip("."): f"{layer}.{last}".lstrip(".") for last, _ in shapes}
    return fitting


def layers(weights: Mapping[str, np.ndarray]) -> dict[str, list[tuple[str, tuple[int, ...]]]]:
    """The arrays of each layer: the last part of their names, and their shapes."""
    found: dict[str, list[tuple[str, tuple[int, ...]]]] = {}
    for name, array in weights.items():
        found.setdefault(layer_of(name), []).append((name.rpartition(".")[2], array.shape))
    return {layer: sorted(shapes) for layer, shapes in found.items()}


def layer_of(name: str) -> str:
    return name.rpartition(".")[0]
