"""The sentences that every report has beside its tables, made from the one view in `report.py`."""

from collections.abc import Iterator

from analysis.report import View
from analysis.units import amount, count, span

__all__ = ["beside_lines", "beside_words", "flips", "footnotes", "needs", "order_lines", "worst_lines"]


def needs(view: View) -> Iterator[str]:
    """What the gates of an open operation wait for, the same wait of several gates said once."""
    for operation in view["operations"]:
        if operation["decision"] != "inconclusive":
            continue
        waits: dict[str, list[str]] = {}
        for finding in operation["findings"]:
            if finding["forecast"] and finding["blocking"]:
                waits.setdefault(finding["forecast"]["text"], []).append(finding["gate"])
        for wait, gates in waits.items():
            yield f"{operation['operation']} {wait} ({', '.join(gates)})"


def flips(view: View) -> Iterator[str]:
    """What would change the outcome of the gates that decide: every blocking one that did not pass, and narrow ones."""
    for operation in view["operations"]:
        for finding in operation["findings"]:
            line = _flip(finding) if finding["blocking"] else None
            if line:
                yield f"{operation['operation']} {line}"


def _flip(finding: View) -> str | None:
    flip, unit = finding["flip"], finding["unit"]
    if finding["outcome"] not in ("fail", "inconclusive") or flip["smallest_limit"] is None or unit == "voices":
        return None
    signed = unit == "pp"
    if flip["distance"] >= 0:
        words = f"keeps its limit with {amount(flip['distance'], unit)} to spare"  # and waits for something else
    else:
        smallest = amount(flip["smallest_limit"], unit, signed=signed)
        words = f"would pass from a limit of {smallest} on, {amount(-flip['distance'], unit)} above its own"
    place = f" in {finding['segment']}" if finding["segment"] else ""
    worst = flip["worst_segment"]
    if worst and worst["excess_pp"] > 0:
        share = amount(worst["excess_pp"], "pp", signed=True)
        words += f"; worst in {worst['name']}: {share} of {count(worst['pairs'], 'pair')}"
    return f"{finding['gate']}{place} {words}"


def order_lines(view: View) -> Iterator[str]:
    """Which operation to move first, why, and the step its verdict allows now."""
    for number, place in enumerate(view["order"], start=1):
        yield f"{number}. {place['operation']}: {place['next_step']} ({'; '.join(place['why'])})"


def beside_words(finding: View) -> str:
    """What textbooks say of the same pairs, for one look; empty where nothing was measured."""
    parts = [
        f"{each['what']} {span(each['low'], each['high'], each['unit'], signed=each['unit'] == 'pp')} "
        f"({each['method']}, {100 * each['level']:g} %)"
        for each in finding["beside"]
    ]
    return "; ".join(parts)


def beside_lines(view: View, *, passed: bool) -> Iterator[str]:
    """The same for each gate on a line of its own.

    Args:
        view: What `view_of` made.
        passed: Gates that passed have a line, too.
    """
    for operation in view["operations"]:
        for finding in operation["findings"]:
            said = beside_words(finding)
            if said and (passed or finding["outcome"] != "pass"):
                yield f"{operation['operation']} {finding['gate']}: {said}"


def worst_lines(view: View, most: int) -> Iterator[str]:
    """The worst pairs of each operation that is no go, with what was wrong in them."""
    for operation in view["operations"]:
        for pair in operation["worst_pairs"][:most] if operation["decision"] != "go" else ():
            yield f"{operation['operation']} {pair['capture_id']}: {'; '.join(pair['reasons'])}"


def footnotes(view: View) -> Iterator[str]:
    """Sensitivity, voices that changed, counts of all outcomes, rules and runs."""
    yield from _self_test_lines(view)
    yield from _voice_lines(view)
    yield from _ledger_lines(view)
    yield from _source_lines(view)


def _self_test_lines(view: View) -> Iterator[str]:
    """How small a defect the gates could see in these runs."""
    for operation in view["operations"]:
        test = operation["self_test"]
        name, noise = operation["operation"], count(test["noise_pairs"], "noise pair")
        if test["noise_pairs"] < test["needed"]:
            yield f"self-test {name}: {noise} of {test['needed']}, so the instrument was not tested"
        elif test["fault"] is None:
            by_share: dict[float, list[str]] = {}
            for gate, share in test["caught_from"].items():
                by_share.setdefault(share, []).append(gate)
            caught = "; ".join(f"{100 * share:g} % by {', '.join(by_share[share])}" for share in sorted(by_share))
            yield f"self-test {name}: {noise}, the repeat does not fail; planted defects are caught from {caught}"


def _voice_lines(view: View) -> Iterator[str]:
    """Evidence that a new enrolment has put an end to."""
    for operation in view["operations"]:
        anew = operation["sample"]["enrolled_anew"]
        if anew:
            yield (
                f"voices {operation['operation']}: {count(anew, 'pair')} left out, spoken by voices that were enrolled "
                "anew since: each begins its evidence anew"
            )


def _ledger_lines(view: View) -> Iterator[str]:
    ledger = view["ledger"]
    for lane in ledger["lanes"]:
        outcomes = ", ".join(f"{name} {number:,}" for name, number in _ok_first(lane["outcomes"]))
        yield f"{lane['lane']}: {count(lane['exchanges'], 'exchange')} = {outcomes}"
    yield f"all lanes: {ledger['rows']:,} of {count(ledger['planned'], 'planned leg')} have an outcome"


def _ok_first(outcomes: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(outcomes.items(), key=lambda item: (item[0] != "ok", -item[1], item[0]))


def _source_lines(view: View) -> Iterator[str]:
    thresholds = view["thresholds"]
    yield f"thresholds: {thresholds['name']} ({thresholds['sha256'][:12]})"
    yield f"evidence epoch: {view['evidence_epoch'][:12]}"
    if view["earlier_limits"]:
        before = ", ".join(sha256[:12] for sha256 in view["earlier_limits"])
        yield (
            f"new epoch: these runs were judged by other limits before ({before}); limits chosen after the result "
            "prove nothing by it, so replay anew before you rely on a go"
        )
    if thresholds["note"]:
        yield f"note: {thresholds['note']}"
    if view["not_judged"]:
        yield f"not replayed, so not judged: {', '.join(view['not_judged'])}"
    yield f"run: {', '.join(run['run_id'] for run in view['runs'])}"
