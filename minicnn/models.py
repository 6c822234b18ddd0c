"""The networks."""

from . import nn


class SimpleCNN(nn.Module):
    """The course's network: two rounds of convolution, ReLU and pooling, then two linear layers.

    image          (N, 1, 28, 28)
    cnn.0  Conv2d  (N, 16, 28, 28)         416 parameters
    cnn.2  MaxPool (N, 16, 14, 14)
    cnn.3  Conv2d  (N, 32, 14, 14)      12,832
    cnn.5  MaxPool (N, 32, 7, 7)
    flatten        (N, 1568)
    linear_block.0 (N, 128)            200,832     93 % of all 215,370
    linear_block.2 (N, 10)               1,290     one logit for each digit
    """

    input_shape = (1, 28, 28)  # of one image

    def __init__(self):
        self.cnn = nn.Sequential(
            nn.Conv2d(1, 16, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.flatten = nn.Flatten()
        self.linear_block = nn.Sequential(nn.Linear(32 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10))

    def forward(self, x):
        if x.ndim != 4 or x.shape[1:] != (1, 28, 28):
            raise RuntimeError(
                f"SimpleCNN: the input must be grey images of shape (N, 1, 28, 28), got {x.shape}; one image becomes a batch with x[None]."
            )
        return self.linear_block(self.flatten(self.cnn(x)))

    def backward(self, grad_output):
        return self.cnn.backward(self.flatten.backward(self.linear_block.backward(grad_output)))
