import ast

import pytest

from harness.security.query_rules import built_queries, other_doors


@pytest.mark.parametrize(
    "source",
    [
        "duckdb.connect('x')",
        "duckdb.sql('SELECT 1')",
        "duckdb.read_csv(path)",
        "d = duckdb.default_connection",
        "from duckdb import connect",
        "from duckdb import sql as s",
        "import duckdb as d",
    ],
)
def test_another_door_to_duckdb_is_seen(source: str) -> None:
    assert list(other_doors(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    ["import duckdb", "x: duckdb.DuckDBPyConnection", "try: f()\nexcept duckdb.Error: pass", "duckdb.CatalogException"],
)
def test_types_and_errors_of_duckdb_are_no_door(source: str) -> None:
    assert list(other_doors(ast.parse(source))) == []


@pytest.mark.parametrize(
    ("source", "put_in"),
    [
        pytest.param("q = f'SELECT * FROM t WHERE id = {given}'", "given", id="f-string"),
        pytest.param("q = 'SELECT * FROM ' + table", "table", id="plus"),
        pytest.param("q = 'SELECT * FROM %s' % table", "table", id="percent"),
        pytest.param("q = 'DELETE FROM {}'.format(table)", "table", id="format"),
        pytest.param("_Q = 'SELECT {x} FROM t'\nq = _Q.format(x=given)", "given", id="a constant formatted"),
        pytest.param(
            "_Q: Final = 'SELECT {x} FROM t'\nq = _Q.format(x=given)", "given", id="a final constant formatted"
        ),
        pytest.param("db.execute(f'{statement}')", "statement", id="executed though it does not look like SQL"),
        pytest.param("part = f'coalesce({given}) AS {name}'", "given", id="a part of a query"),
        pytest.param("q = f\"ATTACH '{path}'\"", "path", id="attach"),
    ],
)
def test_words_put_into_a_query_are_seen(source: str, put_in: str) -> None:
    assert put_in in [breach.expression for breach in built_queries(ast.parse(source))]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("db.execute('SELECT ? FROM t', [given])", id="bound"),
        pytest.param("db.execute(_QUERY, [given])", id="a constant"),
        pytest.param("q = f'SELECT {_COLUMNS} FROM {schema.TABLE}'", id="constants put in"),
        pytest.param("q = f\"SELECT {', '.join(_COLUMNS)} FROM t\"", id="constants joined"),
        pytest.param("print(f'{count} rows from {path}')", id="a sentence"),
        pytest.param("n = 'a' + b", id="another text"),
        pytest.param("'{x}'.format(x=given)", id="another format"),
    ],
)
def test_values_that_are_bound_and_texts_that_are_no_queries_are_fine(source: str) -> None:
    assert list(built_queries(ast.parse(source))) == []
