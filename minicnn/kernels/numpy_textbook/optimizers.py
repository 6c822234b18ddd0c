"""One step of an optimizer for one parameter, in place, in torch's order of operations."""

import numpy as np

# ----------------------------------------------------------------- Adam: the plain case


def plain_adam(param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps):
    """Adam (Kingma and Ba, 2014, algorithm 1).

    A step is about lr in each direction, whatever the gradient's scale.

    torch's names beside the paper's: param is theta, exp_avg m, exp_avg_sq v, step t (1 at
    first), lr alpha. Both averages start at 0; dividing by 1 - beta^t takes that bias away.
    All arrays have one shape. For reading: tests hold it against `adam`.
    """
    exp_avg[...] = beta1 * exp_avg + (1 - beta1) * grad  # m_t, the mean of recent gradients
    exp_avg_sq[...] = beta2 * exp_avg_sq + (1 - beta2) * grad**2  # v_t, the mean of their squares
    m_hat = exp_avg / (1 - beta1**step)
    v_hat = exp_avg_sq / (1 - beta2**step)
    param -= lr * m_hat / (np.sqrt(v_hat) + eps)  # theta_t


# ------------------------------------------------- Adam: every option, in torch's order


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
    """The same within rounding, for the options' defaults.

    `max_exp_avg_sq`, where not None, keeps the largest v so far and takes its place
    (AMSGrad, Reddi et al., 2018). Weight decay adds to the gradient, or shrinks param first
    (AdamW, Loshchilov and Hutter, 2017).
    """
    if maximize:
        grad = -grad
    if weight_decay and decoupled_weight_decay:
        param *= 1 - lr * weight_decay
    elif weight_decay:
        grad = grad + weight_decay * param
    # m_t: torch calls lerp (linear interpolation), which starts from whichever of exp_avg
    # and grad is nearer to the result.
    if beta1 > 0.5:
        exp_avg += (grad - exp_avg) * (1 - beta1)
    else:
        exp_avg[...] = grad - (grad - exp_avg) * beta1
    # v_t
    exp_avg_sq *= beta2
    exp_avg_sq += (1 - beta2) * grad * grad
    if max_exp_avg_sq is None:
        v = exp_avg_sq
    else:
        v = np.maximum(max_exp_avg_sq, exp_avg_sq, out=max_exp_avg_sq)
    # theta_t
    denominator = np.sqrt(v) / (1 - beta2**step) ** 0.5 + eps
    param -= lr / (1 - beta1**step) * exp_avg / denominator


# ---------------------------------------------------------------------------------- SGD


def sgd(param, grad, momentum_buffer, lr, momentum, dampening, weight_decay, nesterov, maximize):
    """Gradient descent. Without options it is the last line: param -= lr * grad.

    With momentum the step follows buffer = momentum * buffer + (1 - dampening) * grad; the
    first buffer is grad. `nesterov` steps along grad + momentum * buffer; `maximize` climbs.
    Returns the buffer: None without momentum, a new one on the first
    step, else the one given, updated.
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
