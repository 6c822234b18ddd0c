"""The page speaks English and Portuguese, whole."""

import ast
import json
import re
from importlib import resources
from pathlib import Path

import pytest

from minicnn import messages
from minicnn.explore import say
from minicnn.explore import server as served

from .conftest import Asker, serve, stop

STATIC = resources.files("minicnn.explore").joinpath("static")


@pytest.mark.parametrize("room", say.ROOMS)
def test_no_text_is_missing_in_any_language(room):
    assert messages.missing(room) == []


def test_no_key_stands_in_two_rooms():
    keys = [key for room in say.ROOMS for key in messages.texts(room, "en")]
    assert sorted(set(keys)) == sorted(keys)


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", None),
        ("pt-BR,pt;q=0.9,en-US;q=0.8,en;q=0.7", "pt"),
        ("de, en;q=0.2, pt;q=0.6", "pt"),
        ("en-GB", "en"),
        ("pt;q=0", None),
        ("pt;q=none", "pt"),
        ("fr, *", None),
    ],
)
def test_the_language_that_the_browser_wants_most(accepted, language):
    assert say.best(accepted) == language


@pytest.mark.parametrize("fixed", [None, "en", "pt"])
def test_the_address_then_the_command_line_then_the_browser_choose_the_language(fixed):
    server, thread = serve(language=fixed)
    asker = Asker(server)
    try:
        for asked in ("", "en", "pt-BR", "xx"):
            for accepted in ("en-US,pt;q=0.5", "pt-BR,pt;q=0.9", "de"):
                by_address = {"en": "en", "pt-BR": "pt"}.get(asked)
                by_browser = {"e": "en", "p": "pt"}.get(accepted[0])
                expected = by_address or fixed or by_browser or "en"
                with say.speaking(expected):
                    lang, no_run = say.say("page.lang"), say.say("server.no_run")
                _, _, content = asker.raw("GET", f"/?lang={asked}", headers={"Accept-Language": accepted})
                assert f'<html lang="{lang}">' in content.decode()
                _, _, content = asker.raw("GET", f"/api/run?lang={asked}", headers={"Accept-Language": accepted})
                assert json.loads(content)["how"] == no_run
    finally:
        stop(server, thread)


@pytest.mark.parametrize("language", messages.LANGUAGES)
def test_the_page_comes_filled_in_and_with_its_texts(language):
    with say.speaking(language):
        page = say.fill(served.static_files()["/index.html"][1].decode())
    assert "{{" not in page
    told = re.search(r'id="texts">(.*?)</script>', page)[1]
    assert json.loads(told) == say.texts(language)


def test_the_switch_leads_to_the_same_view_in_the_other_language(server, visit):
    page = visit(server, "matrix", locale="pt-BR")
    assert page.inner_text("h1:visible") == say.texts("pt")["matrix.title"]
    page.click("#language")
    page.wait_for_selector(":lang(en) #matrix-why:not(:empty)")
    assert page.inner_text("h1:visible") == say.texts("en")["matrix.title"]
    assert page.url.endswith("?lang=en#matrix")


# ------------------------------------------------------ no text outside of the files of texts

EXPLORE = Path(str(resources.files("minicnn.explore")))
SCRIPTS = sorted(EXPLORE.glob("static/*.js"))
# A terminal is spoken to in English; the words of formulas are said by `notation.spoken`.
QUIET_MODULES = ("__main__.py", "notebook.py", "notation.py")
MODULES = [
    path
    for path in sorted(EXPLORE.rglob("*.py"))
    if "texts" not in path.relative_to(EXPLORE).parts and path.name not in QUIET_MODULES
]
TWO_WORDS = re.compile(r"[^\W\d_]{2,}[,:;]? [^\W\d_]{2,}")
LABEL = re.compile(r"^[A-Z][a-z]{2,}(?: |$)")
# What stands before a string that nobody sees: of attributes, of selectors, of events.
UNSEEN = re.compile(
    r"(?:class(?:Name)?|inputmode|autocomplete|role|type|key|lineCap|event\.key ===) ?[:=]* ?$"
    r"|(?:querySelector(?:All)?|matchMedia|closest|matches|Event|createElementNS|t|around)\($"
)
UNSEEN_WORDS = {"link shown", "link cut", "out shown", "pen down"}  # style classes
BRAND = "0 · minicnn explore"
NAMES = {"Adam", "ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "Home", "End", "Enter"}
CODE = (
    "python -m minicnn",
    "def ",
    "import numpy as np",
    "from minicnn import nn",
    "<!doctype html>",
    "<details class=",
    "cols[:, :, kh, kw] = ",  # lines that a question leads to
    "padded[:, :, down, across] += ",
    "def conv2d_grad_input",
    "F.conv",
    "output, indices",
)
# A page cannot send what these refuse; only another program can.
PROTOCOL = (
    *("A GET has no body", "A POST must ", "The body ", "This server answers", " and to no other name", ", not from "),
    *(" bytes, got ", " is no JSON;", "There is nothing at", " is no method here", " answers to "),
)
COMMAND_LINE = ("the bundled set, as the run's own is not there,", "This run reads")


def sentences_in_script(source):
    """The strings of a JavaScript text that read as a person's words, with their lines."""
    found = []
    for number, line in enumerate(source.splitlines(), 1):
        code = re.sub(r"(?:^|\s)//.*|^\s*/?\*.*|/\*\*.*\*/", "", line)
        code = re.sub(r"\$\{(?:[^{}]|\{[^{}]*\})*\}", "0", code)
        for literal in re.finditer(r'"((?:[^"\\]|\\.)*)"|`([^`]*)`', code):
            text = literal[1] if literal[1] is not None else literal[2]
            words = TWO_WORDS.search(text) or LABEL.search(text)
            excused = text in UNSEEN_WORDS | NAMES | {BRAND} or text.startswith(CODE)
            if words and not excused and not UNSEEN.search(code[: literal.start()]):
                found.append(f"{number}: {text}")
    return found


def sentences_in_module(source):
    """The same of a Python text. Docstrings and the library's errors are none."""
    tree = ast.parse(source)
    quiet = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            quiet.add(node.value)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("ValueError", "ConnectionError", "AttributeError"):
            quiet |= set(ast.walk(node))
    found = []
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and node not in quiet else None
        excused = isinstance(text, str) and text.startswith((*CODE, *PROTOCOL, *COMMAND_LINE))
        if isinstance(text, str) and TWO_WORDS.search(text) and not excused:
            found.append(f"{node.lineno}: {text}")
    return found


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_sentence_stands_in_a_script(path):
    assert sentences_in_script(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_no_sentence_stands_in_a_module(path):
    assert sentences_in_module(path.read_text(encoding="utf-8")) == []


def test_no_word_stands_in_the_page():
    html = (EXPLORE / "static" / "index.html").read_text(encoding="utf-8")
    html = re.sub(r"\{\{[\w.]+\}\}", "", re.sub(r"<title>.*</title>", "", html))
    seen = re.findall(r">([^<]+)<", html) + re.findall(r'(?:aria-label|title|alt|placeholder)="([^"]+)"', html)
    assert {text.strip() for text in seen} - {""} == {"minicnn", "explore"}


def test_the_search_finds_a_sentence():
    script = 'el("p", { class: "note wide" }, "Nothing yet");\nbox.title = `Row ${i} of ${n}`;\nbutton("Close");'
    assert sentences_in_script(script) == ["1: Nothing yet", "2: Row 0 of 0", "3: Close"]
    module = '"""A file."""\nraise Refused(f"No run is open at {place}.")\nraise ValueError("a word of the library")'
    assert sentences_in_module(module) == ["2: No run is open at "]


def test_each_key_that_is_asked_for_is_there_and_each_that_is_there_is_asked_for():
    keys = set(say.texts("en"))
    page = (EXPLORE / "static" / "index.html").read_text(encoding="utf-8")
    sources = [path.read_text(encoding="utf-8") for path in (*SCRIPTS, *sorted(EXPLORE.rglob("*.py")))]
    sources = [source for source in sources if "TEXTS = {" not in source] + [page]
    everything = "\n".join(sources)
    asked = set(
        re.findall(r'\b(?:t|say|around)\("(\w+\.[\w. ]+)"', everything) + re.findall(r"\{\{(\w+\.\w+)\}\}", everything)
    )
    assert asked - keys == set()
    quoted = set(re.findall(r'["\'{]((?:\w+\.)+[\w ]+)["\'}]', everything))
    made = re.findall(r"[\"`]((?:\w+\.)+)?(?:\w*)\$?\{", everything)  # f"group.{name}", `walk.${word}_of`
    begins = tuple({"name.", "letter.", "question.transposed.", *filter(None, made)})
    assert {key for key in keys - quoted if not key.startswith(begins)} == set()
