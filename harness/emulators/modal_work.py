"""Speech made on the GPUs of the legacy path: when it will be done, what it bills, how it sounds."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final
from uuid import uuid4

from harness.clock import Clock
from harness.emulators.account import Account
from harness.emulators.audio import decode_recording
from harness.emulators.calls import Call, Calls
from harness.emulators.knobs import knobs_from
from harness.emulators.latency import VLLM_SPEECH, deployment
from harness.emulators.modal_bodies import Problem, decoded_reference
from harness.emulators.modal_calls import FunctionCall, FunctionCalls
from harness.emulators.modal_containers import Containers
from harness.emulators.options import Dialect, ModalOptions
from harness.emulators.studio import Studio, record
from harness.emulators.timbres import Timbre, timbre_of_description, timbre_of_recording, timbre_of_speaker
from harness.emulators.voices import Line, Rendition
from harness.errors import UndecodableAudio
from harness.speech import billed_chars

__all__ = ["USUAL", "GpuWork", "Manner"]

_MOST_HEARD: Final = 1_024  # references whose timbre is remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How it shall be said; only the second dialect can ask for it."""

    seed: int | None = None  # the same words with the same seed give the same audio
    pace: float = 1.0  # factor on the words per minute


USUAL: Final = Manner()


class GpuWork:
    """Starts function calls; each is billed once its audio exists, whoever fetches it."""

    def __init__(self, options: ModalOptions, *, account: Account, studio: Studio, clock: Clock) -> None:
        """Begin with cold containers.

        Raises:
            UsageError: Nobody measured this model, or a knob is unknown.
        """
        self._options = options
        self._deployment = deployment(options.model)
        self._latency = VLLM_SPEECH if options.dialect is Dialect.VLLM else self._deployment.latency
        self._account = account
        self._studio = studio
        self._clock = clock
        self._turns = Calls(options.seed)
        self._knobs = knobs_from(options.sound)
        self._heard: OrderedDict[bytes, Timbre] = OrderedDict()
        self.containers = Containers(options, self._deployment, clock=clock)
        kept_s = options.results_kept_s * options.time_scale
        self.calls = FunctionCalls(seed=options.seed, kept_s=kept_s, clock=clock)

    @property
    def gpu(self) -> str:
        """The GPU, as data/prices.toml names it."""
        return self._deployment.gpu

    def clone(
        self, text: str, language: str | None, reference: str, *, max_tokens: int, manner: Manner = USUAL
    ) -> FunctionCall:
        """Speak with the voice of a recording, given in base64."""
        digest = hashlib.sha256(reference.encode()).digest()
        turn = self._turn(manner, "clone", text, language, digest.hex())
        return self._start(
            text, language, turn, lambda: self._timbre_of(reference, digest), manner, max_tokens=max_tokens
        )

    def design(self, text: str, language: str | None, description: str, *, manner: Manner = USUAL) -> FunctionCall:
        """Speak with a voice made from words."""
        turn = self._turn(manner, "design", text, language, description)
        return self._start(text, language, turn, partial(timbre_of_description, description), manner)

    def generate(
        self, text: str, language: str | None, speaker: str, instruct: str | None, *, manner: Manner = USUAL
    ) -> FunctionCall:
        """Speak with a preset voice."""
        turn = self._turn(manner, "generate", text, language, speaker, instruct)
        return self._start(text, language, turn, partial(timbre_of_speaker, speaker), manner)

    def reset(self) -> None:
        """Cold containers, no job, and every text is spoken for the first time."""
        self.containers.reset()
        self.calls.reset()
        self._turns.reset()

    def cancel(self, call: FunctionCall) -> None:
        """Stop a call; what its GPU has not done yet is not billed."""
        left_s = call.due_s - self._clock.monotonic()
        if call.is_cancelled or left_s <= 0:
            return
        call.is_cancelled = True
        share = left_s / max(left_s, call.due_s - call.started_s)
        self._bill(call, -share * float(call.headers["X-Inference-Seconds"]))

    def _turn(self, manner: Manner, *content: str | None) -> Call:
        return (self._turns if manner.seed is None else Calls(manner.seed)).next(*content)

    def _start(
        self,
        text: str,
        language: str | None,
        turn: Call,
        timbre: Callable[[], Timbre],
        manner: Manner,
        *,
        max_tokens: int = 2_048,
    ) -> FunctionCall:
        work_s = round(self._latency.draw_s(billed_chars(text), turn.random("latency")), 3)
        started_s = self._clock.monotonic()
        place = self.containers.admit(work_s)

        def wav() -> bytes:
            speaker = timbre()
            speaker = replace(speaker, words_per_minute=round(manner.pace * speaker.words_per_minute))
            line = Line(
                text=text,
                language=language,
                timbre=speaker,
                rendition=Rendition.LEGACY,
                take=turn.take,
                knobs=self._knobs,
            )
            return record(line, max_tokens=max_tokens)

        headers = {
            "X-Request-Id": str(uuid4()),
            "X-Model": self._options.model,
            "X-Gpu": self.gpu,
            "X-Inference-Seconds": f"{work_s:.3f}",
            "X-Cold-Start": "1" if place.waited_for_start else "0",
            "X-Container-Id": place.container_id,
        }
        call = FunctionCall(
            id=self.calls.new_id(),
            started_s=started_s,
            due_s=place.due_s,
            wav=self._studio.run(wav),
            headers=headers,
        )
        call.wav.add_done_callback(lambda done: self._rendered(call, done))
        return call

    def _rendered(self, call: FunctionCall, done: "asyncio.Future[bytes]") -> None:
        if not done.cancelled() and done.exception() is None:
            self._bill(call, float(call.headers["X-Inference-Seconds"]))

    def _bill(self, call: FunctionCall, gpu_s: float) -> None:
        self._account.bill(self.gpu, "gpu_s", gpu_s, request_id=call.headers["X-Request-Id"])

    def _timbre_of(self, reference: str, digest: bytes) -> Timbre:
        """The timbre of a recording; listening takes longer than speaking, so it is remembered."""
        timbre = self._heard.get(digest)
        if timbre is None:
            try:
                timbre = timbre_of_recording(decode_recording(decoded_reference(reference)))
            except UndecodableAudio as error:
                raise Problem(500, f"Generation failed: {error}") from None
            self._heard[digest] = timbre
            while len(self._heard) > _MOST_HEARD:
                self._heard.popitem(last=False)
        return timbre
