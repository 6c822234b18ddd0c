"""ONNX Runtime and OpenVINO as contenders: what a user would take instead of minicnn to use
a trained network.

Both read the network that `minicnn.onnx` exports, with the same weights. Both compute in
float32: OpenVINO takes bfloat16 by itself where the processor has it, so float32 is asked
for. Both know the batch's size beforehand, and have as many threads as everybody else.
"""

import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import minicnn
from minicnn.models import SimpleCNN
from minicnn.onnx import export

from .task import Task
from .work import ONNX_RUNTIME, OPENVINO, Inference, Work

Run = Callable[[], np.ndarray]


def onnx_runtime(path: Path, images: np.ndarray, threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"input": images})[0]


def openvino(path: Path, images: np.ndarray, threads: int) -> Run:
    import openvino

    model = openvino.Core().read_model(str(path))
    model.reshape(images.shape)
    hints = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = openvino.compile_model(model, "CPU", hints).create_infer_request()
    return lambda: request.infer([images], share_inputs=True, share_outputs=True)[0]


PREPARE = {ONNX_RUNTIME: ("onnxruntime", onnx_runtime), OPENVINO: ("openvino", openvino)}


class Exported:
    """One of the runtimes."""

    def __init__(self, name: str):
        self.name = name
        self.package, self.prepare = PREPARE[name]

    def task(self, work: Work) -> Task | None:
        return self.inference(work) if isinstance(work, Inference) else None

    def inference(self, work: Inference) -> Task:
        images, _ = work.data()
        model = SimpleCNN()
        model.load_state_dict(work.weights())
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            export(model.eval(), path, images.shape)
            infer = self.prepare(path, images, minicnn.get_num_threads())
        last: dict[str, np.ndarray] = {}

        def run() -> None:
            last["logits"] = infer()

        return Task((run,), lambda: {"logits": last["logits"].copy()})


def installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def runtimes() -> list[Exported]:
    """Those that are installed; none without `onnx`, which writes the file."""
    return [Exported(name) for name, (package, _) in PREPARE.items() if installed(package) and installed("onnx")]


def left_out() -> Iterator[str]:
    """A sentence for each runtime that does not take part."""
    taking_part = {contender.name for contender in runtimes()}
    for name in PREPARE.keys() - taking_part:
        yield f"{name} is left out, because it is not installed: pip install 'minicnn[runtimes]'"
