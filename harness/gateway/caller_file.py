"""Who may call the gateway: API keys by their SHA-256, and limits of single callers, in a TOML file.

    schema = 1
    [[key]]
    caller = "app"          # several keys may name one caller: that is how a key is replaced without a gap
    id = "k-3f9a01"         # names the key to people; no secret
    sha256 = "…"            # of a random key of 256 bits, so a plain hash cannot be guessed backwards
    made_at = "2026-11-23T10:00:00+00:00"
    [limits.app]
    requests_per_minute = 60

Changing the file keeps what people wrote around it: a key is appended, or its table cut out.
"""

import fcntl
import hashlib
import os
import re
import secrets
import tomllib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.config import LimitSettings
from harness.errors import ConfigError, UsageError
from harness.flags.watched import MAX_BYTES

__all__ = ["KEY_PREFIX", "CallerBook", "CallerKey", "add_key", "hash_key", "parse_callers", "remove_key"]

KEY_PREFIX: Final = "ck-"  # tells an API key from a JWT, and a scan for lost secrets what to look for
_KEY_BYTES: Final = 32
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}"


class CallerKey(BaseModel):
    """One API key, without the key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    caller: Annotated[str, Field(pattern=rf"^{_NAME}\z")]
    id: Annotated[str, Field(pattern=rf"^{_NAME}\z")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}\z")]
    made_at: datetime


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    schema_version: Annotated[int, Field(alias="schema", strict=True, ge=1, le=1)]
    key: tuple[CallerKey, ...] = ()
    limits: dict[str, dict[str, Any]] = {}


class CallerBook:
    """The keys and limits of one content of the file."""

    def __init__(self, keys: tuple[CallerKey, ...] = (), limits: Mapping[str, LimitSettings] | None = None) -> None:
        self.keys = keys
        self.limits: Mapping[str, LimitSettings] = MappingProxyType(dict(limits or {}))
        self.by_hash: Mapping[str, CallerKey] = MappingProxyType({key.sha256: key for key in keys})


def hash_key(key: str) -> str:
    """The SHA-256 under which a key is stored."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


def parse_callers(content: bytes, *, name: str, base: LimitSettings) -> CallerBook:
    """The keys and limits in `content`.

    Args:
        content: Bytes of a caller file.
        name: What to call it in messages.
        base: The limits of a caller who has none of its own; a table of limits changes single ones.

    Raises:
        ConfigError: It is cut off, no TOML, or holds an unknown key or an unusable value; says which.
    """
    if content and not content.endswith(b"\n"):
        raise ConfigError(f"{name}: ends within a line, as a half-written file does; write it anew")
    try:
        table = _File.model_validate(tomllib.loads(content.decode()))
        limits = {caller: _limits(base, own, f"{name}: [limits.{caller}]") for caller, own in table.limits.items()}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{name}: not valid TOML: {str(error) or 'nested too deeply'}") from None
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise ConfigError(f"{name}: {where}: {problem['msg']}") from None
    ids = [key.id for key in table.key]
    if len(set(ids)) < len(ids):
        raise ConfigError(f"{name}: two keys have one id; give each its own")
    return CallerBook(table.key, limits)


def _limits(base: LimitSettings, own: dict[str, Any], where: str) -> LimitSettings:
    try:
        return LimitSettings.model_validate({**base.model_dump(), **own})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in problem["loc"])
        raise ConfigError(
            f"{where} {key}: {problem['msg']}; valid are {', '.join(LimitSettings.model_fields)}"
        ) from None


def add_key(path: Path, caller: str, *, now: datetime) -> tuple[CallerKey, str]:
    """Make a key for `caller` and write its hash into the file, which is made when missing.

    Returns:
        What was written, and the key itself, which is kept nowhere.

    Raises:
        UsageError: The name cannot be one.
        ConfigError: The file cannot be used or written.
    """
    if not re.fullmatch(_NAME, caller):
        raise UsageError(f"{caller!r} cannot name a caller; use up to 64 letters, digits and . _ @ -")
    key = KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    made = CallerKey(caller=caller, id=f"k-{secrets.token_hex(4)}", sha256=hash_key(key), made_at=now)
    table = (
        f'\n[[key]]\ncaller = "{made.caller}"\nid = "{made.id}"\nsha256 = "{made.sha256}"\n'
        f'made_at = "{made.made_at.isoformat(timespec="seconds")}"\n'
    )
    _edit(path, lambda text: (text or "schema = 1\n") + table)
    return made, key


def remove_key(path: Path, key_id: str) -> None:
    """Cut the key of this id out of the file; it stops working within a second.

    Raises:
        UsageError: There is no such key.
        ConfigError: The file cannot be used or written.
    """

    def without(text: str) -> str:
        tables = re.split(r"(?m)^(?=(?:[ \t]*(?:#.*)?\n)*[ \t]*\[)", text)  # a comment goes with what follows it
        kept = [table for table in tables if not _is_key(table, key_id)]
        if len(kept) == len(tables):
            raise UsageError(f"{path}: holds no key {key_id}; `cutover callers list` shows all")
        return "".join(kept)

    _edit(path, without)


def _is_key(table: str, key_id: str) -> bool:
    if not re.match(r"[ \t]*\[\[\s*key\s*\]\]", table):
        return False
    (found,) = tomllib.loads(table)["key"]
    return bool(found.get("id") == key_id)


def _edit(path: Path, change: Callable[[str], str]) -> None:
    """Replace the file by what `change` makes of it, one change at a time and never half."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with path.with_name(f".{path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            # Checked before and after, so that neither a broken file grows nor a good one breaks.
            parse_callers(text.encode() or b"schema = 1\n", name=str(path), base=LimitSettings())
            content = change(text).encode()
            parse_callers(content, name=str(path), base=LimitSettings())
            if len(content) > MAX_BYTES:
                raise ConfigError(f"{path}: would grow beyond {MAX_BYTES} bytes; revoke keys, or hand out JWTs")
            _replace(path, content)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; CUTOVER_GATEWAY__CALLERS names the file of callers") from None


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
