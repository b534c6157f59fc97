"""Rules about data: none is ever run as code, and none is trusted for a hash that can be forged (S8-21).

ruff's own rules (`--select S`) say much of this as well; these hold without ruff and cannot be silenced by a comment.
"""

import ast
from collections.abc import Iterator
from typing import Final

from harness.security.syntax import Breach, calls, imports, is_constant, keyword, last_name

__all__ = ["run_data", "weak_hashes"]

_READERS_THAT_RUN: Final = frozenset({"pickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle"})
_RUNNERS: Final = frozenset({"eval", "exec", "__import__", "os.system", "os.popen", "tempfile.mktemp"})
_YAML: Final = frozenset({"yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load"})
_WEAK: Final = frozenset({"md5", "sha1", "md4"})
_HASHES: Final = frozenset({"hashlib.new", "hmac.new", "hmac.digest", "hashlib.file_digest", "hashlib.pbkdf2_hmac"})


def run_data(tree: ast.Module) -> Iterator[Breach]:
    """Whatever could turn bytes or words from outside into code, a command, or a file of somebody else's."""
    for line, name in imports(tree):
        if name.partition(".")[0] in _READERS_THAT_RUN:
            yield Breach(line, name, f"{name} runs what it reads; store JSON or TOML")
    for call, name in calls(tree):
        if name in _RUNNERS:
            yield Breach(call.lineno, name, f"{name}() runs words, or can be raced; call what is meant")
        if name in _YAML:
            yield Breach(call.lineno, name, f"{name}() builds any object; use yaml.safe_load()")
        if not is_constant(keyword(call, "shell") or ast.Constant(False), False):
            yield Breach(call.lineno, "shell", f"{name}(…, shell=…) reads words as commands; pass a list of arguments")
        if keyword(call, "persist") is not None and last_name(name) == "cache_data":
            yield Breach(call.lineno, "persist", f"{name}(persist=…) keeps pickles on disk; leave it out")
        if not is_constant(keyword(call, "allow_pickle") or ast.Constant(False), False):
            yield Breach(call.lineno, "allow_pickle", f"{name}(allow_pickle=…) runs what it reads; leave it out")


def weak_hashes(tree: ast.Module) -> Iterator[Breach]:
    """Hashes for which somebody can make two inputs of one value."""
    for line, name in imports(tree):
        if name.removeprefix("hashlib.") in _WEAK and name != name.removeprefix("hashlib."):
            yield Breach(line, name, f"{name} can be forged; use sha256 or blake2b")
    for call, name in calls(tree):
        if name.startswith("hashlib.") and last_name(name) in _WEAK:
            yield Breach(call.lineno, name, f"{name}() can be forged; use sha256 or blake2b")
        given = [*call.args, *(each.value for each in call.keywords)]
        if name in _HASHES and any(_is_weak(each) for each in given):
            yield Breach(call.lineno, name, f"{name}() with a hash that can be forged; use sha256 or blake2b")


def _is_weak(node: ast.expr) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in _WEAK
    return isinstance(node, ast.Constant) and str(node.value).lower().replace("-", "") in _WEAK
