import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.rollout.outcomes import to_line
from harness.rollout.spool import Spool, SpoolReader, expire, stored_outcomes
from tests.harness.rollout.a_rollout import an_outcome

MIDNIGHT_S = datetime(2026, 11, 24, tzinfo=UTC).timestamp()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "live"


def written(folder: Path, *times_s: float) -> Spool:
    spool = Spool(folder)
    for at_s in times_s:
        spool.append(an_outcome(at_s))
    return spool


def times(reader: SpoolReader) -> list[float]:
    return [outcome.at_s for outcome in reader.new()]


def test_what_is_appended_is_read_in_order_and_once(folder: Path) -> None:
    spool = written(folder, 1.0, 2.0)
    reader = SpoolReader(folder)

    first = times(reader)
    spool.append(an_outcome(3.0))

    assert (first, times(reader), times(reader)) == ([1.0, 2.0], [3.0], [])
    spool.close()


def test_a_reader_goes_on_where_another_stopped(folder: Path) -> None:
    written(folder, 1.0, 2.0).close()
    first = SpoolReader(folder)
    times(first)
    written(folder, 3.0).close()

    assert times(SpoolReader(folder, first.offsets)) == [3.0]


def test_a_reader_that_stops_half_way_leaves_the_rest(folder: Path) -> None:
    written(folder, 1.0, 2.0, 3.0).close()
    reader = SpoolReader(folder)

    outcomes = reader.new()
    next(outcomes)
    outcomes.close()

    assert times(reader) == [2.0, 3.0]


def test_a_line_without_its_end_waits_for_it(folder: Path) -> None:
    written(folder, 1.0).close()
    (path,) = folder.iterdir()
    line = to_line(an_outcome(2.0))
    reader = SpoolReader(folder)
    times(reader)

    with path.open("ab") as file:
        file.write(line[:9])
        file.flush()
        before = times(reader)
        file.write(line[9:])

    assert (before, times(reader), reader.torn) == ([], [2.0], 0)


def test_a_damaged_line_costs_itself_alone_and_is_counted(folder: Path) -> None:
    written(folder, 1.0).close()
    (path,) = folder.iterdir()
    with path.open("ab") as file:
        file.write(b'[2.0,"p\n')
    written(folder, 3.0).close()

    reader = SpoolReader(folder)

    assert (times(reader), reader.torn) == ([1.0, 3.0], 1)


def test_a_new_day_is_a_new_file_and_late_lines_of_the_old_one_are_not_lost(folder: Path) -> None:
    reader = SpoolReader(folder)
    written(folder, MIDNIGHT_S - 1, MIDNIGHT_S + 1).close()
    first = times(reader)

    written(folder, MIDNIGHT_S - 0.5, MIDNIGHT_S + 2).close()

    assert first == [MIDNIGHT_S - 1, MIDNIGHT_S + 1]
    assert times(reader) == [MIDNIGHT_S - 0.5, MIDNIGHT_S + 2]
    assert len(reader.offsets) == 2


def test_a_reader_that_was_away_for_days_reads_them_all(folder: Path) -> None:
    days = [MIDNIGHT_S + 86_400 * day for day in range(5)]
    written(folder, days[0]).close()
    reader = SpoolReader(folder)
    times(reader)
    written(folder, *days[1:]).close()

    assert times(reader) == days[1:]
    assert sorted(reader.offsets) == ["outcomes-20261127.jsonl", "outcomes-20261128.jsonl"]


def test_a_spool_that_cannot_be_written_counts_what_is_lost_and_raises_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    spool = Spool(tmp_path / "file" / "live")

    spool.append(an_outcome(1.0))
    spool.append(an_outcome(2.0))

    assert spool.lost == 2
    spool.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_costs_lines_and_not_callers(folder: Path) -> None:
    folder.mkdir()
    (folder / "outcomes-19700101.jsonl").symlink_to("/dev/full")

    spool = written(folder, 1.0, 2.0)

    assert spool.lost == 2
    spool.close()


def test_nothing_to_read_is_nothing(folder: Path) -> None:
    assert list(stored_outcomes(folder)) == []


def test_old_days_are_deleted_and_young_ones_stay(folder: Path) -> None:
    written(folder, *(MIDNIGHT_S + 86_400 * day for day in range(4))).close()

    expire(folder, before=datetime(2026, 11, 26, 12, tzinfo=UTC))

    assert sorted(path.name for path in folder.iterdir()) == ["outcomes-20261126.jsonl", "outcomes-20261127.jsonl"]


_WRITE = """
import sys
from pathlib import Path
from harness.rollout.outcomes import LiveOutcome
from harness.rollout.spool import Spool
from harness.exchanges import Lane
from harness.speech import Operation

spool = Spool(Path(sys.argv[1]))
for number in range(500):
    spool.append(LiveOutcome(at_s=float(number), process=sys.argv[2], operation=Operation.CLONE, lane=Lane.CANDIDATE))
assert spool.lost == 0
"""


async def test_lines_of_several_processes_never_mix(folder: Path) -> None:
    async def write(name: str) -> int:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", _WRITE, str(folder), name)
        return await process.wait()

    assert await asyncio.gather(*(write(name) for name in "abc")) == [0, 0, 0]

    reader = SpoolReader(folder)
    seen: dict[str, list[float]] = {}
    for outcome in reader.new():
        seen.setdefault(outcome.process, []).append(outcome.at_s)
    assert reader.torn == 0
    assert seen == {name: [float(number) for number in range(500)] for name in "abc"}
