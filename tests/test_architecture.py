"""What no import contract can say: there is one way out, and no key leaves by another."""

import ast
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

import pytest

from harness.capture import capture_to_json
from harness.exchanges import Consent
from harness.speech import Operation, Reference, VoiceKind
from harness.store.blobs import BlobStore
from tests.builders import a_capture, a_request, a_voice
from tests.harness.providers.stubs import a_wav
from tests.standins import cutover, running_standins

ROOT = Path(__file__).parents[1]
DOOR = Path("harness/providers/door.py")
# Modules that open a connection of their own. Each needs its reason; everything else goes through the door.
EXCEPTIONS = MappingProxyType(
    {
        "harness/providers/addresses.py": "the door's socket factory: a socket is made once its address has passed",
        "dashboard/cli.py": "finds a free port and asks its own page on this machine whether it is up",
    }
)
_CALLS = frozenset(
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
_SOCKETS = frozenset({"socket.socket", "socket.create_connection"})
_LIBRARIES = frozenset(
    {
        "requests",
        "httpx",
        "urllib3",
        "websockets",
        "pycurl",
        "ftplib",
        "smtplib",
        "dashscope",
        "openai",
    }
)


def ways_out(source: str) -> Iterator[str]:
    """Every expression in `source` that could reach a network."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name.rpartition(".")[2] in _CALLS or name in _SOCKETS:
                yield f"{name} in line {node.lineno}"
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in _LIBRARIES)
        elif isinstance(node, ast.ImportFrom) and node.module:
            top = node.module.split(".")[0]
            if top in _LIBRARIES or node.module in ("urllib.request", "http.client"):
                yield f"{node.module} in line {node.lineno}"


@pytest.mark.parametrize(
    "source",
    [
        "import aiohttp\naiohttp.ClientSession()",
        "from aiohttp import ClientSession\nClientSession()",
        "from urllib.request import urlopen",
        "import urllib.request\nurllib.request.urlopen('x')",
        "import requests",
        "from httpx import get",
        "import socket\nsocket.socket()",
        "import asyncio\nasyncio.open_connection('h', 1)",
        "async def f(s):\n    async with s.ws_connect('u'):\n        pass",
    ],
)
def test_a_way_out_is_seen(source: str) -> None:
    assert list(ways_out(source))


@pytest.mark.parametrize("source", ["import socket\nx: socket.socket", "from aiohttp import web\nweb.Application()"])
def test_what_only_listens_or_names_a_type_is_no_way_out(source: str) -> None:
    assert list(ways_out(source)) == []


def test_nothing_but_the_door_opens_a_connection() -> None:
    found = {
        str(path.relative_to(ROOT)): list(ways_out(path.read_text()))
        for package in ("harness", "replay", "analysis", "dashboard")
        for path in (ROOT / package).rglob("*.py")
    }

    open_ = {path: ways for path, ways in found.items() if ways and path != str(DOOR) and path not in EXCEPTIONS}
    assert open_ == {}
    assert found[str(DOOR)], "the door opens nothing: this test has gone blind"
    assert [path for path in EXCEPTIONS if not found[path]] == []  # an exception that is not needed any more


CANARY = "canary+Key/9f31c7"  # with letters that base64 and a URL write differently
CONSENT = Consent(scope=("replay", "clone:qwen"), region=None, expires_at=None, evidence=None)


def spellings(secret: str) -> list[bytes]:
    """How a secret looks raw, quoted and in base64, wherever it begins in the encoded text."""
    raw = secret.encode()
    # Base64 of three bytes at a time: what is before the secret shifts it, and its first and last letters blur.
    shifted = [base64.b64encode(b"x" * shift + raw)[-(-shift * 4 // 3) : -4] for shift in range(3)]
    return [raw, quote(secret, safe="").encode(), *(text[2:] for text in shifted)]


def test_each_spelling_of_a_secret_is_recognised() -> None:
    encoded = [base64.b64encode(f"{'k' * before}:{CANARY}:".encode()).decode() for before in range(3)]
    hidden = [CANARY, quote(CANARY, safe=""), *encoded]

    for text in hidden:
        assert any(spelling in text.encode() for spelling in spellings(CANARY)), text


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("captures")
    sha256 = BlobStore(folder / "audio").put(a_wav(5.0), "wav")
    anna = a_voice(VoiceKind.CLONE, reference=Reference(sha256=sha256, transcript="I am Anna."))
    requests = [
        a_request("A first sentence."),
        a_request("A second sentence.", voice=anna),
        a_request("A third one.", operation=Operation.CLONE, voice=anna),
        a_request("A fourth one.", operation=Operation.DESIGN),
        a_request("A streamed one.", stream=True),
    ]
    lines = [capture_to_json(a_capture(f"c{n}", request=each, consent=CONSENT)) for n, each in enumerate(requests)]
    path = folder / "captures.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_no_key_is_in_any_file_or_output_of_a_whole_replay(tmp_path: Path, captures: Path) -> None:
    home = tmp_path / "home"
    key, secret = f"sk-{CANARY}", f"ws-{CANARY}"
    with running_standins(home, "--time-scale", "0.001") as environment:
        environment |= {
            "CUTOVER_QWEN__API_KEY": key,
            "CUTOVER_MODAL__KEY": f"wk-{CANARY}",
            "CUTOVER_MODAL__SECRET": secret,
        }
        free = (["replay", str(captures), "--json"], ["doctor"], ["voices", "list"])
        said = [cutover(arguments, environment) for arguments in free]
        plan = json.loads(said[0].stdout)
        live = ["replay", str(captures), "--live", "--budget", "5", "--confirm", plan["confirm"], "--json"]
        said.append(cutover(live, environment))
        environment["CUTOVER_QWEN__BASE_URL"] = "http://127.0.0.1:9"  # a failure talks more than a success
        said.append(cutover(["doctor"], environment))

    assert [result.returncode for result in said] == [0, 0, 0, 0, 4], [result.stderr for result in said]
    assert json.loads(said[3].stdout)["lanes"]["candidate"]["outcomes"] == {"ok": 5}
    looked_at = [result.stdout.encode() + result.stderr.encode() for result in said]
    files = [path for path in home.rglob("*") if path.is_file()]
    looked_at += [path.read_bytes() for path in files]
    assert {"journal.jsonl", "run.duckdb", "voices.jsonl"} <= {path.name for path in files}
    for text in looked_at:
        assert not any(spelling in text for spelling in spellings(CANARY))
        assert b"Signature=" not in text
