"""JAX: jax.lax and jax.nn with float64 allowed; gradients by jax.vjp; Optax's optimisers."""

from functools import partial

import jax
import numpy as np
import optax
from jax import lax
from jax import numpy as jnp

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)
PACKAGES = ("jax", "optax")
LAYOUT = ("NCHW", "OIHW", "NCHW")


def pair(value):
    return tuple(value) if isinstance(value, tuple) else (value, value)


def gradients(function, grad_output, *arrays):
    primal, pull = jax.vjp(function, *map(jnp.asarray, arrays))
    return pull(jnp.asarray(grad_output, primal.dtype))


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    output = lax.conv_general_dilated(
        input,
        weight,
        window_strides=pair(stride),
        padding=[(p, p) for p in pair(padding)],
        rhs_dilation=pair(dilation),
        feature_group_count=groups,
    )
    return output if bias is None else output + bias[:, None, None]


def conv2d_backward(grad_output, input, weight, stride=1, padding=0, dilation=1, groups=1):
    bias = np.zeros(len(weight), weight.dtype)
    function = partial(conv2d, stride=stride, padding=padding, dilation=dilation, groups=groups)
    return gradients(function, grad_output, input, weight, bias)


def linear(input, weight, bias=None):
    output = jnp.asarray(input) @ weight.T
    return output if bias is None else output + bias


def linear_backward(grad_output, input, weight):
    return gradients(linear, grad_output, input, weight, np.zeros(len(weight), weight.dtype))


def max_pool2d(input, kernel_size, stride=None, padding=0):
    window = (1, 1, *pair(kernel_size))
    strides = (1, 1, *pair(stride or kernel_size))
    sides = [(0, 0), (0, 0), *((p, p) for p in pair(padding))]
    return lax.reduce_window(jnp.asarray(input), -jnp.inf, lax.max, window, strides, sides)


def max_pool2d_backward(grad_output, input, kernel_size, stride=None, padding=0):
    return gradients(lambda x: max_pool2d(x, kernel_size, stride, padding), grad_output, input)[0]


def relu(input):
    return jax.nn.relu(input)


def relu_backward(grad_output, input):
    return gradients(jax.nn.relu, grad_output, input)[0]


def sigmoid(input):
    return jax.nn.sigmoid(input)


def sigmoid_backward(grad_output, input):
    return gradients(jax.nn.sigmoid, grad_output, input)[0]


def tanh(input):
    return jnp.tanh(input)


def tanh_backward(grad_output, input):
    return gradients(jnp.tanh, grad_output, input)[0]


def cross_entropy(input, target):
    return optax.softmax_cross_entropy_with_integer_labels(jnp.asarray(input), jnp.asarray(target)).mean()


def cross_entropy_backward(grad_output, input, target):
    return gradients(lambda x: cross_entropy(x, target), grad_output, input)[0]


def mse_loss(input, target):
    return jnp.mean((input - jnp.asarray(target)) ** 2)


def mse_loss_backward(grad_output, input, target):
    return gradients(lambda x: mse_loss(x, target), grad_output, input)[0]


def adam(param, grad, exp_avg, exp_avg_sq, step, lr, betas, eps):
    optimizer = optax.adam(lr, *betas, eps)
    state, *rest = optimizer.init(jnp.asarray(param))
    kept = {"mu": jnp.asarray(exp_avg), "nu": jnp.asarray(exp_avg_sq)}
    state = state._replace(count=jnp.asarray(step - 1, state.count.dtype), **kept)
    updates, (state, *_) = optimizer.update(jnp.asarray(grad), (state, *rest))
    return tuple(map(np.asarray, (param + updates, state.mu, state.nu)))


def sgd(param, grad, momentum_buffer, lr, momentum=0.0):
    optimizer = optax.sgd(lr, momentum)
    state, *rest = optimizer.init(jnp.asarray(param))
    updates, (state, *_) = optimizer.update(jnp.asarray(grad), (state._replace(trace=momentum_buffer), *rest))
    return tuple(map(np.asarray, (param + updates, state.trace)))


# ------------------------------------------------------------------ for the cases


def soft_cross_entropy_backward(input, target):
    return gradients(lambda x: optax.softmax_cross_entropy(x, target).mean(), np.ones((), input.dtype), input)[0]


def same_conv2d(input, weight):
    return lax.conv(input, weight, (1, 1), "SAME")


def strided_same_conv2d(input, weight):
    return lax.conv(input, weight, (2, 2), "SAME")


def same_conv_transpose2d(input, weight):
    """With torch's kernel (in, out, KH, KW): transpose_kernel turns it round."""
    options = {"dimension_numbers": LAYOUT, "transpose_kernel": True}
    return lax.conv_transpose(input, weight, (2, 2), "SAME", **options)


def adam_first_step(grad):
    """In float32, as it is without further ado."""
    optimizer = optax.adam(1.0)
    weight = jnp.zeros(1, jnp.float32)
    updates, _ = optimizer.update(jnp.asarray([grad], jnp.float32), optimizer.init(weight))
    return -np.asarray(updates)


def gelu(input):
    return jax.nn.gelu(input)


def leaky_relu(input):
    return jax.nn.leaky_relu(input)


def std(input):
    return jnp.std(input)


def missing_class(input, target):
    """A label that no class has."""
    return cross_entropy(input, target)


def step(work):
    images, labels = map(jnp.asarray, work.data())
    optimizer = optax.adam(work.lr)
    weights = {name: jnp.asarray(value) for name, value in work.weights().items()}

    def loss_of(weights, images):
        x = images
        for i in (0, 3):
            x = jax.nn.relu(conv2d(x, weights[f"cnn.{i}.weight"], weights[f"cnn.{i}.bias"], padding=2))
            x = max_pool2d(x, 2)
        x = x.reshape(len(x), -1)
        x = jax.nn.relu(linear(x, weights["linear_block.0.weight"], weights["linear_block.0.bias"]))
        logits = linear(x, weights["linear_block.2.weight"], weights["linear_block.2.bias"])
        return cross_entropy(logits, labels)

    @jax.jit
    def update(weights, state, images):
        loss, grads = jax.value_and_grad(loss_of)(weights, images)
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(weights, updates), state, loss

    last = {"weights": weights, "state": optimizer.init(weights)}

    def run():
        last["weights"], last["state"], loss = jax.block_until_ready(update(last["weights"], last["state"], images))
        return loss

    return run
