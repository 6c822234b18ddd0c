"""Runs a folder of models in one runtime: a line of JSON for each.

    python runner.py onnxruntime FOLDER [FIRST]

It needs NumPy and that runtime, not minicnn: an old runtime has an old Python of its own.
FOLDER holds 0000.onnx with 0000.npz (x, y) and so on.
"""

import json
import sys
from pathlib import Path

import numpy as np


def onnxruntime():
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4

    def run(path, x):
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return session.run(None, {"input": x})[0]

    return onnxruntime.__version__, run


def openvino():
    """In float32; left alone it takes bfloat16 where the processor has it."""
    import openvino

    core = openvino.Core()

    def run(path, x):
        compiled = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        return np.array(compiled([x])[0])

    return openvino.__version__.split("-")[0], run


def opencv():
    import cv2

    def run(path, x):
        net = cv2.dnn.readNetFromONNX(str(path))
        net.setInput(x)
        return np.array(net.forward())

    return cv2.__version__, run


def tract():
    import tract

    def run(path, x):
        model = tract.Onnx().load(str(path))
        model.set_input_fact(0, ",".join([*map(str, x.shape), "f32"]))
        return model.into_model().into_runnable().run([x])[0].to_numpy()

    return tract.version(), run


def reference():
    import onnx
    from onnx.reference import ReferenceEvaluator

    return onnx.__version__, lambda path, x: ReferenceEvaluator(str(path)).run(None, {"input": x})[0]


RUNTIMES = {
    "onnxruntime": onnxruntime,
    "openvino": openvino,
    "opencv": opencv,
    "tract": tract,
    "onnx.reference": reference,
}


def main(name: str, folder: str, first: str = "0") -> None:
    version, run = RUNTIMES[name]()
    print(json.dumps({"version": version}), flush=True)
    for path in sorted(Path(folder).glob("*.onnx"))[int(first) :]:
        case = np.load(path.with_suffix(".npz"))
        try:
            with np.errstate(all="ignore"):
                found = run(path, case["x"])
        except Exception as error:  # noqa: BLE001 - a refusal is an answer
            answer = {"refused": f"{type(error).__name__}: {' '.join(str(error).split())}"}
        else:
            answer = compared(np.asarray(found), case["y"])
        print(json.dumps({"name": path.stem, **answer}), flush=True)


def compared(found: np.ndarray, right: np.ndarray) -> dict:
    """The largest error over the largest number."""
    if found.shape != right.shape:
        return {"error": f"shape {found.shape} instead of {right.shape}"}
    if not right.size:
        return {"error": 0.0}
    error = np.abs(found.astype(np.float64) - right).max()
    return {"error": float(error / max(np.abs(right).max(), 1e-30)) if np.isfinite(error) else str(error)}


if __name__ == "__main__":
    main(*sys.argv[1:])
