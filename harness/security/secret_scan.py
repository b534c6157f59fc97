"""Credentials in the tree and in everything the tree ever was.

What a credential looks like is credentials.py's to say, the same rules as for captures. Keys made up for tests are let
through one by one, by their exact value and with a reason, in data/security/planted.toml: never a folder, never a rule.
"""

import gzip
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import zstandard
from pydantic import BaseModel, ConfigDict, Field

from harness.capturing.credentials import credentials_in
from harness.security.checkout import history_lines, tracked_files
from harness.security.finding import Finding
from harness.security.rule_file import read_rule_file

__all__ = ["PLANTED", "leaked_in_history", "leaked_secrets", "planted_keys", "text_of"]

PLANTED: Final = Path("data", "security", "planted.toml")  # below the root
_RULE: Final = "S8-01"
_BLANKS: Final = "{$"  # with which the place for a key begins, in an f-string and in a shell
_IN_TREE: Final = (
    "take it out, revoke it where it was issued, and read it from the environment; "
    f"one that was made up for a test goes into {PLANTED} with its reason"
)
_IN_HISTORY: Final = (
    f"revoke it where it was issued: whoever has a copy has it; one that was made up for a test goes into {PLANTED}"
)


class _Planted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    value: str = Field(min_length=3)
    reason: str = Field(min_length=10)


class _PlantedFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    planted: list[_Planted]


def planted_keys(root: Path) -> Mapping[str, str]:
    """What looks like a credential and is none, with the reason why it is there.

    Raises:
        ConfigError: The file is missing or holds something else.
    """
    remedy = "an entry has a `value` and a `reason`"
    rows = read_rule_file(root / PLANTED, _PlantedFile, remedy=remedy).planted
    return MappingProxyType({row.value: row.reason for row in rows})


def leaked_secrets(root: Path) -> tuple[Finding, ...]:
    """Every credential in the files that git tracks below `root`, or would track if they were added.

    Raises:
        UsageError: `root` is no git checkout.
        ConfigError: The list of planted keys cannot be read.
    """
    planted = planted_keys(root)
    return tuple(
        Finding(path=name, line=number, rule=_RULE, message=f"{rule} is written here; {_IN_TREE}")
        for name in tracked_files(root)
        for number, line in enumerate(text_of(root / name).split("\n"), 1)
        for rule in _unplanted(line, planted)
    )


def leaked_in_history(root: Path) -> tuple[Finding, ...]:
    """Every credential that a commit of any branch ever added, in a file or in its message.

    Raises:
        UsageError: `root` is no git checkout, or its history was cut off when it was cloned.
        ConfigError: The list of planted keys cannot be read.
    """
    planted = planted_keys(root)
    found = (
        Finding(path=f"{each.commit[:12]}:{each.path}", line=0, rule=_RULE, message=f"{rule} was added; {_IN_HISTORY}")
        for each in history_lines(root)
        for rule in _unplanted(each.text, planted)
    )
    return tuple(dict.fromkeys(found))


def text_of(path: Path) -> str:
    """What a file says, unpacked; bytes that are no text stand for themselves, so that nothing is passed over."""
    data = path.read_bytes()
    if path.suffix == ".zst":
        with zstandard.ZstdDecompressor().stream_reader(data) as reader:
            data = reader.read()
    elif path.suffix == ".gz":
        data = gzip.decompress(data)
    return data.decode("latin-1")  # every rule is about ASCII, and this never fails


def _unplanted(line: str, planted: Iterable[str]) -> Iterator[str]:
    """The rules that a line breaks with something that was not planted."""
    return (rule for rule, value in credentials_in(line) if value not in planted and value[0] not in _BLANKS)
