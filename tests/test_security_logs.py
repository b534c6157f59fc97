"""S8-26: whatever is logged, a line is one JSON object, in plain ASCII, with its time in UTC."""

import io
import json
import logging
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.telemetry.log_format import JsonFormatter, logging_to

log = logging.getLogger("tests.of.hostile.lines")

# What could end a line, colour a terminal, turn text around or hide it: controls, separators, bidi, zero width, halves.
NASTY = st.sampled_from(
    [
        *("\n", "\r\n", "\x1b[2J\x1b[31m", "\x9b31m", "\x00", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"),
        *("\u202e", "\u2066", "\u2069", "\u200b", "\ufeff", "\ud800", '"}\n{"event":"forged', "\\", "%s", "{}"),
    ]
)
WORDS = st.lists(st.one_of(NASTY, st.text(max_size=20)), max_size=8).map("".join)
VALUES = st.recursive(
    st.one_of(WORDS, st.none(), st.booleans(), st.integers(), st.floats(), st.binary(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=5,
)
# A field must not be one that a record has already; logging itself refuses that.
NAMES = WORDS.filter(lambda name: name not in vars(logging.makeLogRecord({})) and name not in ("message", "asctime"))


def assert_one_plain_line(line: str) -> dict[str, Any]:
    assert "\n" not in line
    assert line.isascii()
    assert line.isprintable()
    fields: dict[str, Any] = json.loads(line)
    assert datetime.fromisoformat(fields["at"]).utcoffset() == timedelta(0)
    return fields


@given(event=WORDS, fields=st.dictionaries(NAMES, VALUES, max_size=4))
@example(event="\u202egnp.exe", fields={"route": '\r\n{"level":"error"}\x1b[0m'})
def test_a_record_is_one_line_of_plain_json_whatever_is_in_it(event: str, fields: dict[str, Any]) -> None:
    record = logging.makeLogRecord({"msg": event, "levelname": "INFO", "name": "x", **fields})

    found = assert_one_plain_line(JsonFormatter().format(record))

    assert found["event"] == event


@pytest.mark.parametrize("name", ["at", "level", "logger", "event"])
def test_a_field_never_takes_the_place_of_what_every_line_has(name: str) -> None:
    record = logging.makeLogRecord({"msg": "the phrase", "levelname": "INFO", "name": "us", name: "forged"})

    found = assert_one_plain_line(JsonFormatter().format(record))

    assert "forged" not in found.values()


@given(st.lists(WORDS, min_size=1, max_size=20))
def test_there_are_as_many_lines_as_events(events: list[str]) -> None:
    stream = io.StringIO()

    with logging_to(stream):
        for event in events:
            log.info("%s", event, extra={"field": event})

    lines = stream.getvalue().split("\n")
    assert len(lines) == len(events) + 1
    assert [assert_one_plain_line(line)["event"] for line in lines[:-1]] == events


@given(WORDS)
def test_an_exception_adds_no_line_and_no_word_of_its_own(words: str) -> None:
    stream = io.StringIO()

    with logging_to(stream):
        try:
            raise ValueError(words)
        except ValueError:
            log.exception("failed")

    line, _ = stream.getvalue().split("\n")
    assert {"exception", "where"} <= set(assert_one_plain_line(line))


def test_a_field_that_cannot_be_written_costs_no_line() -> None:
    class Unwritable:
        def __repr__(self) -> str:
            raise RuntimeError("no words for it")

    loop: list[Any] = []
    loop.append(loop)
    for value in (Unwritable(), loop, {("a", "b"): 1}, {1: "a", "1": "b"}):
        found = assert_one_plain_line(JsonFormatter().format(logging.makeLogRecord({"msg": "m", "field": value})))

        assert found["event"] == "m"


def test_a_line_has_a_most_it_can_be() -> None:
    record = logging.makeLogRecord({"msg": "m" * 10_000_000, "field": ["x" * 10_000_000]})

    found = JsonFormatter().format(record)

    assert len(found) < 100_000
    assert_one_plain_line(found)
