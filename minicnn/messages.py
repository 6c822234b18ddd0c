"""Texts in more than one language: a folder with one file for each language.

`texts/en.py` and `texts/pt.py` each hold TEXTS, a dictionary from a key to a text in which
{names} are filled in. English is complete by definition; `missing` says what another
language lacks, and a test asks it for every folder.
"""

import importlib
import string

LANGUAGES = {"en": "English", "pt": "português do Brasil"}


def texts(room: str, language: str) -> dict[str, str]:
    """The texts of a folder such as "minicnn.assignment.texts".

    Raises ValueError: the language is not one of LANGUAGES.
    """
    if language not in LANGUAGES:
        raise ValueError(f"There are no texts in {language!r}; choose from {', '.join(LANGUAGES)}.")
    return importlib.import_module(f"{room}.{language}").TEXTS


def missing(room: str) -> list[str]:
    """What is not the same in all languages: a key that one lacks, a {name} that one does
    not fill in, a text that is empty.
    """
    english = texts(room, "en")
    complaints = []
    for language in LANGUAGES:
        own = texts(room, language)
        complaints += [f"{language} has no text {key!r}" for key in english.keys() - own.keys()]
        complaints += [f"en has no text {key!r}, which {language} has" for key in own.keys() - english.keys()]
        for key in english.keys() & own.keys():
            if _names(english[key]) != _names(own[key]):
                complaints.append(f"{key!r} fills in other names in {language} than in en")
            if not own[key].strip():
                complaints.append(f"{key!r} is empty in {language}")
    return sorted(complaints)


def _names(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
