"""Make the recordings that the demo's voices were cloned from or kept as, and list them in references.json.

    python -m scripts.make_demo_references

Speaks with espeak-ng, so it needs the `demo` extra. The captures name recordings by hash: make them again afterwards.
"""

import io
import json
import sys

import soundfile

from harness.emulators.audio import RATE_HZ, decode_recording
from harness.emulators.timbres import CAST, Timbre, timbre_of_description, timbre_of_recording
from harness.emulators.voices import Line, Rendition, speak
from harness.store.blobs import BlobStore
from scripts.demo_cast import DEMO, REFERENCES, Part, parts

SHORTEST_S, LONGEST_S = 3.4, 5.5  # Qwen wants 3 s of speech without a longer pause (providers.md A5)
LARGEST_BYTES = 25_000
MP3_LEVEL = 0.84  # constant 32 kbit/s: 0 is 160, 1 is 8


def timbre_of(part: Part, place: int) -> Timbre:
    """A kept design sounds as its description does at the stand-ins; clones take turns through their cast."""
    if part.description is not None:
        return timbre_of_description(part.description)
    return list(CAST.values())[place % len(CAST)]


def record(part: Part, timbre: Timbre, take: int) -> bytes:
    """The part's transcript as MP3, 24 kHz mono, as the legacy path renders it."""
    line = Line(text=part.transcript, language=part.language, timbre=timbre, rendition=Rendition.LEGACY, take=take)
    file = io.BytesIO()
    soundfile.write(file, speak(line), RATE_HZ, format="MP3", bitrate_mode="CONSTANT", compression_level=MP3_LEVEL)
    return file.getvalue()


def problem(data: bytes, timbre: Timbre) -> str | None:
    """What is wrong with a recording for its purpose; None when it will do."""
    recording = decode_recording(data)
    if not SHORTEST_S <= recording.duration_s <= LONGEST_S:
        return f"lasts {recording.duration_s:.1f} s, wanted are {SHORTEST_S:g} to {LONGEST_S:g}: change its transcript"
    if len(data) > LARGEST_BYTES:
        return f"has {len(data)} bytes, at most {LARGEST_BYTES} are wanted: shorten its transcript"
    if timbre_of_recording(recording) != timbre:
        return f"is heard as {timbre_of_recording(recording).name}, not as {timbre.name}: change its transcript"
    return None


def main() -> None:
    """Write recordings and list; stop at the first recording that will not do."""
    store = BlobStore(DEMO / "audio")
    listed: dict[str, dict[str, str]] = {}
    for place, part in enumerate(parts()):
        timbre = timbre_of(part, place)
        data = record(part, timbre, take=place)
        if (reason := problem(data, timbre)) is not None:
            sys.exit(f"{part.voice_id}: the recording {reason}")
        listed[part.voice_id] = {"sha256": store.put(data, "mp3"), "transcript": part.transcript}
    REFERENCES.write_text(json.dumps(listed, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    wanted = {row["sha256"] for row in listed.values()}
    for path in store.root.rglob("*.mp3"):
        if path.stem not in wanted:
            path.unlink()
    print(f"{store.root}: {len(wanted)} recordings by {soundfile.__libsndfile_version__}")


if __name__ == "__main__":
    main()
