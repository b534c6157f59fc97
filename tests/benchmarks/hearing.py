"""What the features hear: defects planted into clean speech, and how often each feature tells them.

    python -m tests.benchmarks.hearing                  measure and write docs/hearing.json and docs/hearing.md
    python -m tests.benchmarks.hearing --only-check     only what was kept back: unseen sentences and human recordings
    python -m tests.benchmarks.hearing --render         write docs/hearing.md anew from docs/hearing.json

Speech is espeak's in the voices and takes of the stand-in provider. A trial is a pair of two takes of one line, the
second of them clean or damaged, and a feature's answer is how far the two lie apart. Its limit is the 99th percentile
over clean pairs; other clean pairs say how often it then cries wolf, and yet others hold the defects. The best feature
for a defect is chosen on half of the damaged pairs, and its rate is that of the other half.

Then nothing is set or chosen any more: the same limits and the same best feature meet sentences that were kept back,
and recordings of people where Debian's asterisk-core-sounds-en-wav and pocketsphinx-testdata are installed (none is
kept here). Nobody says a sentence twice, so a recording is held against itself: its false alarms cannot be counted.
"""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from analysis.extractor import extractor_version, pair_extractor_version
from analysis.workers import WorkerPool, cores
from tests.benchmarks.defects import DEFECTS
from tests.benchmarks.trials import FEATURES, recordings

ROOT = Path(__file__).parents[2]
STORED, PAGE = ROOT / "docs" / "hearing.json", ROOT / "docs" / "hearing.md"
FALSE_ALARMS, GOAL = 0.01, 0.95


def measure(clean: int, damaged: int) -> dict[str, Any]:
    """The whole bench: `clean` pairs for limits, as many to count false alarms, `damaged` for each defect."""
    jobs = [(number, -1, 0) for number in range(2 * clean)]
    for defect, planted in enumerate(DEFECTS):
        jobs += [
            (2 * clean + number, defect, strength)
            for strength in range(len(planted.strengths))
            for number in range(damaged)
        ]
    found = run("trial", jobs)
    names = (*FEATURES, "outcome")
    table = {name: np.array([found[job][name] for job in jobs]) for name in names}
    limits = {name: float(np.quantile(table[name][:clean], 1 - FALSE_ALARMS, method="higher")) for name in names}
    alarms = {name: table[name] > limits[name] for name in names}
    rows = []
    for defect, planted in enumerate(DEFECTS):
        for strength, value in enumerate(planted.strengths):
            at = [index for index, job in enumerate(jobs) if job[1:] == (defect, strength)]
            rows.append(
                {
                    "defect": planted.name,
                    "strength": f"{value:g} {planted.unit}",
                    "chosen": {name: round(float(alarms[name][at[::2]].mean()), 3) for name in names},
                    "told": {name: round(float(alarms[name][at[1::2]].mean()), 3) for name in names},
                }
            )
    return {
        "extractors": [extractor_version(), pair_extractor_version()],
        "clean_pairs": clean,
        "damaged_pairs": damaged,
        "false_alarms": {name: round(float(alarms[name][clean : 2 * clean].mean()), 4) for name in names},
        "limits": {name: float(f"{limits[name]:.4g}") for name in names},
        "rows": rows,
    }


def run(trial: str, jobs: list[tuple[int, int, int]]) -> dict[tuple[int, int, int], dict[str, float]]:
    pool = WorkerPool(f"tests.benchmarks.trials:{trial}", processes=cores(), deadline_s=60.0)
    found = {answer.item: answer.value for answer in pool.run(jobs) if answer.value is not None}
    if len(found) < len(jobs):
        raise SystemExit(f"{len(jobs) - len(found)} trials failed")
    return found


PLACES = [(defect, strength) for defect, planted in enumerate(DEFECTS) for strength in range(len(planted.strengths))]


def check_unseen(stored: Mapping[str, Any], clean: int, damaged: int) -> dict[str, Any]:
    """The stored limits and choices on sentences that were kept back: `unseen` of every row, by its best feature.

    `false_alarms_unseen` is of each feature over clean pairs of such sentences.
    """
    require_limits_of_this_extractor(stored)
    quiet = [(number, -1, 0) for number in range(clean)]
    found = run("unseen_trial", quiet + [(clean + number, *place) for place in PLACES for number in range(damaged)])
    alarms = {name: rate(stored, name, [found[job] for job in quiet]) for name in stored["limits"]}
    counts = {"unseen_clean": clean, "unseen_damaged": damaged, "false_alarms_unseen": alarms}
    return {**stored, **counts, "rows": checked(stored, "unseen", found)}


def check_people(stored: Mapping[str, Any], damaged: int) -> dict[str, Any]:
    """The same on recordings of people: `human` of every row, None where a recording cannot be damaged so."""
    require_limits_of_this_extractor(stored)
    people, wide = (min(damaged, len(recordings(wide=only))) for only in (False, True))
    jobs = [
        (number, *place)
        for place in PLACES
        if DEFECTS[place[0]].damage
        for number in range(wide if DEFECTS[place[0]].is_of_the_band else people)
    ]
    counts = {"recordings": people, "wide_recordings": wide}
    return {**stored, **counts, "rows": checked(stored, "human", run("human_trial", jobs))}


def require_limits_of_this_extractor(stored: Mapping[str, Any]) -> None:
    if stored["extractors"] != [extractor_version(), pair_extractor_version()]:
        raise SystemExit("the stored limits are of another extractor: run the whole bench, without --only-check")


def checked(stored: Mapping[str, Any], source: str, found: Mapping[Any, dict[str, float]]) -> list[dict[str, Any]]:
    """Every row with the rate of its best feature over the trials of its defect."""
    return [
        {**row, source: rate(stored, best(row)[0], [value for job, value in found.items() if job[1:] == place])}
        for row, place in zip(stored["rows"], PLACES, strict=True)
    ]


def rate(stored: Mapping[str, Any], name: str, values: list[dict[str, float]]) -> float | None:
    told = [value[name] > stored["limits"][name] for value in values]
    return round(float(np.mean(told)), 3) if told else None


def dump(stored: Mapping[str, Any]) -> str:
    """The figures as JSON, a line for each defect: shares in the order of the features in `limits`."""
    rows = [{**row, **{half: list(row[half].values()) for half in ("chosen", "told")}} for row in stored["rows"]]
    lines = ",\n".join(json.dumps(row) for row in rows)
    head = json.dumps({name: value for name, value in stored.items() if name != "rows"}, indent=1)
    return f'{head[:-2]},\n "rows": [\n{lines}\n]}}\n'


def load(text: str) -> dict[str, Any]:
    """What `dump` wrote, shares by the names of the features."""
    stored: dict[str, Any] = json.loads(text)
    for row in stored["rows"]:
        row |= {half: dict(zip(stored["limits"], row[half], strict=True)) for half in ("chosen", "told")}
    return stored


def best(row: Mapping[str, Any]) -> list[str]:
    """Features in the order in which they tell the defect, by the half that chooses."""
    return sorted(row["chosen"], key=lambda name: -row["chosen"][name])


def is_caught(row: Mapping[str, Any]) -> bool:
    return bool(row["told"][best(row)[0]] >= GOAL)


_PAGE = """\
# What the features hear

`python -m tests.benchmarks.hearing` wrote this page. {clean} clean pairs set each feature's limit for 1 % false alarms;
{clean} others count the false alarms it then gives; {damaged} pairs hold each defect, half of them to choose the
feature, half to count. Caught means told in 95 % of the latter. Measured with the extractors {extractors}.

*Unseen* and *human* are how often the best feature, at the same limit, told the defect in what nothing was set or
chosen on: {unseen_damaged} pairs of sentences that were kept back, and {recordings} recordings of people ({wide} of
more than a telephone's band where the defect is one of the band), each held against itself. On {unseen_clean} clean
pairs of the unseen sentences the features cry wolf in {worst_alarm} % at most (`{worst}`) and in {mean_alarm} % on
average.

**Read this first.** Limits are set on espeak's speech at 24 kHz, where two clean takes differ by up to 2 % of pace and
1 % of pitch only. Takes of a real model differ by more, so limits on your traffic will be wider and what is faint here
goes unheard there; the noise lane of your own run says by how much. Nobody says a sentence twice: on recordings false
alarms cannot be counted, and defects of the voice itself cannot be planted.

## Defects

| defect | strength | caught | best | next | unseen | human |
| --- | --- | --- | --- | --- | --- | --- |
{defects}

## Not caught

{missed}

Nothing here knows words: a sentence that says something else in the same time and voice is the business of a
transcriber. Nothing above 8 kHz is looked at: the loss of the band above it is no defect to any feature.

{slipped}

## Features

| feature | limit for 1 % false alarms | false alarms on other pairs | defects it catches alone |
| --- | --- | --- | --- |
{features}

Limits are distances between the two sounds: of logarithms for names in `_hz`, `_s` and `_ratio`, Euclidean for lists,
plain for the others. `outcome` is audio without speech; `dc_offset` lies in the column `more`.
"""


def render(stored: Mapping[str, Any]) -> str:
    """The page, from what was measured."""
    missed = [row for row in stored["rows"] if not is_caught(row)]
    alarms = stored["false_alarms_unseen"]
    worst = max(alarms, key=lambda name: float(alarms[name]))
    bullets = [f"- {row['defect']}, {row['strength']} ({_told(row, best(row)[0])})" for row in missed]
    return _PAGE.format(
        extractors=" and ".join(f"`{version}`" for version in stored["extractors"]),
        clean=stored["clean_pairs"],
        damaged=stored["damaged_pairs"],
        defects="\n".join(map(_line, stored["rows"])),
        missed="\n".join(bullets) or "Every defect above was caught.",
        slipped=_slipped(stored),
        unseen_damaged=stored["unseen_damaged"],
        unseen_clean=stored["unseen_clean"],
        recordings=stored["recordings"],
        wide=stored["wide_recordings"],
        worst=worst,
        worst_alarm=f"{100 * alarms[worst]:.1f}",
        mean_alarm=f"{100 * np.mean(list(alarms.values())):.1f}",
        features="\n".join(_feature(stored, name) for name in stored["limits"]),
    )


def _told(row: Mapping[str, Any], name: str) -> str:
    return f"`{name}` {100 * row['told'][name]:.0f} %"


def _line(row: Mapping[str, Any]) -> str:
    first, *others = best(row)
    following = ", ".join(_told(row, name) for name in others[:2] if row["chosen"][name] > 0)
    caught = "yes" if is_caught(row) else "**no**"
    checks = " | ".join(_share(row[source]) for source in ("unseen", "human"))
    return f"| {row['defect']} | {row['strength']} | {caught} | {_told(row, first)} | {following or '-'} | {checks} |"


def _share(rate: float | None) -> str:
    return "-" if rate is None else f"{100 * rate:.0f} %"


def _slipped(stored: Mapping[str, Any]) -> str:
    """Defects that are caught above and slip through in what was kept back."""
    parts = []
    for source, words in (("unseen", "on unseen sentences"), ("human", "on recordings of people")):
        rows = [row for row in stored["rows"] if is_caught(row) and row[source] is not None and row[source] < GOAL]
        named = "; ".join(f"{row['defect']}, {row['strength']} ({_share(row[source])})" for row in rows)
        parts.append(f"Caught above but told less often than in 95 % {words}: {named or 'none'}.")
    return "\n\n".join(parts)


def _feature(stored: Mapping[str, Any], name: str) -> str:
    heard: dict[str, str] = {}
    for row in stored["rows"]:
        if row["told"][name] >= GOAL:
            heard.setdefault(row["defect"], row["strength"])
    alone = ", ".join(f"{defect} from {strength}" for defect, strength in heard.items())
    return f"| `{name}` | {stored['limits'][name]:g} | {100 * stored['false_alarms'][name]:.1f} % | {alone or '-'} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clean", type=int, default=250)
    parser.add_argument("--damaged", type=int, default=60)
    parser.add_argument("--render", action="store_true")
    parser.add_argument("--only-check", action="store_true")
    parser.add_argument("--kept-back", type=int, default=40, help="pairs of each defect among what was kept back")
    asked = parser.parse_args()
    if not asked.render:
        started_s = time.monotonic()
        stored = load(STORED.read_text()) if asked.only_check else measure(asked.clean, asked.damaged)
        if not recordings():
            print(
                "no recording of a person is installed: apt-get install asterisk-core-sounds-en-wav "
                "pocketsphinx-testdata\n"
            )
        stored = check_people(check_unseen(stored, asked.clean, asked.kept_back), asked.kept_back)
        STORED.write_text(dump(stored))
        print(f"measured in {time.monotonic() - started_s:.0f} s\n")
    page = render(load(STORED.read_text()))
    PAGE.write_text(page)
    print(page)


if __name__ == "__main__":
    main()
