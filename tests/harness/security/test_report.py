from harness.config import PROJECT
from harness.security.catalogue import load_catalogue
from harness.security.check import Severity
from harness.security.outcome import Status
from harness.security.report import catalogue_table, markdown, terminal_lines
from tests.harness.security.a_gate import a_check, a_record, an_outcome

MIXED = (
    an_outcome(id="S8-01"),
    an_outcome(id="S8-02", status=Status.WAIVED, waiver="W-1, anna until 2026-12-24: r"),
    an_outcome(id="S8-03", status=Status.NOT_RUN, reason="no browser"),
    an_outcome(id="S8-04", status=Status.FAIL, severity=Severity.CRITICAL, reason="a | b <script> `c`\nd"),
)


def test_what_failed_comes_first_with_its_reason() -> None:
    lines = terminal_lines(a_record(*MIXED, exit_status=1))

    assert [line[:14].split()[:2] for line in lines[:4]] == [
        ["S8-04", "FAIL"],
        ["S8-03", "NOT"],
        ["S8-02", "WAIVED"],
        ["S8-01", "PASS"],
    ]
    assert lines[1].endswith("no browser")
    assert lines[-1] == "1 pass, 1 fail, 1 not run, 1 waived: the gate is shut: a check failed"


def test_the_page_has_a_row_for_each_check_and_the_evidence_by_its_hash() -> None:
    page = markdown(a_record(*MIXED, exit_status=1), "9" * 64)

    rows = [line for line in page.splitlines() if line.startswith("| S8-")]
    assert [row[2:7] for row in rows] == ["S8-04", "S8-03", "S8-02", "S8-01"]
    assert "W-1, anna until 2026-12-24: r" in rows[2]
    assert f"| tests/test_x.py | `{'e' * 64}` |" in page
    assert "9" * 64 in page
    assert f"commit `{'c' * 40}`, clean" in page


def test_nothing_in_a_reason_leaves_its_cell_or_becomes_markup() -> None:
    (row,) = [line for line in markdown(a_record(MIXED[3]), "").splitlines() if line.startswith("| S8-04")]

    assert row.endswith("| a \\| b &lt;script> 'c' d |")


def test_what_is_said_of_a_run_follows_from_its_status() -> None:
    told = [terminal_lines(a_record(exit_status=status))[-1].rpartition(": ")[2] for status in (0, 1, 2)]

    assert len(set(told)) == 3


def test_the_table_of_the_docs_holds_the_catalogue() -> None:
    assert catalogue_table([a_check()]).splitlines()[2] == (
        "| S8-01 | high | nothing leaks \\| at all | ASVS 1.2.3; API8; GDPR 32 |"
    )
    assert catalogue_table(load_catalogue(PROJECT).checks).count("\n") == 35
