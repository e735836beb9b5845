"""How long a large head takes and how much memory: a process of its own, from mapped files, as a worker does it.

Runs by itself: ``python -m tests.benchmarks.face_exam.timing FOLDER MODE SEED`` prints JSON.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2

from deid.errors import Refused
from deid.instance import Instance
from tests.benchmarks.face_exam.baselines import BASELINES, by_baseline
from tests.benchmarks.face_exam.systems import by_product, context_of, faces_alone
from tests.factories import to_bytes
from tests.heads import Head, Scan, instances

SLICES, SIDE = 300, 512
MOST_S, MOST_MIB = 20.0, 2048.0
_TIMEOUT_S = 3600
_EVERY_S = 0.02
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_NUM_THREADS"), "1")


@dataclass(frozen=True, slots=True)
class Measured:
    """What one series took, CPU seconds on one core and MiB; the seconds are those of a mark."""

    system: str
    slices: int
    work_s: float
    faces_s: float
    files_s: float
    anonymous_mib: float
    resident_mib: float
    kind: str
    refused: str = ""


def written(folder: Path, seed: int, slices: int = SLICES, side: int = SIDE) -> None:
    """Write a head of 300 slices of 512 by 512 pixels."""
    scan = Scan(
        shape=(slices, side, side),
        step_mm=(240 / slices, 240 / side, 240 / side),
        centre_mm=(0.0, -8.0, -30.0),
        position="HFS",
    )
    for number, ds in enumerate(instances(Head.of(seed), scan, seed=seed)):
        (folder / f"{number:04d}.dcm").write_bytes(to_bytes(ds))


def measured(folder: Path, system: str, seed: int) -> Measured:
    """Have the files of a folder cleaned by a process of its own.

    Raises
    ------
    subprocess.SubprocessError
        The process doesn't end well.
    """
    command = [sys.executable, "-m", "tests.benchmarks.face_exam.timing", str(folder), system, str(seed)]
    ran = subprocess.run(
        command, check=True, timeout=_TIMEOUT_S, stdout=subprocess.PIPE, text=True, env={**os.environ, **_ONE_THREAD}
    )
    return Measured(**json.loads(ran.stdout.splitlines()[-1]))


def large(mode: str, seed: int, slices: int = SLICES) -> list[Measured]:
    """Make a large head and have it cleaned by the product, and by each baseline."""
    with tempfile.TemporaryDirectory(prefix="face-exam-") as name:
        written(Path(name), seed, slices)
        return [measured(Path(name), system, seed) for system in (mode, *(each.name for each in BASELINES))]


class _Watch(threading.Thread):
    """Looks again and again how much memory of its own the process has."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most_kb, self._ended = 0, threading.Event()

    def run(self) -> None:
        while not self._ended.wait(_EVERY_S):
            self.most_kb = max(self.most_kb, _status_kb("RssAnon"))

    def end(self) -> float:
        """Return the most, in MiB."""
        self._ended.set()
        self.join()
        return max(self.most_kb, _status_kb("RssAnon")) / 1024


def _status_kb(key: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return int(value.split()[0])
    return 0


def _measure(folder: Path, system: str, seed: int) -> Measured:
    paths = sorted(folder.glob("*.dcm"), key=lambda path: hashlib.sha256(f"{seed} {path.name}".encode()).digest())
    baseline = next((each for each in BASELINES if each.name == system), None)
    watch, kind, refused = _Watch(), "", ""
    watch.start()
    if baseline is not None:
        cv2.setNumThreads(1)
        work_s, files_s = by_baseline(baseline, [path.read_bytes() for path in paths], seed)
        return Measured(system, len(paths), work_s, files_s, files_s, watch.end(), _status_kb("VmHWM") / 1024, "")
    context, began = context_of(system, seed), time.process_time()
    try:
        kind = str(by_product(lambda: _mapped(paths), context)[0].kind)
    except Refused as error:
        refused = f"{error.reason} {error.detail}".strip()
    files_s, anonymous_mib, resident_mib = time.process_time() - began, watch.end(), _status_kb("VmHWM") / 1024
    if refused:
        return Measured(system, len(paths), files_s, files_s, files_s, anonymous_mib, resident_mib, kind, refused)
    faces_s, beside_s = faces_alone(lambda: _mapped(paths), context)
    return Measured(
        system, len(paths), faces_s - beside_s, faces_s, files_s, anonymous_mib, resident_mib, kind, refused
    )


def _mapped(paths: Sequence[Path]) -> Iterator[Instance]:
    for path in paths:
        with path.open("rb") as file:
            yield Instance.from_part10(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))


if __name__ == "__main__":
    print(json.dumps(asdict(_measure(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))))
