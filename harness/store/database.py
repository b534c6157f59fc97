"""The one door to DuckDB: every connection has external access off and its configuration locked.

A database is either being built (one process, a temporary file) or sealed (read-only, for anybody).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from harness.errors import StoreError

__all__ = ["open_db"]

# Files that are attached, by alias, must be opened before external access is shut.
_LOCK = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


@contextmanager
def open_db(
    path: Path | None = None,
    *,
    read_only: bool = True,
    attach: Mapping[str, Path] | None = None,
    memory_limit: str = "2GB",
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A locked connection, closed at the end of the block.

    Args:
        path: The database file; None opens one in memory.
        read_only: Open the file so that nobody is locked out; a file in memory is always writable.
        attach: Alias → sealed file, each attached read-only.
        memory_limit: What DuckDB may hold in memory.

    Raises:
        StoreError: A file is missing, damaged, or of a newer DuckDB.
    """
    for file in (*(() if path is None or not read_only else (path,)), *(attach or {}).values()):
        if not file.is_file():
            raise StoreError(f"{file}: no such database; `cutover runs seal RUN` builds it")
    try:
        connection = duckdb.connect(
            ":memory:" if path is None else str(path),
            read_only=path is not None and read_only,
            config={"memory_limit": memory_limit},
        )
    except duckdb.Error as error:
        raise _unreadable(path, error) from None
    try:
        for alias, file in (attach or {}).items():
            try:
                quoted = str(file).replace("'", "''")
                connection.execute(f"ATTACH '{quoted}' AS \"{_identifier(alias)}\" (READ_ONLY)")
            except duckdb.Error as error:
                raise _unreadable(file, error) from None
        _lock(connection)
        yield connection
    finally:
        connection.close()


def _lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Shut everything but the opened files; a second connection to a file of this process finds it shut already."""
    (locked,) = connection.execute("SELECT current_setting('lock_configuration')").fetchone() or (False,)
    if not locked:
        for statement in _LOCK:
            connection.execute(statement)


def _identifier(name: str) -> str:
    """`name`, when it is safe inside double quotes."""
    if not name or '"' in name or "\0" in name:
        raise StoreError(f"{name!r} cannot name an attached run")
    return name


def _unreadable(path: Path | None, error: duckdb.Error) -> StoreError:
    first_line = str(error).splitlines()[0]
    return StoreError(f"{path}: DuckDB cannot open it ({first_line}); `cutover runs seal RUN` rebuilds it")
