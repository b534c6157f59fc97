"""Whether a capture's reference recording may be used, decided before a byte of it is read or sent."""

from datetime import datetime
from typing import Final

from harness.exchanges import Capture
from harness.speech import VoiceKind

__all__ = ["consent_problem"]

REPLAY_SCOPE: Final = "replay"


def consent_problem(capture: Capture, *, provider: str, region: str | None, now: datetime) -> str | None:
    """Why `provider` may not get this capture's reference; None when it may, or when there is none.

    A replay at any provider needs the scope `replay`; making a voice at one needs `clone:<provider>` as well, except
    on the legacy path, which keeps no voices.
    """
    if capture.request.voice.kind is not VoiceKind.CLONE:
        return None
    consent = capture.consent
    if consent is None:
        return "the capture carries no consent for its reference recording"
    if consent.expires_at is not None and consent.expires_at <= now:
        return f"consent expired on {consent.expires_at:%Y-%m-%d}"
    needed = [REPLAY_SCOPE, *([f"clone:{provider}"] if provider == "qwen" else [])]
    absent = [scope for scope in needed if scope not in consent.scope]
    if absent:
        return f"consent does not cover {' and '.join(absent)}"
    if provider == "qwen" and consent.region is not None and consent.region != region:
        return f"consent is for region {consent.region}, the provider works in {region}"
    return None
