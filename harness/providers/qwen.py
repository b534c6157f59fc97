"""The official Qwen API as a `Provider`: which model and voice a request needs, what it costs, where its audio lies."""

import logging
import secrets
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from random import Random
from types import TracebackType
from typing import Final, NamedTuple, Self

from harness.clock import Clock
from harness.config import QwenSettings
from harness.errors import KINDS, Charge, ConfigError, ErrorKind
from harness.exchanges import Exchange, Failure, Speech
from harness.providers.addresses import Addresses, base_url
from harness.providers.attempts import Answer, Attempts
from harness.providers.base import Admission, Deadline, References
from harness.providers.dashscope import AccountVoice, DashScope, MadeVoice, NewVoice, Spoken, VoiceMaker
from harness.providers.delivery import Delivery, accept
from harness.providers.door import Door, Fault, Limits, Reply, secret_header
from harness.providers.draft import Draft
from harness.providers.pricing import PriceList
from harness.providers.reference import data_url, enrolment_problem, load_recording
from harness.providers.retry import RetryPolicy
from harness.providers.voices import VoiceKey, VoiceRegistry
from harness.speech import LANGUAGES, PROBE_TEXTS, Operation, SpeechRequest, Voice, VoiceKind, billed_chars

__all__ = ["QwenProvider"]

log = logging.getLogger(__name__)

_LONGEST_DESCRIPTION: Final = 2048  # providers.md A6
_LONGEST_PREVIEW: Final = 1024


class _Speaker(NamedTuple):
    """Who is to speak, in the provider's words."""

    model: str
    voice: str
