"""The object store behind the Qwen stand-in: audio under signed addresses that end (providers.md A2).

Behaves as Alibaba's OSS does towards a caller without an account: wrong or late signatures are 403, in XML.
"""

import base64
import hmac
import secrets
from collections import OrderedDict
from typing import Final, NamedTuple
from urllib.parse import quote
from uuid import uuid4
from xml.sax.saxutils import escape

from aiohttp import web
from aiohttp.typedefs import Middleware

from harness.clock import Clock
from harness.emulators.fault_refusals import Refused
from harness.emulators.faults import Script, Side
from harness.emulators.faulty import faulty

__all__ = ["Results", "SignedUrl"]

_BUCKET: Final = "dashscope-result-standin"
_KEY_ID: Final = "STANDIN"
_CAPACITY_BYTES: Final = 256 << 20  # some 1 400 results; a client fetches within seconds, so the oldest may go


class SignedUrl(NamedTuple):
    """Where a result lies and until when."""

    url: str
    expires_at: int  # UNIX seconds


class Results:
    """The newest results, in memory."""

    def __init__(self, *, lifetime_s: float, clock: Clock) -> None:
        self.base_url = ""  # known once the site is up
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._secret = secrets.token_bytes(20)
        self._objects: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0

    def put(self, wav: bytes) -> SignedUrl:
        """Keep a result and give away its address."""
        day = self._clock.now().strftime("%Y%m%d")
        name = f"1d/{secrets.token_hex(1)}/{day}/{secrets.token_hex(8)}/{uuid4()}.wav"
        self._objects[name] = wav
        self._bytes += len(wav)
        while self._bytes > _CAPACITY_BYTES and len(self._objects) > 1:
            _, oldest = self._objects.popitem(last=False)
            self._bytes -= len(oldest)
        expires_at = int(self._clock.now().timestamp() + self._lifetime_s)
        query = (
            f"Expires={expires_at}&OSSAccessKeyId={_KEY_ID}&Signature={quote(self._sign(name, expires_at), safe='')}"
        )
        return SignedUrl(f"{self.base_url}/{name}?{query}", expires_at)

    def routes(self) -> list[web.RouteDef]:
        """What the site of the results serves."""
        return [web.get("/{object:.+}", self._get)]

    def faulty(self, script: Script) -> Middleware:
        """The layer in which a download meets its injected faults."""
        return faulty(script, Side.AUDIO, refuse=self._refuse, clock=self._clock)

    def _refuse(self, _: web.Request, refused: Refused) -> web.Response:
        return self._denied(refused.status, refused.code or "ServiceUnavailable", refused.message)

    async def _get(self, request: web.Request) -> web.Response:
        name = request.match_info["object"]
        query = request.query
        try:
            expires_at = int(query["Expires"])
            expected = self._sign(name, expires_at)
            is_signed = query["OSSAccessKeyId"] == _KEY_ID and hmac.compare_digest(query["Signature"], expected)
        except (KeyError, ValueError, TypeError):
            return self._denied(403, "AccessDenied", "You have no right to access this object because of bucket acl.")
        if self._clock.now().timestamp() >= expires_at:
            return self._denied(403, "AccessDenied", "Request has expired.")
        if not is_signed:
            message = "The request signature we calculated does not match the signature you provided."
            return self._denied(403, "SignatureDoesNotMatch", message)
        wav = self._objects.get(name)
        if wav is None:
            return self._denied(404, "NoSuchKey", "The specified key does not exist.")
        return web.Response(body=wav, content_type="audio/wav", headers={"x-oss-request-id": secrets.token_hex(12)})

    def _sign(self, name: str, expires_at: int) -> str:
        """The signature of a GET, in version 1 of OSS's scheme."""
        words = f"GET\n\n\n{expires_at}\n/{_BUCKET}/{name}"
        return base64.b64encode(hmac.digest(self._secret, words.encode(), "sha1")).decode()

    def _denied(self, status: int, code: str, message: str) -> web.Response:
        request_id = secrets.token_hex(12).upper()
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error>\n  <Code>{code}</Code>\n  <Message>{escape(message)}</Message>\n"
            f"  <RequestId>{request_id}</RequestId>\n  <HostId>{_BUCKET}</HostId>\n</Error>\n"
        )
        return web.Response(
            text=text, status=status, content_type="application/xml", headers={"x-oss-request-id": request_id}
        )
