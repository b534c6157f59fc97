"""Copies, and a shadow or its courier over scripted providers; for tests of what runs after a reply."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from harness.clock import Clock
from harness.config import QuotaSettings, ShadowSettings
from harness.exchanges import Exchange, Lane
from harness.gateway.copies import Copy, ShadowCounts
from harness.gateway.copy_admission import DayBudget, Pace
from harness.gateway.courier import Courier, ShadowRoute
from harness.gateway.live_run import LiveRun
from harness.gateway.shadow import Shadow
from harness.store.journal import JournalFile
from harness.store.ledger import Ledger
from harness.store.runs import audio_store
from harness.store.seal import seal
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


def routes(clock: Clock, *, qwen: Any, modal: Any, quota: QuotaSettings) -> dict[Lane, ShadowRoute]:
    return {
        Lane.CANDIDATE: ShadowRoute(
            provider=qwen or ScriptedProvider("qwen", clock=clock), pace=Pace(quota, clock=clock), region="here"
        ),
        Lane.CONTROL: ShadowRoute(
            provider=modal or ScriptedProvider("modal", clock=clock), pace=Pace(quota, clock=clock), region="there"
        ),
    }


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
    return Shadow(
        routes(clock, qwen=qwen, modal=modal, quota=quota),
        settings=ShadowSettings(**settings),
        home=home,
        blobs=audio_store(home),
        clock=clock,
        kill_reason=kill_reason,
        plan=lambda: {"price_version": "v"},
        processes=processes,
    )


class OfferedCopies:
    """Takes copies and nothing else becomes of them."""

    def __init__(self, room: int = 10**9) -> None:
        self.room = room
        self.counts = ShadowCounts()
        self.throttled: list[Lane] = []
        self.waiting = 0

    @property
    def spent_microusd(self) -> int:
        return 1_000 * self.waiting

    def __contains__(self, lane: Lane | None) -> bool:
        return lane in (Lane.CONTROL, Lane.CANDIDATE)

    def offer(self, copy: Copy) -> bool:
        self.counts.offered += 1
        taken = self.waiting < self.room
        self.waiting += taken
        self.counts.dropped += not taken
        return taken

    def note_throttled(self, lane: Lane) -> None:
        self.throttled.append(lane)


class Delivery:
    """Copies that one courier carried out one after the other, into one run."""

    def __init__(self, home: Path, clock: Clock, *, kill_reason: Callable[[], str | None] = lambda: None) -> None:
        self.counts = ShadowCounts()
        self.exchanges: list[Exchange | None] = []
        self.kill_reason = kill_reason
        self._home = home
        self._clock = clock

    async def carry_out(
        self, *copies: Copy, qwen: Any = None, budget_microusd: int = 10**9, quota: QuotaSettings = FAST
    ) -> Ledger:
        """What the run's journal adds up to; it can be sealed."""
        clock = self._clock
        run = LiveRun(self._home, kind=copies[0].kind, plan={"price_version": "v"}, clock=clock)
        with ThreadPoolExecutor(1) as disk:
            courier = Courier(
                routes(clock, qwen=qwen, modal=None, quota=quota),
                counts=self.counts,
                budget=DayBudget(budget_microusd, clock=clock),
                deadline_s=60.0,
                blobs=audio_store(self._home),
                disk=disk,
                kill_reason=self.kill_reason,
                clock=clock,
            )
            try:
                for copy in copies:
                    self.exchanges.append(await courier.carry_out(copy, run))
            finally:
                run.close()
        seal(run.run)
        return Ledger.of(JournalFile(run.run.journal))
