"""A verdict as a record that can be checked later: what it rests on by hash, all its numbers, and a signature.

A record holds the thresholds themselves. Whoever has the runs can judge again and see every number that differs.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final, NamedTuple

from analysis.estimates import BOOTSTRAP_SEED
from analysis.evidence import read_evidence
from analysis.judge import Judgement, judge
from analysis.report import view_of
from analysis.thresholds import Thresholds
from harness.errors import StoreError, UsageError
from harness.store.database import open_db
from harness.store.runs import Run, find_run

__all__ = ["Check", "attest", "check"]

Record = dict[str, Any]

_SCHEMA: Final = 1
_RUN_FACTS: Final = ("capture_sha256", "plan_sha256", "price_version", "seed", "code_version")
_MOST_DIFFERENCES: Final = 20


class Check(NamedTuple):
    """What became of checking a record."""

    signed_by: str | None  # fingerprint of the key whose signature holds; None when it is not signed
    differences: list[str]  # empty: every number came out the same


def attest(judgement: Judgement, runs: Sequence[Run], *, settings: str, key: Path | None) -> Record:
    """The record of a judgement.

    Args:
        judgement: What was judged.
        runs: The runs it was judged on.
        settings: Hash of the settings in force.
        key: PEM file of an Ed25519 private key; None leaves the record unsigned.

    Raises:
        UsageError: The key cannot be used.
    """
    document: Record = {
        "schema": _SCHEMA,
        "verdict": view_of(judgement),
        "inputs": {
            "runs": sorted((_run_facts(run) for run in runs), key=lambda facts: str(facts["run_id"])),
            "thresholds": judgement.thresholds.text,
            "settings_sha256": settings,
            "bootstrap_seed": BOOTSTRAP_SEED,
            "judged_by": metadata.version("voice-cutover"),
        },
    }
    return {**document, "signature": None if key is None else _sign(document, key)}


def check(path: Path, home: Path, *, trusted: Path | None = None) -> Check:
    """Judge again what a record says was judged, and list what differs.

    Args:
        path: The record.
        home: Where the runs are.
        trusted: PEM file of the public key it must be signed with; None accepts whichever signed it.

    Raises:
        UsageError: The record cannot be read, or a run it names is not here.
        StoreError: Its signature does not hold, or is not by the trusted key.
    """
    record = _read(path)
    signed_by = _verify(path, record, trusted)
    inputs = record["inputs"]
    runs = [find_run(home, facts["run_id"]) for facts in inputs["runs"]]
    now = {facts["run_id"]: facts for facts in map(_run_facts, runs)}
    differences = list(_differences(inputs["runs"], [now[facts["run_id"]] for facts in inputs["runs"]], "runs"))
    name = record["verdict"]["thresholds"]["name"]
    thresholds = Thresholds.parse(inputs["thresholds"].encode(), name=name, place=f"{path}: thresholds")
    again = view_of(judge(read_evidence(runs, thresholds.features), thresholds))
    differences += _differences(record["verdict"], json.loads(json.dumps(again)), "verdict")
    return Check(signed_by, differences[:_MOST_DIFFERENCES])


def _run_facts(run: Run) -> Record:
    """A run by hash: its journal and features are all that its database is built from."""
    query = f"SELECT {', '.join(_RUN_FACTS)} FROM run"  # noqa: S608 - names from the list above
    with open_db(run.database) as database:
        row = database.execute(query).fetchone() or ()
    files = {f"{path.stem}_sha256": _sha256(path) for path in (run.journal, run.features)}
    return {"run_id": run.id, **dict(zip(_RUN_FACTS, row, strict=True)), **files}


def _sha256(path: Path) -> str | None:
    if not path.exists():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> Record:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        has_parts = {"verdict", "inputs", "signature"} <= set(record) and record["schema"] == _SCHEMA
    except (OSError, ValueError, TypeError, KeyError):
        has_parts = False
    if not has_parts:
        raise UsageError(f"{path}: not a decision record; `cutover verdict --record FILE` writes one")
    return dict(record)


def _canonical(document: Mapping[str, Any]) -> bytes:
    """The bytes that are signed: keys sorted, nothing between them."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _sign(document: Record, path: Path) -> Record:
    # Loads OpenSSL, which an unsigned record has no use for.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{path}: no Ed25519 private key; `openssl genpkey -algorithm ed25519 -out FILE` makes one")
    public = key.public_key().public_bytes_raw()
    return {
        "algorithm": "ed25519",
        "public_key": base64.b64encode(public).decode(),
        "value": base64.b64encode(key.sign(_canonical(document))).decode(),
    }


def _verify(path: Path, record: Record, trusted: Path | None) -> str | None:
    """The fingerprint of the key that signed the record."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    signature = record["signature"]
    if signature is None:
        if trusted is not None:
            raise StoreError(f"{path}: not signed, and {trusted} is asked for")
        return None
    try:
        public = base64.b64decode(signature["public_key"])
        value = base64.b64decode(signature["value"])
        document = {key: part for key, part in record.items() if key != "signature"}
        Ed25519PublicKey.from_public_bytes(public).verify(value, _canonical(document))
    except (InvalidSignature, ValueError, TypeError, KeyError):
        raise StoreError(f"{path}: the signature does not hold; the record was changed after it was signed") from None
    if trusted is not None and public != _public_key(trusted):
        raise StoreError(f"{path}: signed, but not with the key of {trusted}")
    return hashlib.sha256(public).hexdigest()


def _public_key(path: Path) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"{path}: no Ed25519 public key; `openssl pkey -in PRIVATE -pubout -out FILE` makes one")
    return key.public_bytes_raw()


def _differences(recorded: Any, found: Any, place: str) -> Iterator[str]:
    """Every value that is not the same, with its place."""
    if isinstance(recorded, dict) and isinstance(found, dict):
        for key in sorted(recorded.keys() | found.keys()):
            yield from _differences(recorded.get(key), found.get(key), f"{place}.{key}")
    elif isinstance(recorded, list) and isinstance(found, list) and len(recorded) == len(found):
        for number, (before, after) in enumerate(zip(recorded, found, strict=True)):
            yield from _differences(before, after, f"{place}.{number}")
    elif recorded != found:
        yield f"{place}: recorded {_short(recorded)}, found {_short(found)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
