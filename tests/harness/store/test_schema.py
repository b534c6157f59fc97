import re
from pathlib import Path

from harness.store.database import open_db
from harness.store.schema import TABLES, VIEWS, ddl

# Copied from the design: the tables and columns that others rely on.
PROMISED = {
    "run": "run_id kind started_at ended_at capture_sha256 plan_sha256 seed code_version price_version status",
    "captures": "capture_id captured_at operation language text text_chars billed_chars voice_kind voice_id segment "
    "user_key cluster observed_provider observed_total_s",
    "exchanges": "run_id capture_id repetition lane provider model region operation position outcome provider_code "
    "provider_request_id attempts due_at admitted_at sent_at queued_s connect_s first_byte_s first_audio_s download_s "
    "service_s from_due_s cold redirect_hops audio_sha256 audio_bytes sample_rate_hz billed_units unit cost_usd "
    "cost_basis metadata",
    "features": "audio_sha256 extractor_version duration_s loudness_lufs clipped_share f0_median_hz",
    "gates": "gate outcome estimate low high reason forecast evidence_epoch counts",
    "verdicts": "operation decision reason evidence_epoch",
    "votes": "vote_id run_id capture_id preferred",
}


def built(path: Path) -> Path:
    with open_db(path, read_only=False) as database:
        for statement in ddl():
            database.execute(statement)
    return path


def test_the_promised_tables_and_columns_are_there(tmp_path: Path) -> None:
    for table, columns in PROMISED.items():
        assert set(columns.split()) <= set(TABLES[table].names), table


def test_every_column_says_what_it_means_inside_the_file(tmp_path: Path) -> None:
    with open_db(built(tmp_path / "run.duckdb")) as database:
        rows = database.execute(
            "SELECT table_name, column_name, comment FROM duckdb_columns() "
            "WHERE NOT internal AND table_name IN (SELECT table_name FROM duckdb_tables())"
        ).fetchall()

    assert len(rows) == sum(len(table.columns) for table in TABLES.values())
    assert [row for row in rows if not row[2]] == []


def test_pairs_hold_both_sides_and_what_was_measured_on_each(tmp_path: Path) -> None:
    with open_db(built(tmp_path / "run.duckdb")) as database:
        columns = {name: [row[0] for row in database.execute(f"DESCRIBE {name}").fetchall()] for name in VIEWS}

    assert {"control_service_s", "candidate_service_s", "candidate_duration_s", "text"} <= set(columns["pairs"])
    assert {"control_service_s", "repeat_service_s", "repeat_duration_s"} <= set(columns["noise_pairs"])
    assert all(len(names) == len(set(names)) for names in columns.values())


def test_seconds_carry_their_unit_in_the_name() -> None:
    times = [
        c.name for table in TABLES.values() for c in table.columns if re.search(r"second|length|how long", c.meaning)
    ]

    assert [name for name in times if not name.endswith("_s")] == []
