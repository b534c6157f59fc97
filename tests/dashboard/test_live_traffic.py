from datetime import UTC, datetime, timedelta
from pathlib import Path

from dashboard.live_traffic import COUNTS, LiveTraffic
from harness.errors import ErrorKind
from harness.rollout.places import spool_folder
from harness.rollout.spool import Spool
from harness.routing.breakers import BreakerChange
from tests.dashboard.a_rollout import some_traffic
from tests.harness.rollout.a_rollout import an_outcome

NOW = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)


def test_each_minute_and_lane_is_one_row(tmp_path: Path) -> None:
    some_traffic(tmp_path, NOW, minutes=3, failing=1)

    frame = LiveTraffic(spool_folder(tmp_path), now=NOW).frame(NOW)

    assert frame.height == 6
    qwen = frame.filter(lane="candidate").sort("minute")
    assert qwen["calls"].to_list() == [10, 10, 10]
    assert qwen["failed"].to_list() == [0, 0, 10]
    assert qwen["saved"].to_list() == [0, 0, 10]
    assert qwen["lost"].sum() == 0
    assert frame.filter(lane="control")["microusd"].sum() == 30 * 4_000


def test_what_is_new_is_added_and_nothing_counts_twice(tmp_path: Path) -> None:
    some_traffic(tmp_path, NOW, minutes=2)
    traffic = LiveTraffic(spool_folder(tmp_path), now=NOW)

    before = [traffic.frame(NOW)["calls"].sum() for _ in range(3)]
    some_traffic(tmp_path, NOW, minutes=1)

    assert before == [40, 40, 40]
    assert traffic.frame(NOW)["calls"].sum() == 60


def test_what_is_older_than_a_day_is_forgotten(tmp_path: Path) -> None:
    some_traffic(tmp_path, NOW - timedelta(days=3), minutes=1)
    some_traffic(tmp_path, NOW - timedelta(hours=23), minutes=1)
    traffic = LiveTraffic(spool_folder(tmp_path), now=NOW)

    assert traffic.frame(NOW)["calls"].sum() == 20
    assert traffic.frame(NOW + timedelta(hours=2)).is_empty()
    assert traffic._cells == {}


def test_each_kind_of_trouble_is_counted_apart(tmp_path: Path) -> None:
    spool, at_s = Spool(spool_folder(tmp_path)), NOW.timestamp()
    spool.append(an_outcome(at_s, kind=ErrorKind.RATE_LIMITED, caller_failed=True, change=BreakerChange.OPENED))
    spool.append(an_outcome(at_s, slow=True, microusd=None))
    spool.append(an_outcome(at_s, caller_failed=None))
    spool.close()

    (row,) = LiveTraffic(spool_folder(tmp_path), now=NOW).frame(NOW).iter_rows(named=True)

    counts = {name: row[name] for name in COUNTS if name != "microusd"}
    assert counts == {
        "calls": 3,
        "failed": 1,
        "limited": 1,
        "slow": 1,
        "troubles": 0,
        "openings": 1,
        "callers": 2,
        "lost": 1,
        "saved": 0,
        "unpriced": 1,
    }


def test_no_spool_is_no_traffic(tmp_path: Path) -> None:
    assert LiveTraffic(tmp_path / "none", now=NOW).frame(NOW).is_empty()
