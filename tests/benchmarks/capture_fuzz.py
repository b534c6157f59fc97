"""Damaged capture files without end, for the night.

Among them bombs that unfold to a gigabyte and records of 100 MB, one in every 500 inputs.

`python -m tests.benchmarks.capture_fuzz --inputs 100000 --seed 1` reads mutated files of every format and ends with
status 1 at the first that breaks a promise of tests/fuzzed.py, naming the seed that brings it back.
"""

import argparse
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzzed import Trial, documents, giants, mutated

A_ROUND = 1_000
A_GIANT_EVERY = 500
MAX_GROWTH_MB = 64


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return fuzz(Trial(Path(folder)), options.inputs, options.seed)


def fuzz(trial: Trial, inputs: int, seed: int) -> int:
    intact, huge = documents(), giants()
    for giant in huge:  # before anything is measured: a record of 32 MiB may be held
        trial.read_giant(giant)
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    warm_mb = 0.0
    for number in range(inputs):
        dice = random.Random(f"{seed}/{number}")
        try:
            trial.read(mutated(dice, dice.choice(intact)), detect=number % 4 == 0)
        except Exception:
            print(f"input {number} of seed {seed} broke a promise", file=sys.stderr)
            raise
        if number % A_GIANT_EVERY == 0:
            trial.read_giant(dice.choice(huge))
        if number + 1 == A_ROUND:
            warm_mb = peak_mb()
    growth_mb = peak_mb() - warm_mb if inputs > A_ROUND else 0.0
    print(f"inputs {inputs}, seed {seed}: {dict(sorted(trial.outcomes.items()))}")
    print(f"wall {time.perf_counter() - began_s:.1f} s, CPU {time.process_time() - began_cpu_s:.1f} s")
    print(f"peak memory {peak_mb():.0f} MB, grew by {growth_mb:.0f} MB after the first {A_ROUND} inputs")
    return int(growth_mb > MAX_GROWTH_MB)


if __name__ == "__main__":
    sys.exit(main())
