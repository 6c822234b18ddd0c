"""The public name of `load_weights` and `save_weights`, which stand in `saved.weights`."""

from .saved.weights import load_weights, save_weights

__all__ = ["load_weights", "save_weights"]
