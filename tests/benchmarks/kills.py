"""Real kill -9 at random moments over replay, extraction and verdict, and what was lost, doubled or refused.

python -m tests.benchmarks.kills [KILLS] [SEED]         (default: 300 1)
"""

import sys
import tempfile
from pathlib import Path

from tests.kills import timed
from tests.standins import running_standins


def main() -> int:
    kills, seed = (int(value) for value in (*sys.argv[1:], *("300", "1")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as home, running_standins(Path(home), "--time-scale", "0.01") as environment:
        aftermath, seconds = timed(environment, kills=kills, seed=seed, captures=60, longest_s=4.0)
    by_command = ", ".join(f"{count} in {command}" for command, count in aftermath.kills.most_common())
    print(
        f"{sum(aftermath.kills.values())} kills ({by_command}) in {seconds:.0f} s: {aftermath.lost} answers lost, "
        f"{aftermath.doubled} calls paid twice, {aftermath.unbooked:.0f} billed and not booked, "
        f"{aftermath.refused} commands refused to go on"
    )
    for problem in aftermath.wrong:
        print(f"  {problem}")
    return int(not aftermath.is_clean)


if __name__ == "__main__":
    sys.exit(main())
