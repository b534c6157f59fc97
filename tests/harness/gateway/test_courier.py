import itertools
from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from harness.clock import FakeClock
from harness.config import QuotaSettings
from harness.errors import ErrorKind, StoreError
from harness.exchanges import Consent, Exchange, Failure, Lane
from harness.speech import Operation, SpeechRequest, VoiceKind
from harness.store.blobs import BlobStore
from harness.store.journal import read_journal
from harness.store.runs import list_runs
from tests.builders import a_request, a_voice, an_exchange
from tests.harness.gateway.copying import Delivery, a_copy
from tests.scripted import ScriptedProvider


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def delivery(tmp_path: Path, clock: FakeClock) -> Delivery:
    return Delivery(tmp_path, clock)


async def test_a_copy_and_what_the_caller_got_are_a_pair(delivery: Delivery, tmp_path: Path) -> None:
    ledger = await delivery.carry_out(a_copy("r1"), a_copy("r2"))

    assert ledger.outcomes() == {"control": Counter(ok=2), "candidate": Counter(ok=2)}
    assert (ledger.missing, ledger.spent_microusd()) == ([], 2_000)
    assert len(list((tmp_path / "audio").glob("*/*.wav"))) == 4
    assert (delivery.counts.sent, [each and each.outcome for each in delivery.exchanges]) == (2, ["ok", "ok"])


async def test_both_lanes_of_a_fallback_are_written_down_and_nothing_is_sent(delivery: Delivery) -> None:
    made = {
        Lane.CANDIDATE: an_exchange(provider="qwen", failed=ErrorKind.TIMEOUT_READ),
        Lane.CONTROL: an_exchange(audio=b"live"),
    }

    ledger = await delivery.carry_out(a_copy("fell", exchanges=made, to=None))

    assert ledger.outcomes() == {"candidate": Counter(timeout_read=1), "control": Counter(ok=1)}
    assert (delivery.counts.sent, delivery.exchanges) == (0, [None])


async def test_a_provider_that_crashes_leaves_a_row_and_costs_its_worst(delivery: Delivery, clock: FakeClock) -> None:
    def crash(request: SpeechRequest) -> Exchange:
        raise RuntimeError("a bug in the adapter")

    with pytest.raises(RuntimeError, match="a bug in the adapter"):
        await delivery.carry_out(a_copy("r0"), qwen=ScriptedProvider("qwen", clock=clock, answer=crash))

    ledger = await delivery.carry_out(a_copy("r1"))
    assert ledger.missing == []


async def test_a_kill_switch_keeps_copies_from_qwen_and_none_from_legacy(tmp_path: Path, clock: FakeClock) -> None:
    delivery = Delivery(tmp_path, clock, kill_reason=lambda: "KILL")

    to_qwen = await delivery.carry_out(a_copy("r1"))
    clock.advance(1.0)
    live = {Lane.CANDIDATE: an_exchange(provider="qwen")}
    to_legacy = await delivery.carry_out(a_copy("r2", exchanges=live, to=Lane.CONTROL))

    assert to_qwen.outcomes()["candidate"] == Counter(cancelled=1)
    assert to_legacy.outcomes()["control"] == Counter(ok=1)
    assert (delivery.counts.withheld, delivery.counts.sent) == (1, 1)
    assert delivery.exchanges[0] is None


async def test_without_money_nothing_is_sent(delivery: Delivery, clock: FakeClock) -> None:
    qwen = ScriptedProvider("qwen", clock=clock)

    await delivery.carry_out(a_copy(), qwen=qwen, budget_microusd=0)

    assert (qwen.sent.total(), delivery.counts.withheld) == (0, 1)


async def test_a_429_slows_the_next_copies_down(delivery: Delivery, clock: FakeClock, tmp_path: Path) -> None:
    throttled = an_exchange(provider="qwen", failed=ErrorKind.RATE_LIMITED)
    qwen = ScriptedProvider("qwen", clock=clock, latency_s=0.0, answer=lambda _: throttled)
    quota = QuotaSettings(per_minute=60, per_second=60, share=1)

    await delivery.carry_out(*(a_copy(f"r{n}") for n in range(4)), qwen=qwen, quota=quota)

    # When each was let out: it left a little later, once a thread had its intent on disk.
    (run,) = list_runs(tmp_path)
    intents = [record for record in read_journal(run.journal).records if record["type"] == "intent"]
    at = [datetime.fromisoformat(intent["at"]) for intent in intents]
    gaps = [(after - before).total_seconds() for before, after in itertools.pairwise(at)]
    assert len(gaps) == 3
    assert gaps[0] > 0.999
    assert gaps == sorted(gaps)
    assert gaps[-1] > 1.9


async def test_a_recording_goes_to_qwen_only_with_consent(delivery: Delivery, clock: FakeClock) -> None:
    anna = a_request(voice=a_voice(VoiceKind.CLONE))
    yes = Consent(scope=("replay", "clone:qwen"), region=None, expires_at=None, evidence=None)
    consents = {"none": None, "yes": yes, "elsewhere": replace(yes, region="elsewhere")}
    qwen = ScriptedProvider("qwen", clock=clock)

    ledger = await delivery.carry_out(
        *(a_copy(name, request=anna, consent=consent) for name, consent in consents.items()), qwen=qwen
    )

    assert (qwen.sent.total(), delivery.counts.withheld) == (1, 2)
    assert ledger.outcomes()["candidate"] == Counter(ok=1, unsupported=2)


async def test_a_voice_made_by_a_copy_is_deleted_again(delivery: Delivery, clock: FakeClock) -> None:
    qwen = ScriptedProvider("qwen", clock=clock, answer=lambda _: an_exchange(provider="qwen", voice_id="q-7"))

    ledger = await delivery.carry_out(
        a_copy("made", request=a_request(operation=Operation.DESIGN)), a_copy("spoken"), qwen=qwen
    )

    assert qwen.deleted == ["q-7"]
    assert ledger.voices == {}


async def test_a_voice_that_nobody_made_at_qwen_is_no_failure_of_qwens(delivery: Delivery, clock: FakeClock) -> None:
    class Forgetful(ScriptedProvider):
        async def synthesize(self, *_: Any, **__: Any) -> Exchange:
            failure = Failure(kind=ErrorKind.VOICE_NOT_FOUND, code="local.not_prepared", detail="not made")
            return replace(an_exchange(provider="qwen", attempts=0, cost_microusd=0), result=failure)

    ledger = await delivery.carry_out(a_copy(), qwen=Forgetful("qwen", clock=clock))

    counts = delivery.counts
    assert (counts.withheld, counts.voiceless, counts.failed) == (1, 1, 0)
    assert (delivery.exchanges, ledger.outcomes()["candidate"]) == ([None], Counter(unsupported=1))


async def test_audio_that_cannot_be_stored_loses_the_copy_and_every_leg_has_its_row(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(BlobStore, "put", full)

    with pytest.raises(StoreError, match="No space left on device; live exchanges are not kept"):
        await delivery.carry_out(a_copy())

    (run,) = list_runs(tmp_path)
    rows = [record["row"] for record in read_journal(run.journal).records if record["type"] == "result"]
    assert {(row["lane"], row["outcome"]) for row in rows} == {("control", "internal"), ("candidate", "internal")}
