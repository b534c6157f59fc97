import io
import json
import logging
import threading
from typing import Any

import pytest

from harness.telemetry.log_format import BoundedHandler, JsonFormatter, dropped_lines, logging_to

log = logging.getLogger("tests.of.lines")


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_the_phrase_and_its_fields() -> None:
    stream = io.StringIO()

    with logging_to(stream):
        log.warning("provider call failed", extra={"provider": "qwen", "kind": "dns", "tries": 3})

    (line,) = lines(stream)
    at = line.pop("at")
    assert at.endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "tests.of.lines",
        "event": "provider call failed",
        "provider": "qwen",
        "kind": "dns",
        "tries": 3,
    }


def test_an_exception_tells_where_and_never_what_was_in_it() -> None:
    stream = io.StringIO()

    with logging_to(stream):
        try:
            raise ValueError("the caller's text")
        except ValueError:
            log.exception("copy failed")

    (line,) = lines(stream)
    assert line["exception"] == "ValueError"
    assert line["where"][-1].startswith("test_log_format.py:")
    assert "caller's text" not in stream.getvalue()


def test_a_line_end_in_a_field_makes_no_second_line() -> None:
    stream = io.StringIO()

    with logging_to(stream):
        log.info("request", extra={"route": 'a\n{"event": "forged"}'})

    assert len(lines(stream)) == 1


def test_what_is_below_the_level_is_not_written_and_the_old_handlers_come_back() -> None:
    stream, before = io.StringIO(), logging.getLogger().handlers[:]

    with logging_to(stream, level=logging.WARNING):
        log.info("quiet")

    assert stream.getvalue() == ""
    assert logging.getLogger().handlers == before


class Stuck(io.StringIO):
    """A pipe that nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.read = threading.Event()  # type: ignore[assignment]

    def write(self, text: str) -> int:
        self.read.wait(30)  # type: ignore[attr-defined]
        return super().write(text)


def test_output_that_nobody_reads_costs_lines_and_holds_nobody_up() -> None:
    stream = Stuck()

    with logging_to(stream, max_waiting=10) as handler:
        for number in range(100):
            log.info("request", extra={"number": number})
        dropped = handler.dropped
        stream.read.set()  # type: ignore[attr-defined]

    assert 80 <= dropped <= 90  # ten wait, and as many may be in the thread's hands
    assert len(lines(stream)) == 100 - dropped


def test_the_next_line_tells_how_many_are_missing() -> None:
    handler = BoundedHandler(1)
    handler.setFormatter(JsonFormatter())
    for _ in range(3):
        handler.emit(logging.makeLogRecord({"msg": "x"}))
    handler.take()

    handler.emit(logging.makeLogRecord({"msg": "y"}))
    (told,) = handler.take()
    handler.emit(logging.makeLogRecord({"msg": "z"}))
    (after,) = handler.take()

    assert json.loads(told)["dropped_lines"] == 2
    assert "dropped_lines" not in json.loads(after)


class Counting(io.StringIO):
    """Counts how often it was handed anything."""

    def __init__(self) -> None:
        super().__init__()
        self.flushes = 0

    def flush(self) -> None:
        self.flushes += 1


def test_lines_of_a_moment_are_written_at_once() -> None:
    stream = Counting()

    with logging_to(stream):
        for number in range(500):
            log.info("request", extra={"number": number})

    assert [line["number"] for line in lines(stream)] == list(range(500))
    assert stream.flushes < 50


def test_lines_from_several_threads_stay_whole() -> None:
    stream = io.StringIO()

    def tell(name: str) -> None:
        for number in range(200):
            log.info("request", extra={"thread_is": name, "number": number})

    with logging_to(stream):
        threads = [threading.Thread(target=tell, args=(f"t{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(lines(stream)) == 800


def test_output_that_is_gone_costs_lines_and_no_exception() -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    with logging_to(Gone()) as handler:
        log.info("request")

    assert handler.dropped == 1


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", float("inf")])
def test_a_field_that_is_no_json_is_written_as_words(value: object) -> None:
    record = logging.makeLogRecord({"msg": "m", "field": value})

    assert "field" in json.loads(JsonFormatter().format(record))


def test_what_the_handlers_in_force_dropped_is_counted() -> None:
    with logging_to(io.StringIO()) as handler:
        assert dropped_lines() == 0
        handler.dropped = 3
        assert dropped_lines() == 3
    assert dropped_lines() == 0
