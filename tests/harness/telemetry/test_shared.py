from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from harness.telemetry.metrics import Metrics
from harness.telemetry.shared import SharedMetrics, merged
from tests.harness.telemetry.answers import an_answer


def a_worker(folder: Path, name: str) -> tuple[Metrics, SharedMetrics]:
    metrics = Metrics(name)
    return metrics, SharedMetrics(metrics, folder, worker=name)


def counted(text: bytes) -> dict[str, float]:
    return {
        sample.labels["worker"]: sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if sample.name == "cutover_requests_total"
    }


def answer(metrics: Metrics, times: int) -> None:
    for _ in range(times):
        metrics.begin()
        metrics.end(an_answer())


def test_each_worker_answers_for_all_and_no_counter_ever_falls(tmp_path: Path) -> None:
    (one, first), (two, second) = a_worker(tmp_path, "w1"), a_worker(tmp_path, "w2")
    answer(one, 3)
    answer(two, 5)

    seen = [counted(shared.text()) for shared in (first, second)]
    answer(one, 1)
    seen += [counted(shared.text()) for shared in (first, second)]

    assert seen == [{"w1": 3}, {"w1": 3, "w2": 5}, {"w1": 4, "w2": 5}, {"w1": 4, "w2": 5}]


def test_each_family_has_one_heading(tmp_path: Path) -> None:
    (one, first), (two, second) = a_worker(tmp_path, "w1"), a_worker(tmp_path, "w2")
    answer(one, 1)
    answer(two, 1)
    first.write()

    text = second.text().decode()

    headings = [line for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(headings) == len(set(headings)) > 20


def test_a_worker_that_ended_is_not_counted_any_more(tmp_path: Path) -> None:
    (one, first), (two, second) = a_worker(tmp_path, "w1"), a_worker(tmp_path, "w2")
    answer(one, 1)
    answer(two, 1)
    first.write()

    first.close()

    assert counted(second.text()) == {"w2": 1}


def test_a_folder_that_cannot_be_written_leaves_the_own_series(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    metrics, shared = a_worker(tmp_path / "file", "w1")
    answer(metrics, 2)

    assert counted(shared.text()) == {"w1": 2}


def test_nothing_merged_is_nothing() -> None:
    assert merged([]) == ""
