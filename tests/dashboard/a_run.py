"""A sealed run to look at: a few dozen captures down three lanes, seeded, with sound for some pairs."""

import io
import json
import math
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from harness.store.blobs import BlobStore
from harness.store.database import open_db
from harness.store.runs import Run, audio_store
from harness.store.schema import SCHEMA_VERSION, TABLES, ddl
from tests.builders import NOON

OPERATIONS = ("generate", "clone", "design")
LANES = {"control": "modal", "candidate": "qwen", "repeat": "modal"}
LANGUAGES = ("en", "zh", "de", "ja")
HOSTILE_TEXT = "![seen](https://evil.invalid/x) <script>alert(1)</script> =1+1"

Row = dict[str, Any]


def a_run(
    home: Path,
    *,
    run_id: str = "20261123T120000Z-abc123",
    captures: int = 36,
    seed: int = 1,
    kind: str = "demo",
    decision: str = "no-go",
    slowdown: float = 1.0,
    failures: float = 0.06,
    features: bool = True,
    judged: bool = True,
    interrupted: bool = False,
    sounding_pairs: int = 2,
    text: str | None = None,
) -> Run:
    """A sealed run under `home`.

    Args:
        home: What `CUTOVER_HOME` names.
        run_id: The run's name; names sort by time.
        captures: For each operation.
        seed: Drives everything that varies.
        kind: What the `run` row says.
        decision: Of the verdict over all operations; `generate` decides it.
        slowdown: How much slower the candidate is than the control.
        failures: Share of the candidate's legs that fail; the control fails a third as often.
        features: Whether anything was measured.
        judged: Whether there is a verdict.
        interrupted: Leaves the last legs of each operation without an outcome.
        sounding_pairs: How many pairs of each operation have audio in the store.
        text: Of every capture; None takes a sentence of its own for each.
    """
    folder = home / "runs" / run_id
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(folder)
    run.journal.write_text("a plan\n")  # a folder without one is no run
    dice = random.Random(seed)
    blobs = audio_store(home)
    rows: dict[str, list[Row]] = {name: [] for name in TABLES}
    for operation in OPERATIONS:
        for number in range(captures):
            capture = _a_capture(operation, number, dice, text)
            rows["captures"].append(capture)
            lanes = [lane for lane in LANES if lane != "repeat" or number % 3 == 0]
            if interrupted and number == captures - 1:
                lanes = ["control"]
            for lane in lanes:
                share = failures if lane == "candidate" else failures / 3
                factor = slowdown if lane == "candidate" else 1.0
                failed = sounding_pairs <= number and dice.random() < share
                feature = None if failed else _a_feature(capture, lane, dice)
                exchange = _an_exchange(run_id, capture, lane, dice, factor, feature)
                if feature:
                    if number < sounding_pairs:
                        _give_sound(blobs, exchange, feature, lane, dice)
                    rows["features"].append(feature)
                rows["exchanges"].append(exchange)
    planned = len(rows["exchanges"]) + (len(OPERATIONS) if interrupted else 0)
    rows["run"] = [_the_run(run_id, kind, seed, planned, interrupted)]
    if not features:
        rows["features"] = []
    if judged:
        rows["verdicts"] = list(_the_verdicts(run_id, decision))
        rows["gates"] = list(_the_gates(run_id, decision))
    publish(run, rows)
    return run


def publish(run: Run, rows: Mapping[str, Sequence[Row]]) -> None:
    """Write `rows` as a sealed file and put it in place in one step, as a seal does."""
    temporary = run.path / ".run.duckdb.building"
    temporary.write_bytes(_empty_database())
    with open_db(temporary, read_only=False) as database:
        database.execute("BEGIN")  # one write to disk for all of it
        for name, table_rows in rows.items():
            if table_rows:
                names = TABLES[name].names
                with database.appender(name) as appender:
                    appender.append_rows([tuple(row.get(column) for column in names) for row in table_rows])
        database.execute("COMMIT")
        database.execute("CHECKPOINT")
    temporary.chmod(0o444)
    temporary.replace(run.database)


@cache
def _empty_database() -> bytes:
    """The schema without a row: made once, as its many comments take a while."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "empty.duckdb"
        with open_db(file, read_only=False) as database:
            database.execute("BEGIN")
            for statement in ddl():
                database.execute(statement)
            database.execute("COMMIT")
            database.execute("CHECKPOINT")
        return file.read_bytes()


def _the_run(run_id: str, kind: str, seed: int, planned: int, interrupted: bool) -> Row:
    return {
        "run_id": run_id,
        "kind": kind,
        "started_at": NOON,
        "ended_at": NOON + timedelta(minutes=2),
        "capture_sha256": "c" * 64,
        "plan_sha256": "d" * 64,
        "seed": seed,
        "code_version": "0.1.0",
        "price_version": "e" * 64,
        "status": "interrupted" if interrupted else "complete",
        "planned": planned,
        "schema_version": SCHEMA_VERSION,
    }


def _a_capture(operation: str, number: int, dice: random.Random, text: str | None) -> Row:
    said = text or f"Sentence {number} of the {operation} captures" + ", and on it goes" * dice.randrange(8) + "."
    voice = f"voice-{number % 7}"
    return {
        "capture_id": f"{operation}-{number:04d}",
        "captured_at": NOON,
        "operation": operation,
        "language": LANGUAGES[number % len(LANGUAGES)],
        "text": said,
        "text_chars": len(said),
        "billed_chars": len(said),
        "voice_kind": "preset" if operation == "generate" else operation,
        "voice_id": voice,
        "cluster": voice,
    }


def _a_feature(capture: Row, lane: str, dice: random.Random) -> Row:
    pace = {"control": 15.0, "candidate": 15.6, "repeat": 15.0}[lane] * math.exp(dice.gauss(0, 0.04))
    duration_s = capture["text_chars"] / pace
    shift = 0.6 if lane == "candidate" else 0.0
    return {
        "audio_sha256": dice.randbytes(32).hex(),
        "extractor_version": "x1",
        "outcome": "ok",
        "duration_s": duration_s,
        "sample_rate_hz": 24_000,
        "channels": 1,
        "active_s": duration_s * 0.9,
        "active_share": 0.9,
        "leading_silence_s": abs(dice.gauss(0.1, 0.03)),
        "trailing_silence_s": abs(dice.gauss(0.2, 0.05)),
        "longest_silence_s": abs(dice.gauss(0.3, 0.1)),
        "loudness_lufs": -20 + shift + dice.gauss(0, 0.5),
        "peak_db": -3 + dice.gauss(0, 0.5),
        "clipped_share": 0.0,
        "centroid_hz": 1_800 * math.exp(dice.gauss(0, 0.05)),
        "rolloff_hz": 3_600 * math.exp(dice.gauss(0, 0.05)),
        "bandwidth_hz": 1_500 * math.exp(dice.gauss(0, 0.05)),
        "flatness": 0.02,
        "f0_median_hz": 180 * math.exp(dice.gauss(0, 0.03)),
        "f0_iqr_semitones": 4 + dice.gauss(0, 0.4),
        "voiced_share": 0.7,
        "mfcc_mean": [dice.gauss(shift, 2) for _ in range(13)],
        "pcm_sha256": dice.randbytes(32).hex(),
        "more": json.dumps({"chars_per_s": pace}),
    }


def _an_exchange(run_id: str, capture: Row, lane: str, dice: random.Random, factor: float, feature: Row | None) -> Row:
    provider = LANES[lane]
    service_s = factor * (0.3 + capture["text_chars"] / 120) * math.exp(dice.gauss(0, 0.35))
    kind, code = dice.choice([("timeout_total", None), ("overloaded", "503"), ("bad_response", "InvalidReply")])
    exchange: Row = {
        "run_id": run_id,
        "capture_id": capture["capture_id"],
        "repetition": 0,
        "lane": lane,
        "provider": provider,
        "model": "qwen3-tts-flash" if provider == "qwen" else "Qwen3-TTS-12Hz-1.7B-Base",
        "region": "ap-southeast-1" if provider == "qwen" else "us-east",
        "operation": capture["operation"],
        "position": 0,
        "outcome": "ok" if feature else kind,
        "provider_code": None if feature else code,
        "detail": None if feature else "no whole reply before the deadline",
        "provider_request_id": dice.randbytes(8).hex(),
        "attempts": 1 if feature else 3,
        "due_at": NOON,
        "admitted_at": NOON,
        "sent_at": NOON,
        "queued_s": 0.01,
        "service_s": service_s,
        "first_byte_s": service_s * 0.9,
        "from_due_s": service_s + 0.01,
        "billed_units": float(capture["billed_chars"]),
        "unit": "characters" if provider == "qwen" else "gpu_s",
        "cost_usd": capture["billed_chars"] * (0.00001 if provider == "qwen" else 0.000014) if feature else None,
        "cost_basis": "reported characters" if provider == "qwen" else "measured gpu seconds",
        "metadata": "{}",
    }
    if feature:
        exchange |= {
            "audio_sha256": feature["audio_sha256"],
            "audio_bytes": 1,
            "audio_extension": "wav",
            "sample_rate_hz": 24_000,
        }
    return exchange


def _give_sound(blobs: BlobStore, exchange: Row, feature: Row, lane: str, dice: random.Random) -> None:
    """Put a burst of tone and noise into the store in place of the made-up hash."""
    data = a_sound(pitch_hz=140 if lane == "candidate" else 170, seed=dice.randrange(2**31))
    sha256 = blobs.put(data, "wav")
    feature["audio_sha256"] = exchange["audio_sha256"] = sha256
    exchange["audio_bytes"] = len(data)


def a_sound(*, pitch_hz: float, seconds: float = 1.2, rate_hz: int = 16_000, seed: int = 0) -> bytes:
    """A WAV of voiced bursts with pauses between them: enough like speech to look at."""
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    glide = pitch_hz * (1 + 0.15 * np.sin(2 * np.pi * 0.9 * t))
    phase = 2 * np.pi * np.cumsum(glide) / rate_hz
    voiced = sum(np.sin(k * phase) / k for k in range(1, 12))
    envelope = np.clip(np.sin(2 * np.pi * 2.5 * t), 0, None) ** 0.5
    noise = np.random.default_rng(seed).normal(0, 0.02, t.size)
    file = io.BytesIO()
    soundfile.write(file, 0.2 * voiced * envelope + noise * envelope, rate_hz, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _the_verdicts(run_id: str, decision: str) -> Iterator[Row]:
    reasons = {
        "go": "Every gate passed on enough pairs.",
        "no-go": "generate: 3.1 points more of the candidate's requests failed, and at most 1.0 is allowed.",
        "inconclusive": "generate: about 400 more pairs are needed before p95 latency can be told.",
        "invalid": "generate: only 91.2 % of captures have an outcome in both lanes.",
    }
    for operation in (None, *OPERATIONS):
        own = decision if operation in (None, "generate") else "go"
        yield {
            "run_id": run_id,
            "operation": operation,
            "decision": own,
            "reason": reasons[own],
            "judged_at": NOON + timedelta(minutes=3),
            "thresholds": "thresholds.toml",
            "thresholds_sha256": "f" * 64,
            "evidence_epoch": "0" * 64,
        }


# gate, unit, limit, estimate, half width
_GATES = (
    ("error_rate", "pp", 1.0, 0.2, 0.5),
    ("latency_p95", "ratio", 1.1, 1.02, 0.05),
    ("very_slow", "pp", 1.0, 0.1, 0.4),
    ("duration_ratio", "pp", 2.0, 0.4, 0.9),
    ("silence", "pp", 1.0, 0.0, 0.6),
    ("clipping", "pp", 1.0, 0.1, 0.5),
    ("broken_voices", "pp", 20.0, 0.0, 0.0),
    ("cost_per_1k_chars", "usd_per_1k_chars", 0.015, 0.0115, 0.0004),
)


def _the_gates(run_id: str, decision: str) -> Iterator[Row]:
    outcome_of = {"go": "pass", "no-go": "fail", "inconclusive": "inconclusive", "invalid": "invalid"}
    for operation in OPERATIONS:
        for name, unit, limit, estimate, half in _GATES:
            deciding = operation == "generate" and name == "error_rate"
            outcome = outcome_of[decision] if deciding else "pass"
            shift = {"fail": 2.9, "inconclusive": 0.5}.get(outcome, 0.0)
            yield {
                "run_id": run_id,
                "operation": operation,
                "gate": name,
                "outcome": outcome,
                "blocking": name != "clipping",
                "estimate": None if outcome == "invalid" else estimate + shift,
                "low": None if outcome == "invalid" else estimate + shift - half,
                "high": None if outcome == "invalid" else estimate + shift + half,
                "limit_value": limit,
                "unit": unit,
                "counts": json.dumps({"pairs": 400, "candidate_only": 5, "control_only": 4}),
                "reason": f"{name}: {outcome} on 400 pairs.",
                "forecast": "about 400 more pairs" if outcome == "inconclusive" else None,
                "evidence_epoch": "0" * 64,
            }
