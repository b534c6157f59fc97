from datetime import timedelta

import pytest

from harness.capturing.consent import consent_problem
from harness.exchanges import Consent
from harness.speech import Operation, VoiceKind
from tests.builders import NOON, a_capture, a_request, a_voice


def a_consent(**changes: object) -> Consent:
    fields = {"scope": ("replay", "clone:qwen"), "region": "ap-southeast-1", "expires_at": None, "evidence": None}
    return Consent(**{**fields, **changes})  # type: ignore[arg-type]


def problem(consent: Consent | None, *, provider: str = "qwen") -> str | None:
    capture = a_capture(request=a_request(operation=Operation.CLONE), consent=consent)
    return consent_problem(capture, provider=provider, region="ap-southeast-1", now=NOON)


def test_a_clone_with_full_consent_may_be_replayed_on_both_providers() -> None:
    assert problem(a_consent()) is None
    assert problem(a_consent(), provider="modal") is None


@pytest.mark.parametrize(
    ("consent", "reason"),
    [
        pytest.param(None, "carries no consent", id="none at all"),
        pytest.param(a_consent(scope=("clone:qwen",)), "does not cover replay", id="not for replays"),
        pytest.param(a_consent(scope=("replay",)), "does not cover clone:qwen", id="not for qwen"),
        pytest.param(a_consent(expires_at=NOON), "expired on 2026-11-23", id="expires now"),
        pytest.param(a_consent(region="cn-beijing"), "for region cn-beijing", id="another region"),
    ],
)
def test_a_clone_is_refused_with_the_reason(consent: Consent | None, reason: str) -> None:
    assert reason in (problem(consent) or "")


def test_the_legacy_path_makes_no_voice_and_needs_the_replay_scope_alone() -> None:
    assert problem(a_consent(scope=("replay",), region="cn-beijing"), provider="modal") is None


def test_consent_holds_until_it_expires() -> None:
    assert problem(a_consent(expires_at=NOON + timedelta(seconds=1))) is None


@pytest.mark.parametrize("kind", [VoiceKind.PRESET, VoiceKind.DESIGN])
def test_voices_without_a_person_behind_them_need_none(kind: VoiceKind) -> None:
    capture = a_capture(request=a_request(voice=a_voice(kind)))

    assert consent_problem(capture, provider="qwen", region="x", now=NOON) is None
