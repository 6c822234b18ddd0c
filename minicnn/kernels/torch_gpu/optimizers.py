"""One step of an optimizer for one parameter, in place; the textbook's operations in order."""

import torch

from .tensors import in_place


@in_place
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
    if maximize:
        grad = -grad
    if weight_decay and decoupled_weight_decay:
        param *= 1 - lr * weight_decay
    elif weight_decay:
        grad = grad + weight_decay * param
    if beta1 > 0.5:
        exp_avg += (grad - exp_avg) * (1 - beta1)
    else:
        exp_avg.copy_(grad - (grad - exp_avg) * beta1)
    exp_avg_sq *= beta2
    exp_avg_sq += (1 - beta2) * grad * grad
    v = exp_avg_sq if max_exp_avg_sq is None else torch.maximum(max_exp_avg_sq, exp_avg_sq, out=max_exp_avg_sq)
    denominator = torch.sqrt(v) / (1 - beta2**step) ** 0.5 + eps
    param -= lr / (1 - beta1**step) * exp_avg / denominator


@in_place
def sgd(param, grad, momentum_buffer, lr, momentum, dampening, weight_decay, nesterov, maximize):
    if maximize:
        grad = -grad
    if weight_decay:
        grad = grad + weight_decay * param
    if momentum:
        if momentum_buffer is None:
            momentum_buffer = grad.clone()
        else:
            momentum_buffer *= momentum
            momentum_buffer += (1 - dampening) * grad
        grad = grad + momentum * momentum_buffer if nesterov else momentum_buffer
    param -= lr * grad
    return momentum_buffer
