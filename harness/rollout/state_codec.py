"""The rollout's state as JSON, with a checksum: a flipped bit must not turn 5 % into 25 %."""

import json
import zlib
from dataclasses import replace
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from harness.errors import StoreError
from harness.rollout.stage import Rollouts

__all__ = ["dump_rollouts", "load_rollouts", "pack", "unpack"]

_SCHEMA: Final = 1
_ROLLOUTS: Final = TypeAdapter(Rollouts)


def dump_rollouts(rollouts: Rollouts) -> dict[str, Any]:
    """The state as plain JSON values."""
    # pydantic writes no read-only mapping.
    plain: dict[str, Any] = _ROLLOUTS.dump_python(replace(rollouts, of=dict(rollouts.of)), mode="json")
    return plain


def load_rollouts(plain: object, *, name: str) -> Rollouts:
    """The state that `dump_rollouts` made.

    Raises:
        StoreError: It is none.
    """
    try:
        return _ROLLOUTS.validate_python(plain)
    except ValidationError as error:
        raise StoreError(f"{name}: holds no state of a rollout ({error.error_count()} problems)") from None


def pack(rollouts: Rollouts) -> bytes:
    """The content of a state file."""
    plain = dump_rollouts(rollouts)
    return json.dumps({"schema": _SCHEMA, "crc32": _checksum(plain), "rollouts": plain}, indent=1).encode() + b"\n"


def unpack(content: bytes, *, name: str) -> Rollouts:
    """The state in a state file.

    Raises:
        StoreError: It is damaged, cut off, or of another version of this program.
    """
    try:
        table = json.loads(content)
        schema, checksum, plain = table["schema"], table["crc32"], table["rollouts"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise StoreError(f"{name}: is damaged; any `cutover rollout` change writes it anew from its log") from None
    if schema != _SCHEMA:
        raise StoreError(f"{name}: schema is {schema}, this version reads {_SCHEMA}")
    if checksum != _checksum(plain):
        raise StoreError(f"{name}: does not match its checksum; any `cutover rollout` change writes it anew")
    return load_rollouts(plain, name=name)


def _checksum(plain: object) -> str:
    return f"{zlib.crc32(json.dumps(plain, sort_keys=True, separators=(',', ':')).encode()):08x}"
