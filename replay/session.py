"""All that one `cutover replay` works with, opened in order and closed again: captures, prices, providers, run.

The flow of a replay is in replay/runner.py; here its parts are found and put together.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from harness.capturing.keys import open_keys
from harness.clock import Clock
from harness.config import ModalSettings, Settings
from harness.errors import ConfigError, UsageError
from harness.exchanges import Lane
from harness.progress import ProgressReport
from harness.providers import open_provider
from harness.providers.base import Provider
from harness.providers.pricing import PriceList
from harness.store.balance import Balance
from harness.store.journal import JournalFile
from harness.store.logbook import Logbook
from harness.store.rows import capture_row
from harness.store.runs import Run, audio_store, list_runs
from harness.store.spending import ALL, DaySpending
from replay.budget import Budget
from replay.extent import Extent, extent_of
from replay.killswitch import KillSwitch
from replay.pacing import AtOnce, Pacing
from replay.plan import LaneTarget, ReplayPlan
from replay.quota import Quota
from replay.routes import Route
from replay.runner import Replay
from replay.shelf import CaptureShelf
from replay.sources import CaptureFile, read_captures, select

__all__ = ["Session", "open_session", "write_legs"]

_SYNC_EVERY: Final = 1_000  # captures of a plan, about a megabyte of journal
_NO_BUDGETS: Final[Mapping[str, float]] = MappingProxyType({})


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

    def extent(self) -> Extent:
        """What the plan comes to; reads every capture once."""
        return extent_of(self.plan, self.providers, now=self.clock.now())

    @asynccontextmanager
    async def replay(
        self,
        *,
        kind: str,
        budget_usd: float,
        resend_unknown: bool,
        budgets_usd: Mapping[str, float] = _NO_BUDGETS,
        pacing: Pacing | None = None,
    ) -> AsyncIterator[Replay]:
        """The replay itself, with its journal open; nothing is sent until it is run.

        Args:
            kind: How the run is labelled.
            budget_usd: The most the whole run may spend.
            resend_unknown: Send again what was sent before a crash and never answered.
            budgets_usd: Provider → the most the run may spend there.
            pacing: When captures are due; `AtOnce` when left out.
        """
        with Logbook(self.run.journal, clock=self.clock) as book, closing(self._day()) as day:
            self._write_plan(book, kind)
            balance = book.balance
            with ProgressReport("replay", balance.legs, done=balance.answered, clock=self.clock) as progress:
                yield Replay(
                    plan=self.plan,
                    book=book,
                    routes=self._routes(),
                    budget=Budget(
                        _microusd(budget_usd),
                        caps={provider: _microusd(usd) for provider, usd in budgets_usd.items()},
                        spent=balance.spent_by_provider(),
                        day=day,
                    ),
                    switch=KillSwitch(self.settings),
                    blobs=audio_store(self.settings.home),
                    clock=self.clock,
                    concurrency=self.settings.replay.concurrency,
                    progress=progress,
                    pacing=pacing or AtOnce(),
                    resend_unknown=resend_unknown,
                )

    def _day(self) -> DaySpending:
        """What all replays under this home may spend today."""
        settings = self.settings
        caps = {
            ALL: settings.replay.budget_usd_per_day,
            "qwen": settings.qwen.budget_usd_per_day,
            "modal": settings.modal.budget_usd_per_day,
        }
        known = {name: _microusd(usd) for name, usd in caps.items() if usd is not None}
        return DaySpending(settings.home, owner=self.run.id, clock=self.clock, caps=known)

    def _write_plan(self, book: Logbook, kind: str) -> None:
        """The plan and every leg of it, or what a crash left out of them."""
        if not book.balance.plan:
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
        write_legs(book, self.plan)

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


def write_legs(book: Logbook, plan: ReplayPlan) -> None:
    """Write down every leg of a plan that is not on record yet, some at a time: a long plan must not wait in memory."""
    for number, entry in enumerate(plan.entries(), start=1):
        if book.balance.number(entry.legs[0].key) is not None:
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
        if number % _SYNC_EVERY == 0:
            book.sync()


@asynccontextmanager
async def open_session(
    settings: Settings,
    captures: Path,
    *,
    limit: int | None,
    seed: int,
    repeat_share: float,
    repetitions: int,
    repeat_pairs: int = 0,
    warm_up: int = 0,
    labels: Mapping[str, str],
    clock: Clock,
) -> AsyncIterator[Session]:
    """Read the captures, open both providers and plan; nothing is sent and nothing written but quarantined lines.

    Raises:
        CaptureError: The file cannot be read.
        ConfigError: A provider lacks a setting or the deployment a name, or the price file is wrong.
        UsageError: The file holds no capture that can be replayed.
    """
    source = read_captures(captures, quarantine=settings.home / "quarantine", keys=open_keys(settings))
    chosen = CaptureShelf(source if limit is None else select(source, limit=limit, seed=seed))
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
        repeat_pairs=repeat_pairs,
        warm_up=warm_up,
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
        account=_deployment(modal),
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
            "voices": "may be made" if qwen.allow_voice_creation else "may not be made",  # it shapes the worst cost
        },
    )
    return {Lane.CONTROL: legacy, Lane.CANDIDATE: candidate, Lane.REPEAT: legacy}


def _deployment(modal: ModalSettings) -> str:
    """What the deployment is called, so that no run of another one is taken up again.

    Raises:
        ConfigError: Each function has a host of its own and none stands for the whole.
    """
    own = [name for name in ModalSettings.model_fields if name.endswith("_url") and getattr(modal, name)]
    if modal.account or modal.base_url or not own:
        return modal.account or _host(modal.base_url)
    variables = ", ".join(f"CUTOVER_MODAL__{name.upper()}" for name in own)
    raise ConfigError(
        f"CUTOVER_MODAL__ACCOUNT is not set, and no one address of {variables} stands for the whole deployment; "
        "set it to a name of your choice, by which its runs are told from those of another deployment"
    )


def _host(base_url: str | None) -> str:
    return urlsplit(base_url or "").netloc or "unset"


def _unfinished_run(home: Path, plan: ReplayPlan) -> Run | None:
    """The newest run of exactly this plan that has something to send, or was killed just before it was sealed."""
    for run in reversed(list_runs(home)):
        journal = JournalFile(run.journal)
        if next(iter(journal), {}).get("plan_sha256") != plan.sha256:
            continue
        if not run.is_sealed or not Balance.of(journal).is_finished:
            return run
    return None


def _microusd(usd: float) -> int:
    return round(usd * 1e6)


def _new_run(home: Path, plan: ReplayPlan, clock: Clock) -> Run:
    stamp = f"{clock.now():%Y%m%dT%H%M%S.%f}"[:-3].replace(".", "")
    return Run(home / "runs" / f"{stamp}-{plan.sha256[:6]}")
