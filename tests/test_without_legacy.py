"""After retirement legacy is removed by deleting one module: the gateway serves without it, and every command starts.

The package is copied without the module and without everything that only it needed, and served from the copy.
"""

import ast
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

import harness
from harness.clock import SystemClock
from harness.emulators.server import running_qwen
from harness.gateway.caller_file import add_key
from harness.rollout.stage import Stage
from harness.speech import Operation
from tests.canaries import QWEN_KEY
from tests.gateways import begin_rollout, flags_text

PROJECT = Path(harness.__file__).parents[1]
LEGACY = "harness.providers.modal"


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path, known: set[str]) -> set[str]:
    """The modules of ours that this one imports by a statement, wherever that stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found & known


def only_needed_by_legacy() -> set[str]:
    """Legacy's module, and those that nobody imports any more once it is gone, and so on."""
    paths = {name_of(path): path for path in sorted((PROJECT / "harness").rglob("*.py"))}
    imports = {name: imports_of(path, set(paths)) for name, path in paths.items()}
    gone = {LEGACY}
    while True:
        candidates = set().union(*(imports[name] for name in gone)) - gone
        needed = set().union(*(found for name, found in imports.items() if name not in gone))
        if not candidates - needed:
            return gone
        gone |= candidates - needed


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(PROJECT / "harness", root / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    for name in only_needed_by_legacy():
        (root / name.replace(".", "/")).with_suffix(".py").unlink()
    (root / "data").mkdir()
    for table in (PROJECT / "data").glob("*.toml"):
        shutil.copy(table, root / "data")
    return root


def environment_of(copy: Path, home: Path, **settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CUTOVER_", "DASHSCOPE_"))}
    return {**kept, "PYTHONPATH": str(copy), "CUTOVER_HOME": str(home), **settings}


def cutover(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "harness.cli", *arguments]


def test_what_goes_is_what_only_legacy_needs() -> None:
    gone = only_needed_by_legacy()

    assert {LEGACY, "harness.providers.modal_calls", "harness.providers.modal_health"} <= gone
    assert not {"harness.providers.door", "harness.providers.retry", "harness.providers.codes"} & gone
    assert all(name.startswith("harness.providers.") for name in gone)


async def test_the_gateway_speaks_by_qwen_alone(copy: Path, tmp_path: Path) -> None:
    await begin_rollout(tmp_path, Stage.RETIRED)
    (tmp_path / "flags.toml").write_text(flags_text(**dict.fromkeys(Operation, "qwen")))
    _, key = add_key(tmp_path / "gateway" / "callers.toml", "app", now=SystemClock().now())
    async with running_qwen() as qwen:
        hosts = ",".join(url.removeprefix("http://") for url in (qwen.base_url, qwen.audio_url or ""))
        environment = environment_of(
            copy,
            tmp_path,
            CUTOVER_FLAGS__FILE=str(tmp_path / "flags.toml"),
            CUTOVER_QWEN__BASE_URL=qwen.base_url,
            CUTOVER_QWEN__API_KEY=QWEN_KEY,
            CUTOVER_ALLOW_HOSTS=hosts,
        )
        status, provider, audio = await asyncio.to_thread(spoken, copy, environment, key)

    assert (status, provider, audio[:4]) == (200, "qwen", b"RIFF")


def spoken(copy: Path, environment: dict[str, str], key: str) -> tuple[int, str | None, bytes]:
    """What a gateway that was started from the copy answers."""
    serve = cutover("serve", "--port", "0", "--admin-port", "0", "--json")
    with subprocess.Popen(serve, cwd=copy, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            base_url = json.loads(process.stdout.readline())["base_url"]
            body = json.dumps({"input": "Good morning.", "voice": "Vivian"}).encode()
            headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
            with urlopen(Request(f"{base_url}/v1/audio/speech", data=body, headers=headers)) as reply:
                return reply.status, reply.headers["X-Provider"], reply.read()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def test_what_still_names_legacy_is_told_in_one_sentence(copy: Path, tmp_path: Path) -> None:
    environment = environment_of(copy, tmp_path, CUTOVER_MODAL__BASE_URL="https://acme--tts.modal.run")

    done = subprocess.run(cutover("serve"), cwd=copy, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "harness.providers.modal was deleted" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["doctor", "rollout", "voices", "serve", "callers"])
def test_commands_still_start(copy: Path, tmp_path: Path, command: str) -> None:
    environment = environment_of(copy, tmp_path)

    done = subprocess.run(
        cutover(command, "--help"), cwd=copy, env=environment, capture_output=True, text=True, check=False
    )

    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
