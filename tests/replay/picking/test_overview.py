from datetime import timedelta

from harness.exchanges import Observed
from harness.speech import VoiceKind
from replay.picking.overview import overview_of, overview_text
from tests.builders import NOON, a_capture, a_request, a_voice

FAILED = Observed(provider="modal", status="overloaded", first_byte_s=None, total_s=None, audio_s=None)


def test_captures_are_counted_by_everything_that_matters() -> None:
    clone = a_capture(
        "b", request=a_request("Really?", voice=a_voice(VoiceKind.CLONE)), captured_at=NOON + timedelta(1)
    )

    facts = overview_of([a_capture("a", observed=FAILED), clone]).facts()

    assert (facts["captures"], facts["billed_chars"], facts["voices"], facts["users"]) == (2, 20, 2, 1)
    assert (facts["first"], facts["last"]) == ("2026-11-23T12:00:00+00:00", "2026-11-24T12:00:00+00:00")
    assert facts["by"]["voice kind"] == {"preset": 1, "clone": 1}
    assert facts["by"]["observed"] == {"overloaded": 1, "not recorded": 1}
    assert facts["by"]["consent of clones"] == {"none": 1}
    assert facts["traits"] == {"generate: failed in production": 1, "generate: question": 1}


def test_no_captures_are_no_trouble() -> None:
    assert overview_text(overview_of([])).startswith("0 captures, 0 billed characters")


def test_no_word_of_a_text_and_no_name_is_shown() -> None:
    text = overview_text(overview_of([a_capture(request=a_request("Top secret"), user_key="hmac:77")]))

    assert "secret" not in text
    assert "hmac:77" not in text
    assert "generate 1" in text
