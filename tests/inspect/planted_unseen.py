"""Twenty wrong implementations as people write them.

They were chosen before anything was known of how mistakes are named. Each is a file for
`python -m minicnn.agree --of`: one function with one mistake. `slip` is where it is wrong
and `repair` what belongs there, so that the rest can be shown to be right.
"""

from typing import NamedTuple


class Unseen(NamedTuple):
    """One wrong implementation."""

    name: str
    mistake: str  # in one line
    function: str
    slip: str
    repair: str

    @property
    def source(self):
        """The file that is judged."""
        return "import numpy as np\n\n" + self.function

    @property
    def repaired(self):
        """The same file without the mistake."""
        assert self.function.count(self.slip) == 1, self.name
        return self.source.replace(self.slip, self.repair)


UNSEEN = [
    Unseen(
        "conv2d bias per channel",
        "The bias is added inside the loop over the input channels: once for each channel.",
        """
def conv2d(x, w, b=None, stride=1, pad=0):
    N, C, H, W = x.shape
    F, _, kh, kw = w.shape
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    OH, OW = (H + 2 * pad - kh) // stride + 1, (W + 2 * pad - kw) // stride + 1
    out = np.zeros((N, F, OH, OW), dtype=x.dtype)
    for f in range(F):
        for c in range(C):
            for i in range(OH):
                for j in range(OW):
                    window = x[:, c, i * stride:i * stride + kh, j * stride:j * stride + kw]
                    out[:, f, i, j] += (window * w[f, c]).sum(axis=(1, 2))
            if b is not None:
                out[:, f] += b[f]
    return out
""",
        "            if b is not None:\n                out[:, f] += b[f]\n",
        "        if b is not None:\n            out[:, f] += b[f]\n",
    ),
    Unseen(
        "conv2d im2col reshape",
        "The product (F, OH * OW * N) of im2col is reshaped to (N, F, OH, OW) where it must be transposed.",
        """
def conv2d(x, w, b=None, stride=1, pad=0):
    N, C, H, W = x.shape
    F, _, kh, kw = w.shape
    xp = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)], mode="constant")
    OH, OW = (H + 2 * pad - kh) // stride + 1, (W + 2 * pad - kw) // stride + 1
    cols = np.empty((C, kh, kw, OH, OW, N), dtype=x.dtype)
    for i in range(kh):
        for j in range(kw):
            part = xp[:, :, i:i + stride * OH:stride, j:j + stride * OW:stride]
            cols[:, i, j] = part.transpose(1, 2, 3, 0)
    out = w.reshape(F, -1) @ cols.reshape(C * kh * kw, -1)
    if b is not None:
        out = out + b.reshape(-1, 1)
    return out.reshape(N, F, OH, OW)
""",
        "return out.reshape(N, F, OH, OW)",
        "return out.reshape(F, OH, OW, N).transpose(3, 0, 1, 2)",
    ),
    Unseen(
        "conv2d groups interleaved",
        "Filter f reads group f % groups, where consecutive filters share a group: f // (filters per group).",
        """
def conv2d(input, weight, bias=None, stride=1, padding=0, groups=1):
    n, c, h, w = input.shape
    filters, per_group, kh, kw = weight.shape
    padded = np.pad(input, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    oh, ow = (h + 2 * padding - kh) // stride + 1, (w + 2 * padding - kw) // stride + 1
    output = np.zeros((n, filters, oh, ow), input.dtype)
    for f in range(filters):
        g = f % groups
        channels = padded[:, g * per_group:(g + 1) * per_group]
        for i in range(oh):
            for j in range(ow):
                region = channels[:, :, i * stride:i * stride + kh, j * stride:j * stride + kw]
                output[:, f, i, j] = np.sum(region * weight[f], axis=(1, 2, 3))
        if bias is not None:
            output[:, f] += bias[f]
    return output
""",
        "g = f % groups",
        "g = f // (filters // groups)",
    ),
    Unseen(
        "conv2d_backward mean over the batch",
        "The gradient of the weights is divided by the batch size, which the loss has already done.",
        """
def conv2d_backward(dout, x, w, stride=1, pad=0):
    N, C, H, W = x.shape
    (F, _, HH, WW), (OH, OW) = w.shape, dout.shape[2:]
    x_pad = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dx_pad, dw = np.zeros_like(x_pad), np.zeros_like(w)
    for n in range(N):
        for f in range(F):
            for i in range(OH):
                for j in range(OW):
                    r, s = i * stride, j * stride
                    dw[f] += x_pad[n, :, r:r + HH, s:s + WW] * dout[n, f, i, j]
                    dx_pad[n, :, r:r + HH, s:s + WW] += w[f] * dout[n, f, i, j]
    dw /= N
    db = dout.sum(axis=(0, 2, 3))
    return dx_pad[:, :, pad:pad + H, pad:pad + W], dw, db
""",
        "    dw /= N\n",
        "",
    ),
    Unseen(
        "conv2d_backward crop of no padding",
        "dx[:, :, pad:-pad, pad:-pad] takes the padding away, and is empty where the padding is 0.",
        """
def conv2d_backward(dout, x, w, stride=1, pad=0):
    F, C, HH, WW = w.shape
    x_pad = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), "constant")
    dx_pad, dw = np.zeros(x_pad.shape, x.dtype), np.zeros(w.shape, w.dtype)
    for i in range(dout.shape[2]):
        for j in range(dout.shape[3]):
            rows, cols = slice(i * stride, i * stride + HH), slice(j * stride, j * stride + WW)
            d = dout[:, :, i, j]
            dw += np.tensordot(d, x_pad[:, :, rows, cols], axes=(0, 0))
            dx_pad[:, :, rows, cols] += np.tensordot(d, w, axes=(1, 0))
    dx = dx_pad[:, :, pad:-pad, pad:-pad]
    return dx, dw, np.sum(dout, axis=(0, 2, 3))
""",
        "pad:-pad, pad:-pad]",
        "pad:x_pad.shape[2] - pad, pad:x_pad.shape[3] - pad]",
    ),
    Unseen(
        "conv2d_backward size computed back",
        "dx gets the size (OH - 1) * stride + k - 2 * pad: where the stride does not divide, rows are missing.",
        """
def conv2d_backward(dout, x, w, stride=1, pad=0):
    N, C, H, W = x.shape
    (F, _, kh, kw), (OH, OW) = w.shape, dout.shape[2:]
    H, W = (OH - 1) * stride + kh - 2 * pad, (OW - 1) * stride + kw - 2 * pad
    dx = np.zeros((N, C, H + 2 * pad, W + 2 * pad), dtype=x.dtype)
    dw = np.zeros_like(w)
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    for i in range(kh):
        for j in range(kw):
            seen = np.s_[:, :, i:i + stride * (OH - 1) + 1:stride, j:j + stride * (OW - 1) + 1:stride]
            dx[seen] += np.einsum("nfhw,fc->nchw", dout, w[:, :, i, j])
            dw[:, :, i, j] = np.einsum("nfhw,nchw->fc", dout, xp[seen])
    return dx[:, :, pad:pad + H, pad:pad + W], dw, dout.sum((0, 2, 3))
""",
        "    H, W = (OH - 1) * stride + kh - 2 * pad, (OW - 1) * stride + kw - 2 * pad\n",
        "",
    ),
    Unseen(
        "max_pool2d starts at 0",
        "The running maximum starts at 0: a window of negative numbers gives 0.",
        """
def max_pool2d(x, kernel_size, stride=None):
    stride = stride or kernel_size
    N, C, H, W = x.shape
    OH, OW = (H - kernel_size) // stride + 1, (W - kernel_size) // stride + 1
    out = np.zeros((N, C, OH, OW), dtype=x.dtype)
    for i in range(kernel_size):
        for j in range(kernel_size):
            part = x[:, :, i:i + stride * OH:stride, j:j + stride * OW:stride]
            out = np.maximum(out, part[:, :, :OH, :OW])
    return out
""",
        "out = np.zeros((N, C, OH, OW), dtype=x.dtype)",
        "out = np.full((N, C, OH, OW), -np.inf, dtype=x.dtype)",
    ),
    Unseen(
        "max_pool2d stride 1",
        "Without a stride the windows move by 1; they must move by the size of the window.",
        """
def max_pool2d(x, kernel_size, stride=None):
    stride = 1 if stride is None else stride
    N, C, H, W = x.shape
    OH, OW = (H - kernel_size) // stride + 1, (W - kernel_size) // stride + 1
    out = np.zeros((N, C, OH, OW), dtype=x.dtype)
    for i in range(OH):
        for j in range(OW):
            top, left = i * stride, j * stride
            out[:, :, i, j] = x[:, :, top:top + kernel_size, left:left + kernel_size].max(axis=(2, 3))
    return out
""",
        "1 if stride is None",
        "kernel_size if stride is None",
    ),
    Unseen(
        "max_pool2d_backward over channels",
        "The maximum is taken over the window of all channels: only one channel gets a gradient.",
        """
def max_pool2d_backward(dout, x, kernel_size, stride=None):
    stride = stride or kernel_size
    dx = np.zeros_like(x)
    N, C, OH, OW = dout.shape
    for n in range(N):
        for i in range(OH):
            for j in range(OW):
                top, left = i * stride, j * stride
                window = x[n, :, top:top + kernel_size, left:left + kernel_size]
                c, r, s = np.unravel_index(window.argmax(), window.shape)
                dx[n, c, top + r, left + s] += dout[n, c, i, j]
    return dx
""",
        """                c, r, s = np.unravel_index(window.argmax(), window.shape)
                dx[n, c, top + r, left + s] += dout[n, c, i, j]
""",
        """                for c in range(C):
                    r, s = np.unravel_index(window[c].argmax(), window[c].shape)
                    dx[n, c, top + r, left + s] += dout[n, c, i, j]
""",
    ),
    Unseen(
        "linear reshape for transpose",
        "The weights (out, in) are reshaped to (in, out), not transposed: the right shape, other numbers.",
        """
def linear(x, weight, bias=None):
    n_out, n_in = weight.shape
    y = x @ weight.reshape(n_in, n_out)
    return y if bias is None else y + bias
""",
        "weight.reshape(n_in, n_out)",
        "weight.T",
    ),
    Unseen(
        "linear_backward weights transposed",
        "The gradient of the weights is x.T @ dout, (in, out): right for x @ W, transposed for x @ W.T.",
        """
def linear_backward(dout, x, w):
    dx = dout @ w
    dw = x.T @ dout
    db = dout.sum(axis=0)
    return dx, dw, db
""",
        "x.T @ dout",
        "dout.T @ x",
    ),
    Unseen(
        "relu_backward at 0",
        "The slope is 1 where output >= 0, which is everywhere: the gradient passes unchanged.",
        """
def relu_backward(grad_output, output):
    return np.where(output >= 0, grad_output, 0).astype(grad_output.dtype)
""",
        "output >= 0",
        "output > 0",
    ),
    Unseen(
        "cross_entropy overflow",
        "exp of the logits without their maximum subtracted: large logits overflow to inf / inf.",
        """
def cross_entropy(input, target):
    with np.errstate(all="ignore"):
        e = np.exp(input)
        p = e / e.sum(axis=1, keepdims=True)
        return -np.mean(np.log(p[np.arange(len(target)), target]))
""",
        """        e = np.exp(input)
        p = e / e.sum(axis=1, keepdims=True)
        return -np.mean(np.log(p[np.arange(len(target)), target]))
""",
        """        z = input - input.max(axis=1, keepdims=True)
        z = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        return -np.mean(z[np.arange(len(target)), target])
""",
    ),
    Unseen(
        "cross_entropy 1e-7 in the logarithm",
        "log(p + 1e-7) against log(0): the loss is off by a little, and never above 16.",
        """
def cross_entropy(input, target):
    z = input - np.max(input, axis=1, keepdims=True)
    e, rows = np.exp(z), np.arange(input.shape[0])
    total = e.sum(axis=1)
    return np.mean(-np.log(e[rows, target] / total + 1e-7))
""",
        "-np.log(e[rows, target] / total + 1e-7)",
        "np.log(total) - z[rows, target]",
    ),
    Unseen(
        "cross_entropy_backward all rows",
        "p[:, target] -= 1 takes 1 from every row at all targets; p[arange(N), target] is each row's own.",
        """
def cross_entropy_backward(grad_output, input, target):
    N = input.shape[0]
    p = np.exp(input - input.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[:, target] -= 1
    return grad_output * p / N
""",
        "p[:, target]",
        "p[np.arange(N), target]",
    ),
    Unseen(
        "adam keeps the corrected moments",
        "The bias correction is written back into the moments, so that it accumulates from step to step.",
        """
def adam(param, grad, m, v, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    grad = grad + weight_decay * param
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad ** 2
    m = m / (1 - beta1 ** t)
    v = v / (1 - beta2 ** t)
    param = param - lr * m / (np.sqrt(v) + eps)
    return param, m, v
""",
        """    m = m / (1 - beta1 ** t)
    v = v / (1 - beta2 ** t)
    param = param - lr * m / (np.sqrt(v) + eps)
""",
        """    m_hat = m / (1 - beta1 ** t)
    v_hat = v / (1 - beta2 ** t)
    param = param - lr * m_hat / (np.sqrt(v_hat) + eps)
""",
    ),
    Unseen(
        "adam correction without the power",
        "The correction divides by 1 - beta, not by 1 - beta ** t: right in the first step only.",
        """
def adam(param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay):
    grad = grad + weight_decay * param
    exp_avg = beta1 * exp_avg + (1 - beta1) * grad
    exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * grad * grad
    m_hat, v_hat = exp_avg / (1 - beta1), exp_avg_sq / (1 - beta2)
    return param - lr * m_hat / (np.sqrt(v_hat) + eps), exp_avg, exp_avg_sq
""",
        "exp_avg / (1 - beta1), exp_avg_sq / (1 - beta2)",
        "exp_avg / (1 - beta1 ** step), exp_avg_sq / (1 - beta2 ** step)",
    ),
    Unseen(
        "sgd velocity with lr",
        "v = momentum * v - lr * grad, as in cs231n: the buffer holds -lr times what torch's holds.",
        """
def sgd(param, grad, momentum_buffer, lr, momentum=0.0, weight_decay=0.0):
    grad = grad + weight_decay * param
    v = momentum * momentum_buffer - lr * grad
    return param + v, v
""",
        """    v = momentum * momentum_buffer - lr * grad
    return param + v, v
""",
        """    v = momentum * momentum_buffer + grad
    return param - lr * v, v
""",
    ),
    Unseen(
        "conv_transpose2d padding as in conv2d",
        "The padding is added around the output, as conv2d adds it to the input; it must be cut off.",
        """
def conv_transpose2d(x, w, b=None, stride=1, padding=0):
    N, C, H, W = x.shape
    _, F, kh, kw = w.shape
    full = np.zeros((N, F, (H - 1) * stride + kh, (W - 1) * stride + kw), dtype=x.dtype)
    for i in range(H):
        for j in range(W):
            patch = np.tensordot(x[:, :, i, j], w, axes=(1, 0))
            full[:, :, i * stride:i * stride + kh, j * stride:j * stride + kw] += patch
    out = np.pad(full, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    return out if b is None else out + b[:, None, None]
""",
        "out = np.pad(full, ((0, 0), (0, 0), (padding, padding), (padding, padding)))",
        "out = full[:, :, padding:full.shape[2] - padding, padding:full.shape[3] - padding]",
    ),
    Unseen(
        "conv_transpose2d kernel not turned",
        "Zeros are put between the pixels and conv2d is run on that, without turning the kernel by 180 degrees.",
        """
def conv_transpose2d(x, w, b=None, stride=1, padding=0):
    (N, C, H, W), (_, F, kh, kw) = x.shape, w.shape
    spread = np.zeros((N, C, (H - 1) * stride + 1, (W - 1) * stride + 1), dtype=x.dtype)
    spread[:, :, ::stride, ::stride] = x
    spread = np.pad(spread, ((0, 0), (0, 0), (kh - 1, kh - 1), (kw - 1, kw - 1)))
    kernel = w
    OH, OW = spread.shape[2] - kh + 1, spread.shape[3] - kw + 1
    out = np.zeros((N, F, OH, OW), dtype=x.dtype)
    for i in range(kh):
        for j in range(kw):
            out += np.einsum("nchw,cf->nfhw", spread[:, :, i:i + OH, j:j + OW], kernel[:, :, i, j])
    out = out[:, :, padding:OH - padding, padding:OW - padding]
    return out if b is None else out + b[None, :, None, None]
""",
        "kernel = w\n",
        "kernel = w[:, :, ::-1, ::-1]\n",
    ),
]
