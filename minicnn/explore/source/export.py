"""Walks as static pages: each one file, with its styles, its program and its numbers inside."""

import html
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

from ...kernels import use_backend
from .. import layer_bench
from ..answer import encode
from ..say import fill, say
from .walk import Walks

LARGEST = 2**20  # bytes of a page
STYLES = ("base.css", "grids.css", "source.css")
MODULES = ("texts.js", "dom.js", "grid.js", "sums.js", "walk.js", "walker.js")
PAGE = """<!doctype html>
<html lang="{{page.lang}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · minicnn</title>
<style>
{styles}
</style>
</head>
<body>
<main id="main">
<h1>{title}</h1>
<p class="lead">{{export.lead}} <a href="index.html">{{export.all}}</a></p>
<div id="walk"></div>
</main>
<footer class="foot">{{export.foot}}</footer>
<script type="application/json" id="texts">{texts}</script>
<script type="application/json" id="told">{told}</script>
<script type="module">
{program}
const {{ recording, words }} = JSON.parse(document.getElementById("told").textContent);
const walker = new Walker({{ words }});
document.getElementById("walk").append(walker.element);
walker.open(recording);
</script>
</body>
</html>
"""
INDEX = """<!doctype html>
<html lang="{{page.lang}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>minicnn</title>
<style>{styles}</style>
</head>
<body>
<main><h1>{{export.title}}</h1><ul>{links}</ul></main>
</body>
</html>
"""


def export(folder: Path, walks: Walks) -> list[Path]:
    """A page for each function, and index.html; gives what was written.

    Raises ValueError where the folder holds something already, OSError where it cannot be
    written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"--export {folder}: that is not empty. Name a folder that is not there yet.")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    links = []
    for subject in walks.subjects.values():
        with use_backend("numpy"):
            recording = walks.answer(layer_bench.start(subject.layer or "Conv2d") | {"subject": subject.name})
        if recording["problem"]:
            links.append(f"<li>{html.escape(subject.name)}: {html.escape(recording['problem']['sentence'])}</li>")
            continue
        content = page(subject.name, recording, walks).encode()
        if len(content) > LARGEST:
            raise ValueError(f"--export: the page of {subject.name} has {len(content):,} bytes, above {LARGEST:,}.")
        written.append(folder / f"{subject.name}.html")
        written[-1].write_bytes(content)
        group = say(f"group.{subject.group}")
        links.append(f'<li><a href="{written[-1].name}">{html.escape(subject.name)}</a> ({group})</li>')
    written.append(folder / "index.html")
    listed = fill(INDEX).format(styles=_static("base.css"), links="".join(links))
    written[-1].write_text(listed, encoding="utf-8")
    return written


def page(title: str, recording: dict[str, Any], walks: Walks) -> str:
    """The whole page as text."""
    listing = walks.listing()
    words = {"names": listing["names"], "letters": listing["letters"]}
    told = json.dumps(json.loads(encode({"recording": recording, "words": words})), separators=(",", ":"))
    return fill(PAGE).format(
        title=html.escape(title),
        styles="\n".join(map(_static, STYLES)),
        texts=fill("{{texts}}"),
        told=told.replace("<", "\\u003c"),  # no text in it may end the script
        program="\n".join(_without_imports(_static(name)) for name in MODULES),
    )


def _static(name: str) -> str:
    return resources.files("minicnn.explore").joinpath("static", name).read_text(encoding="utf-8")


def _without_imports(module: str) -> str:
    """A module's text, to stand behind those that it imports from."""
    return re.sub(r"^export ", "", re.sub(r"^import .*\n", "", module, flags=re.MULTILINE), flags=re.MULTILINE)
