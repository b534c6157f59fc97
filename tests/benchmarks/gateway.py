"""What the gateway adds to a provider that takes 500 ms: `python -m tests.benchmarks.gateway [SECONDS] [RATE]`.

Default 20 s at 300 requests/s; the goal of issue 7 is a p99 of at most 15 ms on two cores, flat memory over ten minutes
(`… gateway 600`), and nothing left open.
One after the other, in the same run and from the same load generator: the gateway (`cutover serve --workers 2`, all on
legacy), a bare aiohttp proxy that does nothing but pass the request on, and LiteLLM's proxy. The generator keeps an
open loop: each request has its moment, and a late one counts from when it was due. Provider, subject and generator are
processes of their own, and share the machine: the bare proxy's row tells how much of a figure is the machine. CPU is
the subject's own, all its processes together, and says the least about whatever else runs here.

LiteLLM is no dependency of ours. To see its figures: `python -m venv DIR && DIR/bin/pip install 'litellm[proxy]'`, and
set LITELLM_PYTHON=DIR/bin/python.
"""

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import aiohttp
import numpy as np
import uvloop
from aiohttp import web

from harness.config import PROJECT
from harness.processes import END_WITH_PARENT
from tests.benchmarks.footprint import Memory, cpu_s, open_sockets, rss_mb, tree
from tests.harness.providers.stubs import a_wav

PROVIDER_S, AUDIO_S = 0.5, 1.0
GOAL_P99_S, RATE_HZ, SECONDS = 0.015, 300.0, 20.0
WORKERS = 2
WARM_S = 2.0  # connections and caches come to rest before anything is counted
REST_S = 40.0  # after the load: aiohttp closes idle connections after 15 s, and looks every 15 s
PATIENCE_S = 10.0  # of a caller
END_S = 15.0  # what a process gets to end by itself
FLAT = 1.2  # memory at the end, beside the memory once warm
FLAT_MB_PER_MINUTE = 1.0  # for runs that are long enough to tell
LONG_S = 300.0
PLENTY = {"REQUESTS_PER_MINUTE": "1e9", "CHARS_PER_MINUTE": "1e12", "CONCURRENCY": "100000"}
FREE = {"PER_MINUTE": "6000000", "PER_SECOND": "100000", "SHARE": "1", "RAMP_S": "0"}
TEXT = "Good morning, and welcome to the show."


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One proxy that is measured."""

    name: str
    url: str
    key: str
    process: subprocess.Popen[str]
    is_ours: bool = False  # and has goals to keep


# The parts that run as processes of their own: `python -m tests.benchmarks.gateway ROLE …`.


def provider() -> web.Application:
    """A legacy deployment, of which only /generate is asked, and OpenAI's endpoint for LiteLLM; each takes 500 ms."""
    audio = a_wav(AUDIO_S)

    async def speak(request: web.Request) -> web.Response:
        began_s = time.perf_counter()
        asked = json.loads(await request.read())
        if not asked.get("text") and not asked.get("input"):
            return web.json_response({"detail": "'text' is required"}, status=400)
        await asyncio.sleep(PROVIDER_S - (time.perf_counter() - began_s))
        return web.Response(body=audio, content_type="audio/wav")

    app = web.Application()
    app.router.add_post("/generate", speak)
    app.router.add_post("/v1/audio/speech", speak)
    return app


def bare(upstream: str) -> web.Application:
    """The least a proxy can be: read, ask, answer."""

    async def session(app: web.Application) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as app[SESSION]:
            yield

    async def speak(request: web.Request) -> web.Response:
        asked = json.loads(await request.read())
        body = {"text": asked["input"], "speaker": asked["voice"], "language": "Auto"}
        async with request.app[SESSION].post(f"{upstream}/generate", json=body) as reply:
            return web.Response(status=reply.status, body=await reply.read(), content_type="audio/wav")

    app = web.Application()
    app.cleanup_ctx.append(session)
    app.router.add_post("/v1/audio/speech", speak)
    return app


SESSION = web.AppKey("SESSION", aiohttp.ClientSession)


async def serve(app: web.Application) -> None:
    """Print the address and serve until stdin ends."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4_096).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


async def load(url: str, key: str, rate_hz: float, seconds: float) -> None:
    """Ask in an open loop and print each request's seconds from its due moment; null where it failed."""
    took_s: list[float | None] = []
    headers = {"Authorization": f"Bearer {key}"}
    body = {"model": "tts", "input": TEXT, "voice": "Vivian", "response_format": "wav"}

    async def ask(session: aiohttp.ClientSession, due_s: float) -> None:
        try:
            async with session.post(f"{url}/v1/audio/speech", json=body, headers=headers) as reply:
                audio = await reply.read()
                is_ok = reply.status == 200 and audio[:4] == b"RIFF"
        except (aiohttp.ClientError, TimeoutError):
            is_ok = False
        took_s.append(time.perf_counter() - due_s if is_ok else None)

    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        began_s = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(int(rate_hz * seconds)):
                due_s = began_s + number / rate_hz
                if (ahead_s := due_s - time.perf_counter()) > 0:
                    await asyncio.sleep(ahead_s)
                group.create_task(ask(session, due_s))
    print(json.dumps(took_s))


ROLES: dict[str, Callable[..., Coroutine[None, None, None]]] = {
    "provider": lambda: serve(provider()),
    "bare": lambda upstream: serve(bare(upstream)),
    "load": lambda url, key, rate_hz, seconds: load(url, key, float(rate_hz), float(seconds)),
}


# What stands around them.


@contextmanager
def child(
    *command: str, environment: dict[str, str] | None = None, log: Path | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A process that ends with the block."""
    with (
        (log or Path(os.devnull)).open("w") as errors,
        subprocess.Popen(
            [sys.executable, *command] if command[0] == "-m" else command,
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": str(PROJECT), **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            preexec_fn=END_WITH_PARENT,
        ) as process,
    ):
        try:
            yield process
        finally:
            whole = tree(process.pid)
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:  # as LiteLLM's, when requests of the load still wait there
                for pid in whole:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                process.wait()


def first_line(process: subprocess.Popen[str]) -> str:
    return process.stdout.readline().strip() if process.stdout else ""


def in_role(*role: str) -> tuple[str, ...]:
    return ("-m", "tests.benchmarks.gateway", *role)


@contextmanager
def the_gateway(upstream: str, folder: Path) -> Iterator[Subject]:
    """`cutover serve` as a user starts it; a deadline of ours and no flag file, so everybody gets legacy."""
    home = folder / "home"
    environment = {
        "CUTOVER_HOME": str(home),
        "CUTOVER_ALLOW_HOSTS": upstream.removeprefix("http://"),
        "CUTOVER_MODAL__BASE_URL": upstream,
        "CUTOVER_FLAGS__FILE": str(folder / "flags.toml"),
        "CUTOVER_GATEWAY__PORT": "0",
        "CUTOVER_GATEWAY__ADMIN_PORT": "0",
        "CUTOVER_GATEWAY__DRAIN_S": "2",
        **{f"CUTOVER_GATEWAY__LIMITS__{name}": value for name, value in PLENTY.items()},
        **{f"CUTOVER_MODAL__QUOTA__{name}": value for name, value in FREE.items()},
    }
    (folder / "flags.toml").write_text(LEGACY)
    with child("-m", "harness.cli", "callers", "add", "load", environment=environment) as adding:
        key = first_line(adding)
    command = ("-m", "harness.cli", "serve", "--workers", str(WORKERS), "--json")
    with child(*command, environment=environment, log=folder / "gateway.log") as process:
        line = first_line(process)
        if not line:
            sys.exit(f"the gateway did not start: {(folder / 'gateway.log').read_text()[-2_000:]}")
        url, name = json.loads(line)["base_url"], f"gateway, {WORKERS} workers"
        yield Subject(name=name, url=url, key=key, process=process, is_ours=True)


LEGACY = 'schema = 1\nsalt = "load-1"\n' + "".join(
    f'[{operation}]\nmode = "legacy"\nshare_bp = 0\nshadow_bp = 0\n' for operation in ("generate", "clone", "design")
)


@contextmanager
def the_bare_proxy(upstream: str, _: Path) -> Iterator[Subject]:
    with child(*in_role("bare", upstream)) as process:
        yield Subject(name="bare aiohttp proxy", url=first_line(process), key="none", process=process)


@contextmanager
def the_litellm_proxy(upstream: str, folder: Path) -> Iterator[Subject]:
    """LiteLLM's proxy as its documentation starts it, with as many workers as ours."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    model = {"model": "openai/tts", "api_base": f"{upstream}/v1", "api_key": "none"}
    config = folder / "litellm.yaml"
    config.write_text(json.dumps({"model_list": [{"model_name": "tts", "litellm_params": model}]}))  # JSON is YAML
    key = f"sk-{secrets.token_hex(8)}"
    start = "from litellm import run_server; run_server()"
    options = ["--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", str(WORKERS)]
    log = folder / "litellm.log"
    command = (os.environ["LITELLM_PYTHON"], "-c", start, *options)
    with child(*command, environment={"LITELLM_MASTER_KEY": key, "PYTHONPATH": ""}, log=log) as process:
        url = f"http://127.0.0.1:{port}"
        _await_health(f"{url}/health/liveliness", process, log)
        yield Subject(name=f"LiteLLM's proxy, {WORKERS} workers", url=url, key=key, process=process)


def _await_health(url: str, process: subprocess.Popen[str], log: Path) -> None:
    for _ in range(240):
        if process.poll() is not None:
            sys.exit(f"LiteLLM did not start: {log.read_text()[-2_000:]}")
        try:
            with urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.5)
    sys.exit("LiteLLM did not answer within two minutes")


def asked(subject: Subject, rate_hz: float, seconds: float) -> list[float | None]:
    with child(*in_role("load", subject.url, subject.key, str(rate_hz), str(seconds))) as process:
        found: list[float | None] = json.loads(first_line(process))
    return found


def measured(subject: Subject, rate_hz: float, seconds: float) -> None:
    """Load one subject and print its row."""
    pid = subject.process.pid
    idle_fds, idle_sockets = open_sockets(pid)
    asked(subject, rate_hz, WARM_S)
    before_mb, before_s, memory = rss_mb(pid), cpu_s(pid), Memory(pid)
    memory.start()
    took_s = asked(subject, rate_hz, seconds)
    slope, after_mb, spent_s = memory.slope_mb_per_minute(), rss_mb(pid), cpu_s(pid) - before_s
    over_ms = [(each - PROVIDER_S) * 1e3 for each in took_s if each is not None]
    p50, p99 = (float(each) for each in np.percentile(over_ms, [50, 99])) if over_ms else (float("nan"),) * 2
    print(
        f"{subject.name:28} sent {len(took_s)}  ok {len(over_ms)}  overhead p50 {p50:.2f} ms  p99 {p99:.2f} ms  "
        f"CPU {spent_s / len(took_s) * 1e3:.2f} ms a request  RSS {before_mb:.0f} → {after_mb:.0f} MB, "
        f"{slope:+.2f} MB a minute at the end",
        flush=True,
    )
    if subject.is_ours:
        is_flat = after_mb / before_mb <= FLAT and (seconds < LONG_S or slope <= FLAT_MB_PER_MINUTE)
        fds, sockets = at_rest(pid, idle_sockets)
        misses = {
            f"{took_s.count(None)} failed": None in took_s,
            f"p99 over {GOAL_P99_S * 1e3:g} ms": not p99 <= GOAL_P99_S * 1e3,
            "memory grows": not is_flat,
            "sockets left": sockets > idle_sockets,
            "requests under way": under_way(subject) > 0,
        }
        missed = ", ".join(name for name, is_missed in misses.items() if is_missed)
        print(
            f"{'':28} at rest: open files {idle_fds} → {fds}, sockets {idle_sockets} → {sockets}  "
            f"{f'goal missed: {missed}' if missed else 'goal met'}",
            flush=True,
        )


def under_way(subject: Subject) -> float:
    """Requests that all workers still have in hand, as they say themselves."""
    with urlopen(f"{subject.url}/metrics", timeout=5) as reply:
        lines = reply.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("cutover_requests_under_way{"))


def at_rest(pid: int, idle_sockets: int) -> tuple[int, int]:
    """Open files and sockets once they are as few as before the load, or after as long as they get."""
    until_s = time.monotonic() + REST_S
    while (found := open_sockets(pid))[1] > idle_sockets and time.monotonic() < until_s:
        time.sleep(0.25)
    return found


def main(seconds: float = SECONDS, rate_hz: float = RATE_HZ) -> None:
    cores = len(os.sched_getaffinity(0))
    print(f"{rate_hz:g} requests/s for {seconds:g} s, the provider takes {PROVIDER_S * 1e3:g} ms, {cores} cores")
    subjects = [the_gateway, the_bare_proxy]
    if os.environ.get("LITELLM_PYTHON"):
        subjects.append(the_litellm_proxy)
    for opened in subjects:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            upstream = first_line(stack.enter_context(child(*in_role("provider"))))
            measured(stack.enter_context(opened(upstream, folder)), rate_hz, seconds)
    if not os.environ.get("LITELLM_PYTHON"):
        print("LITELLM_PYTHON is not set: LiteLLM's proxy could not be put beside it")


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in ROLES:
        uvloop.run(ROLES[sys.argv[1]](*sys.argv[2:]))
    else:
        main(*map(float, sys.argv[1:]))
