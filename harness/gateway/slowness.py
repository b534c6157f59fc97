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

        By the provider's own time: a caller who reads slowly is waited for elsewhere (`Listener`).
        """
        limit_s = self._limits_s[operation]
        return None if limit_s is None else exchange.timing.service_s > limit_s
