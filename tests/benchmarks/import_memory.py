"""Whether an import needs more memory for more captures.

`python -m tests.benchmarks.import_memory` imports a million requests from a GoReplay file as the command does, reads
the captures back, and prints the peak of memory on the way; it ends with status 1 when the peak grew by more than
32 MB after the first tenth. A million takes some minutes; `--captures 100000` gives an impression in seconds.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from harness.capturing.keys import KeyRing
from harness.capturing.references import EncryptedBlobStore
from harness.capturing.sanitiser import Policy, Sanitiser
from harness.clock import SystemClock
from replay.importers.formats import Format, read_files
from replay.importers.importing import import_captures
from replay.sanitising.call_sanitiser import CallSanitiser
from replay.sources import read_captures
from tests.traffic import NOON_NS, a_body, gor, http_request

MAX_GROWTH_MB = 32


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Watch:
    """The peak so far at every tenth, so that growth shows where it happens."""

    def __init__(self, expected: int) -> None:
        self.peaks_mb: list[float] = []
        self._tenth = max(1, expected // 10)

    def __call__(self, read: int) -> None:
        if read % self._tenth == 0:
            self.peaks_mb.append(peak_mb())

    @property
    def growth_mb(self) -> float:
        return self.peaks_mb[-1] - self.peaks_mb[0]

    def __str__(self) -> str:
        return " ".join(f"{one:.0f}" for one in self.peaks_mb)


def make(path: Path, captures: int) -> None:
    """Every request in its own words, so that nothing is a repetition."""
    with path.open("wb") as file:
        for number in range(captures):
            body = a_body(text=f"Your order {number} is ready.", user=f"user-{number % 5_000}")
            file.write(gor(http_request(body), identity=f"{number:024x}", at_ns=NOON_NS + number * 10**7))


def run(folder: Path, captures: int) -> tuple[Watch, Watch]:
    source, out = folder / "traffic_0.gor", folder / "captures.jsonl.zst"
    make(source, captures)
    print(f"{captures:,} requests in {source.stat().st_size / 1e6:,.0f} MB")
    keys = KeyRing(folder / "keys")
    references = EncryptedBlobStore(folder / "audio", keys)
    sanitiser = CallSanitiser(Sanitiser(Policy.MASK, keys, references=references, clock=SystemClock()))
    writing, began_s = Watch(captures), time.perf_counter()
    counts = import_captures(read_files([source], Format.AUTO, None), out, sanitiser, references, on_record=writing)
    print(f"imported {counts.good:,} in {time.perf_counter() - began_s:.0f} s; peak MB at every tenth: {writing}")
    reading, began_s, number = Watch(captures), time.perf_counter(), 0
    for number, _ in enumerate(read_captures(out), start=1):
        reading(number)
    print(f"read back {number:,} in {time.perf_counter() - began_s:.0f} s; peak MB at every tenth: {reading}")
    if counts.good != captures or number != captures:
        raise SystemExit(f"{captures} requests gave {counts.good} captures, of which {number} were read back")
    return writing, reading


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captures", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        writing, reading = run(Path(folder), options.captures)
    growth_mb = max(writing.growth_mb, reading.growth_mb)
    verdict = "constant" if growth_mb <= MAX_GROWTH_MB else "not constant"
    print(f"grew by {growth_mb:.0f} MB after the first tenth, {MAX_GROWTH_MB} allowed: memory is {verdict}")
    return int(growth_mb > MAX_GROWTH_MB)


if __name__ == "__main__":
    sys.exit(main())
