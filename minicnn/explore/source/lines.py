"""A file as its lines: which statement stands where, what is a loop, what is coloured how."""

import ast
import inspect
import io
import keyword
import linecache
import tokenize
from functools import lru_cache
from types import CodeType
from typing import NamedTuple


class Statement(NamedTuple):
    """A simple statement, or the header of a compound one, such as `for ...:`."""

    first: int
    last: int
    node: ast.stmt


class File(NamedTuple):
    lines: list[str]
    statements: dict[int, Statement]  # line -> the innermost statement on it
    loops: list[tuple[Statement, int]]  # a loop's header, and the last line of its body
    coloured: list[list[tuple[str, str]]]  # for each line (kind, text); kind "" is plain


@lru_cache(maxsize=64)
def read(filename: str) -> File:
    """The file that runs, as the interpreter's own look-up of source lines gives it."""
    lines = [line.rstrip("\n") for line in linecache.getlines(filename)]
    tree = ast.parse("\n".join(lines))
    statements: dict[int, Statement] = {}
    loops = []
    for node in ast.walk(tree):  # breadth first: what is inside comes later and overrides
        if not isinstance(node, ast.stmt):
            continue
        statement = _span(node)
        for line in range(statement.first, statement.last + 1):
            statements[line] = statement
        if isinstance(node, (ast.For, ast.While)):
            loops.append((statement, node.body[-1].end_lineno or statement.last))
    return File(lines, statements, loops, _coloured(lines))


def _span(node: ast.stmt) -> Statement:
    first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
    body = getattr(node, "body", None)
    last = max(first, body[0].lineno - 1) if body else (node.end_lineno or first)
    return Statement(first, last, node)


def function_lines(code: CodeType) -> tuple[int, int]:
    """The first and last line of a function, as `inspect.getsource` reads it."""
    return _function_lines(code, code.co_filename)  # which two equal codes may differ in


@lru_cache(maxsize=256)
def _function_lines(code: CodeType, filename: str) -> tuple[int, int]:
    lines, first = inspect.getsourcelines(code)
    while lines and not lines[-1].strip():
        lines.pop()
    return first, first + len(lines) - 1


def _coloured(lines: list[str]) -> list[list[tuple[str, str]]]:
    spans: list[list[tuple[int, int, str]]] = [[] for _ in lines]
    for token in tokenize.generate_tokens(io.StringIO("\n".join(lines) + "\n").readline):
        kind = _kind(token)
        if not kind:
            continue
        for row in range(token.start[0], token.end[0] + 1):
            start = token.start[1] if row == token.start[0] else 0
            end = token.end[1] if row == token.end[0] else len(lines[row - 1])
            spans[row - 1].append((start, end, kind))
    return [_pieces(line, found) for line, found in zip(lines, spans, strict=True)]


def _kind(token: tokenize.TokenInfo) -> str:
    if token.type == tokenize.NAME:
        return "keyword" if keyword.iskeyword(token.string) else "name"
    kinds = {tokenize.COMMENT: "comment", tokenize.NUMBER: "number", tokenize.STRING: "string"}
    name = tokenize.tok_name[token.type]
    return kinds.get(token.type, "string" if name.startswith("FSTRING_") else "")


def _pieces(line: str, spans: list[tuple[int, int, str]]) -> list[tuple[str, str]]:
    pieces = []
    at = 0
    for start, end, kind in spans:
        if start > at:
            pieces.append(("", line[at:start]))
        pieces.append((kind, line[start:end]))
        at = end
    return [*pieces, ("", line[at:])] if at < len(line) else pieces


def enclosing(file: File, line: int) -> list[Statement]:
    """The headers of the loops that a line stands in, outermost first; a header stands in
    its own loop.
    """
    found = [header for header, last in file.loops if header.first <= line <= last]
    return sorted(found, key=lambda header: header.first)
