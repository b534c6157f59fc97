"""Whose the voices of an account are: in use by replays, left over from one, or none of our business.

The account is shared with production, so only what carries our name and is remembered nowhere may ever be deleted.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from harness.providers.dashscope import AccountVoice
from harness.providers.voices import VoiceKey

__all__ = ["Owner", "PoolVoice", "RememberedVoice", "sort_voices"]


class Owner(StrEnum):
    """Who needs a voice."""

    REPLAY = "replay"  # remembered: replays speak with it
    LEFT_OVER = "left over"  # made by a replay, as its name tells, and remembered by none
    OTHERS = "others"  # not made here
    GONE = "gone"  # remembered only: no longer in the account


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberedVoice:
    """What we know of a voice that we made."""

    key: VoiceKey
    used_at: datetime | None = None  # when it last spoke, or was made
    degraded: bool = False  # made in the provider's fallback mode


class PoolVoice(NamedTuple):
    """One voice of the account, or of our memory."""

    voice_id: str
    target_model: str | None
    made_at: str | None  # the provider's own words; the time zone is not documented
    owner: Owner
    used_at: datetime | None = None  # when it last spoke, as far as we remember, or was made
    degraded: bool = False  # made in the provider's fallback mode, as far as we remember


def sort_voices(
    listed: Iterable[AccountVoice], remembered: Mapping[str, RememberedVoice], *, prefix: str
) -> list[PoolVoice]:
    """Each voice with its owner, those of the account first and in its order.

    Args:
        listed: Voices of the account.
        remembered: Voices we made, by id.
        prefix: What the names of our voices begin with.
    """
    # The provider puts our name between the kind and the time: qwen-tts-vc-<name>-voice-<time>-<4 hex> (A5).
    ours = re.compile(rf"qwen-tts-v[cd]-{re.escape(prefix)}[0-9a-f]+-.*")
    found = []
    for voice in listed:
        known = remembered.get(voice.voice_id)
        if known is not None:
            found.append(PoolVoice(*voice, Owner.REPLAY, known.used_at, known.degraded))
        else:
            owner = Owner.LEFT_OVER if ours.fullmatch(voice.voice_id) else Owner.OTHERS
            found.append(PoolVoice(*voice, owner))
    there = {voice.voice_id for voice in found}
    gone = [(voice_id, known) for voice_id, known in remembered.items() if voice_id not in there]
    return found + [
        PoolVoice(voice_id, known.key.target_model, None, Owner.GONE, known.used_at) for voice_id, known in gone
    ]
