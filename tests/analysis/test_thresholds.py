from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis.evalues import log_e_fail, log_e_pass, proof_at
from analysis.gates import PairedAny, PairedBinary, PairedTail
from analysis.segments import SEGMENT_CLAIMS
from analysis.thresholds import MAX_BLOCKING_GATES, Stats, Thresholds
from harness.config import PROJECT
from harness.errors import ConfigError
from harness.speech import Operation

Figures = Callable[[str, object], None]
PRODUCTION = PROJECT / "data" / "thresholds.toml"
DEMO = PROJECT / "data" / "demo" / "thresholds.toml"
ERROR_GATE = '[gate.errors]\nkind = "paired_binary"\nmargin_pp = 1.0\n'


def load(folder: Path, text: str, *, schema: str = "schema = 1\n") -> Thresholds:
    path = folder / "thresholds.toml"
    path.write_text(schema + text)
    return Thresholds.load(path)


@pytest.mark.parametrize("path", [PRODUCTION, DEMO], ids=["production", "demo"])
def test_the_files_that_come_along_judge_every_operation_with_at_most_ten_blocking_gates(path: Path) -> None:
    thresholds = Thresholds.load(path)

    for operation in Operation:
        gates = thresholds.gates_for(operation)
        assert 5 <= sum(gate.blocking for gate in gates.values()) <= MAX_BLOCKING_GATES
        assert {"latency_p95", "voice_latency_p95"} & gates.keys()
        assert {"error_rate", "very_slow", "duration_ratio", "silence", "broken_voices"} <= gates.keys()
        assert sum(name.startswith("cost") for name in gates) == 1


def test_the_demo_says_that_it_is_lenient_and_is_nowhere_stricter() -> None:
    demo, production = Thresholds.load(DEMO), Thresholds.load(PRODUCTION)

    assert "demo" in (demo.note or "")
    assert production.note is None
    for name in demo.gates.keys() & production.gates.keys():
        loose, strict = (gates[name].model_dump() for gates in (demo.gates, production.gates))
        for limit in ("margin_pp", "abs_max_pct", "ratio_max", "abs_max_usd"):
            assert (loose.get(limit) or 0) >= (strict.get(limit) or 0), (name, limit)


def test_the_names_of_all_needed_columns_are_known(tmp_path: Path) -> None:
    thresholds = load(
        tmp_path,
        '[gate.slow]\nkind = "paired_tail"\nfeature = "first_byte_s"\nratio_max = 1.1\n'
        '[gate.any]\nkind = "paired_any"\nmargin_pp = 1.0\nany = [{feature = "duration_s", above = 9.0}]\n',
    )

    assert thresholds.features == {"first_byte_s", "duration_s"}


def test_operations_restrict_a_gate(tmp_path: Path) -> None:
    thresholds = load(tmp_path, ERROR_GATE + 'operations = ["clone"]\n')

    assert thresholds.gates_for(Operation.GENERATE) == {}
    assert list(thresholds.gates_for(Operation.CLONE)) == ["errors"]


def test_another_limit_is_another_file(tmp_path: Path) -> None:
    before = load(tmp_path, ERROR_GATE)
    after = load(tmp_path, ERROR_GATE.replace("1.0", "1.5"))

    assert before.sha256 != after.sha256


def test_the_voice_cap_leaves_room_for_the_pairs_that_are_wanted() -> None:
    assert Stats(min_pairs=500, min_voices=20).voice_cap == 25
    assert Stats(min_pairs=100, min_voices=20).voice_cap == 20
    assert Stats(max_pairs_per_voice=7).voice_cap == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            ERROR_GATE + "margn_pp = 2\n",
            "[gate.errors] margn_pp is not a key here; use one of abs_max_pct, blocking, counts, kind, margin_pp,",
            id="a key of a gate",
        ),
        pytest.param(
            '[gate.errors]\nkind = "paired_binery"\n',
            '[gate.errors] kind is "paired_binery"; use one of paired_binary, paired_tail, paired_exceed, paired_band, '
            "paired_any, ratio_of_totals, cluster_mean, per_voice",
            id="a kind",
        ),
        pytest.param(
            "[gate.errors]\nmargin_pp = 1\n", "[gate.errors] kind is missing; use one of paired", id="no kind"
        ),
        pytest.param(
            '[gate.errors]\nkind = "paired_binary"\ncounts = "erors"\nmargin_pp = 1\n',
            "[gate.errors] counts is \"erors\"; use 'errors', 'timeouts', 'refusals' or 'rate_limited'",
            id="a choice",
        ),
        pytest.param(
            ERROR_GATE + 'operations = ["clone", "speak"]\n',
            "[gate.errors] operations.1 is \"speak\"; use 'generate', 'clone' or 'design'",
            id="an operation",
        ),
        pytest.param(
            '[gate.clip]\nkind = "paired_exceed"\nfeature = "cliped_share"\nabove = 1\nmargin_pp = 1\n',
            '[gate.clip] feature is "cliped_share"; use one of duration_s,',
            id="a feature",
        ),
        pytest.param(
            '[gate.clip]\nkind = "paired_exceed"\nfeature = "duration_s"\nmargin_pp = 1\n',
            "[gate.clip] takes exactly one limit: above, below or limit_of_control_p95",
            id="no limit",
        ),
        pytest.param(
            '[gate.bad]\nkind = "paired_any"\nmargin_pp = 1\nany = [{feature = "duration_s", abve = 1}]\n',
            "[gate.bad] any, condition 1: abve is not a key here; use one of above, below, feature,",
            id="a key of a condition",
        ),
        pytest.param(
            '[gate.slow]\nkind = "paired_tail"\n', "[gate.slow] ratio_max is missing; the keys here are", id="no key"
        ),
        pytest.param(
            ERROR_GATE.replace("1.0", "-3"), "[gate.errors] margin_pp is -3: Input should be greater", id="a value"
        ),
        pytest.param(
            "[stats]\nmin_pair = 3\n" + ERROR_GATE, "[stats] min_pair is not a key here; use one of alpha,", id="stats"
        ),
        pytest.param("[gat.errors]\n", "gat is not a key here; use one of gate, note, schema, stats", id="a table"),
        pytest.param("[gate.errors\n", "not valid TOML", id="no TOML"),
        pytest.param("", "gate is missing; the keys here are gate, note, schema, stats", id="empty"),
    ],
)
def test_a_mistake_is_named_with_file_table_key_and_what_is_valid(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)

    assert str(caught.value).startswith(f"{tmp_path / 'thresholds.toml'}: {message}")
    assert "\n" not in str(caught.value)


def test_a_file_of_another_schema_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='schema is "2"; use 1'):
        load(tmp_path, ERROR_GATE, schema="schema = 2\n")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read .* --thresholds"):
        Thresholds.load(tmp_path / "nowhere.toml")


def test_too_many_blocking_gates_are_refused(tmp_path: Path) -> None:
    gates = "".join(ERROR_GATE.replace("errors", f"errors_{number}") for number in range(11))

    with pytest.raises(ConfigError, match="11 blocking gates judge generate"):
        load(tmp_path, gates)


class TestTheDemosMargins:
    """What the comments of data/demo/thresholds.toml say, computed from the engine at 400 pairs an operation."""

    PAIRS = 400
    RUNS = 20_000

    @pytest.fixture
    def demo(self) -> Thresholds:
        return Thresholds.load(DEMO)

    @pytest.fixture
    def figures(self, record_property: Figures) -> Figures:
        """Where the power goes: into the test report (`pytest --junitxml`)."""
        # As text: numbers of numpy do not travel between the processes that run the tests.
        return lambda name, value: record_property(name, str(value))

    def family(self, demo: Thresholds) -> int:
        gates = [gate for operation in Operation for gate in demo.gates_for(operation).values() if gate.blocking]
        return sum(gate.claims for gate in gates) + SEGMENT_CLAIMS * len(Operation)

    def outcomes(self, demo: Thresholds, candidate: float, control: float) -> tuple[float, float]:
        """Shares of runs in which error_rate passes in all three operations, and fails in at least one."""
        gate = demo.gates["error_rate"]
        assert isinstance(gate, PairedBinary)
        random = np.random.default_rng(11)
        shape = (self.RUNS, 3)
        both_ways = [candidate * (1 - control), control * (1 - candidate), candidate * control]
        cells = random.multinomial(self.PAIRS, [*both_ways, 1 - sum(both_ways)], size=shape)
        worse, better, bad = cells[..., 0], cells[..., 1], cells[..., 0] + cells[..., 2]
        margin, limit = (gate.margin_pp or 0) / 100, (gate.abs_max_pct or 0) / 100
        to_pass, to_fail = proof_at(0.05), proof_at(0.05, self.family(demo))
        passes = log_e_pass(worse, better, self.PAIRS, margin) >= to_pass
        passes &= log_e_pass(bad, 0, self.PAIRS, limit) >= to_pass
        fails = log_e_fail(worse, better, self.PAIRS, margin) >= to_fail
        fails |= log_e_fail(bad, 0, self.PAIRS, limit, floor=0.0) >= to_fail
        return float(passes.all(axis=1).mean()), float(fails.any(axis=1).mean())

    def test_few_errors_pass_and_ten_percent_more_fail(self, demo: Thresholds, figures: Figures) -> None:
        power = {
            rates: self.outcomes(demo, *rates)
            for rates in [(0.003, 0.003), (0.005, 0.005), (0.105, 0.005), (0.12, 0.003)]
        }
        figures("error_rate: pass all three, fail any", power)

        assert power[0.003, 0.003][0] >= 0.995
        assert power[0.005, 0.005][0] >= 0.96
        assert power[0.105, 0.005][1] >= 0.97
        assert power[0.12, 0.003][1] >= 0.999
        assert power[0.003, 0.003][1] == 0.0

    def test_defects_of_several_kinds_fail_together_and_not_alone(self, demo: Thresholds, figures: Figures) -> None:
        gate = demo.gates["bad_audio"]
        assert isinstance(gate, PairedAny)
        random = np.random.default_rng(12)
        together, alone, none = (random.binomial(self.PAIRS, share, self.RUNS) for share in (0.15, 0.05, 0.002))
        margin, to_fail = gate.margin_pp / 100, proof_at(0.05, self.family(demo))

        found = (log_e_fail(together, 0, self.PAIRS, margin) >= to_fail).mean()
        missed = (log_e_fail(alone, 0, self.PAIRS, margin) >= to_fail).mean()
        passed = (log_e_pass(none, 0, self.PAIRS, margin) >= proof_at(0.05)).mean()
        figures("bad_audio: 15 % fails, 5 % fails, 0.2 % passes", (found, missed, passed))

        assert found >= 0.999
        assert missed <= 0.01
        assert passed >= 0.999

    def test_half_the_time_passes_and_twice_the_time_fails(self, demo: Thresholds, figures: Figures) -> None:
        gate = demo.gates["latency_p95"]
        assert isinstance(gate, PairedTail)
        random = np.random.default_rng(13)
        outcomes = {}
        for name, factor in (("half", 0.5), ("twice", 2.0)):
            control_s = np.exp(0.5 * random.standard_normal((500, self.PAIRS)))
            candidate_s = factor * np.exp(0.5 * random.standard_normal((500, self.PAIRS)))
            reference_s = np.sort(control_s, axis=1)[:, round(gate.quantile * self.PAIRS) - 1, np.newaxis]
            slow, slow_control = candidate_s > gate.ratio_max * reference_s, control_s > reference_s
            worse, better = (slow & ~slow_control).sum(axis=1), (slow_control & ~slow).sum(axis=1)
            outcomes[name] = (
                float((log_e_pass(worse, better, self.PAIRS, 0.0) >= proof_at(0.05)).mean()),
                float((log_e_fail(worse, better, self.PAIRS, 0.0) >= proof_at(0.05, self.family(demo))).mean()),
            )
        figures("latency_p95: pass, fail", outcomes)

        assert outcomes == {"half": (1.0, 0.0), "twice": (0.0, 1.0)}
