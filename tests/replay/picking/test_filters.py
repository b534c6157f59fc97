from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from harness.exchanges import Capture, Consent
from harness.speech import Operation, VoiceKind
from replay.picking.filters import Filter, stable_share
from tests.builders import NOON, a_capture, a_request, a_voice

CLONE = a_capture(request=a_request(voice=a_voice(VoiceKind.CLONE)))
CONSENT = Consent(scope=("replay",), region=None, expires_at=None, evidence=None)


def test_an_empty_filter_lets_everything_through() -> None:
    assert Filter().matches(a_capture())


@pytest.mark.parametrize(
    ("conditions", "inside", "outside"),
    [
        ({"operations": ("clone",)}, a_capture(request=a_request("", operation=Operation.CLONE)), a_capture()),
        ({"languages": ("de", "auto")}, a_capture(request=a_request(language=None)), a_capture()),
        ({"voice_kinds": ("clone",)}, CLONE, a_capture()),
        ({"segments": ("news",)}, a_capture(segment="news"), a_capture()),
        ({"since": NOON}, a_capture(), a_capture(captured_at=NOON - timedelta(seconds=1))),
        ({"until": NOON}, a_capture(captured_at=NOON - timedelta(seconds=1)), a_capture()),
        ({"max_chars": 3}, a_capture(request=a_request("Hi.")), a_capture()),
        ({"with_consent": True}, replace(CLONE, consent=CONSENT), CLONE),
        ({"leave_out": {"c1"}}, a_capture("c2"), a_capture("c1")),
    ],
)
def test_each_condition_keeps_some_and_not_others(
    conditions: dict[str, Any], inside: Capture, outside: Capture
) -> None:
    keep = Filter(**conditions)

    assert (keep.matches(inside), keep.matches(outside)) == (True, False)


def test_conditions_hold_together() -> None:
    assert not Filter(languages=("en",), segments=("news",)).matches(a_capture(segment="sport"))


def test_a_sample_is_about_its_share_and_the_same_for_the_same_seed() -> None:
    captures = [a_capture(str(number)) for number in range(4_000)]

    def drawn(share: float, seed: int) -> set[str]:
        keep = Filter(sample=share, seed=seed)
        return {capture.id for capture in captures if keep.matches(capture)}

    assert 0.08 < len(drawn(0.1, 1)) / 4_000 < 0.12
    assert drawn(0.1, 1) == drawn(0.1, 1) < drawn(0.3, 1)  # a larger share holds the smaller one
    assert drawn(0.1, 1) != drawn(0.1, 2)


def test_the_draw_of_an_id_lies_between_zero_and_one() -> None:
    assert all(0 <= stable_share(str(number), 0) < 1 for number in range(100))
