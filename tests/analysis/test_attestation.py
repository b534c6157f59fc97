import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from analysis.attestation import attest, check
from analysis.evidence import read_evidence
from analysis.judge import judge
from analysis.thresholds import Thresholds
from harness.errors import StoreError, UsageError
from harness.store.journal import Journal
from harness.store.runs import Run
from harness.store.seal import seal
from tests.frames import thresholds_of
from tests.replayed import a_replayed_run

GATE = '[gate.errors]\nkind = "paired_binary"\nmargin_pp = 25.0\n'


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return a_replayed_run(tmp_path_factory.mktemp("sealed"))


@pytest.fixture
def run(tmp_path: Path, sealed: Run) -> Run:
    return Run(Path(shutil.copytree(sealed.path, tmp_path / "runs" / sealed.id)))


@pytest.fixture
def rules(tmp_path: Path) -> Thresholds:
    return thresholds_of(tmp_path, GATE)


def a_key(folder: Path, name: str) -> tuple[Path, Path]:
    """Private and public key as PEM files."""
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


def recorded(
    run: Run, rules: Thresholds, *, key: Path | None = None, change: Callable[[Any], None] | None = None
) -> Path:
    record = attest(judge(read_evidence([run], rules.features), rules), [run], settings="s" * 64, key=key)
    if change:
        change(record)
    path = run.path.parent.parent / "record.json"
    path.write_text(json.dumps(record))
    return path


def test_a_record_comes_out_the_same_when_it_is_judged_again(run: Run, rules: Thresholds, tmp_path: Path) -> None:
    path = recorded(run, rules)
    (tmp_path / "thresholds.toml").unlink()  # the record holds what it needs

    assert check(path, tmp_path) == (None, [])


def test_a_record_names_all_it_rests_on(run: Run, rules: Thresholds) -> None:
    record = json.loads(recorded(run, rules).read_text())

    (facts,) = record["inputs"]["runs"]
    assert facts["capture_sha256"] == "c" * 64
    assert (facts["seed"], facts["price_version"], facts["code_version"]) == (7, "v", "0.1.0")
    assert len(facts["journal_sha256"]) == len(facts["features_sha256"]) == 64
    assert record["inputs"]["thresholds"] == rules.text
    assert record["verdict"]["decision"] == "go"


def test_a_number_that_was_changed_is_named_with_what_it_should_be(run: Run, rules: Thresholds, tmp_path: Path) -> None:
    def flatter(record: Any) -> None:
        record["verdict"]["operations"][0]["findings"][0]["counts"]["candidate_only"] = 9

    differences = check(recorded(run, rules, change=flatter), tmp_path).differences

    assert differences == ["verdict.operations.0.findings.0.counts.candidate_only: recorded 9, found 0"]


def test_a_run_that_was_changed_is_named(run: Run, rules: Thresholds, tmp_path: Path) -> None:
    path = recorded(run, rules)
    with Journal(run.features) as journal:
        journal.append({"type": "feature", "audio_sha256": "0" * 64, "extractor_version": "extractor-2"})
    seal(run)

    differences = check(path, tmp_path).differences

    assert any(difference.startswith("runs.0.features_sha256: recorded") for difference in differences)
    assert any(difference.startswith("verdict.evidence_epoch: recorded") for difference in differences)


class TestSigned:
    def test_a_signature_holds_and_names_its_key(self, run: Run, rules: Thresholds, tmp_path: Path) -> None:
        private, public = a_key(tmp_path, "ours")

        found = check(recorded(run, rules, key=private), tmp_path, trusted=public)

        assert (len(found.signed_by or ""), found.differences) == (64, [])

    @pytest.mark.parametrize("part", ["verdict", "inputs"])
    def test_a_record_that_was_changed_after_signing_is_refused(
        self, run: Run, rules: Thresholds, tmp_path: Path, part: str
    ) -> None:
        path = recorded(run, rules, key=a_key(tmp_path, "ours")[0], change=lambda record: record[part].update(new=1))

        with pytest.raises(StoreError, match="the signature does not hold"):
            check(path, tmp_path)

    def test_another_key_or_none_is_refused_where_one_is_demanded(
        self, run: Run, rules: Thresholds, tmp_path: Path
    ) -> None:
        theirs, ours = a_key(tmp_path, "theirs")[0], a_key(tmp_path, "ours")[1]

        with pytest.raises(StoreError, match=r"not with the key of .*ours\.pub"):
            check(recorded(run, rules, key=theirs), tmp_path, trusted=ours)
        with pytest.raises(StoreError, match="not signed"):
            check(recorded(run, rules), tmp_path, trusted=ours)

    def test_what_is_no_key_is_refused_with_the_command_that_makes_one(
        self, run: Run, rules: Thresholds, tmp_path: Path
    ) -> None:
        (tmp_path / "text.pem").write_text("no key")

        for path in (tmp_path / "text.pem", tmp_path / "nowhere.pem", a_key(tmp_path, "ours")[1]):
            with pytest.raises(UsageError, match="openssl genpkey -algorithm ed25519"):
                recorded(run, rules, key=path)
        with pytest.raises(UsageError, match="openssl pkey"):
            check(recorded(run, rules, key=a_key(tmp_path, "ours")[0]), tmp_path, trusted=tmp_path / "text.pem")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 1}', "null", '{"schema": 2, "verdict": 1, "inputs": 2}'])
def test_what_is_no_record_is_said_in_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "record.json").write_text(text)

    with pytest.raises(UsageError, match="not a decision record"):
        check(tmp_path / "record.json", tmp_path)
