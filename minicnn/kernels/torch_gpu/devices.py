"""Which devices there are, how exactly they multiply, and in which order they add."""

import os

import torch
import torch.utils.deterministic


def find_device(name: "str | torch.device" = "auto") -> torch.device:
    """The torch device called `name`, if it is here: "cpu", "cuda", "cuda:1", "mps";
    "auto" takes a GPU where there is one.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.mps.is_available() else "cpu")
    if not isinstance(name, (str, torch.device)):
        raise TypeError(f"device must be a string or a torch.device, got {type(name).__name__}: {name!r}.")
    kind, _, number = str(name).partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not number.isdecimal()):
        raise ValueError(f"device must be 'auto', 'cpu', 'cuda' (or 'cuda:1' ...) or 'mps', got {str(name)!r}.")
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.mps.is_available())}[kind]
    if count <= int(number or 0):
        built = "; this build of torch is for the CPU alone" if kind == "cuda" and torch.version.cuda is None else ""
        raise RuntimeError(
            f"device {str(name)!r} was asked for, but torch finds {count} device(s) of the kind {kind!r} here{built}. "
            "'cpu' is everywhere; 'auto' takes a GPU where there is one."
        )
    return torch.device(name)


def allow_tf32(allowed: bool) -> None:
    """Whether NVIDIA GPUs may round float32 factors to 10 bits (TF32). At first: no.

    TF32 is faster, and some 1000 times less exact.

    torch holds this in two interfaces, and reading the older one fails where they differ: then
    torch.export stops, too. So both are set, the older one first. Products of float32 matrices
    on the CPU become exact with it: torch.set_float32_matmul_precision("highest").

    Source: torch's notes, "TensorFloat-32 (TF32) on Ampere (and later) devices".
    """
    torch.set_float32_matmul_precision("highest")
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed
    if hasattr(torch.backends.cuda.matmul, "fp32_precision"):  # since torch 2.9
        precision = "tf32" if allowed else "ieee"
        torch.backends.cuda.matmul.fp32_precision = precision
        torch.backends.cudnn.conv.fp32_precision = precision  # type: ignore[attr-defined]
        torch.backends.cudnn.rnn.fp32_precision = precision  # type: ignore[attr-defined]


def tf32_is_allowed() -> tuple[bool, bool]:
    """In matrix products and in convolutions."""
    if hasattr(torch.backends.cuda.matmul, "fp32_precision"):
        products = torch.backends.cuda.matmul.fp32_precision
        convolutions = torch.backends.cudnn.conv.fp32_precision  # type: ignore[attr-defined]
        return products == "tf32", convolutions == "tf32"
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


def be_deterministic(always: bool) -> None:
    """Whether a GPU gives the same bits in every run. At first: not promised.

    Left alone, cuDNN may take a gradient of a convolution that adds by atomics, in the order in
    which the threads come; so do the gradients of pooling and of padding, and cuBLAS may share
    scratch memory between streams. With True cuDNN and cuBLAS keep to a fixed order, and what
    atomics would add is sorted first. That costs time: how much depends on the GPU, and is not
    yet measured on one. The CPU has a fixed order anyway.
    """
    if always:  # read when cuBLAS starts, so before the first product
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(always)
    # torch would fill all new memory, too; here nothing is read before it is written
    torch.utils.deterministic.fill_uninitialized_memory = not always  # type: ignore[attr-defined]
