"""Which addresses we may talk to: a URL before it is asked for, and the address it really leads to.

A host name proves nothing, since whoever owns it chooses where it points; so every socket is checked as well.
"""

import errno
import logging
import re
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

from aiohttp import AddrInfoType
from yarl import URL

from harness.errors import ConfigError
from harness.providers.transport import ForbiddenAddress

__all__ = ["Addresses", "base_url"]

log = logging.getLogger(__name__)

_PRINTABLE: Final = re.compile(r"[!-~]+")
_LOCAL: Final = re.compile(r"(localhost|[0-9.]+|\[[0-9a-fA-F:]+\]):([0-9]{1,5})")
_NAT64: Final = IPv6Network("64:ff9b::/96")


class Addresses:
    """The origins and hosts that one provider needs, and stand-ins of this machine that were allowed by name."""

    def __init__(
        self, *, origin: URL, hosts: str | None, allow_hosts: Iterable[str], origins: Iterable[URL] = ()
    ) -> None:
        """Allow these and nothing else.

        Args:
            origin: The provider's API.
            hosts: What the whole name of a host must match to serve audio; None when there is no such host.
            allow_hosts: `host:port` of stand-ins on this machine, reached without encryption.
            origins: More of the provider's API, where it has several addresses.

        Raises:
            ConfigError: `hosts` is no regular expression, or a stand-in is not on this machine.
        """
        self._origins = frozenset(url.origin() for url in (origin, *origins))
        try:
            self._hosts = re.compile(hosts) if hosts else None
        except re.error as error:
            raise ConfigError(f"audio_hosts is not a regular expression: {error}") from None
        self._allowed = frozenset(allow_hosts)
        self._sockets = frozenset(pair for entry in self._allowed for pair in _local_sockets(entry))

    def refusal(self, url: URL) -> str | None:
        """Why `url` must not be asked for; None when it may."""
        try:
            return self._refusal(url)
        except ValueError:  # yarl reads an address bit by bit, and only then finds a port of 99999
            return "it is no web address"

    def _refusal(self, url: URL) -> str | None:
        if url.scheme not in ("http", "https") or not url.raw_host:
            return "it is no web address"
        if url.user is not None or url.password is not None:
            return "it carries a user name"
        if url.authority in self._allowed or f"{url.authority}:{url.port}" in self._allowed:
            return None
        if url.scheme != "https":
            return "it is not encrypted"
        if url.origin() in self._origins or self._serves_audio(url):
            return None
        return "its host is not on the list"

    def audio_url(self, address: str) -> URL | str:
        """The address that a provider gave for its audio, encrypted and checked; or why it is refused."""
        if not _PRINTABLE.fullmatch(address):
            return "it holds characters that no address has"
        try:
            url = URL(address, encoded=True)  # a signature breaks when its query is written differently
            if url.scheme == "http" and url.authority not in self._allowed and url.port in (80, None):
                url = url.with_scheme("https").with_port(None)
        except ValueError:
            return "it is no web address"
        return self.refusal(url) or url

    def open_socket(self, info: AddrInfoType) -> socket.socket:
        """A socket for a resolved address.

        Raises:
            ForbiddenAddress: The address is not public, nor a stand-in that was allowed.
        """
        family, kind, protocol, _, address = info
        host, port = str(address[0]), int(address[1])
        if (host, port) not in self._sockets and not _is_public(host):
            log.error("connection to a forbidden address refused", extra={"address": host, "port": port})
            raise ForbiddenAddress(errno.EACCES, "address is not public")
        return socket.socket(family, kind, protocol)

    def _serves_audio(self, url: URL) -> bool:
        host = url.raw_host or ""
        return self._hosts is not None and url.port == 443 and self._hosts.fullmatch(host) is not None


def base_url(value: str, variable: str, allow_hosts: Iterable[str]) -> URL:
    """The base address in a setting.

    Raises:
        ConfigError: It is no web address, or neither encrypted nor an allowed stand-in; names the variable.
    """
    try:
        url = URL(value.rstrip("/"))
    except ValueError:
        raise ConfigError(f"{variable}: not a web address; write https://host") from None
    if url.scheme not in ("http", "https") or not url.host or url.user or url.query_string or url.fragment:
        raise ConfigError(f"{variable}: not a base address; write https://host, without user name or query")
    if url.scheme == "http" and f"{url.host_subcomponent}:{url.port}" not in allow_hosts:
        raise ConfigError(
            f"{variable}: http:// would send the key unencrypted; write https://, "
            f"or name a stand-in on this machine in CUTOVER_ALLOW_HOSTS={url.host_subcomponent}:{url.port}"
        )
    return url


def _local_sockets(entry: str) -> list[tuple[str, int]]:
    """The (address, port) pairs that `host:port` stands for."""
    match = _LOCAL.fullmatch(entry)
    hosts = ["127.0.0.1", "::1"] if match and match[1] == "localhost" else [match[1].strip("[]")] if match else []
    try:
        if match and all(ip_address(host).is_loopback for host in hosts):
            return [(host, int(match[2])) for host in hosts]
    except ValueError:
        pass  # looks like an address and is none: told below
    raise ConfigError(f"CUTOVER_ALLOW_HOSTS: {entry!r} is not host:port of this machine, such as 127.0.0.1:8101")


def _is_public(host: str) -> bool:
    """Whether an address, and any address wrapped in it, is one of the open internet."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return all(
        each.is_global and not (each.is_multicast or each.is_reserved or each.is_unspecified)
        for each in (_unwrapped(address))
    )


def _unwrapped(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """The address a packet really goes to: IPv6 has four ways to wrap an IPv4 address."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [IPv4Address(int(address) & 0xFFFF_FFFF)]
    if address.sixtofour:
        return [address, address.sixtofour]
    return [address, *(address.teredo or ())]
