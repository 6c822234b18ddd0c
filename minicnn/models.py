"""The networks: a classifier, its twin for odd and even, a painter, and both in one."""

from collections.abc import Sequence
from typing import Any

from . import nn


def networks() -> dict[str, Any]:
    """All of them, by name: {"SimpleCNN": SimpleCNN, ...}."""
    return {
        name: kind
        for name, kind in globals().items()
        if isinstance(kind, type) and issubclass(kind, nn.Module) and kind.__module__ == __name__
    }


class SimpleCNN(nn.Module):
    """The course's network: two rounds of convolution, ReLU and pooling, then two
    linear layers.

    image          (N, 1, 28, 28)
    cnn.0  Conv2d  (N, 16, 28, 28)         416 parameters
    cnn.2  MaxPool (N, 16, 14, 14)
    cnn.3  Conv2d  (N, 32, 14, 14)      12,832
    cnn.5  MaxPool (N, 32, 7, 7)
    flatten        (N, 1568)
    linear_block.0 (N, 128)            200,832     93 % of all 215,370
    linear_block.2 (N, 10)               1,290     one logit for each digit

    `outputs` is the number of classes, `input_shape` the (C, H, W) of one image: both
    poolings halve it, so that H and W must be at least 4. Raises ValueError for a
    smaller image.
    """

    input_shape: tuple[int, int, int] = (1, 28, 28)  # (C, H, W) of one image

    def __init__(self, outputs: int = 10, input_shape: Sequence[int] = (1, 28, 28)):
        C, H, W = input_shape
        if C < 1 or H < 4 or W < 4:
            raise ValueError(
                f"{type(self).__name__}: input_shape must be (C, H, W) with at least one channel and 4 x 4 pixels, "
                f"as two poolings halve the image; got {tuple(input_shape)}."
            )
        self.input_shape = (C, H, W)
        self.cnn = nn.Sequential(
            nn.Conv2d(C, 16, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.flatten = nn.Flatten()
        self.linear_block = nn.Sequential(nn.Linear(32 * (H // 4) * (W // 4), 128), nn.ReLU(), nn.Linear(128, outputs))

    def forward(self, x: Any) -> Any:
        if x.ndim != 4 or x.shape[1:] != self.input_shape:
            shape = ", ".join(map(str, self.input_shape))
            grey = "grey " if self.input_shape[0] == 1 else ""
            raise RuntimeError(
                f"{type(self).__name__}: the input must be {grey}images of shape (N, {shape}), got {tuple(x.shape)}; "
                "one image becomes a batch with x[None]."
            )
        return self.linear_block(self.flatten(self.cnn(x)))

    def backward(self, grad_output: Any, input_grad: bool = True) -> Any:
        grad = self.flatten.backward(self.linear_block.backward(grad_output))
        return self.cnn.backward(grad, input_grad)


class ParityCNN(SimpleCNN):
    """Odd or even? The course's exercise: SimpleCNN with one output neuron and a sigmoid.

    linear_block.2 (N, 1)                  129     one logit
    sigmoid        (N, 1)                          the probability that the digit is odd

    The sigmoid stands in the network and BCELoss after it, as the course asks: what
    comes out is a probability. Their two gradients multiply to p - y, which
    BCEWithLogitsLoss computes at once. The difference: where p rounds to 1 in float32
    (from a logit of about 17 on) the slope is 0, and even a mistake teaches nothing.
    After ten epochs on digits the worst mistakes have a logit near 4.
    """

    def __init__(self) -> None:
        super().__init__(outputs=1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: Any) -> Any:
        return self.sigmoid(super().forward(x))

    def backward(self, grad_output: Any, input_grad: bool = True) -> Any:
        return super().backward(self.sigmoid.backward(grad_output), input_grad)


class Generator(nn.Module):
    """The course's exercise: a few numbers become a colour image of 100 x 100 pixels.

    latent         (N, latent_dim)
    linear_block.2 (N, 5408)         697,632 parameters
    linear_block.4 (N, 32, 13, 13)             a small rough picture of 32 channels
    cnn.0          (N, 16, 25, 25)     8,208
    cnn.2          (N, 8, 50, 50)      2,056   each transposed convolution doubles height
                                               and width
    cnn.4          (N, 3, 100, 100)      387   red, green, blue

    With K = 4, S = 2, P = 1 the size is (H - 1) 2 - 2 + 3 + 1 = 2 H. The kernel size is
    a multiple of the stride, so each output pixel (but those at the rim) gets 2 x 2
    stamps (transposed convolution: each input pixel adds the kernel, times its value,
    to the output: a stamp). With K = 3 it would get one, two or four of them in turn,
    and this shows as a checkerboard in the picture (Odena et al., 2016,
    https://distill.pub/2016/deconv-checkerboard/).

    But 25 is not a multiple of 2. A convolution with K = 4, S = 2, P = 2 takes 24
    pixels to 13, and 25 too; so on the way back 13 could mean either. It becomes 24,
    unless `output_padding=1` says that 25 is meant:

    >>> import numpy as np
    >>> x = np.zeros((1, 32, 13, 13), np.float32)
    >>> nn.ConvTranspose2d(32, 16, kernel_size=4, stride=2, padding=2)(x).shape
    (1, 16, 24, 24)
    >>> for layer in Generator().cnn:
    ...     x = layer(x)
    ...     if isinstance(layer, nn.ConvTranspose2d):
    ...         print(x.shape)
    (1, 16, 25, 25)
    (1, 8, 50, 50)
    (1, 3, 100, 100)

    No sigmoid stands at the end. Black and full ink are exactly 0 and 1, where a
    sigmoid's slope vanishes; with one, all digits were still grey after four epochs,
    and the loss 0.024 instead of 0.014.
    """

    def __init__(self, latent_dim: int = 16):
        self.input_shape = (latent_dim,)  # of one code
        self.linear_block = nn.Sequential(
            nn.Linear(latent_dim, 128),
            nn.ReLU(),
            nn.Linear(128, 32 * 13 * 13),
            nn.ReLU(),
            nn.Unflatten(1, (32, 13, 13)),
        )
        self.cnn = nn.Sequential(
            nn.ConvTranspose2d(32, 16, kernel_size=4, stride=2, padding=2, output_padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, kernel_size=4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 3, kernel_size=4, stride=2, padding=1),
        )

    def forward(self, latent: Any) -> Any:
        return self.cnn(self.linear_block(latent))

    def backward(self, grad_output: Any) -> Any:
        return self.linear_block.backward(self.cnn.backward(grad_output))


class Autoencoder(nn.Module):
    """A digit becomes `latent_dim` numbers, and these become its picture in colour.

    encoder    (N, 1, 28, 28) -> (N, latent_dim)           SimpleCNN; what it says is a
                                                           place in latent space
    generator  (N, latent_dim) -> (N, 3, 100, 100)

    Whatever the generator is to paint has to pass through these few numbers. So similar
    pictures come to lie close to each other, and the generator learns to paint the
    places in between as well.
    """

    input_shape = (1, 28, 28)

    def __init__(self, latent_dim: int = 16):
        self.encoder = SimpleCNN(outputs=latent_dim)
        self.generator = Generator(latent_dim)

    def forward(self, x: Any) -> Any:
        return self.generator(self.encoder(x))

    def backward(self, grad_output: Any) -> Any:
        return self.encoder.backward(self.generator.backward(grad_output))
