"""How much audio a core measures in an hour, beside the floor and beside librosa called feature by feature.

    python -m tests.benchmarks.extraction [--clips 40]

Everything runs on the same clips in the same run: compare the rows with each other, not with another machine's. The
clips are different synthetic voices of 10 s at 24 kHz, 16 bit, as Qwen delivers them, seven eighths of it speech: what
is silent costs less. CPU is of one thread; rows of one and two processes are wall time and tell of a busy machine, too.
What two processes do that share nothing is the most that a pool of two can reach on these cores.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse  # noqa: E402
import io  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402

import librosa  # noqa: E402
import numpy as np  # noqa: E402
import pyloudnorm  # noqa: E402
import soundfile  # noqa: E402

from analysis.audio import decode  # noqa: E402
from analysis.features import measure  # noqa: E402
from analysis.likeness import compare  # noqa: E402
from analysis.models.readiness import obstacles  # noqa: E402
from analysis.models.reading import read_blob  # noqa: E402
from analysis.models.scorers import SCORERS  # noqa: E402
from analysis.spectrum import HOP, N_FFT, RATE_HZ, Spectrum  # noqa: E402
from analysis.workers import WorkerPool  # noqa: E402
from harness.config import PROJECT  # noqa: E402
from harness.store.blobs import BlobStore  # noqa: E402
from tests.analysis.sounds import a_file, an_utterance  # noqa: E402

CLIP_S = 10.0
GOAL_H = 150.0  # hours of audio a core-hour


def floor(data: bytes) -> None:
    """The least that any feature needs: decoded, resampled, transformed once."""
    Spectrum(decode(data).mono_at(RATE_HZ))


def naive(data: bytes) -> None:
    """The same numbers from librosa's own functions on the sound, one after another."""
    native, rate_hz = soundfile.read(io.BytesIO(data), dtype="float32")
    y, _ = librosa.load(io.BytesIO(data), sr=RATE_HZ)
    frames = {"y": y, "n_fft": N_FFT, "hop_length": HOP}
    librosa.effects.split(y, top_db=40)
    librosa.feature.spectral_centroid(sr=RATE_HZ, **frames).mean()
    librosa.feature.spectral_rolloff(sr=RATE_HZ, **frames).mean()
    librosa.feature.spectral_bandwidth(sr=RATE_HZ, **frames).mean()
    librosa.feature.spectral_flatness(**frames).mean()
    librosa.feature.mfcc(sr=RATE_HZ, n_mfcc=13, **frames).mean(axis=1)
    f0_hz = librosa.yin(y, fmin=60, fmax=600, sr=RATE_HZ, frame_length=N_FFT, hop_length=HOP)
    np.percentile(f0_hz, [25, 50, 75])
    pyloudnorm.Meter(rate_hz).integrated_loudness(native)


def cpu_s(function: Callable[[bytes], object], clips: Sequence[bytes]) -> float:
    """CPU seconds a clip, the median of three rounds; the first call is not counted."""
    function(clips[0])
    rounds = []
    for _ in range(3):
        started_s = time.process_time()
        for clip in clips:
            function(clip)
        rounds.append((time.process_time() - started_s) / len(clips))
    return sorted(rounds)[1]


def pool_s(clips: Sequence[bytes], processes: int) -> float:
    """Wall seconds a clip through the store and a pool that has warmed up."""
    with tempfile.TemporaryDirectory() as folder:
        store = BlobStore(Path(folder))
        jobs = [(folder, store.put(clip, "wav"), "wav") for clip in clips]
        pool = WorkerPool("analysis.measuring:measure_blob", processes=processes, deadline_s=60.0)
        answers = pool.run(jobs)
        for _ in range(4 * processes):
            next(answers)
        started_s = time.monotonic()
        left = sum(1 for _ in answers)
        return (time.monotonic() - started_s) / left


_ALONE = """
import sys, time
from pathlib import Path
import analysis.measuring  # one thread for each numeric library, as in a worker
from analysis.features import measure
clips = [path.read_bytes() for path in sorted(Path(sys.argv[1]).iterdir())]
measure(clips[0])
print("ready", flush=True)
sys.stdin.readline()
for clip in clips:
    measure(clip)
print("done", flush=True)
"""


def alone_s(clips: Sequence[bytes], processes: int) -> float:
    """Wall seconds a clip of processes that share nothing and are told nothing: what these cores can do together."""
    with tempfile.TemporaryDirectory() as folder:
        for number, clip in enumerate(clips):
            (Path(folder) / f"{number:04}").write_bytes(clip)
        command = [sys.executable, "-c", _ALONE, folder]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        running = [subprocess.Popen(command, **pipes) for _ in range(processes)]
        for process in running:
            process.stdout.readline()
        started_s = time.monotonic()
        for process in running:
            process.stdin.close()
        said = [process.stdout.readline() for process in running]
        elapsed_s = time.monotonic() - started_s
        if any(process.wait() for process in running) or not all(said):
            raise SystemExit("a process that measures on its own failed; its own words stand above")
        return elapsed_s / (len(clips) * processes)


def many(clips: Sequence[bytes], times: int) -> list[bytes]:
    """More clips, each another file: a pool hands out no item twice, and a second must be many clips."""
    return [clip[:44] + bytes([number]) + clip[45:] for number in range(times) for clip in clips]


_PROBE = """
import sys, time
from pathlib import Path
from analysis.features import measure
began = time.process_time()
if len(sys.argv) > 1:
    measure(Path(sys.argv[1]).read_bytes())
peak = next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
print(began, time.process_time() - began, int(peak) / 1024)
"""


def in_a_process_of_its_own(clip: bytes | None = None) -> tuple[float, float, float]:
    """CPU seconds of a worker's imports, CPU seconds of measuring `clip`, peak MiB."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(clip or b"")
        file.flush()
        command = [sys.executable, "-c", _PROBE, *([file.name] if clip else [])]
        done = subprocess.run(command, capture_output=True, check=True)
    imports_s, measure_s, peak_mib = (float(word) for word in done.stdout.split())
    return imports_s, measure_s, peak_mib


def row(name: str, seconds: float, floor_s: float) -> None:
    hours = CLIP_S / seconds
    print(f"{name:<44} {seconds * 1e3:8.2f} ms a clip {hours:8.0f} h/h {seconds / floor_s:7.2f}x the floor")


def model_rows(clips: Sequence[bytes], floor_s: float) -> None:
    """Each model that could be asked here, from the store to its answer; the others with what they lack."""
    models = PROJECT / "data" / "local" / "models"
    with tempfile.TemporaryDirectory() as folder:
        store = BlobStore(Path(folder))
        for name, scorer in SCORERS.items():
            lacks = obstacles(scorer, models, deep=False)
            if lacks:
                print(f"model {name}: {lacks[0]}")
                continue
            read = partial(_read, name, str(models), store)
            row(f"model {name}", cpu_s(read, clips), floor_s)


def _read(scorer: str, models: str, store: BlobStore, clip: bytes) -> None:
    read_blob((scorer, models, str(store.root), store.put(clip, "wav"), "wav", "en"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=40)
    count = max(12, parser.parse_args().clips)  # fewer are done before the pool has warmed up
    clips = [
        a_file(an_utterance(7, word_s=1.257, f0_hz=80.0 + 5 * number, rate_hz=24_000, seed=number), rate_hz=24_000)
        for number in range(count)
    ]
    print(f"{len(clips)} clips of {CLIP_S:g} s, 24 kHz, 16 bit; load {os.getloadavg()[0]:.1f}\n")
    floor_s, ours_s, naive_s = (cpu_s(function, clips) for function in (floor, measure, naive))
    row("floor: decode, resample, one transform", floor_s, floor_s)
    row("cutover's features", ours_s, floor_s)
    row("librosa, feature by feature", naive_s, floor_s)
    row("a pair compared: both clips decoded, aligned", cpu_s(lambda clip: compare(clips[0], clip), clips), floor_s)
    for name, of in (
        ("no pool, each on its own, wall time", alone_s),
        ("pool, from the store, wall time", pool_s),
    ):
        one_s, two_s = (of(many(clips, 2), processes) for processes in (1, 2))
        row(f"1 process, {name}", one_s, floor_s)
        row(f"2 processes, {name}", two_s, floor_s)
        print(f"{'':<44} two do {one_s / two_s:.2f} times what one does")
    model_rows(clips[:6], floor_s)
    longest = a_file(np.tile(an_utterance(20, rate_hz=24_000), 61)[: 24_000 * 600], rate_hz=24_000)
    imports_s, _, idle_mib = in_a_process_of_its_own()
    _, _, clip_mib = in_a_process_of_its_own(clips[0])
    _, longest_s, longest_mib = in_a_process_of_its_own(longest)
    print(f"\na worker's imports: {imports_s:.2f} s of CPU, once for all workers where the system forks")
    print(f"peak memory: {idle_mib:.0f} MiB idle, {clip_mib:.0f} with a clip, {longest_mib:.0f} with one of 600 s")
    started_s = time.process_time()
    compare(longest, longest)
    print(f"a clip of 600 s: {longest_s:.2f} s of CPU, compared with itself {time.process_time() - started_s:.2f} s")
    verdict = "met" if CLIP_S / ours_s >= GOAL_H else "MISSED"
    print(f"goal of {GOAL_H:g} hours of audio a core-hour: {verdict}")


if __name__ == "__main__":
    main()
