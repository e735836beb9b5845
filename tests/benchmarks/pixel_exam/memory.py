"""How much memory the largest images take: a process of its own cleans one as a worker does, from a mapped file.

Runs by itself: ``python -m tests.benchmarks.pixel_exam.memory FILE PROFILE SEED`` prints JSON.
"""

from __future__ import annotations

import json
import mmap
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
from pydicom import dcmwrite

from tests.benchmarks.pixel_exam.draw import Painter
from tests.benchmarks.pixel_exam.files import _header
from tests.benchmarks.pixel_exam.phi import lines, person
from tests.benchmarks.pixel_exam.scenes import Scene, smooth
from tests.factories import Study

MOST_MIB = 2048.0
FRAMES, DISTINCT = 2000, 40
_TIMEOUT_S = 3600
_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Measured:
    """What one file took.

    Attributes
    ----------
    anonymous_mib
        memory of the process's own at most
    resident_mib
        with the pages of files that it had mapped, which the system takes back when it needs them
    refused
        why it wasn't cleaned; empty if it was
    """

    anonymous_mib: float
    resident_mib: float
    cpu_s: float
    refused: str = ""


def cine(path: Path, seed: int, frames: int = FRAMES, distinct: int = DISTINCT) -> None:
    """Write a run of 512 by 512 pixels of 16 bits, a gigabyte of 2,000 frames, of which some come again and again."""
    chance = np.random.default_rng(seed)
    base = 900 + 700 * smooth(chance, 512, 512, 6)
    values = np.stack([base + chance.normal(0, 30, base.shape) for _ in range(distinct)])
    scene = Scene("cine", "XA", "1.2.840.10008.5.1.4.1.1.12.1", np.clip(values, 0, 4095).astype("<u2"), 12, 400, 2200)
    _write(path, _with_lines(scene, seed), frames)


def mammogram(path: Path, seed: int) -> None:
    """Write one of 5,000 by 4,000 pixels."""
    chance = np.random.default_rng(seed)
    y = np.linspace(-1, 1, 5000)[:, None]
    x = np.linspace(0, 1, 4000)[None, :]
    inside = x < 0.8 * np.sqrt(np.clip(1 - (y / 0.9) ** 2, 0, 1))
    values = inside * (1200 + 1800 * smooth(chance, 5000, 4000, 40)) + chance.integers(0, 40, (5000, 4000))
    scene = Scene(
        "mammogram", "MG", "1.2.840.10008.5.1.4.1.1.1.2", np.clip(values, 0, 4095).astype("<u2")[None], 12, 0, 4095
    )
    _write(path, _with_lines(scene, seed), 1)


FILES: dict[str, Callable[[Path, int], None]] = {
    f"{FRAMES} frames of 512x512": cine,
    "mammogram of 5000x4000": mammogram,
}


def _with_lines(scene: Scene, seed: int) -> Scene:
    chance = Random(f"memory {seed}")
    painter = Painter(scene, chance)
    painter.block(lines(person(chance), chance, 4))
    return painter.scene


def _write(path: Path, scene: Scene, frames: int) -> None:
    """Write frame by frame: no more than the distinct ones are in memory."""
    data_set = _header(replace(scene, frames=scene.frames), Study(), 0)
    data_set.NumberOfFrames = frames
    if frames == 1:
        del data_set.NumberOfFrames
    with path.open("wb") as file:
        dcmwrite(file, data_set, enforce_file_format=True, implicit_vr=False, little_endian=True)
        size = scene.frames[0].nbytes * frames
        file.write(b"\xe0\x7f\x10\x00OW\0\0" + size.to_bytes(4, "little"))
        for number in range(frames):
            file.write(scene.frames[number % len(scene.frames)].tobytes())


def measured(name: str, profile: str, seed: int) -> Measured:
    """Make a file and have it cleaned by a process of its own.

    Raises
    ------
    subprocess.SubprocessError
        The process doesn't end well.
    """
    with tempfile.TemporaryDirectory(prefix="pixel-exam-") as folder:
        path = Path(folder) / "large.dcm"
        FILES[name](path, seed)
        command = [sys.executable, "-m", "tests.benchmarks.pixel_exam.memory", str(path), profile, str(seed)]
        ran = subprocess.run(command, check=True, timeout=_TIMEOUT_S, stdout=subprocess.PIPE, text=True)
        return Measured(**json.loads(ran.stdout.splitlines()[-1]))


class _Watch(threading.Thread):
    """Looks again and again how much memory the process has."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most_kb = 0
        self._ended = threading.Event()

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


def _measure(path: Path, profile: str, seed: int) -> Measured:
    from deid.engine import deidentify
    from deid.errors import Refused
    from deid.instance import Instance
    from tests.benchmarks.pixel_exam.systems import context_of

    context = context_of(profile, seed)
    watch, began, reason = _Watch(), time.process_time(), ""
    watch.start()
    with path.open("rb") as source, path.with_suffix(".out").open("wb") as target:
        mapped = memoryview(mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ))
        try:
            target.writelines(deidentify(Instance.from_part10(mapped), context).clean.part10())
        except Refused as error:
            reason = f"{error.reason} {error.detail}".strip()
    cpu_s = time.process_time() - began
    return Measured(watch.end(), _status_kb("VmHWM") / 1024, cpu_s, reason)


if __name__ == "__main__":
    print(json.dumps(asdict(_measure(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))))
