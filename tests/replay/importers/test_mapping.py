from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from harness.errors import ConfigError
from replay.importers.mapping import FieldMapping, Rule, load_mapping, steps

WHOLE = """
zone = "Europe/Berlin"
[where]
event = ["tts.request", "tts.retry"]
[fields]
captured_at = { path = "ts", unit = "ms" }
operation = { path = "kind", map = { speak = "generate" }, default = "generate" }
text = "payload.text"
voice.id = "payload.voices[0]"
"voice.reference.audio" = 'payload."ref.audio"'
observed.total_s = { path = "latency_ms", scale = 0.001 }
observed.provider = { value = "modal" }
[[endpoint]]
path = "/v1/tts"
method = "PUT"
fields = { text = "text" }
"""


def load(folder: Path, text: str) -> FieldMapping:
    path = folder / "mapping.toml"
    path.write_text(text)
    return load_mapping(path)


def test_a_mapping_names_fields_and_how_their_values_are_found(tmp_path: Path) -> None:
    mapping = load(tmp_path, WHOLE)

    assert mapping.zone == ZoneInfo("Europe/Berlin")
    assert mapping.where == {"event": ["tts.request", "tts.retry"]}
    assert mapping.fields["text"] == Rule(path="payload.text")
    assert mapping.fields["voice.id"] == Rule(path="payload.voices[0]")
    assert mapping.fields["voice.reference.audio"] == Rule(path='payload."ref.audio"')
    assert mapping.fields["observed.total_s"] == Rule(path="latency_ms", scale=0.001)
    assert mapping.fields["observed.provider"] == Rule(value="modal")
    assert (mapping.endpoints[0].path, mapping.endpoints[0].method) == ("/v1/tts", "PUT")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("text", ("text",)),
        ("a.b[0].c", ("a", "b", 0, "c")),
        ('a."b.c"[12]', ("a", "b.c", 12)),
        ("@timestamp", ("@timestamp",)),
        ("feld mit leerzeichen", ("feld mit leerzeichen",)),
    ],
)
def test_a_path_is_made_of_keys_and_indices(path: str, expected: tuple[str | int, ...]) -> None:
    assert steps(path) == expected


@pytest.mark.parametrize("path", ["", ".", "a..b", "a[", "a[x]", 'a."b', "a]"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is no path; write it like"):
        steps(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"maps nothing; it needs \[fields\] or \[\[endpoint\]\]"),
        ("[fields]\ntxt = 'a'", '"txt" is no field of a capture; valid ones are id, captured_at'),
        ("[fields]\nvoice.name = 'a'", '"voice.name" is no field of a capture'),
        ("[fields]\ntext = {}", 'fields.text: needs either "path" or "value"'),
        ("[fields]\ntext = { path = 'a', value = 'b' }", 'needs either "path" or "value"'),
        ("[fields]\ntext = { path = 'a', mapp = {} }", "fields.text.mapp: Extra inputs are not permitted"),
        ("[fields]\ntext = 'a..b'", '"a..b" is no path'),
        ("[where]\n'a[' = 1\n[fields]\ntext = 'a'", '"a\\[" is no path'),
        ("zone = 'Mars'\n[fields]\ntext = 'a'", "zone: is no time zone"),
        ("[field]\ntext = 'a'", "field: Extra inputs are not permitted"),
        ("[fields\n", "not valid TOML"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, text)


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read as a mapping file"):
        load_mapping(tmp_path / "none.toml")
