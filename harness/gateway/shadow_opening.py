"""The shadow that the settings describe, whichever process it is opened in."""

from collections.abc import Mapping
from typing import Any

from harness.capturing.keys import open_keys
from harness.capturing.references import EncryptedBlobStore
from harness.clock import Clock
from harness.config import Settings
from harness.exchanges import Lane
from harness.gateway.control import kill_switch_of
from harness.gateway.copy_admission import Pace
from harness.gateway.courier import ShadowRoute
from harness.gateway.shadow import Shadow
from harness.gateway.voice_book import recordings_path
from harness.providers.catalogue import open_provider
from harness.providers.pricing import PriceList
from harness.rollout.live import LiveRollout
from harness.rollout.places import state_folder
from harness.rollout.state_file import StateFile
from harness.store.runs import audio_store

__all__ = ["shadow_of"]


def shadow_of(settings: Settings, lanes: Mapping[Lane, str], *, clock: Clock, processes: int) -> Shadow:
    """A shadow, not open yet, with providers of its own, so that nothing they do is felt by a caller.

    Args:
        settings: All settings.
        lanes: The providers that copies can go to.
        clock: Times and waits.
        processes: How many share the quotas and the day's budget.

    Raises:
        ConfigError: A setting or key cannot be used; says which.
    """
    quotas = {Lane.CONTROL: settings.modal.quota, Lane.CANDIDATE: settings.qwen.quota}
    regions = {
        Lane.CONTROL: settings.modal.region,
        Lane.CANDIDATE: settings.gateway.region or settings.qwen.region,
    }
    references = EncryptedBlobStore(recordings_path(settings.home), open_keys(settings))
    routes = {
        lane: ShadowRoute(
            provider=open_provider(name, settings, references=references, clock=clock),
            pace=Pace(quotas[lane], clock=clock, processes=processes),
            region=regions[lane],
        )
        for lane, name in lanes.items()
    }
    kill_switch = kill_switch_of(settings)
    rollout = LiveRollout(StateFile(state_folder(settings.home), clock=clock), kill_switch=kill_switch, clock=clock)
    price_version = PriceList.load(settings.prices).version
    return Shadow(
        routes,
        settings=settings.gateway.shadow,
        home=settings.home,
        blobs=audio_store(settings.home),
        clock=clock,
        kill_reason=kill_switch.reason,
        plan=lambda: _plan(rollout, price_version),
        processes=processes,
    )


def _plan(rollout: LiveRollout, price_version: str) -> dict[str, Any]:
    """What new runs of live exchanges are about."""
    epochs = {operation.value: each.epoch for operation, each in rollout.rollouts.of.items()}
    return {"price_version": price_version, "epochs": epochs}
