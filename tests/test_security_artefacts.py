"""S8-20: what CI keeps and prints of a verdict, searched for the words and people of the captures it rests on."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from analysis.verdict_cli import verdict
from harness.store.database import open_db
from harness.store.journal import Journal, read_journal
from harness.store.runs import Run
from harness.store.seal import seal
from tests.replayed import a_replayed_run

WORDS = "KanarienVogelWorte"
PERSON = "hmac:0123456789abcdef0123456789abcdef"
# What `cutover nightly` publishes and a job keeps; the page is written without its samples unless they are asked for.
REPORTS = ("html", "junit", "openmetrics", "record", "comment-file")


def spoken_run(home: Path) -> Run:
    """A judged run each of whose captures says the words, in the name of the person."""
    run = a_replayed_run(home, captures=40)
    records = read_journal(run.journal).records
    run.journal.unlink()
    with Journal(run.journal) as journal:
        for record in records:
            if record["type"] == "planned":
                words = {"text": f"{WORDS} {record['capture']['capture_id']}", "user_key": PERSON}
                record["capture"] = record["capture"] | words
            journal.append(record)
        journal.sync()
    seal(run)
    return run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    thresholds = tmp_path / "thresholds.toml"
    thresholds.write_text(
        'schema = 1\n[stats]\nmin_pairs = 30\nmin_days = 1\n[gate.errors]\nkind = "paired_binary"\nmargin_pp = 25.0\n'
    )
    monkeypatch.setenv("CUTOVER_HOME", str(tmp_path))
    monkeypatch.setenv("CUTOVER_THRESHOLDS", str(thresholds))
    return tmp_path


def test_no_report_that_ci_keeps_holds_captured_words(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken_run(home)
    out = tmp_path / "reports"
    out.mkdir()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(out / "summary.md"))
    options = [part for name in REPORTS for part in (f"--{name}", str(out / f"verdict.{name}"))]

    told = [
        CliRunner().invoke(verdict, words, catch_exceptions=False) for words in (options, ["--json"], ["--markdown"])
    ]

    assert [result.exit_code for result in told] == [0, 0, 0]
    kept = {path.name: path.read_bytes() for path in out.iterdir()}
    kept |= {f"output {number}": result.output.encode() for number, result in enumerate(told)}
    assert len(kept) == len(REPORTS) + 1 + len(told)
    assert [name for name, data in kept.items() if WORDS.encode() in data or PERSON.encode() in data] == []


def test_the_search_would_see_them(home: Path) -> None:
    run = spoken_run(home)

    with open_db(run.database) as database:
        rows = repr(database.execute("SELECT text, user_key FROM captures").fetchall())

    assert rows.count(WORDS) == rows.count(PERSON) == 40
