"""What the page says, in the language of the request.

A text has one key and stands in `texts/en.py` and `texts/pt.py`. Python says it with `say`,
the page's JavaScript with `t` (`static/texts.js`), its HTML with {{key}}. What the library
itself raises stays as it is, in English.
"""

import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from .. import messages

ROOMS = (
    "minicnn.explore.texts",
    "minicnn.explore.texts.questions",
    "minicnn.explore.texts.run",
    "minicnn.explore.texts.source",
    "minicnn.explore.texts.train",
)
_language: ContextVar[str] = ContextVar("language", default="en")


@cache
def texts(language: str) -> dict[str, str]:
    """All texts of all rooms."""
    return {key: text for room in ROOMS for key, text in messages.texts(room, language).items()}


def say(key: str, **names: Any) -> str:
    """The text of a key, with its {names} filled in."""
    return texts(_language.get())[key].format(**names)


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Inside, `say` speaks this language. Each thread has its own."""
    before = _language.set(language)
    try:
        yield
    finally:
        _language.reset(before)


def family(prefix: str) -> dict[str, str]:
    """All texts whose key begins with a prefix, by what follows it."""
    own = texts(_language.get())
    return {key.removeprefix(prefix): text for key, text in own.items() if key.startswith(prefix)}


def count(number: int) -> str:
    """With thousands separated: 215,370 in English."""
    return f"{number:,}".replace(",", say("number.thousand")[1])


def fill(template: str) -> str:
    """HTML with its texts: {{key}}, in which `this` becomes code, and {{texts}}, the JSON for
    the page's JavaScript.
    """

    def text_of(found: re.Match) -> str:
        if found[1] == "texts":
            return json.dumps(texts(_language.get()), ensure_ascii=False).replace("<", "\\u003c")
        return re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(say(found[1])))

    return re.sub(r"\{\{([\w.]+)\}\}", text_of, template)


def best(accepted: str) -> str | None:
    """The first of our languages in an Accept-Language header, by its weights; None where
    there is none.
    """
    weighted = []
    for place, wish in enumerate(accepted.split(",")[:20]):
        words, _, weight = wish.partition(";q=")
        language = words.strip().lower().partition("-")[0]
        if language in messages.LANGUAGES and weight.strip() not in ("0", "0.0", "0.00", "0.000"):
            weighted.append((-_number(weight), place, language))
    return min(weighted)[2] if weighted else None


def _number(weight: str) -> float:
    try:
        return float(weight) if weight else 1.0
    except ValueError:
        return 0.0
