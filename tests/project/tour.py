"""Executes the tour and writes its outputs: `python -m tests.project.tour` (`make tour`).

`reference/tour.py` is what people edit and what diffs show; `reference/tour.ipynb` has
the same cells with their outputs, to be read on a web page. Nothing goes into the
outputs that would differ without a reason: no times, no paths, and each cell's id is a
digest of its source.

`tour.pt.py` has the same code between words in Portuguese. So it is executed once, and
`tour.pt.ipynb` gets the same outputs.
"""

import hashlib
import os
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
TEXT = ROOT / "reference" / "tour.py"
NOTEBOOK = TEXT.with_suffix(".ipynb")
TEXT_PT = TEXT.with_suffix(".pt.py")
NOTEBOOK_PT = TEXT_PT.with_suffix(".ipynb")


def read_text(text: Path = TEXT) -> nbformat.NotebookNode:
    """The cells of the text file, without outputs."""
    notebook = jupytext.read(text, as_version=4)
    notebook.nbformat_minor = 5  # the first version with cell ids
    notebook.metadata.language_info = {"name": "python"}
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    return notebook


def execute(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Run all cells in a new kernel, as Jupyter does in the notebook's folder; the
    first error stops it and is raised.
    """
    language = notebook.metadata.language_info
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=1200,  # seconds for one cell, on a busy machine
        record_timing=False,
        coalesce_streams=True,  # how a cell's text is cut into messages is chance
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(NOTEBOOK.parent)}},
    )
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))  # this checkout's minicnn
    waiting = {
        "OMP_WAIT_POLICY": "PASSIVE"
    }  # torch's idle threads sleep: beside other work a run takes 1 minute, not 6
    client.execute(env=os.environ | waiting | {"PYTHONPATH": path})
    notebook.metadata.language_info = language  # the kernel's has the Python version in it
    return notebook


def code_of(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def with_outputs(notebook: nbformat.NotebookNode, executed: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with the outputs of another one that has the same code.

    Raises ValueError: a cell's code is not the same.
    """
    for number, (cell, other) in enumerate(zip(code_of(notebook), code_of(executed), strict=True), 1):
        if cell.source != other.source:
            raise ValueError(f"Code cell {number} of tour.py and of tour.pt.py differ; they must be the same.")
        cell.outputs = other.outputs
        cell.execution_count = other.execution_count
        cell.metadata = other.metadata
    return notebook


def main() -> None:
    notebook = execute(read_text())
    for made, path in ((notebook, NOTEBOOK), (with_outputs(read_text(TEXT_PT), notebook), NOTEBOOK_PT)):
        nbformat.write(made, path)
        print(f"{path.relative_to(ROOT)}: {len(made.cells)} cells, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
