"""What the rules about code ask of a syntax tree: who is called, by which names, with what."""

import ast
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Breach", "calls", "imports", "is_constant", "keyword", "last_name", "nodes", "written"]


class Breach(NamedTuple):
    """A place in one module that breaks a rule."""

    line: int  # from 1
    expression: str  # as Python would write it; by this it can be allowed
    message: str  # what is wrong with it, and what to do instead


@lru_cache(maxsize=8)  # a dozen rules ask for the same tree, one after the other
def nodes(tree: ast.AST) -> tuple[ast.AST, ...]:
    """Everything below `tree`, and it itself."""
    return tuple(ast.walk(tree))


@lru_cache(maxsize=8)
def calls(tree: ast.AST) -> tuple[tuple[ast.Call, str], ...]:
    """Every call below `tree`, with what is called as it is written: `aiohttp.ClientSession`."""
    return tuple((node, written(node.func)) for node in nodes(tree) if isinstance(node, ast.Call))


def written(node: ast.AST) -> str:
    """A node as Python would write it."""
    if isinstance(node, ast.Name):  # most are names; unparsing one takes fifty times as long
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{written(node.value)}.{node.attr}"
    return ast.unparse(node)


def last_name(dotted: str) -> str:
    """`ClientSession` of `aiohttp.ClientSession`."""
    return dotted.rpartition(".")[2]


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The argument that a call passes by this name; None when it passes none."""
    return next((each.value for each in call.keywords if each.arg == name), None)


def is_constant(node: ast.AST | None, *values: object) -> bool:
    """Whether it is one of these, written out."""
    return isinstance(node, ast.Constant) and any(node.value is value or node.value == value for value in values)


@lru_cache(maxsize=8)
def imports(tree: ast.AST) -> tuple[tuple[int, str], ...]:
    """Everything imported below `tree` by line and full name: `pickle`, `urllib.request.urlopen`."""
    return tuple(_imports(tree))


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
