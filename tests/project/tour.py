"""Executes the tour and writes its outputs: `python -m tests.project.tour` (`make tour`).

`reference/tour.py` is what people edit and what diffs show; `reference/tour.ipynb` has
the same cells with their outputs, to be read on a web page. Nothing goes into the
outputs that would differ without a reason: no times, no paths, and each cell's id is a
digest of its source.
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


def read_text() -> nbformat.NotebookNode:
    """The cells of the text file, without outputs."""
    notebook = jupytext.read(TEXT, as_version=4)
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


def main() -> None:
    notebook = execute(read_text())
    nbformat.write(notebook, NOTEBOOK)
    print(f"{NOTEBOOK.relative_to(ROOT)}: {len(notebook.cells)} cells, {NOTEBOOK.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
