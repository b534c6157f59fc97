from io import StringIO

from harness.clock import FakeClock
from harness.progress import ProgressReport


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_elsewhere_than_on_a_terminal_a_line_comes_every_few_seconds_and_at_the_end() -> None:
    clock, stream = FakeClock(), StringIO()
    with ProgressReport("replay", 100, stream=stream, clock=clock) as progress:
        for _ in range(42):
            clock.advance(0.25)
            progress.advance(note="$0.10 spent")

    assert stream.getvalue().splitlines() == [
        "replay: 20 of 100, 4.0/s, $0.10 spent, about 20 s left",
        "replay: 40 of 100, 4.0/s, $0.10 spent, about 15 s left",
        "replay: 42 of 100, 4.0/s, $0.10 spent, about 14 s left",
    ]


def test_a_note_that_has_to_be_made_is_made_when_it_is_shown() -> None:
    clock, stream, made = FakeClock(), StringIO(), []

    def note() -> str:
        made.append(clock.monotonic())
        return f"note {len(made)}"

    with ProgressReport("replay", 100, stream=stream, clock=clock) as progress:
        for _ in range(40):
            clock.advance(0.25)
            progress.advance(note=note)

    assert stream.getvalue().splitlines() == [
        "replay: 20 of 100, 4.0/s, note 1, about 20 s left",
        "replay: 40 of 100, 4.0/s, note 2, about 15 s left",
    ]
    assert made == [5.0, 10.0]


def test_work_that_goes_on_counts_its_rate_from_where_it_began() -> None:
    clock, stream = FakeClock(), StringIO()
    with ProgressReport("replay", 100, stream=stream, clock=clock, done=90) as progress:
        clock.advance(10)
        progress.advance(5)

    assert "95 of 100, 0.5/s, about 10 s left" in stream.getvalue()


def test_a_terminal_gets_a_bar_instead_of_lines() -> None:
    stream = Terminal()
    with ProgressReport("replay", 3, stream=stream) as progress:
        progress.advance(3, note="done")

    assert "3/3" in stream.getvalue()
    assert "3 of 3" not in stream.getvalue()


def test_nothing_to_do_says_nothing() -> None:
    stream = StringIO()
    with ProgressReport("replay", 0, stream=stream):
        pass

    assert stream.getvalue() == ""
