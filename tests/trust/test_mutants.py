"""The suite catches every planted bug of `tests.trust.mutants`, and nothing else makes
those tests fail.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import minicnn
from tests.trust.mutants import MUTANTS

pytestmark = pytest.mark.mutants

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(minicnn.__file__).resolve().parent
SCRIPT = """
import pathlib, sys
import pytest
sys.path.insert(0, ".")
import minicnn

found = pathlib.Path(minicnn.__file__).resolve().parent
assert found == pathlib.Path("minicnn").resolve(), f"{found} was imported, not the copy"

class NoShrinking:
    def pytest_collection(self):  # after the conftest, before the tests are read
        import hypothesis
        phases = [hypothesis.Phase.explicit]
        if minicnn.get_backend() == "numpy":  # random configurations are many kernels to compile
            phases.append(hypothesis.Phase.generate)
        hypothesis.settings.register_profile("mutants", hypothesis.settings.get_profile("ci"), phases=phases)
        hypothesis.settings.load_profile("mutants")

minicnn.set_backend(sys.argv[1])
sys.exit(10 + pytest.main(sys.argv[2:], plugins=[NoShrinking()]))  # 1 is the exit code of any error
"""
PASSED, FAILED = 10, 11  # pytest's exit codes 0 and 1; 2 to 5 mean that it could not run the tests
TIMEOUT = 180  # seconds; a bug that makes the tests hang is not noticed


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A folder with a copy of the package and of the tests."""
    folder = tmp_path_factory.mktemp("planted")
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, folder / "minicnn", ignore=without)
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=without)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def run(folder, tests, backend):
    """10 + pytest's exit code in the folder, or minus the signal that ended it; and
    what it printed.
    """
    options = [
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "--hypothesis-profile=ci",
        "--hypothesis-seed=0",
    ]
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1"}
    if "-k" in tests:
        of_this_set = "(numba or machine or team or compilation)" if backend == "numba" else "not numba"
        tests = (*tests[:-1], f"({tests[-1]}) and {of_this_set}")
    command = [sys.executable, "-c", SCRIPT, backend, *options, *tests]
    done = subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_without_a_bug_the_tests_pass(copy, backend):
    """All of them in one go, and a few more, as each mutant's words may fit in
    another's file.
    """
    chosen = {mutant.tests for mutant in MUTANTS.values() if mutant.backend == backend}
    files = sorted({tests[0] for tests in chosen})
    words = sorted(f"({tests[-1]})" if "-k" in tests else Path(tests[0]).stem for tests in chosen)
    code, printed = run(copy, (*files, "-k", " or ".join(words)), backend)
    assert code == PASSED, printed


@pytest.mark.parametrize("name", MUTANTS)
def test_the_suite_notices_that(copy, name):
    mutant = MUTANTS[name]
    file = copy / "minicnn" / mutant.file
    original = file.read_text(encoding="utf-8")
    assert original.count(mutant.original) == 1, f"{mutant.file} has changed: the text must occur exactly once"
    try:
        file.write_text(original.replace(mutant.original, mutant.replacement), encoding="utf-8")
        code, printed = run(copy, mutant.tests, mutant.backend)
    finally:
        file.write_text(original, encoding="utf-8")
    assert code == FAILED or (mutant.crashes and code < 0), printed
