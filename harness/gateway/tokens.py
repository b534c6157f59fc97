"""Callers by JWT: whose token it is, or why it is none of ours.

The algorithm is chosen by the kind of key that was configured and never by the token alone: a public RSA key is no
secret for HS256 (the classic confusion), and `none` is no algorithm.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from harness.clock import Clock
from harness.config import GatewaySettings
from harness.errors import ConfigError

__all__ = ["InvalidToken", "KeyFinder", "Tokens", "open_tokens"]

_LEEWAY: Final = timedelta(seconds=30)  # clocks of two machines
_MIN_SECRET_BYTES: Final = 32  # RFC 7518 3.2: no shorter than the hash
_MIN_RSA_BITS: Final = 2048  # RFC 7518 3.3
_MAX_TOKEN_CHARS: Final = 8_192

KeyFinder = Callable[[str | None], RSAPublicKey | None]  # gets the token's key id


class InvalidToken(Exception):
    """A token proves nothing; the message is for our log, never for the caller."""


class Tokens:
    """Checks tokens of one issuer."""

    def __init__(
        self,
        *,
        clock: Clock,
        secret: bytes | None = None,
        find_key: KeyFinder | None = None,
        audience: str | None = None,
        issuer: str | None = None,
    ) -> None:
        """Accept what these keys sign.

        Args:
            clock: Decides what has expired.
            secret: For HS256.
            find_key: For RS256.
            audience: Whom tokens must be meant for; None: a token that names an audience is refused.
            issuer: Who must have made them; None: anybody with the key.
        """
        self._clock = clock
        self._secret = secret
        self._find_key = find_key
        self._audience = audience
        self._issuer = issuer

    def subject(self, token: str) -> str:
        """Whose token it is.

        Raises:
            InvalidToken: It is malformed, signed by another key, expired, or for somebody else; says why.
        """
        if len(token) > _MAX_TOKEN_CHARS:
            raise InvalidToken("the token is too long")
        try:
            header = jwt.get_unverified_header(token)
            algorithm = header.get("alg")
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key(algorithm, header.get("kid")),
                algorithms=[str(algorithm)],
                audience=self._audience,
                issuer=self._issuer,
                # Times are checked against our own clock below.
                options={"require": ["exp", "sub"], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise InvalidToken(f"{type(error).__name__}: {error}") from None
        self._check_times(claims)
        return _subject(claims)

    def _key(self, algorithm: object, key_id: object) -> bytes | RSAPublicKey:
        if algorithm == "HS256" and self._secret is not None:
            return self._secret
        if algorithm == "RS256" and self._find_key is not None:
            key = self._find_key(key_id if isinstance(key_id, str) else None)
            if key is None:
                raise InvalidToken("no known key has the id that the token names")
            return key
        raise InvalidToken("no key is configured for the algorithm that the token names")

    def _check_times(self, claims: dict[str, Any]) -> None:
        now_s, leeway_s = self._clock.now().timestamp(), _LEEWAY.total_seconds()
        times = {name: claims[name] for name in ("exp", "nbf", "iat") if name in claims}
        if any(isinstance(at_s, bool) or not isinstance(at_s, int | float) for at_s in times.values()):
            raise InvalidToken("a time in the token is no number")
        if not now_s - leeway_s < times["exp"]:
            raise InvalidToken("the token has expired")
        if any(not times.get(name, now_s) <= now_s + leeway_s for name in ("nbf", "iat")):
            raise InvalidToken("the token is not valid yet")


def _subject(claims: dict[str, Any]) -> str:
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= 200 or not subject.isprintable():
        raise InvalidToken("the subject is no name")
    return subject


def open_tokens(settings: GatewaySettings, *, clock: Clock, find_key: KeyFinder | None = None) -> Tokens | None:
    """The tokens that the settings accept; None when they name no key.

    Args:
        settings: Of the gateway.
        clock: Decides what has expired.
        find_key: Keys from a JWKS address; goes before a key file.

    Raises:
        ConfigError: A key is too weak, or its file is none.
    """
    secret = settings.jwt_secret.get_secret_value().encode() if settings.jwt_secret else None
    if secret is not None and len(secret) < _MIN_SECRET_BYTES:
        raise ConfigError(
            f"CUTOVER_GATEWAY__JWT_SECRET: is shorter than {_MIN_SECRET_BYTES} bytes; "
            "make one with: openssl rand -hex 32"
        )
    if find_key is None and settings.jwt_public_key is not None:
        key = _read_key(settings.jwt_public_key)
        find_key = lambda _: key  # noqa: E731 - one file, one key, whatever id a token names
    if secret is None and find_key is None:
        return None
    return Tokens(
        clock=clock,
        secret=secret,
        find_key=find_key,
        audience=settings.jwt_audience,
        issuer=settings.jwt_issuer,
    )


def _read_key(path: Path) -> RSAPublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; CUTOVER_GATEWAY__JWT_PUBLIC_KEY names the key file") from None
    except ValueError:
        raise ConfigError(f"{path}: holds no public key in PEM form") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < _MIN_RSA_BITS:
        raise ConfigError(f"{path}: is no RSA key of at least {_MIN_RSA_BITS} bits; RS256 needs one")
    return key
