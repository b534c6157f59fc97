"""Places that look like a breach of a rule and are none: each by its file, what is written there, and the reason.

An allowance that nothing needs any more is a finding itself: the rule would be blind there for whoever comes next.
"""

from dataclasses import dataclass
from typing import Final

__all__ = ["ALLOWANCES", "Allowance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """One file's leave to write certain expressions in spite of one rule."""

    rule: str
    path: str  # from the root of the checkout
    expressions: frozenset[str]  # as Python would write them, and as a breach names them
    reason: str


def _allow(rule: str, path: str, *expressions: str, reason: str) -> Allowance:
    return Allowance(rule=rule, path=path, expressions=frozenset(expressions), reason=reason)


ALLOWANCES: Final = (
    _allow(
        "S8-03",
        "analysis/measuring.py",
        "error",
        reason="measures bytes that lie here already: nothing under it opens a connection",
    ),
    _allow(
        "S8-03",
        "analysis/models/checkpoint.py",
        "error",
        reason="reads a file that was checked by its hash: nothing under it opens a connection",
    ),
    _allow(
        "S8-03",
        "analysis/models/reading.py",
        "error",
        reason="runs a model over bytes that lie here already: nothing under it opens a connection",
    ),
    _allow(
        "S8-03",
        "harness/gate_cli.py",
        "error",
        reason="reads a checkout and starts programs: nothing in that process opens a connection",
    ),
    _allow(
        "S8-05",
        "harness/providers/door.py",
        *("aiohttp.TCPConnector", "aiohttp.ClientSession", "self._opened().ws_connect"),
        reason="it is the one guarded door itself",
    ),
    _allow(
        "S8-05",
        "harness/providers/addresses.py",
        "socket.socket",
        reason="the door's socket factory: a socket is made once its address has passed",
    ),
    _allow(
        "S8-05",
        "dashboard/cli.py",
        *("socket.socket", "urllib.request.urlopen"),
        reason="finds a free port and asks its own page on this machine whether it is up",
    ),
    _allow(
        "S8-05",
        "harness/gateway/shadow_process.py",
        "asyncio.open_unix_connection",
        reason="its own end of a socket pair, whose other end its child has: no address is in it",
    ),
    _allow(
        "S8-05",
        "harness/gateway/shadow_main.py",
        *("asyncio.open_unix_connection", "socket.socket"),
        reason="the other end of that pair, which the gateway gave it as standard input",
    ),
    _allow(
        "S8-21",
        "analysis/models/checkpoint.py",
        "pickle",
        reason="its own unpickler lets four names through, those that tensors are made of, and ends at any other",
    ),
    _allow(
        "S8-21",
        "harness/emulators/qwen_results.py",
        "hmac.digest",
        reason="the stand-in signs addresses as Alibaba Cloud OSS does, whose first version is HMAC-SHA1",
    ),
    _allow(
        "S8-22",
        "harness/store/database.py",
        *("duckdb.connect", "quoted", "_identifier(alias)"),
        reason="it is the one door; ATTACH takes no parameters, so path and alias are quoted there",
    ),
    _allow(
        "S8-22",
        "harness/store/schema.py",
        *("name", "lane", "exchange", "features", "prefix", "column", "', '.join(picks)", "columns", "table.name"),
        *("column.name", "_quoted(table.row)", "_quoted(column.meaning)"),
        reason="the schema writes its own tables and views; every name in them stands in that file",
    ),
    _allow(
        "S8-22",
        "harness/store/verify.py",
        *("file", "here", "there", "table"),
        reason="two aliases written in that file, and the tables of schema.py",
    ),
    _allow(
        "S8-22",
        "replay/sealed.py",
        "', '.join(columns)",
        reason="columns written in that file, for each caller of its one private query",
    ),
    _allow(
        "S8-22",
        "analysis/evidence.py",
        *("', '.join(columns)", "view", "join", "distance", "side", "sides[1]", "sides[1].value"),
        reason="views and lanes are written in that file; features were checked against the schema when the thresholds "
        "were read, and a name that is none ends the reading there",
    ),
    _allow(
        "S8-22",
        "dashboard/pair_queries.py",
        *("', '.join(scales)", "_noise_sql()", "_scored_sql()", "largest", "names", "picks"),
        *("c.floor", "c.column", "c.sql('repeat')", "c.sql('candidate')"),
        reason="every name and number comes from the table in contrasts.py, which no setting reaches",
    ),
    _allow(
        "S8-22",
        "dashboard/queries.py",
        *("_timed(measure)", "_timed('whole reply')"),
        reason="a query of that file, whose one blank is filled from its constant table of measures",
    ),
    _allow(
        "S8-24",
        "dashboard/app.py",
        "st.html",
        reason="our own style sheet, by its path: Streamlit has no other way to load one",
    ),
)
