"""What the features hear: defects planted into clean speech, and how often each feature tells them.

    python -m tests.benchmarks.hearing              measure and write docs/hearing.json and docs/hearing.md
    python -m tests.benchmarks.hearing --render     write docs/hearing.md anew from docs/hearing.json

Speech is espeak's in the voices and takes of the stand-in provider. A trial is a pair of two takes of one line, the
second of them clean or damaged, and a feature's answer is how far the two lie apart. Its limit is the 99th percentile
over clean pairs; other clean pairs say how often it then cries wolf, and yet others hold the defects. The best feature
for a defect is chosen on half of the damaged pairs, and its rate is that of the other half.
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
from tests.benchmarks.trials import FEATURES

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
    pool = WorkerPool("tests.benchmarks.trials:trial", processes=cores(), deadline_s=60.0)
    found = {answer.item: answer.value for answer in pool.run(jobs) if answer.value is not None}
    if len(found) < len(jobs):
        raise SystemExit(f"{len(jobs) - len(found)} trials failed")
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

**Read this first.** All speech is espeak's, at 24 kHz, and two clean takes differ by up to 2 % of pace and 1 % of pitch
only. Takes of a real model differ by more, so limits on your traffic will be wider and what is faint here goes unheard
there; the noise lane of your own run says by how much. No human recording is in it.

## Defects

| defect | strength | caught | best | next |
| --- | --- | --- | --- | --- |
{defects}

## Not caught

{missed}

Nothing here knows words: a sentence that says something else in the same time and voice is the business of a
transcriber. Nothing above 8 kHz is looked at: the loss of the band above it is no defect to any feature.

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
    bullets = [f"- {row['defect']}, {row['strength']} ({_told(row, best(row)[0])})" for row in missed]
    return _PAGE.format(
        extractors=" and ".join(f"`{version}`" for version in stored["extractors"]),
        clean=stored["clean_pairs"],
        damaged=stored["damaged_pairs"],
        defects="\n".join(map(_line, stored["rows"])),
        missed="\n".join(bullets) or "Every defect above was caught.",
        features="\n".join(_feature(stored, name) for name in stored["limits"]),
    )


def _told(row: Mapping[str, Any], name: str) -> str:
    return f"`{name}` {100 * row['told'][name]:.0f} %"


def _line(row: Mapping[str, Any]) -> str:
    first, *others = best(row)
    following = ", ".join(_told(row, name) for name in others[:2] if row["chosen"][name] > 0)
    caught = "yes" if is_caught(row) else "**no**"
    return f"| {row['defect']} | {row['strength']} | {caught} | {_told(row, first)} | {following or '-'} |"


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
    asked = parser.parse_args()
    if not asked.render:
        started_s = time.monotonic()
        stored = measure(asked.clean, asked.damaged)
        STORED.write_text(dump(stored))
        print(f"measured in {time.monotonic() - started_s:.0f} s\n")
    page = render(load(STORED.read_text()))
    PAGE.write_text(page)
    print(page)


if __name__ == "__main__":
    main()
