from harness.exchanges import Lane
from harness.gateway.copies import ShadowCounts
from tests.builders import a_request, an_exchange
from tests.harness.gateway.copying import a_copy

QWEN = an_exchange(provider="qwen")
MODAL = an_exchange(provider="modal")


def test_what_qwen_was_to_answer_is_a_canary_and_all_else_a_shadow() -> None:
    assert a_copy().kind == "shadow"
    assert a_copy(exchanges={Lane.CANDIDATE: QWEN}, to=Lane.CONTROL).kind == "canary"
    assert a_copy(exchanges={Lane.CANDIDATE: QWEN, Lane.CONTROL: MODAL}, to=None).kind == "canary"


def test_lanes_are_those_that_answered_and_the_one_that_gets_the_copy() -> None:
    assert a_copy().lanes == (Lane.CONTROL, Lane.CANDIDATE)
    assert a_copy(to=None).lanes == (Lane.CONTROL,)
    assert a_copy(exchanges={Lane.CANDIDATE: QWEN, Lane.CONTROL: MODAL}, to=Lane.CONTROL).lanes == (
        Lane.CANDIDATE,
        Lane.CONTROL,
    )


def test_its_size_is_that_of_text_and_audio() -> None:
    copy = a_copy(text="x" * 10, exchanges={Lane.CONTROL: an_exchange(audio=b"a" * 1_000)})

    assert copy.size_bytes == 1_040


def test_it_is_kept_as_a_capture_of_a_pseudonym() -> None:
    capture = a_copy("r9").capture()

    assert (capture.id, capture.user_key, capture.request) == ("r9", "hmac:app", a_request("Text of r9."))


def test_counts_of_two_processes_add_up() -> None:
    both = ShadowCounts(offered=5, kept=2, dropped=1).plus(ShadowCounts(kept=3, voiceless=1))

    assert both == ShadowCounts(offered=5, kept=5, dropped=1, voiceless=1)
