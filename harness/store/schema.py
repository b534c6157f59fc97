"""The tables of a sealed run, and what each column means.

Tables are the contract between `replay`, which fills captures and exchanges, and `analysis`, which fills features and
reads pairs. All times are UTC. A column that is added is appended here with its meaning and a higher
`SCHEMA_VERSION`; readers join old and new files with `UNION ALL BY NAME`, so a file is never altered once sealed.
"""

from dataclasses import dataclass
from typing import Final

__all__ = ["SCHEMA_VERSION", "TABLES", "VIEWS", "Column", "Table", "ddl"]

SCHEMA_VERSION: Final = 4


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name (with the unit), its DuckDB type, and what it means."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table, its columns in order, and what one row is."""

    name: str
    row: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)


_RUN = Table(
    "run",
    "the run this file holds; exactly one row",
    (
        Column("run_id", "VARCHAR", "name of the run, begins with its start in UTC"),
        Column("kind", "VARCHAR", "replay, shadow, canary or demo"),
        Column("started_at", "TIMESTAMP", "when the plan was written"),
        Column("ended_at", "TIMESTAMP", "last record of the journal"),
        Column("capture_sha256", "VARCHAR", "hash of the capture file as it was read"),
        Column("plan_sha256", "VARCHAR", "hash of captures, selection, lanes, seed, providers, prices"),
        Column("seed", "BIGINT", "drives order of lanes and choice of repeats"),
        Column("code_version", "VARCHAR", "version of cutover that ran it"),
        Column("price_version", "VARCHAR", "hash of the price file in force"),
        Column("status", "VARCHAR", "complete, or interrupted when planned legs lack an outcome"),
        Column("planned", "BIGINT", "legs planned; equals the rows of exchanges when complete"),
        Column("schema_version", "INTEGER", "version of this schema"),
        Column("pacing", "VARCHAR", "when captures were due; AtOnce(): as fast as our own limits allow; null: unknown"),
        Column(
            "held_back_share",
            "DOUBLE",
            "legs that we let out over 0.1 s after they were due; above 0.01 the load "
            "was not the one planned, and from_due_s tells of us",
        ),
    ),
)
_CAPTURES = Table(
    "captures",
    "one captured request that was planned",
    (
        Column("capture_id", "VARCHAR", "id of the capture"),
        Column("captured_at", "TIMESTAMP", "when production saw it"),
        Column("operation", "VARCHAR", "generate, clone or design"),
        Column("language", "VARCHAR", "ISO 639-1; null: the provider guesses"),
        Column("text", "VARCHAR", "the words that are spoken (for a clone its probe)"),
        Column("text_chars", "INTEGER", "characters of text"),
        Column("billed_chars", "INTEGER", "characters as Qwen bills them: Han counts 2"),
        Column("voice_kind", "VARCHAR", "preset, clone or design"),
        Column("voice_id", "VARCHAR", "the caller's name of the voice"),
        Column("segment", "VARCHAR", "the caller's own label, for slicing"),
        Column("user_key", "VARCHAR", "keyed hash of the caller"),
        Column("cluster", "VARCHAR", "what requests are not independent within: voice, else user"),
        Column("observed_provider", "VARCHAR", "who answered in production"),
        Column("observed_status", "VARCHAR", "how production answered"),
        Column("observed_first_byte_s", "DOUBLE", "seconds to the first byte in production"),
        Column("observed_total_s", "DOUBLE", "seconds to the last byte in production"),
        Column("observed_audio_s", "DOUBLE", "seconds of audio in production"),
    ),
)
_EXCHANGES = Table(
    "exchanges",
    "the final outcome of one leg: one capture, repetition and lane",
    (
        Column("run_id", "VARCHAR", "the run"),
        Column("capture_id", "VARCHAR", "the capture"),
        Column("repetition", "INTEGER", "0 for the first"),
        Column("lane", "VARCHAR", "control, candidate or repeat"),
        Column("provider", "VARCHAR", "qwen or modal"),
        Column("model", "VARCHAR", "the provider's model id"),
        Column("region", "VARCHAR", "where the provider ran it"),
        Column("operation", "VARCHAR", "generate, clone or design"),
        Column("position", "INTEGER", "place in the randomised order of its capture, from 0"),
        Column("outcome", "VARCHAR", "ok or an error kind (harness/errors.py)"),
        Column("provider_code", "VARCHAR", "the provider's own error code"),
        Column("detail", "VARCHAR", "what failed, in one safe sentence"),
        Column("provider_request_id", "VARCHAR", "for a support ticket"),
        Column("attempts", "INTEGER", "requests sent for it, the first included"),
        Column("due_at", "TIMESTAMP", "when the schedule wanted it sent"),
        Column("admitted_at", "TIMESTAMP", "when quota and budget let it through"),
        Column("sent_at", "TIMESTAMP", "when its first attempt began"),
        Column("queued_s", "DOUBLE", "from due to sent"),
        Column("connect_s", "DOUBLE", "opening the connection; null when one was reused"),
        Column("first_byte_s", "DOUBLE", "from sending to the first byte of the reply"),
        Column("first_audio_s", "DOUBLE", "to the first audible sample"),
        Column("download_s", "DOUBLE", "fetching audio from its address; part of service_s"),
        Column("service_s", "DOUBLE", "from sent to the last byte that came, retries included; no reader waited for"),
        Column("from_due_s", "DOUBLE", "from due to the last byte: hides no waiting"),
        Column("cold", "BOOLEAN", "a cold start was part of it; null: cannot be told"),
        Column("redirect_hops", "INTEGER", "redirects that were followed by hand"),
        Column("audio_sha256", "VARCHAR", "name of the audio in the blob store; null without audio"),
        Column("audio_bytes", "BIGINT", "size of the audio"),
        Column("audio_extension", "VARCHAR", "wav, mp3, …: with the hash the file's name"),
        Column("sample_rate_hz", "INTEGER", "as the audio's header says"),
        Column("billed_units", "DOUBLE", "what the provider bills, in `unit`"),
        Column("unit", "VARCHAR", "characters, voices or gpu_s"),
        Column("cost_usd", "DECIMAL(18,6)", "null when unknown, never 0 for that"),
        Column("cost_basis", "VARCHAR", "how the cost was found"),
        Column("metadata", "JSON", "what else is worth keeping"),
    ),
)
_FEATURES = Table(
    "features",
    "what was measured on one audio; identical audio is measured once",
    (
        Column("audio_sha256", "VARCHAR", "the audio"),
        Column("extractor_version", "VARCHAR", "hash of the code that measured it"),
        Column("outcome", "VARCHAR", "ok, or why the audio cannot be used (bad_audio, empty_audio, …)"),
        Column("duration_s", "DOUBLE", "length of the audio"),
        Column("sample_rate_hz", "INTEGER", "as decoded"),
        Column("channels", "INTEGER", "as decoded, before mixing to mono"),
        Column("active_s", "DOUBLE", "length of the parts that are speech"),
        Column("active_share", "DOUBLE", "active_s by duration_s"),
        Column("leading_silence_s", "DOUBLE", "before the first speech"),
        Column("trailing_silence_s", "DOUBLE", "after the last speech"),
        Column("longest_silence_s", "DOUBLE", "the longest pause between two parts of speech"),
        Column("loudness_lufs", "DOUBLE", "integrated loudness, ITU-R BS.1770-4; null below 0.4 s"),
        Column("peak_db", "DOUBLE", "highest sample, dB full scale"),
        Column("clipped_share", "DOUBLE", "samples at 0.999 of full scale or more"),
        Column("centroid_hz", "DOUBLE", "spectral centroid, mean over active frames"),
        Column("rolloff_hz", "DOUBLE", "85 % spectral rolloff, mean over active frames"),
        Column("bandwidth_hz", "DOUBLE", "spectral bandwidth, mean over active frames"),
        Column("flatness", "DOUBLE", "spectral flatness, mean over active frames"),
        Column("f0_median_hz", "DOUBLE", "median pitch of voiced frames; null when unvoiced"),
        Column("f0_iqr_semitones", "DOUBLE", "inter-quartile range of pitch"),
        Column("voiced_share", "DOUBLE", "voiced frames by active frames"),
        Column("mfcc_mean", "DOUBLE[]", "means of 13 MFCCs over active frames"),
        Column("pcm_sha256", "VARCHAR", "hash of the decoded samples: equal means identical sound"),
        Column("more", "JSON", "further numbers by name"),
        Column("true_peak_db", "DOUBLE", "highest point between samples, oversampled to 96 kHz, dB full scale"),
        Column("loudness_range_lu", "DOUBLE", "loudness range, EBU Tech 3342; null below 3 s"),
        Column("snr_db", "DOUBLE", "speech level over the quietest 3 %, at most 96; small where nothing is quiet"),
        Column("level_spread_db", "DOUBLE", "standard deviation of the level of speech, in blocks of 10 ms"),
        Column(
            "ending_db",
            "DOUBLE",
            "loudest of the last 50 ms of speech over the speech level: near 0 is cut off in a word",
        ),
        Column("syllables_per_s", "DOUBLE", "syllables by active_s, counted by peaks of energy"),
        Column("flux_db", "DOUBLE", "mean rise of a mel band from frame to frame: strength of onsets"),
        Column(
            "repeat_score", "DOUBLE", "likeness of the two most alike stretches of speech, 1 is a loop; null below 1 s"
        ),
        Column("energy_95_hz", "DOUBLE", "below it lie 95 % of the power of active frames"),
        Column("energy_99_hz", "DOUBLE", "below it lie 99 % of the power of active frames"),
        Column("mfcc_std", "DOUBLE[]", "standard deviations of 13 MFCCs over active frames"),
        Column("dropouts_per_s", "DOUBLE", "silences of 3 to 50 ms cut into loud speech, by active_s"),
        Column("last_db", "DOUBLE", "level of the last 10 ms over the speech level, at least -60: higher is cut off"),
    ),
)
_PAIR_FEATURES = Table(
    "pair_features",
    "how alike two audios of one capture are: control's and the candidate's, or control's and its repeat's",
    (
        Column("run_id", "VARCHAR", "the run"),
        Column("capture_id", "VARCHAR", "the capture"),
        Column("repetition", "INTEGER", "0 for the first"),
        Column("lane", "VARCHAR", "what control is compared with: candidate or repeat"),
        Column("extractor_version", "VARCHAR", "hash of the code that compared them"),
        Column("control_sha256", "VARCHAR", "control's audio"),
        Column("other_sha256", "VARCHAR", "the other's audio"),
        Column("outcome", "VARCHAR", "ok, or why the pair cannot be compared (bad_audio, empty_audio, …)"),
        Column("identical", "BOOLEAN", "the decoded samples are the same"),
        Column("duration_ratio", "DOUBLE", "duration of the other by control's"),
        Column("speaking_rate_ratio", "DOUBLE", "pace of the other by control's: of the same text, without pauses"),
        Column("loudness_difference_lu", "DOUBLE", "the other's integrated loudness over control's"),
        Column("mfcc_dtw_distance", "DOUBLE", "distance of MFCCs along the best alignment, trimmed and level matched"),
        Column("f0_shift_semitones", "DOUBLE", "median pitch of the other over control's"),
        Column("f0_contour_semitones", "DOUBLE", "mean distance of the aligned melodies, that shift taken out"),
        Column("spectral_difference_db", "DOUBLE", "root mean square over mel bands of the mean spectra's difference"),
        Column("more", "JSON", "further numbers by name"),
        Column("longest_skip_s", "DOUBLE", "stretch that one has and the other lacks or says twice, at most 0.6"),
        Column("mfcc_dtw_worst", "DOUBLE", "mfcc_dtw_distance of the 0.3 s where both differ most: another word"),
        Column("melody_ratio", "DOUBLE", "range of the other's melody by control's, along the alignment"),
        Column(
            "treble_difference_db",
            "DOUBLE",
            "root mean square over bands from 8 to 12 kHz of the mean spectra's difference",
        ),
    ),
)
_GATES = Table(
    "gates",
    "the finding of one gate",
    (
        Column("run_id", "VARCHAR", "the run, or the first of those judged together"),
        Column("operation", "VARCHAR", "generate, clone or design"),
        Column("segment", "VARCHAR", "null: all pairs"),
        Column("gate", "VARCHAR", "name in thresholds.toml"),
        Column("outcome", "VARCHAR", "pass, fail, inconclusive or invalid"),
        Column("blocking", "BOOLEAN", "whether it votes"),
        Column("estimate", "DOUBLE", "the metric"),
        Column("low", "DOUBLE", "lower end of its interval"),
        Column("high", "DOUBLE", "upper end of its interval"),
        Column("limit_value", "DOUBLE", "the threshold (`limit` is a word of SQL)"),
        Column("unit", "VARCHAR", "unit of the four numbers"),
        Column("counts", "JSON", "pairs and discordant pairs it rests on"),
        Column("reason", "VARCHAR", "one sentence"),
        Column("forecast", "VARCHAR", "what is still needed when inconclusive"),
        Column("evidence_epoch", "VARCHAR", "hash of thresholds, models and extractor"),
    ),
)
_VERDICTS = Table(
    "verdicts",
    "the verdict of one operation, and one row with operation null for all of them",
    (
        Column("run_id", "VARCHAR", "the run"),
        Column("operation", "VARCHAR", "null: overall"),
        Column("decision", "VARCHAR", "go, no-go, inconclusive or invalid"),
        Column("reason", "VARCHAR", "the deciding finding's words"),
        Column("judged_at", "TIMESTAMP", "when"),
        Column("thresholds", "VARCHAR", "name of the thresholds file"),
        Column("thresholds_sha256", "VARCHAR", "hash of it"),
        Column("evidence_epoch", "VARCHAR", "hash of thresholds, models and extractor"),
    ),
)
_VOTES = Table(
    "votes",
    "one blind listening vote",
    (
        Column("vote_id", "VARCHAR", "unique"),
        Column("run_id", "VARCHAR", "the run"),
        Column("capture_id", "VARCHAR", "the pair"),
        Column("preferred", "VARCHAR", "control, candidate or neither"),
        Column("listener", "VARCHAR", "who listened"),
        Column("voted_at", "TIMESTAMP", "when"),
        Column("reason", "VARCHAR", "in the listener's words"),
    ),
)
TABLES: Final = {
    table.name: table for table in (_RUN, _CAPTURES, _EXCHANGES, _FEATURES, _PAIR_FEATURES, _GATES, _VERDICTS, _VOTES)
}


_KEYS: Final = ("run_id", "capture_id", "repetition", "lane", "operation")


def _pair_view(name: str, lane: str) -> str:
    """A view that joins control with `lane`: the capture, both exchanges, both feature rows.

    Columns of the two sides are prefixed `control_` and `{lane}_`; a leg without a row still pairs, with nulls.
    """
    picks = ["c.run_id", "c.capture_id", "c.repetition"]
    picks += [f"k.{column}" for column in _CAPTURES.names if column != "capture_id"]
    for prefix, exchange, features in (("control", "c", "fc"), (lane, "o", "fo")):
        picks += [f"{exchange}.{column} AS {prefix}_{column}" for column in _EXCHANGES.names if column not in _KEYS]
        picks.append(f"{features}.outcome AS {prefix}_audio_outcome")
        picks += [
            f"{features}.{column} AS {prefix}_{column}"
            for column in _FEATURES.names
            if column not in ("audio_sha256", "outcome", "sample_rate_hz")
        ]
    return f"""
        CREATE VIEW {name} AS
        SELECT {", ".join(picks)}
        FROM exchanges AS c
        JOIN exchanges AS o
          ON o.run_id = c.run_id AND o.capture_id = c.capture_id
         AND o.repetition = c.repetition AND o.lane = '{lane}'
        JOIN captures AS k ON k.capture_id = c.capture_id
        LEFT JOIN features AS fc ON fc.audio_sha256 = c.audio_sha256
        LEFT JOIN features AS fo ON fo.audio_sha256 = o.audio_sha256
        WHERE c.lane = 'control'
    """  # noqa: S608 - names come from this file alone


VIEWS: Final = {
    "pairs": _pair_view("pairs", "candidate"),
    "noise_pairs": _pair_view("noise_pairs", "repeat"),
}


def ddl() -> tuple[str, ...]:
    """Statements that make an empty database of this schema, comments on every column included."""
    statements: list[str] = []
    for table in TABLES.values():
        columns = ", ".join(f"{column.name} {column.type}" for column in table.columns)
        statements.append(f"CREATE TABLE {table.name} ({columns})")
        statements.append(f"COMMENT ON TABLE {table.name} IS {_quoted(table.row)}")
        statements += [
            f"COMMENT ON COLUMN {table.name}.{column.name} IS {_quoted(column.meaning)}" for column in table.columns
        ]
    statements += VIEWS.values()
    return tuple(statements)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
