"""How fast `cutover capture import` reads GoReplay files, beside a reader that only looks for separators.

`python -m tests.benchmarks.import_speed` makes a file of requests and replies, reads it by both in turn in one process,
several times, and prints the medians. CPU time is the figure to trust on a shared machine; the goal is 10,000 records
a second (performance.md).
"""

import argparse
import json
import math
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from harness.capturing.keys import KeyRing
from harness.capturing.references import EncryptedBlobStore
from harness.capturing.sanitiser import Policy, Sanitiser
from harness.clock import SystemClock
from replay.importers.formats import Format, read_files
from replay.importers.gor_records import SEPARATOR
from replay.importers.importing import import_captures
from replay.sanitising.call_sanitiser import CallSanitiser
from tests.traffic import NOON_NS, a_body, a_wav, gor, http_reply, http_request

GOAL_HZ = 10_000
TEXTS = (
    "Good morning, how can I help you today?",
    "Your parcel arrives tomorrow between ten and twelve.",
    "Bitte haben Sie noch einen Augenblick Geduld.",
    "请稍等，我马上为您查询。",
    "The next train to the airport leaves from platform 4 at 10:15.",
)
PERSONAL = ("Please call me back on +49 30 901820.", "Write to anna.mueller@example.com.")


class Cost(NamedTuple):
    """Of one reading."""

    cpu_s: float
    wall_s: float


def make(path: Path, records: int, reply: bytes, content_type: str) -> None:
    """Half requests, half replies; one text in fifty holds personal data."""
    dice = random.Random(1)
    with path.open("wb") as file:
        for number in range(records // 2):
            text = f"{dice.choice(PERSONAL if number % 50 == 0 else TEXTS)} Order {number % 1000}."
            at_ns, identity = NOON_NS + number * 10**7, f"{number:024x}"
            body = a_body(text=text, user=f"user-{number % 500}")
            file.write(
                gor(http_request(body, fields="Accept: */*\r\nUser-Agent: app/7\r\n"), identity=identity, at_ns=at_ns)
            )
            answer = http_reply(reply, content_type=content_type)
            file.write(gor(answer, kind=2, identity=identity, at_ns=at_ns + 85 * 10**7, latency_ns=10**8))


def by_import(path: Path, folder: Path) -> int:
    """Everything that the command does: read, sanitise, write, scan, publish."""
    keys = KeyRing(folder / "keys")
    references = EncryptedBlobStore(folder / "audio", keys)
    sanitiser = CallSanitiser(Sanitiser(Policy.MASK, keys, references=references, clock=SystemClock()))
    records = read_files([path], Format.AUTO, None)
    return import_captures(records, folder / "out.jsonl.zst", sanitiser, references, replace_out=True).read


def by_find(path: Path, _: Path) -> int:
    """Only where records end, in the same pieces."""
    count, rest = 0, b""
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            rest += piece
            start = 0
            while (end := rest.find(SEPARATOR, start)) >= 0:
                count, start = count + 1, end + len(SEPARATOR)
            rest = rest[start:]
    return count


def by_find_and_json(path: Path, _: Path) -> int:
    """… and the JSON of every request parsed."""
    count, rest = 0, b""
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            rest += piece
            start = 0
            while (end := rest.find(SEPARATOR, start)) >= 0:
                if rest[start : start + 2] == b"1 ":
                    json.loads(rest[rest.find(b"\r\n\r\n", start) + 4 : end])
                count, start = count + 1, end + len(SEPARATOR)
            rest = rest[start:]
    return count


READERS: dict[str, Callable[[Path, Path], int]] = {
    "bytes.find": by_find,
    "bytes.find + json": by_find_and_json,
    "cutover import": by_import,
}


def timed(read: Callable[[Path, Path], int], path: Path, folder: Path, expected: int) -> Cost:
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    count = read(path, folder)
    if count != expected:
        raise SystemExit(f"{read.__name__} found {count} records of {expected}")
    return Cost(time.process_time() - cpu_s, time.perf_counter() - wall_s)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    shapes = {"JSON replies": (b'{"ok": true}', "application/json"), "WAV replies of 1 s": (a_wav(1.0), "audio/wav")}
    slowest_hz = math.inf
    for shape, (reply, content_type) in shapes.items():
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "traffic_0.gor"
            make(path, options.records, reply, content_type)
            print(f"{shape}: {options.records:,} records, {path.stat().st_size / 1e6:,.0f} MB, {options.rounds} rounds")
            slowest_hz = min(slowest_hz, compare(path, Path(name), options.records, options.rounds))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    verdict = "met" if slowest_hz >= GOAL_HZ else "missed"
    print(f"peak memory {peak_mb:.0f} MB; goal {GOAL_HZ:,} records/s of CPU, for both: {verdict}")
    return int(slowest_hz < GOAL_HZ)


def compare(path: Path, folder: Path, records: int, rounds: int) -> float:
    """Records a second of CPU by the import."""
    costs: dict[str, list[Cost]] = {name: [] for name in READERS}
    for _ in range(rounds):
        for name, read in READERS.items():
            costs[name].append(timed(read, path, folder, records))
    for name, all_costs in costs.items():
        cpu_s = statistics.median(cost.cpu_s for cost in all_costs)
        wall_s = statistics.median(cost.wall_s for cost in all_costs)
        print(
            f"  {name:18} {cpu_s / records * 1e6:7.1f} us CPU a record, {records / cpu_s:9,.0f}/s CPU, "
            f"{records / wall_s:9,.0f}/s wall"
        )
    return records / statistics.median(cost.cpu_s for cost in costs["cutover import"])


if __name__ == "__main__":
    sys.exit(main())
