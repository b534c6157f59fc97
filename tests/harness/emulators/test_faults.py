from pathlib import Path

import pytest

from harness.emulators.faults import Script, Side, read_script
from harness.errors import UsageError

SIDES = {"rate-quota": Side.API, "wav-cut": Side.AUDIO}


def a_script(*entries: dict[str, object]) -> Script:
    script = Script(SIDES)
    script.begin_with({"faults": list(entries)})
    return script


def names(script: Script, count: int, *, path: str = "/speak", side: Side = Side.API) -> list[str | None]:
    found = [script.take(path, [side], None) for _ in range(count)]
    return [fault.name if fault else None for fault in found]


def test_without_a_script_all_goes_well() -> None:
    assert names(Script(SIDES), 2) == [None, None]


def test_a_fault_is_met_once_unless_told() -> None:
    assert names(a_script({"fault": "rate-quota"}), 2) == ["rate-quota", None]


def test_some_may_pass_before_and_some_meet_it() -> None:
    assert names(a_script({"fault": "rate-quota", "skip": 1, "times": 2}), 4) == [
        None,
        "rate-quota",
        "rate-quota",
        None,
    ]


def test_without_end_it_is_met_always() -> None:
    assert set(names(a_script({"fault": "rate-quota", "times": None}), 9)) == {"rate-quota"}


def test_only_its_path_meets_it() -> None:
    script = a_script({"fault": "rate-quota", "path": "*/customization"})

    assert names(script, 1, path="/api/generation") == [None]
    assert names(script, 1, path="/api/customization") == ["rate-quota"]


def test_what_is_wrong_with_audio_happens_where_audio_is_unless_told() -> None:
    assert names(a_script({"fault": "wav-cut"}), 1) == [None]
    assert names(a_script({"fault": "wav-cut"}), 1, side=Side.AUDIO) == ["wav-cut"]
    assert names(a_script({"fault": "rate-quota", "on": "audio"}), 1, side=Side.AUDIO) == ["rate-quota"]


def test_the_first_entry_that_is_left_decides() -> None:
    assert names(a_script({"fault": "rate-quota"}, {"fault": "wav-cut", "on": "api"}), 3) == [
        "rate-quota",
        "wav-cut",
        None,
    ]


def test_a_header_names_one_fault_and_leaves_the_script_alone() -> None:
    script = a_script({"fault": "rate-quota"})

    named = script.take("/speak", [Side.API], "wav-cut; bytes_per_s=20; why = because")

    assert named is not None
    assert (named.name, named.number("bytes_per_s", 1.0), named.text("why", "")) == ("wav-cut", 20.0, "because")
    assert names(script, 1) == ["rate-quota"]


def test_a_reset_begins_the_script_anew() -> None:
    script = a_script({"fault": "rate-quota"})
    names(script, 1)
    script.load({"faults": []})

    script.reset()

    assert names(script, 1) == ["rate-quota"]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], 'list "faults"'),
        ({"faults": {}}, 'list "faults"'),
        ({"faults": ["rate-quota"]}, "entry 1: must be an object"),
        ({"faults": [{"fault": "rate-quota"}, {"fault": "typo"}]}, "entry 2: no fault 'typo'; .* rate-quota, wav-cut"),
        ({"faults": [{"fault": "rate-quota", "times": -1}]}, '"times" must be a whole number'),
        ({"faults": [{"fault": "rate-quota", "skip": True}]}, '"skip" must be a whole number'),
        ({"faults": [{"fault": "rate-quota", "on": "moon"}]}, '"on" must be'),
    ],
)
def test_a_wrong_script_is_refused_and_the_old_one_stays(document: object, words: str) -> None:
    script = a_script({"fault": "rate-quota"})

    with pytest.raises(UsageError, match=words):
        script.load(document)

    assert names(script, 1) == ["rate-quota"]


def test_a_parameter_that_should_be_a_number_says_so() -> None:
    fault = a_script({"fault": "wav-cut", "on": "api", "bytes_per_s": "much"}).take("/", [Side.API], None)

    assert fault is not None
    with pytest.raises(UsageError, match="'wav-cut': bytes_per_s must be a number"):
        fault.number("bytes_per_s", 1.0)


def test_a_file_is_read_or_named_with_its_trouble(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text('{"faults": []}')
    bad.write_text("{")

    assert read_script(good) == {"faults": []}
    with pytest.raises(UsageError, match="bad.json: is no JSON"):
        read_script(bad)
    with pytest.raises(UsageError, match="none.json: cannot be read"):
        read_script(tmp_path / "none.json")
