import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from analysis import pairwise
from analysis.extractor import pair_extractor_version
from analysis.pairwise import PairReport, compare_pairs
from harness.clock import FakeClock
from harness.config import ReplaySettings, Settings
from harness.errors import ErrorKind, StoreError
from harness.exchanges import Lane
from harness.progress import ProgressReport
from harness.store.database import open_db
from harness.store.journal import Journal, read_journal
from harness.store.logbook import Logbook
from harness.store.rows import capture_row, exchange_row
from harness.store.runs import Run, audio_store
from harness.store.verify import problems
from tests.analysis.sounds import a_file, an_utterance
from tests.builders import NOON, a_capture, a_leg, an_exchange
from tests.killed import kill_when

SLOW, HAZARD = "tests.analysis.hazards:compare_slowly", "tests.analysis.hazards:compare_or_crash"
Sounds = dict[Lane, str | None]


def settings_for(home: Path) -> Settings:
    return Settings(home=home, replay=ReplaySettings(extract_processes=1))


def quiet(total: int, done: int) -> ProgressReport:
    return ProgressReport("Comparing pairs", total, done=done, stream=StringIO())


def a_run(home: Path, captures: dict[str, Sounds]) -> Run:
    """A run that was replayed and not sealed: what each lane of a capture said; None where it failed."""
    run = Run(home / "runs" / "20261123T120000Z-abc")
    with Logbook(run.journal, clock=FakeClock()) as book:
        plan = {"capture_sha256": "c" * 64, "seed": 7, "price_version": "v"}
        facts = {"kind": "replay", "started_at": NOON.isoformat(), "code_version": "0.1.0", "plan_sha256": "p" * 64}
        book.write({"type": "plan", "run_id": run.id, "plan": plan, **facts})
        for capture_id, sounds in captures.items():
            legs = {lane: a_leg(capture_id, lane=lane, position=place) for place, lane in enumerate(sounds)}
            places = [
                {"key": leg.key, "lane": leg.lane, "repetition": 0, "position": leg.position} for leg in legs.values()
            ]
            book.write({"type": "planned", "capture": capture_row(a_capture(capture_id)), "legs": places})
            for lane, sha256 in sounds.items():
                exchange = an_exchange(failed=None if sha256 else ErrorKind.OVERLOADED)
                row = exchange_row(
                    legs[lane], exchange, due_at=NOON, admitted_at=NOON, queued_s=0.0, audio_sha256=sha256
                )
                book.write({"type": "result", "leg": legs[lane].key, "row": row, "at": NOON.isoformat()})
    return run


def numbered(number: int) -> str:
    return f"{number:064x}"


def two(control: int, candidate: int) -> Sounds:
    return {Lane.CONTROL: numbered(control), Lane.CANDIDATE: numbered(candidate)}


def query(run: Run, sql: str) -> list[tuple[Any, ...]]:
    with open_db(run.database) as database:
        return database.execute(sql).fetchall()


def test_candidate_and_repeat_are_compared_with_control_by_real_workers(tmp_path: Path) -> None:
    store = audio_store(tmp_path)
    plain, slower = an_utterance(), an_utterance(word_s=0.4)
    names = [store.put(a_file(sound), "wav") for sound in (plain, slower)]
    sounds = {Lane.CONTROL: names[0], Lane.CANDIDATE: names[1], Lane.REPEAT: names[0]}
    run = a_run(tmp_path, {"c1": sounds, "page": {Lane.CONTROL: names[0], Lane.CANDIDATE: store.put(b"<html>", "wav")}})

    report = compare_pairs(run, settings_for(tmp_path), quiet)

    rows = query(
        run,
        "SELECT capture_id, lane, outcome, identical, duration_ratio, extractor_version FROM pair_features "
        "ORDER BY ALL",
    )
    version = pair_extractor_version()
    assert rows == [
        ("c1", "candidate", "ok", False, pytest.approx(2.2 / 1.8), version),
        ("c1", "repeat", "ok", True, 1.0, version),
        ("page", "candidate", "bad_audio", None, None, version),
    ]
    assert (report.pairs, report.known, report.compared, report.lost) == (3, 0, 3, 0)
    assert report.outcomes == {"ok": 2, "bad_audio": 1}
    assert [problem for problem in problems(run, store) if "pair" in problem] == []


def test_only_pairs_with_audio_on_both_sides_are_compared(tmp_path: Path) -> None:
    captures: dict[str, Sounds] = {
        "both": two(3, 4),
        "no control": {Lane.CONTROL: None, Lane.CANDIDATE: numbered(5)},
        "no candidate": {Lane.CONTROL: numbered(6), Lane.CANDIDATE: None},
        "alone": {Lane.CONTROL: numbered(7)},
    }

    run = a_run(tmp_path, captures)
    compare_pairs(run, settings_for(tmp_path), quiet, compare=SLOW)

    assert query(run, "SELECT capture_id FROM pair_features") == [("both",)]


def test_two_audios_that_meet_twice_are_compared_once(tmp_path: Path) -> None:
    run = a_run(tmp_path, {"a": two(3, 4), "b": two(3, 4), "c": two(4, 3)})
    totals: list[int] = []

    def counting(total: int, done: int) -> ProgressReport:
        totals.append(total)
        return quiet(total, done)

    report = compare_pairs(run, settings_for(tmp_path), counting, compare=SLOW)

    assert (totals, report.compared) == ([2], 3)
    assert query(run, "SELECT capture_id, duration_ratio FROM pair_features ORDER BY ALL") == [
        ("a", 0.4),
        ("b", 0.4),
        ("c", 0.3),
    ]


def test_a_pair_that_kills_its_worker_or_was_lost_costs_no_other(tmp_path: Path) -> None:
    run = a_run(tmp_path, {"killer": two(1, 9), "lost": two(2, 9), "fine": two(3, 9)})

    report = compare_pairs(run, settings_for(tmp_path), quiet, compare=HAZARD)

    rows = query(run, "SELECT capture_id, outcome, more->>'reason' FROM pair_features ORDER BY ALL")
    assert [row[:2] for row in rows] == [("fine", "ok"), ("killer", "bad_audio")]
    assert "crashed (signal 11)" in rows[1][2]
    assert (report.compared, report.lost) == (2, 1)


def test_what_is_known_is_not_compared_again_unless_the_extractor_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_run(tmp_path, {"a": two(3, 4), "b": two(4, 5)})

    def once_more() -> PairReport:
        return compare_pairs(run, settings_for(tmp_path), quiet, compare=SLOW)

    first, second = once_more(), once_more()
    monkeypatch.setattr(pairwise, "pair_extractor_version", lambda: "another")
    third = once_more()

    assert [(report.known, report.compared) for report in (first, second, third)] == [(0, 2), (2, 0), (0, 2)]
    assert query(run, "SELECT extractor_version FROM pair_features") == [("another",), ("another",)]


def test_two_comparisons_of_one_run_do_not_mix(tmp_path: Path) -> None:
    run = a_run(tmp_path, {"a": two(3, 4)})

    with Journal(run.pair_features), pytest.raises(StoreError, match="another process"):
        compare_pairs(run, settings_for(tmp_path), quiet, compare=SLOW)


def test_killed_at_any_moment_it_goes_on_where_it_was(tmp_path: Path) -> None:
    run = a_run(tmp_path, {f"c{number}": two(number, 1_000) for number in range(3, 203)})
    script = (
        "from io import StringIO\n"
        "from analysis.pairwise import compare_pairs\n"
        "from harness.config import Settings\n"
        "from harness.progress import ProgressReport\n"
        "from harness.store.runs import find_run\n"
        "if __name__ == '__main__':\n"
        f"    settings = Settings(home={str(tmp_path)!r})\n"
        "    quiet = lambda total, done: ProgressReport('', total, done=done, stream=StringIO())\n"
        f"    compare_pairs(find_run(settings.home, {run.id!r}), settings, quiet, compare={SLOW!r})\n"
    )
    root = Path(__file__).parents[2]
    process = subprocess.Popen([sys.executable, "-c", script], cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    kill_when(process, lambda: run.pair_features.exists() and run.pair_features.stat().st_size > 0)

    report = compare_pairs(run, settings_for(tmp_path), quiet, compare=SLOW)

    assert 0 < report.known < 200
    assert report.known + report.compared == 200
    names = [record["capture_id"] for record in read_journal(run.pair_features).records]
    assert len(names) == len(set(names)) == 200
