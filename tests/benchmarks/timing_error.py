"""How far the client's times are from what the server itself saw, beside a bare aiohttp client in the same run.

    python -m tests.benchmarks.timing_error [--requests 100] [--concurrency 1 10 50]

The server stands in a process of its own and stamps with CLOCK_MONOTONIC, which all processes of a machine share: when
a request arrived, when it wrote the first byte of a body, and when the last. What both clients measure is compared with
that, request by request, since percentiles can agree while single requests are wrong (performance.md, section 3).
"""

import argparse
import asyncio
import base64
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import aiohttp
import numpy as np
import uvloop
from aiohttp import web

from harness.clock import SystemClock
from harness.exchanges import Exchange, Speech
from harness.processes import keeping_what_is_loaded
from harness.providers.base import Deadline, FreeAdmission
from harness.providers.modal import ModalProvider
from harness.providers.qwen import QwenProvider
from tests.builders import a_request
from tests.faulted import open_provider
from tests.harness.providers.stubs import a_wav

_SILENCE_S: Final = 0.25  # before the first sound of every audio
_GOAL: Final = 3.0  # times the bare client's p99 (performance.md, goals)
_TURNS: Final = 10  # so that a moment in which the host is busy troubles both clients
# Before each request. Who asks again at once meets a server that is still awake from the time before; who has taken the
# reply apart meanwhile meets one that has to be woken, on a busy host for 3 ms: that is no client's error of timing.
_LONGEST_PAUSE_S: Final = 0.04
_PARTS: Final = ("first byte", "first sound", "download", "total")
_SPEAK: Final = "/api/v1/services/aigc/multimodal-generation/generation"

Measured = dict[str, float]  # part → seconds


@dataclass(frozen=True)
class Truth:
    """What the server saw of one utterance, on the monotonic clock."""

    arrived_s: float
    replied_s: float  # first byte of the reply, which holds the address or the first audio
    fetched_s: float  # when the audio was asked for; as arrived for a stream
    sound_s: float  # first byte of audio
    ended_s: float

    def parts(self, *, streamed: bool) -> Measured:
        """The same in the client's terms."""
        return {
            "first byte": self.replied_s - self.arrived_s,
            "first sound": self.sound_s - self.arrived_s + _SILENCE_S,
            "total": self.ended_s - self.arrived_s,
        } | ({} if streamed else {"download": self.ended_s - self.fetched_s})


def serve() -> None:
    """The server: speaks after a while, as a file to be fetched or in events; tells what it saw under /truth."""
    random, seen, wav = Random(7), {}, a_wav(1.0, silence_s=_SILENCE_S)
    pieces = [wav[44:][at : at + 20_000] for at in range(0, len(wav) - 44, 20_000)]

    async def speak(request: web.Request) -> web.StreamResponse:
        arrived_s = time.monotonic()
        name = (await request.json())["input"]["text"]
        await asyncio.sleep(random.lognormvariate(-3.2, 0.4))  # about 40 ms
        if "X-DashScope-SSE" in request.headers:
            return await stream(request, name, arrived_s)
        seen[name] = [arrived_s, time.monotonic()]
        audio = {"url": f"http://{request.host}/audio/{name.replace(' ', '_')}"}
        return web.json_response({"output": {"audio": audio, "finish_reason": "stop"}, "request_id": "r"})

    async def stream(request: web.Request, name: str, arrived_s: float) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        began_s = time.monotonic()
        for number, piece in enumerate(pieces, 1):
            audio = {"data": base64.b64encode(piece).decode()}
            output = {"audio": audio, "finish_reason": "stop" if number == len(pieces) else "null"}
            await response.write(f"id:{number}\ndata:{json.dumps({'output': output})}\n\n".encode())
            await asyncio.sleep(0.01 if number < len(pieces) else 0.0)
        seen[name] = [arrived_s, began_s, arrived_s, began_s, time.monotonic()]
        return response

    async def fetch(request: web.Request) -> web.StreamResponse:
        name, fetched_s = request.match_info["name"].replace("_", " "), time.monotonic()
        await asyncio.sleep(0.01)
        response = web.StreamResponse(headers={"Content-Length": str(len(wav)), "Content-Type": "audio/wav"})
        await response.prepare(request)
        began_s = time.monotonic()
        await response.write(wav[: len(wav) // 2])
        await asyncio.sleep(0.01)
        await response.write(wav[len(wav) // 2 :])
        seen[name] += [fetched_s, began_s, time.monotonic()]
        return response

    async def truth(_: web.Request) -> web.Response:
        return web.json_response(seen)

    async def main() -> None:
        app = web.Application()
        app.add_routes([web.post(_SPEAK, speak), web.get("/audio/{name}", fetch), web.get("/truth", truth)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)  # until who started us goes
        await runner.cleanup()

    uvloop.run(main())


def _said(text: str) -> dict[str, Any]:
    return {"model": "qwen3-tts-flash", "input": {"text": text, "voice": "Cherry", "language_type": "English"}}


async def bare(session: aiohttp.ClientSession, base_url: str, text: str, *, streamed: bool) -> Measured:
    """The floor: the same calls with nothing around them, timed by hand around the reads."""
    began_s = time.monotonic()
    headers = {"X-DashScope-SSE": "enable"} if streamed else {}
    async with session.post(base_url + _SPEAK, json=_said(text), headers=headers) as reply:
        first_s, content = await _read(reply)
    if streamed:
        total_s = time.monotonic() - began_s
        return {"first byte": first_s - began_s, "first sound": first_s - began_s + _SILENCE_S, "total": total_s}
    asked_s = time.monotonic()
    async with session.get(json.loads(content)["output"]["audio"]["url"]) as audio:
        sound_s, _ = await _read(audio)
    ended_s = time.monotonic()
    return {
        "first byte": first_s - began_s,
        "first sound": sound_s - began_s + _SILENCE_S,
        "download": ended_s - asked_s,
        "total": ended_s - began_s,
    }


async def _read(reply: aiohttp.ClientResponse) -> tuple[float, bytes]:
    first_s, content = None, bytearray()
    async for chunk in reply.content.iter_any():
        first_s = first_s or time.monotonic()
        content += chunk
    return first_s or time.monotonic(), bytes(content)


async def ours(provider: QwenProvider | ModalProvider, text: str, *, streamed: bool) -> Measured:
    """The real client."""
    exchange: Exchange = await provider.synthesize(
        a_request(text, stream=streamed), admission=FreeAdmission(), deadline=Deadline(SystemClock(), 30.0)
    )
    timing = exchange.timing
    if not isinstance(exchange.result, Speech) or timing.first_byte_s is None or timing.first_audio_s is None:
        raise SystemExit(f"an exchange failed: {exchange.result}")
    measured = {"first byte": timing.first_byte_s, "first sound": timing.first_audio_s, "total": timing.service_s}
    return measured | ({"download": timing.download_s} if timing.download_s is not None else {})


async def _round(
    name: str, say: Callable[[str], Awaitable[Measured]], requests: int, concurrency: int, found: dict[str, Measured]
) -> None:
    places, pauses = asyncio.Semaphore(concurrency), Random(name.partition(" ")[2])  # the same for both clients

    async def one(number: int) -> None:
        text = f"{name} {number}"
        async with places:
            await asyncio.sleep(pauses.uniform(0.0, _LONGEST_PAUSE_S))
            found[text] = await say(text)

    await asyncio.gather(*(one(number) for number in range(requests)))


async def measure(base_url: str, folder: Path, *, requests: int, concurrency: int) -> dict[str, Measured]:
    """What both clients measured, by the text that was said; they take turns, so that a busy host troubles both."""
    found: dict[str, Measured] = {}
    provider = open_provider("qwen", base_url, folder, clock=SystemClock(), max_attempts=1)
    connector = aiohttp.TCPConnector(limit=0)
    async with provider, aiohttp.ClientSession(connector=connector) as session:
        for turn in range(_TURNS):
            for streamed in (False, True):
                way = "stream" if streamed else "file"
                say_bare = _saying(bare, session, base_url, streamed=streamed)
                say_ours = _saying(ours, provider, streamed=streamed)
                await _round(f"bare {way} {turn}", say_bare, max(1, requests // _TURNS), concurrency, found)
                await _round(f"ours {way} {turn}", say_ours, max(1, requests // _TURNS), concurrency, found)
        async with session.get(f"{base_url}/truth") as reply:
            truths = {text: Truth(*times) for text, times in (await reply.json()).items()}
    return {
        text: {part: took_s - truths[text].parts(streamed="stream" in text)[part] for part, took_s in parts.items()}
        for text, parts in found.items()
    }


def _saying(say: Any, *arguments: Any, streamed: bool) -> Callable[[str], Awaitable[Measured]]:
    return lambda text: say(*arguments, text, streamed=streamed)


def report(errors: dict[str, Measured], concurrency: int) -> None:
    """Both clients side by side, in ms."""
    print(f"{f'{concurrency} at once':26}{'bare aiohttp':>26}{'our client':>26}{'p99 ratio':>12}{'goal':>8}")
    print(f"{'':26}{'p50 / p99 / max':>26}{'p50 / p99 / max':>26}")
    for way in ("file", "stream"):
        for part in _PARTS:
            sides = [_errors_ms(errors, who, way, part) for who in ("bare", "ours")]
            if not sides[0].size:
                continue
            cells = [" / ".join(f"{q:.2f}" for q in np.quantile(np.abs(side), [0.5, 0.99, 1.0])) for side in sides]
            ratio = float(np.quantile(np.abs(sides[1]), 0.99) / np.quantile(np.abs(sides[0]), 0.99))
            mark = "met" if ratio <= _GOAL else "missed"
            print(f"{way + ', ' + part:26}{cells[0]:>26}{cells[1]:>26}{ratio:>12.2f}{mark:>8}")


def _errors_ms(errors: dict[str, Measured], who: str, way: str, part: str) -> Any:
    mine = [parts[part] for text, parts in errors.items() if text.startswith(f"{who} {way}") and part in parts]
    return 1_000 * np.array(mine)


def main() -> None:
    """Start the server, let both clients speak, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100, help="of each client, over files and over streams")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 10, 50], help="one after the other")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
        return
    command = [sys.executable, "-m", "tests.benchmarks.timing_error", "--serve"]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        if server.stdout is None or server.stdin is None:
            raise SystemExit("the server did not start")
        base_url = server.stdout.readline().strip()
        for concurrency in arguments.concurrency:
            requests = max(arguments.requests, 10 * concurrency)  # a wave or two would tell of their first moment only
            with keeping_what_is_loaded():  # as a replay does before it sends
                errors = uvloop.run(measure(base_url, Path(folder), requests=requests, concurrency=concurrency))
            report(errors, concurrency)
        print(f"error in ms against the server's own clock; goal: p99 at most {_GOAL:g} times the bare client's")
        server.stdin.close()


if __name__ == "__main__":
    main()
