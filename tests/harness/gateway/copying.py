"""Copies, and a shadow over scripted providers; for tests of what runs after a reply."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.clock import Clock
from harness.config import QuotaSettings, ShadowSettings
from harness.exchanges import Lane
from harness.gateway.copies import Copy
from harness.gateway.copy_admission import Pace
from harness.gateway.shadow import Shadow, ShadowRoute
from harness.store.runs import audio_store
from tests.builders import NOON, a_request, an_exchange
from tests.scripted import ScriptedProvider

FAST = QuotaSettings(per_minute=6_000_000, per_second=100_000, share=1, ramp_s=0)


def a_copy(request_id: str = "r1", **changes: Any) -> Copy:
    text = changes.pop("text", f"Text of {request_id}.")
    fields: dict[str, Any] = {
        "request_id": request_id,
        "arrived_at": NOON,
        "request": a_request(text),
        "caller_key": "hmac:app",
        "consent": None,
        "exchanges": {Lane.CONTROL: an_exchange(audio=f"modal:{request_id}".encode())},
        "to": Lane.CANDIDATE,
    }
    return Copy(**{**fields, **changes})


def a_shadow(
    home: Path,
    clock: Clock,
    *,
    qwen: Any = None,
    modal: Any = None,
    quota: QuotaSettings = FAST,
    kill_reason: Callable[[], str | None] = lambda: None,
    processes: int = 1,
    **settings: Any,
) -> Shadow:
    routes = {
        Lane.CANDIDATE: ShadowRoute(
            provider=qwen or ScriptedProvider("qwen", clock=clock), pace=Pace(quota, clock=clock), region="here"
        ),
        Lane.CONTROL: ShadowRoute(
            provider=modal or ScriptedProvider("modal", clock=clock), pace=Pace(quota, clock=clock), region="there"
        ),
    }
    return Shadow(
        routes,
        settings=ShadowSettings(**settings),
        home=home,
        blobs=audio_store(home),
        clock=clock,
        kill_reason=kill_reason,
        plan=lambda: {"price_version": "v"},
        processes=processes,
    )
