from pathlib import Path

import jwt
import pytest
from pydantic import SecretStr

from harness.capturing.identities import Pseudonyms
from harness.clock import FakeClock
from harness.config import GatewaySettings, LimitSettings, Settings
from harness.errors import UsageError
from harness.gateway.caller_file import add_key, remove_key
from harness.gateway.callers import Caller, Callers, callers_path, open_callers
from harness.gateway.refusals import Refused
from harness.gateway.tokens import Tokens
from tests.builders import NOON
from tests.canaries import JWT_SECRET

SECRET = JWT_SECRET.encode()
IDENTITY = b"i" * 32


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "callers.toml"


def opened(path: Path, clock: FakeClock, tokens: Tokens | None = None) -> Callers:
    return Callers(path, limits=LimitSettings(), identity_key=IDENTITY, clock=clock, tokens=tokens)


def test_whoever_has_a_key_is_known_under_a_name_that_is_safe_to_log(path: Path, clock: FakeClock) -> None:
    _, key = add_key(path, "app", now=NOON)

    caller = opened(path, clock).identify(bearer(key))

    assert caller.name == "app"
    assert caller.key.startswith("hmac:")
    assert "app" not in caller.key
    assert caller.limits == LimitSettings()


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": ""}, {"Authorization": "Basic YTpi"}, bearer(""), bearer("ck-wrong"), bearer("x")]
)
def test_anybody_else_is_answered_401_and_learns_nothing(path: Path, clock: FakeClock, headers: dict[str, str]) -> None:
    add_key(path, "app", now=NOON)

    with pytest.raises(Refused) as refused:
        opened(path, clock).identify(headers)

    assert refused.value.status == 401
    assert "app" not in refused.value.message


def test_two_keys_of_one_caller_are_one_caller_and_a_revoked_one_ends_within_a_second(
    path: Path, clock: FakeClock
) -> None:
    old, old_key = add_key(path, "app", now=NOON)
    callers = opened(path, clock)
    before = callers.identify(bearer(old_key))

    _, new_key = add_key(path, "app", now=NOON)
    remove_key(path, old.id)
    clock.advance(1.0)

    assert callers.identify(bearer(new_key)) == before
    with pytest.raises(Refused):
        callers.identify(bearer(old_key))


def test_a_broken_file_locks_nobody_out_and_a_missing_one_everybody(path: Path, clock: FakeClock) -> None:
    _, key = add_key(path, "app", now=NOON)
    callers = opened(path, clock)

    path.write_text("schema = ")
    clock.advance(1.0)
    assert callers.identify(bearer(key)).name == "app"
    path.unlink()
    clock.advance(1.0)

    with pytest.raises(Refused):
        callers.identify(bearer(key))


def test_a_caller_may_have_limits_of_its_own(path: Path, clock: FakeClock) -> None:
    _, key = add_key(path, "app", now=NOON)
    path.write_text(path.read_text() + "[limits.app]\nvoices_per_day = 1\n")

    assert opened(path, clock).identify(bearer(key)).limits.voices_per_day == 1


def test_a_token_names_its_caller_who_is_never_one_of_the_file(path: Path, clock: FakeClock) -> None:
    _, key = add_key(path, "app", now=NOON)
    callers = opened(path, clock, Tokens(clock=clock, secret=SECRET))
    token = jwt.encode({"sub": "app", "exp": clock.now().timestamp() + 60}, SECRET, "HS256")

    by_token, by_key = callers.identify(bearer(token)), callers.identify(bearer(key))

    assert by_token.name == by_key.name == "app"
    assert by_token.key == Pseudonyms(IDENTITY).of("user", "token:app")
    assert by_key.key == Pseudonyms(IDENTITY).of("user", "app")


@pytest.mark.parametrize("name", ["token:app", "hmac:" + "0" * 32])
def test_no_name_in_the_file_is_one_of_a_token_or_a_pseudonym(path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        add_key(path, name, now=NOON)


def test_a_token_that_names_a_pseudonym_does_not_become_its_owner(path: Path, clock: FakeClock) -> None:
    _, key = add_key(path, "app", now=NOON)
    callers = opened(path, clock, Tokens(clock=clock, secret=SECRET))
    owner = callers.identify(bearer(key))
    token = jwt.encode({"sub": owner.key, "exp": clock.now().timestamp() + 60}, SECRET, "HS256")

    assert callers.identify(bearer(token)).key != owner.key


def test_a_token_nobody_signed_is_answered_401(path: Path, clock: FakeClock) -> None:
    callers = opened(path, clock, Tokens(clock=clock, secret=SECRET))
    token = jwt.encode({"sub": "app", "exp": clock.now().timestamp() + 60}, b"t" * 32, "HS256")

    with pytest.raises(Refused, match="not accepted"):
        callers.identify(bearer(token))


async def test_settings_open_callers_by_file_and_by_secret(tmp_path: Path, clock: FakeClock) -> None:
    settings = Settings(home=tmp_path, gateway=GatewaySettings(jwt_secret=SecretStr(SECRET.decode())))
    _, key = add_key(callers_path(settings), "app", now=NOON)
    token = jwt.encode({"sub": "web", "exp": clock.now().timestamp() + 60}, SECRET, "HS256")

    async with open_callers(settings, identity_key=IDENTITY, clock=clock) as callers:
        found: list[Caller] = [callers.identify(bearer(shown)) for shown in (key, token)]

    assert [caller.name for caller in found] == ["app", "web"]
