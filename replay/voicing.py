"""Voices around a replay: made before anything is timed, or made only to be measured and then deleted again."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from harness.capturing.consent import consent_problem
from harness.clock import Clock
from harness.errors import ErrorKind
from harness.exchanges import Capture, Exchange, Failure
from harness.providers.base import Deadline
from harness.speech import Operation, Voice, VoiceKind
from harness.store.logbook import Logbook
from replay.admission import Admissions
from replay.routes import Route

__all__ = ["HOPELESS", "Voicing", "hopeless"]

# One of these means that every further call would end the same way (fault F08: one row, not ten thousand).
HOPELESS: Final = frozenset({ErrorKind.AUTH, ErrorKind.BILLING, ErrorKind.QUOTA})


def hopeless(provider: str, failure: Failure) -> str | None:
    """Why nothing more needs to be sent to anybody; None when going on makes sense."""
    if failure.kind not in HOPELESS:
        return None
    return f"{provider} answered {failure.kind} ({failure.code}): {failure.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Voicing:
    """Makes and forgets voices, and keeps the journal of it."""

    book: Logbook
    admissions: Admissions
    clock: Clock

    async def prepare(self, routes: Iterable[Route], captures: Iterable[Capture], *, at_once: int) -> str | None:
        """Make the voices that generated speech needs, at one provider after the other; reads the captures once.

        Returns:
            Why sending anything more is hopeless; None when it is not.
        """
        wanted: dict[Route, dict[str, Capture]] = {route: {} for route in routes}  # by the voice's id
        for capture in captures:
            for route, needed in wanted.items():
                if self._is_needed(capture, route):
                    needed[capture.request.voice.id] = capture
        for route, needed in wanted.items():
            if reason := await self._make_all(route, needed, at_once=at_once):
                return reason
        return None

    async def _make_all(self, route: Route, needed: Mapping[str, Capture], *, at_once: int) -> str | None:
        voices = [capture.request.voice for capture in needed.values()]
        languages = {voice_id: capture.request.language for voice_id, capture in needed.items()}
        missing = iter(await route.provider.missing_voices(voices))
        reasons: list[str] = []
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(self._make(route, missing, languages, reasons))
        return next(iter(reasons), None)

    def _is_needed(self, capture: Capture, route: Route) -> bool:
        if capture.request.operation is not Operation.GENERATE or capture.request.voice.kind is VoiceKind.PRESET:
            return False
        now = self.clock.now()
        return consent_problem(capture, provider=route.provider.name, region=route.region, now=now) is None

    async def _make(
        self, route: Route, missing: Iterator[Voice], languages: Mapping[str, str | None], reasons: list[str]
    ) -> None:
        while not reasons and not self.admissions.switch.reason() and (voice := next(missing, None)) is not None:
            admission = self.admissions.to(f"voice:{voice.id}", route.quota)
            try:
                made = await route.provider.prepare_voice(
                    voice,
                    language=languages[voice.id],
                    admission=admission,
                    deadline=Deadline(self.clock, route.deadline_s),
                )
            finally:
                admission.close()
            if isinstance(made, str):
                self._note(route, made, "made", made_for=voice.id)
            elif isinstance(made, Failure) and (reason := hopeless(route.provider.name, made)):
                reasons.append(reason)

    async def forget(self, route: Route, capture: Capture, exchange: Exchange) -> None:
        """A voice that a clone or design leg made was only made to be measured."""
        if exchange.voice_id is None or capture.request.operation is Operation.GENERATE:
            return
        self._note(route, exchange.voice_id, "made", made_for=capture.id)
        if await route.provider.delete_voice(exchange.voice_id):
            self._note(route, exchange.voice_id, "deleted", made_for=capture.id)

    def _note(self, route: Route, voice_id: str, event: str, *, made_for: str) -> None:
        self.book.write(
            {
                "type": "voice",
                "event": event,
                "provider": route.provider.name,
                "voice_id": voice_id,
                "made_for": made_for,
                "at": self.clock.now().isoformat(),
            }
        )
