from pathlib import Path
from typing import Any

import pytest

from harness.clock import FakeClock
from harness.errors import ErrorKind, StoreError
from harness.exchanges import Exchange, Lane
from harness.rollout.outcomes import AudioTrouble
from harness.rollout.rules import load_rules
from harness.rollout.stored_run import run_outcomes
from harness.store.journal import Journal
from harness.store.logbook import Logbook
from harness.store.rows import capture_row, exchange_row
from harness.store.runs import Run
from harness.store.schema import TABLES
from harness.store.seal import seal
from tests.builders import NOON, a_capture, a_leg, an_exchange

RULES = load_rules().audio


class Recorder:
    """Writes a run, one capture at a time."""

    def __init__(self, folder: Path) -> None:
        self.run = Run(folder / "runs" / "20261123T120000-abc")
        self._features: list[dict[str, Any]] = []
        self._book = Logbook(self.run.journal, clock=FakeClock())
        self._book.write(
            {
                "type": "plan",
                "run_id": self.run.id,
                "kind": "canary",
                "started_at": NOON.isoformat(),
                "code_version": "0.1.0",
                "plan_sha256": "p" * 64,
                "plan": {"capture_sha256": "c" * 64, "seed": 7, "price_version": "v"},
            }
        )

    def capture(self, name: str, *, sha256: str | None = None, **lanes: Exchange) -> None:
        legs = {Lane(lane): a_leg(name, lane=Lane(lane)) for lane in lanes}
        places = [{"key": leg.key, "lane": leg.lane, "repetition": 0, "position": 0} for leg in legs.values()]
        self._book.write({"type": "planned", "capture": capture_row(a_capture(name)), "legs": places})
        for lane, exchange in lanes.items():
            audio = (sha256 or name * 32)[:64] if exchange.outcome == "ok" and lane == "candidate" else None
            row = exchange_row(
                legs[Lane(lane)], exchange, due_at=NOON, admitted_at=NOON, queued_s=0.0, audio_sha256=audio
            )
            self._book.write({"type": "result", "leg": legs[Lane(lane)].key, "row": row, "at": NOON.isoformat()})

    def feature(self, sha256: str, **columns: Any) -> None:
        blank = dict.fromkeys(TABLES["features"].names)
        self._features.append({"type": "feature", **blank, "audio_sha256": sha256, "extractor_version": "x", **columns})

    def seal(self) -> Path:
        with self._book:
            pass
        with Journal(self.run.features) as features:
            for record in self._features:
                features.append(record)
        seal(self.run)
        return self.run.database


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path)


def test_every_call_of_both_lanes_is_an_outcome_in_the_order_they_ended(recorder: Recorder) -> None:
    recorder.capture(
        "c1", control=an_exchange(service_s=3.0), candidate=an_exchange(service_s=1.0, cost_microusd=1_500)
    )
    recorder.capture("c2", candidate=an_exchange(service_s=2.0, failed=ErrorKind.TIMEOUT_READ, cost_microusd=None))

    outcomes = list(run_outcomes(recorder.seal(), RULES))

    assert [(each.lane, each.at_s - NOON.timestamp()) for each in outcomes] == [
        (Lane.CANDIDATE, 1.0),
        (Lane.CANDIDATE, 2.0),
        (Lane.CONTROL, 3.0),
    ]
    assert [each.kind for each in outcomes] == [None, ErrorKind.TIMEOUT_READ, None]
    assert [each.microusd for each in outcomes] == [1_500, None, 1_000]
    assert {each.chars for each in outcomes} == {13}


@pytest.mark.parametrize(
    ("control", "caller_failed"),
    [
        pytest.param(an_exchange(), False, id="legacy would have helped"),
        pytest.param(an_exchange(failed=ErrorKind.OVERLOADED), True, id="both failed"),
        pytest.param(None, None, id="legacy was not asked"),
    ],
)
def test_a_caller_fails_when_both_lanes_do(
    recorder: Recorder, control: Exchange | None, caller_failed: bool | None
) -> None:
    lanes = {"control": control} if control else {}
    recorder.capture("c1", candidate=an_exchange(failed=ErrorKind.OVERLOADED), **lanes)

    (outcome,) = (each for each in run_outcomes(recorder.seal(), RULES) if each.lane is Lane.CANDIDATE)

    assert outcome.caller_failed is caller_failed


def test_slow_is_what_legacy_hardly_ever_is(recorder: Recorder) -> None:
    for number in range(20):
        slow = an_exchange(service_s=9.0 if number == 7 else 1.0)
        recorder.capture(f"c{number:02}", control=an_exchange(service_s=1.0 + number / 10), candidate=slow)

    candidates = [each for each in run_outcomes(recorder.seal(), RULES) if each.lane is Lane.CANDIDATE]

    assert sum(each.slow is True for each in candidates) == 1
    assert sum(each.slow is False for each in candidates) == 19


def test_measured_audio_is_judged_and_other_audio_is_left_open(recorder: Recorder) -> None:
    good = {"outcome": "ok", "duration_s": 2.0, "peak_db": -3.0, "clipped_share": 0.0}
    cases = {
        "a": (good, ()),
        "b": ({**good, "peak_db": -70.0}, (AudioTrouble.SILENT,)),
        "c": ({**good, "clipped_share": 0.2}, (AudioTrouble.CLIPPED,)),
        "d": ({**good, "duration_s": 90.0}, (AudioTrouble.ABSURD_DURATION,)),
        "e": ({"outcome": "empty_audio"}, (AudioTrouble.EMPTY,)),
        "f": ({"outcome": "bad_audio"}, None),
        "9": (None, None),
    }
    for name, (columns, _) in cases.items():
        recorder.capture(name, sha256=name * 64, candidate=an_exchange())
        if columns:
            recorder.feature(name * 64, **columns)

    found = [outcome.troubles for outcome in run_outcomes(recorder.seal(), RULES)]

    assert found == [troubles for _, (_, troubles) in sorted(cases.items())]


def test_a_run_that_is_not_sealed_says_how_to_seal_it(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cutover runs seal"):
        list(run_outcomes(tmp_path / "run.duckdb", RULES))
