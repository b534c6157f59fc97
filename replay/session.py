"""All that one `cutover replay` works with, opened in order and closed again: captures, prices, providers, run.

The flow of a replay is in replay/runner.py; here its parts are found and put together.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from harness.clock import Clock
from harness.config import Settings
from harness.errors import UsageError
from harness.exchanges import Lane
from harness.progress import ProgressReport
from harness.providers import open_provider
from harness.providers.base import Provider
from harness.providers.pricing import PriceList
from harness.speech import Operation
from harness.store.journal import read_journal
from harness.store.ledger import Ledger
from harness.store.logbook import Logbook
from harness.store.rows import capture_row
from harness.store.runs import Run, audio_store, list_runs
from replay.budget import Budget
from replay.gaps import GapReport, gap_report
from replay.killswitch import KillSwitch
from replay.obstacles import reference_problems
from replay.pacing import AtOnce, Pacing
from replay.plan import LaneTarget, ReplayPlan
from replay.quota import Quota
from replay.runner import Replay, Route
from replay.sources import CaptureFile, read_captures, select

__all__ = ["Session", "open_session"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """An opened replay: planned, and able to run."""

    settings: Settings
    source: CaptureFile
    plan: ReplayPlan
    providers: Mapping[Lane, Provider]
    clock: Clock
    run: Run  # the one that this plan goes on with, or will make
    resumes: bool

    def worst_microusd(self, lane: Lane) -> int | None:
        """The most that one attempt of every leg of a lane can cost; None when a price is unknown."""
        provider, total = self.providers[lane], 0
        for entry in self.plan.entries():
            if any(leg.lane is lane for leg in entry.legs):
                worst = provider.worst_microusd(entry.capture.request)
                if worst is None:
                    return None
                total += worst
        return total

    async def gaps(self, *, speed: float) -> GapReport:
        """What of these captures the candidate could not do as it is; asks it for its voices, which is free.

        Args:
            speed: How many times as fast as recorded the traffic would come.
        """
        captures = self.plan.captures
        wanted = [capture.request.voice for capture in captures if capture.request.operation is Operation.GENERATE]
        missing = await self.providers[Lane.CANDIDATE].missing_voices(wanted)
        return gap_report(
            captures,
            qwen=self.settings.qwen,
            modal=self.settings.modal,
            prices=PriceList.load(self.settings.prices),
            problems=await reference_problems(captures, self.source.references),
            migrated={voice.id for voice in wanted} - {voice.id for voice in missing},
            now=self.clock.now(),
            speed=speed,
        )

    @asynccontextmanager
    async def replay(
        self, *, kind: str, budget_usd: float, resend_unknown: bool, pacing: Pacing | None = None
    ) -> AsyncIterator[Replay]:
        """The replay itself, with its journal open; nothing is sent until it is run."""
        with Logbook(self.run.journal, clock=self.clock) as book:
            self._write_plan(book, kind)
            ledger = book.ledger
            legs = len(ledger.planned)
            with ProgressReport("replay", legs, done=legs - len(ledger.missing), clock=self.clock) as progress:
                yield Replay(
                    plan=self.plan,
                    book=book,
                    routes=self._routes(),
                    budget=Budget(round(budget_usd * 1e6), spent_microusd=ledger.spent_microusd()),
                    switch=KillSwitch(self.settings),
                    blobs=audio_store(self.settings.home),
                    clock=self.clock,
                    concurrency=self.settings.replay.concurrency,
                    progress=progress,
                    pacing=pacing or AtOnce(),
                    resend_unknown=resend_unknown,
                )

    def _write_plan(self, book: Logbook, kind: str) -> None:
        """The plan and every leg of it, or what a crash left out of them."""
        if not book.ledger.plan:
            book.write(
                {
                    "type": "plan",
                    "run_id": self.run.id,
                    "kind": kind,
                    "started_at": self.clock.now().isoformat(),
                    "code_version": version("voice-cutover"),
                    "plan_sha256": self.plan.sha256,
                    "plan": self.plan.identity(),
                    "source": self.source.counts._asdict(),
                }
            )
        for entry in self.plan.entries():
            if entry.legs[0].key in book.ledger.planned:
                continue
            first = entry.legs[0].repetition == 0
            book.write(
                {
                    "type": "planned",
                    "capture": capture_row(entry.capture) if first else None,
                    "legs": [
                        {"key": leg.key, "lane": leg.lane, "repetition": leg.repetition, "position": leg.position}
                        for leg in entry.legs
                    ],
                }
            )

    def _routes(self) -> dict[Lane, Route]:
        qwen, modal = self.settings.qwen, self.settings.modal
        control = Route(
            provider=self.providers[Lane.CONTROL],
            quota=Quota(modal.quota, clock=self.clock),
            region=modal.region,
            deadline_s=modal.deadline_s,
        )
        candidate = Route(
            provider=self.providers[Lane.CANDIDATE],
            quota=Quota(qwen.quota, clock=self.clock),
            region=qwen.region,
            deadline_s=qwen.deadline_s,
        )
        return {Lane.CONTROL: control, Lane.REPEAT: control, Lane.CANDIDATE: candidate}


@asynccontextmanager
async def open_session(
    settings: Settings,
    captures: Path,
    *,
    limit: int | None,
    seed: int,
    repeat_share: float,
    repetitions: int,
    labels: Mapping[str, str],
    clock: Clock,
) -> AsyncIterator[Session]:
    """Read the captures, open both providers and plan; nothing is sent and nothing written but quarantined lines.

    Raises:
        CaptureError: The file cannot be read.
        ConfigError: A provider lacks a setting, or the price file is wrong.
        UsageError: The file holds no capture that can be replayed.
    """
    source = read_captures(captures, quarantine=settings.home / "quarantine")
    chosen = sorted(select(list(source), limit=limit, seed=seed), key=lambda capture: capture.captured_at)
    if not chosen:
        raise UsageError(f"{captures}: holds no capture that can be replayed")
    targets = _targets(settings)
    plan = ReplayPlan(
        captures=chosen,
        capture_sha256=source.sha256 or "",
        targets=targets,
        seed=seed,
        repeat_share=repeat_share,
        repetitions=repetitions,
        price_version=PriceList.load(settings.prices).version,
        labels=labels,
    )
    unfinished = _unfinished_run(settings.home, plan)
    async with AsyncExitStack() as stack:
        opened = {
            name: await stack.enter_async_context(
                open_provider(name, settings, references=source.references, account=target.account, clock=clock)
            )
            for name, target in {target.provider: target for target in targets.values()}.items()
        }
        yield Session(
            settings=settings,
            source=source,
            plan=plan,
            providers={lane: opened[target.provider] for lane, target in targets.items()},
            clock=clock,
            run=unfinished or _new_run(settings.home, plan, clock),
            resumes=unfinished is not None,
        )


def _targets(settings: Settings) -> dict[Lane, LaneTarget]:
    qwen, modal = settings.qwen, settings.modal
    legacy = LaneTarget(
        provider="modal",
        account=modal.account or _host(modal.base_url),
        region=modal.region,
        models={
            "all": modal.model,
            "gpu": modal.gpu,
            "dialect": modal.dialect,
            "submit_over_chars": str(modal.submit_over_chars),
        },
    )
    candidate = LaneTarget(
        provider="qwen",
        account=qwen.account or _host(qwen.base_url),
        region=qwen.region,
        models={
            "generate": qwen.generate_model,
            "instruct": qwen.instruct_model,
            "clone": qwen.clone_model,
            "design": qwen.design_model,
            "delivery": qwen.delivery,
        },
    )
    return {Lane.CONTROL: legacy, Lane.CANDIDATE: candidate, Lane.REPEAT: legacy}


def _host(base_url: str | None) -> str:
    return urlsplit(base_url or "").netloc or "unset"


def _unfinished_run(home: Path, plan: ReplayPlan) -> Run | None:
    """The newest run of exactly this plan that has something to send, or was killed just before it was sealed."""
    for run in reversed(list_runs(home)):
        records = read_journal(run.journal).records
        if not records or records[0].get("plan_sha256") != plan.sha256:
            continue
        if not run.is_sealed or not Ledger.of(records).is_finished:
            return run
    return None


def _new_run(home: Path, plan: ReplayPlan, clock: Clock) -> Run:
    stamp = f"{clock.now():%Y%m%dT%H%M%S.%f}"[:-3].replace(".", "")
    return Run(home / "runs" / f"{stamp}-{plan.sha256[:6]}")
