"""A provider that does what a test says, at the pace of the test's clock; for tests of what calls providers."""

from collections import Counter
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from harness.clock import Clock
from harness.errors import NotAdmitted
from harness.exchanges import Exchange, Failure
from harness.providers.base import Admission, AudioSink, Deadline, PaidCall
from harness.speech import SpeechRequest, Voice
from tests.builders import an_exchange

Answer = Callable[[SpeechRequest], Exchange]


class ScriptedProvider:
    """Answers every request by `answer`, after `latency_s`, for `cost_microusd`."""

    def __init__(
        self,
        name: str,
        *,
        clock: Clock,
        answer: Answer | None = None,
        latency_s: float = 1.0,
        cost_microusd: int | None = 1_000,
        worst_microusd: int | None = 2_000,
        keeps_voices: bool = False,
    ) -> None:
        self.name = name
        self.sent: Counter[str] = Counter()  # text → how often it was really sent
        self.sent_at_s: list[float] = []
        self.under_way = self.most_under_way = 0
        self.voices: list[str] = []
        self.deleted: list[str] = []
        self._clock = clock
        self._answer = answer or (lambda request: an_exchange(provider=name, audio=f"{name}:{request.text}".encode()))
        self._latency_s = latency_s
        self._cost = cost_microusd
        self._worst = worst_microusd
        self._keeps_voices = keeps_voices

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    async def synthesize(
        self,
        request: SpeechRequest,
        *,
        admission: Admission,
        deadline: Deadline,
        sink: AudioSink | None = None,  # never called: it delivers at once
    ) -> Exchange:
        call = PaidCall(provider=self.name, purpose="speak", attempt=1, worst_microusd=self._worst)
        try:
            await admission.admit(call)
        except NotAdmitted as error:
            return an_exchange(provider=self.name, failed=error.kind, attempts=0, cost_microusd=0, text=str(error))
        self.sent[request.text] += 1
        self.sent_at_s.append(self._clock.monotonic())
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self._clock.sleep(self._latency_s)
            exchange = self._answer(request)
        finally:
            self.under_way -= 1
        admission.settle(call, self._cost)
        return exchange

    def worst_microusd(self, request: SpeechRequest) -> int | None:
        return self._worst

    async def prepare_voice(
        self, voice: Voice, *, language: str | None, admission: Admission, deadline: Deadline
    ) -> str | Failure | None:
        call = PaidCall(provider=self.name, purpose="clone", attempt=1, worst_microusd=self._worst)
        await admission.admit(call)
        self.voices.append(voice.id)
        admission.settle(call, self._cost)
        return f"at-{self.name}-{voice.id}"

    async def missing_voices(self, voices: Iterable[Voice]) -> list[Voice]:
        return [voice for voice in voices if self._keeps_voices and voice.id not in self.voices]

    async def delete_voice(self, voice_id: str) -> bool:
        self.deleted.append(voice_id)
        return True
