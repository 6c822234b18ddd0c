"""Keras 3, on the backend that KERAS_BACKEND names: `keras.ops` and `keras.optimizers`.

Images are turned to channels_last, Keras' own default, kernels to (KH, KW, in, out); padding by
numbers is `ops.pad` before "valid". Gradients are those of the backend.
"""

import keras
import numpy as np
from keras import ops

keras.config.disable_traceback_filtering()
BACKEND = keras.backend.backend()
PACKAGES = ("keras", BACKEND if BACKEND == "jax" else "tensorflow_cpu")
FLOAT32 = True  # `keras.config.floatx()`; on JAX float64 arrays become float32 in silence


def pair(value):
    return tuple(value) if isinstance(value, tuple) else (value, value)


def gradients(function, grad_output, *arrays):
    if BACKEND == "jax":
        import jax

        output, pull = jax.vjp(function, *map(ops.convert_to_tensor, arrays))
        return [np.asarray(grad) for grad in pull(ops.cast(grad_output, output.dtype))]
    import tensorflow as tf

    leaves = [tf.constant(array) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(leaves)
        output = function(*leaves)
    grads = tape.gradient(output, leaves, ops.cast(grad_output, output.dtype))
    return [np.asarray(tf.convert_to_tensor(grad)) for grad in grads]


def padded(x, padding, value=0.0):
    PH, PW = pair(padding)
    return ops.pad(x, ((0, 0), (0, 0), (PH, PH), (PW, PW)), constant_values=value) if PH or PW else x


def _conv2d(x, weight, bias, stride, padding, dilation):
    x = ops.transpose(padded(x, padding), (0, 2, 3, 1))
    kernel = ops.transpose(weight, (2, 3, 1, 0))
    options = {"padding": "valid", "data_format": "channels_last", "dilation_rate": pair(dilation)}
    y = ops.conv(x, kernel, pair(stride), **options)
    return ops.transpose(y if bias is None else y + bias, (0, 3, 1, 2))


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1):
    bias = None if bias is None else ops.convert_to_tensor(bias)
    arrays = map(ops.convert_to_tensor, (input, weight))
    return ops.convert_to_numpy(_conv2d(*arrays, bias, stride, padding, dilation))


def conv2d_backward(grad_output, input, weight, stride=1, padding=0, dilation=1):
    bias = np.zeros(len(weight), weight.dtype)
    return gradients(lambda x, w, b: _conv2d(x, w, b, stride, padding, dilation), grad_output, input, weight, bias)


def linear(input, weight, bias=None):
    output = ops.matmul(input, weight.T)
    return ops.convert_to_numpy(output if bias is None else output + bias)


def linear_backward(grad_output, input, weight):
    bias = np.zeros(len(weight), weight.dtype)
    return gradients(lambda x, w, b: ops.matmul(x, ops.transpose(w)) + b, grad_output, input, weight, bias)


def _max_pool2d(x, kernel_size, stride, padding):
    x = ops.transpose(padded(x, padding, -float("inf")), (0, 2, 3, 1))
    y = ops.max_pool(x, pair(kernel_size), pair(stride or kernel_size), "valid", "channels_last")
    return ops.transpose(y, (0, 3, 1, 2))


def max_pool2d(input, kernel_size, stride=None, padding=0):
    return ops.convert_to_numpy(_max_pool2d(ops.convert_to_tensor(input), kernel_size, stride, padding))


def max_pool2d_backward(grad_output, input, kernel_size, stride=None, padding=0):
    return gradients(lambda x: _max_pool2d(x, kernel_size, stride, padding), grad_output, input)[0]


def relu(input):
    return ops.convert_to_numpy(ops.relu(input))


def relu_backward(grad_output, input):
    return gradients(ops.relu, grad_output, input)[0]


def sigmoid(input):
    return ops.convert_to_numpy(ops.sigmoid(input))


def sigmoid_backward(grad_output, input):
    return gradients(ops.sigmoid, grad_output, input)[0]


def tanh(input):
    return ops.convert_to_numpy(ops.tanh(input))


def tanh_backward(grad_output, input):
    return gradients(ops.tanh, grad_output, input)[0]


def _cross_entropy(x, target):
    return ops.mean(ops.sparse_categorical_crossentropy(target, x, from_logits=True))


def cross_entropy(input, target):
    return ops.convert_to_numpy(_cross_entropy(ops.convert_to_tensor(input), target))


def cross_entropy_backward(grad_output, input, target):
    return gradients(lambda x: _cross_entropy(x, target), grad_output, input)[0]


def _mse_loss(x, target):
    return ops.mean(keras.losses.mean_squared_error(ops.convert_to_tensor(target), x))


def mse_loss(input, target):
    return ops.convert_to_numpy(_mse_loss(ops.convert_to_tensor(input), target))


def mse_loss_backward(grad_output, input, target):
    return gradients(lambda x: _mse_loss(x, target), grad_output, input)[0]


def adam(param, grad, exp_avg, exp_avg_sq, step, lr, betas, eps):
    variable = keras.Variable(param)
    optimizer = keras.optimizers.Adam(lr, *betas, eps)
    optimizer.build([variable])
    kept = {"momentum": exp_avg, "velocity": exp_avg_sq}
    slots = {key: slot for key in kept for slot in optimizer.variables if slot.name.endswith(key)}
    for key, slot in slots.items():
        slot.assign(kept[key])
    optimizer.iterations.assign(step - 1)
    optimizer.apply([ops.convert_to_tensor(grad)])
    return tuple(ops.convert_to_numpy(value) for value in (variable, slots["momentum"], slots["velocity"]))


def sgd(param, grad, momentum_buffer, lr):
    variable = keras.Variable(param)
    optimizer = keras.optimizers.SGD(lr)
    optimizer.build([variable])
    optimizer.apply([ops.convert_to_tensor(grad)])
    return ops.convert_to_numpy(variable)


# ------------------------------------------------------------------ for the cases


def weighted_cross_entropy(input, target, weight):
    """The classes' weights as sample_weight."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return ops.convert_to_numpy(loss(target, input, sample_weight=weight[target]))


def soft_cross_entropy_backward(input, target):
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    return gradients(lambda x: loss(ops.convert_to_tensor(target), x), np.ones((), input.dtype), input)[0]


def _layer(layer, input, kernel):
    x = np.transpose(input, (0, 2, 3, 1))
    layer.build(x.shape)
    layer.set_weights([kernel])
    return np.transpose(ops.convert_to_numpy(layer(x)), (0, 3, 1, 2))


def same_conv2d(input, weight, stride=1):
    options = {"strides": stride, "padding": "same", "use_bias": False}
    layer = keras.layers.Conv2D(len(weight), weight.shape[2:], data_format="channels_last", **options)
    return _layer(layer, input, np.transpose(weight, (2, 3, 1, 0)))


def strided_same_conv2d(input, weight):
    return same_conv2d(input, weight, 2)


def same_conv_transpose2d(input, weight):
    options = {"strides": 2, "padding": "same", "use_bias": False, "data_format": "channels_last"}
    layer = keras.layers.Conv2DTranspose(weight.shape[1], weight.shape[2:], **options)
    return _layer(layer, input, np.transpose(weight, (2, 3, 1, 0)))


def adam_first_step(grad):
    variable = keras.Variable(np.zeros(1, np.float32))
    optimizer = keras.optimizers.Adam(1.0)
    optimizer.build([variable])
    optimizer.apply([ops.convert_to_tensor(np.array([grad], np.float32))])
    return -ops.convert_to_numpy(variable)


def gelu(input):
    return ops.convert_to_numpy(keras.layers.Activation("gelu")(input))


def leaky_relu(input):
    return ops.convert_to_numpy(keras.layers.LeakyReLU()(input))


def std(input):
    return ops.convert_to_numpy(ops.std(input))


def missing_class(input, target):
    return cross_entropy(input, target)


def flatten(input):
    image = np.transpose(input, (1, 2, 0))[None]
    return ops.convert_to_numpy(keras.layers.Flatten(data_format="channels_last")(image))[0]


def batch_norm(input):
    layer = keras.layers.BatchNormalization()
    layer(np.transpose(input, (0, 2, 3, 1)), training=True)
    return np.array([layer.moving_mean[0], layer.moving_variance[0]])


def batch_norm_eps():
    return np.array(keras.layers.BatchNormalization().epsilon)


def linear_init():
    layer = keras.layers.Dense(100)
    layer.build((1, 10_000))
    return np.array([np.abs(array).max() for array in layer.get_weights()])


def step(work):
    """Through `train_on_batch`, compiled as Keras does it by itself."""
    images, labels = work.data()
    images = np.ascontiguousarray(np.transpose(images, (0, 2, 3, 1)))
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(32, 5, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10),
        ]
    )
    model.set_weights(list(brought(work.weights()).values()))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(work.lr), loss)
    return lambda: model.train_on_batch(images, labels)


def brought(weights):
    """A state_dict of torch's as Keras wants it: the first Linear's rows in H, W, C order."""
    turned = {}
    for name, value in weights.items():
        if value.ndim == 4:
            value = np.transpose(value, (2, 3, 1, 0))
        if name == "linear_block.0.weight":
            value = np.transpose(value.reshape(-1, 32, 7, 7), (0, 2, 3, 1)).reshape(len(value), -1)
        turned[name] = value.T if value.ndim == 2 else value
    return turned
