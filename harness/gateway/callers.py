"""Who is calling: an API key or a JWT becomes a `Caller`, whose key is safe to log and owns what the caller made.

What a caller may ask for is in limits.py.
"""

import hmac
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from harness.capturing.identities import Pseudonyms
from harness.clock import Clock
from harness.config import LimitSettings, Settings
from harness.flags.watched import WatchedFile
from harness.gateway.caller_file import KEY_PREFIX, CallerBook, hash_key, parse_callers
from harness.gateway.jwks import Jwks
from harness.gateway.refusals import Refused
from harness.gateway.tokens import InvalidToken, Tokens, open_tokens

__all__ = ["Caller", "Callers", "caller_key", "callers_path", "open_callers"]

log = logging.getLogger(__name__)

_BEARER: Final = "bearer "
_SUBJECT: Final = "token:"  # before the subject of a token; names in the file have no colon, so the two never meet


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody who may call."""

    key: str  # keyed hash, see `caller_key`: safe to log, and what voices and captures belong to
    name: str  # as the file or the token says it; for people who administer, never for logs
    limits: LimitSettings


class Callers:
    """Knows everybody by what they show. A file that changes is seen within `poll_s`.

    A file that is broken leaves the callers known before, since keys only leave it through our own hands; one that is
    missing leaves nobody.
    """

    def __init__(
        self,
        path: Path,
        *,
        limits: LimitSettings,
        identity_key: bytes,
        clock: Clock,
        tokens: Tokens | None = None,
        poll_s: float = 0.5,
    ) -> None:
        """Know the callers in a file.

        Args:
            path: The file of callers; need not exist.
            limits: Of callers who have none of their own.
            identity_key: What names are hashed with.
            clock: Says when to look at the file again.
            tokens: Checks JWTs; None: none are accepted.
            poll_s: Seconds between two looks at the file.
        """
        self.path = path
        self._limits = limits
        self._identity_key = identity_key
        self._tokens = tokens
        self._book = CallerBook()
        self._file = WatchedFile(path, parse=self._parse, fail_safe=self._unusable, clock=clock, poll_s=poll_s)

    def identify(self, headers: Mapping[str, str]) -> Caller:
        """The caller who sent these headers.

        Raises:
            Refused: 401, and no word about what was wrong with the key.
        """
        value = headers.get("Authorization") or headers.get("authorization") or ""
        if value[: len(_BEARER)].lower() != _BEARER:
            raise _refused("no key was sent; send it as `Authorization: Bearer KEY`")
        shown = value[len(_BEARER) :].strip()
        return self._by_key(shown) if shown.startswith(KEY_PREFIX) else self._by_token(shown)

    def _by_key(self, key: str) -> Caller:
        book = self._file.current()
        digest = hash_key(key)
        found = book.by_hash.get(digest)
        # The table is searched by the hash, which tells a guesser nothing about the key; the match is then compared
        # in constant time, so that no length of a common prefix of two hashes shows either.
        if found is None or not hmac.compare_digest(found.sha256, digest):
            raise _refused("this key is not known")
        return self._caller(found.caller, found.caller, book.limits.get(found.caller, self._limits))

    def _by_token(self, token: str) -> Caller:
        if self._tokens is None:
            raise _refused("this key is not known")
        try:
            subject = self._tokens.subject(token)
        except InvalidToken as error:
            log.info("token refused", extra={"reason": str(error)})
            raise _refused("this token is not accepted") from None
        # Whoever issues tokens cannot become a caller of the file, nor one whose pseudonym was seen in a log.
        return self._caller(_SUBJECT + subject, subject, self._limits)

    def _caller(self, user: str, name: str, limits: LimitSettings) -> Caller:
        return Caller(key=caller_key(self._identity_key, user), name=name, limits=limits)

    def _parse(self, content: bytes) -> CallerBook:
        self._book = parse_callers(content, name=str(self.path), base=self._limits)
        log.info("callers changed", extra={"keys": len(self._book.keys)})
        return self._book

    def _unusable(self, problem: str) -> CallerBook:
        if not self.path.exists():
            self._book = CallerBook()
        log.error("file of callers unusable", extra={"problem": problem, "keys": len(self._book.keys)})
        return self._book


@lru_cache(maxsize=10_000)  # asked for at each request, of few callers
def caller_key(identity_key: bytes, user: str) -> str:
    """What stands for a caller everywhere: the pseudonym that captures give users, so that a purge by name finds them.

    Args:
        identity_key: What names are hashed with.
        user: The name in the file of callers, or `token:` and the subject of a token; `cutover capture purge --user`
            takes the same.
    """
    return Pseudonyms(identity_key).of("user", user)


def _refused(message: str) -> Refused:
    return Refused(401, "invalid_api_key", message)


def callers_path(settings: Settings) -> Path:
    """Where the file of callers lies."""
    return settings.gateway.callers or settings.home / "gateway" / "callers.toml"


@asynccontextmanager
async def open_callers(settings: Settings, *, identity_key: bytes, clock: Clock) -> AsyncIterator[Callers]:
    """Everybody whom the settings let in; keys of token issuers are fetched until the end of the block.

    Raises:
        ConfigError: A key or address is unusable; names the variable.
    """
    async with AsyncExitStack() as stack:
        gateway = settings.gateway
        jwks = None
        if gateway.jwt_jwks_url:
            jwks = Jwks(gateway.jwt_jwks_url, allow_hosts=settings.allow_hosts, clock=clock)
            await stack.enter_async_context(jwks.kept())
        tokens = open_tokens(gateway, clock=clock, find_key=jwks.find if jwks else None)
        path = callers_path(settings)
        yield Callers(path, limits=gateway.limits, identity_key=identity_key, clock=clock, tokens=tokens)
