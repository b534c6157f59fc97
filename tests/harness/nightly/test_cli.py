import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from harness.clock import FakeClock
from harness.config import PROJECT
from harness.gateway.live_run import LiveRun
from harness.nightly.cli import nightly
from harness.nightly.night import Night, locked
from harness.store.database import open_db
from harness.store.journal import read_journal
from harness.store.ledger import Ledger
from harness.store.runs import Run, list_runs
from tests.canaries import GITHUB_TOKEN, WEBHOOK_PATH
from tests.killed import kill_when
from tests.standins import cutover, running_standins

CAPTURES = str(PROJECT / "data" / "demo" / "captures.jsonl.zst")
SMALL = ["--limit", "12", "--budget", "50"]
REPORTS = {"verdict.md", "verdict.json", "verdict.html", "verdict.xml", "verdict.prom", "decision.json", "night.json"}


PLACE = "our-team/speech#7"


class Desk:
    """A webhook and a code host in one: keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.comments: list[dict[str, Any]] = []
        self.tokens: set[str | None] = set()

    def answer(self, method: str, path: str, body: Any, token: str | None) -> Any:
        if path == f"/{WEBHOOK_PATH}":
            self.told.append(body)
            return {}
        self.tokens.add(token)
        if method == "GET":
            return self.comments
        if method == "POST":
            assert path == "/api/repos/our-team/speech/issues/7/comments"
            self.comments.append({"id": len(self.comments) + 41, **body})
        else:
            (comment,) = [each for each in self.comments if path.endswith(f"/issues/comments/{each['id']}")]
            comment.update(body)
        return {"html_url": "https://example.test/comment"}


@contextmanager
def serving(desk: Desk) -> Iterator[str]:
    """A server on this machine that asks the desk; yields its host and port."""

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            path = self.path.partition("?")[0]
            reply = json.dumps(desk.answer(self.command, path, body, self.headers.get("Authorization"))).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        do_GET = do_POST = do_PATCH = handle_any  # noqa: N815 - the names that the library looks for

        def log_message(self, *_: object) -> None:
            """Not into the output of tests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Nights(NamedTuple):
    """Two nights as they went, the second of them killed and begun again."""

    home: Path
    environment: dict[str, str]
    desk: Desk
    public_key: Path
    first: "subprocess.CompletedProcess[str]"
    second: "subprocess.CompletedProcess[str]"

    def folder(self, name: str) -> Path:
        return self.home / "nights" / name


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    """Two nights on the stand-ins by the command itself; evidence is enough when there is any."""
    home, desk = tmp_path_factory.mktemp("nights"), Desk()
    shutil.copy(PROJECT / "data" / "demo" / "thresholds.toml", home / "thresholds.toml")
    private, public = a_key(home)
    told = ["--comment", PLACE, "--sign-key", str(private)]
    LiveRun(home, kind="shadow", plan={}, clock=FakeClock(datetime(2026, 1, 1, tzinfo=UTC))).close()
    with running_standins(home, "--time-scale", "0.02") as standins, serving(desk) as host:
        environment = {
            **standins,
            "CUTOVER_THRESHOLDS": str(home / "thresholds.toml"),
            "CUTOVER_ALLOW_HOSTS": f"{standins['CUTOVER_ALLOW_HOSTS']},{host}",
            "CUTOVER_NIGHTLY__WEBHOOK": f"http://{host}/{WEBHOOK_PATH}",
            "CUTOVER_NIGHTLY__NOTIFY_HOSTS": "127.0.0.1",
            "CUTOVER_NIGHTLY__GITHUB_API": f"http://{host}/api",
            "CUTOVER_NIGHTLY__GITHUB_TOKEN": GITHUB_TOKEN,
        }
        first = cutover(["nightly", CAPTURES, *SMALL, *told, "--night", "1"], environment)
        assert first.returncode == 3, first.stderr
        _kill_when_something_was_answered(["nightly", CAPTURES, *SMALL, "--night", "2"], environment, home)
        second = cutover(["nightly", CAPTURES, *SMALL, *told], environment)
        assert second.returncode in (3, 4), second.stderr  # 4: what was lost is too much of so small a run
        yield Nights(home, environment, desk, public, first, second)


def a_key(folder: Path) -> tuple[Path, Path]:
    """A new private key and its public one, as PEM files."""
    key = Ed25519PrivateKey.generate()
    private, public = folder / "night.pem", folder / "night.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


def test_a_night_runs_from_picking_to_reports(nights: Nights) -> None:
    assert nights.first.stdout.startswith("INCONCLUSIVE")
    assert {path.name for path in nights.folder("1").iterdir()} >= REPORTS


def test_a_night_deletes_live_runs_that_are_old(nights: Nights) -> None:
    assert "removed 1 live runs older than 30 days" in nights.first.stderr
    assert not any(run.id.startswith("20260101") for run in list_runs(nights.home))


def test_nights_add_up_even_when_one_is_killed_and_nothing_is_sent_twice(nights: Nights) -> None:
    runs = list_runs(nights.home)
    view = json.loads((nights.folder("2") / "verdict.json").read_text())
    calls = [
        (run.id, call["leg"], call["purpose"], call["attempt"])
        for run in runs
        for call in Ledger.of(read_journal(run.journal).records).calls.values()
    ]

    assert "night 2" in nights.second.stderr
    assert [run["run_id"] for run in view["runs"]] == [run.id for run in runs]
    assert len(calls) == len(set(calls)) > 20
    assert sum(operation["sample"]["repeated"] for operation in view["operations"]) <= failed_in(runs[0])


def failed_in(run: Run) -> int:
    """Captures that were not answered by all: only those may come again."""
    with open_db(run.database) as database:
        (count,) = database.execute(
            "SELECT count(DISTINCT capture_id) FROM exchanges WHERE outcome <> 'ok'"
        ).fetchone() or (0,)
    return int(count)


def test_a_pull_request_keeps_one_comment_that_every_night_replaces(nights: Nights) -> None:
    (comment,) = nights.desk.comments

    assert comment["id"] == 41
    assert comment["body"] == (nights.folder("2") / "verdict.md").read_text()
    assert "comment: https://example.test/comment" in nights.first.stderr
    assert nights.desk.tokens == {f"Bearer {GITHUB_TOKEN}"}


def test_the_webhook_is_told_of_every_night_once_though_one_was_killed(nights: Nights) -> None:
    assert [(told["night"], told["exit_status"]) for told in nights.desk.told] == [
        ("1", nights.first.returncode),
        ("2", nights.second.returncode),
    ]
    assert nights.desk.told[0]["text"] == (nights.folder("1") / "verdict.md").read_text()


def test_the_decision_of_a_night_is_signed_and_verified_by_its_key_alone(nights: Nights, tmp_path: Path) -> None:
    record = str(nights.folder("1") / "decision.json")
    _, strangers = a_key(tmp_path)

    trusted, distrusted = (
        cutover(["verdict", "--verify", record, "--public-key", str(key)], nights.environment)
        for key in (nights.public_key, strangers)
    )

    assert trusted.returncode == 0, trusted.stderr
    assert trusted.stdout.startswith("signed by ")
    assert "every number came out the same" in trusted.stdout
    assert distrusted.returncode == 4


def test_a_night_that_is_over_only_says_its_status_again(nights: Nights) -> None:
    told = len(nights.desk.told)

    again = cutover(["nightly", CAPTURES, "--night", "2"], nights.environment)

    assert (again.returncode, "is over" in again.stderr) == (nights.second.returncode, True)
    assert len(nights.desk.told) == told


def _kill_when_something_was_answered(arguments: list[str], environment: dict[str, str], home: Path) -> None:
    command = [sys.executable, "-m", "harness.cli", *arguments]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    kill_when(
        process, lambda: sum(run.journal.read_bytes().count(b'"type":"result"') for run in list_runs(home)[1:]) >= 3
    )


def run(*arguments: str) -> Any:
    return CliRunner().invoke(nightly, arguments)


def test_two_never_run_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTOVER_HOME", str(tmp_path))

    with locked(tmp_path):
        result = run(CAPTURES)

    assert "another night is under way" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "nothing to choose from", id="no captures"),
        pytest.param(["--night", "../x"], "a name is one folder", id="a path for a name"),
    ],
)
def test_a_wrong_use_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.setenv("CUTOVER_HOME", str(tmp_path))

    assert message in str(run(*arguments).exception)


def test_without_a_budget_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUTOVER_HOME", str(tmp_path))
    Night(folder=tmp_path / "nights" / "tonight", picked=True).save()

    assert "how much may it spend?" in str(run("--night", "tonight").exception)
