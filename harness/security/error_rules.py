"""Rules about errors of the network: they hold keys and signed addresses, so nobody writes one down (S8-03, M10).

What an error of aiohttp means is taken from its type by transport.py; the object itself goes no further.
"""

import ast
from collections.abc import Iterator
from typing import Final

from harness.security.syntax import Breach, calls, is_constant, keyword, last_name, nodes, written

__all__ = ["told_errors"]

_TRANSPORT: Final = ("aiohttp", "TROUBLES", "ClientError", "ClientResponseError", "HttpProcessingError")
_TYPE_ONLY: Final = frozenset({"meaning_of", "isinstance", "type"})  # what may be asked of one
_PARTS: Final = frozenset({"status", "headers", "errno"})  # its parts that hold neither; headers are the reply's
_ADVICE: Final = "holds the key or a signed address; tell its kind by meaning_of() in harness/providers/transport.py"


def told_errors(tree: ast.Module) -> Iterator[Breach]:
    """Places where an error of the network could be printed, logged, kept or passed on."""
    for node in nodes(tree):
        if isinstance(node, ast.ExceptHandler):
            if _catches_transport(node):
                yield from _uses(node)
                yield from _traces(node)
            elif _catches_everything(node):
                yield from _shown(node)
        elif isinstance(node, ast.Attribute) and node.attr == "request_info":
            yield Breach(node.lineno, written(node), f"{written(node)} {_ADVICE}")
    for call, name in calls(tree):
        owner = name.rpartition(".")[0]
        if last_name(name) == "raise_for_status" or not is_constant(
            keyword(call, "raise_for_status") or ast.Constant(False), False
        ):
            yield Breach(call.lineno, name, f"{name}() makes an error that {_ADVICE}")
        if owner == "traceback" and last_name(name).startswith(("format", "print")):
            yield Breach(call.lineno, name, f"{name}() tells whatever the error holds; log a phrase and its fields")


def _catches_transport(handler: ast.ExceptHandler) -> bool:
    names = [] if handler.type is None else [written(node) for node in ast.walk(handler.type)]
    return any(name.startswith("aiohttp.") or last_name(name) in _TRANSPORT for name in names)


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    caught = [] if handler.type is None else [written(node) for node in ast.walk(handler.type)]
    return handler.type is None or bool({"Exception", "BaseException"} & set(caught))


def _uses(handler: ast.ExceptHandler) -> Iterator[Breach]:
    """The caught error itself, anywhere but where its type or a harmless part is asked for."""
    fine = {
        id(argument) for call, name in calls(handler) if last_name(name) in _TYPE_ONLY for argument in call.args
    } | {id(node.value) for node in ast.walk(handler) if isinstance(node, ast.Attribute) and node.attr in _PARTS}
    for node in ast.walk(handler):
        if isinstance(node, ast.Name) and node.id == handler.name and id(node) not in fine:
            yield Breach(node.lineno, node.id, f"the error {node.id!r} {_ADVICE}")


def _traces(handler: ast.ExceptHandler) -> Iterator[Breach]:
    """Logging and raising that would take the caught error along unasked."""
    for call, name in calls(handler):
        if last_name(name) == "exception" or keyword(call, "exc_info") is not None:
            yield Breach(call.lineno, name, f"{name}() logs the error, which {_ADVICE}")
    for node in ast.walk(handler):
        if isinstance(node, ast.Raise) and node.exc is not None and not is_constant(node.cause, None):
            yield Breach(node.lineno, "raise", f"the new error keeps the old one, which {_ADVICE}; raise … from None")


def _shown(handler: ast.ExceptHandler) -> Iterator[Breach]:
    """Words made of an error that may be one of the network's."""
    for node in ast.walk(handler):
        told = _made_words_of(node)
        if isinstance(told, ast.Name) and told.id == handler.name:
            yield Breach(told.lineno, told.id, f"any error may be caught here, and one of the network {_ADVICE}")


def _made_words_of(node: ast.AST) -> ast.expr | None:
    if isinstance(node, ast.FormattedValue):
        return node.value
    if isinstance(node, ast.Call) and written(node.func) in ("repr", "str", "format", "ascii") and node.args:
        return node.args[0]
    return None
