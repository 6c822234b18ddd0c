"""Twenty wrong implementations that people asked about or reported, from issue threads and
course forums.

They were written down before anyone looked at how mistakes are named: then 20 were found
and 6 named. What is not named now has None.
"""

from typing import NamedTuple

HELPERS = """import numpy as np


def pad(x, p):
    return np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)

"""


class Reported(NamedTuple):
    """One wrong implementation."""

    mistake: str  # in one line
    where: str
    name: str | None  # what `agree` calls it
    function: str

    @property
    def source(self):
        """The file that is judged."""
        return HELPERS + self.function


REPORTED = [
    Reported(
        "the gradient's window does not move by the stride",
        "enggen/Deep-Learning-Coursera#7, Kulbear/deep-learning-coursera#34",
        "stride forgotten",
        """
def conv2d_backward(grad_output, x, weight, stride=1):
    dx, dw = np.zeros_like(x), np.zeros_like(weight)
    KH, KW = weight.shape[2:]
    N, O, OH, OW = grad_output.shape
    for n in range(N):
        for o in range(O):
            for i in range(OH):
                for j in range(OW):
                    g = grad_output[n, o, i, j]
                    dx[n, :, i : i + KH, j : j + KW] += g * weight[o]
                    dw[o] += g * x[n, :, i : i + KH, j : j + KW]
    return dx, dw, grad_output.sum(axis=(0, 2, 3))
""",
    ),
    Reported(
        "return stands inside the loop: only the first window gives a gradient",
        "riccardoandreoni0/CNN-from-scratch#1",
        "only the first windows",
        """
def max_pool2d_backward(grad_output, x, kernel_size):
    K = kernel_size
    dx = np.zeros_like(x)
    N, C, OH, OW = grad_output.shape
    for i in range(OH):
        for j in range(OW):
            for n in range(N):
                for c in range(C):
                    window = x[n, c, i * K : i * K + K, j * K : j * K + K]
                    r, s = np.unravel_index(window.argmax(), window.shape)
                    dx[n, c, i * K + r, j * K + s] += grad_output[n, c, i, j]
        return dx
""",
    ),
    Reported(
        "pooling by a reshape along the wrong axes",
        "HIPS/autograd#245",
        "channels mixed up in a reshape",
        """
def max_pool2d(x, kernel_size):
    K = kernel_size
    N, C, H, W = x.shape
    OH, OW = H // K, W // K
    x = np.ascontiguousarray(x[:, :, : OH * K, : OW * K])
    return x.reshape(N, C, OH, OW, K * K).max(axis=-1)
""",
    ),
    Reported(
        "softmax over the whole batch",
        "twitter-archive/torch-autograd#166, nntrainer/nntrainer#430",
        "softmax over the whole batch",
        """
def cross_entropy(logits, target):
    m = logits.max()
    log_p = logits - m - np.log(np.exp(logits - m).sum())
    return -log_p[np.arange(len(target)), target].mean()
""",
    ),
    Reported(
        "the gradient's channel is the filter's number",
        "NervanaSystems/neon#111",
        None,
        """
def conv2d_backward(grad_output, x, weight):
    dx, dw = np.zeros_like(x), np.zeros_like(weight)
    O, C, KH, KW = weight.shape
    OH, OW = grad_output.shape[2:]
    for i in range(OH):
        for j in range(OW):
            g = grad_output[:, :, i, j]
            dw += np.einsum("no,nckl->ockl", g, x[:, :, i : i + KH, j : j + KW])
            for o in range(O):
                for c in range(C):
                    dx[:, o % C, i : i + KH, j : j + KW] += g[:, o, None, None] * weight[o, c]
    return dx, dw, grad_output.sum(axis=(0, 2, 3))
""",
    ),
    Reported(
        "multiplied by the bias correction where it should be divided",
        "karpathy/convnetjs#107",
        "multiplied by the bias correction",
        """
def adam(param, grad, m, v, t, lr=0.001, betas=(0.9, 0.999), eps=1e-8):
    m = betas[0] * m + (1 - betas[0]) * grad
    v = betas[1] * v + (1 - betas[1]) * grad**2
    m_hat, v_hat = m * (1 - betas[0] ** t), v * (1 - betas[1] ** t)
    return param - lr * m_hat / (np.sqrt(v_hat) + eps), m, v
""",
    ),
    Reported(
        "the step counted for each parameter: t is too large",
        "Shubham-cyber-prog/100-Days-Of-Web-Development-ECWoC26#1575",
        "step counted too far",
        """
def adam(param, grad, m, v, t, lr=0.001, betas=(0.9, 0.999), eps=1e-8):
    t = 2 * t  # the weight and the bias of a layer
    m = betas[0] * m + (1 - betas[0]) * grad
    v = betas[1] * v + (1 - betas[1]) * grad**2
    m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
    return param - lr * m_hat / (np.sqrt(v_hat) + eps), m, v
""",
    ),
    Reported(
        "p[target]: rows instead of the probabilities of the right classes",
        "course forums, fancy indexing",
        "rows taken for classes",
        """
def cross_entropy(logits, target):
    p = softmax(logits)
    return -np.log(p[np.minimum(target, len(p) - 1)]).mean()
""",
    ),
    Reported(
        "relu's gradient lets through where the gradient from above is positive",
        "course forums: dx[dout <= 0] = 0",
        "sign of grad_output in place of the output",
        """
def relu_backward(grad_output, x):
    dx = grad_output.copy()
    dx[grad_output <= 0] = 0
    return dx
""",
    ),
    Reported(
        "the square is missing in tanh's slope",
        "course forums",
        "slope of tanh without the square",
        """
def tanh_backward(grad_output, output):
    return grad_output * (1 - output)
""",
    ),
    Reported(
        "x.T @ dout reshaped, where it should be transposed",
        "course forums: shapes fit after a reshape",
        "channels mixed up in a reshape",
        """
def linear_backward(grad_output, x, weight):
    dw = (x.T @ grad_output).reshape(weight.shape)
    return grad_output @ weight, dw, grad_output.sum(axis=0)
""",
    ),
    Reported(
        "the gradient of the bias is summed over the channels too",
        "course forums: np.sum(dout) without axis",
        "bias gradient summed over the channels",
        """
def conv2d_backward(grad_output, x, weight):
    dx, dw = np.zeros_like(x), np.zeros_like(weight)
    KH, KW = weight.shape[2:]
    for i in range(grad_output.shape[2]):
        for j in range(grad_output.shape[3]):
            g = grad_output[:, :, i, j]
            dx[:, :, i : i + KH, j : j + KW] += np.einsum("no,ockl->nckl", g, weight)
            dw += np.einsum("no,nckl->ockl", g, x[:, :, i : i + KH, j : j + KW])
    return dx, dw, np.full(len(weight), grad_output.sum(), x.dtype)
""",
    ),
    Reported(
        "range(H - K): the last window is never reached",
        "course forums: off by one",
        "last window missing",
        """
def conv2d(x, weight, bias, stride=1, padding=0):
    x = pad(x, padding)
    N, C, H, W = x.shape
    O, _, KH, KW = weight.shape
    out = np.zeros((N, O, (H - KH) // stride + 1, (W - KW) // stride + 1), x.dtype)
    for i in range(0, H - KH, stride):
        for j in range(0, W - KW, stride):
            patch = x[:, :, i : i + KH, j : j + KW]
            out[:, :, i // stride, j // stride] = np.einsum("nckl,ockl->no", patch, weight)
    return out + bias[:, None, None]
""",
    ),
    Reported(
        "the padding repeats the edge",
        "course forums: mode='edge'",
        "padding that is not zero",
        """
def conv2d(x, weight, bias, padding=0):
    p = padding
    x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), mode="edge")
    N, C, H, W = x.shape
    O, _, KH, KW = weight.shape
    out = np.zeros((N, O, H - KH + 1, W - KW + 1), x.dtype)
    for i in range(H - KH + 1):
        for j in range(W - KW + 1):
            out[:, :, i, j] = np.einsum("nckl,ockl->no", x[:, :, i : i + KH, j : j + KW], weight)
    return out + bias[:, None, None]
""",
    ),
    Reported(
        "the second average takes the gradient without its square",
        "course forums",
        "squares missing",
        """
def adam(param, grad, m, v, t, lr=0.001, betas=(0.9, 0.999), eps=1e-8):
    m = betas[0] * m + (1 - betas[0]) * grad
    v = betas[1] * v + (1 - betas[1]) * np.abs(grad)
    m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
    return param - lr * m_hat / (np.sqrt(v_hat) + eps), m, v
""",
    ),
    Reported(
        "only the first half of binary cross-entropy: -y log p",
        "course forums",
        "half of the loss missing",
        """
def binary_cross_entropy(p, y):
    return -(y * np.log(p)).mean()
""",
    ),
    Reported(
        "half the squared error",
        "textbooks that write 1/2 (x - y)^2",
        "factor 1/2 added",
        """
def mse_loss(x, y):
    return 0.5 * ((x - y) ** 2).mean()
""",
    ),
    Reported(
        "the gradient divided by all logits, not by the images",
        "course forums: p.size in place of len(p)",
        "averaged over all elements",
        """
def cross_entropy_backward(grad_output, logits, target):
    p = softmax(logits)
    p[np.arange(len(target)), target] -= 1
    return grad_output * p / p.size
""",
    ),
    Reported(
        "sqrt(1 - correction) where it should be sqrt(correction)",
        "kozistr/AdaBound-tensorflow#3",
        None,
        """
def adam(param, grad, m, v, t, lr=0.001, betas=(0.9, 0.999), eps=1e-8):
    m = betas[0] * m + (1 - betas[0]) * grad
    v = betas[1] * v + (1 - betas[1]) * grad**2
    first, second = 1 - betas[0] ** t, 1 - betas[1] ** t
    rate = lr * np.sqrt(1 - second) / first
    return param - rate * m / (np.sqrt(v) + eps), m, v
""",
    ),
    Reported(
        "the output's size counts the padding once",
        "course forums: (H + pad - K) // stride + 1",
        "padding counted once",
        """
def conv2d(x, weight, bias, stride=1, padding=0):
    N, C, H, W = x.shape
    O, _, KH, KW = weight.shape
    OH, OW = (H + padding - KH) // stride + 1, (W + padding - KW) // stride + 1
    x = pad(x, padding)
    out = np.zeros((N, O, OH, OW), x.dtype)
    for i in range(OH):
        for j in range(OW):
            patch = x[:, :, i * stride : i * stride + KH, j * stride : j * stride + KW]
            out[:, :, i, j] = np.einsum("nckl,ockl->no", patch, weight)
    return out + bias[:, None, None]
""",
    ),
]
