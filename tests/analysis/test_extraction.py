import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from analysis import extraction
from analysis.extraction import ExtractionReport, extract
from analysis.extractor import extractor_version
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
from tests.analysis.sounds import a_file, a_silence, an_utterance
from tests.builders import NOON, a_capture, a_leg, an_exchange
from tests.killed import kill_when

HAZARD = "tests.analysis.crashing:measure_or_crash"
SLOW = "tests.analysis.hazards:measure_slowly"


def settings_for(home: Path, processes: int = 1) -> Settings:
    return Settings(home=home, replay=ReplaySettings(extract_processes=processes))


def quiet(total: int, done: int) -> ProgressReport:
    return ProgressReport("Measuring audio", total, done=done, stream=StringIO())


def a_run(home: Path, audio: dict[str, str | None]) -> Run:
    """A run that was replayed and not sealed: capture id → SHA-256 of what control said; None where it failed."""
    run = Run(home / "runs" / "20261123T120000Z-abc")
    with Logbook(run.journal, clock=FakeClock()) as book:
        plan = {"capture_sha256": "c" * 64, "seed": 7, "price_version": "v"}
        facts = {"kind": "replay", "started_at": NOON.isoformat(), "code_version": "0.1.0", "plan_sha256": "p" * 64}
        book.write({"type": "plan", "run_id": run.id, "plan": plan, **facts})
        for capture_id, sha256 in audio.items():
            leg = a_leg(capture_id, lane=Lane.CONTROL)
            place = {"key": leg.key, "lane": leg.lane, "repetition": 0, "position": 0}
            book.write({"type": "planned", "capture": capture_row(a_capture(capture_id)), "legs": [place]})
            exchange = an_exchange(failed=None if sha256 else ErrorKind.OVERLOADED)
            row = exchange_row(leg, exchange, due_at=NOON, admitted_at=NOON, queued_s=0.0, audio_sha256=sha256)
            book.write({"type": "result", "leg": leg.key, "row": row, "at": NOON.isoformat()})
    return run


class Extracted(NamedTuple):
    run: Run
    home: Path
    sha256: dict[str, str]
    report: ExtractionReport


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Extracted:
    """A run with every sort of audio, measured by real workers."""
    home = tmp_path_factory.mktemp("home")
    store = audio_store(home)
    speech, other = an_utterance(rate_hz=24_000), an_utterance(6, f0_hz=210.0, rate_hz=24_000)
    sha256 = {
        "speech": store.put(a_file(speech, rate_hz=24_000), "wav"),
        "other": store.put(a_file(other, rate_hz=24_000), "wav"),
        "silent": store.put(a_file(a_silence(1.0)), "wav"),
        "page": store.put(b"<html>crash report</html>", "wav"),
        "cut": store.put(a_file(speech)[:9_000], "wav"),
        "killer": store.put(b"RIFF crash the decoder", "wav"),
        "lost": "f" * 64,
    }
    run = a_run(home, {**sha256, "again": sha256["speech"], "failed": None})
    return Extracted(run, home, sha256, extract(run, settings_for(home), quiet, measure=HAZARD))


def query(run: Run, sql: str) -> list[tuple[Any, ...]]:
    with open_db(run.database) as database:
        return database.execute(sql).fetchall()


def test_every_audio_is_measured_once_and_sealed_with_its_outcome(extracted: Extracted) -> None:
    rows = dict(query(extracted.run, "SELECT audio_sha256, outcome FROM features"))

    names = {sha256: name for name, sha256 in extracted.sha256.items()}
    assert {names[sha256]: outcome for sha256, outcome in rows.items()} == {
        "speech": "ok",
        "other": "ok",
        "silent": "empty_audio",
        "page": "bad_audio",
        "cut": "truncated_audio",
        "killer": "bad_audio",
    }


def test_the_views_join_the_numbers_to_both_requests_that_got_the_same_audio(extracted: Extracted) -> None:
    rows = query(
        extracted.run,
        "SELECT capture_id, f0_median_hz, len(mfcc_mean), extractor_version FROM exchanges JOIN features USING "
        "(audio_sha256) WHERE capture_id IN ('speech', 'again') ORDER BY capture_id",
    )

    assert [row[0] for row in rows] == ["again", "speech"]
    assert rows[0][1:] == rows[1][1:]
    assert rows[0][1] == pytest.approx(120.0, rel=0.05)
    assert rows[0][2:] == (13, extractor_version())


def test_the_report_counts_everything_and_says_what_was_wrong(extracted: Extracted) -> None:
    report = extracted.report

    assert (report.audio, report.known, report.measured) == (7, 0, 6)
    assert report.outcomes == {"ok": 2, "bad_audio": 2, "empty_audio": 1, "truncated_audio": 1}
    assert report.sound_s == pytest.approx(1.8 + 2.8 + 1.0)
    reasons = {one.audio_sha256: one.reason for one in report.unusable}
    assert "HTML page" in reasons[extracted.sha256["page"]]
    assert reasons[extracted.sha256["killer"]].startswith("decoder_crash: ")
    assert "crashed (signal 11)" in reasons[extracted.sha256["killer"]]


def test_audio_the_store_has_lost_gets_no_row_and_is_named(extracted: Extracted) -> None:
    assert len(extracted.report.lost) == 1
    assert "f" * 64 in extracted.report.lost[0]
    assert query(extracted.run, f"SELECT * FROM features WHERE audio_sha256 = '{'f' * 64}'") == []


def test_a_second_time_only_what_was_lost_is_tried_again(extracted: Extracted) -> None:
    again = extract(extracted.run, settings_for(extracted.home), quiet, measure=HAZARD)

    assert (again.known, again.measured, again.lost) == (6, 0, extracted.report.lost)
    assert again.outcomes == extracted.report.outcomes


def slow_run(home: Path, audio: int) -> Run:
    return a_run(home, {f"c{number}": f"{number:064x}" for number in range(audio)})


def test_another_extractor_measures_everything_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = slow_run(tmp_path, 3)
    extract(run, settings_for(tmp_path), quiet, measure=SLOW)

    monkeypatch.setattr(extraction, "extractor_version", lambda: "another")
    report = extract(run, settings_for(tmp_path), quiet, measure=SLOW)

    assert (report.known, report.measured) == (0, 3)
    assert query(run, "SELECT DISTINCT extractor_version FROM features") == [("another",)]


def test_two_extractions_of_one_run_do_not_mix(tmp_path: Path) -> None:
    run = slow_run(tmp_path, 1)

    with Journal(run.features), pytest.raises(StoreError, match="another process"):
        extract(run, settings_for(tmp_path), quiet, measure=SLOW)


def test_a_run_without_audio_is_sealed_all_the_same(tmp_path: Path) -> None:
    run = a_run(tmp_path, {"failed": None})

    report = extract(run, settings_for(tmp_path), quiet, measure="no.such.module:function")

    assert (report.audio, report.measured, report.outcomes) == (0, 0, {})
    assert query(run, "SELECT outcome FROM exchanges") == [("overloaded",)]


def test_killed_at_any_moment_it_goes_on_where_it_was(tmp_path: Path) -> None:
    run = slow_run(tmp_path, 200)
    script = (
        "from io import StringIO\n"
        "from analysis.extraction import extract\n"
        "from harness.config import Settings\n"
        "from harness.progress import ProgressReport\n"
        "from harness.store.runs import find_run\n"
        "if __name__ == '__main__':\n"
        f"    settings = Settings(home={str(tmp_path)!r})\n"
        "    quiet = lambda total, done: ProgressReport('', total, done=done, stream=StringIO())\n"
        f"    extract(find_run(settings.home, {run.id!r}), settings, quiet, measure={SLOW!r})\n"
    )
    root = Path(__file__).parents[2]
    process = subprocess.Popen([sys.executable, "-c", script], cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    kill_when(process, lambda: run.features.exists() and run.features.stat().st_size > 0)

    report = extract(run, settings_for(tmp_path), quiet, measure=SLOW)

    assert 0 < report.known < 200
    assert report.known + report.measured == 200
    names = [record["audio_sha256"] for record in read_journal(run.features).records]
    assert sorted(names) == [f"{number:064x}" for number in range(200)]
