import json
from datetime import timedelta
from pathlib import Path

import pytest

from harness.capture import capture_to_json
from harness.capturing.identities import Pseudonyms
from harness.capturing.keys import KeyRing
from harness.clock import SystemClock
from harness.store.journal import Journal
from harness.store.rows import capture_row
from replay.sources import read_captures
from tests.builders import a_capture
from tests.typed import type_capture


@pytest.fixture
def captures(tmp_path: Path) -> Path:
    """An old capture, and a new one of anna."""
    path = tmp_path / "captures.jsonl"
    now = SystemClock().now()
    anna = Pseudonyms(KeyRing(tmp_path / "keys").key("identity")).of("user", "anna")
    some = [
        a_capture("old", captured_at=now - timedelta(days=31)),
        a_capture("anna", captured_at=now - timedelta(hours=1), user_key=anna),
    ]
    path.write_text("".join(f"{capture_to_json(capture)}\n" for capture in some))
    return path


def ids(path: Path) -> list[str]:
    return [capture.id for capture in read_captures(path)]


def test_a_file_in_order_is_told_with_its_sum(tmp_path: Path, captures: Path) -> None:
    typed = type_capture(tmp_path, "verify", captures)

    assert typed.status == 0
    assert "captures.jsonl: in order" in typed.out
    assert "2 lines = 2 good + 0 quarantined + 0 skipped" in typed.out
    assert typed.err == f"Next: cutover capture show {captures}\n"


def test_problems_are_told_and_set_the_status(tmp_path: Path, captures: Path) -> None:
    captures.write_text(captures.read_text() + "bad\n")

    typed = type_capture(tmp_path, "verify", captures)

    assert typed.status == 4
    assert "1 problems" in typed.out
    assert type_capture(tmp_path, "verify", captures, "--json").json["quarantined"] == 1


def test_many_problems_are_cut_short(tmp_path: Path, captures: Path) -> None:
    key = "sk-0123456789abcdef0123456789abcdef"
    captures.write_text("".join(f"{capture_to_json(a_capture(str(number), segment=key))}\n" for number in range(25)))

    assert "… and 5 more" in type_capture(tmp_path, "verify", captures).out


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (("--older-than", "30d"), ["anna"]),
        (("--older-than", "12h"), ["anna"]),
        (("--user", "anna"), ["old"]),
        (("--user", "anna", "--older-than", "30d"), ["old", "anna"]),
        (("--voice", "Cherry"), []),
    ],
)
def test_a_purge_takes_what_meets_the_conditions_and_proves_it(
    tmp_path: Path, captures: Path, words: tuple[str, ...], left: list[str]
) -> None:
    dry = type_capture(tmp_path, "purge", captures, *words)
    assert ids(captures) == ["old", "anna"]

    done = type_capture(tmp_path, "purge", captures, *words, "--yes")

    assert f"{2 - len(left)} captures would go" in dry.out
    assert "the same command with --yes" in dry.err
    assert f"{2 - len(left)} captures went" in done.out
    assert ids(captures) == left
    proof = json.loads((tmp_path / "purges.jsonl").read_text())
    assert (proof["captures"], proof["kept"]) == (2 - len(left), len(left))
    assert "anna" not in json.dumps(proof)


def test_a_purge_of_nothing_in_particular_is_refused(tmp_path: Path, captures: Path) -> None:
    typed = type_capture(tmp_path, "purge", captures, "--yes")

    assert typed.status == 2
    assert "purge needs --older-than" in typed.err


@pytest.mark.parametrize("age", ["30", "d", "-1d", "1w", "1e9d"])
def test_an_age_that_is_none_is_refused(tmp_path: Path, captures: Path, age: str) -> None:
    assert "write it like 30d or 12h" in type_capture(tmp_path, "purge", captures, f"--older-than={age}").err


def test_a_purge_names_the_runs_that_hold_words_of_the_same_person(tmp_path: Path, captures: Path) -> None:
    anna = next(capture for capture in read_captures(captures) if capture.id == "anna")
    with Journal(tmp_path / "runs" / "r1" / "journal.jsonl") as journal:
        journal.append({"type": "planned", "capture": capture_row(anna), "legs": []})

    typed = type_capture(tmp_path, "purge", captures, "--user", "anna", "--json")

    assert typed.json["runs"] == ["r1"]
    assert f"Run r1 holds words of them as well, and can only go whole: rm -r {tmp_path}/runs/r1" in typed.err
