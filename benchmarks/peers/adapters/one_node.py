"""Each operation as an ONNX model of one node, for the runtimes that read ONNX."""

from collections.abc import Callable

from onnx import ModelProto, TensorProto, helper, shape_inference


def pair(value):
    return list(value) if isinstance(value, tuple) else [value, value]


def model(operation, arrays, **attributes) -> ModelProto:
    """One node, opset 17; the names of the inputs are 0, 1, 2."""
    node = helper.make_node(operation, [str(i) for i in range(len(arrays))], ["output"], **attributes)
    kinds = [TensorProto.INT64 if array.dtype.kind == "i" else TensorProto.FLOAT for array in arrays]
    inputs = [
        helper.make_tensor_value_info(str(i), kind, array.shape)
        for i, (kind, array) in enumerate(zip(kinds, arrays, strict=True))
    ]
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], operation, inputs, [output])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return shape_inference.infer_shapes(made)


def operations(run: Callable) -> dict[str, Callable]:
    """torch's names -> functions that ask run(node, *arrays, **attributes)."""

    def window(stride, padding, dilation):
        return {"strides": pair(stride), "pads": pair(padding) * 2, "dilations": pair(dilation)}

    def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
        arrays = (input, weight) if bias is None else (input, weight, bias)
        options = window(stride, padding, dilation)
        return run("Conv", *arrays, kernel_shape=weight.shape[2:], group=groups, **options)

    def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
        arrays = (input, weight) if bias is None else (input, weight, bias)
        options = window(stride, padding, dilation)
        return run("ConvTranspose", *arrays, kernel_shape=weight.shape[2:], group=groups, **options)

    def linear(input, weight, bias=None):
        return run("Gemm", *((input, weight) if bias is None else (input, weight, bias)), transB=1)

    def max_pool2d(input, kernel_size, stride=None, padding=0):
        return run("MaxPool", input, kernel_shape=pair(kernel_size), **window(stride or kernel_size, padding, 1))

    def relu(input):
        return run("Relu", input)

    def sigmoid(input):
        return run("Sigmoid", input)

    def tanh(input):
        return run("Tanh", input)

    def same_conv2d(input, weight):
        return run("Conv", input, weight, kernel_shape=weight.shape[2:], auto_pad="SAME_UPPER")

    def strided_same_conv2d(input, weight):
        options = {"kernel_shape": weight.shape[2:], "auto_pad": "SAME_UPPER", "strides": [2, 2]}
        return run("Conv", input, weight, **options)

    def leaky_relu(input):
        return run("LeakyRelu", input)

    made = locals().copy()
    del made["run"], made["window"]
    return made
