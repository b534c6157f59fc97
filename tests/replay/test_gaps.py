import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from harness.config import ModalSettings, QuotaSettings, QwenSettings
from harness.errors import ErrorKind
from harness.exchanges import Capture, Consent, Failure, Observed
from harness.providers.pricing import PriceList
from harness.speech import Operation, SpeechRequest, VoiceKind
from replay.gaps import GapReport, gap_json, gap_report, gap_text
from tests.builders import NOON, a_capture, a_request, a_voice
from tests.harness.providers.stubs import PRICES

ALLOWED = QwenSettings(allow_voice_creation=True)
CONSENT = Consent(scope=("replay", "clone:qwen"), region=None, expires_at=None, evidence=None)
CLONE = a_voice(VoiceKind.CLONE)


def with_consent(request: SpeechRequest, **changes: Any) -> Capture:
    return a_capture(request=request, consent=CONSENT, **changes)


def report(*captures: Capture, **changes: Any) -> GapReport:
    options = {
        "qwen": ALLOWED,
        "modal": ModalSettings(),
        "prices": PriceList.load(PRICES),
        "problems": {},
        "migrated": {CLONE.id},
        "now": NOON,
    }
    captured = [replace(capture, id=f"c{number}") for number, capture in enumerate(captures)]
    return gap_report(captured, **(options | changes))


def test_a_bad_recording_blocks_every_request_that_needs_it() -> None:
    problem = Failure(kind=ErrorKind.BAD_REFERENCE, code="local.reference_rate", detail="16000 Hz")
    captures = [with_consent(a_request(voice=CLONE)) for _ in range(2)]

    found = report(*captures, a_capture(), problems={"a" * 64: problem})

    assert (found.captures, found.blocked, found.blocked_share) == (3, 2, pytest.approx(2 / 3))
    assert [(gap.code, gap.captures, gap.words) for gap in found.gaps] == [("reference_rate", 2, "16000 Hz")]


def test_gaps_that_block_most_come_first() -> None:
    long, foreign = a_capture(request=a_request("x" * 601)), a_capture(request=a_request(language="sv"))
    mp3 = a_capture(request=a_request(response_format="mp3"))

    found = report(mp3, mp3, mp3, foreign, long, long)

    assert [(gap.code, gap.captures, gap.billed_chars) for gap in found.gaps] == [
        ("text_too_long", 2, 1202),
        ("language", 1, 13),
        ("format", 3, 39),
    ]


def test_the_candidates_bill_counts_what_can_be_done_and_each_voice_once() -> None:
    speak = with_consent(a_request("x" * 100, voice=a_voice(VoiceKind.CLONE, id="new")))
    clone = with_consent(a_request("x" * 100, operation=Operation.CLONE))

    found = report(speak, speak, clone, clone, a_capture(request=a_request("x" * 601)))

    # 400 characters at $0.115 per 10 000; one voice to speak with and two to be measured at $0.01.
    assert found.bills["qwen"].usd == pytest.approx(0.0046 + 0.03)
    assert "4 captures by counted characters, 3 voices to be made" in found.bills["qwen"].basis


def test_an_unknown_price_makes_an_unknown_bill() -> None:
    assert report(a_capture(), qwen=QwenSettings(region="nowhere")).bills["qwen"].usd is None


def test_the_legacy_bill_comes_from_what_production_saw_or_is_unknown() -> None:
    observed = Observed(provider="modal", status="ok", first_byte_s=None, total_s=10.0, audio_s=None)
    seen = a_capture(observed=observed)

    assert report(seen, seen).bills["modal"].usd == pytest.approx(20 * 0.000306)
    assert report(seen, a_capture()).bills["modal"].usd is None
    assert report(seen, a_capture(observed=replace(observed, total_s=None))).bills["modal"].usd is None


def at(*seconds: float) -> list[Capture]:
    return [a_capture(captured_at=NOON + timedelta(seconds=second)) for second in seconds]


@pytest.mark.parametrize(
    ("seconds", "speed", "per_minute", "per_second"),
    [
        pytest.param([], 1.0, 0, 0, id="nothing"),
        pytest.param([0, 60], 1.0, 1, 1, id="a minute apart is another minute"),
        pytest.param([0, 59.9], 1.0, 2, 1, id="just within one"),
        pytest.param([0, 60, 119], 2.0, 3, 1, id="twice as fast"),
        pytest.param([0, 0.5, 1.2, 1.4, 90], 1.0, 4, 3, id="the window slides"),
    ],
)
def test_pressure_is_the_fullest_minute_and_second(
    seconds: list[float], speed: float, per_minute: int, per_second: int
) -> None:
    pressure = report(*at(*seconds), speed=speed).pressure

    assert (pressure.peak_per_minute, pressure.peak_per_second) == (per_minute, per_second)


def test_what_is_ours_of_the_quota_bounds_the_pressure() -> None:
    qwen = QwenSettings(quota=QuotaSettings(per_minute=20, per_second=5, share=0.2))

    assert not report(*at(0, 10, 20, 30), qwen=qwen).pressure.is_too_high
    assert report(*at(0, 10, 20, 30, 40), qwen=qwen).pressure.is_too_high


@pytest.mark.parametrize("speed", [0.0, -1.0])
def test_standing_still_is_no_speed(speed: float) -> None:
    with pytest.raises(ValueError, match="not positive"):
        report(a_capture(), speed=speed)


def test_nothing_captured_is_nothing_blocked() -> None:
    assert report().blocked_share == 0.0


def test_the_report_is_there_for_people_and_machines() -> None:
    found = report(a_capture(request=a_request("x" * 601)), a_capture())

    text = gap_text(found)
    assert "1 of 2 captures (50.0%) cannot be done as they are." in text
    assert "blocks  text_too_long: 1 (1 generate), such as: the text has 601 characters, Qwen takes 600" in text
    assert "Bill at modal: unknown" in text
    machine = json.loads(json.dumps(gap_json(found)))
    assert (machine["blocked"], machine["gaps"][0]["operations"]) == (1, {"generate": 1})
    assert machine["pressure"]["is_too_high"] is True  # two at once, where 0.6 a second are ours
