"""The contract of a kernel set: every function that it must have, and what each may rely on.

Three sets speak this vocabulary: `numpy_textbook`, `numba_fast` and `torch_gpu`. Same
names, same arguments, same results. `nn.functional` and `optim` are the only callers.

**What a kernel may rely on.** Its arguments have been checked: shapes fit, and all arrays
of one call are NumPy arrays, or tensors on one device. Arrays have the dtype of the first
one, float32 or float64, unless a function says otherwise. They are in the machine's byte
order. Any strides may come, read-only memory too, and N may be 0.

**What a caller may rely on.** No argument is written to, except by `adam` and `sgd`, which
say so. No result shares memory with an argument. A result has the dtype of the first array,
in whatever strides were convenient. An array without dimensions may come back as NumPy's
number.

**Numbers that are not finite** travel as the formulas say. The zeros around an image are
numbers like others, so an infinite or NaN weight over the padding makes NaN there, and so
does such a grad_output in the weight's gradient. (The torch set on another device than the
CPU leaves that to the device's library: to look would make it wait.)

**g, the Geometry** (`minicnn.geometry.Geometry`), is the one argument that is not an array:
all the sizes of this call, worked out and checked once. Its fields are N, C, H, W, O, G,
KH, KW, SH, SW, PH, PW, DH, DW, OH, OW; what they mean stands at the top of
`minicnn.geometry`. Shapes below are written in them.
"""

from typing import Any, Protocol

from ..geometry import Geometry
from .arrays import Array


class KernelSet(Protocol):
    """What the three modules have in common.

    The notation of the shapes is that of `minicnn.geometry`.
    """

    # ---------------------------------------------------------------------- convolution
    #
    # These six also take integers: the five that NumPy and torch share, the same in every
    # argument.

    def conv2d(self, x: Array, weight: Array, bias: Array | None, g: Geometry) -> Array:
        """x (N, C, H, W), weight (O, C/G, KH, KW), bias (O,) or None -> (N, O, OH, OW)."""

    def conv2d_grad_input(self, grad_output: Array, weight: Array, g: Geometry) -> Array:
        """grad_output (N, O, OH, OW), weight (O, C/G, KH, KW) -> (N, C, H, W)."""

    def conv2d_grad_weight(self, grad_output: Array, x: Array, g: Geometry) -> Array:
        """grad_output (N, O, OH, OW), x (N, C, H, W) -> (O, C/G, KH, KW)."""

    def grad_bias(self, grad_output: Array) -> Array:
        """grad_output (N, O, ...) -> (O,): the sum over all axes but the second.

        For `linear` too.
        """

    def im2col(self, x: Array, g: Geometry) -> Array:
        """x (N, C, H, W) -> the patch matrix (N, C KH KW, OH OW), a column an output pixel."""

    def col2im(self, cols: Array, g: Geometry) -> Array:
        """cols (N, C KH KW, OH OW) -> (N, C, H, W): the transpose of `im2col`."""

    # ------------------------------------------------------------ linear (integers too)

    def linear(self, x: Array, weight: Array, bias: Array | None) -> Array:
        """x (M, in), weight (out, in), bias (out,) or None -> (M, out)."""

    def linear_grad_input(self, grad_output: Array, weight: Array) -> Array:
        """grad_output (M, out), weight (out, in) -> (M, in)."""

    def linear_grad_weight(self, grad_output: Array, x: Array) -> Array:
        """grad_output (M, out), x (M, in) -> (out, in)."""

    # -------------------------------------------------------------------------- pooling

    def max_pool2d(self, x: Array, g: Geometry) -> tuple[Array, Array]:
        """x (N, C, H, W) -> the maxima and their places h W + w (int64), each (N, C, OH, OW).

        Integers too. In g, O = G = C: each channel is pooled by itself.
        """

    def max_pool2d_grad(self, grad_output: Array, indices: Array, g: Geometry) -> Array:
        """grad_output and int64 indices (N, C, OH, OW), each in [0, H W) -> (N, C, H, W)."""

    # ---------------------------------------------------- convolution, ReLU and pooling

    def conv_block(
        self, x: Array, weight: Array, bias: Array | None, g: Geometry, pooling: Geometry
    ) -> tuple[Array, Array]:
        """max_pool2d(relu(conv2d(x, weight, bias, g)), pooling): the maxima and their places.

        Not integers. The places may be int32.
        """

    def conv_block_grad(
        self,
        grad_output: Array,
        output: Array,
        indices: Array,
        x: Array,
        weight: Array,
        g: Geometry,
        pooling: Geometry,
        needs_input_grad: bool,
        needs_weight_grad: bool,
        needs_bias_grad: bool,
    ) -> tuple[Array | None, Array | None, Array | None]:
        """grad_output, and output and indices as `conv_block` gave them -> what
        conv2d_grad_input, conv2d_grad_weight and grad_bias give; None for what is not needed.
        """

    # -------------------------------------------------------------------- normalisation

    def normalize(self, x: Array, eps: float) -> tuple[Array, Array, Array, Array]:
        """x (N, C, L), N L at least 1 -> the output (N, C, L); mean, variance and
        s = sqrt(variance + eps), each (C,).

        Each channel has the mean 0 and, but for eps, the variance 1 then.
        """

    def normalize_grad(
        self, grad_output: Array, output: Array, s: Array, weight: Array | None
    ) -> tuple[Array, Array, Array]:
        """grad_output (N, C, L), output and s as `normalize` gave them, and the weight (C,) by
        which the output is multiplied, or None -> (N, C, L); the sums of grad_output times
        output and of grad_output, each (C,).

        A NumPy grad_output may be float64 where the others are float32.
        """

    # -------------------------------------------------------------------------- padding

    def pad(self, x: Array, left: int, right: int, top: int, bottom: int, mode: str) -> Array:
        """x (N, C, H, W) -> (N, C, top + H + bottom, left + W + right). Integers too.

        `mode` is "reflect", "replicate" or "circular": padding with a constant needs no kernel.
        """

    def pad_grad(self, grad_output: Array, left: int, right: int, top: int, bottom: int, mode: str) -> Array:
        """grad_output (N, C, top + H + bottom, left + W + right) -> (N, C, H, W)."""

    # ----------------------------------------------- functions of one number, any shape

    def relu(self, x: Array) -> Array:
        """x -> the same shape. Integers too."""

    def relu_grad(self, grad_output: Array, output: Array) -> Array:
        """grad_output and relu's output, of one shape -> that shape."""

    def sigmoid(self, x: Array) -> Array:
        """x -> the same shape."""

    def sigmoid_grad(self, grad_output: Array, output: Array) -> Array:
        """grad_output and sigmoid's output, of one shape -> that shape."""

    def tanh(self, x: Array) -> Array:
        """x -> the same shape."""

    def tanh_grad(self, grad_output: Array, output: Array) -> Array:
        """grad_output and tanh's output, of one shape -> that shape."""

    def gelu(self, x: Array, approximate: str) -> Array:
        """x -> the same shape. `approximate` is "none" or "tanh"."""

    def gelu_grad(self, grad_output: Array, x: Array, approximate: str) -> Array:
        """grad_output and gelu's input, of one shape -> that shape."""

    # -------------------------------------------------------------------------- softmax

    def softmax(self, x: Array, axis: int) -> Array:
        """x, not empty -> the same shape. Along the axis the results add up to 1."""

    def log_softmax(self, x: Array, axis: int) -> Array:
        """x, not empty -> the same shape: the logarithms of `softmax`."""

    # --------------------------------------------------------------------------- losses
    #
    # `reduction` is "none", "sum" or "mean". With "none" a loss is an array, of the shape
    # given; otherwise it is one number, of the first array's dtype. `grad_output` has the
    # shape of the loss: () for one number. The gradient is with respect to the first array
    # (logits, p or x), and has its shape.

    def cross_entropy(
        self,
        logits: Array,
        target: Array,
        weight: Array | None,
        ignore_index: int,
        label_smoothing: float,
        reduction: str,
    ) -> Any:
        """logits (N, C, ...), weight (C,) or None -> the losses (N, ...), or one number.

        target is (N, ...) of int64 or uint8, or probabilities (N, C, ...) of float32 or
        float64, whatever the dtype of the logits. Every class that is not ignore_index lies
        in [0, C). label_smoothing is in [0, 1].
        """

    def cross_entropy_grad(
        self,
        grad_output: Array,
        logits: Array,
        target: Array,
        weight: Array | None,
        ignore_index: int,
        label_smoothing: float,
        reduction: str,
    ) -> Array:
        """Arguments as of `cross_entropy` -> (N, C, ...)."""

    def nll_loss(self, log_p: Array, target: Array, weight: Array | None, ignore_index: int, reduction: str) -> Any:
        """log_p (N, C, ...), class indices (N, ...) as of `cross_entropy` -> the losses."""

    def nll_loss_grad(
        self,
        grad_output: Array,
        log_p: Array,
        target: Array,
        weight: Array | None,
        ignore_index: int,
        reduction: str,
    ) -> Array:
        """Arguments as of `nll_loss` -> (N, C, ...)."""

    def binary_cross_entropy(self, p: Array, target: Array, weight: Array | None, reduction: str) -> Any:
        """p and target of one shape, in [0, 1]; weight None, or broadcasts to it."""

    def binary_cross_entropy_grad(
        self, grad_output: Array, p: Array, target: Array, weight: Array | None, reduction: str
    ) -> Array:
        """Arguments as of `binary_cross_entropy` -> the shape of p."""

    def binary_cross_entropy_with_logits(
        self, logits: Array, target: Array, weight: Array | None, pos_weight: Array | None, reduction: str
    ) -> Any:
        """logits and target of one shape; weight and pos_weight None, or broadcast to it."""

    def binary_cross_entropy_with_logits_grad(
        self,
        grad_output: Array,
        logits: Array,
        target: Array,
        weight: Array | None,
        pos_weight: Array | None,
        reduction: str,
    ) -> Array:
        """Arguments as of `binary_cross_entropy_with_logits` -> the shape of the logits."""

    def mse_loss(self, x: Array, target: Array, weight: Array | None, reduction: str) -> Any:
        """x, target and weight (if not None) of one shape."""

    def mse_loss_grad(self, grad_output: Array, x: Array, target: Array, weight: Array | None, reduction: str) -> Array:
        """Arguments as of `mse_loss` -> the shape of x."""

    # ------------------------------------------------- optimizers: these write in place
    #
    # All arrays have the parameter's shape and dtype, whatever it is; the other arguments
    # are Python's numbers.

    def adam(
        self,
        param: Array,
        grad: Array,
        exp_avg: Array,
        exp_avg_sq: Array,
        max_exp_avg_sq: Array | None,
        step: int,
        lr: float,
        beta1: float,
        beta2: float,
        eps: float,
        weight_decay: float,
        maximize: bool,
        decoupled_weight_decay: bool,
    ) -> None:
        """One step.

        In place: param, exp_avg, exp_avg_sq, and max_exp_avg_sq where it is not None
        (AMSGrad).

        `step` is 1 the first time.
        """

    def sgd(
        self,
        param: Array,
        grad: Array,
        momentum_buffer: Array | None,
        lr: float,
        momentum: float,
        dampening: float,
        weight_decay: float,
        nesterov: bool,
        maximize: bool,
    ) -> Array | None:
        """One step. In place: param, and momentum_buffer where it is not None.

        Returns the buffer for the next step: the one given, a new one on the first step,
        None without momentum.
        """


NAMES = tuple(name for name in vars(KernelSet) if not name.startswith("_"))
