"""Keys and signed addresses leave no trace: not in a file, not in what is printed, not in a log, not in an exchange.

What runs here is what runs in production: whole commands, and both clients through every fault of the matrix.
"""

import base64
import json
import logging
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import zstandard
from pydantic import SecretStr

from harness.capture import capture_to_json
from harness.config import PROJECT, Settings
from harness.emulators.qwen_results import Results
from harness.exchanges import Consent
from harness.speech import Operation, Reference, VoiceKind
from harness.store.blobs import BlobStore
from tests.builders import a_capture, a_request, a_voice
from tests.canaries import (
    MODAL_KEY,
    MODAL_SECRET,
    QWEN_KEY,
    SIGNATURE,
    VLLM_KEY,
    Canary,
    Sighting,
    contents,
    sightings,
)
from tests.faulted import VIVIAN, Case, a_modal_bench, a_qwen_bench, request_of
from tests.harness.providers.stubs import a_wav
from tests.standins import cutover, running_standins
from tests.test_faults_modal import CASES as MODAL_CASES
from tests.test_faults_qwen import CASES as QWEN_CASES

DEMO = str(PROJECT / "data" / "demo" / "captures.jsonl.zst")
QWEN = Canary("the Qwen key", QWEN_KEY)
OTHER = Canary("the Modal key", MODAL_KEY)
KEYS = (QWEN, OTHER, Canary("the Modal secret", MODAL_SECRET), Canary("the key of vLLM", VLLM_KEY))
SIGNED_WITH = Canary("the signature of an address", SIGNATURE)
CONSENT = Consent(scope=("replay", "clone:qwen"), region=None, expires_at=None, evidence=None)
# The stand-in signs with a secret of its own; that a signed address was kept shows by what surrounds a signature.
SIGNED = tuple(Canary("a signed address", text) for text in ("&OSSAccessKeyId=STANDIN", "&Signature=", "?Expires="))
TROUBLE = [
    {"fault": "rate-quota", "path": "*/generation", "times": 1, "retry_after": "0"},
    {"fault": "bad-key", "path": "*/generation", "times": 1},
    {"fault": "reset-after", "path": "*/generation", "times": 1},
    {"fault": "redirect", "path": "*/generation", "times": 1},
    {"fault": "access-denied", "on": "audio", "times": 4},
    {"fault": "cut", "on": "audio", "times": 1},
]


DRESSED = {
    "raw": QWEN_KEY,
    "in a header": f"Authorization: Bearer {QWEN_KEY}",
    "base64": base64.b64encode(QWEN_KEY.encode()).decode(),
    "inside base64": base64.b64encode(f"user:{QWEN_KEY}!".encode()).decode(),
    "inside url-safe base64": base64.urlsafe_b64encode(f"xy{QWEN_KEY}z".encode()).decode(),
    "hex": QWEN_KEY.encode().hex(),
    "url-quoted": "sk-KaNaRyKey%2B7%2Fone%3D0123456789abcdef",
    "JSON": json.dumps(QWEN_KEY),
    "its beginning": QWEN_KEY[:12] + "…",
}


# By their names: a parameter that is no other's name would stand in every report, as a key that got out.
@pytest.mark.parametrize("dressed", DRESSED.values(), ids=DRESSED.keys())
def test_the_search_finds_a_key_in_all_its_clothes(dressed: str, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(f"before {dressed} after")

    assert sightings([QWEN], contents(tmp_path))
    assert not sightings([OTHER], contents(tmp_path))


def test_the_search_looks_into_what_is_packed(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.zst").write_bytes(zstandard.compress(QWEN.value.encode() * 50))

    assert Sighting("the Qwen key in a.jsonl.zst, unpacked", "raw") in sightings([QWEN], contents(tmp_path))


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    home = tmp_path / "home"
    home.mkdir()
    with running_standins(home, "--time-scale", "0.002") as found:
        yield found | {
            "CUTOVER_QWEN__API_KEY": QWEN_KEY,
            "CUTOVER_MODAL__KEY": MODAL_KEY,
            "CUTOVER_MODAL__SECRET": MODAL_SECRET,
            "CUTOVER_MODAL__API_KEY": VLLM_KEY,
        }


def test_commands_leave_no_key_and_no_signed_address_behind(environment: dict[str, str]) -> None:
    _script(environment, TROUBLE)
    said: list[tuple[str, bytes]] = []

    def run(*arguments: str) -> str:
        result = cutover(list(arguments), environment)
        said.extend(
            (f"{arguments[0]}: {name}", text.encode()) for name, text in vars(result).items() if name[:3] == "std"
        )
        return str(result.stdout)

    replay = ["replay", DEMO, "--limit", "8", "--repeat-share", "0"]
    confirm = json.loads(run(*replay, "--json"))["confirm"]
    run(*replay, "--plan")
    run(*replay, "--live", "--budget", "5", "--confirm", confirm)
    run("doctor", "--smoke", "--yes")
    run("voices", "list")
    run("runs", "list")
    run("verdict", "latest", "--markdown")

    home = Path(environment["CUTOVER_HOME"])
    places = [*said, *contents(home)]
    assert list(home.glob("runs/*/journal.jsonl"))
    assert any(name.endswith(".wav") for name, _ in places)
    assert sightings([*KEYS, *SIGNED], places) == []


@pytest.fixture
def captures(tmp_path: Path) -> Path:
    """A capture of every operation, one of them streamed."""
    sha256 = BlobStore(tmp_path / "audio").put(a_wav(5.0), "wav")
    anna = a_voice(VoiceKind.CLONE, reference=Reference(sha256=sha256, transcript="I am Anna."))
    requests = [
        a_request("A first sentence."),
        a_request("A second sentence.", voice=anna),
        a_request("A third one.", operation=Operation.CLONE, voice=anna),
        a_request("A fourth one.", operation=Operation.DESIGN),
        a_request("A streamed one.", stream=True),
    ]
    lines = [capture_to_json(a_capture(f"c{n}", request=each, consent=CONSENT)) for n, each in enumerate(requests)]
    path = tmp_path / "captures.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_no_operation_leaves_a_key_behind_and_neither_does_a_provider_that_is_away(
    environment: dict[str, str], captures: Path
) -> None:
    plan = json.loads(cutover(["replay", str(captures), "--json"], environment).stdout)
    live = ["replay", str(captures), "--live", "--budget", "5", "--confirm", plan["confirm"], "--json"]
    said = [cutover(live, environment)]
    environment["CUTOVER_QWEN__BASE_URL"] = "http://127.0.0.1:9"  # a failure talks more than a success
    said.append(cutover(["doctor"], environment))

    assert [result.returncode for result in said] == [0, 4], [result.stderr for result in said]
    assert json.loads(said[0].stdout)["lanes"]["candidate"]["outcomes"] == {"ok": 5}
    places = list(contents(Path(environment["CUTOVER_HOME"])))
    assert {"journal.jsonl", "run.duckdb", "voices.jsonl"} <= {Path(name).name for name, _ in places}
    places += [("output", f"{result.stdout}{result.stderr}".encode()) for result in said]
    assert sightings([*KEYS, *SIGNED], places) == []


@pytest.mark.parametrize("provider", ["qwen", "modal"])
async def test_no_fault_brings_a_key_or_a_signed_address_to_light(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(Results, "_sign", lambda *_: SIGNATURE)
    told: list[tuple[str, bytes]] = []
    for parameters in QWEN_CASES if provider == "qwen" else MODAL_CASES:
        case: Case = parameters.values[0]
        bench_of, request, keys = _benched(provider, case)
        async with bench_of(_with(case, keys), tmp_path) as bench:
            exchange = await bench.ask(request)
            shown = f"{exchange!r}{bench.provider!r}{bench.provider._door!r}{exchange.facts!r}"
        told += [(f"{parameters.id}: shown", shown.encode()), (f"{parameters.id}: pickled", pickle.dumps(exchange))]
    told += [("log", repr([record.__dict__ for record in caplog.records]).encode()), ("log text", caplog.text.encode())]
    told += [(f"file {name}", data) for name, data in contents(tmp_path)]

    assert len(told) > 60
    assert caplog.records
    assert sightings([*KEYS, SIGNED_WITH], told) == []


async def test_a_crash_of_our_own_shows_no_key_in_its_traceback(tmp_path: Path) -> None:
    case = Case(row=0, faults=(), outcome="ok", attempts=1, settings={"api_key": SecretStr(QWEN.value)})

    class Broken:
        async def begin(self, *, rate_hz: int) -> None:
            raise TypeError("our own bug")

        async def write(self, pcm: bytes) -> None:
            raise AssertionError

    async with a_qwen_bench(case, tmp_path) as bench:
        with pytest.raises(TypeError) as crash:
            await bench.ask(request_of(case, stream=True), sink=Broken())
    text = "".join(traceback.TracebackException.from_exception(crash.value, capture_locals=False).format())

    assert "our own bug" in text
    assert sightings([QWEN], [("traceback", text.encode()), ("repr", repr(crash.value.__context__).encode())]) == []


def test_settings_that_are_printed_hide_their_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTOVER_QWEN__API_KEY", QWEN.value)
    monkeypatch.setenv("CUTOVER_MODAL__SECRET", MODAL_SECRET)
    settings = Settings.load()

    shown = f"{settings!r} {settings} {settings.model_dump_json()} {settings.model_dump()}"

    assert sightings(KEYS, [("settings", shown.encode())]) == []


def _benched(provider: str, case: Case) -> tuple[Any, Any, dict[str, SecretStr]]:
    if provider == "qwen":
        return a_qwen_bench, request_of(case), {"api_key": SecretStr(QWEN.value)}
    keys = {"key": MODAL_KEY, "secret": MODAL_SECRET, "api_key": VLLM_KEY}
    secrets = {name: SecretStr(value) for name, value in keys.items()}
    return a_modal_bench, request_of(case, voice=VIVIAN), secrets


def _with(case: Case, keys: dict[str, SecretStr]) -> Case:
    return Case(
        row=case.row,
        faults=case.faults,
        outcome=case.outcome,
        attempts=case.attempts,
        settings={**case.settings, **keys},
        options=case.options,
        request=case.request,
        real_time=case.real_time,
    )


def _script(environment: dict[str, str], faults: list[dict[str, Any]]) -> None:
    url = environment["CUTOVER_QWEN__BASE_URL"] + "/_standin/faults"
    with urlopen(Request(url, data=json.dumps({"faults": faults}).encode(), method="POST")) as reply:
        assert reply.status < 300
