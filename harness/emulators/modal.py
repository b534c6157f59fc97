"""The legacy path as a web application: open Qwen3-TTS behind Modal's web endpoints (providers.md B1, B4)."""

import math
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode
from uuid import uuid4

from aiohttp import web

from harness.clock import Clock
from harness.emulators.account import Account
from harness.emulators.calls import Calls
from harness.emulators.latency import Latency, deployment
from harness.emulators.modal_bodies import (
    SPEAKERS,
    CancelBody,
    CloneBody,
    DesignBody,
    GenerateBody,
    Problem,
    as_json,
    decoded_reference,
    detail,
    explained,
    language_of,
    read_body,
    required,
    required_short,
)
from harness.emulators.modal_calls import FunctionCall, FunctionCalls
from harness.emulators.modal_containers import Containers
from harness.emulators.options import ModalOptions
from harness.emulators.sites import Handler, application, meter_routes
from harness.emulators.studio import Studio
from harness.emulators.scenarios import conduct_in
from harness.emulators.timbres import Timbre

__all__ = ["modal_application"]
