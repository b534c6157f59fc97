"""Tell a verdict where people look: a webhook, or one comment on a pull request that each verdict replaces.

Only hosts named in a setting are reached, through the one guarded way out, and a token goes to its own origin alone.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

from yarl import URL

from harness.clock import Clock
from harness.config import Settings
from harness.errors import ConfigError, HarnessError, UsageError
from harness.providers.addresses import Addresses
from harness.providers.base import Deadline
from harness.providers.door import Door, Fault, Limits, Reply, secret_header

__all__ = ["NotTold", "PullRequest", "comment", "notify"]

_LIMITS: Final = Limits(connect_timeout_s=10.0, read_timeout_s=30.0, max_reply_bytes=8_000_000)
_DEADLINE_S: Final = 60.0
_PAGE: Final = 100  # comments a page, the most GitHub gives
_MOST_PAGES: Final = 30
_WEBHOOK_CHARS: Final = 30_000  # chat services cut or refuse longer ones
_PLACE: Final = re.compile(r"(?P<owner>[A-Za-z0-9-]+)/(?P<repo>[A-Za-z0-9._-]+)#(?P<number>[1-9][0-9]*)")


class NotTold(HarnessError):
    """A notice did not arrive; the verdict is not touched by it."""

    exit_status = 4


class PullRequest(NamedTuple):
    """Where a comment goes."""

    owner: str
    repo: str
    number: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """`owner/repository#number`.

        Raises:
            UsageError: It is written otherwise.
        """
        found = _PLACE.fullmatch(text)
        if found is None:
            raise UsageError(f"--comment {text}: write OWNER/REPOSITORY#NUMBER")
        return cls(**found.groupdict())


async def notify(settings: Settings, markdown: str, facts: Mapping[str, Any], *, clock: Clock) -> bool:
    """POST the verdict to the webhook as JSON with `text` and `facts`; False when none is set.

    Raises:
        ConfigError: Its host is not on the list.
        NotTold: It did not take it.
    """
    address = settings.nightly.webhook
    if address is None or not address.get_secret_value():  # a CI hands an unset secret on as an empty one
        return False
    url = _allowed(settings, address.get_secret_value(), "CUTOVER_NIGHTLY__WEBHOOK")
    text = markdown if len(markdown) <= _WEBHOOK_CHARS else markdown[:_WEBHOOK_CHARS] + "\n…"
    async with _door(settings, url, {}, clock) as door:
        await _ask(door, "POST", url, clock, {"text": text, **facts})
    return True


async def comment(settings: Settings, place: PullRequest, markdown: str, *, mark: str, clock: Clock) -> str:
    """Write the comment that holds `mark`, or a new one; the address of the comment.

    Raises:
        ConfigError: There is no token, or the host is not on the list.
        NotTold: GitHub did not take it.
    """
    token = settings.nightly.github_token
    if token is None or not token.get_secret_value():
        raise ConfigError("CUTOVER_NIGHTLY__GITHUB_TOKEN is not set; a comment needs a token that may write to issues")
    base = _allowed(settings, settings.nightly.github_api, "CUTOVER_NIGHTLY__GITHUB_API")
    issues = base / "repos" / place.owner / place.repo / "issues"
    secrets = {"Authorization": f"Bearer {secret_header(token, 'CUTOVER_NIGHTLY__GITHUB_TOKEN')}"}
    async with _door(settings, base, secrets, clock) as door:
        known = await _find(door, issues / place.number / "comments", mark, clock)
        method, url = (
            ("POST", issues / place.number / "comments") if known is None else ("PATCH", issues / "comments" / known)
        )
        written = await _ask(door, method, url, clock, {"body": markdown})
    return str(written.get("html_url", "")) if isinstance(written, dict) else ""


async def _find(door: Door, comments: URL, mark: str, clock: Clock) -> str | None:
    """The id of our own comment."""
    for page in range(1, _MOST_PAGES + 1):
        found = await _ask(door, "GET", comments.with_query(per_page=_PAGE, page=page), clock)
        if not isinstance(found, list):
            return None
        for each in found:
            if isinstance(each, dict) and mark in str(each.get("body")):
                return str(each["id"])
        if len(found) < _PAGE:
            return None
    return None


async def _ask(door: Door, method: str, url: URL, clock: Clock, body: Mapping[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
    headers = {"Accept": "application/json"}
    reply = await door.send(method, url, deadline=Deadline(clock, _DEADLINE_S), body=data, keyed=True, headers=headers)
    # The address itself stays out of the message: a webhook's path is its password.
    if isinstance(reply, Fault):
        raise NotTold(f"{url.host} was not reached ({reply.detail}); the verdict stands, tell it again later")
    if not 200 <= reply.status < 300:
        raise NotTold(f"{url.host} answered {reply.status}; the verdict stands, check the address and the token")
    return _json(reply)


def _json(reply: Reply) -> Any:
    try:
        return json.loads(reply.body) if reply.body else None
    except ValueError:
        return None  # a webhook may answer "ok"


def _allowed(settings: Settings, address: str, variable: str) -> URL:
    """The address, if its host is one that may be told."""
    try:
        url = URL(address)
    except ValueError:
        url = URL()
    if url.host is None:
        raise ConfigError(f"{variable} is no web address; write https://HOST/PATH")
    hosts = {host.strip() for host in settings.nightly.notify_hosts.split(",")}
    if url.host not in hosts:
        raise ConfigError(f"{variable}: {url.host} may not be told; add it to CUTOVER_NIGHTLY__NOTIFY_HOSTS if it may")
    return url


def _door(settings: Settings, url: URL, secrets: Mapping[str, str], clock: Clock) -> Door:
    addresses = Addresses(origin=url, hosts=None, allow_hosts=settings.allow_hosts)
    return Door(origin=url, addresses=addresses, secrets=secrets, limits=_LIMITS, clock=clock)
