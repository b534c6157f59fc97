"""Audio that arrives while it is made: raw samples kept with their times, and what a listener would have heard when."""

import struct
from dataclasses import dataclass, field
from typing import Final

__all__ = ["PcmStream"]

_BYTES_PER_SAMPLE: Final = 2  # 16 bit, mono (providers.md A3, A4)


@dataclass(slots=True, kw_only=True)
class PcmStream:
    """Samples of a stream, in order: 16-bit little-endian mono."""

    rate_hz: int = 24_000
    arrivals: list[tuple[float, int]] = field(default_factory=list)  # moment, bytes there by then
    data: bytearray = field(default_factory=bytearray)

    def add(self, samples: bytes, *, at_s: float) -> None:
        """Keep what arrived at a moment of the monotonic clock; a piece may end in the middle of a sample."""
        self.data += samples
        if samples:
            self.arrivals.append((at_s, len(self.data)))

    @property
    def whole_bytes(self) -> int:
        """Bytes of the samples that are complete."""
        return len(self.data) // _BYTES_PER_SAMPLE * _BYTES_PER_SAMPLE

    @property
    def is_file(self) -> bool:
        """Whether a service sends a whole file in pieces, with a header of its own."""
        return self.data[:4] == b"RIFF"

    @property
    def ends_in_a_sample(self) -> bool:
        """Whether half a sample is missing at the end."""
        return len(self.data) % _BYTES_PER_SAMPLE != 0

    def wav(self) -> bytes:
        """All of it as a WAV file, with a header that tells its true length (a streamed one cannot)."""
        if self.is_file:
            return bytes(self.data)
        rate, size = self.rate_hz, len(self.data)
        form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * _BYTES_PER_SAMPLE, _BYTES_PER_SAMPLE, 16)
        return (
            struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + form + struct.pack("<4sI", b"data", size) + self.data
        )

    def start_s(self, offset_s: float) -> float:
        """When playback had to begin for the sample at `offset_s` to sound in time.

        Args:
            offset_s: Seconds into the audio.

        Returns:
            A moment of the monotonic clock, never before the first piece was here.

        Raises:
            ValueError: Nothing has arrived.
        """
        if not self.arrivals:
            raise ValueError("no audio has arrived")
        needed = int(offset_s * self.rate_hz) * _BYTES_PER_SAMPLE
        here_s = next((at_s for at_s, size in self.arrivals if size > needed), self.arrivals[-1][0])
        return max(self.arrivals[0][0], here_s - offset_s)

    @property
    def paused_s(self) -> float:
        """Seconds a listener would have waited for more, who began with the first piece."""
        if not self.arrivals:
            return 0.0
        first_s = self.arrivals[0][0]
        sizes = [0, *(size for _, size in self.arrivals)]
        late = [
            at_s - first_s - size / _BYTES_PER_SAMPLE / self.rate_hz
            for (at_s, _), size in zip(self.arrivals, sizes, strict=False)
        ]
        return max(0.0, *late)
