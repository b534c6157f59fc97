import asyncio
import os
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest

from analysis.models import readings
from analysis.models.readings import Reference, latest_readings, read_sounds
from analysis.models.scorers import SCORERS
from harness.clock import FakeClock
from harness.config import ModelSettings, ReplaySettings, Settings
from harness.errors import StoreError, UsageError
from harness.exchanges import Lane
from harness.progress import ProgressReport
from harness.store.journal import Journal
from tests.analysis.test_pairwise import a_run, numbered, two
from tests.harness.providers.stubs import a_server, says

READ = "tests.analysis.models.readers:read_at_once"


def settings_for(home: Path, **models: object) -> Settings:
    return Settings(home=home, replay=ReplaySettings(extract_processes=1), models=ModelSettings(**models))  # type: ignore[arg-type] # a test's own words


def quiet(total: int, done: int) -> ProgressReport:
    return ProgressReport("Asking", total, done=done, stream=StringIO())


@pytest.fixture(autouse=True)
def _ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "version_here", lambda scorer, models: "v1")


def test_every_sound_is_read_once_and_never_again_by_the_same_version(tmp_path: Path) -> None:
    run = a_run(tmp_path, {"c1": two(1, 2), "c2": two(1, 3)})

    first = read_sounds(run, settings_for(tmp_path), SCORERS["background"], quiet, read=READ)
    again = read_sounds(run, settings_for(tmp_path), SCORERS["background"], quiet, read=READ)

    assert (first.sounds, first.known, first.outcomes) == (3, 0, {"ok": 3})
    assert (again.sounds, again.known, again.outcomes) == (3, 3, {"ok": 3})
    assert len(latest_readings(run)) == 3


def test_another_version_reads_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_run(tmp_path, {"c1": two(1, 2)})
    read_sounds(run, settings_for(tmp_path), SCORERS["background"], quiet, read=READ)
    monkeypatch.setattr(readings, "version_here", lambda scorer, models: "v2")

    report = read_sounds(run, settings_for(tmp_path), SCORERS["background"], quiet, read=READ)

    assert (report.version, report.known) == ("v2", 0)
    assert [row["version"] for row in latest_readings(run)] == ["v1", "v1", "v2", "v2"]


def test_a_sound_that_crashes_the_model_or_is_lost_costs_one_sound(tmp_path: Path) -> None:
    run = a_run(tmp_path, {"c1": two(1, 9), "c2": two(2, 8)})

    report = read_sounds(run, settings_for(tmp_path), SCORERS["background"], quiet, read=READ)

    assert report.outcomes == {"ok": 2, "internal": 1}
    assert report.unread == 1  # a lost sound says nothing, and is tried again next time
    assert report.reason in ("audio 8 is missing", "the process that read it crashed (signal 11), twice")


def test_voices_of_references_are_read_too_and_remembered(tmp_path: Path) -> None:
    run = a_run(tmp_path, {"c1": two(1, 2)})
    references = {"c1": Reference(tmp_path, numbered(5), "wav"), "of another run": Reference(tmp_path, "f" * 64, "wav")}

    report = read_sounds(run, settings_for(tmp_path), SCORERS["similarity"], quiet, references=references, read=READ)

    assert report.sounds == 3
    rows = latest_readings(run)
    assert {row["audio_sha256"] for row in rows if row["type"] == "reading"} == {numbered(n) for n in (1, 2, 5)}
    assert [row for row in rows if row["type"] == "reference"] == [
        {"type": "reference", "capture_id": "c1", "audio_sha256": numbered(5)}
    ]


def test_words_are_asked_for_in_the_language_of_the_capture(tmp_path: Path) -> None:
    run = a_run(tmp_path, {"c1": two(1, 2)})

    report = read_sounds(run, settings_for(tmp_path), SCORERS["intelligibility"], quiet, read=READ)

    assert report.engine == "whisper"
    assert [row["asked"] for row in latest_readings(run)] == ["en", "en"]


def test_where_nobody_transcribes_nothing_is_asked(tmp_path: Path) -> None:
    run = a_run(tmp_path, {"c1": two(1, 2)})

    report = read_sounds(run, settings_for(tmp_path, transcriber="none"), SCORERS["intelligibility"], quiet)

    assert (report.engine, report.sounds) == ("none", 0)
    assert latest_readings(run) == []


async def test_a_server_transcribes_under_its_own_name_and_version(tmp_path: Path) -> None:
    store = readings.audio_store(tmp_path)
    names = [store.put(data, "wav") for data in (b"one", b"two")]
    run = a_run(tmp_path, {"c1": {Lane.CONTROL: names[0], Lane.CANDIDATE: names[1]}})
    async with a_server(says({"text": " Good morning. "})) as server:
        settings = settings_for(
            tmp_path, transcriber="endpoint", endpoint_url=f"{server.url}/v1", endpoint_model="m"
        ).model_copy(update={"allow_hosts": frozenset({server.authority})})

        report = await asyncio.to_thread(read_sounds, run, settings, SCORERS["intelligibility"], quiet)

    assert (report.engine, report.version, report.outcomes) == ("endpoint", f"m at {server.authority}", {"ok": 2})
    assert [row["text"] for row in latest_readings(run)] == ["Good morning."] * 2


def test_a_server_needs_what_counts_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_run(tmp_path, {"c1": two(1, 2)})
    monkeypatch.setattr(readings, "obstacles", lambda *_, **__: ["intelligibility needs jiwer"])

    with pytest.raises(UsageError, match="needs jiwer"):
        read_sounds(run, settings_for(tmp_path, transcriber="endpoint"), SCORERS["intelligibility"], quiet)


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    run = a_run(tmp_path, {"c1": two(1, 2)})

    with Journal(run.readings), pytest.raises(StoreError, match="another process is writing it"):
        read_sounds(run, settings_for(tmp_path), SCORERS["background"], quiet, read=READ)


_KILLED = """
import sys
from pathlib import Path
from analysis.models import readings
from analysis.models.scorers import SCORERS
from harness.store.runs import Run
from tests.analysis.models.test_readings import quiet, settings_for

readings.version_here = lambda scorer, models: "v1"
home = Path(sys.argv[1])
if __name__ == "__main__":
    readings.read_sounds(Run(home / "runs" / sys.argv[2]), settings_for(home), SCORERS["background"], quiet,
                         read="tests.analysis.models.readers:read_slowly")
"""


def test_after_a_kill_the_same_command_goes_on(tmp_path: Path) -> None:
    run = a_run(tmp_path, {f"c{number}": two(1000 + number, 2000 + number) for number in range(200)})
    script = tmp_path / "killed.py"
    script.write_text(_KILLED)
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path), run.id], env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s and not (run.readings.exists() and run.readings.stat().st_size > 4000):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()

    report = read_sounds(run, settings_for(tmp_path), SCORERS["background"], quiet, read=READ)

    assert 0 < report.known < 400
    assert report.outcomes == {"ok": 400}


def test_no_time_is_asked_of_the_system(tmp_path: Path) -> None:
    run = a_run(tmp_path, {})

    report = read_sounds(run, settings_for(tmp_path), SCORERS["background"], quiet, clock=FakeClock(), read=READ)

    assert report.elapsed_s == 0.0
