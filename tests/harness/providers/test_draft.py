from random import Random

import pytest

from harness.clock import FakeClock
from harness.errors import ErrorKind
from harness.exchanges import Failure, Speech
from harness.providers.attempts import Answer, Attempts
from harness.providers.base import Deadline
from harness.providers.delivery import Delivery
from harness.providers.door import Reply
from harness.providers.draft import Draft
from harness.providers.retry import RetryPolicy
from harness.speech import Operation, SpeechRequest
from tests.builders import a_request
from tests.harness.providers.stubs import Till

SPEECH = Speech(audio=b"RIFF", extension="wav", sample_rate_hz=24_000)


def a_draft(clock: FakeClock, request: SpeechRequest | None = None) -> Draft:
    attempts = Attempts(
        "qwen",
        admission=Till(),
        deadline=Deadline(clock, 100.0),
        policy=RetryPolicy(max_attempts=2, random=Random(1)),
        clock=clock,
    )
    return Draft(
        request or a_request("你好"),
        attempts,
        provider="qwen",
        model="qwen3-tts-flash",
        region="ap-southeast-1",
        price_version="v1",
    )


def a_reply(**changes: float | None) -> Reply:
    times = {"started_s": 5.0, "connect_s": 0.1, "first_byte_s": 0.4, "total_s": 0.5} | changes
    return Reply(status=200, headers={}, body=b"", **times)  # type: ignore[arg-type]


def test_a_draft_with_nothing_in_it_is_an_exchange_that_was_never_sent(clock: FakeClock) -> None:
    exchange = a_draft(clock).finish(Failure(kind=ErrorKind.UNSUPPORTED, code=None, detail="no"))

    assert exchange.outcome == "unsupported"
    assert (exchange.attempts, exchange.cost.microusd, exchange.timing.service_s) == (0, 0, 0.0)
    assert exchange.timing.first_byte_s is None
    assert exchange.usage.counted_chars == 4
    assert exchange.facts == {}


def test_what_was_filled_in_is_in_the_exchange(clock: FakeClock) -> None:
    draft = a_draft(clock)
    draft.replied(a_reply())
    draft.model, draft.voice_id, draft.attempts.request_id = "vc-1", "voice-1", "r1"
    draft.reported_chars, draft.download_s, draft.redirect_hops, draft.cold = 5, 0.2, 3, True
    draft.facts["audio_id"] = "audio_r1"

    exchange = draft.finish(SPEECH)

    assert (exchange.model, exchange.voice_id, exchange.provider_request_id) == ("vc-1", "voice-1", "r1")
    assert (exchange.timing.connect_s, exchange.timing.first_byte_s, exchange.timing.download_s) == (0.1, 0.4, 0.2)
    assert (exchange.redirect_hops, exchange.cold, exchange.outcome) == (3, True, "ok")
    assert (exchange.usage.unit, exchange.usage.units, exchange.usage.reported_chars) == ("characters", 5.0, 5)
    assert exchange.facts == {"audio_id": "audio_r1"}


@pytest.mark.parametrize(
    ("unit", "units"), [pytest.param("voices", 1.0, id="voice"), pytest.param("gpu_s", 2.5, id="gpu")]
)
def test_usage_counts_in_the_unit_that_is_billed(clock: FakeClock, unit: str, units: float) -> None:
    draft = a_draft(clock, a_request("", operation=Operation.CLONE))
    draft.unit, draft.voices, draft.gpu_s = unit, 1, 2.5

    usage = draft.finish(SPEECH).usage

    assert (usage.unit, usage.units) == (unit, units)
    assert usage.counted_chars == len("The weather is lovely today, let us take a walk in the park.")


def test_audio_can_be_heard_once_it_is_here_and_its_silence_is_over(clock: FakeClock) -> None:
    draft = a_draft(clock)
    draft.replied(a_reply(started_s=5.0))

    draft.delivered(Delivery(speech=SPEECH, leading_silence_s=0.25), arrived_s=5.75)

    assert draft.finish(SPEECH).timing.first_audio_s == 1.0


def test_silence_that_was_not_measured_leaves_the_first_sound_unknown(clock: FakeClock) -> None:
    draft = a_draft(clock)
    draft.replied(a_reply())

    draft.delivered(Delivery(speech=SPEECH, leading_silence_s=None), arrived_s=5.75)

    assert draft.finish(SPEECH).timing.first_audio_s is None


async def test_failed_attempts_and_open_bills_become_facts(clock: FakeClock) -> None:
    draft = a_draft(clock)
    overloaded: Answer[str] = Answer(result=Failure(kind=ErrorKind.OVERLOADED, code=None, detail="no"))
    answers = [overloaded, Answer(result="audio", microusd=3, basis="reported characters")]

    async def send() -> Answer[str]:
        return answers.pop(0)

    await draft.attempts.pay("speak", send, worst_microusd=10)

    assert draft.finish(SPEECH).facts == {"failed_attempts": ["overloaded"], "calls_at_worst_cost": 1}
