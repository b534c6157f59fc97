"""Rules about the network: one door out, no redirect followed by a library, no certificate unchecked."""

import ast
from collections.abc import Iterator
from typing import Final

from harness.security.syntax import Breach, calls, imports, is_constant, keyword, last_name, nodes, written

__all__ = ["followed_redirects", "unchecked_certificates", "ways_out"]

_DOOR: Final = "goes past the guarded door; send it through harness/providers/door.py"
_CALLS: Final = frozenset(
    {
        "ClientSession",
        "TCPConnector",
        "UnixConnector",
        "urlopen",
        "urlretrieve",
        "build_opener",
        "HTTPConnection",
        "HTTPSConnection",
        "create_connection",
        "open_connection",
        "open_unix_connection",
        "create_datagram_endpoint",
        "sock_connect",
        "ws_connect",
    }
)
_SOCKETS: Final = frozenset({"socket.socket", "socket.create_connection"})
_LIBRARIES: Final = frozenset(
    {"requests", "httpx", "urllib3", "websockets", "pycurl", "ftplib", "smtplib", "telnetlib", "dashscope", "openai"}
)
_MODULES: Final = ("urllib.request.", "http.client.")  # names taken out of them; the modules themselves are harmless
_UNCHECKED: Final = frozenset({"ssl._create_unverified_context", "ssl.CERT_NONE", "ssl.CERT_OPTIONAL"})
_OUTDATED: Final = frozenset({"PROTOCOL_TLSv1", "PROTOCOL_TLSv1_1", "PROTOCOL_SSLv23", "PROTOCOL_SSLv3"})


def ways_out(tree: ast.Module) -> Iterator[Breach]:
    """Every expression that could reach a network by itself (S8-05)."""
    for call, name in calls(tree):
        if last_name(name) in _CALLS or name in _SOCKETS:
            yield Breach(call.lineno, name, f"{name}() {_DOOR}")
    for line, name in imports(tree):
        if name.partition(".")[0] in _LIBRARIES or name.startswith(_MODULES):
            yield Breach(line, name, f"{name} {_DOOR}")


def followed_redirects(tree: ast.Module) -> Iterator[Breach]:
    """Requests whose redirects aiohttp would follow, provider headers included (S8-06, M9)."""
    advice = "redirects carry Modal-Key to other hosts; pass allow_redirects=False and follow by hand"
    for call, name in calls(tree):
        given = keyword(call, "allow_redirects")
        if given is not None and not is_constant(given, False):
            yield Breach(given.lineno, written(given), f"{name}() follows redirects: {advice}")
        elif given is None and _is_request(call, name):
            yield Breach(call.lineno, name, f"{name}() says nothing of redirects: {advice}")


def _is_request(call: ast.Call, name: str) -> bool:
    """A request of aiohttp's session: `session.request("GET", url, …)`, `session.get(url, …)`."""
    owner, _, method = name.rpartition(".")
    if method == "request":
        return bool(call.args)
    return method in ("get", "post", "put", "delete", "patch", "head", "options") and "session" in owner.lower()


def unchecked_certificates(tree: ast.Module) -> Iterator[Breach]:
    """Whatever turns TLS or the look at its certificate off, or lets an outdated TLS in (S8-07)."""
    advice = "leave it out: certificates are verified, and TLS is 1.2 or newer"
    for call, name in calls(tree):
        for argument in ("ssl", "verify_ssl", "verify", "check_hostname"):
            given = keyword(call, argument)
            if is_constant(given, False):
                yield Breach(call.lineno, f"{argument}=False", f"{name}(…, {argument}=False) checks nothing; {advice}")
    for node in nodes(tree):
        if isinstance(node, ast.Attribute) and _lets_anybody_in(written(node)):
            yield Breach(node.lineno, written(node), f"{written(node)} lets anybody in between; {advice}")
        elif isinstance(node, ast.Assign) and is_constant(node.value, False):
            for target in map(written, node.targets):
                if target.endswith(".check_hostname"):
                    yield Breach(node.lineno, target, f"{target} = False takes any host's certificate; {advice}")


def _lets_anybody_in(name: str) -> bool:
    if name.startswith("ssl.TLSVersion."):
        return name not in ("ssl.TLSVersion.TLSv1_2", "ssl.TLSVersion.TLSv1_3")
    return name in _UNCHECKED or last_name(name) in _OUTDATED
