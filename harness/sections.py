"""The sections of the settings: what can be set for each part, its default, and the reason for it.

Where values come from is config.py's business.
"""

from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

__all__ = [
    "PROJECT",
    "CaptureSettings",
    "FlagSettings",
    "GatewaySettings",
    "LimitSettings",
    "ModalDialect",
    "ModalSettings",
    "ModelSettings",
    "NightlySettings",
    "OwnQuotaSettings",
    "QuotaSettings",
    "QwenDelivery",
    "QwenSettings",
    "ReplaySettings",
    "ShadowSettings",
]

PROJECT: Final = Path(__file__).resolve().parents[1]  # where data/ and cutover.toml stand


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class QuotaSettings(_Section):
    """What a provider allows the whole account, and how much of it a replay may use."""

    per_minute: Annotated[float, Field(gt=0)] = 180.0
    per_second: Annotated[float, Field(gt=0)] = 3.0
    share: Annotated[float, Field(gt=0, le=1)] = 0.2  # limits are per account: production needs the rest
    ramp_s: Annotated[float, Field(ge=0)] = 60.0  # from nothing to full rate; a steep start is throttled by itself


class QwenDelivery(StrEnum):
    """How Qwen hands its audio over."""

    AS_CAPTURED = "as_captured"  # a stream where the captured call asked for one, else a file
    FILE = "file"  # one reply with the address of the audio
    STREAM = "stream"  # server-sent events
    REALTIME = "realtime"  # WebSocket; its models and their voices are others


# Realtime has models of its own, and a voice speaks only with the model it was made for (providers.md A4).
_REALTIME_MODELS: Final = MappingProxyType(
    {
        "generate_model": "qwen3-tts-flash-realtime",
        "instruct_model": "qwen3-tts-instruct-flash-realtime",
        "clone_model": "qwen3-tts-vc-realtime-2026-01-15",
        "design_model": "qwen3-tts-vd-realtime-2026-01-15",
    }
)


class OwnQuotaSettings(QuotaSettings):
    """How hard our own deployment is driven; a class of its own, so that setting one field leaves the others."""

    per_minute: Annotated[float, Field(gt=0)] = 600.0
    per_second: Annotated[float, Field(gt=0)] = 20.0
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    ramp_s: Annotated[float, Field(ge=0)] = 0.0


class QwenSettings(_Section):
    """The official Qwen API (DashScope); what its documents leave open is a setting here."""

    base_url: str = "https://dashscope-intl.aliyuncs.com"
    api_key: SecretStr | None = None  # DASHSCOPE_API_KEY is honoured when this is unset
    workspace: str | None = None
    region: str = "ap-southeast-1"
    account: str | None = None  # under which voices and spending are booked; default: the host
    generate_model: str = "qwen3-tts-flash"
    instruct_model: str = "qwen3-tts-instruct-flash"
    clone_model: str = "qwen3-tts-vc-2026-01-22"
    design_model: str = "qwen3-tts-vd-2026-01-26"
    enrolment_model: str = "qwen-voice-enrollment"
    voice_design_model: str = "qwen-voice-design"
    delivery: QwenDelivery = QwenDelivery.AS_CAPTURED
    realtime_mode: Literal["server_commit", "commit"] = "server_commit"  # who decides where a text is split
    allow_voice_creation: bool = False  # a voice costs money and fills an account that production shares
    voice_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,8}$")] = "cutover"  # what our voices' names begin with
    audio_hosts: str = r"dashscope-result-[a-z0-9-]+\.oss-[a-z0-9-]+\.aliyuncs\.com"  # full match
    more_voices: str = ""  # system voices that appeared since we listed them, separated by commas
    max_chars: int = 600  # raw or billed is not documented: we count raw characters
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 60.0  # the longest silence between two chunks
    deadline_s: float = 120.0  # for all attempts together
    max_attempts: Annotated[int, Field(ge=1)] = 3
    retry_share: Annotated[float, Field(ge=0, le=1)] = 0.2  # retries by first call, over all requests; three are free
    max_reply_bytes: int = 64 * 1024 * 1024
    quota: QuotaSettings = QuotaSettings()  # 180 a minute by providers.md A8
    budget_usd_per_day: Annotated[float, Field(ge=0)] | None = None  # of all replays under home together, here

    @model_validator(mode="before")
    @classmethod
    def _choose_realtime_models(cls, values: Any) -> Any:
        """The models of realtime, unless others are named."""
        if isinstance(values, dict) and values.get("delivery") == QwenDelivery.REALTIME:
            return {**_REALTIME_MODELS, **values}
        return values


class ModalDialect(StrEnum):
    """Which API the deployment speaks."""

    ENDPOINTS = "endpoints"  # clone, design, generate, jobs (providers.md B4)
    OPENAI = "openai"  # vLLM-Omni's /v1/audio/speech (providers.md B3)


class ModalSettings(_Section):
    """The legacy path: open Qwen3-TTS, self-hosted on Modal."""

    base_url: str | None = None
    # Modal gives each function a host of its own; these go before `base_url` (providers.md B4).
    clone_url: str | None = None
    design_url: str | None = None
    generate_url: str | None = None
    submit_url: str | None = None
    status_url: str | None = None
    result_url: str | None = None
    cancel_url: str | None = None
    health_url: str | None = None
    key: SecretStr | None = None
    secret: SecretStr | None = None
    api_key: SecretStr | None = None  # what vLLM itself asks for when started with --api-key
    account: str | None = None
    region: str = "us-east"
    model: str = "Qwen3-TTS-12Hz-1.7B-Base"
    gpu: str = "A10G"  # the row of data/prices.toml that its seconds cost
    # Beside its GPU a container is billed for these, the larger of reserved and used; 0 leaves them out of our bill.
    cpu_cores: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0  # physical ones
    memory_gib: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    price_factor: Annotated[float, Field(gt=0)] = 1.0  # 1.25 to 2.5 outside Modal's default regions (B5)
    scaledown_window_s: Annotated[float, Field(ge=0)] = 300.0  # how long a GPU goes on without work, and is billed
    dialect: ModalDialect = ModalDialect.ENDPOINTS
    # Longer cloned speech is submitted and polled. None: never, since what a poll rounds up counts as latency.
    submit_over_chars: Annotated[int, Field(ge=0)] | None = None
    poll_s: Annotated[float, Field(gt=0)] = 2.0
    health_every_s: Annotated[float, Field(ge=0)] = 300.0  # asking can start a GPU, and that is billed
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 160.0  # a request is held for up to 150 s before the 303
    deadline_s: float = 600.0
    max_attempts: Annotated[int, Field(ge=1)] = 2
    retry_share: Annotated[float, Field(ge=0, le=1)] = 0.2  # retries by first call, over all requests; three are free
    max_redirects: int = 30
    max_reply_bytes: int = 64 * 1024 * 1024
    quota: OwnQuotaSettings = OwnQuotaSettings()
    budget_usd_per_day: Annotated[float, Field(ge=0)] | None = None  # of all replays under home together, here


class ReplaySettings(_Section):
    """How a replay runs when the command line does not say otherwise."""

    concurrency: Annotated[int, Field(gt=0)] = 16  # captures under way at once, all their lanes
    repeat_share: Annotated[float, Field(ge=0, le=1)] = 0.25  # of captures whose control is sent twice
    extract_processes: Annotated[int, Field(ge=0)] = 0  # 0: one for each core
    budget_usd_per_day: Annotated[float, Field(ge=0)] | None = None  # of all replays under home together, by UTC day


class ModelSettings(_Section):
    """Who transcribes when speech is scored; other models need no setting."""

    transcriber: Literal["whisper", "endpoint", "none"] = "whisper"
    endpoint_url: str | None = None  # https://host/v1, of a server with /audio/transcriptions
    endpoint_key: SecretStr | None = None
    endpoint_model: str = "whisper-1"
    endpoint_concurrency: Annotated[int, Field(gt=0)] = 4
    endpoint_timeout_s: Annotated[float, Field(gt=0)] = 120.0  # for one sound


class FlagSettings(_Section):
    """Where flags come from, and what the environment sets in their place."""

    file: Path = PROJECT / "data" / "flags.toml"
    provider: str | None = None  # another OpenFeature provider, module:factory; then `file` is not read
    prefix: str = ""  # before the names of its flags
    salt: str = "cutover-1"  # of buckets, for a provider that has no place for one
    # "legacy", "shadow:1000", "canary:500", "qwen": replaces the flag of one operation; never exceeds the rollout
    generate: str | None = None
    clone: str | None = None
    design: str | None = None


class LimitSettings(_Section):
    """What one caller may ask for; more is answered 429."""

    requests_per_minute: Annotated[float, Field(gt=0)] = 600.0
    chars_per_minute: Annotated[float, Field(gt=0)] = 60_000.0  # billed characters
    voices_per_day: Annotated[float, Field(gt=0)] = 20.0
    concurrency: Annotated[int, Field(gt=0)] = 64  # requests under way at once
    max_chars: Annotated[int, Field(gt=0)] = 5_000  # of one text
    max_reference_bytes: Annotated[int, Field(gt=0)] = 10 * 1024 * 1024
    max_body_bytes: Annotated[int, Field(gt=0)] = 16 * 1024 * 1024


class ShadowSettings(_Section):
    """How much work copies may make."""

    # Answered requests that are copied or written down, on average and by all workers together; others are passed over.
    per_second: Annotated[float, Field(gt=0)] = 0.5
    queue: Annotated[int, Field(gt=0)] = 200  # copies that wait; one more is dropped and counted
    concurrency: Annotated[int, Field(gt=0)] = 8
    deadline_s: Annotated[float, Field(gt=0)] = 60.0
    budget_usd_per_day: Annotated[float, Field(ge=0)] = 5.0  # what copies may cost; 0: none are sent
    keep_days: Annotated[int, Field(ge=1)] = 30  # shadow and canary runs hold texts unmasked, and go after that
    # Copies are carried out by a process of their own, begun with the first one. False: within the gateway's, which
    # saves that process' memory and holds callers up by a millisecond now and then.
    own_process: bool = True


class CaptureSettings(_Section):
    """What is kept of real requests, and under which keys."""

    share_bp: Annotated[int, Field(ge=0, le=10_000)] = 0  # of requests the gateway records, in basis points
    policy: Literal["mask", "drop"] = "mask"  # what becomes of personal data in texts
    identity_key: SecretStr | None = None  # hex, 32 bytes; default: a key file under home, made on first use
    references_key: SecretStr | None = None  # hex, 32 bytes; likewise


class GatewaySettings(_Section):
    """The gateway, `cutover serve`."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    admin_host: str = "127.0.0.1"
    admin_port: Annotated[int, Field(ge=0, le=65_535)] = 8081
    admin_token: SecretStr | None = None  # what administration asks for; without one it answers reads only
    callers: Path | None = None  # API keys (hashed), by caller; default: gateway/callers.toml under home
    jwt_secret: SecretStr | None = None  # HS256
    jwt_public_key: Path | None = None  # RS256, PEM
    jwt_jwks_url: str | None = None  # RS256, fetched and cached
    jwt_audience: str | None = None
    jwt_issuer: str | None = None
    region: str | None = None  # under which consent must allow a voice to go to Qwen; default: Qwen's
    first_byte_s: Annotated[float, Field(gt=0)] = 8.0  # Qwen has this long before legacy answers instead
    deadline_s: Annotated[float, Field(gt=0)] = 120.0  # for a caller's whole request, fallback included
    drain_s: Annotated[float, Field(ge=0)] = 30.0  # what requests under way get when the gateway is told to end
    idempotency_s: Annotated[float, Field(gt=0)] = 86_400.0  # how long a key gives back the first answer
    # Seconds beyond which a call is slow: legacy's p95 by operation, from the verdict that the rollout rests on, frozen
    # so that a rollout cannot get used to slowness. None: nobody knows, and the rule for slow calls stays silent.
    slow_s_generate: Annotated[float, Field(gt=0)] | None = None
    slow_s_clone: Annotated[float, Field(gt=0)] | None = None
    slow_s_design: Annotated[float, Field(gt=0)] | None = None
    limits: LimitSettings = LimitSettings()
    shadow: ShadowSettings = ShadowSettings()


class NightlySettings(_Section):
    """`cutover nightly`, and where verdicts are told."""

    captures: Path | None = None  # what nights choose from, unless the command names a file
    limit: Annotated[int, Field(gt=0)] = 200  # captures a night
    budget_usd: Annotated[float, Field(gt=0)] | None = None  # the most a night may spend
    keep_days: Annotated[int, Field(ge=1)] = 90  # nights, their runs and reports are deleted after that
    webhook: SecretStr | None = None  # gets the verdict's Markdown; its address is its password
    notify_hosts: str = "api.github.com"  # hosts that may be told at all, separated by commas
    github_api: str = "https://api.github.com"
    github_token: SecretStr | None = None  # to comment on a pull request with; needs to write to issues
