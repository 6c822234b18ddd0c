"""`python -m benchmarks int8 RUN`: a trained SimpleCNN in 8-bit integers, and what that costs.

The export is quantized by ONNX Runtime's own tools: dynamically (weights in int8, scales of
the activations found in each run) and statically (scales from calibration images). It is
judged on MNIST's bundled validation images, which took no part in training or calibration.
"""

import argparse
import importlib.util
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from minicnn import table
from minicnn.data import MNIST
from minicnn.onnx import export
from minicnn.trained import Trained

CALIBRATION = 200  # training images


class Reader:
    """Calibration images, one at a time, as ONNX Runtime asks for them."""

    def __init__(self, images: np.ndarray):
        self.images = iter(images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        image = next(self.images, None)
        return None if image is None else {"input": image[None]}


def files(path: Path) -> Iterator[tuple[str, Path]]:
    """The float model, then both quantized ones beside it."""
    from onnxruntime.quantization import QuantFormat, quant_pre_process, quantize_dynamic, quantize_static

    yield "float32", path
    prepared = path.with_name("prepared.onnx")
    quant_pre_process(str(path), str(prepared))
    dynamic = path.with_name("dynamic.onnx")
    quantize_dynamic(str(prepared), str(dynamic))
    yield "int8, dynamic", dynamic
    static = path.with_name("static.onnx")
    images, _ = MNIST(train=True).batch(range(CALIBRATION))
    quantize_static(str(prepared), str(static), Reader(images), quant_format=QuantFormat.QDQ)
    yield "int8, static", static


def accuracy(path: Path, images: np.ndarray, labels: np.ndarray) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return float(np.mean(session.run(None, {"input": images})[0].argmax(axis=1) == labels))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks int8", description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder of `python -m minicnn.train`")
    args = parser.parse_args(arguments)
    if importlib.util.find_spec("onnxruntime") is None:
        parser.error("ONNX Runtime quantizes here, and it is not installed: pip install 'minicnn[onnxruntime]'")
    try:
        run = Trained(args.run)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    validation = MNIST(train=False)
    images, labels = validation.batch(range(len(validation)))
    rows = [["weights", "accuracy", "bytes"]]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export(run.model, path, (1, 1, 28, 28))
        for name, file in files(path):
            rows.append([name, f"{accuracy(file, images, labels):.4f}", f"{file.stat().st_size:,}"])
    print("\n".join(table.lines(rows, "<>>")))
    return 0
