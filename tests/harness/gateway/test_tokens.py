import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from harness.clock import FakeClock
from harness.config import GatewaySettings
from harness.errors import ConfigError
from harness.gateway.tokens import InvalidToken, Tokens, open_tokens
from tests.canaries import JWT_SECRET

SECRET = JWT_SECRET.encode()
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def claims(clock: FakeClock, **changes: Any) -> dict[str, Any]:
    base = {"sub": "app", "exp": clock.now().timestamp() + 60, "aud": "cutover", "iss": "us"}
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


def rs256(clock: FakeClock) -> Tokens:
    return Tokens(clock=clock, find_key=lambda _: RSA.public_key(), audience="cutover", issuer="us")


def hs256(clock: FakeClock) -> Tokens:
    return Tokens(clock=clock, secret=SECRET, audience="cutover", issuer="us")


def test_a_token_says_whose_it_is(clock: FakeClock) -> None:
    assert hs256(clock).subject(jwt.encode(claims(clock), SECRET, "HS256")) == "app"
    assert rs256(clock).subject(jwt.encode(claims(clock), RSA, "RS256")) == "app"


def _by_hand(header: dict[str, Any], body: dict[str, Any], key: bytes) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, body)]
    signature = hmac.new(key, b".".join(parts), hashlib.sha256).digest()
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def test_the_public_key_is_no_secret_to_sign_with(clock: FakeClock) -> None:
    forged = _by_hand({"alg": "HS256", "typ": "JWT"}, claims(clock), PEM)
    both = Tokens(clock=clock, secret=SECRET, find_key=lambda _: RSA.public_key(), audience="cutover", issuer="us")

    for tokens in (rs256(clock), both):
        with pytest.raises(InvalidToken):
            tokens.subject(forged)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "HS384", "ES256", "", None, 7, ["RS256"]])
def test_no_other_algorithm_is_accepted(clock: FakeClock, algorithm: object) -> None:
    token = _by_hand({"alg": algorithm}, claims(clock), SECRET)

    with pytest.raises(InvalidToken):
        hs256(clock).subject(token)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"aud": "others"}, id="meant for others"),
        pytest.param({"aud": None}, id="meant for nobody"),
        pytest.param({"iss": "them"}, id="made by others"),
        pytest.param({"iss": None}, id="made by nobody"),
        pytest.param({"exp": None}, id="never expires"),
        pytest.param({"exp": 1}, id="expired"),
        pytest.param({"exp": "soon"}, id="expires at a word"),
        pytest.param({"exp": True}, id="expires at a truth"),
        pytest.param({"nbf": 9e9}, id="not valid yet"),
        pytest.param({"iat": 9e9}, id="made in the future"),
        pytest.param({"sub": None}, id="nobody's"),
        pytest.param({"sub": ""}, id="of an empty name"),
        pytest.param({"sub": "a\nb"}, id="of two lines"),
        pytest.param({"sub": "x" * 201}, id="of a long name"),
    ],
)
def test_a_token_that_proves_nothing_is_refused(clock: FakeClock, changes: dict[str, Any]) -> None:
    token = _by_hand({"alg": "HS256"}, claims(clock, **changes), SECRET)

    with pytest.raises(InvalidToken):
        hs256(clock).subject(token)


def test_a_token_expires_by_our_clock(clock: FakeClock) -> None:
    token = jwt.encode(claims(clock), SECRET, "HS256")

    clock.advance(60 + 29)
    assert hs256(clock).subject(token) == "app"
    clock.advance(2)

    with pytest.raises(InvalidToken, match="expired"):
        hs256(clock).subject(token)


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c", "." * 3, "x" * 9_000, "e30.e30.", "\ud800.a.b", "é.é.é"])
def test_nonsense_is_no_token(clock: FakeClock, token: str) -> None:
    with pytest.raises(InvalidToken):
        hs256(clock).subject(token)


def test_settings_without_a_key_accept_no_tokens(clock: FakeClock) -> None:
    assert open_tokens(GatewaySettings(), clock=clock) is None


def test_a_key_file_is_read(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "key.pem").write_bytes(PEM)
    settings = GatewaySettings(jwt_public_key=tmp_path / "key.pem", jwt_audience="cutover", jwt_issuer="us")

    tokens = open_tokens(settings, clock=clock)

    assert tokens is not None
    assert tokens.subject(jwt.encode(claims(clock), RSA, "RS256")) == "app"


def test_weak_keys_stop_the_start(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "key.pem"
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    path.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    with pytest.raises(ConfigError, match="no RSA key"):
        open_tokens(GatewaySettings(jwt_public_key=path), clock=clock)
    path.write_text("hello")
    with pytest.raises(ConfigError, match="no public key in PEM"):
        open_tokens(GatewaySettings(jwt_public_key=path), clock=clock)
    with pytest.raises(ConfigError, match="JWT_PUBLIC_KEY"):
        open_tokens(GatewaySettings(jwt_public_key=tmp_path / "none"), clock=clock)
    with pytest.raises(ConfigError, match="shorter than 32"):
        open_tokens(GatewaySettings(jwt_secret=SecretStr("short")), clock=clock)
