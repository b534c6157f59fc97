"""Whether a live run could begin: settings, keys, prices, models, and whether both providers answer."""

from harness.doctor.check import Check, Mark
from harness.doctor.reaching import check_live
from harness.doctor.setup import check_settings
from harness.doctor.smoke import smoke

__all__ = ["Check", "Mark", "check_live", "check_settings", "smoke"]
