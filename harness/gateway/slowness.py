"""Which calls are slow, by the limits that were frozen when the rollout began."""

from harness.exchanges import Exchange
from harness.sections import GatewaySettings
from harness.speech import Operation

__all__ = ["Slowness"]


class Slowness:
    """Legacy's p95 by operation, in seconds; the same comparison as in runs that are judged afterwards."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._limits_s = {
            Operation.GENERATE: settings.slow_s_generate,
            Operation.CLONE: settings.slow_s_clone,
            Operation.DESIGN: settings.slow_s_design,
        }

    def of(self, exchange: Exchange, operation: Operation) -> bool | None:
        """Whether a call for this operation took too long; None where no limit is known.

        A caller who reads slowly holds up a stream, and the provider is not to blame for that.
        """
        limit_s = self._limits_s[operation]
        return None if limit_s is None else exchange.timing.service_s - _listener_s(exchange) > limit_s


def _listener_s(exchange: Exchange) -> float:
    """Seconds for which the provider's stream waited for its listener."""
    waited_s = exchange.facts.get("listener_waited_s", 0.0)
    return waited_s if isinstance(waited_s, float) else 0.0
