"""What students read, in English. A key that begins with `line` is one line of the points."""

TEXTS = {
    # ------------------------------------------------------------------ the folder's README
    "readme": """\
# Assignment: {title}

Fill in the functions in `solution.py`. Each says what it takes and gives, with the shapes and
an example that is worked out by hand.

    python -m doctest solution.py      # the examples alone
    pytest                             # all requirements, with your points

You need Python 3.10 or newer, NumPy and pytest: `pip install numpy pytest`.

## What counts

{points}

Each requirement looks at one thing. What a failed one prints is the call with its numbers, what
is right, and what your function gave: paste the call, and work it out on paper.

## Rules

- You may import {allowed} and Python's own modules. A solution that imports torch or another
  library which has these functions ready gets no points; nor does one that starts a program.
- Names and order of the arguments stay as they are. You may write functions of your own.
- Each requirement has 10 seconds and 2 GB. Loops in Python are fast enough.
- Arrays that you are given stay as they are: work on a copy.
- The result has the dtype of the input: float32 in, float32 out.
- What you print is not shown by the tests: call your function yourself to look at it.

## Words

N images, C channels, H rows, W columns; O output channels; KH and KW the kernel's rows and
columns; OH and OW those of the output. `grad_output` is the gradient of the loss with respect to
what a function returned; the function's `_backward` gives the gradient with respect to what it
took.
""",
    "points_row": "| `{function}` | {points} |",
    "points_head": "| function | points |\n|---|---|",
    "points_sum": "| sum | {points} |",
    # ---------------------------------------------------------------------------- solution.py
    "skeleton": "Fill in each function: it says what it takes and gives, with an example by hand.",
    "by_hand": "By hand:",
    "doc.conv2d": "Slide the kernel over each image (cross-correlation): each output is the sum of the\n"
    "products under the window, over all input channels, and bias[o]. None is no bias.",
    "doc.conv2d_backward": "The gradients of conv2d: to the input, to the weight, to the bias.",
    "doc.max_pool2d": "The largest number under each window.",
    "doc.max_pool2d_backward": "Each window's gradient goes to its largest number, to the first of equal ones (row by\n"
    "row). Where windows overlap it adds up.",
    "doc.linear": "input times weight transposed, and the bias.",
    "doc.linear_backward": "The gradients of linear: to the input, to the weight, to the bias.",
    "doc.relu": "What is negative becomes 0.",
    "doc.relu_backward": "The gradient passes where the output is positive; elsewhere, at 0 too, it is 0.\n"
    "`output` is what relu returned.",
    "doc.sigmoid": "1 / (1 + exp(-x)), for large numbers of either sign too.",
    "doc.sigmoid_backward": "grad_output times s (1 - s), where s is `output`: what sigmoid returned.",
    "doc.tanh": "(exp(x) - exp(-x)) / (exp(x) + exp(-x)).",
    "doc.tanh_backward": "grad_output times 1 - t^2, where t is `output`: what tanh returned.",
    "doc.cross_entropy": "The mean of -log(softmax(logits)[target]) over the N rows. `target` has whole numbers from\n"
    "0 to C - 1. Logits of 1000 must not overflow.",
    "doc.cross_entropy_backward": "The gradient of cross_entropy to the logits: (softmax - one-hot) / N times\n"
    "grad_output, which is one number.",
    "doc.mse_loss": "The mean of (input - target)^2 over all numbers.",
    "doc.mse_loss_backward": "The gradient of mse_loss to the input, times grad_output, which is one number.",
    "doc.adam": "One step of Adam. `exp_avg` and `exp_avg_sq` are the running means of the gradient and of\n"
    "its square before this step; `step` is 1 at the first. weight_decay * param is added to\n"
    "the gradient. Returns new arrays.",
    "doc.sgd": "One step of gradient descent with momentum: the buffer becomes momentum * buffer + grad,\n"
    "and param goes lr * buffer against it. Returns new arrays.",
    "arg.kernel_size": "kernel_size: the window's size, a whole number or a pair (rows, columns).",
    "arg.stride": "stride: how far the window moves, a whole number or a pair (down, across).",
    "arg.pool_stride": "stride: how far the window moves, a whole number or a pair (down, across); None is\n"
    "kernel_size: the windows lie side by side.",
    "arg.padding": "padding: so many rows and columns of zeros around each image, a whole number or a pair (rows\n"
    "above and below, columns left and right).",
    "arg.pool_padding": "padding: so many rows and columns around each image, a whole number or a pair (rows above\n"
    "and below, columns left and right). They are -inf, so that they never win.",
    "arg.dilation": "dilation: how far apart the kernel's entries lie, a whole number or a pair (down, across).",
    "arg.groups": "groups: output channels in block g see the input channels in block g alone.",
    # ------------------------------------------------------------------------- requirements
    "line.conv2d.plain": "each output is the sum of the products under its window",
    "line.conv2d.orientation": "the kernel is not flipped: weight[..., 0, 0] meets the window's top left pixel",
    "line.conv2d.channels": "it sums over the input channels, for each output channel",
    "line.conv2d.batch": "every image of the batch is computed",
    "line.conv2d.bias": "bias[o] is added to each pixel of output channel o",
    "line.stride": "the window moves by stride; a last window that is not whole is left out",
    "line.stride_pair": "stride as a pair: down, across",
    "line.padding": "padding on all four sides",
    "line.padding_pair": "padding as a pair: rows, columns",
    "line.dilation": "the kernel's entries lie dilation pixels apart",
    "line.dilation_pair": "dilation as a pair: down, across",
    "line.groups": "output block g sees input block g alone",
    "line.conv2d_backward.grad_input": "grad_input of a single window: its gradient times the kernel",
    "line.conv2d_backward.overlap": "grad_input where windows overlap: it adds up",
    "line.conv2d_backward.input_channels": "grad_input sums over the output channels",
    "line.conv2d_backward.grad_weight": "grad_weight is the sum over all windows",
    "line.conv2d_backward.weight_channels": "grad_weight has each pair of channels in its place",
    "line.conv2d_backward.weight_batch": "grad_weight is the sum over the images, not the mean",
    "line.conv2d_backward.grad_bias": "grad_bias is the sum over all pixels of a channel",
    "line.conv2d_backward.bias_batch": "grad_bias is the sum over the images, not the mean",
    "line.max_pool2d.plain": "the largest number of each window, with the windows side by side",
    "line.kernel_pair": "kernel_size as a pair: rows, columns",
    "line.channels": "each channel of each image by itself",
    "line.negative": "padding never wins, where all numbers are negative either",
    "line.max_pool2d_backward.plain": "the gradient goes to the largest number of each window, 0 to the others",
    "line.ties": "of equal numbers the first gets the gradient, and all of it",
    "line.max_pool2d_backward.overlap": "a number that wins in several windows gets the sum",
    "line.linear.plain": "input times weight transposed, for one row",
    "line.linear.batch": "for several rows",
    "line.linear.bias": "the bias is added",
    "line.linear_backward.grad_input": "grad_input is grad_output times weight",
    "line.linear_backward.grad_weight": "grad_weight has the axes of weight: (O, I)",
    "line.linear_backward.grad_bias": "grad_bias of a single row is grad_output",
    "line.linear_backward.batch": "grad_weight and grad_bias are sums over the rows, not means",
    "line.relu.plain": "negative numbers become 0, the others stay",
    "line.relu_backward.plain": "the gradient passes where the output is positive",
    "line.zero": "where the output is 0 the gradient is 0",
    "line.sigmoid.plain": "1 / (1 + exp(-x))",
    "line.far": "it is 0 and 1 far out, without NaN",
    "line.sigmoid_backward.plain": "grad_output * s * (1 - s)",
    "line.tanh.plain": "tanh(x)",
    "line.tanh_backward.plain": "grad_output * (1 - t^2)",
    "line.cross_entropy.plain": "-log(softmax) of the true class, for one row",
    "line.mean": "the mean over what is counted, not the sum",
    "line.large": "logits of 1000 do not overflow",
    "line.cross_entropy_backward.plain": "softmax minus one-hot, for one row",
    "line.chain": "the gradient is multiplied with grad_output",
    "line.mse_loss.plain": "the square of the difference",
    "line.mse_loss_backward.plain": "twice the difference",
    "line.moments": "exp_avg and exp_avg_sq are the running means",
    "line.step": "param goes lr * exp_avg / sqrt(exp_avg_sq) against the gradient",
    "line.correction": "both means are divided by 1 - beta^step",
    "line.eps": "eps is added to the root, not under it",
    "line.decay": "weight_decay * param is added to the gradient",
    "line.sgd.plain": "without momentum: param - lr * grad",
    "line.momentum": "the buffer becomes momentum * buffer + grad",
    "line.all": "all of it together",
    "line.dtype": "float32 in, float32 out",
    "line.unchanged": "what it is given stays as it is",
    "line.again": "the same call twice gives the same",
    # -------------------------------------------------------------------- what is complained
    "points": "Points",
    "total": "{points} of {of} points",
    "no_file": "There is no file {file}.",
    "slow": "It did not finish within {seconds:g} seconds: is there a loop that never ends?",
    "ended": "Python ended before the function returned (exit status {status}).",
    "in_line": " (line {line})",
    "foreign_import": "No points: the solution imports {name}{where}. Only {allowed} and Python's own modules may be"
    " used.",
    "foreign_program": "No points: the solution starts a program or sends a signal ({name}){where}."
    " Only {allowed} and Python's own modules may be used.",
    "error_missing": "solution.py has no function {text}.",
    "error_unwritten": "{text} is not written yet.",
    "error_memory": "It takes more memory than there is. {text}",
    "error_raised": "It raises an error. {text}",
    "error_import": "solution.py cannot be imported. {text}",
    "changed": "It writes into {name}, which belongs to the caller: work on a copy.\n{call}",
    "nothing": "nothing is returned in this place; is a return missing?",
    "no_array": "an array of numbers is expected, and this is {type}; is a return missing?",
    "dtype": "it is {got}, and {right} is right",
    "again": "the second time the same call gives something else\n    first:  {first}\n    second: {second}",
    "shape": "it has the shape {got}, and {right} is right",
    "values": "{wrong} of {all} numbers are wrong, the first at {place}: {right_one:g} is right, yours is {got_one:g}\n"
    "    right: {right}\n    yours: {got}",
    "one": "{right_one:g} is right, and yours is {got_one:g}",
    "nothing_right": "This counts once a line above it is met.",
}
