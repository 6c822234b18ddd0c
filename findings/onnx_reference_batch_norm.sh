#!/usr/bin/env bash
# Guess: ONNX's own evaluator (onnx.reference) normalizes with the running mean and variance that
# stand in the model, as the specification of BatchNormalization says for inference.
# Seen (onnx 1.23.2): in models of opset 9 to 13 it mixes in a tenth of the batch's own mean and
# variance (the momentum of training, 0.9 by default); opset 15 is right, and so is ONNX Runtime
# 1.32.0 with both. So an image's answer depends on the others in its batch.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.3.5
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

numbers = {"scale": 1, "bias": 0, "mean": 0, "var": 1}
constants = [numpy_helper.from_array(np.array([value], np.float32), name) for name, value in numbers.items()]
node = helper.make_node("BatchNormalization", ["x", *numbers], ["y"], epsilon=0.0)
x = np.full((1, 1, 1, 2), 10, np.float32)
seen = {}
for opset in (13, 15):
    places = [helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape) for name in "xy"]
    graph = helper.make_graph([node], "one", places[:1], places[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for name, found in (
        ("onnx.reference", ReferenceEvaluator(model).run(None, {"x": x})[0]),
        ("onnxruntime", session.run(None, {"x": x})[0]),
    ):
        seen[name, opset] = float(found[0, 0, 0, 0])
        print(f"10 with mean 0 and variance 1, opset {opset}, {name}: {seen[name, opset]:.4f}")
assert abs(seen["onnxruntime", 13] - 10) < 1e-4 and abs(seen["onnxruntime", 15] - 10) < 1e-4, "ONNX Runtime has changed"
assert abs(seen["onnx.reference", 15] - 10) < 1e-4, "opset 15 has changed"
assert abs(seen["onnx.reference", 13] - 9 / 0.9**0.5) < 1e-4, "opset 13 has changed"
PYTHON
