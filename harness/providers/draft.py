"""An exchange while it is under way: filled in as answers arrive, then finished once."""

from harness.exchanges import Exchange, Failure, Speech, Timing, Usage
from harness.providers.attempts import Attempts
from harness.providers.delivery import Delivery, accept
from harness.providers.door import Reply
from harness.providers.pcm_stream import PcmStream
from harness.speech import SpeechRequest, billed_chars

__all__ = ["Draft"]


class Draft:
    """What is known so far of one request at one provider."""

    def __init__(
        self,
        request: SpeechRequest,
        attempts: Attempts,
        *,
        provider: str,
        model: str | None,
        region: str,
        price_version: str,
    ) -> None:
        self.attempts = attempts
        self.model = model
        self.voice_id: str | None = None
        self.voices = 0  # made for this request
        self.reported_chars: int | None = None
        self.gpu_s: float | None = None
        self.cold: bool | None = None
        self.redirect_hops = 0
        self.download_s: float | None = None
        self.facts: dict[str, object] = {}
        self.unit = "characters"
        self.counted_chars = billed_chars(request.spoken_text)  # by our own rule
        self._request = request
        self._provider = provider
        self._region = region
        self._price_version = price_version
        self._reply: Reply | None = None
        self._first_audio_s: float | None = None

    def replied(self, reply: Reply) -> None:
        """Keep the times of the reply that carries the audio, or its address."""
        self._reply = reply

    def accepted(self, body: bytes, *, arrived_s: float, stream: PcmStream | None = None) -> Speech | Failure:
        """What was delivered, if it is audio.

        Args:
            body: The audio as it came.
            arrived_s: When its first byte was here, on the monotonic scale.
            stream: When each part was, if it came in parts.
        """
        delivery = accept(body)
        if isinstance(delivery, Failure):
            return delivery
        if stream is not None:
            # It could be heard before it was all here, but not before its first sound was.
            arrived_s = stream.start_s(delivery.leading_silence_s or 0.0)
        self.delivered(delivery, arrived_s=arrived_s)
        return delivery.speech

    def delivered(self, delivery: Delivery, *, arrived_s: float) -> None:
        """Keep when the audio could first be heard, given when its first byte was here (on the monotonic scale)."""
        if self._reply and delivery.leading_silence_s is not None:
            self._first_audio_s = arrived_s - self._reply.started_s + delivery.leading_silence_s

    def finish(self, result: Speech | Failure) -> Exchange:
        """The exchange as it ended."""
        attempts, reply = self.attempts, self._reply
        if attempts.failed:
            self.facts["failed_attempts"] = list(attempts.failed)
        if attempts.retries_refused:
            self.facts["retry_budget"] = "used up"
        if attempts.unsettled:
            self.facts["calls_at_worst_cost"] = attempts.unsettled
        return Exchange(
            provider=self._provider,
            model=self.model,
            region=self._region,
            operation=self._request.operation,
            result=result,
            timing=Timing(
                sent_at=attempts.sent_at,
                service_s=attempts.service_s,
                connect_s=reply.connect_s if reply else None,
                first_byte_s=reply.first_byte_s if reply else None,
                first_audio_s=self._first_audio_s,
                download_s=self.download_s,
            ),
            usage=self._usage(),
            cost=attempts.cost(self._price_version),
            attempts=attempts.count,
            provider_request_id=attempts.request_id,
            cold=self.cold,
            redirect_hops=self.redirect_hops,
            voice_id=self.voice_id,
            facts=self.facts,
        )

    def _usage(self) -> Usage:
        spoken = float(self.reported_chars or 0)
        units = {"characters": spoken, "voices": float(self.voices), "gpu_s": self.gpu_s or 0.0}[self.unit]
        return Usage(
            unit=self.unit,
            units=units,
            counted_chars=self.counted_chars,
            reported_chars=self.reported_chars,
            voices=self.voices,
            gpu_s=self.gpu_s,
        )
