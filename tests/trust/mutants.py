"""The planted bugs: believable mistakes, one at a time, each with the tests that must
notice it.

A mutant is a file of the package, the text that occurs there exactly once, what
replaces it, and the arguments with which pytest finds the tests (few and fast ones).
`tests.trust.test_mutants` plants them in a copy of the package.

Those of the Numba set stand in what `tests.trust.mutate` cannot change, as it works
without compilation: LLVM's instructions, the threads, the cache; and in a few of the
loops. Each compiles only what its tests need.
"""

from typing import NamedTuple


class Mutant(NamedTuple):
    file: str
    original: str
    replacement: str
    tests: tuple[str, ...]
    backend: str = "numpy"
    crashes: bool = False  # it spoils memory: the tests notice if they fail, and if their process dies of a signal


CONVOLUTION = ("tests/nn/test_convolution.py", "-k", "integers_agree or same_padding")
TRANSPOSED = ("tests/nn/test_conv_transpose.py", "-k", "integers_agree")
POOLING = ("tests/nn/test_pooling.py", "-k", "agree or ties or examples")
PADDING = ("tests/nn/test_padding.py", "-k", "modes_copy or pad_agrees")
POINTWISE = ("tests/nn/test_pointwise.py", "-k", "negative_zero or special")
AVERAGES = ("tests/nn/test_average_pooling.py", "-k", "agree")
DROPOUT = ("tests/nn/test_dropout.py", "-k", "mean or mask")
ACTIVATIONS = ("tests/nn/test_activations.py", "-k", "agree")
RESIZING = ("tests/nn/test_resizing.py", "-k", "agree")
NORMALIZATION = ("tests/nn/test_normalization.py", "-k", "agrees or several_batches")
LINEAR = ("tests/nn/test_linear.py", "-k", "integers_agree")
LAYERS = ("tests/nn/test_layers.py", "-k", "every_gradient or add_up")
LOSSES = ("tests/nn/test_losses.py", "-k", "every_argument or all_are_ignored or sum_of_the_targets")
OPTIMISERS = ("tests/optim/test_optim.py", "-k", "every_option or no_gradient or dampening")
INIT = ("tests/nn/test_init.py", "-k", "float32")
CONTAINERS = ("tests/saved/test_containers.py", "-k", "outputs or every_number")
MODULE = ("tests/nn/test_module.py",)
FROZEN = ("tests/nn/test_parameter.py", "-k", "frozen")
STATISTICS = ("tests/nn/test_frozen.py", "-k", "through_frozen_parts or keeps_nothing")
CHAIN = ("tests/nn/test_chain.py", "-k", "bit_for_bit or reshape or no_chain or stands_twice")
LOADER = ("tests/data/test_loader.py",)
KERNELS = "kernels/numpy_textbook"

NUMBA = "kernels/numba_fast"
INSTRUCTIONS = (
    "tests/kernels/engine/test_machine.py",
    "-k",
    "compiled_registers and float32 or compiled_a_fused or compiled_an_addition",
)
THREADS = (
    "tests/kernels/engine/test_team.py",
    "-k",
    "part_is_done_once or in_a_helper or waits_for_the_helpers or call_is_over",
)
CACHE = ("tests/kernels/engine/test_compilation.py", "-k", "any_of_the_sources or compile_at_once_do")
HALF_THE_REGISTERS = ("tests/kernels/test_numba.py", "-k", "half_the_registers")
WIDE_CONVOLUTION = ("tests/kernels/test_numba.py", "-k", "wide_convolutions")
DEPTHWISE = ("tests/kernels/test_depthwise.py",)
WIDE_POOLING = ("tests/kernels/test_numba.py", "-k", "wide_pooling or way_of_pooling")
BLOCK = ("tests/kernels/test_block.py", "-k", "not_finite")
SKIPPING = ("tests/kernels/test_numba.py", "-k", "skipping_in_bands and 22 and arguments1")

MUTANTS = {
    # weights of others
    "the rows behind a flattened image stay as Keras has them": Mutant(
        "saved/formats/transposed.py",
        "kernel.reshape(I // C, C, O).swapaxes(0, 1).reshape(I, O)",
        "kernel",
        CONTAINERS,
    ),
    "bfloat16 is taken for the lower half": Mutant(
        "saved/formats/found.py", "(bits.astype(np.uint32) << 16)", "bits.astype(np.uint32)", CONTAINERS
    ),
    # geometry
    "the output size rounds up": Mutant(
        "geometry.py",
        "return (size + padding - D * (K - 1) - 1) // S + 1",
        "return -(-(size + padding - D * (K - 1) - 1) // S) + 1",
        CONVOLUTION,
    ),
    "the dilated kernel is one too long": Mutant(
        "geometry.py",
        "return (size + padding - D * (K - 1) - 1) // S + 1",
        "return (size + padding - D * K) // S + 1",
        CONVOLUTION,
    ),
    "'same' pads the odd column left": Mutant(
        "geometry.py",
        "return total // 2, total - total // 2",
        "return total - total // 2, total // 2",
        CONVOLUTION,
    ),
    "a transposed convolution forgets the output padding": Mutant(
        "geometry.py",
        "return (size - 1) * S - 2 * P + D * (K - 1) + OP + 1",
        "return (size - 1) * S - 2 * P + D * (K - 1) + 1",
        TRANSPOSED,
    ),
    "output padding needs to be below stride and dilation": Mutant(
        "geometry.py", "if op >= S and op >= D:", "if op >= S or op >= D:", TRANSPOSED
    ),
    "ceil_mode keeps a window that starts in the right padding": Mutant(
        "geometry.py", "return out - 1 if starts_past_the_image else out", "return out", POOLING
    ),
    "pooling padding may be as large as the kernel": Mutant(
        "geometry.py", "if P > K // 2:", "if P > K:", ("tests/nn/test_layers.py", "-k", "makes_no_sense")
    ),
    # textbook kernels
    "stride taken for dilation": Mutant(f"{KERNELS}/convolution.py", "first = k * D", "first = k * S", CONVOLUTION),
    "height and width swapped": Mutant(
        f"{KERNELS}/convolution.py",
        "height = slice(g.PH, g.PH + g.H)\n    width = slice(g.PW, g.PW + g.W)",
        "height = slice(g.PW, g.PW + g.H)\n    width = slice(g.PH, g.PH + g.W)",
        CONVOLUTION,
    ),
    "col2im overwrites where patches overlap": Mutant(
        f"{KERNELS}/convolution.py",
        "padded[:, :, down, across] += cols[:, :, kh, kw]",
        "padded[:, :, down, across] = cols[:, :, kh, kw]",
        CONVOLUTION,
    ),
    "the weight's gradient is averaged over the images": Mutant(
        f"{KERNELS}/convolution.py",
        "each_image.sum(axis=0, dtype=x.dtype)",
        "each_image.mean(axis=0, dtype=x.dtype)",
        LAYERS,
    ),
    "the bias's gradient forgets the width": Mutant(
        f"{KERNELS}/convolution.py",
        "all_but_channels = (0, *range(2, grad_output.ndim))",
        "all_but_channels = (0, *range(2, min(grad_output.ndim, 3)))",
        CONVOLUTION,
    ),
    "max pooling takes the last of equal elements": Mutant(
        f"{KERNELS}/pooling.py", "(value > best)", "(value >= best)", POOLING
    ),
    "max pooling lets the padding win": Mutant(f"{KERNELS}/pooling.py", "wins = (place >= 0) & ", "wins = ", POOLING),
    "ReLU passes the gradient at zero": Mutant(
        f"{KERNELS}/pointwise.py", "np.where(output <= 0,", "np.where(output < 0,", POINTWISE
    ),
    "the sigmoid's slope forgets a factor": Mutant(
        f"{KERNELS}/pointwise.py",
        "return grad_output * (1 - output) * output",
        "return grad_output * (1 - output)",
        LAYERS,
    ),
    "circular padding repeats the edge": Mutant(
        f"{KERNELS}/padding.py", '"circular": "wrap"', '"circular": "edge"', PADDING
    ),
    "cross-entropy divides by the number of targets": Mutant(
        f"{KERNELS}/losses.py",
        "divisor = weights.sum()",
        "divisor = weights.size",
        LOSSES,
    ),
    "ignore_index is forgotten": Mutant(
        f"{KERNELS}/losses.py", "counted = target != ignore_index", "counted = target == target", LOSSES
    ),
    "label smoothing forgets the class weights": Mutant(
        f"{KERNELS}/losses.py",
        "q += label_smoothing / q.shape[1] * _class_weights(logits, weight)",
        "q += label_smoothing / q.shape[1]",
        LOSSES,
    ),
    "the mean squared error's gradient forgets the 2": Mutant(
        f"{KERNELS}/losses.py",
        "_reduce_grad(x.dtype.type(2), reduction, x.size)",
        "_reduce_grad(x.dtype.type(1), reduction, x.size)",
        LOSSES,
    ),
    "pos_weight multiplies the negatives too": Mutant(
        f"{KERNELS}/losses.py",
        "grad = (1 - target) - positives * sigmoid(-logits)",
        "grad = positives * (sigmoid(logits) - target)",
        LOSSES,
    ),
    "Adam's eps stands inside the root": Mutant(
        f"{KERNELS}/optimizers.py",
        "np.sqrt(v) / (1 - beta2**step) ** 0.5 + eps",
        "np.sqrt(v / (1 - beta2**step) + eps)",
        OPTIMISERS,
    ),
    "Adam's mean is not freed of its bias": Mutant(
        f"{KERNELS}/optimizers.py",
        "param -= lr / (1 - beta1**step) * exp_avg / denominator",
        "param -= lr * exp_avg / denominator",
        OPTIMISERS,
    ),
    "SGD dampens the first step too": Mutant(
        f"{KERNELS}/optimizers.py",
        "momentum_buffer = np.array(grad)",
        "momentum_buffer = (1 - dampening) * grad",
        OPTIMISERS,
    ),
    "the gradient of a normalisation forgets that the variance moves": Mutant(
        f"{KERNELS}/normalization.py",
        "rest = g - total[:, None] / n - along_y",
        "rest = g - total[:, None] / n",
        NORMALIZATION,
    ),
    "the gradient of gelu forgets the product rule": Mutant(
        f"{KERNELS}/pointwise.py",
        "return grad_output * (share + x * density)",
        "return grad_output * share",
        ACTIVATIONS,
    ),
    "the gradient of nll_loss has the other sign": Mutant(
        f"{KERNELS}/losses.py",
        "grad_y = np.where(counted, -weights * share",
        "grad_y = np.where(counted, weights * share",
        ACTIVATIONS,
    ),
    # functional, layers
    "bilinear upsampling begins half a pixel further": Mutant(
        "nn/functional/resizing.py",
        "(place + dtype.type(0.5)) * dtype.type(step) - dtype.type(0.5)",
        "place * dtype.type(step)",
        RESIZING,
    ),
    "unpooling adds what it must put": Mutant(
        "nn/functional/unpooling.py",
        "output[planes, places] = x.reshape(places.shape)",
        "np.add.at(output, (planes, places), x.reshape(places.shape))",
        RESIZING,
    ),
    "the gradient of softmax forgets the sum": Mutant(
        "nn/functional/softmax.py",
        "return arrays.from_number(products - p * total)",
        "return arrays.from_number(products)",
        ACTIVATIONS,
    ),
    "average pooling counts what ceil_mode reaches behind the padding": Mutant(
        "nn/functional/average_pooling.py",
        "end = np.minimum(start + K, size + P)",
        "end = start + K",
        AVERAGES,
    ),
    "an adaptive window ends a pixel early": Mutant(
        "nn/functional/average_pooling.py",
        "-(-(i + 1) * size // out)",
        "(i + 1) * size // out",
        AVERAGES,
    ),
    "dropout does not make up for what it drops": Mutant(
        "nn/functional/dropout.py",
        "scale = 1 / (1 - p) if p < 1 else 0.0",
        "scale = 1.0",
        DROPOUT,
    ),
    "the running variance is the one divided by n": Mutant(
        "nn/functional/normalization.py",
        "var * (n / (n - 1))",
        "var",
        NORMALIZATION,
    ),
    "a transposed convolution swaps input and gradient": Mutant(
        "nn/functional/conv_transpose.py",
        "kernels.conv2d_grad_weight(x, grad, g)",
        "kernels.conv2d_grad_weight(kernels.conv2d(grad, weight, None, g), grad, g)",
        TRANSPOSED,
    ),
    "linear adds up over one leading dimension only": Mutant(
        "nn/functional/linear.py",
        "return x.reshape(math.prod(leading), features), weight",
        "return x.reshape(-1, features)[: leading[0] if leading else 1], weight",
        LINEAR,
    ),
    "Conv2d has no gradient for its bias": Mutant(
        "nn/convolution.py", "self.bias.accumulate(grad_bias)", "pass", LAYERS
    ),
    "Conv2d pads height for width": Mutant(
        "nn/convolution.py", "return PL, PR, PT, PB", "return PT, PB, PL, PR", LAYERS
    ),
    "a gradient replaces the one before": Mutant(
        "nn/parameter.py", "self.grad = grad if self.grad is None else self.grad + grad", "self.grad = grad", LAYERS
    ),
    "a frozen parameter takes a gradient": Mutant(
        "nn/parameter.py",
        "if self.requires_grad and grad is not None:",
        "if grad is not None:",
        ("tests/nn/test_parameter.py", "-k", "frozen_after"),
    ),
    "a chain does not notice what is written between two layers": Mutant(
        "nn/chain.py",
        "if self.witness is None or is_unchanged(self.value, self.witness):",
        "if True:",
        ("tests/nn/test_chain.py", "-k", "no_chain"),
    ),
    "a transposed array counts as reshaped": Mutant(
        "kernels/arrays.py",
        "rows = x.flags.c_contiguous and y.flags.c_contiguous",
        "rows = True",
        ("tests/nn/test_chain.py", "-k", "no_chain"),
    ),
    "a frozen weight's gradient is computed all the same": Mutant(
        "nn/convolution.py", "needs_weight_grad=self.weight.requires_grad,", "needs_weight_grad=True,", FROZEN
    ),
    "an optimizer moves a frozen parameter": Mutant(
        "optim/optimizer.py",
        "if parameter.grad is not None and parameter.requires_grad:",
        "if parameter.grad is not None:",
        FROZEN,
    ),
    "requires_grad_ freezes the first layer alone": Mutant(
        "nn/module.py",
        "for parameter in self.parameters():\n            parameter.requires_grad = requires_grad",
        "for parameter in self.parameters(recurse=False):\n            parameter.requires_grad = requires_grad",
        FROZEN,
    ),
    "a frozen BatchNorm passes its gradient through the batch's mean": Mutant(
        "nn/normalization.py", "training=mean is None, eps", "training=True, eps", STATISTICS
    ),
    "a frozen BatchNorm follows the batch": Mutant(
        "nn/normalization.py", "by_batch = self.training or", "by_batch = True or", STATISTICS
    ),
    "a part in eval mode keeps nothing in a network in training": Mutant(
        "nn/passes.py",
        "return module.training or (forward is not None and forward.outermost.training)",
        "return module.training",
        STATISTICS,
    ),
    "a part that is called alone in eval mode keeps": Mutant(
        "nn/passes.py",
        "return module.training or (forward is not None and forward.outermost.training)",
        "return True",
        STATISTICS,
    ),
    "a chain goes backward in the order of forward": Mutant(
        "nn/chain.py", "for step in reversed(self.steps):", "for step in self.steps:", CHAIN
    ),
    "a layer that stands twice goes back with its latest call alone": Mutant(
        "nn/chain.py", "            part.kept_for_backward = kept\n", "            pass\n", CHAIN
    ),
    "a chain forgets the reshape before its first layer": Mutant(
        "nn/chain.py", "return grad if grad is None else grad.reshape(self.input_shape)", "return grad", CHAIN
    ),
    "a chain does not look what comes out": Mutant(
        "nn/chain.py",
        "if len(self.steps) == 0 or self.gap or any(step.gap for step in self.steps[1:]):",
        "if len(self.steps) == 0 or any(step.gap for step in self.steps[1:]):",
        CHAIN,
    ),
    "backward serves twice": Mutant(
        "nn/passes.py",
        "kept = module.kept_for_backward\n    module.kept_for_backward = None",
        "kept = module.kept_for_backward",
        MODULE,
    ),
    "loading keeps the old dtype": Mutant(
        "nn/module.py",
        "arrays.copied(value, own[name])",
        "arrays.copied(value, own[name], own[name].dtype)",
        MODULE,
    ),
    "Sequential goes backward in the order of forward": Mutant(
        "nn/sequential.py",
        "for step in reversed(block.steps(list(self))):",
        "for step in block.steps(list(self)):",
        ("tests/nn/test_module.py", "-k", "needs_input_grad"),
    ),
    # initial weights, optimizers, data
    "the bound is He's without torch's sqrt(5)": Mutant(
        "nn/init.py", "math.sqrt(2.0 / (1 + math.sqrt(5) ** 2))", "math.sqrt(2.0)", INIT
    ),
    "the random number keeps its upper bits": Mutant(
        "nn/init.py",
        "(generator.random_raw(n) & (2**24 - 1)) * 2.0**-24",
        "(generator.random_raw(n) >> 8) * 2.0**-24",
        INIT,
    ),
    "fan_in counts the outputs": Mutant(
        "nn/init.py",
        "fan_in = math.prod(weight_shape[1:])",
        "fan_in = math.prod(weight_shape) // weight_shape[-1]",
        INIT,
    ),
    "a step counts for parameters without a gradient": Mutant(
        "optim/optimizer.py",
        "if parameter.grad is not None and parameter.requires_grad:\n"
        "                    self.update(parameter, self._grad(parameter),",
        "if (grad := 0 * parameter.data if parameter.grad is None else parameter.grad) is not None:\n"
        "                    self.update(parameter, grad,",
        OPTIMISERS,
    ),
    "amsgrad's state is forgotten": Mutant(
        "optim/adam.py", 'state["max_exp_avg_sq"] if group["amsgrad"] else None', "None", OPTIMISERS
    ),
    "the last, smaller batch is lost": Mutant(
        "data/loader.py", "return full + (rest > 0 and not self.drop_last)", "return full", LOADER
    ),
    "every epoch is shuffled alike": Mutant(
        "data/loader.py", "np.random.default_rng((self.seed, epoch))", "np.random.default_rng((self.seed, 0))", LOADER
    ),
    # Numba kernels: LLVM's instructions
    "the registers of a pair hold the same numbers": Mutant(
        f"{NUMBA}/engine/vectors.py",
        "ir.Constant(ir.IntType(64), k)",
        "ir.Constant(ir.IntType(64), 0)",
        INSTRUCTIONS,
        "numba",
    ),
    "a register is written one place off": Mutant(
        f"{NUMBA}/engine/vectors.py",
        "_pointers(context, builder, array, *arguments[:2], vectors.count)",
        "_pointers(context, builder, array, arguments[0], builder.add(arguments[1], ir.Constant(ir.IntType(64), 1)),"
        " vectors.count)",
        INSTRUCTIONS,
        "numba",
    ),
    "registers are taken for aligned": Mutant(
        f"{NUMBA}/engine/vectors.py", "array.dtype.bitwidth // 8)", "64)", INSTRUCTIONS, "numba", crashes=True
    ),
    "a fused product is rounded twice": Mutant(
        f"{NUMBA}/engine/machine.py",
        "builder.fma(*arguments)",
        "builder.fadd(builder.fmul(*arguments[:2]), arguments[2])",
        INSTRUCTIONS,
        "numba",
    ),
    # threads
    "two threads may take the same part": Mutant(
        f"{NUMBA}/engine/machine.py",
        'return builder.atomic_rmw("add", pointer, arguments[2], "seq_cst")',
        "before = builder.load(pointer)\n"
        "        builder.store(builder.add(before, arguments[2]), pointer)\n"
        "        return before",
        INSTRUCTIONS,
        "numba",
    ),
    "a call does not wait for its helpers": Mutant(
        f"{NUMBA}/engine/team.py",
        "while not _await_loops(job.counter, joined, GLANCE):",
        "while False:",
        THREADS,
        "numba",
    ),
    "a job that is over stays open to helpers": Mutant(
        f"{NUMBA}/engine/team.py",
        "if fetch_add(counter, DOOR) >= CLOSED:",
        "if fetch_add(counter, DOOR) < 0:",
        THREADS,
        "numba",
    ),
    "a helper's error is lost": Mutant(f"{NUMBA}/engine/team.py", "job.error = error", "pass", THREADS, "numba"),
    "the number of threads decides what a part is": Mutant(
        f"{NUMBA}/engine/team.py",
        "_team.run(loops, (parts, *arguments), helpers)",
        "_team.run(loops, (helpers + 1, *arguments), helpers)",
        THREADS,
        "numba",
    ),
    # the cache
    "a callee's source is missing from the digest": Mutant(
        f"{NUMBA}/engine/cache.py", "sources += sources_of(entry)", "sources_of(entry)", CACHE, "numba"
    ),
    "the signature is missing from the name of a file": Mutant(
        f"{NUMBA}/engine/cache.py", "repr((surroundings(), key))", "repr((surroundings(), key[1:]))", CACHE, "numba"
    ),
    # loops
    "a copied row loses its remainder": Mutant(
        f"{NUMBA}/operands/products.py",
        "for j in range(U(whole), U(count)):",
        "for j in range(0):",
        DEPTHWISE,
        "numba",
    ),
    "the second four rows are the first": Mutant(
        f"{NUMBA}/operands/products.py",
        "f0 = m * row",
        "f0 = U(0) * row",
        HALF_THE_REGISTERS,
        "numba",
    ),
    "what a copy overran stays in the padding": Mutant(
        f"{NUMBA}/convolution.py",
        "fill(buffer, at + filled, layout.Q - filled, 0)",
        "fill(buffer, at, 0 if filled else layout.Q, 0)",
        WIDE_CONVOLUTION,
        "numba",
    ),
    "the columns of a dilated patch stand side by side": Mutant(
        f"{NUMBA}/operands/patches.py", "elif g.DW == 1:", "elif g.DH == 1:", WIDE_CONVOLUTION, "numba"
    ),
    "a depthwise tap finds the next column's phase": Mutant(
        f"{NUMBA}/depthwise.py", "* SW + column % SW) * plane.Q", "* SW + column // SW) * plane.Q", DEPTHWISE, "numba"
    ),
    "an infinity beside a depthwise row meets a zero": Mutant(
        f"{NUMBA}/convolution.py",
        "if finite(grad_weight.reshape(-1), 0, grad_weight.size):",
        "if True:",
        DEPTHWISE,
        "numba",
    ),
    "of two columns that are equal the lower element wins": Mutant(
        f"{NUMBA}/pooling.py", "(value == best) & (at < where)", "(value == best) & (at > where)", WIDE_POOLING, "numba"
    ),
    "of two columns with NaN the upper element wins": Mutant(
        f"{NUMBA}/pooling.py",
        "((best == best) | (at > where))",
        "((best == best) | (at < where))",
        WIDE_POOLING,
        "numba",
    ),
    "a large window passes NaN by": Mutant(
        f"{NUMBA}/pooling.py", "if not value <= best and (", "if value > best and (", WIDE_POOLING, "numba"
    ),
    "a window over the padding begins one tap late": Mutant(
        f"{NUMBA}/pooling.py", "(-place + step - 1) // step", "(-place + step) // step", WIDE_POOLING, "numba"
    ),
    "the last windows of a row are left out": Mutant(
        f"{NUMBA}/pooling.py",
        "for j0 in range(0, count, BLOCK):",
        "for j0 in range(0, count - BLOCK + 1, BLOCK):",
        WIDE_POOLING,
        "numba",
    ),
    "a block forgets ReLU on the way back": Mutant(
        "kernels/numpy_textbook/block.py",
        "max_pool2d_grad(relu_grad(grad_output, output), indices, pooling)",
        "max_pool2d_grad(grad_output, indices, pooling)",
        ("tests/nn/test_block.py", "-k", "one_by_one and numpy"),
    ),
    "an image's gradient meets that of the one before": Mutant(
        f"{NUMBA}/block.py", "fill(image, 0, image.size, zero)", "pass", BLOCK, "numba"
    ),
    "ReLU's output is computed again from other weights": Mutant(
        "nn/block.py",
        "if self.versions != passes.versions(conv):",
        "if False:",
        ("tests/nn/test_block.py", "-k", "other_weights"),
    ),
    "a piece too long spoils what stands behind its run": Mutant(
        f"{NUMBA}/operands/skipping.py", "store(row, end, behind)", "pass", SKIPPING, "numba"
    ),
}
