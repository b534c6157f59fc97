from pathlib import Path

import duckdb
import pytest

from harness.errors import StoreError
from harness.store.database import open_db


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    path = tmp_path / "run.duckdb"
    with open_db(path, read_only=False) as database:
        database.execute("CREATE TABLE t AS SELECT 42 AS n")
    return path


ESCAPES = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM glob('/etc/*')",
    "COPY (SELECT 1) TO '{tmp}/out.csv'",
    "ATTACH '{tmp}/other.duckdb'",
    "EXPORT DATABASE '{tmp}/export'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SELECT * FROM 'https://127.0.0.1:1/x.parquet'",
    "SET enable_external_access = true",
    "SET memory_limit = '100GB'",
]


@pytest.mark.parametrize("escape", ESCAPES)
@pytest.mark.parametrize("kind", ["memory", "sealed", "attached"])
def test_no_connection_reaches_beyond_its_files(kind: str, escape: str, sealed: Path, tmp_path: Path) -> None:
    path = sealed if kind == "sealed" else None
    attach = {"run": sealed} if kind == "attached" else None

    with open_db(path, attach=attach) as database, pytest.raises(duckdb.Error):
        database.execute(escape.format(tmp=tmp_path)).fetchall()


def test_attached_files_are_read_under_their_alias(sealed: Path) -> None:
    with open_db(attach={"night 1": sealed, "night 2": sealed}) as database:
        rows = database.execute('SELECT * FROM "night 1".t UNION ALL SELECT * FROM "night 2".t').fetchall()

    assert rows == [(42,), (42,)]


def test_a_reader_locks_nobody_out(sealed: Path) -> None:
    with open_db(sealed) as reader, open_db(sealed) as other:
        assert reader.execute("SELECT n FROM t").fetchone() == other.execute("SELECT n FROM t").fetchone() == (42,)


def test_a_sealed_file_cannot_be_written(sealed: Path) -> None:
    with open_db(sealed) as database, pytest.raises(duckdb.Error, match="read-only"):
        database.execute("DELETE FROM t")


def test_a_missing_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreError, match=r"gone\.duckdb: no such database; `cutover runs seal"),
        open_db(tmp_path / "gone.duckdb"),
    ):
        pass


@pytest.mark.parametrize("attached", [False, True])
def test_garbage_is_named_with_the_remedy(tmp_path: Path, attached: bool) -> None:
    path = tmp_path / "run.duckdb"
    path.write_bytes(b"not a database" * 1000)
    opening = open_db(attach={"run": path}) if attached else open_db(path)

    with pytest.raises(StoreError, match=r"run\.duckdb: DuckDB cannot open it .*rebuilds it"), opening:
        pass


def test_an_alias_cannot_break_out_of_its_quotes(sealed: Path) -> None:
    with pytest.raises(StoreError, match="cannot name"), open_db(attach={'x" (TYPE sqlite); --': sealed}):
        pass
