"""What it costs to sanitise a capture and to write it down while it happens, beside encoding it alone.

`python -m tests.benchmarks.recording` prints medians of several rounds in one process. The gateway pays this for
every request that it records, off its event loop.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from harness.capture import capture_to_json
from harness.capturing.keys import KeyRing
from harness.capturing.recorder import CaptureRecorder
from harness.clock import SystemClock
from harness.config import CaptureSettings
from harness.exchanges import Capture
from tests.benchmarks.import_speed import PERSONAL, TEXTS
from tests.builders import a_capture, a_request

Work = Callable[[Capture], object]


def traffic(count: int) -> list[Capture]:
    """One text in fifty holds personal data."""
    texts = [(PERSONAL if number % 50 == 0 else TEXTS)[number % 2] for number in range(count)]
    return [
        a_capture(f"c{number}", request=a_request(f"{text} Order {number}."), user_key=f"user-{number % 500}")
        for number, text in enumerate(texts)
    ]


def cost_us(work: Work, captures: list[Capture]) -> float:
    began_s = time.process_time()
    for capture in captures:
        work(capture)
    return (time.process_time() - began_s) / len(captures) * 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captures", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    captures = traffic(options.captures)
    with tempfile.TemporaryDirectory() as folder:
        recorder = CaptureRecorder(
            Path(folder), CaptureSettings(share_bp=10_000), KeyRing(Path(folder)), clock=SystemClock()
        )
        works: dict[str, Work] = {
            "json.dumps(asdict(…))": lambda capture: json.dumps(asdict(replace(capture)), default=str),
            "capture_to_json": capture_to_json,
            "sanitise": recorder.sanitiser.sanitise,
            "record": recorder.record,
        }
        costs: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(options.rounds):
            for name, work in works.items():
                costs[name].append(cost_us(work, captures))
    for name, all_costs in costs.items():
        print(f"  {name:22} {statistics.median(all_costs):6.1f} us CPU a capture")
    return 0


if __name__ == "__main__":
    sys.exit(main())
