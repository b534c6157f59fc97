from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from analysis.evidence import read_evidence
from harness.errors import ErrorKind, StoreError
from harness.exchanges import Cost, Exchange, Failure, Lane
from harness.store.database import open_db
from harness.store.journal import Journal
from harness.store.runs import Run
from harness.store.seal import seal
from tests.builders import NOON
from tests.replayed import a_replayed_run

FEATURES = {"duration_s", "first_byte_s"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Forty captures of which the candidate timed out on four."""
    return a_replayed_run(tmp_path_factory.mktemp("home"), captures=40, answer=unlucky)


def unlucky(number: int, lane: Lane, exchange: Exchange) -> Exchange:
    """The candidate times out on every tenth capture, and nobody knows what the second cost."""
    if lane is Lane.CANDIDATE and number % 10 == 0:
        return replace(exchange, result=Failure(kind=ErrorKind.TIMEOUT_READ, code=None, detail="no reply"))
    if lane is Lane.CANDIDATE and number == 1:
        return replace(exchange, cost=Cost(microusd=None, basis="no price"))
    return exchange


def test_every_pair_is_read_with_what_the_gates_need(run: Run) -> None:
    evidence = read_evidence([run], FEATURES)

    pairs = evidence.pairs.sort("capture_id")
    assert pairs.height == 40
    assert {"cluster", "voice_id", "billed_chars", "candidate_first_byte_s", "control_duration_s"} <= set(pairs.columns)
    assert pairs["candidate_outcome"].value_counts().sort("count").rows() == [("timeout_read", 4), ("ok", 36)]
    assert pairs["candidate_duration_s"].null_count() == 4
    assert "candidate_centroid_hz" not in pairs.columns
    assert (evidence.noise_pairs.height, "repeat_duration_s" in evidence.noise_pairs.columns) == (10, True)


def test_money_is_read_in_whole_micro_dollars_and_stays_unknown(run: Run) -> None:
    costs = read_evidence([run], FEATURES).pairs.filter(capture_id=f"{run.id}-1").select("^.*_cost_microusd$").row(0)

    assert costs == (4_500, None)


def test_the_ledger_counts_every_leg_once(run: Run) -> None:
    evidence = read_evidence([run], FEATURES)

    assert evidence.ledger.select("lane", "operation", "outcome", "exchanges").rows() == [
        ("candidate", "generate", "ok", 36),
        ("candidate", "generate", "timeout_read", 4),
        ("control", "generate", "ok", 40),
        ("repeat", "generate", "ok", 10),
    ]
    assert (evidence.runs[0].planned, evidence.runs[0].rows, evidence.runs[0].status) == (90, 90, "complete")


def test_a_run_tells_its_models_and_extractor(run: Run) -> None:
    facts = read_evidence([run], FEATURES).runs[0]

    assert facts.models == {
        "candidate generate qwen/qwen-model@a-region",
        "control generate modal/modal-model@a-region",
        "repeat generate modal/modal-model@a-region",
    }
    assert facts.extractors == {"extractor-1"}
    assert facts.started_at == NOON


def test_the_voice_that_spoke_is_read_by_the_candidates_own_name(tmp_path: Path) -> None:
    def enrolled(number: int, lane: Lane, exchange: Exchange) -> Exchange:
        return replace(exchange, voice_id=f"qwen-voice-{number}") if lane is Lane.CANDIDATE and number else exchange

    pairs = read_evidence([a_replayed_run(tmp_path, captures=3, answer=enrolled)], FEATURES).pairs

    assert pairs.sort("capture_id")["candidate_voice"].to_list() == [None, "qwen-voice-1", "qwen-voice-2"]


def test_a_run_tells_when_captures_were_due_and_an_old_one_does_not(tmp_path: Path) -> None:
    run = a_replayed_run(tmp_path, captures=4)
    with Journal(run.journal) as journal:
        journal.append({"type": "pacing", "pacing": "AtOnce()", "at": NOON.isoformat()})
        journal.sync()
    seal(run)
    told = read_evidence([run], FEATURES).runs[0].pacing

    run.database.chmod(0o644)
    with open_db(run.database, read_only=False) as database:
        database.execute("ALTER TABLE run DROP COLUMN pacing")
    untold = read_evidence([run], FEATURES).runs[0].pacing

    assert (told, untold) == ("AtOnce()", None)


def test_an_interrupted_run_shows_how_much_is_missing(tmp_path: Path) -> None:
    facts = read_evidence([a_replayed_run(tmp_path, lost=3)], FEATURES).runs[0]

    assert (facts.status, facts.planned, facts.rows) == ("interrupted", 90, 87)


def test_several_runs_are_read_together_oldest_first(tmp_path: Path) -> None:
    newer = a_replayed_run(tmp_path, run_id="20261124T120000Z-b", day=1, captures=8)
    older = a_replayed_run(tmp_path, run_id="20261123T120000Z-a", captures=4)

    evidence = read_evidence([newer, older], FEATURES)

    assert [run.run_id for run in evidence.runs] == [older.id, newer.id]
    assert evidence.runs[1].started_at == NOON + timedelta(days=1)
    assert evidence.pairs.height == 12


def test_a_run_that_is_not_sealed_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cutover runs seal"):
        read_evidence([Run(tmp_path / "runs" / "nowhere")], FEATURES)


def test_a_database_without_a_column_that_is_needed_says_what_to_do(run: Run) -> None:
    with pytest.raises(StoreError, match=r"run\.duckdb: cannot be judged .*nonsense.* `cutover runs seal"):
        read_evidence([run], {"nonsense"})


def test_a_distance_is_read_without_its_sign_on_the_side_that_is_compared(tmp_path: Path) -> None:
    run = a_replayed_run(tmp_path, captures=4)
    with Journal(run.pair_features) as journal:
        for lane, shift in (("candidate", -3.0), ("repeat", 1.0)):
            journal.append({
                "type": "pair_feature", "run_id": run.id, "capture_id": f"{run.id}-0", "repetition": 0, "lane": lane,
                "extractor_version": "extractor-1", "outcome": "ok", "f0_shift_semitones": shift,
            })  # fmt: skip
        journal.sync()
    seal(run)

    evidence = read_evidence([run], {"f0_shift_semitones"})

    pairs = evidence.pairs.sort("capture_id")
    assert pairs["candidate_f0_shift_semitones"].to_list() == [3.0, None, None, None]
    assert evidence.noise_pairs["repeat_f0_shift_semitones"].to_list() == [1.0]
    assert "control_f0_shift_semitones" not in pairs.columns
