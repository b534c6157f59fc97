"""Captures and exchanges as rows of their tables, the form in which journals keep them."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.exchanges import Capture, Exchange, Failure, Leg, Speech
from harness.speech import billed_chars
from harness.store.journal import JournalFile

__all__ = ["capture_row", "captures_in", "exchange_row", "received_in"]

Row = dict[str, Any]


def capture_row(capture: Capture) -> Row:
    """A row of `captures`; the text is what will be spoken."""
    request, observed = capture.request, capture.observed
    return {
        "capture_id": capture.id,
        "captured_at": _stamp(capture.captured_at),
        "operation": request.operation,
        "language": request.language,
        "text": request.spoken_text,
        "text_chars": len(request.spoken_text),
        "billed_chars": billed_chars(request.spoken_text),
        "voice_kind": request.voice.kind,
        "voice_id": request.voice.id,
        "segment": capture.segment,
        "user_key": capture.user_key,
        "cluster": request.voice.id or capture.user_key,
        "observed_provider": observed and observed.provider,
        "observed_status": observed and observed.status,
        "observed_first_byte_s": observed and observed.first_byte_s,
        "observed_total_s": observed and observed.total_s,
        "observed_audio_s": observed and observed.audio_s,
    }


def exchange_row(
    leg: Leg,
    exchange: Exchange,
    *,
    due_at: datetime,
    admitted_at: datetime | None,
    queued_s: float | None,
    own_wait_s: float = 0.0,
    audio_sha256: str | None,
) -> Row:
    """A row of `exchanges`, without its run.

    Args:
        leg: Where the exchange belongs.
        exchange: What the provider made of it.
        due_at: When the schedule wanted it sent.
        admitted_at: When quota and budget let it through; None when they did not.
        queued_s: From due to admitted, by the monotonic clock; None when nobody was there to see, and then no time is.
        own_wait_s: What later attempts waited for our own quota and journal: no time of the provider's.
        audio_sha256: The name under which its audio was stored; None without audio.
    """
    timing, usage, result = exchange.timing, exchange.usage, exchange.result
    speech = result if isinstance(result, Speech) else None
    failure = result if isinstance(result, Failure) else None
    return {
        "capture_id": leg.capture_id,
        "repetition": leg.repetition,
        "lane": leg.lane,
        "provider": exchange.provider,
        "model": exchange.model,
        "region": exchange.region,
        "operation": exchange.operation,
        "position": leg.position,
        "outcome": exchange.outcome,
        "provider_code": failure and failure.code,
        "detail": failure and failure.detail,
        "provider_request_id": exchange.provider_request_id,
        "attempts": exchange.attempts,
        "due_at": _stamp(due_at),
        "admitted_at": admitted_at and _stamp(admitted_at),
        "sent_at": _stamp(timing.sent_at) if exchange.attempts else None,
        "queued_s": queued_s,
        "connect_s": timing.connect_s,
        "first_byte_s": timing.first_byte_s,
        "first_audio_s": timing.first_audio_s,
        "download_s": timing.download_s,
        "service_s": None if queued_s is None else timing.service_s - own_wait_s,
        "from_due_s": None if queued_s is None else queued_s + timing.service_s,
        "cold": exchange.cold,
        "redirect_hops": exchange.redirect_hops,
        "audio_sha256": audio_sha256,
        "audio_bytes": speech and len(speech.audio),
        "audio_extension": speech and speech.extension,
        "sample_rate_hz": speech and speech.sample_rate_hz,
        "billed_units": usage.units,
        "unit": usage.unit,
        "cost_usd": None if exchange.cost.microusd is None else f"{exchange.cost.microusd / 1e6:.6f}",
        "cost_basis": exchange.cost.basis,
        "metadata": {
            **exchange.facts,
            "voice_id": exchange.voice_id,
            "counted_chars": usage.counted_chars,
            "reported_chars": usage.reported_chars,
            "voices": usage.voices,
            "gpu_s": usage.gpu_s,
        },
    }


def captures_in(journal: Path) -> Iterator[Row]:
    """The rows of `captures` that a journal holds, in planned order, one at a time.

    Raises:
        StoreError: The journal is missing or damaged.
    """
    planned = (record["capture"] for record in JournalFile(journal) if record["type"] == "planned")
    return (row for row in planned if row is not None)  # later repetitions leave it out


def received_in(journal: Path) -> Iterator[Row]:
    """The rows of `exchanges` that brought audio, in the order in which they came, one at a time.

    Such an answer is final, so no later record replaces it.

    Raises:
        StoreError: The journal is missing or damaged.
    """
    rows = (record["row"] for record in JournalFile(journal) if record["type"] == "result")
    return (row for row in rows if row.get("audio_sha256"))


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")
