"""Which way a convolution's three products go.

The geometry alone decides, never a clock: the order of sums depends on the way, and must be
the same on each machine and on each day. Beside it stands one question to the data, whether
most of grad_output is 0, which is put to its first four images.

    depthwise   one channel in each group
    scattered   one matrix product of all images (`operands/packed`): it copies each patch,
                and wastes nothing at an image's edges
    lowered     image by image (`operands/lowering`, `patches`): it copies each pixel once,
                but computes columns that are thrown away, and its buffers hold all channels
    skipping    zeros are not multiplied (`operands/skipping`)

The limits are crossovers measured on one thread of an AMD EPYC (Zen 5), 7 x 7 to 34 x 34
pixels, 16 to 2,048 channels. `g` is the Geometry of the convolution.
"""

from .operands.skipping import density

DENSE_INPUT = 0.6  # the shares of numbers that are not 0 from which skipping does not pay
DENSE_WEIGHT = 0.4

# From so many result channels for each pixel of the output on, images side by side pay. Up
# to 8 x 8 pixels their edges waste much: one channel is enough, as for a kernel of 1 x 1,
# which has no patches to copy.
FORWARD = 2
SMALL_IMAGE = 64
GRAD_WEIGHT = 8
SPARSE = 64  # where skipping would pay too

# Buffers of so many channels are cut into bands, which overlap. 512 channels of 28 x 28
# pixels, dilation 4: the output 1.3 instead of 1.5 times torch's time, the weights' gradient
# 1.3 instead of 2.6. 1,024 channels of 30 x 30: the input's gradient 1.1 instead of 1.2.
MANY_CHANNELS = 1024
MANY_DILATED = 256
MANY_PATCHES = 512  # of the weights' gradient: 14 x 14 to 34 x 34 pixels 1.1 instead of 1.2 to 1.5
DILATED_PATCHES = 128
LARGE_IMAGE = 256  # pixels, from which this holds for 1 x 1 too


def scatters_output(g):
    return _scatters(g, source=g.C, target=g.O)


def scatters_grad_input(g, sparse):
    if sparse:
        return g.G == 1 and g.OH * g.OW * SPARSE <= g.C
    return _scatters(g, source=g.O, target=g.C)


def scatters_grad_weight(g, sparse):
    if g.G > 1:
        return False
    pixels = g.OH * g.OW
    if pixels * GRAD_WEIGHT <= g.O and g.O >= 64:
        return True
    if sparse:
        return False
    if g.KH * g.KW == 1:
        return g.O >= 16 and g.C >= MANY_PATCHES and pixels >= LARGE_IMAGE and g.SH == g.SW == 1
    dilated = g.DW > 1 and g.C >= DILATED_PATCHES
    return g.O >= 64 and (dilated or (g.C >= MANY_PATCHES and g.SW == 1))


def _scatters(g, source, target):
    """The output, or the gradient to the input: from `source` channels to `target` channels."""
    if g.G > 1:
        return False
    pixels = g.OH * g.OW
    one = g.KH * g.KW == 1
    if pixels * (1 if one or (pixels <= SMALL_IMAGE <= target) else FORWARD) <= target:
        return True
    dilated = max(g.DH, g.DW) > 2 and source >= MANY_DILATED
    return not one and target >= 256 and (dilated or source >= MANY_CHANNELS)


def worth_skipping(g):
    """Whether zeros that are skipped can save more than they cost, if there are enough."""
    return g.O // g.G >= 4 and g.C // g.G * g.KH * g.KW >= 64


def skips(grad_output, g, dense):
    """Judged by the first four images alone, as the choice changes the order of sums."""
    return worth_skipping(g) and density(grad_output[:4].reshape(-1)) < dense
