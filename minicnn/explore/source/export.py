"""Walks as static pages: each one file, with its styles, its program and its numbers inside."""

import html
import re
from importlib import resources
from pathlib import Path
from typing import Any

from ...kernels import use_backend
from .. import layer_bench
from ..answer import encode
from ..say import count, fill, say
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
{verdict}
<div id="walk"></div>
</main>
<footer class="foot">{{export.foot}}</footer>
<script type="application/json" id="texts">{texts}</script>
<script type="application/json" id="told">{told}</script>
<script type="module">
{program}
const {{ recording, words, origins }} = JSON.parse(document.getElementById("told").textContent);
const made = (step, name, at) => walker.told(origins[[step, name, at].join(" ")] ?? {{ kind: "unknown" }}, name, at);
const walker = new Walker({{ words, origin: origins && made }});
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
            recording = walks.answer(
                layer_bench.start(subject.layer or "Conv2d") | {"subject": subject.name}, origins=True
            )
        if recording["problem"]:
            links.append(f"<li>{html.escape(subject.name)}: {html.escape(recording['problem']['sentence'])}</li>")
            continue
        text = page(subject.name, recording, walks)
        if text is None:
            raise ValueError(f"--export: the page of {subject.name} has more than {LARGEST:,} bytes.")
        written.append(folder / f"{subject.name}.html")
        written[-1].write_text(text, encoding="utf-8")
        group = say(f"group.{subject.group}")
        links.append(f'<li><a href="{written[-1].name}">{html.escape(subject.name)}</a> ({group})</li>')
    written.append(folder / "index.html")
    listed = fill(INDEX).format(styles=_static("base.css"), links="".join(links))
    written[-1].write_text(listed, encoding="utf-8")
    return written


def page(title: str, recording: dict[str, Any], walks: Walks) -> str | None:
    """The whole page as text: with the origins of its numbers where they fit into LARGEST
    bytes, and a sentence where they do not; None where the page does not fit without them.
    """
    listing = walks.listing()
    words = {"names": listing["names"], "letters": listing["letters"]}
    verdict = _verdict(recording.get("verdict"))
    walk = {key: value for key, value in recording.items() if key not in ("origins", "verdict", "transposed")}
    told = {"recording": walk, "words": words, "origins": recording.get("origins")}
    whole = _filled(title, verdict, told)
    size = len(whole.encode())
    if size <= LARGEST:
        return whole
    left_out = html.escape(say("export.no_origins", bytes=count(size), most=count(LARGEST)))
    whole = _filled(title, f'{verdict}<p class="note">{left_out}</p>', told | {"origins": None})
    return whole if len(whole.encode()) <= LARGEST else None


def _verdict(verdict: dict[str, Any] | None) -> str:
    """What gradcheck says to a layer of the reader's own."""
    if verdict is None:
        return ""
    right = verdict["right"]
    summary = html.escape(say("export.verdict" if right else "export.verdict_wrong"))
    opened = "" if right else " open"
    report = html.escape(verdict["text"])
    return (
        f'<details class="card" id="source-verdict"{opened}><summary>{summary}</summary><pre>{report}</pre></details>'
    )


def _filled(title: str, verdict: str, content: dict[str, Any]) -> str:
    told = encode(content).decode()
    return fill(PAGE).format(
        title=html.escape(title),
        verdict=verdict,
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
