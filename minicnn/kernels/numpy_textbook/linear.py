"""The linear layer: each output is a weighted sum of all inputs.

    output = x @ weight^T + bias    x (M, in), weight (out, in), bias (out,), output (M, out)

The bias's gradient is `grad_bias`, as for convolution: the sum over everything but the
channels.
"""


def linear(x, weight, bias):
    """output[m, o] = bias[o] + sum over i of x[m, i] weight[o, i]."""
    output = x @ weight.T  # (M, out)
    return output if bias is None else output + bias


def linear_grad_input(grad_output, weight):
    """x[m, i] enters output[m, o] with the factor weight[o, i]: sum over o."""
    return grad_output @ weight  # (M, in)


def linear_grad_weight(grad_output, x):
    """weight[o, i] enters output[m, o] with the factor x[m, i]: sum over the rows m."""
    return grad_output.T @ x  # (out, in)
