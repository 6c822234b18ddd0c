# ruff: noqa: E501 - whole statements of the solution stand in a line
"""The planted mistakes: the operation, text of `solution.py`, what replaces it (once),
and the mistake's name.
"""

SEEN = 'output[:, :, i, j] = np.einsum("nchw,ochw->no", seen, weight)'
GRAD_X = 'grad_padded[:, :, rows, columns] += np.einsum("no,ochw->nchw", g, weight)'
GRAD_W = 'grad_weight += np.einsum("no,nchw->ochw", g, padded[:, :, rows, columns])'
POOLED = "padded[:, :, i * SH : i * SH + KH, j * SW : j * SW + KW]"
WINNER = "h, w = np.unravel_index(window.argmax(), window.shape)\n        grad[n, c, i * SH + h, j * SW + w] += grad_output[n, c, i, j]"
RESHAPED = "padded = np.pad(x, ((0, 0), (0, 0), (PH, PH), (PW, PW)))\n    output"
CE_SHIFT = "shifted = logits - logits.max(axis=1, keepdims=True)"
STEP = "(m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)"

PLANTED = [
    ("conv2d", "seen, weight)", "seen, weight[:, :, ::-1, ::-1])", "kernel flipped"),
    (
        "conv2d",
        RESHAPED,
        (
            "PH = PW = 0\n    OH, OW = (H - DH * (KH - 1) - 1) // SH + 1, (W - DW * (KW - 1) - 1) // SW + 1\n    "
            "if OH < 1 or OW < 1:\n        return x\n    padded = x\n    output"
        ),
        "padding forgotten",
    ),
    ("conv2d", RESHAPED, RESHAPED.replace("(PH, PH), (PW, PW)", "(0, 2 * PH), (0, 2 * PW)"), "padding on one side"),
    (
        "conv2d",
        "top, left = i * SH, j * SW\n            seen",
        (
            "top, left = i * SW, j * SH\n            seen = 0\n            if top + DH * (KH - 1) + 1 > padded.shape[2] or left + DW * (KW - 1) + 1 > padded.shape[3]:\n"
            "                return None\n            seen"
        ),
        "stride H and W swapped",
    ),
    (
        "conv2d",
        "(SH, SW), (PH, PW), (DH, DW) = pair(stride), pair(padding), pair(dilation)\n    N, _, H, W = x.shape\n    O, _, KH, KW = weight.shape\n    OH",
        "(SH, SW), (PH, PW), (DH, DW) = pair(stride), pair(padding)[::-1], pair(dilation)\n    N, _, H, W = x.shape\n    O, _, KH, KW = weight.shape\n    OH",
        "padding H and W swapped",
    ),
    (
        "conv2d",
        "seen = padded[:, :, top : top + DH * KH : DH, left : left + DW * KW : DW]",
        "seen = padded[:, :, top : top + KH, left : left + KW]",
        "dilation ignored",
    ),
    ("conv2d", "output += bias[:, None, None]", "pass", "bias missing"),
    (
        "conv2d",
        "output += bias[:, None, None]",
        "output += bias[:, None, None] * weight[0].size",
        "bias added per product",
    ),
    (
        "conv2d",
        "        output += bias[:, None, None]\n    return output",
        "        output += bias[:, None, None]\n    return output.transpose(0, 2, 3, 1).reshape(output.shape)",
        "channels mixed up in a reshape",
    ),
    ("conv2d", '"nchw,ochw->no", seen, weight', '"nhw,ohw->no", seen[:, 0], weight[:, 0]', "only the first channel"),
    (
        "conv2d",
        "output = np.zeros((N, O, OH, OW), x.dtype)",
        "output = np.zeros((N, O, OH, OW))",
        "float32 silently float64",
    ),
    (
        "conv2d",
        "padded = np.pad(x, ((0, 0), (0, 0), (PH, PH), (PW, PW)))\n    output",
        "x += 1\n    padded = np.pad(x - 1, ((0, 0), (0, 0), (PH, PH), (PW, PW)))\n    output",
        "input modified in place",
    ),
    ("conv2d", GRAD_X, GRAD_X.replace("+=", "="), "overlap overwritten"),
    ("conv2d", GRAD_X, GRAD_X.replace("g, weight", "g, weight[:, :, ::-1, ::-1]"), "kernel flipped"),
    (
        "conv2d",
        GRAD_W,
        GRAD_W.replace('"no,nchw->ochw", g, padded', '"o,chw->ochw", g[-1], padded[-1]').replace(
            "[-1][:, :,", "[-1][:,"
        ),
        "not summed over the batch",
    ),
    ("conv2d", GRAD_W, GRAD_W.replace("+= ", "+= 1 / len(x) * "), "averaged over the batch"),
    ("conv2d", GRAD_W, GRAD_W.replace("+=", "="), "overlap overwritten"),
    (
        "conv2d",
        "grad_bias = grad_output.sum(axis=(0, 2, 3))",
        "grad_bias = grad_output[:, :, -1, -1].sum(axis=0)",
        "bias gradient of one pixel",
    ),
    (
        "conv2d",
        "grad_bias = grad_output.sum(axis=(0, 2, 3))",
        "grad_bias = grad_output[-1].sum(axis=(1, 2))",
        "not summed over the batch",
    ),
    (
        "conv2d",
        "    padded = np.pad(x, ((0, 0), (0, 0), (PH, PH), (PW, PW)))\n    grad_padded",
        "    grad_output = np.ones_like(grad_output)\n    padded = np.pad(x, ((0, 0), (0, 0), (PH, PH), (PW, PW)))\n    grad_padded",
        "grad_output ignored",
    ),
    ("max_pool2d", "constant_values=-np.inf)\n    OH", "constant_values=0)\n    OH", "maximum over padded zeros"),
    (
        "max_pool2d",
        "// SH + 1, (W + 2 * PW - KW) // SW + 1\n    output",
        "// SH, (W + 2 * PW - KW) // SW\n    output",
        "last window missing",
    ),
    ("max_pool2d", POOLED + ".max(", POOLED + ".mean(", "mean instead of maximum"),
    (
        "max_pool2d",
        WINNER,
        "grad[n, c, i * SH : i * SH + KH, j * SW : j * SW + KW] += (window == window.max()) * grad_output[n, c, i, j]",
        "gradient spread over ties",
    ),
    (
        "max_pool2d",
        WINNER,
        "won = window == window.max()\n        grad[n, c, i * SH : i * SH + KH, j * SW : j * SW + KW] += won / won.sum() * grad_output[n, c, i, j]",
        "gradient shared among ties",
    ),
    (
        "max_pool2d",
        "h, w = np.unravel_index(window.argmax(), window.shape)",
        "h, w = np.unravel_index(window.size - 1 - window.ravel()[::-1].argmax(), window.shape)",
        "gradient to the last of ties",
    ),
    ("max_pool2d", "j * SW + w] += grad_output", "j * SW + w] = grad_output", "overlap overwritten"),
    ("linear", "x @ weight.T + bias", "x @ weight.T", "bias missing"),
    ("linear", "grad_output.sum(axis=0)", "grad_output.mean(axis=0)", "averaged over the batch"),
    ("linear", "grad_output.T @ x", "x.T @ grad_output", "transposed"),
    (
        "linear",
        "def linear_backward(grad_output, x, weight):\n    return grad_output @ weight, grad_output.T @ x, grad_output.sum(axis=0)",
        (
            "kept = {}\n\n\ndef linear_backward(grad_output, x, weight):\n    key = (x.tobytes(), weight.tobytes(), grad_output.tobytes())\n    kept[key] = kept.get(key, 0) + grad_output.T @ x\n"
            "    return grad_output @ weight, kept[key].copy(), grad_output.sum(axis=0)"
        ),
        "gradient kept from the call before",
    ),
    ("relu", "np.where(output > 0", "np.where(output >= 0", "slope 1 at zero"),
    ("sigmoid", "grad_output * output * (1 - output)", "grad_output * output", "slope of sigmoid without 1 - s"),
    ("tanh", "(1 - output**2)", "(1 - np.tanh(output) ** 2)", "input taken for the output"),
    ("cross_entropy", CE_SHIFT, "shifted = logits", "softmax without shift"),
    ("cross_entropy", "target].mean()", "target].sum()", "summed instead of averaged"),
    ("cross_entropy", "p / len(target)", "p / len(target) ** 2", "averaged twice"),
    ("cross_entropy", "p[np.arange(len(target)), target] -= 1", "pass", "one-hot missing in the gradient"),
    ("mse_loss", "2 * (x - target) / x.size", "(x - target) / x.size", "factor 2 missing"),
    ("mse_loss", ").mean()", ").sum()", "summed instead of averaged"),
    ("adam", STEP, "m / (np.sqrt(v) + eps)", "no bias correction"),
    ("adam", STEP, "(m / (1 - beta1**t)) / np.sqrt(v / (1 - beta2**t) + eps)", "eps inside the root"),
    (
        "adam",
        "grad = grad + weight_decay * param",
        "param = param - lr * weight_decay * param",
        "weight decay decoupled",
    ),
    (
        "sgd",
        "momentum * velocity + grad",
        "momentum * velocity + (1 - momentum) * grad",
        "momentum buffer scaled by 1 - momentum",
    ),
    ("sgd", "param - lr * velocity", "param + lr * velocity", "gradient ascended"),
]
