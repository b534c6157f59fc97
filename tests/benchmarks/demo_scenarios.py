"""Every scenario of the demo with several seeds, and whether its verdict is the one that the scenario deserves.

    python -m tests.benchmarks.demo_scenarios [SEED ...]        (default: 1 2 3 4)

Runs `cutover demo` as a person would, one after another, each in a home of its own; about two minutes a run.
"""

import os
import re
import subprocess
import sys
import tempfile
import time

EXPECTED = {"healthy": 0, "slow": 1, "flaky": 1, "degraded": 1, "costly": 1}
FEW = ["--limit", "20"]


def run(scenario: str, seed: int, *options: str) -> tuple[int, float, str]:
    """Exit status, seconds, and the verdict's first line."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "harness.cli", "demo", "--scenario", scenario, "--seed", str(seed)]
        began = time.monotonic()
        result = subprocess.run(
            [*command, "--no-dashboard", *options],
            env={**os.environ, "CUTOVER_HOME": home},
            capture_output=True,
            text=True,
            timeout=900,
        )
        found = re.search(r"^(GO|NO-GO|INCONCLUSIVE|INVALID).*$", result.stdout, re.MULTILINE)
        return result.returncode, time.monotonic() - began, found[0] if found else result.stderr[-300:]


def main() -> int:
    seeds = [int(seed) for seed in sys.argv[1:]] or [1, 2, 3, 4]
    plan = [(scenario, seed, expected, []) for seed in seeds for scenario, expected in EXPECTED.items()]
    plan += [("healthy", seed, 3, FEW) for seed in seeds]
    wrong = 0
    for scenario, seed, expected, options in plan:
        status, seconds, line = run(scenario, seed, *options)
        wrong += status != expected
        mark = "as it should" if status == expected else f"WRONG, expected {expected}"
        name = " ".join([scenario, f"seed {seed}", *options])
        print(f"{name:28} exit {status} {mark:14} {seconds:4.0f} s  {line[:120]}", flush=True)
    print(f"{len(plan) - wrong} of {len(plan)} verdicts as they should be")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
