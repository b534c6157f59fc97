"""What the code could reach, as it is written: hosts that stand in it, and modules that open connections."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

from harness.security.code_rules import modules
from harness.security.syntax import calls, is_constant, last_name, nodes

__all__ = ["named_hosts", "opening_modules", "unpatterned"]

_DOOR: Final = "harness/providers/door.py"
# Programs and libraries that go out by themselves, by the word with which they are called.
_PROGRAMS: Final = ("pip", "uv")  # behind a "-m"
_LIBRARIES: Final = ("huggingface_hub",)  # imported by name, where they are installed
_HOST: Final = re.compile(
    r"(?<![\w@.*-])(?:[a-z0-9*-]+\.)+(?:com|net|org|io|ai|dev|run|cn|co|app|cloud)(?![\w-])|(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}"
)
_HERE: Final = re.compile(r"127\.|0\.")  # this machine; or a version


def named_hosts(root: Path) -> dict[str, list[str]]:
    """Every host that stands in a text of the code, comments and docstrings aside, with the files that hold it.

    Raises:
        UsageError: A module cannot be read as Python, or there is none.
    """
    found: dict[str, list[str]] = {}
    for name, tree in modules(root):
        for text in _texts(tree):
            for host in _HOST.findall(unpatterned(text)):
                if not _HERE.match(host) and name not in found.setdefault(host, []):
                    found[host].append(name)
    return found


def opening_modules(root: Path) -> frozenset[str]:
    """The modules that open a way to somewhere: a door of their own, or a program that downloads.

    Raises:
        UsageError: A module cannot be read as Python, or there is none.
    """
    return frozenset(name for name, tree in modules(root) if name != _DOOR and _opens(tree))


def _opens(tree: ast.Module) -> bool:
    if any(last_name(called) == "Door" for _, called in calls(tree)):
        return True
    if any(is_constant(argument, *_LIBRARIES) for call, _ in calls(tree) for argument in call.args):
        return True
    lists = (node.elts for node in nodes(tree) if isinstance(node, ast.List | ast.Tuple))
    return any(
        is_constant(first, "-m") and is_constant(second, *_PROGRAMS)
        for each in lists
        for first, second in pairwise(each)
    )


def _texts(tree: ast.Module) -> Iterator[str]:
    documents = {
        id(node.body[0].value)
        for node in nodes(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in nodes(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
            yield node.value


def unpatterned(text: str) -> str:
    """A pattern for hosts in a way to be compared: `*` for a part that may be anything."""
    return re.sub(r"\(?\[[^\]]*\]\+\)?", "*", text).replace(r"\.", ".")
