"""docs/security.md: its table is the catalogue's, and what it promises is what the gate does."""

import re

from harness.config import PROJECT
from harness.gate_cli import gate
from harness.rollout.rules import load_rules
from harness.security.catalogue import load_catalogue
from harness.security.check import Profile
from harness.security.mutants import MUTANTS
from harness.security.report import catalogue_table
from harness.security.waivers import WAIVERS

PAGE = (PROJECT / "docs" / "security.md").read_text()


def test_the_table_is_that_of_the_catalogue() -> None:
    table = PAGE[PAGE.index("| check | severity |") :].rstrip("\n")

    assert table == catalogue_table(load_catalogue(PROJECT).checks)


def test_every_command_and_option_named_there_exists() -> None:
    options = {
        name: {each for parameter in command.params for each in parameter.opts}
        for name, command in gate.commands.items()
    }

    for name, words in re.findall(r"cutover gate ([a-z]+)([^\n`|]*)", PAGE):
        assert set(re.findall(r"--[a-z-]+", words)) <= options[name]
    assert set(re.findall(r"--profile ([a-z]+)", PAGE)) <= set(Profile)
    assert {name for name, _ in re.findall(r"cutover gate ([a-z]+)( |`|$)", PAGE, re.MULTILINE)} == set(options)


def test_every_file_named_there_is_the_one_that_is_read() -> None:
    for path in (MUTANTS, WAIVERS):
        assert str(path) in PAGE
        assert (PROJECT / path).is_file()
    assert "[security]\nmax_age_d" in (PROJECT / "data" / "rollout.toml").read_text()
    assert load_rules().security.max_age_d == 7.0
