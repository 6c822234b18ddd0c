"""Files that hold weights, or should, and are not read here: what they are, and the one
command that makes weights of them.

A command writes to a new name. Whatever runs the code in a file says so.
"""

from pathlib import Path

from .found import beside, quoted

TRUST = "That runs code from the file: only for one that you trust."
KERAS = "Where it was made, save the Keras model: model.save('model.keras')."


def python(code: str) -> str:
    """The command that runs these lines."""
    return f'python -c "{code}"'


def is_onnx(start: bytes) -> bool:
    """Does a file that begins so hold an ONNX model? The version of its format, a number of
    one byte, comes first, and then one of the model's other fields.
    """
    return len(start) > 2 and start[0] == 0x08 and 0 < start[1] < 0x20 and start[2] in b"\x12\x1a\x22\x28\x32\x3a\x42"


def what_archive(path: Path, names: list[str]) -> str:
    """What a zip archive is that no reader takes; "" for torch's, .npz and .keras."""
    last = {name.partition("/")[2] for name in names}
    source = quoted(path)
    target = quoted(beside(path, ".pt"))
    if "archive_format" in last or "serialized_exported_program.json" in names:
        code = f"import torch; torch.save(dict(torch.export.load({source}).state_dict), {target})"
        return f"is a program of torch.export (.pt2), not a state_dict. With torch: {python(code)}. {TRUST}"
    if "constants.pkl" in last or any(name.startswith("code/") for name in last):
        code = f"import torch; torch.save(torch.jit.load({source}, map_location='cpu').state_dict(), {target})"
        return f"is TorchScript, not a state_dict. With torch: {python(code)}. {TRUST}"
    if "data.pkl" in last or "data.pkl" in names or "model.weights.h5" in names:
        return ""
    if names and all(name.endswith(".npy") for name in names):
        return ""
    listed = ", ".join(sorted(names)[:4]) or "nothing"
    return (
        f"is a zip archive with {listed}, and no weights among that. Unpack it (unzip {path}) and name what is in it."
    )


def what_is(path: Path, start: bytes) -> str:
    """What a file is that begins so."""
    if start[:4] == b"GGUF":
        code = (
            "import numpy; from gguf import GGUFReader; from gguf.quants import dequantize; numpy.savez("
            f"{quoted(beside(path, '.npz'))}, **{{t.name: dequantize(t.data, t.tensor_type) "
            f"for t in GGUFReader({quoted(path)}).tensors}})"
        )
        return f"is GGUF, as llama.cpp has it. With the package gguf: {python(code)}."
    if start[:6] == b"\x93NUMPY":
        return "is one array (.npy) without a name. Save arrays under the names of the layers: numpy.savez."
    if start[4:8] == b"TFL3":
        return f"is a TensorFlow Lite model. {KERAS}"
    if is_onnx(start):
        return (
            f"is an ONNX model: python -m minicnn.convert {path} {beside(path, '.safetensors')}, or in Python "
            f"minicnn.onnx.load({str(path)!r}), which makes the network too."
        )
    if start.startswith(b"version https://git-lfs"):
        return "is a note of Git LFS in place of the weights, which were not fetched: git lfs pull."
    if start.lstrip()[:1] == b"<":
        return "is a web page. Download the file that the page is about, not the page."
    if start[:2] == b"\x1f\x8b" or start[:3] == b"BZh" or start[:6] == b"\xfd7zXZ\0" or start[257:262] == b"ustar":
        return f"is an archive. Unpack it (tar xf {path}) and name what is in it."
    return (
        "is neither a whole safetensors file nor a state_dict saved by torch, nor .npz, .keras, HDF5 or Flax's "
        f"msgpack: it begins with {start[:9]!r}."
    )


def what_folder(path: Path) -> str:
    """What a folder holds in place of one file with weights."""
    inside = {one.name for one in path.iterdir()}
    indices = sorted(name for name in inside if name.endswith(".index.json"))
    if indices:
        return f"is a folder: name the index in it, {path / indices[0]}."
    if "saved_model.pb" in inside:
        return f"is a SavedModel of TensorFlow. {KERAS}"
    if "_CHECKPOINT_METADATA" in inside or "manifest.ocdbt" in inside:
        code = (
            "import os; import orbax.checkpoint; from flax import serialization; "
            f"open({quoted(beside(path, '.msgpack'))}, 'wb').write(serialization.to_bytes("
            f"orbax.checkpoint.StandardCheckpointer().restore(os.path.abspath({quoted(path)}))))"
        )
        return f"is a checkpoint of Orbax. With orbax-checkpoint and Flax: {python(code)}."
    if ".metadata" in inside:
        tool = "python -m torch.distributed.checkpoint.format_utils dcp_to_torch"
        return f"is a distributed checkpoint of torch: {tool} {path} {beside(path, '.pt')}."
    return "is no file: name the file with the weights, such as model.safetensors in a run folder."
