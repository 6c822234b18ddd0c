"""OpenVINO's CPU plugin, on models of one node, with INFERENCE_PRECISION_HINT f32.

Without that hint it chooses bfloat16 by itself where the processor has it.
"""

import io

import numpy as np
import openvino

from .one_node import model, operations

PACKAGES = ("openvino",)
FLOAT32 = True
CORE = openvino.Core()


def run(operation, *arrays, **attributes):
    made = CORE.read_model(io.BytesIO(model(operation, arrays, **attributes).SerializeToString()))
    compiled = CORE.compile_model(made, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.array(compiled([np.ascontiguousarray(array) for array in arrays])[0])


globals().update(operations(run))
