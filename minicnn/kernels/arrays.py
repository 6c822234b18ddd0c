"""NumPy array or torch tensor: where they differ, so that nobody else needs to ask which it is.

torch is not imported here: where there are tensors, somebody has imported it.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    import torch

# What a function takes and returns in these annotations: NumPy arrays in, NumPy arrays out;
# tensors in, tensors out.
Array = TypeVar("Array", np.ndarray, "torch.Tensor")


def is_tensor(x: Any) -> bool:
    return not isinstance(x, np.ndarray) and isinstance(x, getattr(sys.modules.get("torch"), "Tensor", ()))


def is_array(x: Any) -> bool:
    return isinstance(x, np.ndarray) or is_tensor(x)


def from_number(x: Any) -> Any:
    """x as an array again, where NumPy turned an array without dimensions into a number."""
    return np.asarray(x) if isinstance(x, np.generic) else x


def native(x: Any) -> Any:
    """x as bare numbers.

    A tensor loses the tape of torch's autograd, an array gets this machine's byte order.

    And no np.matrix, whose * is another one.
    """
    if is_tensor(x):
        return x.detach() if x.requires_grad else x
    x = np.asarray(x)
    return x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))


def to_numpy(x: Any) -> np.ndarray:
    """The values as a NumPy array.

    From another device they are copied, which waits for what it still computes.
    """
    return x.numpy(force=True) if is_tensor(x) else np.asarray(x)


def all_to_numpy(values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """to_numpy for each; tensors of one dtype come in one piece, waited for once."""
    found = {name: np.asarray(value) for name, value in values.items() if not is_tensor(value)}
    tensors = {name: value for name, value in values.items() if is_tensor(value)}
    for dtype in {value.dtype for value in tensors.values()}:
        group = {name: value for name, value in tensors.items() if value.dtype == dtype}
        whole = to_numpy(sys.modules["torch"].cat([value.reshape(-1) for value in group.values()]))
        ends = np.cumsum([value.numel() for value in group.values()])
        for (name, value), part in zip(group.items(), np.split(whole, ends[:-1]), strict=True):
            found[name] = part.reshape(tuple(value.shape))
    return {name: found[name] for name in values}


def numbers(*columns: Sequence[Any]) -> list[list[float]]:
    """Columns of numbers, or of tensors of one number each, as lists of Python's numbers.

    From a device they come all together, so that it is waited for once.
    """
    if not is_tensor(columns[0][0]):
        return [[float(value) for value in column] for column in columns]
    torch = sys.modules["torch"]
    return torch.stack([torch.stack(list(column)).double() for column in columns]).tolist()


def checkable_values(x: Any) -> np.ndarray:
    """The values to look at before a kernel runs: all, but none of a tensor on another device.

    To look there would make every training step wait for the device. So on a GPU nobody
    checks that classes, indices and probabilities lie in their range, except torch itself:
    CUDA stops the process with a "device-side assert".
    """
    return np.empty(0, np.float32) if is_tensor(x) and x.device.type != "cpu" else to_numpy(x)


# ---------------------------------------------------------------------- dtype and place


def dtype_name(x: Any) -> str:
    """ "float32" for NumPy's float32, in whichever byte order, and for torch's."""
    return _dtype_name(x.dtype)


@cache  # NumPy takes 1.6 us to spell a name, and a training step asks a hundred times
def _dtype_name(dtype: Any) -> str:
    return dtype.name if isinstance(dtype, np.dtype) else str(dtype).removeprefix("torch.")


def dtype_for(dtype: Any, who: str) -> np.dtype:
    """NumPy's dtype for what a user calls one: torch's too, which bears the same name.

    Raises TypeError for what is none.
    """
    try:
        return np.dtype(str(dtype).removeprefix("torch.") if type(dtype).__module__ == "torch" else dtype)
    except TypeError as error:
        raise TypeError(
            f"{who}: dtype must be a dtype such as np.float32, 'float32' or torch.float32, got {dtype!r}."
        ) from error


def dtype_like(name: str, x: Any) -> Any:
    """ "float32" as the library of x has it."""
    return getattr(sys.modules["torch"], name) if is_tensor(x) else np.dtype(name)


def conversion(name: str, x: Any, dtype: str) -> str:
    """What to write to convert x, which the user calls `name`."""
    return f"{name}.to(torch.{dtype})" if is_tensor(x) else f"{name}.astype({dtype!r})"


def place(x: Any) -> str:
    """ "numpy", or the tensor's device: what `Module.to` takes."""
    return str(x.device) if is_tensor(x) else "numpy"


def on_same_device(x: Any, y: Any) -> bool:
    """Whether one kernel can take both: two NumPy arrays, or two tensors on the same device."""
    return is_tensor(x) == is_tensor(y) and x.device == y.device


def not_together_message(name: str, x: Any, other: str, y: Any) -> str:
    """Says that x and y, for the user `name` and `other`, are not together; and what to do."""
    kinds = ["a NumPy array" if place(a) == "numpy" else f"a torch tensor on {a.device}" for a in (x, y)]
    return (
        f"{other} is {kinds[1]} but {name} is {kinds[0]}, and nothing is moved silently; "
        f"{_move(other, place(x))} or {_move(name, place(y))} brings them together, "
        f"and a whole model is moved by model.to({_place_to_write(x)}) or model.to({_place_to_write(y)})."
    )


def _place_to_write(x: Any) -> str:
    """What makes `Module.to` bring NumPy arrays there too: "cpu" leaves them arrays."""
    return "torch.device('cpu')" if place(x) == "cpu" else repr(place(x))


def _move(name: str, device: str) -> str:
    return f"{name}.numpy(force=True)" if device == "numpy" else f"torch.as_tensor({name}, device={device!r})"


# ------------------------------------------------------------ the same array, unchanged


def is_reshaped(x: Any, y: Any) -> bool:
    """Whether x is y in another shape: the same memory, number for number in the same order."""
    if not (is_array(x) and is_array(y)) or is_tensor(x) != is_tensor(y) or x.dtype != y.dtype:
        return False
    if is_tensor(x):
        rows = x.is_contiguous() and y.is_contiguous()
        return rows and x.device == y.device and x.numel() == y.numel() and x.data_ptr() == y.data_ptr()
    rows = x.flags.c_contiguous and y.flags.c_contiguous
    return rows and x.size == y.size and x.ctypes.data == y.ctypes.data


def witness(x: Any) -> Any:
    """What `is_unchanged` compares with: torch counts what is written into a tensor."""
    return x._version if is_tensor(x) else x.copy()


def is_unchanged(x: Any, before: Any) -> bool:
    """Whether nothing was written into x since `witness(x)` gave `before`."""
    return x._version == before if is_tensor(x) else np.array_equal(x, before, equal_nan=x.dtype.kind in "fc")


# --------------------------------------------------------------- writing and new arrays


def is_writeable(x: Any) -> bool:
    return is_tensor(x) or x.flags.writeable


def overwrite(x: Any, values: Any) -> Any:
    """Write the values into x, and return it."""
    x = native(x) if is_tensor(x) else x
    x[...] = values
    return x


def full(shape: tuple[int, ...], value: Any, x: Any) -> Any:
    """An array of x's kind, dtype and place, filled with one number."""
    return x.new_full(shape, value) if is_tensor(x) else np.full(shape, value, x.dtype)


def concatenated(parts: list[Any], axis: int) -> Any:
    """The arrays one after the other along an axis."""
    return sys.modules["torch"].cat(parts, axis) if is_tensor(parts[0]) else np.concatenate(parts, axis)


def cast(x: Any, dtype: Any) -> Any:
    return x.to(dtype) if is_tensor(x) else np.asarray(x, dtype)


def wide(x: Any) -> Any:
    """An array in float64, for products beyond the largest float32. A tensor stays as it is:
    not every device has float64.
    """
    return x if is_tensor(x) else cast(x, np.float64)


def copied(value: Any, x: Any, dtype: Any = None) -> Any:
    """A copy of an array, tensor or number that lives where x does.

    In the given dtype of x's kind, or in its own.
    """
    if is_tensor(x):
        tensor = moved(value if is_array(value) else np.asarray(value), x.device)
        return tensor.to(dtype or tensor.dtype, copy=True).contiguous()
    return _array_of(to_numpy(value), dtype)


class Constant:
    """An array of the program's own, copied to each device once.

    To send it there makes the device wait, and a step that is a CUDA graph may not.
    """

    def __init__(self, values: np.ndarray):
        self.values = values
        self._copies: dict[Any, Any] = {}

    def beside(self, x: Any) -> Any:
        """The array where x lives, in x's dtype; not to be written into."""
        key = (place(x), x.dtype)
        if key not in self._copies:
            self._copies[key] = copied(self.values, x, x.dtype)
        return self._copies[key]


def _array_of(array: np.ndarray, dtype: Any = None) -> np.ndarray:
    return np.array(array, dtype or array.dtype.newbyteorder("="), order="C")


def moved(x: Any, device: Any) -> Any:
    """x as a tensor on a torch device, or as an array for "numpy"; what is there already is not
    copied.
    """
    if device == "numpy":
        return _array_of(to_numpy(x)) if is_tensor(x) else x
    return x.detach().to(device) if is_tensor(x) else sys.modules["torch"].from_numpy(_array_of(x)).to(device)


def mover(device: Any) -> Callable[[Any], Any]:
    """x -> moved(x, device), for any name of a device; an error at once if it is not here."""
    if isinstance(device, str) and device == "numpy":
        return lambda x: moved(x, "numpy")
    if isinstance(device, str) and device == "cpu":  # arrays that feed a NumPy model are there too, and stay arrays
        return lambda x: moved(x, "cpu") if is_tensor(x) else x
    from .torch_gpu.devices import find_device

    found = find_device(device)
    return lambda x: moved(x, found)
