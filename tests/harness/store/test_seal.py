import stat
import tracemalloc
from decimal import Decimal
from pathlib import Path

import pytest

from harness.clock import FakeClock
from harness.errors import ErrorKind, StoreError
from harness.exchanges import Lane
from harness.store.database import open_db
from harness.store.journal import Journal
from harness.store.logbook import Logbook
from harness.store.manifest import sha256_of
from harness.store.rows import capture_row, exchange_row
from harness.store.runs import Run
from harness.store.seal import seal
from tests.builders import NOON, a_capture, a_leg, an_exchange
from tests.replayed import a_replayed_run

PLAN = {"capture_sha256": "c" * 64, "seed": 7, "price_version": "v"}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A finished run of one capture: control spoke, the candidate timed out."""
    run = Run(tmp_path / "runs" / "20261123T120000-abc")
    legs = [a_leg(lane=Lane.CONTROL), a_leg(lane=Lane.CANDIDATE, position=1)]
    exchanges = [an_exchange(cost_microusd=1_234), an_exchange(provider="qwen", failed=ErrorKind.TIMEOUT_TOTAL)]
    with Logbook(run.journal, clock=FakeClock()) as book:
        book.write(
            {
                "type": "plan",
                "run_id": run.id,
                "kind": "replay",
                "started_at": NOON.isoformat(),
                "code_version": "0.1.0",
                "plan_sha256": sha256_of(PLAN),
                "plan": PLAN,
            }
        )
        places = [{"key": leg.key, "lane": leg.lane, "repetition": 0, "position": leg.position} for leg in legs]
        book.write({"type": "planned", "capture": capture_row(a_capture()), "legs": places})
        for leg, exchange in zip(legs, exchanges, strict=True):
            call = {"call": f"{leg.key}#1", "leg": leg.key, "provider": exchange.provider, "worst_microusd": 2_000}
            book.write({"type": "intent", **call, "at": NOON.isoformat()})
            sha256 = "a" * 64 if exchange.outcome == "ok" else None
            row = exchange_row(leg, exchange, due_at=NOON, admitted_at=NOON, queued_s=0.0, audio_sha256=sha256)
            book.write({"type": "result", "leg": leg.key, "row": row, "at": NOON.isoformat()})
    return run


def rows(run: Run, query: str) -> list[tuple[object, ...]]:
    with open_db(run.database) as database:
        return database.execute(query).fetchall()


def test_every_leg_has_exactly_one_row(run: Run) -> None:
    seal(run)

    assert rows(run, "SELECT lane, outcome FROM exchanges ORDER BY lane") == [
        ("candidate", "timeout_total"),
        ("control", "ok"),
    ]
    assert rows(run, "SELECT status, planned, kind FROM run") == [("complete", 2, "replay")]


def test_money_arrives_exactly(run: Run) -> None:
    seal(run)

    assert rows(run, "SELECT cost_usd FROM exchanges WHERE lane = 'control'") == [(Decimal("0.001234"),)]


def test_a_run_with_a_leg_unanswered_is_called_interrupted(run: Run) -> None:
    lines = run.journal.read_bytes().splitlines(keepends=True)
    run.journal.write_bytes(b"".join(lines[:-1]))

    balance = seal(run)

    assert (balance.answered, balance.unanswered) == (1, 1)
    assert not balance.is_answered("c1/0/candidate")
    assert rows(run, "SELECT status FROM run") == [("interrupted",)]


def test_the_newest_measurement_of_an_audio_is_shown(run: Run) -> None:
    with Journal(run.features) as features:
        for version, duration_s in (("v1", 1.0), ("v2", 2.0)):
            features.append(
                {
                    "type": "feature",
                    "audio_sha256": "a" * 64,
                    "extractor_version": version,
                    "outcome": "ok",
                    "duration_s": duration_s,
                    "mfcc_mean": [0.5] * 13,
                    "more": {"x": 1},
                }
            )

    seal(run)

    assert rows(run, "SELECT extractor_version, duration_s, mfcc_mean[13] FROM features") == [("v2", 2.0, 0.5)]
    assert rows(run, "SELECT control_duration_s, candidate_duration_s FROM pairs") == [(2.0, None)]


def test_the_last_judgement_is_shown(run: Run) -> None:
    with Journal(run.judgement) as judgement:
        for decision in ("go", "no-go"):
            verdict = {"run_id": run.id, "operation": None, "decision": decision, "reason": "because"}
            judgement.append({"type": "judgement", "verdicts": [verdict], "gates": []})

    seal(run)

    assert rows(run, "SELECT decision FROM verdicts") == [("no-go",)]


def test_a_sealed_file_is_read_only_and_nothing_is_left_beside_it(run: Run) -> None:
    seal(run)

    assert stat.S_IMODE(run.database.stat().st_mode) == 0o444
    assert sorted(path.name for path in run.path.iterdir()) == ["journal.jsonl", "run.duckdb"]


def test_a_reader_keeps_its_file_while_a_new_one_is_published(run: Run) -> None:
    seal(run)
    with open_db(run.database) as reader:
        seal(run)

        assert reader.execute("SELECT count(*) FROM exchanges").fetchone() == (2,)


def test_sealing_again_gives_the_same_rows(run: Run) -> None:
    everything = "SELECT * FROM exchanges ORDER BY ALL"
    seal(run)
    first = rows(run, everything)
    run.database.unlink()

    seal(run)

    assert rows(run, everything) == first


def test_a_column_that_the_schema_does_not_know_is_refused_and_the_old_file_kept(run: Run) -> None:
    seal(run)
    with Journal(run.features) as features:
        features.append({"type": "feature", "audio_sha256": "a" * 64, "loudnes": 1.0})

    with pytest.raises(StoreError, match="features has no column loudnes"):
        seal(run)

    assert rows(run, "SELECT count(*) FROM features") == [(0,)]
    assert sorted(path.name for path in run.path.iterdir()) == ["features.jsonl", "journal.jsonl", "run.duckdb"]


def peak_bytes(run: Run) -> int:
    """The most that sealing the run held at once, DuckDB's own memory left out."""
    tracemalloc.start()
    try:
        seal(run)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_longer_run_takes_hardly_more_memory_to_seal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.store.seal._BATCH", 50)
    few, many = (a_replayed_run(tmp_path / str(count), captures=count) for count in (200, 800))

    assert (peak_bytes(many) - peak_bytes(few)) / 600 < 400  # with its features; one row alone takes some two thousand


def test_an_outcome_that_was_replaced_is_not_shown_and_the_last_one_stands_in_its_place(run: Run) -> None:
    with Logbook(run.journal, clock=FakeClock()) as book:
        legs = [{"key": f"c2/0/{lane}", "lane": lane, "position": 0} for lane in ("candidate", "control")]
        book.write({"type": "planned", "capture": capture_row(a_capture("c2")), "legs": legs})
        for lane, kind in (("control", ErrorKind.TLS), ("candidate", ErrorKind.BUDGET), ("candidate", ErrorKind.DNS)):
            exchange = an_exchange(failed=kind)
            leg = a_leg("c2", lane=Lane(lane))
            row = exchange_row(leg, exchange, due_at=NOON, admitted_at=None, queued_s=None, audio_sha256=None)
            book.write({"type": "result", "leg": leg.key, "row": row})

    seal(run)

    assert rows(run, "SELECT capture_id, lane, outcome FROM exchanges") == [
        ("c1", "control", "ok"),
        ("c1", "candidate", "timeout_total"),
        ("c2", "candidate", "dns"),
        ("c2", "control", "tls"),
    ]
