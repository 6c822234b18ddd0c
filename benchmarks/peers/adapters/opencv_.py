"""OpenCV's dnn module, on models of one node with constant weights; filter2D for "same"."""

import cv2
import numpy as np
from onnx import numpy_helper

from .one_node import model, operations

PACKAGES = ("opencv-python-headless",)
FLOAT32 = True


def run(operation, *arrays, **attributes):
    made = model(operation, arrays, **attributes)
    for name, array in zip("12", arrays[1:], strict=False):
        made.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
    del made.graph.input[1:]
    net = cv2.dnn.readNetFromONNX(np.frombuffer(made.SerializeToString(), np.uint8))
    net.setInput(np.ascontiguousarray(arrays[0]))
    return np.array(net.forward())


globals().update(operations(run))


def same_conv2d(input, weight):
    """filter2D with a border of zeros, channel by channel."""
    planes = []
    for kernel in weight:
        pairs = zip(input[0], kernel, strict=True)
        planes.append(sum(cv2.filter2D(x, -1, w, borderType=cv2.BORDER_CONSTANT) for x, w in pairs))
    return np.array(planes)[None]
