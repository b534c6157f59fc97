from datetime import datetime

import pytest

from harness.providers.dashscope import AccountVoice
from harness.providers.voice_pool import Owner, PoolVoice, RememberedVoice, sort_voices
from harness.providers.voices import VoiceKey
from tests.builders import NOON

KEY = VoiceKey(account="acme", region="r", target_model="qwen3-tts-vc-2026-01-22", source="a" * 64)


def remembered(used_at: datetime | None = None, *, degraded: bool = False) -> RememberedVoice:
    return RememberedVoice(key=KEY, used_at=used_at, degraded=degraded)


def listed(voice_id: str) -> AccountVoice:
    return AccountVoice(voice_id, "qwen3-tts-vc-2026-01-22", "2026-11-01 10:00:00")


@pytest.mark.parametrize(
    ("voice_id", "owner"),
    [
        ("qwen-tts-vc-cutover0123456ab-voice-20261101100000123-ab12", Owner.LEFT_OVER),
        ("qwen-tts-vd-cutover0123456ab-voice-20261101100000123-ab12", Owner.LEFT_OVER),
        ("qwen-tts-vc-brand_voice-voice-20261101100000123-ab12", Owner.OTHERS),
        ("qwen-tts-vc-cutover_team-voice-20261101100000123-ab12", Owner.OTHERS),
        ("qwen-tts-vc-mycutover012-voice-20261101100000123-ab12", Owner.OTHERS),
        ("cutover0123456ab", Owner.OTHERS),
    ],
)
def test_only_a_name_of_ours_makes_a_voice_ours(voice_id: str, owner: Owner) -> None:
    assert [voice.owner for voice in sort_voices([listed(voice_id)], {}, prefix="cutover")] == [owner]


def test_a_remembered_voice_is_in_use_whatever_its_name() -> None:
    found = sort_voices(
        [listed("qwen-tts-vc-old-voice-1")], {"qwen-tts-vc-old-voice-1": remembered()}, prefix="cutover"
    )

    assert [voice.owner for voice in found] == [Owner.REPLAY]


def test_a_remembered_voice_that_the_account_does_not_have_is_gone() -> None:
    found = sort_voices([], {"v1": remembered(NOON)}, prefix="cutover")

    assert found == [PoolVoice("v1", "qwen3-tts-vc-2026-01-22", None, Owner.GONE, NOON)]


def test_another_prefix_is_another_teams() -> None:
    voice = listed("qwen-tts-vc-cutover0123456ab-voice-1-ab12")

    assert sort_voices([voice], {}, prefix="other")[0].owner is Owner.OTHERS


def test_a_voice_of_the_degraded_mode_is_marked() -> None:
    known = {"v-1": remembered(), "v-2": remembered(degraded=True)}
    found = sort_voices([listed("v-1"), listed("v-2")], known, prefix="cutover")

    assert [voice.degraded for voice in found] == [False, True]


def test_a_remembered_voice_tells_when_it_last_spoke() -> None:
    found = sort_voices([listed("v-1"), listed("v-2")], {"v-1": remembered(NOON)}, prefix="cutover")

    assert [voice.used_at for voice in found] == [NOON, None]
