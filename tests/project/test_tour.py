"""The tour: its two files are a pair, its outputs are fit to be read, and it runs from
top to bottom.
"""

import re
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
jupytext = pytest.importorskip("jupytext")
pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("torch")

from tests.project.tour import NOTEBOOK, ROOT, TEXT, execute, read_text


@pytest.fixture(scope="module")
def stored():
    return nbformat.read(NOTEBOOK, as_version=4)


def outputs(notebook, *kinds):
    return [output for cell in notebook.cells for output in cell.get("outputs", ()) if output.output_type in kinds]


def test_the_text_and_the_notebook_have_the_same_cells(stored):
    written, kept = ([(cell.cell_type, cell.source) for cell in nb.cells] for nb in (read_text(), stored))
    assert written == kept, "reference/tour.py and tour.ipynb differ: `make tour` writes the notebook anew"


def test_saving_the_notebook_in_jupyter_would_not_change_the_text(stored):
    assert stored.metadata.jupytext.formats == "ipynb,py:percent"
    assert jupytext.writes(stored, fmt="py:percent") == TEXT.read_text(encoding="utf-8")


def test_the_notebook_is_valid_executed_and_free_of_chance(stored):
    nbformat.validate(stored)
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert [cell.id for cell in stored.cells] == [cell.id for cell in read_text().cells]
    assert {key for cell in code for key in cell.metadata} <= {"lines_to_next_cell"}  # no times, no state of an editor
    assert "version" not in stored.metadata.language_info


def test_the_stored_outputs_hold_no_error_no_warning_and_no_path_of_a_machine(stored):
    assert not outputs(stored, "error")
    assert {output.name for output in outputs(stored, "stream")} == {"stdout"}
    text = NOTEBOOK.read_text(encoding="utf-8")
    text = re.sub(r'"image/png": "[^"]*"', "", text)  # base64 has slashes too
    for path in (str(ROOT), sys.prefix, str(Path.home()), "/home/", "/tmp/", "/usr/", "/Users/", "C:\\\\"):
        assert path not in text


def test_it_can_be_read_on_a_web_page(stored):
    assert NOTEBOOK.stat().st_size < 600_000
    pictures = [output for output in outputs(stored, "display_data") if "image/png" in output.data]
    assert 5 <= len(pictures) <= 10


def unpaired(notebook):
    """The torch cells that no minicnn cell with a check follows, and the minicnn cells
    that follow none.
    """
    code = ["", *(cell.source for cell in notebook.cells if cell.cell_type == "code"), ""]
    torchs, ours = ([source.startswith(f"# {name}\n") for source in code] for name in ("torch", "minicnn"))
    checked = [re.search(r"^ *(agree|must)\(", source, re.MULTILINE) is not None for source in code]
    return [
        source
        for n, source in enumerate(code)
        if (torchs[n] and not (ours[n + 1] and checked[n + 1])) or (ours[n] and not torchs[n - 1])
    ]


def test_each_torch_cell_is_followed_by_minicnn_and_a_check(stored):
    assert sum(cell.source.startswith("# torch\n") for cell in stored.cells) >= 20
    assert unpaired(stored) == []


def test_a_pair_without_a_check_is_found(stored):
    last = max(n for n, cell in enumerate(stored.cells) if cell.source.startswith("# minicnn\n"))
    cells = [*stored.cells[:last], nbformat.from_dict({"cell_type": "code", "source": "# minicnn\nprint(1)"})]
    assert len(unpaired(nbformat.from_dict({"cells": cells}))) == 1


@pytest.fixture(scope="module")
def helpers(stored):
    """The tour's own two checks."""
    (source,) = (cell.source for cell in stored.cells if cell.source.startswith("def agree("))
    names = {"np": pytest.importorskip("numpy"), "torch": pytest.importorskip("torch")}
    exec(source, names)  # noqa: S102 - it is our own notebook
    return names


def test_the_tours_checks_can_fail(helpers):
    agree, must, np, torch = (helpers[name] for name in ("agree", "must", "np", "torch"))
    one, theirs = np.array([1.0, 2.0]), torch.tensor([1.0, 2.0], dtype=torch.float64)
    agree("same", one, theirs)
    for wrong in (one * (1 + 1e-4), one[:1], one.astype(np.float32), one * np.nan, one * np.inf):
        with pytest.raises(AssertionError, match="wrong: "):
            agree("wrong", wrong, theirs)
    with pytest.raises(AssertionError, match="It does not hold that pigs fly"):
        must("pigs fly", False)


@pytest.mark.tour
def test_it_runs_from_top_to_bottom(stored):
    """Whatever fails inside, a check too, fails here; what the cells put out is of the
    kinds that are stored.
    """
    executed = execute(read_text())
    assert not outputs(executed, "error")

    def kinds(notebook):
        return [[(o.output_type, o.get("name")) for o in cell.get("outputs", ())] for cell in notebook.cells]

    assert kinds(executed) == kinds(stored)
