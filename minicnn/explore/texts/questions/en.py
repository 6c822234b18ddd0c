"""The questions in English."""

TEXTS = {
    "question.title": "A question to walk through",
    "question.begin": "Begin",
    "question.back": "Previous place",
    "question.next": "Next place",
    "question.place": "Place {number} of {all}:",
    "question.transposed": "Why is conv2d's gradient to the input a transposed convolution?",
    "question.transposed.1": "Forward is one product, output = rows @ cols. Row o of rows is the kernel of output "
    "channel o; column p of cols is what the window of output pixel p sees. So rows[o, k] · cols[k, p] is one term of "
    "output[o, p].",
    "question.transposed.2": "cols holds copies. A pixel of the input stands in it once for each window that sees it. "
    "Go on with “Next”: each tap of the kernel copies one shifted part of the padded image.",
    "question.transposed.3": "Backward: in output[o, p], the entry cols[k, p] was multiplied by rows[o, k]. So its "
    "gradient is rows[o, k] · grad[o, p], added up over o, which is the product rows^T @ grad. Point at a "
    "number of grad_cols: it is a weight times a gradient. col2im gets this matrix as its cols.",
    "question.transposed.4": "A pixel collects the gradients of all its copies, so that += stands where im2col had =, "
    "at the same places. Read it from grad_output: each of its numbers, times the kernel, is added onto the plane "
    "where its window stood. Neighbours overlap. To stamp the kernel so is what a transposed convolution does.",
    "question.transposed.5": "ConvTranspose2d on the same numbers: its input is that grad_output, its weight the same "
    "kernel. Its forward calls this very function. Look at the calls above the source.",
    "question.transposed.6": "The result is, number for number, conv2d's gradient to the input. So the transposed "
    "convolution's forward is this gradient, and its name comes from rows^T and from col2im, the transpose of im2col. "
    "It does not undo the convolution: it sends each number back along the ways on which the inputs came.",
    "walk.argument_from": "{number} came with the call: line {line} of {function} made it.",
    "walk.made_from": "Made from {cells}.",
    "export.no_origins": "Where a number came from is not told on this page: with that it would have {bytes} bytes, "
    "and a page has at most {most}. `python -m minicnn.explore` tells it.",
    "export.too_large": "The walk through {name} has too many numbers for a page of {most} bytes. "
    "Give a smaller input.",
    "export.verdict": "gradcheck: backward is the derivative of forward.",
    "export.verdict_wrong": "gradcheck: not right.",
}
