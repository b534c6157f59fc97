"""Which HTTP requests are speech, and in whose dialect they are written.

Decided by method and path (and, on Modal, by the host that stands for a path), so that nothing else of other
requests is read.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from replay.importers import dashscope_calls, modal_calls, openai_calls, realtime_calls
from replay.importers.exchanges import HttpExchange
from replay.importers.http_message import RequestLine
from replay.importers.records import SpeechCall
from replay.importers.voice_book import VoiceBook

__all__ = ["Dialect", "dialect_of", "is_speech"]

Dialect = Callable[[HttpExchange, VoiceBook], SpeechCall]

# The end of the path → who reads the body. A proxy may have put a prefix before it.
_PATHS: Final[tuple[tuple[str, Dialect], ...]] = (
    ("/services/aigc/multimodal-generation/generation", dashscope_calls.synthesis),
    ("/services/audio/tts/customization", dashscope_calls.customization),
    ("/v1/audio/speech", openai_calls.speech),
    ("/v1/audio/voices", openai_calls.clone_voice),
    ("/v1/voices/clone", openai_calls.clone_voice),
    ("/v1/voices/design", openai_calls.design_voice),
    ("/clone", modal_calls.clone),
    ("/submit-job", modal_calls.clone),
    ("/design", modal_calls.design),
    ("/generate", modal_calls.generate),
)
_REALTIME: Final = "/api-ws/v1/realtime"  # a WebSocket
_BY_PATH: Final = dict(_PATHS)
# One function, one host: `<workspace>--<app>-<function>[-dev].modal.run`, and no path.
_MODAL_HOST: Final = re.compile(r"[a-z0-9-]+--(?:[a-z0-9-]+-)?(clone|submit-job|design|generate)(?:-dev)?\.modal\.run")


def dialect_of(line: RequestLine) -> Dialect | None:
    """Who reads the body of such a request; None when it is no speech."""
    if line.method == "GET" and line.path.endswith(_REALTIME):
        return realtime_calls.session
    return _dialect(line.host, line.path) if line.method == "POST" else None


@lru_cache(maxsize=4096)
def _dialect(host: str, path: str) -> Dialect | None:
    if path in ("", "/"):
        function = _MODAL_HOST.fullmatch(host)
        return _BY_PATH[f"/{function[1]}"] if function else None
    path = path.rstrip("/")
    return next((read for end, read in _PATHS if path.endswith(end)), None)


def is_speech(line: RequestLine) -> bool:
    """Whether the request is worth reading on."""
    return dialect_of(line) is not None
