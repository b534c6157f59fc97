"""What the features hear: defects planted into clean speech, and how often each feature and model tells them.

    python -m tests.benchmarks.hearing                    measure and write docs/hearing.json and docs/hearing.md
    python -m tests.benchmarks.hearing --only check       only what was kept back: unseen sentences and recordings
    python -m tests.benchmarks.hearing --only models      only the models that could be asked here, and people's voices
    python -m tests.benchmarks.hearing --only page        write docs/hearing.md anew from docs/hearing.json

Speech is espeak's in the voices and takes of the stand-in provider. A trial is a pair of two takes of one line, the
second of them clean or damaged, and a feature's answer is how far the two lie apart. Its limit is the 99th percentile
over clean pairs; other clean pairs say how often it then cries wolf, and yet others hold the defects. The best feature
for a defect is chosen on half of the damaged pairs, and its rate is that of the other half. Models are rated alike, on
fewer pairs where they are dear; one that could not be asked here keeps the figures it had.

Then nothing is set or chosen any more: the same limits and the same best feature meet sentences that were kept back,
and recordings of people where Debian's asterisk-core-sounds-en-wav and pocketsphinx-testdata are installed (none is
kept here). Nobody says a sentence twice, so a recording is held against itself: its false alarms cannot be counted.
"""

import argparse
import json
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from analysis.extractor import extractor_version, pair_extractor_version
from analysis.models.readiness import obstacles, version_here
from analysis.models.scorers import SCORERS
from analysis.workers import WorkerPool, cores
from harness.config import Settings
from tests.benchmarks.defects import BAND_HZ, DEFECTS
from tests.benchmarks.hearing_page import PAGE, Row, render, witness
from tests.benchmarks.listeners import LISTENERS
from tests.benchmarks.speakers import PEOPLE, recordings_of, told_apart
from tests.benchmarks.trials import FEATURES, Job, recordings

STORED = PAGE.with_suffix(".json")
MODELS = Settings.load().home / "models"
FALSE_ALARMS = 0.01
PLACES = [(defect, strength) for defect, planted in enumerate(DEFECTS) for strength in range(len(planted.strengths))]

Distances = Mapping[str, float]
Ask = Callable[[list[Job]], Mapping[Job, Distances]]


def pooled(function: str, *asked: str) -> Ask:
    """Asks a function of a worker about jobs; `asked` stands before each."""

    def ask(jobs: list[Job]) -> dict[Job, Distances]:
        pool = WorkerPool(function, processes=cores(), deadline_s=120.0)
        answers = pool.run([(*asked, *job) for job in jobs])
        found = {answer.item[len(asked) :]: answer.value for answer in answers if answer.value is not None}
        if len(found) < len(jobs):
            raise SystemExit(f"{len(jobs) - len(found)} trials failed")
        return found

    return ask


def features(source: str) -> Ask:
    return pooled("tests.benchmarks.trials:trial", source)


def model(scorer: str, source: str) -> Ask:
    return pooled("tests.benchmarks.listeners:listen", scorer, str(MODELS), source)


def rated(
    ask: Ask, names: Collection[str], clean: int, damaged: int, defects: Collection[str] | None = None
) -> dict[str, Any]:
    """How often each name tells each defect.

    Args:
        ask: Gives the distances of jobs.
        names: Of the distances.
        clean: Pairs that set the limits; as many others count false alarms.
        damaged: Pairs of each defect: half to choose the best name, half to count.
        defects: Which; None for all.
    """
    places = [place for place in PLACES if defects is None or DEFECTS[place[0]].name in defects]
    jobs = [(number, -1, 0) for number in range(2 * clean)]
    jobs += [(2 * clean + number, *place) for place in places for number in range(damaged)]
    found = ask(jobs)
    table = {name: np.array([found[job][name] for job in jobs]) for name in names}
    limits = {name: float(np.quantile(table[name][:clean], 1 - FALSE_ALARMS, method="higher")) for name in names}
    alarms = {name: table[name] > limits[name] for name in names}
    rows = {}
    for place in places:
        at = np.array([index for index, job in enumerate(jobs) if job[1:] == place])
        chosen, told = ({name: share(alarms[name][half]) for name in names} for half in (at[::2], at[1::2]))
        room = {name: beyond(table[name][at[::2]], limits[name]) for name in names}
        rows[place] = {"chosen": chosen, "told": told, "best": ordered(chosen, room)[:3]}
    return {
        "limits": {name: float(f"{limits[name]:.4g}") for name in names},
        "false_alarms": {name: round(float(alarms[name][clean : 2 * clean].mean()), 4) for name in names},
        "rows": rows,
    }


def share(alarms: Any) -> float:
    return round(float(np.mean(alarms)), 3)


def beyond(distances: Any, limit: float) -> float:
    """How many times its limit a name reaches in nine of ten pairs: of two that always tell, the one with more room."""
    return float(np.quantile(distances, 0.1, method="lower")) / max(limit, 1e-9)


def ordered(chosen: Distances, room: Distances) -> list[str]:
    """Names, the one that tells most often first."""
    return sorted(chosen, key=lambda name: (-chosen[name], -room[name]))


def measure(stored: Mapping[str, Any], clean: int, damaged: int) -> dict[str, Any]:
    """Every feature on every defect; what was known of models stays."""
    found = rated(features("seen"), (*FEATURES, "outcome"), clean, damaged)
    known = {(row["defect"], row["strength"]): row.get("models", {}) for row in stored.get("rows", [])}
    rows = []
    for place in PLACES:
        name, strength = named(place)
        rows.append(
            {"defect": name, "strength": strength, **found["rows"][place], "models": known.get((name, strength), {})}
        )
    kept = {name: stored[name] for name in ("models", "people") if name in stored}
    return {
        "extractors": [extractor_version(), pair_extractor_version()],
        "clean_pairs": clean,
        "damaged_pairs": damaged,
        **kept,
        **found,
        "rows": rows,
    }


def named(place: tuple[int, int]) -> tuple[str, str]:
    planted = DEFECTS[place[0]]
    return planted.name, f"{planted.strengths[place[1]]:g} {planted.unit}"


def ask_models(stored: Mapping[str, Any], only: Collection[str]) -> dict[str, Any]:
    """Every model that could be asked here on its defects, and the voice model on people."""
    models = dict(stored.get("models", {}))
    rows = [dict(row) for row in stored["rows"]]
    for name, listener in LISTENERS.items():
        lacks = obstacles(SCORERS[name], MODELS)
        if lacks or name not in only:
            models.setdefault(name, {"lacks": "not installed where this was measured" if lacks else "not asked yet"})
            print(f"{name} is not asked: {lacks[0] if lacks else 'others were named'}\n")
            continue
        found = rated(model(name, "seen"), listener.measures, listener.clean, listener.damaged, listener.defects)
        ours = found.pop("rows")
        models[name] = {
            "version": version_here(SCORERS[name], MODELS),
            "clean_pairs": listener.clean,
            "damaged_pairs": listener.damaged,
            "language": listener.language,
            **found,
        }
        rows = [
            {**row, "models": {**row["models"], **({name: ours[place]} if place in ours else {})}}
            for row, place in zip(rows, PLACES, strict=True)
        ]
    told = {**stored, "models": models, "rows": rows}
    if "similarity" in only and "limits" in models["similarity"] and not obstacles(SCORERS["similarity"], MODELS):
        told["people"] = people()
    return told


def people() -> dict[str, Any] | None:
    """How well the voice model tells people apart; None where no recording is installed."""
    paths = {person: recordings_of(person) for person in PEOPLE}
    pool = WorkerPool("tests.benchmarks.speakers:voice_in", processes=cores(), deadline_s=60.0)
    jobs = [(str(path), str(MODELS)) for found in paths.values() for path in found]
    voices = {answer.item[0]: answer.value for answer in pool.run(jobs)}
    said = {person: [voices[str(path)] for path in found if voices[str(path)]] for person, found in paths.items()}
    return told_apart(said, FALSE_ALARMS) if sum(len(found) >= 4 for found in said.values()) >= 2 else None


def check_unseen(stored: Mapping[str, Any], clean: int, damaged: int) -> dict[str, Any]:
    """The stored limits and choices on sentences that were kept back: `unseen` of every row, by its witness.

    `false_alarms_unseen` is of each feature over clean pairs of such sentences.
    """
    require_limits_of_this_extractor(stored)
    quiet = [(number, -1, 0) for number in range(clean)]
    jobs = [(clean + number, *place) for place in PLACES for number in range(damaged)]
    found = features("unseen")(quiet + jobs)
    alarms = {name: rate(limit, [found[job][name] for job in quiet]) for name, limit in stored["limits"].items()}
    counts = {"unseen_clean": clean, "unseen_damaged": damaged, "false_alarms_unseen": alarms}
    return {**stored, **counts, "rows": checked(stored, "unseen", jobs, found)}


def check_people(stored: Mapping[str, Any], damaged: int) -> dict[str, Any]:
    """The same on recordings of people: `human` of every row, None where a recording cannot be damaged so."""
    require_limits_of_this_extractor(stored)
    jobs = [
        (number, *place)
        for place in PLACES
        if DEFECTS[place[0]].damage
        for number in range(min(damaged, len(recordings(DEFECTS[place[0]].reach_hz[place[1]]))))
    ]
    recorded, wide = (min(damaged, len(recordings(hz))) for hz in (0.0, BAND_HZ))
    counts = {"recordings": recorded, "wide_recordings": wide}
    return {**stored, **counts, "rows": checked(stored, "human", jobs, features("human")(jobs))}


def require_limits_of_this_extractor(stored: Mapping[str, Any]) -> None:
    if stored["extractors"] != [extractor_version(), pair_extractor_version()]:
        raise SystemExit("the stored limits are of another extractor: run the whole bench, without --only")


def checked(stored: Mapping[str, Any], source: str, jobs: list[Job], found: Mapping[Job, Distances]) -> list[Row]:
    """Every row with the rate of its witness, a feature or a model, over the trials of its defect."""
    rows = []
    for row, place in zip(stored["rows"], PLACES, strict=True):
        ours = [job for job in jobs if job[1:] == place]
        scorer, name = witness(row)
        if scorer is None:
            told = rate(stored["limits"][name], [found[job][name] for job in ours])
        elif obstacles(SCORERS[scorer], MODELS) or (source == "human" and scorer == "intelligibility"):
            told = None  # nobody wrote down what the recordings say
        else:
            ours = ours[: stored["models"][scorer]["damaged_pairs"]]
            heard = model(scorer, source)(ours)
            told = rate(stored["models"][scorer]["limits"][name], [heard[job][name] for job in ours])
        rows.append({**row, source: told})
    return rows


def rate(limit: float, values: list[float]) -> float | None:
    return share([value > limit for value in values]) if values else None


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clean", type=int, default=250)
    parser.add_argument("--damaged", type=int, default=60)
    parser.add_argument("--kept-back", type=int, default=40, help="pairs of each defect among what was kept back")
    parser.add_argument("--only", choices=("features", "models", "check", "page"))
    parser.add_argument("--model", action="append", choices=tuple(LISTENERS), help="ask only this one; repeatable")
    asked = parser.parse_args()
    started_s = time.monotonic()
    stored = load(STORED.read_text()) if STORED.exists() else {}
    if asked.only in (None, "features"):
        stored = measure(stored, asked.clean, asked.damaged)
        STORED.write_text(dump(stored))
    if asked.only in (None, "models"):
        stored = ask_models(stored, asked.model or tuple(LISTENERS))
        STORED.write_text(dump(stored))
    if asked.only != "page":
        if not recordings():
            print(
                "no recording of a person is installed: apt-get install asterisk-core-sounds-en-wav "
                "pocketsphinx-testdata\n"
            )
        stored = check_people(check_unseen(stored, asked.clean, asked.kept_back), asked.kept_back)
        STORED.write_text(dump(stored))
        print(f"measured in {time.monotonic() - started_s:.0f} s\n")
    PAGE.write_text(render(stored))
    print(PAGE.read_text())


if __name__ == "__main__":
    main()
