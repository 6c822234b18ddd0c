"""A solution runs in a process of its own: what it does there costs its own points alone."""

import sys

import pytest

from minicnn.assignment.handout import grading, run_one
from tests.assignment.handed_out import assignment

RIGHT = "def relu(x):\n    return np.where(x > 0, x, 0).astype(x.dtype)\n"


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    return assignment(tmp_path_factory.mktemp("kit"), ["relu"])


def run(given, folder, text, name="relu.plain", seconds=60, megabytes=2048):
    path = folder / "solution.py"
    path.write_text(f"import numpy as np\n{text}", encoding="utf-8")
    return grading.run(given, given.requirements[name], path, seconds, megabytes)


@pytest.mark.parametrize(
    "before",
    [
        "print('x' * 100_000); import sys; print('y', file=sys.stderr)",
        "import warnings; warnings.warn('careful')",
        "np.log(np.zeros(1))",
        "import os; os.chdir('/'); os.environ.clear()",
        "import sys; sys.stdout.close(); sys.stderr.close()",
        "import dataclasses, numpy.lib.stride_tricks, tempfile",
        "np.seterr(all='raise'); x.sum()",
    ],
)
def test_what_harms_nobody_costs_nothing(given, tmp_path, before):
    text = RIGHT.replace("    return", f"    {before}\n    return")
    assert run(given, tmp_path, text) == ("", False)


@pytest.mark.parametrize(
    ("instead", "said"),
    [
        ("import os; os._exit(0)", "Python ended before the function returned (exit status 0)."),
        ("import os; os._exit(7)", "Python ended before the function returned (exit status 7)."),
        ("import sys; sys.exit(3)", "It raises an error. solution.py, line 3: SystemExit: 3"),
        ("raise KeyError('x')", "It raises an error. solution.py, line 3: KeyError: 'x'"),
        ("return x.wrong", "It raises an error. solution.py, line 3: AttributeError: "),
        ("return 1 // 0", "It raises an error. solution.py, line 3: ZeroDivisionError: "),
        ("return relu(x)", "It raises an error. solution.py, line 3: RecursionError: "),
        ("x", "output: an array of numbers is expected, and this is NoneType; is a return missing?"),
        ("return [[1], [2, 3]]", "output: an array of numbers is expected, and this is list"),
        ("return x[0]", "output: it has the shape (4,), and (3, 4) is right"),
        ("return x * np.nan", "output: 12 of 12 numbers are wrong, the first at [0, 0]: "),
        ("raise NotImplementedError", "relu is not written yet."),
        ("return ()", "output: nothing is returned in this place; is a return missing?"),
    ],
)
def test_what_ends_a_function_is_said_in_a_sentence_with_its_line(given, tmp_path, instead, said):
    complaint, all_points = run(given, tmp_path, f"def relu(x):\n    {instead}\n")
    assert complaint.startswith(said)
    assert not all_points


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def relu(x):\n    return (x", "solution.py cannot be imported. solution.py, line 3: '(' was never closed"),
        ("raise OSError('no')", "solution.py cannot be imported. solution.py, line 2: OSError: no"),
        ("def other(x): return x", "solution.py has no function relu."),
        ("relu = 5", "solution.py has no function relu."),
    ],
)
def test_what_is_wrong_with_a_file_is_said(given, tmp_path, text, said):
    complaint, _ = run(given, tmp_path, text)
    assert complaint.startswith(said)


def test_an_endless_loop_ends_with_its_time(given, tmp_path):
    complaint, _ = run(given, tmp_path, "def relu(x):\n    while True:\n        pass\n", seconds=1)
    assert complaint == "It did not finish within 1 seconds: is there a loop that never ends?"


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux alone")
def test_memory_beyond_the_limit_is_refused(given, tmp_path):
    complaint, _ = run(given, tmp_path, "def relu(x):\n    return np.zeros(2**30)[: x.size]\n")  # 8 GB, untouched
    assert complaint.startswith("It takes more memory than there is. solution.py, line 3: ")
    assert run(given, tmp_path, RIGHT) == ("", False)


def test_a_large_file_is_not_written(given, tmp_path):
    pytest.importorskip("resource")
    text = "def relu(x):\n    f = open('large', 'wb'); f.truncate(2**40)\n    return x\n"
    assert run(given, tmp_path, text)[0]


# ------------------------------------------------------------------- what is not allowed


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (f"import torch\n{RIGHT}", "torch (line 2)"),
        (f"from minicnn.nn import functional\n{RIGHT}", "minicnn.nn (line 2)"),
        (f"import numpy, jax.numpy as jnp\n{RIGHT}", "jax.numpy (line 2)"),
        (f"try:\n    import scipy.signal\nexcept ImportError:\n    pass\n{RIGHT}", "scipy.signal (line 3)"),
        (f"{RIGHT}\ndef never():\n    import tensorflow", "tensorflow (line 6)"),
        (f"from . import neighbour\n{RIGHT}", ". (line 2)"),
        (f"import importlib\nimportlib.import_module('torch')\n{RIGHT}", "torch (line 3)"),
        (f"__import__('sci' + 'py')\n{RIGHT}", "scipy"),
        (f"try:\n    __import__('sci' + 'py')\nexcept BaseException:\n    pass\n{RIGHT}", "scipy"),
    ],
)
def test_who_imports_a_finished_implementation_gets_no_points_and_a_sentence(given, tmp_path, text, named):
    complaint, all_points = run(given, tmp_path, text)
    assert complaint == (f"No points: the solution imports {named}. Only numpy and Python's own modules may be used.")
    assert all_points


@pytest.mark.parametrize(
    "text",
    [
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true')",
        "import os; os.kill(os.getppid(), 0)",
    ],
)
def test_who_starts_a_program_gets_no_points(given, tmp_path, text):
    complaint, all_points = run(given, tmp_path, f"{text}\n{RIGHT}")
    assert complaint.startswith("No points: the solution starts a program or sends a signal (")
    assert all_points


def test_a_module_that_the_teacher_allows_is_allowed():
    assert run_one.foreign_import("import numba.typed, math", ["numpy", "numba"]) is None
    assert run_one.foreign_import("import math\nimport numba", ["numpy"]) == (2, "numba")


def test_the_right_answers_do_not_reach_the_solution(given):
    for requirement in given.requirements.values():
        assert "results" not in str(given.calls(requirement))
