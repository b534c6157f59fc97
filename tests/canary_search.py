"""Whether any key of any test came to light in what a whole run of the suite left behind.

    python -m tests.canary_search FOLDER

FOLDER holds the temporary files, the report with everything that was printed and logged, and whatever else was put
there. Files are searched as they are and unpacked, for every key raw, reversed, in hex, URL-quoted and in base64 at any
position, and for the keys that gateways made for their callers. Exit status: 0 when none was found, 1 when one was,
2 when there is nothing to search.
"""

import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import click

from tests.canaries import MARK, Canary, contents

__all__ = ["ON_PURPOSE", "Found", "main", "search"]

# Tests that write a key into a file on purpose, by how their folders' names begin. pytest cuts names at 30 letters.
ON_PURPOSE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "test_the_search_finds_a_key_in": "test_secrets.py: whether the search sees a key in each of its clothes",
        "test_the_search_looks_into_wha": "test_secrets.py: whether the search sees a key in a packed file",
        "test_a_key_is_found_however_it": "test_canary_search.py: whether this search sees a key however it is written",
        "test_a_key_is_found_in_packed_": "test_canary_search.py: whether it looks into packed files and names",
        "test_a_key_that_a_gateway_made": "test_canary_search.py: whether this search knows a caller's key by its form",
        "test_damaged_files_stop_nothin": "test_canary_search.py: whether this search goes on behind a damaged file",
        "test_what_was_made_unreadable_": "test_canary_search.py: whether this search reads what a test has locked",
        "test_what_a_test_wrote_on_purp": "test_canary_search.py: whether an exception covers no other test",
        "test_the_place_is_told_and_the": "test_canary_search.py: whether what this search prints is no leak itself",
    }
)
_FORMS: Final = {needle: form for form, needle in reversed(Canary("a key", MARK).forms().items())}  # each needle once


_CALLERS_KEY: Final = re.compile(
    rb"(?<![A-Za-z0-9_-])ck-[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"
)  # made anew by each gateway


class Found(NamedTuple):
    """One place where a key is."""

    where: str
    offset: int  # of its mark, in bytes
    form: str


def search(folder: Path) -> Iterator[Found]:
    """Every place below `folder` where a key is and should not be, one for each form."""
    _unlock(folder)
    for where, data in contents(folder):
        if _is_on_purpose(where):
            continue
        for needle, form in _FORMS.items():
            offset = data.find(needle)
            if offset >= 0:
                yield Found(where, offset, form)
        if caller := _CALLERS_KEY.search(data):
            yield Found(where, caller.start(), "a caller's key")


def _unlock(folder: Path) -> None:
    """Let us read what tests have made unreadable: what cannot be looked at would pass for clean."""
    for place, folders, files in os.walk(folder):
        for path in (Path(place, name) for name in (*folders, *files)):
            if not path.is_symlink() and not os.access(path, os.R_OK):
                path.chmod(stat.S_IRWXU)


def _is_on_purpose(where: str) -> bool:
    return any(part.startswith(tuple(ON_PURPOSE)) for part in Path(where.removeprefix("the name ")).parts)


def main(arguments: list[str]) -> int:
    """Search the folder that is named, and say what was found."""
    if len(arguments) != 1 or not any(path.is_file() for path in Path(arguments[0]).rglob("*")):
        click.echo(f"{' '.join(arguments) or 'FOLDER'}: nothing to search; run the tests into it first: make test")
        return 2
    found = list(search(Path(arguments[0])))
    for each in found:
        click.echo(f"{each.where}: a key of the tests at byte {each.offset} ({each.form})")
    files = [path.stat().st_size for path in Path(arguments[0]).rglob("*") if path.is_file()]
    click.echo(f"{len(found)} keys in {len(files):,} files, {sum(files) / 1e6:,.0f} MB")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
