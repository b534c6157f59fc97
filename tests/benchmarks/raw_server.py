"""A server that costs next to nothing: whatever is asked, an audio comes back. Prints its port and serves.

No two answers of a provider are alike, so no two of these are: a number stands in the place of the last samples.
"""

import asyncio
import itertools
import sys

import uvloop

from tests.harness.providers.stubs import a_wav

AUDIO_S = 2.1  # at 24 kHz and 16 bits about 100 kB
_NUMBER_BYTES = 8


class Canned(asyncio.Protocol):
    """Answers every request of a connection, pipelined or not."""

    _answers = itertools.count(1)  # of all connections

    def __init__(self, reply: bytes) -> None:
        self._reply = reply[:-_NUMBER_BYTES]
        self._asked = b""
        self._body_left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._asked += data
        while (end := self._asked.find(b"\r\n\r\n")) >= 0:
            length = 0
            for line in self._asked[:end].split(b"\r\n"):
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            if len(self._asked) < end + 4 + length:
                return
            self._asked = self._asked[end + 4 + length :]
            number = next(self._answers).to_bytes(_NUMBER_BYTES)
            self._transport.writelines([self._reply, number])  # type: ignore[attr-defined]  # it is a Transport


async def serve() -> None:
    audio = a_wav(AUDIO_S)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nContent-Length: {len(audio)}\r\n\r\n".encode()
    server = await asyncio.get_running_loop().create_server(lambda: Canned(head + audio), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(serve())
