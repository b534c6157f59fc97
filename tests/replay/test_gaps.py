import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from harness.config import ModalSettings, QwenSettings
from harness.errors import ErrorKind
from harness.exchanges import Capture, Consent, Failure, Observed
from harness.providers.pricing import PriceList
from harness.speech import Operation, Reference, SpeechRequest, VoiceKind
from replay.gaps import GapReport, gap_json, gap_report, gap_text
from replay.pacing import AsRecorded
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


def test_both_bills_are_of_what_could_be_done_once_its_voices_exist() -> None:
    observed = Observed(provider="modal", status="ok", first_byte_s=None, total_s=10.0, audio_s=None)
    new = with_consent(a_request("x" * 100, voice=a_voice(VoiceKind.CLONE, id="new")), observed=observed)
    long = a_capture(request=a_request("x" * 601), observed=observed)

    found = report(new, long, qwen=QwenSettings(allow_voice_creation=False))

    assert found.blocked == 2
    assert found.bills["qwen"].usd == pytest.approx(0.00115 + 0.01)
    assert found.bills["modal"].usd == pytest.approx(10 * 0.000306)


def test_recordings_are_counted_once_with_how_many_would_be_taken() -> None:
    other = a_voice(VoiceKind.CLONE, reference=Reference(sha256="c" * 64, transcript="Hi."))
    problem = Failure(kind=ErrorKind.BAD_REFERENCE, code="local.reference_rate", detail="16000 Hz")
    captures = [with_consent(a_request(voice=voice)) for voice in (CLONE, CLONE, other)]

    found = report(*captures, problems={"c" * 64: problem})

    assert (found.references, found.migratable_references, found.migratable_share) == (2, 1, 0.5)
    assert report(a_capture()).migratable_share is None


def test_the_pressure_is_that_of_the_pace() -> None:
    captures = [a_capture(captured_at=NOON + timedelta(seconds=second)) for second in (0, 60, 119)]

    assert report(*captures).pressure.peak_per_minute == 2
    faster = report(*captures, pacing=AsRecorded(2.0), pace="recorded:2")
    assert (faster.pressure.peak_per_minute, faster.pace) == (3, "recorded:2")
    assert "At pace recorded:2 the peak is 3 calls a minute" in gap_text(faster)


def test_nothing_captured_is_nothing_blocked() -> None:
    assert report().blocked_share == 0.0


def test_the_report_is_there_for_people_and_machines() -> None:
    found = report(a_capture(request=a_request("x" * 601)), a_capture())

    text = gap_text(found)
    assert "1 of 2 captures (50.0%) cannot be done as they are." in text
    assert "blocks  text_too_long: 1 (50.0%: 1 generate), such as: the text has 601 characters, Qwen takes 600" in text
    assert "Bill at modal: unknown" in text
    machine = json.loads(json.dumps(gap_json(found)))
    assert (machine["blocked"], machine["gaps"][0]["operations"]) == (1, {"generate": 1})
    assert machine["pressure"]["is_too_high"] is True  # two at once, where 0.6 a second are ours
