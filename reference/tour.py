# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     notebook_metadata_filter: -jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A tour of minicnn
#
# A course notebook introduces convolutional networks with torch: convolution, max
# pooling, transposed convolution, ReLU, linear layers, then a small network that learns
# handwritten digits, and two exercises. This tour goes through the same sections in the
# same order. Each torch cell is followed by the minicnn cell that does the same, and
# each pair ends in a check: it prints how far the two results are apart, and the
# notebook stops if they differ.
#
# On the way it adds what such an introduction has to leave out: the complete formula
# for sizes, what `backward` does, where the parameters and the arithmetic are, and some
# common misconceptions.
#
# | section | what you can explain afterwards |
# |---|---|
# | 1 Convolution | output sizes, pixels that nobody sees, both gradients, im2col |
# | 2 Max pooling | who gets the gradient; what pooling does not do |
# | 3 Transposed convolution | why it is a gradient and no inverse; `output_padding` |
# | 4 ReLU and 5 Linear | why the bend is needed; a gradient as a matrix product |
# | 6 SimpleCNN | where parameters and arithmetic are, the loss, the training loop, results |
# | 7 Odd or even | one sigmoid neuron, and an accuracy that never moves |
# | 8 A generator | from (N, latent_dim) to (N, 3, 100, 100) |
# | 9 Your own layer | about ten lines, checked, trained |
#
# You need minicnn with torch, and some minutes. In a clone: `pip install -e '.[tour]'`, then
# `jupyter lab reference/tour.ipynb`. In Colab: open this notebook, and run in a cell above it
# `!git clone -q ADDRESS minicnn && pip install -q ./minicnn`, with the repository's address.

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

import minicnn
from minicnn.kernels.numpy_textbook.convolution import im2col

# The course's network in torch: simple_cnn.py, beside this notebook or in a clone below.
for folder in (Path(), *Path().glob("reference"), *Path().glob("*/reference")):
    sys.path.append(str(folder.resolve()))
from simple_cnn import SimpleCNN as TorchSimpleCNN
from simple_cnn import load_images

torch.set_num_threads(2)
plt.rcParams.update({"figure.dpi": 80, "font.size": 10, "axes.spines.top": False, "axes.spines.right": False})

# %% [markdown]
# Two helpers. `agree` compares two arrays and measures their largest difference in
# units of the largest element; what it prints is that figure, rounded up to a power of
# ten. `must` states a claim and stops if it is not so.


# %%
def agree(what, ours, theirs, allowed=1e-5):
    """Print how far two results are apart, and fail if it is more than allowed."""
    ours, theirs = np.asarray(ours), torch.as_tensor(theirs).detach().numpy()
    if (ours.shape, ours.dtype) != (theirs.shape, theirs.dtype):
        raise AssertionError(f"{what}: {ours.shape} {ours.dtype} against {theirs.shape} {theirs.dtype}")
    if np.array_equal(ours, theirs):
        return print(f"{what}: equal")
    gap = np.abs(ours.astype(float) - theirs).max() / np.abs(theirs).max()
    if not gap <= allowed:  # said like this, it catches NaN too
        raise AssertionError(f"{what}: they differ by {gap:.1e}, allowed is {allowed:.0e}")
    return print(f"{what}: largest difference below {10.0 ** np.ceil(np.log10(gap)):.0e}, allowed {allowed:.0e}")


def must(claim, holds):
    """State a claim, and fail if it does not hold."""
    if not holds:
        raise AssertionError(f"It does not hold that {claim}")
    print(f"It holds that {claim}")


# %% [markdown]
# ## 1 Convolution
#
# A small window of weights slides over the image. At each place the numbers under it
# are multiplied by the weights and summed:
#
# $$\text{output}[i, j] = \sum_{k_h, k_w} \text{weight}[k_h, k_w] \cdot \text{input}[i +
# k_h,\ j + k_w]$$
#
# Small integers can be done by hand. In the example the upper left output is
# $1 \cdot 1 + 2 \cdot (-1) + 3 \cdot 2 + 1 \cdot 3 = 8$.

# %%
# torch
image = [[1, 2, 0], [3, 1, 4], [0, 2, 5]]
kernel = [[1, -1], [2, 3]]
x, weight = torch.tensor([[image]]), torch.tensor([[kernel]])  # (N, C, H, W) and (O, C, KH, KW)
theirs = torch.nn.functional.conv2d(x, weight)
print(theirs[0, 0])

# %%
# minicnn
x, weight = np.array([[image]]), np.array([[kernel]])
ours = minicnn.nn.functional.conv2d(x, weight)
print(ours[0, 0])
agree("output", ours, theirs)

# %% [markdown]
# **It is cross-correlation.** What mathematicians call convolution turns the kernel
# round first. `np.convolve` does, `conv2d` does not. As the weights are learnt, a
# network can do the same either way: it would learn the kernel turned round. It matters
# when you write a kernel by hand.

# %%
# torch
row, taps = [1, 2, 3, 4], [1, 10]
theirs = torch.nn.functional.conv1d(torch.tensor([[row]]), torch.tensor([[taps]]))
print("conv1d     ", theirs.flatten().tolist())
print("np.convolve", np.convolve(row, taps, mode="valid").tolist())

# %%
# minicnn
ours = minicnn.nn.functional.conv2d(np.array([[[row]]]), np.array([[[taps]]]))
agree("conv2d of one row", ours[0, 0, 0], theirs[0, 0])
turned = minicnn.nn.functional.conv2d(np.array([[[row]]]), np.array([[[taps[::-1]]]]))
agree("with the kernel turned round, np.convolve", turned[0, 0, 0], np.convolve(row, taps, mode="valid"))

# %% [markdown]
# Kernels written by hand find edges. The first one answers where brightness changes
# from left to right, the second from top to bottom; the third averages.

# %%
# torch
hand_made = [[[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], [[-1, -2, -1], [0, 0, 0], [1, 2, 1]], [[1 / 9] * 3] * 3]
seven = load_images(train=False, size=1)[0]  # the first test image, (1, 1, 28, 28)
theirs = torch.nn.functional.conv2d(seven, torch.tensor(hand_made)[:, None], padding=1)

# %%
# minicnn
digit = minicnn.data.MNIST(train=False).batch([0])[0]
ours = minicnn.nn.functional.conv2d(digit, np.array(hand_made, np.float32)[:, None], padding=1)
agree("three filtered images", ours, theirs)

figure, grid = plt.subplots(1, 4, figsize=(9, 2.5), layout="constrained")
for axes, title, picture in zip(
    grid, ["the image", "left to right", "top to bottom", "average"], [digit[0, 0], *ours[0]], strict=True
):
    axes.imshow(picture, cmap="gray", vmin=-4 if "to" in title else 0, vmax=4 if "to" in title else 1)
    axes.set_title(title)
    axes.set_axis_off()
plt.show()

# %% [markdown]
# ### The layer
#
# `Conv2d` owns its weights. With several input channels the window is as deep as the
# input, and one filter sums over all of it; each filter makes one output channel. The
# names, the arguments and the initial weights are the same: from the same seed both
# libraries draw the same numbers, bit for bit.

# %%
# torch
torch.manual_seed(0)
their_layer = torch.nn.Conv2d(3, 8, kernel_size=3, stride=2, padding=1)
batch = np.random.default_rng(0).standard_normal((4, 3, 15, 15)).astype(np.float32)
theirs = their_layer(torch.tensor(batch))
print(their_layer, tuple(theirs.shape))

# %%
# minicnn
minicnn.manual_seed(0)
our_layer = minicnn.nn.Conv2d(3, 8, kernel_size=3, stride=2, padding=1)
ours = our_layer(batch)
print(our_layer, ours.shape)
agree("initial weights", our_layer.weight.data, their_layer.weight)
agree("initial biases", our_layer.bias.data, their_layer.bias)
agree("output", ours, theirs)

# %% [markdown]
# ### How large is the output?
#
# Introductions often give $(H - K + 2P) / S + 1$. Two things are missing. With dilation
# $D$ the window spans $D (K - 1) + 1$ pixels instead of $K$. And the division need not
# come out even: then it is rounded down.
#
# $$OH = \left\lfloor \frac{H + 2P - D\,(K - 1) - 1}{S} \right\rfloor + 1$$

# %%
# torch
settings = [(28, 5, 1, 2, 1), (28, 2, 2, 0, 1), (28, 3, 2, 0, 1), (28, 3, 2, 1, 1), (28, 3, 1, 0, 2), (28, 5, 3, 2, 2)]
theirs = []
for H, K, S, P, D in settings:
    layer = torch.nn.Conv2d(1, 1, K, stride=S, padding=P, dilation=D)
    theirs.append(layer(torch.zeros(1, 1, H, H)).shape[-1])

# %%
# minicnn
ours, by_formula = [], []
print("  H  K  S  P  D    short   full   torch  minicnn")
for (H, K, S, P, D), torchs_size in zip(settings, theirs, strict=True):
    layer = minicnn.nn.Conv2d(1, 1, K, stride=S, padding=P, dilation=D)
    ours.append(layer(np.zeros((1, 1, H, H), np.float32)).shape[-1])
    by_formula.append((H + 2 * P - D * (K - 1) - 1) // S + 1)
    short = (H - K + 2 * P) / S + 1
    print(f"{H:3}{K:3}{S:3}{P:3}{D:3} {short:8.2f} {by_formula[-1]:6} {torchs_size:7} {ours[-1]:8}")
must("the full formula gives every size", ours == theirs == by_formula)

# %% [markdown]
# Rounding down has a consequence: some pixels are seen by no window. Here a window of 3
# moves in steps of 2 over 6 columns. It fits twice, and the last column and the last
# row are left over. The gradient shows it. It says how much the sum of all outputs
# changes with each pixel: the pixels at the edge get 0.

# %%
# torch
x = torch.zeros(1, 1, 6, 6, requires_grad=True)
torch.nn.functional.conv2d(x, torch.ones(1, 1, 3, 3), stride=2).sum().backward()
theirs = x.grad

# %%
# minicnn
x, ones = np.zeros((1, 1, 6, 6), np.float32), np.ones((1, 1, 3, 3), np.float32)
grad_output = np.ones((1, 1, 2, 2), np.float32)  # the sum of all outputs changes by 1 with each of them
ours = minicnn.nn.functional.conv2d_backward(grad_output, x, ones, stride=2)[0]
print(ours[0, 0].astype(int))
agree("gradient to the input", ours, theirs)

# %% [markdown]
# A window that does not fit is an error, and the message does the sum for you:

# %%
try:
    minicnn.nn.Conv2d(1, 1, kernel_size=5, dilation=2)(np.zeros((1, 1, 8, 8), np.float32))
except RuntimeError as error:
    print(error)

# %% [markdown]
# ### What backward does
#
# Training needs to know how the loss $L$ changes with each weight. `backward` receives
# the gradient with respect to the output, $g[i, j] = \partial L / \partial\,
# \text{output}[i, j]$, and passes it on. The question is always the same: **which
# outputs does this number touch, and with which factor?** Their gradients, each times
# its factor, are summed.
#
# * A weight touches every output; its factor is the input that lay under it.
# * An input pixel touches the outputs whose window covers it; its factor is the weight
#   that lay on it.
# * The bias touches every output with factor 1.
#
# Take the image and the kernel from above, and some gradient $g$:
#
# $$\text{input} = \begin{pmatrix}1&2&0\\3&1&4\\0&2&5\end{pmatrix}\quad
# \text{weight} = \begin{pmatrix}1&-1\\2&3\end{pmatrix}\quad
# g = \begin{pmatrix}1&2\\3&-1\end{pmatrix}$$
#
# The upper left weight lies on the pixels 1, 2, 3, 1 in turn. So its gradient is $1
# \cdot 1 + 2 \cdot 2 + 3 \cdot 3 - 1 \cdot 1 = 13$. The pixel in the middle is seen by
# all four windows, under the weights 3, 2, -1, 1. So its gradient is $1 \cdot 3 + 2
# \cdot 2 + 3 \cdot (-1) - 1 \cdot 1 = 3$. For all of them at once, go through the
# products in the order in which forward makes them:

# %%
image, kernel, g = np.array(image, float), np.array(kernel, float), np.array([[1.0, 2.0], [3.0, -1.0]])

grad_image, grad_kernel, grad_bias = np.zeros((3, 3)), np.zeros((2, 2)), 0.0
for i, j in np.ndindex(2, 2):  # forward: output[i, j] = bias + the sum over kh and kw of ...
    grad_bias += g[i, j]
    for kh, kw in np.ndindex(2, 2):  # ... kernel[kh, kw] * image[i + kh, j + kw]
        grad_kernel[kh, kw] += g[i, j] * image[i + kh, j + kw]
        grad_image[i + kh, j + kw] += g[i, j] * kernel[kh, kw]

print("to the weights\n", grad_kernel)
print("to the input\n", grad_image)
print("to the bias\n", grad_bias)
must("the two sums done by hand are right", grad_kernel[0, 0] == 13 and grad_image[1, 1] == 3)

# %%
# torch
x, weight = (torch.tensor(a[None, None], requires_grad=True) for a in (image, kernel))
bias = torch.zeros(1, dtype=torch.float64, requires_grad=True)
torch.nn.functional.conv2d(x, weight, bias).backward(torch.tensor(g[None, None]))

# %%
# minicnn
gradients = minicnn.nn.functional.conv2d_backward(g[None, None], image[None, None], kernel[None, None])
for name, ours, by_hand, tensor in zip(
    ["input", "weight", "bias"], gradients, [grad_image, grad_kernel, grad_bias], [x, weight, bias], strict=True
):
    agree(f"gradient to the {name}, minicnn and autograd", ours, tensor.grad)
    agree(f"gradient to the {name}, by hand and autograd", np.reshape(by_hand, tensor.shape), tensor.grad)

# %% [markdown]
# torch records each operation during forward and works out the gradients from the
# record. minicnn has no such tape: each layer keeps what it will need in `forward`, and
# `backward` stands directly below it in the source. The larger layer from above, with a
# random gradient:

# %%
# torch
x = torch.tensor(batch, requires_grad=True)
theirs = their_layer(x)
grad_output = np.random.default_rng(1).standard_normal(tuple(theirs.shape)).astype(np.float32)
theirs.backward(torch.tensor(grad_output))

# %%
# minicnn
our_layer(batch)
grad_input = our_layer.backward(grad_output)
agree("gradient to the input", grad_input, x.grad)
agree("gradient to the weights", our_layer.weight.grad, their_layer.weight.grad)
agree("gradient to the biases", our_layer.bias.grad, their_layer.bias.grad)

# %% [markdown]
# ### Convolution as one matrix product: im2col
#
# Write the pixels under each window as one column. Side by side the columns form a
# matrix, and convolution is a matrix product: the kernel as a row, times the columns.
# Numbers are copied (a pixel seen by four windows stands in four columns), but matrix
# products are what computers do best.
#
# The gradients follow from the product rule: $\text{rows}^T g$ goes back to the
# columns, and each entry is added to the pixel from which it was copied. That is the
# textbook kernel set of minicnn, almost line for line.

# %%
# torch
theirs = torch.nn.functional.unfold(torch.tensor(image[None, None]), kernel_size=2)
print(theirs[0])

# %%
# minicnn
geometry = minicnn.geometry.conv2d((1, 1, 3, 3), (1, 1, 2, 2))  # input and weight shapes; sizes, checked
cols = im2col(image[None, None], geometry)  # (N, C KH KW, OH OW)
agree("patch matrix", cols, theirs)
print("kernel as a row", kernel.reshape(1, -1), "times the columns", kernel.reshape(1, -1) @ cols[0])
output = minicnn.nn.functional.conv2d(image[None, None], kernel[None, None])
must("the product is the convolution", np.array_equal(kernel.reshape(1, -1) @ cols[0], output.reshape(1, -1)))

# %% [markdown]
# ## 2 Max pooling
#
# The largest number under each window, in each channel by itself. Its size formula is
# convolution's. Backward: an output is a copy of the element that won, so this element
# gets the whole gradient and the others get nothing.

# %%
# torch
plane = np.array([[1, 5, 2, 0], [3, 4, 8, 8], [7, 0, 1, 1], [2, 6, 3, 9]], np.float32)
x = torch.tensor(plane[None, None], requires_grad=True)
theirs = torch.nn.MaxPool2d(2)(x)
theirs.backward(torch.tensor([[[[10.0, 20.0], [30.0, 40.0]]]]))

# %%
# minicnn
pool = minicnn.nn.MaxPool2d(2)
ours = pool(plane[None, None])
grad_input = pool.backward(np.array([[[[10, 20], [30, 40]]]], np.float32))
print("output\n", ours[0, 0].astype(int))
print("gradient to the input (of the two 8s the first one wins)\n", grad_input[0, 0].astype(int))
agree("output", ours, theirs)
agree("gradient to the input", grad_input, x.grad)

# %% [markdown]
# **"Pooling reduces the parameters."** A pooling layer has none, and the convolutions
# around it keep theirs: a 5x5 kernel is a 5x5 kernel on an image of any size. What
# shrinks is the image, and with it the *next linear layer*, whose weights are counted
# in pixels. Count them for the network of section 6:

# %%
# torch
theirs = [sum(p.numel() for p in torch.nn.Linear(32 * side**2, 128).parameters()) for side in (28, 14, 7)]

# %%
# minicnn
ours = [sum(p.size for p in minicnn.nn.Linear(32 * side**2, 128).parameters()) for side in (28, 14, 7)]
for name, count in zip(["without pooling", "pooled once", "pooled twice"], ours, strict=True):
    print(f"{name:16} the linear layer has {count:10,} parameters")
must("a pooling layer has no parameters", not list(pool.parameters()))
agree("counts", ours, theirs)

# %% [markdown]
# **"Pooling makes the network invariant to translation."** It forgives small shifts,
# some of the time. Move a single bright pixel to the right. As long as it stays in its
# window nothing changes; when it crosses into the next one the output moves too.
# Section 6 measures what shifted digits do to the trained network.

# %%
# torch
dots = np.zeros((4, 1, 2, 8), np.float32)
dots[range(4), 0, 0, range(4)] = 1  # image s: the bright pixel in column s
theirs = torch.nn.MaxPool2d(2)(torch.tensor(dots))

# %%
# minicnn
ours = minicnn.nn.MaxPool2d(2)(dots)
for shift in range(4):
    print(f"pixel in column {shift}: pooled {ours[shift, 0, 0].astype(int)}")
agree("pooled", ours, theirs)
must(
    "a shift from column 0 to 1 is forgiven, one from 1 to 2 is not",
    (ours[0] == ours[1]).all() and (ours[1] != ours[2]).any(),
)

# %% [markdown]
# ## 3 Transposed convolution
#
# Now the arrows turn round. Each input pixel stamps the kernel, times its value, onto
# the output; stamps that overlap add up. The course's example, with integers:
#
# $$0 \cdot \begin{pmatrix}0&1\\2&3\end{pmatrix},\quad 1 \cdot
# \begin{pmatrix}0&1\\2&3\end{pmatrix},\quad 2 \cdot
# \begin{pmatrix}0&1\\2&3\end{pmatrix},\quad 3 \cdot
# \begin{pmatrix}0&1\\2&3\end{pmatrix}$$
#
# are laid down upper left, upper right, lower left, lower right. The middle collects
# $0 \cdot 3 + 1 \cdot 2 + 2 \cdot 1 + 3 \cdot 0 = 4$.

# %%
# torch
x = torch.tensor([[[[0, 1], [2, 3]]]])
theirs = torch.nn.functional.conv_transpose2d(x, x)
print(theirs)

# %%
# minicnn
x = np.array([[[[0, 1], [2, 3]]]])
ours = minicnn.nn.functional.conv_transpose2d(x, x)
print(ours)
agree("the course's example", ours, theirs)

stamped = np.zeros((3, 3), int)
for i, j in np.ndindex(2, 2):
    stamped[i : i + 2, j : j + 2] += x[0, 0, i, j] * x[0, 0]
must("stamping by hand gives the same", np.array_equal(stamped, ours[0, 0]))

# %% [markdown]
# ### It is convolution's gradient
#
# Stamping is what section 1 did to find the gradient to the input: `grad_image[i + kh,
# j + kw] += g[i, j] * kernel[kh, kw]`. So the forward pass of transposed convolution
# *is* the backward pass of convolution. As matrices: convolution is linear in the
# image, so there is a matrix $M$ with $\text{output} = M \cdot \text{input}$. Its
# gradient multiplies by $M^T$, and so does transposed convolution; hence the name.

# %%
# torch
large = torch.zeros(1, 1, 3, 3, requires_grad=True, dtype=torch.float64)  # its values do not matter
weight = torch.tensor(kernel[None, None])
torch.nn.functional.conv2d(large, weight).backward(torch.tensor(g[None, None]))
theirs = torch.nn.functional.conv_transpose2d(torch.tensor(g[None, None]), weight)
print("torch's convolution, backward, gives its transposed convolution:", torch.equal(large.grad, theirs))

# %%
# minicnn
ours = minicnn.nn.functional.conv_transpose2d(g[None, None], kernel[None, None])
agree("transposed convolution", ours, theirs)
agree("convolution, backward", ours, large.grad)

units = np.eye(9).reshape(9, 1, 3, 3)  # nine images with one bright pixel each
M = minicnn.nn.functional.conv2d(units, kernel[None, None]).reshape(9, 4).T
print("M\n", M)
must("transposed convolution multiplies by M transposed", np.array_equal(M.T @ g.ravel(), ours.ravel()))

# %% [markdown]
# ### It is no inverse
#
# Some call it deconvolution, which promises too much. Transposed convolution gives back
# the *shape* of the convolution's input, not its values: nine pixels became four
# numbers, and no rule can get nine numbers back from four.

# %%
# torch
small = torch.nn.functional.conv2d(torch.tensor(image[None, None]), weight)
theirs = torch.nn.functional.conv_transpose2d(small, weight)

# %%
# minicnn
small = minicnn.nn.functional.conv2d(image[None, None], kernel[None, None])
ours = minicnn.nn.functional.conv_transpose2d(small, kernel[None, None])
print("the image\n", image)
print("there and back\n", ours[0, 0])
agree("there and back", ours, theirs)
must("the shape came back and the image did not", ours[0, 0].shape == image.shape and (ours[0, 0] != image).any())

# %% [markdown]
# ### Sizes, and what `output_padding` is for
#
# Solve convolution's formula for its input:
#
# $$OH = (H - 1)\,S - 2P + D\,(K - 1) + 1 + \text{output\_padding}$$
#
# The last term is there because of the floor. With kernel 3, stride 2, padding 1 a
# convolution takes 49 pixels to 25, and 50 pixels to 25 as well. On the way back from
# 25 somebody has to say which one is meant: `output_padding=0` means 49,
# `output_padding=1` means 50. In spite of its name it pads nothing with zeros; it
# computes one more row and column.
#
# So 13 pixels can become 100: $13 \to 25 \to 50 \to 100$. Section 8 builds a generator
# in this way.

# %%
# torch
steps = [(13, 0), (25, 1), (50, 1)]  # (size, output_padding)
theirs = []
for size, extra in steps:
    up = torch.nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1, output_padding=extra)
    theirs.append(up(torch.zeros(1, 1, size, size)).shape[-1])

# %%
# minicnn
ours = []
for size, extra in steps:
    up = minicnn.nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1, output_padding=extra)
    ours.append(up(np.zeros((1, 1, size, size), np.float32)).shape[-1])
    print(f"({size} - 1) * 2 - 2 * 1 + 1 * (3 - 1) + 1 + {extra} = {ours[-1]}")
agree("sizes", ours, theirs)
must("they lead from 13 to 100", ours == [25, 50, 100])
try:
    minicnn.nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1, output_padding=2)
except ValueError as error:
    print(error)

# %% [markdown]
# **Checkerboards.** Count the stamps that each output pixel gets, by stamping ones.
# With kernel 3 and stride 2 the counts alternate, and pictures made in this way tend to
# show a fine checkerboard. When the stride divides the kernel size, as 2 divides 4, the
# counts are even away from the edge.

# %%
# torch
theirs = [
    torch.nn.functional.conv_transpose2d(torch.ones(1, 1, 4, 4), torch.ones(1, 1, K, K), stride=2) for K in (3, 4)
]

# %%
# minicnn
for K, counts in zip((3, 4), theirs, strict=True):
    one = np.ones((1, 1, 4, 4), np.float32)
    ours = minicnn.nn.functional.conv_transpose2d(one, np.ones((1, 1, K, K), np.float32), stride=2)
    print(f"kernel {K}, stride 2\n", ours[0, 0].astype(int))
    agree("counts", ours, counts)

# %% [markdown]
# ## 4 ReLU
#
# $\max(x, 0)$: positive numbers pass, negative ones become 0. The slope is 1 where the
# number passed and 0 elsewhere. At exactly 0 there is no slope; everybody takes 0.

# %%
# torch
values = np.array([-2.0, -0.5, 0.0, 0.5, 2.0])
x = torch.tensor(values, requires_grad=True)
theirs = torch.nn.ReLU()(x)
theirs.backward(torch.full((5,), 10.0, dtype=torch.float64))

# %%
# minicnn
relu = minicnn.nn.ReLU()
ours = relu(values)
grad_input = relu.backward(np.full(5, 10.0))
print("input   ", values)
print("output  ", ours)
print("gradient", grad_input)
agree("output", ours, theirs)
agree("gradient to the input", grad_input, x.grad)

# %% [markdown]
# Why bend at all? Two linear layers without a bend between them are one linear layer:
# $W_2 (W_1 x) = (W_2 W_1)\, x$. Depth would buy nothing. The same holds for two
# convolutions.

# %%
rng = np.random.default_rng(0)
W1, W2, v = rng.integers(-3, 4, (4, 3)), rng.integers(-3, 4, (2, 4)), rng.integers(-3, 4, 3)
must("two linear layers are one", np.array_equal(W2 @ (W1 @ v), (W2 @ W1) @ v))
must("with a ReLU between them they are not", not np.array_equal(W2 @ np.maximum(W1 @ v, 0), (W2 @ W1) @ v))

# %% [markdown]
# ## 5 Linear
#
# Each output is a weighted sum of all inputs: $y = x W^T + b$, with weights of shape
# (outputs, inputs). Backward is the question of section 1 again, and the answers are
# matrix products: $\partial L / \partial W = g^T x$, $\ \partial L / \partial x = g\,
# W$, $\ \partial L / \partial b$ = the sum of $g$ over the batch.

# %%
# torch
inputs, g2 = np.array([[1.0, 2.0, 3.0], [0.0, -1.0, 4.0]]), np.array([[1.0, 2.0], [3.0, -1.0]])
W, b = np.array([[1.0, 0.0, -1.0], [2.0, 1.0, 1.0]]), np.array([10.0, 20.0])
x, weight, bias = (torch.tensor(a, requires_grad=True) for a in (inputs, W, b))
theirs = torch.nn.functional.linear(x, weight, bias)
theirs.backward(torch.tensor(g2))

# %%
# minicnn
ours = minicnn.nn.functional.linear(inputs, W, b)
print("output\n", ours)
agree("output", ours, theirs)
gradients = minicnn.nn.functional.linear_backward(g2, inputs, W)
for name, ours, by_hand, tensor in zip(
    ["input", "weight", "bias"], gradients, [g2 @ W, g2.T @ inputs, g2.sum(axis=0)], [x, weight, bias], strict=True
):
    agree(f"gradient to the {name}, minicnn and autograd", ours, tensor.grad)
    agree(f"gradient to the {name}, by hand and autograd", by_hand, tensor.grad)

# %% [markdown]
# ## 6 SimpleCNN
#
# The course's network: two rounds of convolution, ReLU and pooling, then two linear
# layers. It learns from the first 5,000 images of MNIST and is validated on the first
# 1,000 of the test set. First the data: both libraries read the same files, each with
# its own code.

# %%
# torch
train_images, train_labels = load_images(train=True, size=5000)
val_images, val_labels = load_images(train=False, size=1000)
torch_train = DataLoader(TensorDataset(train_images, train_labels), batch_size=64)
torch_val = DataLoader(TensorDataset(val_images, val_labels), batch_size=64)

# %%
# minicnn
train_data, val_data = minicnn.data.MNIST(), minicnn.data.MNIST(train=False)  # the bundled subset
our_train = minicnn.data.DataLoader(train_data, batch_size=64)
our_val = minicnn.data.DataLoader(val_data, batch_size=64)
agree("training images", train_data.batch(range(5000))[0], train_images)
agree("validation images", val_data.batch(range(1000))[0], val_images)
agree("training labels", train_data.labels, train_labels)
print("images of each class:", np.bincount(train_data.labels))
print("batches:", len(our_train), "of 64 images; the last one has", 5000 - 64 * (len(our_train) - 1))

figure, grid = plt.subplots(2, 10, figsize=(9, 2.2), layout="constrained")
for axes, picture, label in zip(grid.flat, train_data.images, train_data.labels, strict=False):
    axes.imshow(picture, cmap="gray_r")
    axes.set_title(label, fontsize=9, pad=2)
    axes.set_axis_off()
plt.show()

# %% [markdown]
# The batches come in the same order in every epoch: the course does not shuffle. The
# classes are not equally frequent, and the last batch is small, so an epoch's loss has
# to weigh each batch with its size.
#
# Now the two networks, from the same seed.

# %%
# torch
torch.manual_seed(0)
their_model = TorchSimpleCNN()

# %%
# minicnn
minicnn.manual_seed(0)
our_model = minicnn.models.SimpleCNN()
print(our_model)
theirs = dict(their_model.named_parameters())
must("the parameters have the same names", list(our_model.state_dict()) == list(theirs))
must(
    "the initial weights are equal, bit for bit",
    all(np.array_equal(ours, theirs[name].detach()) for name, ours in our_model.state_dict().items()),
)

# %% [markdown]
# ### Where are the parameters, and where is the arithmetic?
#
# Not in the same place. A convolution uses each of its few weights at every pixel; a
# linear layer uses each of its many weights once. One multiplication with its addition
# counts as one multiply-add:
#
# * convolution: $O \cdot OH \cdot OW \cdot C \cdot KH \cdot KW$ for each image,
# * linear: inputs times outputs.

# %%
# torch
with FlopCounterMode(display=False) as counter:
    their_model(torch.zeros(1, 1, 28, 28))
theirs = counter.get_total_flops() // 2  # a multiplication and an addition are two of torch's operations
their_parameters = sum(p.numel() for p in their_model.parameters())

# %%
# minicnn
counts = {}
x = np.zeros((1, 1, 28, 28), np.float32)
for layer in [*our_model.cnn, our_model.flatten, *our_model.linear_block]:
    x = layer(x)
    parameters = sum(p.size for p in layer.parameters())
    if parameters:  # a weight is used once for each output pixel; OH OW = 1 in a linear layer
        name = f"{type(layer).__name__} {' -> '.join(map(str, layer.weight.shape[1::-1]))}"
        counts[name] = parameters, layer.weight.size * int(np.prod(x.shape[2:]))
all_parameters, all_products = np.sum(list(counts.values()), axis=0)
print(f"{'':20} {'parameters':>17} {'multiply-adds':>19}")
for name, (parameters, products) in counts.items():
    print(f"{name:20} {parameters:9,} {parameters / all_parameters:7.1%} {products:11,} {products / all_products:7.1%}")
print(f"{'together':20} {all_parameters:9,} {'':7} {all_products:11,}")
must("torch counts the same", (all_parameters, all_products) == (their_parameters, theirs))

figure, axes = plt.subplots(figsize=(8, 2.6), layout="constrained")
place = np.arange(len(counts))
shares = np.array(list(counts.values())) / [all_parameters, all_products]
for offset, column, label in ((-0.2, 0, "parameters"), (0.2, 1, "multiply-adds")):
    bars = axes.barh(place + offset, shares[:, column], height=0.38, label=label)
    axes.bar_label(bars, [f"{share:.0%}" if share >= 0.01 else "< 1%" for share in shares[:, column]], padding=3)
axes.set(yticks=place, yticklabels=list(counts), xlim=(0, 1.05), xticks=[])
axes.invert_yaxis()
axes.spines["bottom"].set_visible(False)
axes.legend(frameon=False, loc="lower right")
plt.show()

# %% [markdown]
# Nearly all parameters are in the first linear layer, most of the arithmetic is in the
# second convolution. A smaller file needs a smaller linear layer, a faster step needs a
# faster convolution. How the time is spent on your machine is measured by `python -m
# benchmarks`.
#
# ### The loss, and why no softmax stands before it
#
# The network ends in ten numbers of any size, the logits. Softmax makes probabilities
# of them, and cross-entropy is minus the logarithm of the probability that the true
# class $y$ got:
#
# $$p_c = \frac{e^{x_c}}{\sum_k e^{x_k}},\qquad L = -\log p_y,\qquad \frac{\partial
# L}{\partial x_c} = p_c - [c = y]$$
#
# `CrossEntropyLoss` contains the softmax. The gradient is as simple as can be: each
# logit is pushed down by the probability it got, and the true one is pushed up by what
# it lacks.

# %%
# torch
logits = np.array([[2.0, 1.0, 0.0, -1.0], [0.0, 3.0, 0.0, 0.0]])
target = np.array([1, 1])
x = torch.tensor(logits, requires_grad=True)
theirs = torch.nn.CrossEntropyLoss()(x, torch.tensor(target))
theirs.backward()

# %%
# minicnn
criterion = minicnn.nn.CrossEntropyLoss()
ours = criterion(logits, target)
grad_logits = criterion.backward()
p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
agree("loss", ours, theirs, 1e-12)
agree("gradient", grad_logits, x.grad, 1e-12)
agree("by the formulas: loss", -np.log(p[[0, 1], target]).mean(), theirs, 1e-12)
agree("by the formulas: gradient", (p - np.eye(4)[target]) / 2, x.grad, 1e-12)  # / 2: the mean of two images

# %% [markdown]
# A softmax layer at the end of the network would be a second softmax. The network still
# learns, so the mistake is hard to see. Its traces: a network that is certain and right
# cannot get below a loss of $\log(e + 9) - 1$, and a network that is certain and wrong
# gets next to no gradient, just when it has most to learn.

# %%
# torch
certain = torch.zeros(1, 10)
certain[0, 3] = 20
cross_entropy = torch.nn.functional.cross_entropy
theirs = {}
print(f"{'loss':>51} {'largest gradient':>17}")
for truth, answer in ((3, "right"), (5, "wrong")):
    for squash, name in ((lambda x: x, "logits"), (lambda x: x.softmax(dim=1), "softmax layer first")):
        x = certain.clone().requires_grad_()
        loss = cross_entropy(squash(x), torch.tensor([truth]))
        loss.backward()
        theirs[answer, name] = loss.item(), x.grad
        print(f"certain and {answer}, {name:22} {loss.item():10.4f} {x.grad.abs().max().item():14.0e}")

# %%
# minicnn
for truth, answer in ((3, "right"), (5, "wrong")):
    ours = criterion(certain.numpy(), np.array([truth]))
    must(f"certain and {answer}: the loss is the same", abs(ours - theirs[answer, "logits"][0]) < 1e-6)
    agree(f"certain and {answer}: gradient", criterion.backward(), theirs[answer, "logits"][1])
must("the second softmax has a floor", abs(theirs["right", "softmax layer first"][0] - (np.log(np.e + 9) - 1)) < 1e-5)

# %% [markdown]
# ### One step
#
# Forward, loss, backward, update. The order of the lines is the same; only the line
# with `backward` differs. torch's loss finds the way back through the tape; in minicnn
# the gradient of the loss is handed to the model.

# %%
# torch
criterion = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(their_model.parameters(), lr=1e-3)
images, labels = next(iter(torch_train))
theirs = criterion(their_model(images), labels)
theirs.backward()
optimizer.step()

# %%
# minicnn
criterion = minicnn.nn.CrossEntropyLoss()
optimizer = minicnn.optim.Adam(our_model.parameters(), lr=1e-3)
images, labels = next(iter(our_train))
before = {name: value.copy() for name, value in our_model.state_dict().items()}
ours = criterion(our_model(images), labels)
our_model.backward(criterion.backward())
optimizer.step()
agree("loss", ours, theirs)
for (name, p), (_, q) in zip(our_model.named_parameters(), their_model.named_parameters(), strict=True):
    agree(f"gradient to {name}", p.grad, q.grad, 1e-4)
largest = max(np.abs(value - before[name]).max() for name, value in our_model.state_dict().items())
print(f"Adam's first step moves each weight by up to {largest:.4f}")
must("this is Adam's learning rate", np.isclose(largest, 1e-3, rtol=1e-3))

# %% [markdown]
# ### The training
#
# Ten epochs, batches of 64, Adam with a learning rate of 0.001, once more from seed 0.
#
# **Accuracy "of the training" is measured while the weights change.** The course adds
# up the right answers batch by batch, so the first epoch's figure contains the first
# batches, when the network knew nothing. The figure therefore lags behind, and early on
# the validation looks better than the training. To see the difference the loops below
# also measure the training images again after each epoch, with the weights at rest.


# %%
# torch
def torch_epoch(model, criterion, optimizer, batches, count_right, losses):
    model.train()
    total, right, seen = 0.0, 0, 0
    for images, labels in batches:
        optimizer.zero_grad()
        outputs = model(images)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        total += loss.item() * len(labels)
        right += int(count_right(outputs, labels))
        seen += len(labels)
    return total / seen, right / seen


def torch_evaluate(model, criterion, batches, count_right):
    model.eval()
    total, right, seen = 0.0, 0, 0
    with torch.no_grad():
        for images, labels in batches:
            outputs = model(images)
            total += criterion(outputs, labels).item() * len(labels)
            right += int(count_right(outputs, labels))
            seen += len(labels)
    return total / seen, right / seen


def torch_train_for(epochs, model, criterion, train, val, count_right, lr=1e-3):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    losses, history = [], []
    for _ in range(epochs):
        row = torch_epoch(model, criterion, optimizer, train, count_right, losses)
        row += torch_evaluate(model, criterion, val, count_right)
        row += torch_evaluate(model, criterion, train, count_right)  # the weights at rest
        history.append(row)
    return np.array(losses), np.array(history)


def largest_logit(outputs, labels):
    return (outputs.argmax(1) == labels).sum()


torch.manual_seed(0)
their_model = TorchSimpleCNN()
criterion = torch.nn.CrossEntropyLoss()
their_losses, their_history = torch_train_for(10, their_model, criterion, torch_train, torch_val, largest_logit)


# %%
# minicnn
def minicnn_epoch(model, criterion, optimizer, batches, count_right, losses):
    model.train()
    total, right, seen = 0.0, 0, 0
    for images, labels in batches:
        optimizer.zero_grad()
        outputs = model(images)
        loss = criterion(outputs, labels)
        model.backward(criterion.backward())
        optimizer.step()
        losses.append(float(loss))
        total += float(loss) * len(labels)
        right += int(count_right(outputs, labels))
        seen += len(labels)
    return total / seen, right / seen


def minicnn_evaluate(model, criterion, batches, count_right):
    model.eval()
    total, right, seen = 0.0, 0, 0
    for images, labels in batches:
        outputs = model(images)
        total += float(criterion(outputs, labels)) * len(labels)
        right += int(count_right(outputs, labels))
        seen += len(labels)
    return total / seen, right / seen


def minicnn_train_for(epochs, model, criterion, train, val, count_right, lr=1e-3):
    optimizer = minicnn.optim.Adam(model.parameters(), lr=lr)
    losses, history = [], []
    for _ in range(epochs):
        row = minicnn_epoch(model, criterion, optimizer, train, count_right, losses)
        row += minicnn_evaluate(model, criterion, val, count_right)
        row += minicnn_evaluate(model, criterion, train, count_right)  # the weights at rest
        history.append(row)
    return np.array(losses), np.array(history)


minicnn.manual_seed(0)
our_model = minicnn.models.SimpleCNN()
our_model.cnn[0].needs_input_grad = False  # below it are the pixels, which do not learn
criterion = minicnn.nn.CrossEntropyLoss()
our_losses, our_history = minicnn_train_for(10, our_model, criterion, our_train, our_val, largest_logit)

agree("losses of the first ten steps", our_losses[:10], their_losses[:10], 1e-5)


def show(theirs, ours):
    print("       training loss      training accuracy  validation loss    validation accuracy")
    print("epoch  torch    minicnn   torch    minicnn   torch    minicnn   torch    minicnn")
    for epoch, (their_row, our_row) in enumerate(zip(theirs, ours, strict=True), 1):
        pairs = "   ".join(f"{a:.4f}   {b:.4f} " for a, b in zip(their_row[:4], our_row[:4], strict=True))
        print(f"{epoch:5}  {pairs}")


show(their_history, our_history)
must(
    "both end above 94 % on the validation images, less than 2 points apart",
    min(their_history[-1, 3], our_history[-1, 3]) > 0.94 and abs(their_history[-1, 3] - our_history[-1, 3]) < 0.02,
)

# %% [markdown]
# The first steps agree to many digits. Later the two drift apart a little: the sums are
# added in another order and rounded differently, and each step builds on the one
# before. Two runs of torch drift apart in the same way when they use different numbers
# of threads (minicnn's results do not depend on that). What stays is the curve.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
epochs = np.arange(1, 11)
parts = (("training", "tab:blue"), ("validation", "tab:orange"), ("training, weights at rest", "tab:gray"))
for n, (label, colour) in enumerate(parts):
    for axes, column in ((left, 2 * n), (right, 2 * n + 1)):
        axes.plot(epochs, their_history[:, column], color=colour, linewidth=6, alpha=0.3)
        axes.plot(epochs, our_history[:, column], color=colour, linewidth=1.5, label=label)
figure.suptitle("broad lines: torch, thin lines: minicnn", fontsize=10)
left.set(title="Loss", xlabel="epoch", ylim=(0, None), xticks=epochs)
right.set(title="Accuracy", xlabel="epoch", xticks=epochs)
right.legend(frameon=False)
plt.show()
for name, history in (("torch", their_history), ("minicnn", our_history)):
    print(f"{name}, first epoch: {history[0, 1]:.4f} while the weights change, {history[0, 5]:.4f} measured after it")
    must("the figure lags behind", history[0, 5] > history[0, 1])

# %% [markdown]
# After the fourth epoch or so the validation loss hardly falls while the training loss
# goes on to nearly 0: the network learns its 5,000 images by heart. More images help
# (`python -m minicnn.train --data FOLDER --train-size 60000`).
#
# ### What the first layer has learnt
#
# The 16 filters, all on one scale of grey. Several are bright on one side and dark on
# the other: they answer to edges, as the two filters did that section 1 wrote by hand.
# They are not as clean. Their random start still shows in them: the training had no
# need to remove it.

# %%
# torch
theirs = their_model.cnn[0].weight.detach().numpy()

# %%
# minicnn
ours = our_model.cnn[0].weight.data
grey = plt.get_cmap("gray").with_extremes(bad="lightsteelblue")
scale = {"cmap": grey, "vmin": min(ours.min(), theirs.min()), "vmax": max(ours.max(), theirs.max())}
figure, halves = plt.subplots(1, 2, figsize=(8.4, 3.8), layout="constrained")
for axes, name, weight in zip(halves, ("torch", "minicnn"), (theirs, ours), strict=True):
    framed = np.pad(
        weight[:, 0], ((0, 0), (1, 0), (1, 0)), constant_values=np.nan
    )  # (16, 6, 6), a line between filters
    tiled = framed.reshape(4, 4, 6, 6).swapaxes(1, 2).reshape(24, 24)
    picture = axes.imshow(np.pad(tiled, ((0, 1), (0, 1)), constant_values=np.nan), **scale)
    axes.set_title(name)
    axes.set_axis_off()
figure.colorbar(picture, ax=halves, label="weight", shrink=0.8)
plt.show()
alike = np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]
must("after 790 steps the two sets are still alike (correlation above 0.95)", alike > 0.95)
minicnn.manual_seed(0)
start = minicnn.models.SimpleCNN().cnn[0].weight.data
print(
    "correlation of minicnn's filters with their own random start:",
    f"{np.corrcoef(ours.ravel(), start.ravel())[0, 1]:.2f}",
)

# %% [markdown]
# ### What the network says, and where it errs

# %%
# torch
their_model.eval()
with torch.no_grad():
    their_odds = their_model(val_images).softmax(dim=1).numpy()

# %%
# minicnn
our_model.eval()
logits = our_model(val_data.batch(range(1000))[0])
odds = np.exp(logits - logits.max(axis=1, keepdims=True))  # minus the largest: exp cannot overflow
our_odds = odds / odds.sum(axis=1, keepdims=True)
truth, says, torch_says = val_data.labels, our_odds.argmax(axis=1), their_odds.argmax(axis=1)
print("the first images  ", *truth[:24])
print("minicnn reads them", *says[:24])
print("torch reads them  ", *torch_says[:24])
same = (says == torch_says).mean()
must("both give the same answer for more than 95 % of the images", same > 0.95)

wrong = np.flatnonzero(says != truth)
worst = wrong[np.argsort(our_odds[wrong, truth[wrong]], kind="stable")][:12]
figure, grid = plt.subplots(2, 6, figsize=(9, 4), layout="constrained")
for axes in grid.flat:
    axes.set_axis_off()
for axes, n in zip(grid.flat, worst, strict=False):
    axes.imshow(val_data.images[n], cmap="gray_r")
    axes.set_title(
        f"is {truth[n]}, read as {says[n]} ({our_odds[n, says[n]]:.0%})\ntorch says {torch_says[n]}", fontsize=9
    )
figure.suptitle(f"The worst of minicnn's {len(wrong)} mistakes in 1,000 images")
plt.show()

# %% [markdown]
# ### How much translation is forgiven?
#
# Section 2 left a question open. Shift all validation images to the right and measure
# again. The last row says how much of the ink is still in the picture: up to 4 pixels
# the digits are as good as complete, they only stand elsewhere.


# %%
def shifted(pictures, s):
    """Moved s columns to the right; what comes in from the left is black."""
    moved = np.zeros_like(pictures)
    moved[..., s:] = pictures[..., : 28 - s]
    return moved


# %%
# torch
pictures = val_images.numpy()
with torch.no_grad():
    theirs = [
        (their_model(torch.tensor(shifted(pictures, s))).argmax(1) == val_labels).numpy().mean() for s in range(7)
    ]

# %%
# minicnn
ours = [(our_model(shifted(pictures, s)).argmax(1) == truth).mean() for s in range(7)]
print("shift in pixels ", *(f"{s:6}" for s in range(7)))
print("accuracy torch  ", *(f"{a:6.3f}" for a in theirs))
print("accuracy minicnn", *(f"{a:6.3f}" for a in ours))
ink = [shifted(pictures, s).sum() / pictures.sum() for s in range(7)]
print("ink             ", *(f"{share:6.3f}" for share in ink))
for accuracies in (theirs, ours):
    must("one pixel is forgiven, four pixels are not", accuracies[1] > 0.9 and accuracies[4] < 0.8)

# %% [markdown]
# ## 7 Exercise: odd or even, with one sigmoid neuron
#
# One output instead of ten: the probability $p$ that the digit is odd, from a sigmoid.
# The loss is binary cross-entropy, $-y \log p - (1 - y) \log(1 - p)$. Its target must
# have the shape of the output, (N, 1), and be a float.
#
# The pieces are there already, so `Sequential` is enough. An answer is right when $p >
# \frac12$ and the digit is odd, or neither.

# %%
# torch
torch.manual_seed(0)
their_parity = torch.nn.Sequential(
    torch.nn.Conv2d(1, 8, kernel_size=5, stride=2, padding=2),  # (N, 8, 14, 14)
    torch.nn.ReLU(),
    torch.nn.MaxPool2d(2),  # (N, 8, 7, 7)
    torch.nn.Conv2d(8, 16, kernel_size=3, padding=1),  # (N, 16, 7, 7)
    torch.nn.ReLU(),
    torch.nn.Flatten(),  # (N, 784)
    torch.nn.Linear(784, 1),
    torch.nn.Sigmoid(),  # (N, 1)
)
odd_train = [(images, (labels % 2).float()[:, None]) for images, labels in torch_train]
odd_val = [(images, (labels % 2).float()[:, None]) for images, labels in torch_val]


def threshold(outputs, labels):
    return ((outputs > 0.5) == (labels > 0.5)).sum()


their_losses, their_history = torch_train_for(
    4, their_parity, torch.nn.BCELoss(), odd_train, odd_val, threshold, lr=3e-3
)

# %%
# minicnn
minicnn.manual_seed(0)
our_parity = minicnn.nn.Sequential(
    minicnn.nn.Conv2d(1, 8, kernel_size=5, stride=2, padding=2),  # (N, 8, 14, 14)
    minicnn.nn.ReLU(),
    minicnn.nn.MaxPool2d(2),  # (N, 8, 7, 7)
    minicnn.nn.Conv2d(8, 16, kernel_size=3, padding=1),  # (N, 16, 7, 7)
    minicnn.nn.ReLU(),
    minicnn.nn.Flatten(),  # (N, 784)
    minicnn.nn.Linear(784, 1),
    minicnn.nn.Sigmoid(),  # (N, 1)
)
our_odd_train = [(images, (labels % 2).astype(np.float32)[:, None]) for images, labels in our_train]
our_odd_val = [(images, (labels % 2).astype(np.float32)[:, None]) for images, labels in our_val]
our_losses, our_history = minicnn_train_for(
    4, our_parity, minicnn.nn.BCELoss(), our_odd_train, our_odd_val, threshold, lr=3e-3
)
agree("losses of the first ten steps", our_losses[:10], their_losses[:10], 1e-5)
show(their_history, our_history)
must("both end above 93 %", min(their_history[-1, 3], our_history[-1, 3]) > 0.93)

# %% [markdown]
# **The trap.** The course's loop finds the answer with `torch.max(outputs, 1)`: the
# place of the largest of ten. With one output the largest of one is always number 0.
# Every digit is called even, and the accuracy is the share of even digits, however well
# the network has learnt. Nothing fails, and a loss that falls beside an accuracy that
# never moves is the only trace.
#
# It can look stranger still. The answers have the shape (N,), the targets (N, 1):
# compared as they are, each of the N answers meets each of the N targets, and the
# "accuracy" can exceed 1.

# %%
# torch
with torch.no_grad():
    outputs = their_parity(val_images)
_, answers = torch.max(outputs, 1)
theirs = (answers == val_labels % 2).float().mean()
broadcast = (answers == (val_labels % 2)[:, None]).sum() / len(answers)
print(f"p > 0.5              {threshold(outputs, (val_labels % 2)[:, None]) / 1000:.3f}")
print(f"max(outputs, 1)      {theirs:.3f}, of which called odd: {int(answers.sum())}")
print(f"... against (N, 1)   {broadcast:.3f}")

# %%
# minicnn
our_parity.eval()
outputs = our_parity(val_data.batch(range(1000))[0])
ours = (outputs.argmax(axis=1) == truth % 2).mean(dtype=np.float32)
agree("the accuracy that never moves", ours, theirs)
must("it is the share of even digits", np.isclose(ours, (truth % 2 == 0).mean()))

# %% [markdown]
# `BCEWithLogitsLoss` on the bare last neuron does the same arithmetic without the
# sigmoid layer, and stays exact where a sigmoid rounds to 0 or 1. Then the threshold is
# 0 instead of one half.
#
# ## 8 Exercise: a generator, from (N, latent_dim) to (N, 3, 100, 100)
#
# A vector of random numbers becomes a colour picture. A linear layer makes 32 small
# planes of 13 x 13, and three transposed convolutions double their size; section 3
# found the steps, $13 \to 25 \to 50 \to 100$. The sigmoid brings colours into 0 to 1.

# %%
# torch
torch.manual_seed(0)
their_generator = torch.nn.Sequential(
    torch.nn.Linear(64, 32 * 13 * 13),
    torch.nn.ReLU(),
    torch.nn.Unflatten(1, (32, 13, 13)),
    torch.nn.ConvTranspose2d(32, 16, 3, stride=2, padding=1),
    torch.nn.ReLU(),
    torch.nn.ConvTranspose2d(16, 8, 3, stride=2, padding=1, output_padding=1),
    torch.nn.ReLU(),
    torch.nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1, output_padding=1),
    torch.nn.Sigmoid(),
)
rng = np.random.default_rng(0)
latent, wanted = rng.standard_normal((4, 64), np.float32), rng.random((4, 3, 100, 100), np.float32)
z = torch.tensor(latent, requires_grad=True)
theirs = their_generator(z)
loss = torch.nn.MSELoss()(theirs, torch.tensor(wanted))
loss.backward()

# %%
# minicnn
minicnn.manual_seed(0)
our_generator = minicnn.nn.Sequential(
    minicnn.nn.Linear(64, 32 * 13 * 13),
    minicnn.nn.ReLU(),
    minicnn.nn.Unflatten(1, (32, 13, 13)),
    minicnn.nn.ConvTranspose2d(32, 16, 3, stride=2, padding=1),
    minicnn.nn.ReLU(),
    minicnn.nn.ConvTranspose2d(16, 8, 3, stride=2, padding=1, output_padding=1),
    minicnn.nn.ReLU(),
    minicnn.nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1, output_padding=1),
    minicnn.nn.Sigmoid(),
)
x = latent
for layer in our_generator:
    x = layer(x)
    print(f"{type(layer).__name__:16} {x.shape}")

criterion = minicnn.nn.MSELoss()
ours = our_generator(latent)
our_loss = criterion(ours, wanted)
grad_latent = our_generator.backward(criterion.backward())
agree("pictures", ours, theirs)
agree("loss", our_loss, loss)
agree("gradient to the latent numbers", grad_latent, z.grad, 1e-4)
for (name, p), (_, q) in zip(our_generator.named_parameters(), their_generator.named_parameters(), strict=True):
    agree(f"gradient to {name}", p.grad, q.grad, 1e-4)

# %% [markdown]
# The kernel of 3 is there to show `output_padding`. As section 3 counted, stride 2 does
# not divide 3; a generator whose pictures should show no checkerboard starts from 25 x
# 25 and takes kernel 4, stride 2, padding 1: $25 \to 50 \to 100$.
#
# `python -m minicnn.train --task generator` trains one, and `--task parity` the network
# of section 7.
#
# ## 9 Write your own layer
#
# A layer is a class with `forward` and `backward`. `forward` keeps what `backward` will
# need; `backward` takes the gradient with respect to the output and returns the one
# with respect to the input. Everything else comes from `Module`.
#
# LeakyReLU lets a little of the negative numbers through, so that a neuron that is
# negative for every image still gets a gradient.


# %%
# torch
their_leaky = torch.nn.LeakyReLU(0.1)
values = np.random.default_rng(0).standard_normal((2, 3, 4))
upstream = np.random.default_rng(1).standard_normal((2, 3, 4))
x = torch.tensor(values, requires_grad=True)
theirs = their_leaky(x)
theirs.backward(torch.tensor(upstream))


# %%
# minicnn
class LeakyReLU(minicnn.nn.Module):
    """x where it is positive, slope * x where it is not."""

    def __init__(self, slope=0.01):
        self.slope = slope

    def forward(self, x):
        self.keep(x > 0)
        return np.where(x > 0, x, self.slope * x)

    def backward(self, grad_output):
        (passed,) = self.kept()
        return np.where(passed, grad_output, self.slope * grad_output)


our_leaky = LeakyReLU(0.1)
agree("output", our_leaky(values), theirs)
agree("gradient to the input", our_leaky.backward(upstream), x.grad)

# %% [markdown]
# You will not always have torch's answer beside yours. Any layer can be checked without
# one: move one input by a tiny $h$ up and down, and see how much the output changes.
#
# $$\frac{\partial L}{\partial x_i} \approx \frac{L(x + h\,e_i) - L(x -
# h\,e_i)}{2h},\qquad L(x) = \sum g \cdot \text{layer}(x)$$
#
# Do it in float64, and with a random $g$: with ones instead, many mistakes cancel out
# and are not seen.


# %%
def central_differences(layer, x, grad_output, h=1e-6):
    """The gradient of sum(grad_output * layer(x)) with respect to x, one element after
    the other.
    """
    grad = np.empty_like(x)
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = h
        grad[place] = (grad_output * (layer(x + step) - layer(x - step))).sum() / (2 * h)
    return grad


# %%
numeric = central_differences(our_leaky, values, upstream)
our_leaky(values)
agree("backward and central differences", our_leaky.backward(upstream), numeric, 1e-8)
print(minicnn.gradcheck(our_leaky, values, raise_error=True))  # the same and more, for any layer and its parameters

# %%
at_the_bend = central_differences(our_leaky, np.zeros(1), np.ones(1))[0]
our_leaky(np.zeros(1))
print(f"at exactly 0: central differences {at_the_bend:.2f}, backward {our_leaky.backward(np.ones(1))[0]:.2f}")

# %% [markdown]
# At exactly 0 the two disagree and nobody is wrong: there the function has a bend and
# no slope. Central differences take the mean of the slopes on both sides. Check layers
# with bends at numbers that are not on them.
#
# Last, the layer at work in a small network, beside torch's.

# %%
# torch
torch.manual_seed(0)
their_small = torch.nn.Sequential(
    torch.nn.Conv2d(1, 8, kernel_size=5, stride=2, padding=2),
    torch.nn.LeakyReLU(0.1),
    torch.nn.MaxPool2d(2),
    torch.nn.Flatten(),
    torch.nn.Linear(392, 10),
)
their_losses, their_history = torch_train_for(
    3, their_small, torch.nn.CrossEntropyLoss(), torch_train, torch_val, largest_logit, lr=3e-3
)

# %%
# minicnn
minicnn.manual_seed(0)
our_small = minicnn.nn.Sequential(
    minicnn.nn.Conv2d(1, 8, kernel_size=5, stride=2, padding=2),
    LeakyReLU(0.1),
    minicnn.nn.MaxPool2d(2),
    minicnn.nn.Flatten(),
    minicnn.nn.Linear(392, 10),
)
our_losses, our_history = minicnn_train_for(
    3, our_small, minicnn.nn.CrossEntropyLoss(), our_train, our_val, largest_logit, lr=3e-3
)
agree("losses of the first ten steps", our_losses[:10], their_losses[:10], 1e-5)
show(their_history, our_history)
must("both end above 85 %", min(their_history[-1, 3], our_history[-1, 3]) > 0.85)

# %% [markdown]
# ## Where to go from here
#
# * Read the source. Section 1 is `minicnn/kernels/numpy_textbook/convolution.py`; the
#   README's reading guide begins there and leads through the rest.
# * See it proved: `make test` compares every operation with torch, on random shapes and
#   random gradients.
