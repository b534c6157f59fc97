"""What can be set at a stand-in. The defaults are those of a test: free ports, a thousand times too fast, no faults."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

__all__ = ["Dialect", "ModalOptions", "QwenOptions", "StandinOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StandinOptions:
    """What both stand-ins take."""

    port: int = 0  # 0: any free one
    time_scale: float = 0.001  # how long a second of the real service takes here
    scenario: str = "healthy"  # a name from scenarios.SCENARIOS
    seed: int = 1
    account: Path | None = None  # keeps bill and voices; None forgets them at the end
    sound: tuple[str, ...] = ()  # knobs that change every voice, as `gain_db=6`; see harness.emulators.knobs
    faults: Path | None = None  # a script of faults to inject; see harness.emulators.faults


@dataclass(frozen=True, slots=True, kw_only=True)
class QwenOptions(StandinOptions):
    """What the stand-in for the official Qwen API takes; limits from providers.md A2, A5, A8."""

    audio_port: int = 0  # results lie on another host there, so on another port here
    api_key: str | None = None  # None accepts every key that looks like one (sk-…)
    region: str = "ap-southeast-1"
    region_keys: frozenset[tuple[str, str]] = frozenset()  # (region, key); then a key is good in its own region alone
    retired: frozenset[str] = frozenset()  # models that answer as if taken off
    requests_per_minute: float = 180.0  # by model, in the service's own minutes
    requests_per_second: float | None = None  # also by model; None: not enforced
    ramp_factor: float | None = None  # how many times the requests of the last ten seconds the next ten may bring
    max_chars: int | None = 600  # None: not enforced, which nobody has confirmed either way
    max_voices: int = 1_000
    url_lifetime_s: float = 86_400.0  # not scaled: a signed address carries the wall clock's time


class Dialect(StrEnum):
    """What is deployed on Modal; valued as the client's setting `dialect` that goes with it."""

    ENDPOINTS = "endpoints"  # an app of one's own (providers.md B4)
    VLLM = "openai"  # vLLM-Omni's server (B3)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModalOptions(StandinOptions):
    """What the stand-in for the legacy path takes; figures from providers.md B1, B2."""

    key: str | None = None  # with `secret`: proxy authorization is asked for
    secret: str | None = None
    dialect: Dialect = Dialect.ENDPOINTS
    api_key: str | None = None  # that of vLLM itself, beside Modal's; None asks for none
    model: str = "Qwen3-TTS-12Hz-1.7B-Base"  # a name from latency.DEPLOYMENTS
    hold_s: float = 150.0  # a request is held this long, then answered 303
    idle_window_s: float = 300.0  # without work for so long, the next request meets a cold start
    containers: int = 4  # with 10 inputs each, 32 requests at once do not queue
    max_inputs: int = 10
    results_kept_s: float = 7 * 86_400.0
