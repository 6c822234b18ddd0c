"""An assignment in a folder, and solutions graded in this process, without its guard."""

import sys

from minicnn.assignment.__main__ import write
from minicnn.assignment.handout import grading, run_one

EVERYTHING = ["conv2d", "max_pool2d", "linear", "relu", "sigmoid", "tanh", "cross_entropy", "mse_loss", "adam", "sgd"]


def assignment(folder, operations=EVERYTHING, arguments=("stride", "padding", "dilation"), lang="en", seed=0):
    write(folder, list(operations), list(arguments), lang, ["numpy"], seed)
    return grading.Assignment(folder / "cases.npz")


def complaints(given, path, operation=None):
    """{requirement: what is said}, of one operation or of all."""
    solution = run_one.load(path)
    del sys.modules["solution"]
    found = {}
    for name, requirement in given.requirements.items():
        if operation in (None, requirement["function"].removesuffix("_backward")):
            answers = run_one.answers(solution, given.calls(requirement), given.arrays)
            arrays = run_one.apart(answers)
            found[name] = grading.complaint(given, requirement, answers, arrays)
    return grading.without_empty_points(given, found)
