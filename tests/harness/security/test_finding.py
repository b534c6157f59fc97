from harness.security.finding import Finding


def test_a_finding_reads_as_compilers_write_theirs() -> None:
    finding = Finding(rule="S8-07", path="harness/door.py", line=12, message="ssl=False turns TLS off; leave it out")

    assert str(finding) == "harness/door.py:12: ssl=False turns TLS off; leave it out (S8-07)"


def test_a_finding_about_a_whole_file_names_no_line() -> None:
    finding = Finding(rule="S8-30", path="requirements.lock", line=0, message="no hash")

    assert str(finding) == "requirements.lock: no hash (S8-30)"


def test_findings_sort_by_place() -> None:
    first, second, third = (
        Finding(path=path, line=line, rule=rule, message="")
        for path, line, rule in (("a.py", 2, "S8-22"), ("a.py", 10, "S8-07"), ("b.py", 1, "S8-01"))
    )

    assert sorted([third, second, first]) == [first, second, third]
