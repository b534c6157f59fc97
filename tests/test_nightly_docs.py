"""What docs/nightly.md and the workflow say is what the command does."""

import re
from typing import Any

import pytest
import yaml

from harness.cli import COMMANDS
from harness.config import PROJECT, NightlySettings
from harness.nightly.cli import nightly

PAGE = (PROJECT / "docs" / "nightly.md").read_text()
WORKFLOW = (PROJECT / ".github" / "workflows" / "nightly.yml").read_text()


def test_every_setting_of_a_night_is_explained_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `CUTOVER_NIGHTLY__(\w+)` \|.*\|([^|]*)\|$", PAGE, re.MULTILINE))
    fields = {name.upper(): field for name, field in NightlySettings.model_fields.items()}

    assert rows.keys() == fields.keys()
    for name, field in fields.items():
        if field.default is not None:
            assert rows[name].strip(" `") == str(field.default)


@pytest.mark.parametrize("text", [PAGE, WORKFLOW], ids=["page", "workflow"])
def test_every_command_and_option_named_there_exists(text: str) -> None:
    options = {option for parameter in nightly.params for option in parameter.opts}

    for line in re.findall(r"cutover nightly([^\n`|;]*)", text):
        assert set(re.findall(r"--[a-z-]+", line)) <= options
    assert set(re.findall(r"`cutover ([a-z]+)", text)) <= set(COMMANDS)


def test_the_workflow_runs_one_night_at_a_time_and_asks_for_no_more_than_reading() -> None:
    workflow: Any = yaml.safe_load(WORKFLOW)

    assert workflow["concurrency"] == {"group": "cutover-nightly", "cancel-in-progress": False}
    assert workflow["permissions"] == {"contents": "read"}
    assert [step.get("name") for step in workflow["jobs"]["night"]["steps"]][-2:] == ["Night", "Keep the reports"]
    variables = {name for name in workflow["jobs"]["night"]["env"] if "NIGHTLY__" in name}
    assert variables <= {f"CUTOVER_NIGHTLY__{name.upper()}" for name in NightlySettings.model_fields}


def test_the_example_for_gitlab_is_yaml_that_lets_an_open_verdict_pass() -> None:
    example: Any = yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL).group(1))  # type: ignore[union-attr] # it is there

    assert example["nightly"]["allow_failure"] == {"exit_codes": [3]}
