"""What every kernel here is wrapped in: arrays become tensors on the way in, and arrays again.

Under `no_grad`, so that torch notes down nothing: the gradients are functions of their own.
"""

import functools

import numpy as np
import torch


def on_tensors(kernel):
    """The kernel, for tensors and for NumPy arrays; it returns the kind that it was given."""

    @functools.wraps(kernel)
    def wrapped(*arguments, **options):
        with torch.no_grad():
            if not any(isinstance(a, np.ndarray) for a in (*arguments, *options.values())):
                return kernel(*arguments, **options)
            options = {name: _tensor(option) for name, option in options.items()}
            result = kernel(*map(_tensor, arguments), **options)
            return tuple(map(_array, result)) if isinstance(result, tuple) else _array(result)

    return wrapped


def in_place(kernel):
    """on_tensors for a kernel that writes into its arguments.

    Where torch had to copy an array, the copy is written back.
    """

    @functools.wraps(kernel)
    def wrapped(*arguments):
        tensors = list(map(_tensor, arguments))
        with torch.no_grad():
            result = kernel(*tensors)
        for given, tensor in zip(arguments, tensors, strict=True):
            if isinstance(given, np.ndarray) and not _shareable(given) and given.tobytes() != tensor.numpy().tobytes():
                given[...] = tensor.numpy()
        same = [given for given, tensor in zip(arguments, tensors, strict=True) if tensor is result]
        if same or result is None:
            return same[0] if same else None
        return result.numpy() if isinstance(arguments[0], np.ndarray) else result

    return wrapped


def integers_by(textbook):
    """The kernel for floats, and for integers, the toy examples of the course, the textbook's.

    torch multiplies integers on some devices and not on others.
    """

    def with_integers(kernel):
        @functools.wraps(kernel)
        def wrapped(*arguments):
            if arguments[0].is_floating_point():
                return kernel(*arguments)
            device = arguments[0].device
            result = textbook(*(a.cpu().numpy() if isinstance(a, torch.Tensor) else a for a in arguments))
            if isinstance(result, tuple):
                return tuple(_tensor(array).to(device) for array in result)
            return _tensor(result).to(device)

        return wrapped

    return with_integers


def _shareable(array):
    """Whether a tensor can use the array's own memory.

    torch knows no negative strides and nothing read-only.
    """
    strides_fit = all(stride >= 0 and stride % array.itemsize == 0 for stride in array.strides)
    return strides_fit and array.flags.writeable and array.dtype.isnative


def _tensor(x):
    if not isinstance(x, np.ndarray):
        return x
    return torch.from_numpy(x if _shareable(x) else np.array(x, x.dtype.newbyteorder("="), order="C"))


def _array(x):
    """One number becomes NumPy's number, as NumPy's own functions return it."""
    return x.numpy()[()] if isinstance(x, torch.Tensor) else x
