"""`python -m minicnn.onnx RUN model.onnx`."""

from ..command import start
from .command import main

if __name__ == "__main__":
    start(main)
