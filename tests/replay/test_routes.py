from harness.clock import FakeClock
from harness.config import QuotaSettings
from replay.quota import Quota
from replay.routes import Route
from tests.scripted import ScriptedProvider


def test_two_lanes_share_a_route_only_when_it_is_the_same_one() -> None:
    provider, quota = ScriptedProvider("modal", clock=FakeClock()), Quota(QuotaSettings())

    one, other = (Route(provider=provider, quota=quota, region="r", deadline_s=1.0) for _ in range(2))

    assert len({one, other, one}) == 2
