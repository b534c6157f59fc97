"""Which of 10,000 buckets somebody is in: always the same one, in every process and version of this program.

The hash is ours and frozen by golden values in the test: flag services have dealt their users anew with an upgrade.
"""

from hashlib import blake2b

from harness.flags.flagset import ALL_BP
from harness.speech import Voice, VoiceKind

__all__ = ["bucket_of", "is_sampled", "unit_of"]


def bucket_of(salt: str, unit_id: str) -> int:
    """The bucket of `unit_id`, from 0 to 9,999; whoever is below a share stays below any larger one."""
    # A lone surrogate, which JSON lets through, must not cost a caller the answer.
    name = f"{salt}:{unit_id}".encode(errors="surrogatepass")
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "big") * ALL_BP >> 64


def unit_of(voice: Voice | None, user_key: str | None) -> str | None:
    """What is assigned as one: the voice, so that it never changes its timbre between two calls, else the user.

    A preset voice is everybody's, so its users are told apart.

    Returns:
        None when there is neither; such requests go to legacy.
    """
    if voice is not None and voice.kind is not VoiceKind.PRESET and voice.id:
        return voice.id
    return user_key or None


def is_sampled(salt: str, request_id: str, share_bp: int) -> bool:
    """Whether a request is among the `share_bp` that are copied; independent of anybody's bucket."""
    return bucket_of(f"{salt}:copy", request_id) < share_bp
