"""A replayed, measured and sealed run on disk, as `cutover replay` and `cutover extract` leave one behind."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from harness.clock import FakeClock
from harness.exchanges import Exchange, Lane
from harness.speech import Operation
from harness.store.journal import Journal
from harness.store.logbook import Logbook
from harness.store.manifest import sha256_of
from harness.store.rows import capture_row, exchange_row
from harness.store.runs import Run
from harness.store.seal import seal
from tests.builders import NOON, a_capture, a_leg, a_request, a_voice, an_exchange

Answer = Callable[[int, Lane, Exchange], Exchange]

_PLAN = {"capture_sha256": "c" * 64, "seed": 7, "price_version": "v"}
_LANES = {Lane.CONTROL: ("modal", 1.0, 4_500), Lane.CANDIDATE: ("qwen", 0.5, 200), Lane.REPEAT: ("modal", 1.0, 4_500)}


def a_replayed_run(
    home: Path,
    *,
    run_id: str = "20261123T120000Z-aaaaaa",
    captures: int = 40,
    answer: Answer | None = None,
    features: Mapping[str, Any] | None = None,
    lost: int = 0,
    day: int = 0,
) -> Run:
    """A sealed run of `generate` captures, a quarter of them with a repeat; the candidate takes half the time.

    Args:
        home: What `CUTOVER_HOME` names.
        run_id: The run's name; names sort by time.
        captures: How many.
        answer: Changes what a lane answers to the n-th capture.
        features: What is measured on every audio, beside being plainly fine.
        lost: Legs at the end of the plan without an outcome.
        day: Days after the day of other runs.
    """
    run, started_at = Run(home / "runs" / run_id), NOON + timedelta(days=day)
    audios: list[str | None] = []
    unwritten: deque[dict[str, Any]] = deque()  # of the last results: those that are lost
    with Logbook(run.journal, clock=FakeClock()) as book:
        book.write(
            {
                "type": "plan",
                "run_id": run.id,
                "kind": "replay",
                "started_at": started_at.isoformat(),
                "code_version": "0.1.0",
                "plan_sha256": sha256_of(_PLAN),
                "plan": _PLAN,
            }
        )
        for number in range(captures):
            request = a_request(f"Good morning, number {number}.", voice=a_voice(id=f"voice-{number % 40}"))
            capture = a_capture(f"{run_id}-{number}", request=request)
            lanes = [lane for lane in _LANES if lane is not Lane.REPEAT or number % 4 == 0]
            legs = [a_leg(capture.id, lane=lane, position=position) for position, lane in enumerate(lanes)]
            places = [{"key": leg.key, "lane": leg.lane, "repetition": 0, "position": leg.position} for leg in legs]
            book.write({"type": "planned", "capture": capture_row(capture), "legs": places})
            for leg in legs:
                exchange = _exchange(number, leg.lane, started_at)
                exchange = answer(number, leg.lane, exchange) if answer else exchange
                call = {"call": f"{leg.key}#1", "leg": leg.key, "provider": exchange.provider, "worst_microusd": 5_000}
                book.write({"type": "intent", **call, "purpose": "speak", "attempt": 1, "at": started_at.isoformat()})
                book.write({"type": "settle", "call": call["call"], "microusd": exchange.cost.microusd})
                sha256 = f"{number:060x}{leg.lane[:4].encode().hex()[:4]}" if exchange.outcome == "ok" else None
                row = exchange_row(
                    leg, exchange, due_at=started_at, admitted_at=started_at, queued_s=0.0, audio_sha256=sha256
                )
                audios.append(sha256)
                unwritten.append({"type": "result", "leg": leg.key, "row": row, "at": started_at.isoformat()})
                if len(unwritten) > lost:
                    book.write(unwritten.popleft())
    _measure(run, audios, features or {})
    seal(run)
    return run


def a_live_run(home: Path, *, run_id: str = "29990101T000000Z-live", kind: str = "shadow", sealed: bool = True) -> Run:
    """What a gateway has just begun to write; newer than every other run, unless it is called otherwise."""
    run = Run(home / "runs" / run_id)
    head = {"run_id": run.id, "kind": kind, "started_at": NOON.isoformat(), "code_version": "0", "plan_sha256": "p"}
    with Logbook(run.journal, clock=FakeClock()) as book:
        book.write({"type": "plan", **head, "plan": {"capture_sha256": "c" * 64, "seed": 7, "price_version": "v"}})
    if sealed:
        seal(run)
    return run


def _exchange(number: int, lane: Lane, sent_at: datetime) -> Exchange:
    provider, median_s, cost_microusd = _LANES[lane]
    draw = np.random.default_rng([number, list(_LANES).index(lane)]).standard_normal()
    exchange = an_exchange(provider=provider, cost_microusd=cost_microusd, model=f"{provider}-model")
    timing = replace(exchange.timing, service_s=float(median_s * np.exp(0.3 * draw)), sent_at=sent_at)
    return replace(exchange, timing=timing, operation=Operation.GENERATE)


def _measure(run: Run, audios: list[str | None], features: Mapping[str, Any]) -> None:
    usual = {"duration_s": 3.0, "active_share": 0.8, "longest_silence_s": 0.2, "clipped_share": 0.0}
    with Journal(run.features) as journal:
        for sha256 in filter(None, audios):
            measured = {
                "audio_sha256": sha256,
                "extractor_version": "extractor-1",
                "outcome": "ok",
                **usual,
                **features,
            }
            journal.append({"type": "feature", **measured})
        journal.sync()
