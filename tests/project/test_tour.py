"""The tour, in two languages: its two files are a pair, its outputs are fit to be read, it
runs from top to bottom, and both languages compute the same.
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

from tests.project.tour import NOTEBOOK, NOTEBOOK_PT, ROOT, TEXT, TEXT_PT, code_of, execute, read_text, with_outputs

PAIRS = {"en": (TEXT, NOTEBOOK), "pt": (TEXT_PT, NOTEBOOK_PT)}


@pytest.fixture(scope="module", params=PAIRS)
def pair(request):
    return PAIRS[request.param]


@pytest.fixture(scope="module")
def stored(pair):
    return nbformat.read(pair[1], as_version=4)


def outputs(notebook, *kinds):
    return [output for cell in notebook.cells for output in cell.get("outputs", ()) if output.output_type in kinds]


def test_the_text_and_the_notebook_have_the_same_cells(pair, stored):
    written, kept = ([(cell.cell_type, cell.source) for cell in nb.cells] for nb in (read_text(pair[0]), stored))
    assert written == kept, f"{pair[0].name} and {pair[1].name} differ: `make tour` writes the notebook anew"


def test_saving_the_notebook_in_jupyter_would_not_change_the_text(pair, stored):
    assert stored.metadata.jupytext.formats == "ipynb,py:percent"
    assert jupytext.writes(stored, fmt="py:percent") == pair[0].read_text(encoding="utf-8")


def test_both_languages_compute_the_same():
    """The same code cells and the outputs of one execution; the words alone differ."""
    english, portuguese = (nbformat.read(notebook, as_version=4) for _, notebook in PAIRS.values())
    assert [cell.cell_type for cell in portuguese.cells] == [cell.cell_type for cell in english.cells]
    assert [cell.source for cell in code_of(portuguese)] == [cell.source for cell in code_of(english)]
    assert [cell.outputs for cell in code_of(portuguese)] == [cell.outputs for cell in code_of(english)]
    words = [{cell.source for cell in nb.cells if cell.cell_type == "markdown"} for nb in (english, portuguese)]
    assert words[0] & words[1] == set()


def test_both_languages_show_the_same_formulas_and_headings():
    english, portuguese = (read_text(text) for text, _ in PAIRS.values())
    for one, other in zip(english.cells, portuguese.cells, strict=True):
        if one.cell_type == "markdown":
            assert re.findall(r"^#+", other.source, re.MULTILINE) == re.findall(r"^#+", one.source, re.MULTILINE)
            assert displayed(other.source) == displayed(one.source)


def displayed(source):
    return ["".join(formula.split()) for formula in re.findall(r"\$\$(.*?)\$\$", source, re.DOTALL)]


def test_outputs_go_to_the_same_code_alone(stored):
    other = read_text()
    code_of(other)[3].source += " + 0"
    with pytest.raises(ValueError, match="Code cell 4 of"):
        with_outputs(other, stored)


def test_the_notebook_is_valid_executed_and_free_of_chance(pair, stored):
    nbformat.validate(stored)
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert [cell.id for cell in stored.cells] == [cell.id for cell in read_text(pair[0]).cells]
    assert {key for cell in code for key in cell.metadata} <= {"lines_to_next_cell"}  # no times, no state of an editor
    assert "version" not in stored.metadata.language_info


def test_the_stored_outputs_hold_no_error_no_warning_and_no_path_of_a_machine(pair, stored):
    assert not outputs(stored, "error")
    assert {output.name for output in outputs(stored, "stream")} == {"stdout"}
    text = pair[1].read_text(encoding="utf-8")
    text = re.sub(r'"image/png": "[^"]*"', "", text)  # base64 has slashes too
    for path in (str(ROOT), sys.prefix, str(Path.home()), "/home/", "/tmp/", "/usr/", "/Users/", "C:\\\\"):
        assert path not in text


def test_it_can_be_read_on_a_web_page(pair, stored):
    assert pair[1].stat().st_size < 600_000
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
def test_it_runs_from_top_to_bottom():
    """Whatever fails inside, a check too, fails here; what the cells put out is of the
    kinds that are stored. The code is that of both languages.
    """
    stored = nbformat.read(NOTEBOOK, as_version=4)
    executed = execute(read_text())
    assert not outputs(executed, "error")

    def kinds(notebook):
        return [[(o.output_type, o.get("name")) for o in cell.get("outputs", ())] for cell in notebook.cells]

    assert kinds(executed) == kinds(stored)
