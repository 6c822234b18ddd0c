#!/usr/bin/env bash
# Guess: OpenCV's dnn module gives tanh(x) = 1 for every large float32, as it gives -1 for every
# small one, and as ONNX Runtime does.
# Seen (opencv-python-headless 5.0.0.93): 1 up to 44, NaN from 45 on, where exp(2 x) is beyond the
# largest float32; -1 down to -64 and further. ONNX Runtime 1.32.0 gives 1 and -1. So one large
# activation before a tanh makes everything behind it NaN.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet opencv-python-headless==5.0.0.93 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.3.5
"$folder/venv/bin/python" - <<'PYTHON'
import cv2
import numpy as np
import onnxruntime
from onnx import TensorProto, helper

x = np.array([[0, 1, 20, 44, 45, 64, -45, -64]], np.float32)
places = [helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape) for name in "xy"]
graph = helper.make_graph([helper.make_node("Tanh", ["x"], ["y"])], "one", places[:1], places[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
net = cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))
net.setInput(x)
opencv = net.forward()[0]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
runtime = session.run(None, {"x": x})[0][0]
for number, one, other in zip(x[0], opencv, runtime):
    print(f"tanh({number:g}): OpenCV {one:.7g}, ONNX Runtime {other:.7g}")
expected = np.tanh(x[0])
assert np.allclose(runtime, expected, atol=1e-6), "ONNX Runtime has changed"
large = x[0] > 44
assert np.allclose(opencv[~large], expected[~large], atol=1e-6), "OpenCV has changed at numbers up to 44"
assert np.isnan(opencv[large]).all(), "OpenCV has changed above 44"
PYTHON
