"""One step of an optimiser for one parameter, in place, in the order of operations that torch has."""

import numpy as np


def adam(
    param,
    grad,
    exp_avg,
    exp_avg_sq,
    max_exp_avg_sq,
    step,
    lr,
    beta1,
    beta2,
    eps,
    weight_decay,
    maximize,
    decoupled_weight_decay,
):
    """Adam (Kingma and Ba, 2014): a step of about lr in each direction, whatever the gradient's scale.

        m = b1 m + (1 - b1) g             the mean of recent gradients
        v = b2 v + (1 - b2) g^2           the mean of their squares
        p = p - lr m' / (sqrt(v') + eps)  with m' = m / (1 - b1^t), v' = v / (1 - b2^t)

    Both means start at 0; dividing by 1 - b^t at step t takes that bias away. `max_exp_avg_sq`, where not None, keeps the
    largest v so far and takes its place (AMSGrad). Weight decay adds to the gradient, or shrinks p first (AdamW).
    """
    if maximize:
        grad = -grad
    if weight_decay and decoupled_weight_decay:
        param *= 1 - lr * weight_decay
    elif weight_decay:
        grad = grad + weight_decay * param
    if beta1 > 0.5:
        exp_avg += (grad - exp_avg) * (1 - beta1)
    else:  # the same, from the nearer end
        exp_avg[...] = grad - (grad - exp_avg) * beta1
    exp_avg_sq *= beta2
    exp_avg_sq += (1 - beta2) * grad * grad
    v = exp_avg_sq if max_exp_avg_sq is None else np.maximum(max_exp_avg_sq, exp_avg_sq, out=max_exp_avg_sq)
    denominator = np.sqrt(v) / (1 - beta2**step) ** 0.5 + eps
    param -= lr / (1 - beta1**step) * exp_avg / denominator


def sgd(param, grad, momentum_buffer, lr, momentum, dampening, weight_decay, nesterov, maximize):
    """Gradient descent; with momentum the step follows buffer = momentum * buffer + (1 - dampening) * grad.

    Returns the buffer: None without momentum, a new one on the first step, else the one given, updated.
    """
    if maximize:
        grad = -grad
    if weight_decay:
        grad = grad + weight_decay * param
    if momentum:
        if momentum_buffer is None:
            momentum_buffer = np.array(grad)
        else:
            momentum_buffer *= momentum
            momentum_buffer += (1 - dampening) * grad
        grad = grad + momentum * momentum_buffer if nesterov else momentum_buffer
    param -= lr * grad
    return momentum_buffer
