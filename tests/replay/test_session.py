import json
from pathlib import Path

import pytest

from harness.capture import capture_to_json
from harness.clock import FakeClock
from harness.config import ModalSettings, QwenSettings, ReplaySettings, Settings
from harness.errors import CaptureError, ConfigError, UsageError
from harness.exchanges import Lane
from harness.store.journal import Journal, JournalFile
from harness.store.ledger import Ledger
from harness.store.logbook import Logbook
from replay.session import open_session, write_legs
from tests.builders import a_capture, a_request
from tests.canaries import QWEN_KEY


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        home=tmp_path / "home",
        allow_hosts=frozenset({"127.0.0.1:9"}),
        qwen=QwenSettings(base_url="http://127.0.0.1:9", api_key=QWEN_KEY),  # type: ignore[arg-type]  # pydantic makes it secret
        modal=ModalSettings(base_url="http://127.0.0.1:9"),
        replay=ReplaySettings(concurrency=2),
    )


@pytest.fixture
def captures(tmp_path: Path) -> Path:
    path = tmp_path / "captures.jsonl"
    lines = [capture_to_json(a_capture(f"c{n}", request=a_request(f"Good morning, number {n}."))) for n in range(12)]
    path.write_text("\n".join(lines) + "\n")
    return path


def opened(settings: Settings, captures: Path, **changes: object):  # type: ignore[no-untyped-def]  # the context manager's own type
    options = {"limit": None, "seed": 1, "repeat_share": 0.25, "repetitions": 1, "labels": {}, "clock": FakeClock()}
    return open_session(settings, captures, **{**options, **changes})  # type: ignore[arg-type]


async def test_planning_writes_nothing_and_bounds_the_cost_of_every_lane(settings: Settings, captures: Path) -> None:
    async with opened(settings, captures) as session:
        bounds = session.extent().worst_microusd

    assert not (settings.home / "runs").exists()
    # 12 texts of 23 or 24 characters at 10 micro-dollars each, and GPU seconds up to the deadline.
    assert bounds[Lane.CANDIDATE] == sum(len(f"Good morning, number {n}.") * 10 for n in range(12))
    assert (bounds[Lane.CONTROL] or 0) > (bounds[Lane.REPEAT] or 0) > 0


async def test_the_same_question_gives_the_same_plan(settings: Settings, captures: Path) -> None:
    hashes = set()
    for _ in range(2):
        async with opened(settings, captures) as session:
            hashes.add(session.plan.sha256)

    assert len(hashes) == 1


async def test_another_price_is_another_plan(settings: Settings, captures: Path, tmp_path: Path) -> None:
    dearer = tmp_path / "prices.toml"
    dearer.write_text(settings.prices.read_text().replace("usd = 0.10\n", "usd = 0.11\n"))

    async with (
        opened(settings, captures) as session,
        opened(settings.model_copy(update={"prices": dearer}), captures) as other,
    ):
        assert session.plan.sha256 != other.plan.sha256


async def test_an_opened_replay_has_its_whole_plan_on_record(settings: Settings, captures: Path) -> None:
    async with (
        opened(settings, captures) as session,
        session.replay(kind="replay", budget_usd=1.0, resend_unknown=False),
    ):
        pass

    ledger = Ledger.of(JournalFile(session.run.journal))
    assert len(ledger.captures) == 12
    assert len(ledger.planned) == session.plan.leg_counts().total()
    assert ledger.plan["source"] == {"good": 12, "quarantined": 0, "skipped": 0}


async def test_a_plan_cut_short_by_a_crash_is_completed(settings: Settings, captures: Path) -> None:
    async with (
        opened(settings, captures) as session,
        session.replay(kind="replay", budget_usd=1.0, resend_unknown=False),
    ):
        pass
    lines = session.run.journal.read_bytes().splitlines(keepends=True)
    session.run.journal.write_bytes(b"".join(lines[:5]) + lines[5][:10])

    async with opened(settings, captures) as again:
        assert again.resumes
        async with again.replay(kind="replay", budget_usd=1.0, resend_unknown=False):
            pass

    assert again.run == session.run
    assert len(Ledger.of(JournalFile(session.run.journal)).planned) == session.plan.leg_counts().total()


async def test_a_long_plan_does_not_wait_in_memory_until_all_of_it_is_written(
    settings: Settings, captures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replay.session._SYNC_EVERY", 5)
    journal = settings.home / "journal.jsonl"

    async with opened(settings, captures) as session:
        with Logbook(journal, clock=FakeClock()) as book:
            book.write({"type": "plan"})
            write_legs(book, session.plan)
            on_disk = Ledger.of(JournalFile(journal))

    assert len(on_disk.captures) == 10
    assert len(Ledger.of(JournalFile(journal)).captures) == 12


async def test_a_damaged_run_of_another_plan_is_not_even_read(settings: Settings, captures: Path) -> None:
    with Journal(settings.home / "runs" / "r0" / "journal.jsonl") as journal:
        journal.append({"type": "plan", "plan_sha256": "of another plan"})
        journal.append({"type": "result"})
    data = journal.path.read_bytes()
    journal.path.write_bytes(data[:-5] + b"xxxx\n")

    async with opened(settings, captures) as session:
        assert not session.resumes


async def test_a_finished_run_is_not_taken_up_again(settings: Settings, captures: Path) -> None:
    async with (
        opened(settings, captures) as session,
        session.replay(kind="replay", budget_usd=1.0, resend_unknown=False),
    ):
        pass
    with Logbook(session.run.journal, clock=FakeClock()) as book:
        for key in Ledger.of(JournalFile(session.run.journal)).planned:
            book.write({"type": "result", "leg": key, "row": {"outcome": "ok"}, "at": "t"})

    async with opened(settings, captures) as unsealed:
        assert unsealed.resumes  # killed just before the end: nothing to send, but something to seal
    session.run.database.touch()
    async with opened(settings, captures) as again:
        assert not again.resumes


async def test_a_limit_leaves_out_captures_and_makes_another_plan(settings: Settings, captures: Path) -> None:
    async with opened(settings, captures, limit=5) as few, opened(settings, captures) as all_:
        assert (len(few.plan.captures), len(all_.plan.captures)) == (5, 12)
        assert few.plan.sha256 != all_.plan.sha256


async def test_a_bad_line_is_set_aside_and_counted(settings: Settings, captures: Path) -> None:
    with captures.open("a") as file:
        file.write('{"schema": 1, "id": "broken"}\n\n')

    async with opened(settings, captures) as session:
        counts = session.source.counts

    assert (counts.good, counts.quarantined, counts.skipped) == (12, 1, 1)
    (line,) = (settings.home / "quarantine").glob("*.jsonl")
    assert json.loads(line.read_text())["line"] == 13


async def test_a_file_that_is_not_there_is_named(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"nowhere\.jsonl"):
        async with opened(settings, tmp_path / "nowhere.jsonl"):
            pass


async def test_a_file_without_captures_is_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")

    with pytest.raises(UsageError, match=r"empty\.jsonl: holds no capture"):
        async with opened(settings, tmp_path / "empty.jsonl"):
            pass


@pytest.mark.parametrize(
    ("change", "variable"),
    [
        ({"qwen": QwenSettings()}, "CUTOVER_QWEN__API_KEY"),
        ({"modal": ModalSettings()}, "CUTOVER_MODAL__BASE_URL"),
    ],
)
async def test_a_missing_setting_is_named(
    settings: Settings, captures: Path, change: dict[str, object], variable: str
) -> None:
    with pytest.raises(ConfigError, match=variable):
        async with opened(settings.model_copy(update=change), captures):
            pass


async def test_a_deployment_without_one_address_needs_a_name_of_its_own(settings: Settings, captures: Path) -> None:
    hosts = {"clone_url": "http://127.0.0.1:9", "generate_url": "http://127.0.0.1:9"}

    with pytest.raises(ConfigError, match=r"CUTOVER_MODAL__ACCOUNT is not set.*CLONE_URL, CUTOVER_MODAL__GENERATE_URL"):
        async with opened(settings.model_copy(update={"modal": ModalSettings.model_validate(hosts)}), captures):
            pass
    named = ModalSettings.model_validate(hosts | {"account": "legacy-eu"})
    async with opened(settings.model_copy(update={"modal": named}), captures) as session:
        accounts = {target["account"] for target in session.plan.identity()["targets"].values()}

    assert "legacy-eu" in accounts
