"""Weights in files beside a model (`model.onnx.data`): looked at before anything is read.

A file names its neighbours, and says how large they are. Neither is believed: only files
in the model's own folder are opened, and only where they are as long as the weights'
shapes ask for.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def check(onnx: Any, model: Any, path: Path) -> None:
    """Raises ValueError with the weight's name: its file lies elsewhere, is missing, or has
    another size than its shape asks for.
    """
    helper = onnx.external_data_helper
    for tensor in tensors(model.graph):
        if not helper.uses_external_data(tensor):
            continue
        info = helper.ExternalDataInfo(tensor)
        place = (path.parent / info.location).resolve()
        if not place.is_relative_to(path.parent.resolve()):
            raise ValueError(
                f"the weight {tensor.name} lies in {info.location}, outside the model's folder; put that file beside"
                f" {path.name} and name it so."
            )
        if not place.is_file():
            raise ValueError(f"the weight {tensor.name} lies in {info.location}, which is not beside {path.name}.")
        wanted = math.prod(tensor.dims) * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        offset = info.offset or 0
        there = place.stat().st_size - offset
        given = there if info.length is None else info.length
        if not 0 <= wanted == given <= there:
            raise ValueError(
                f"the weight {tensor.name} of shape {tuple(tensor.dims)} needs {wanted:,} bytes; {info.location} has"
                f" {max(0, there):,} from byte {offset:,} on, and the model says {given:,}."
            )


def tensors(graph: Any) -> Iterator[Any]:
    """All that may lie in a file of its own: initialisers, and constants in nodes."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
