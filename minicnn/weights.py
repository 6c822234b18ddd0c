"""`load_weights` and `save_weights` under their public name; they are written in `saved.weights`."""

from .saved.weights import load_weights, save_weights

__all__ = ["load_weights", "save_weights"]
