import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.routing.bucket import bucket_of, is_sampled, unit_of
from harness.speech import Voice, VoiceKind
from tests.builders import a_voice

SHARES = st.integers(0, 10_000)
IDS = st.text(max_size=30)


@pytest.mark.parametrize(
    ("salt", "unit_id", "bucket"),
    [
        # 4318343588925260469 is the hash of cutover-1:voice-anna; times 10,000 by 2 to the 64th is 2340.9.
        pytest.param("cutover-1", "voice-anna", 2340, id="a voice"),
        pytest.param("cutover-1", "hmac:user-1", 1600, id="a user, whose id holds a colon"),
        pytest.param("cutover-2", "voice-anna", 2098, id="another salt"),
        pytest.param("cutover-1", "声音", 3358, id="beyond ASCII"),
        pytest.param("cutover-1", "\ud800", 5244, id="a lone surrogate, as JSON lets through"),
    ],
)
def test_buckets_are_frozen(salt: str, unit_id: str, bucket: int) -> None:
    assert bucket_of(salt, unit_id) == bucket


@given(IDS, IDS, SHARES, SHARES)
def test_growing_a_share_never_moves_anybody_back(salt: str, unit_id: str, one: int, other: int) -> None:
    bucket = bucket_of(salt, unit_id)

    assert 0 <= bucket < 10_000
    assert not (bucket < min(one, other) and bucket >= max(one, other))
    assert (bucket < 10_000, bucket < 0) == (True, False)


@given(st.lists(IDS, unique=True, max_size=50), SHARES, SHARES)
def test_a_smaller_share_is_part_of_a_larger_one(units: list[str], one: int, other: int) -> None:
    small, large = sorted((one, other))

    within = {unit for unit in units if bucket_of("s", unit) < small}

    assert within <= {unit for unit in units if bucket_of("s", unit) < large}


@pytest.mark.parametrize("share_bp", [100, 500, 2_500, 5_000])
def test_a_share_holds_about_that_many(share_bp: int) -> None:
    units = 20_000

    held = sum(bucket_of("cutover-1", f"user-{number}") < share_bp for number in range(units))

    expected = units * share_bp / 10_000
    assert abs(held - expected) < 4 * expected**0.5


def test_another_salt_deals_everybody_anew() -> None:
    both = sum(bucket_of("a", str(n)) < 5_000 and bucket_of("b", str(n)) < 5_000 for n in range(10_000))

    assert abs(both - 2_500) < 200


@pytest.mark.parametrize(
    ("voice", "user_key", "unit"),
    [
        pytest.param(a_voice(VoiceKind.CLONE), "u", "voice-anna", id="a cloned voice goes as one"),
        pytest.param(a_voice(VoiceKind.DESIGN), "u", "voice-narrator", id="a designed voice as well"),
        pytest.param(a_voice(VoiceKind.PRESET), "u", "u", id="a preset is everybody's, so its user counts"),
        pytest.param(None, "u", "u", id="no voice"),
        pytest.param(a_voice(VoiceKind.PRESET), None, None, id="a preset without user"),
        pytest.param(a_voice(VoiceKind.CLONE, id=""), "u", "u", id="a voice without name"),
        pytest.param(None, "", None, id="an empty user is none"),
        pytest.param(None, None, None, id="nothing at all"),
    ],
)
def test_what_is_assigned_as_one(voice: Voice | None, user_key: str | None, unit: str | None) -> None:
    assert unit_of(voice, user_key) == unit


def test_copies_are_drawn_apart_from_buckets() -> None:
    copied = {n for n in range(10_000) if is_sampled("s", str(n), 5_000)}
    in_share = {n for n in range(10_000) if bucket_of("s", str(n)) < 5_000}

    assert abs(len(copied & in_share) - 2_500) < 200
    assert not any(is_sampled("s", str(n), 0) for n in range(1_000))
    assert all(is_sampled("s", str(n), 10_000) for n in range(1_000))
