"""Rules about SQL: one door to DuckDB, and no query with a stranger's words in it (S8-22)."""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Final

from harness.security.syntax import Breach, calls, last_name, nodes, written

__all__ = ["built_queries", "other_doors"]

_DOOR: Final = "open_db() in harness/store/database.py is the one locked door"
# What else the package offers works on its own connection, which nobody locked (M6).
_HARMLESS: Final = re.compile(r"Error$|Exception$|^DuckDBPy(Connection|Relation)$|^__version__$")
_EXECUTORS: Final = frozenset({"execute", "executemany", "executescript", "sql", "query", "from_query"})
_SQL: Final = re.compile(
    r"^\s*(SELECT|WITH|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|ATTACH|DETACH|COPY|COMMENT|PRAGMA|SET|USE|EXPORT|IMPORT"
    r"|INSTALL|LOAD|FROM|VALUES|MERGE|TRUNCATE) |\s(FROM|WHERE|JOIN|INTO|VALUES|ORDER BY|GROUP BY|LIMIT|UNION)\s|\sAS "
)
_CONSTANT: Final = re.compile(r"_?[A-Z][A-Z0-9_]*")


def other_doors(tree: ast.Module) -> Iterator[Breach]:
    """Uses of DuckDB that do not pass its one door."""
    for node in nodes(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "duckdb":
            for alias in node.names:
                if not _HARMLESS.search(alias.name):
                    yield Breach(node.lineno, f"duckdb.{alias.name}", f"duckdb.{alias.name} is another door; {_DOOR}")
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == "duckdb" and alias.asname not in (None, "duckdb"):
                    yield Breach(node.lineno, f"duckdb as {alias.asname}", f"DuckDB under another name; {_DOOR}")
        elif isinstance(node, ast.Attribute) and _is_a_door(node):
            yield Breach(node.lineno, f"duckdb.{node.attr}", f"duckdb.{node.attr} is another door; {_DOOR}")


def _is_a_door(node: ast.Attribute) -> bool:
    return written(node.value) == "duckdb" and not _HARMLESS.search(node.attr)


def built_queries(tree: ast.Module) -> Iterator[Breach]:
    """Expressions put into the text of a query; constants of the module are no strangers' words."""
    constants = _constants(tree)
    executed = {id(call.args[0]) for call, name in calls(tree) if last_name(name) in _EXECUTORS and call.args}
    for node in nodes(tree):
        text, parts = _taken_apart(node, constants)
        if not parts or not (id(node) in executed or _SQL.search(text)):
            continue
        for part in parts:
            if not _is_our_own(part):
                what = written(part)
                yield Breach(part.lineno, what, f"{{{what}}} becomes part of a query; bind it as a parameter instead")


def _taken_apart(node: ast.AST, constants: Mapping[str, str]) -> tuple[str, list[ast.expr]]:
    """The fixed words of a text that is put together, and what is put between them; no parts when it is none."""
    if isinstance(node, ast.JoinedStr):
        words = [str(each.value) if isinstance(each, ast.Constant) else "…" for each in node.values]
        return "".join(words), [each.value for each in node.values if isinstance(each, ast.FormattedValue)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        text = _text(node.left, constants) + _text(node.right, constants)
        return text, [each for each in (node.left, node.right) if text and not _text(each, constants)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return _text(node.func.value, constants), [*node.args, *(each.value for each in node.keywords)]
    return "", []


def _text(node: ast.expr, constants: Mapping[str, str]) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return constants.get(node.id, "") if isinstance(node, ast.Name) else ""


def _constants(tree: ast.Module) -> dict[str, str]:
    """The module's constant texts by name."""
    found = {}
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
                found[target.id] = value.value
    return found


def _is_our_own(node: ast.expr) -> bool:
    """A constant, by the way it is written; one of a constant table; or constants joined."""
    if isinstance(node, ast.Subscript):
        return _is_our_own(node.value)
    if isinstance(node, ast.Call) and written(node.func) in ("', '.join", "' '.join") and len(node.args) == 1:
        return _is_our_own(node.args[0])
    if isinstance(node, ast.Name | ast.Attribute):
        return bool(_CONSTANT.fullmatch(last_name(written(node))))
    return isinstance(node, ast.Constant)
