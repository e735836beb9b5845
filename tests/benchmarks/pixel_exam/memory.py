"""What the largest images take: each through a node's worker process, by the path of its jobs, under a memory limit.

The raw file lies in a spool, the process is one of the worker role's pool with its time limits, and what it writes into
the outbox is compared with what was drawn, frame by frame.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.uid import ExplicitVRLittleEndian

from deid.elements.file_meta import part10_header
from deid.errors import DeidError
from node import worker
from node.cleaning import clean_job
from node.errors import NodeError
from node.jobs import JobId, new_job_id
from node.key import create_key
from node.pool import WorkerPool
from node.settings import Project, Settings, SpoolSettings, WorkSettings
from node.spool import Spool
from tests import factories
from tests.benchmarks.pixel_exam.draw import Line, Painter
from tests.benchmarks.pixel_exam.files import _header
from tests.benchmarks.pixel_exam.phi import lines, person
from tests.benchmarks.pixel_exam.scenes import Scene, smooth
from tests.benchmarks.pixel_exam.systems import PIXELS, PROFILES
from tests.factories import Study

MOST_MIB = 2048.0
FRAMES = 2000
_DRAWN = 8  # frames that are painted; the others are made of them, and no two are equal
_LINES = 4
_INK_MASKED = 0.95
_EVERY_S = 0.02
_PIXEL_DATA = b"\xe0\x7f\x10\x00OW\0\0"

_Frame = NDArray[Any]


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
    seconds
        from the job's beginning to its end
    masked
        share of the frames in which all lines are masked
    """

    anonymous_mib: float
    resident_mib: float
    cpu_s: float
    refused: str = ""
    seconds: float = 0.0
    masked: float = 1.0


@dataclass(frozen=True, slots=True)
class Large:
    """A large image: a scene whose frames are painted, and how many frames are made of them.

    Attributes
    ----------
    scene
        painted
    plain
        its frames before that
    lines
        on all of them
    frames
        how many there are
    """

    scene: Scene
    plain: NDArray[Any]
    lines: tuple[Line, ...]
    frames: int

    def frame(self, number: int) -> _Frame:
        """Return a frame: the lines stay where they are, all else moves on."""
        painted, plain = self.scene.frames, self.plain
        turn, which = divmod(number, len(painted))
        if not turn:
            return np.asarray(painted[which])
        moved = np.roll(plain[which], (turn, 3 * turn), axis=(0, 1))
        for line in self.lines:
            x0, y0, x1, y1 = line.box
            moved[y0:y1, x0:x1] = painted[which, y0:y1, x0:x1]
        return moved

    def masked(self, number: int, clean: _Frame) -> bool:
        """Tell whether all lines of a frame are masked."""
        frame = self.frame(number)
        return all(_share_changed(line, frame, clean) >= _INK_MASKED for line in self.lines)


def cine(seed: int, frames: int = FRAMES) -> Large:
    """Return a run of 512 by 512 pixels of 16 bits, a gigabyte of 2,000 frames."""
    chance = np.random.default_rng(seed)
    base = 900 + 700 * smooth(chance, 512, 512, 6)
    values = np.stack([base + chance.normal(0, 30, base.shape) for _ in range(min(_DRAWN, frames))])
    scene = Scene("cine", "XA", "1.2.840.10008.5.1.4.1.1.12.1", np.clip(values, 0, 4095).astype("<u2"), 12, 400, 2200)
    return _with_lines(scene, seed, frames)


def mammogram(seed: int) -> Large:
    """Return one of 5,000 by 4,000 pixels."""
    chance = np.random.default_rng(seed)
    y = np.linspace(-1, 1, 5000)[:, None]
    x = np.linspace(0, 1, 4000)[None, :]
    inside = x < 0.8 * np.sqrt(np.clip(1 - (y / 0.9) ** 2, 0, 1))
    values = inside * (1200 + 1800 * smooth(chance, 5000, 4000, 40)) + chance.integers(0, 40, (5000, 4000))
    scene = Scene(
        "mammogram", "MG", "1.2.840.10008.5.1.4.1.1.1.2", np.clip(values, 0, 4095).astype("<u2")[None], 12, 0, 4095
    )
    return _with_lines(scene, seed, 1)


FILES: dict[str, Callable[[int], Large]] = {
    f"{FRAMES} frames of 512x512": cine,
    "mammogram of 5000x4000": mammogram,
}


def measured(name: str, profile: str, seed: int) -> Measured:
    """Have a large image cleaned by a worker process.

    Parameters
    ----------
    name
        of `FILES`
    profile
        as of the exam
    """
    return cleaned(FILES[name](seed), profile)


def cleaned(large: Large, profile: str) -> Measured:
    """Have an image cleaned by a worker process, and look at what became of its lines."""
    with tempfile.TemporaryDirectory(prefix="pixel-exam-") as name:
        settings = _settings(Path(name), profile)
        spool = Spool(settings.spool.path, settings.spool.min_free_bytes)
        job_id = new_job_id()
        _receive(spool, job_id, large)
        with worker._pool(settings) as pool:
            found = _measured(pool, spool, job_id)
        return found if found.refused else replace(found, masked=_masked(large, spool.outbox_path(job_id)))


def _settings(folder: Path, profile: str) -> Settings:
    create_key(folder / "key")
    if profile == PIXELS:
        profile = str(folder / "pixels.toml")
        Path(profile).write_text('text = "rules"\n' + (PROFILES / "tcia.toml").read_text("utf-8"), "utf-8")
    return Settings(
        key_file=folder / "key",
        spool=SpoolSettings(folder / "spool", 1),
        work=WorkSettings(processes=1, memory_limit_bytes=int(MOST_MIB) << 20),
        projects=(Project("exam", profile=profile),),
    )


def _with_lines(scene: Scene, seed: int, frames: int) -> Large:
    chance = Random(f"memory {seed}")
    everywhere: tuple[Line, ...] = ()
    while not everywhere:  # a block may be of some frames only, or there is no room for it
        painter = Painter(scene, chance)
        painter.block(lines(person(chance), chance, _LINES))
        everywhere = tuple(line for line in painter.lines if len(line.frames) == len(scene.frames))
    return Large(painter.scene, scene.frames, everywhere, frames)


def _receive(spool: Spool, job_id: JobId, large: Large) -> None:
    """Write the raw file as the receiver does, frame by frame."""
    data_set = _header(replace(large.scene, frames=large.scene.frames[:1]), Study(), 0)
    if large.frames > 1:
        factories.update(data_set, NumberOfFrames=large.frames, FrameIncrementPointer=0x00181063, FrameTime="40")
    meta = data_set.file_meta
    head = part10_header(
        data_set.SOPClassUID, meta.MediaStorageSOPInstanceUID, ExplicitVRLittleEndian, "MODALITY", "", "DEIDNODE"
    )
    spool.put_incoming(job_id, head, _chunks(data_set, large))


def _chunks(data_set: FileDataset, large: Large) -> Iterator[bytes]:
    yield factories.data_set_bytes(data_set)
    yield _PIXEL_DATA + (large.scene.frames[0].nbytes * large.frames).to_bytes(4, "little")
    for number in range(large.frames):
        yield large.frame(number).tobytes()


class _Watch(threading.Thread):
    """Looks again and again how much memory a pool's process has of its own."""

    def __init__(self, pool: WorkerPool) -> None:
        super().__init__(daemon=True)
        self.most_kb = self.most_resident_kb = 0
        self._pool = pool
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(_EVERY_S):
            self.look()

    def look(self) -> None:
        for process_id in self._pool.process_ids():
            self.most_kb = max(self.most_kb, _status_kb(process_id, "RssAnon"))
            self.most_resident_kb = max(self.most_resident_kb, _status_kb(process_id, "VmHWM"))

    def end(self) -> None:
        self._ended.set()
        self.join()
        self.look()


def _status_kb(process_id: int, key: str) -> int:
    try:
        status = Path(f"/proc/{process_id}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    found = (line.partition(":") for line in status.splitlines())
    return next((int(value.split()[0]) for name, _, value in found if name == key), 0)


def _measured(pool: WorkerPool, spool: Spool, job_id: JobId) -> Measured:
    pool.submit(len, "").result()  # the process is there, with its profile
    watch, began_s = _Watch(pool), time.perf_counter()
    cpu_s, reason = _cpu_s(pool.process_ids()), ""
    watch.start()
    try:
        pool.submit(clean_job, spool, job_id, "exam").result()
    except (DeidError, NodeError, MemoryError) as error:
        reason = f"{type(error).__name__} {error}".strip()
    seconds = time.perf_counter() - began_s
    cpu_s = _cpu_s(pool.process_ids()) - cpu_s
    watch.end()
    return Measured(watch.most_kb / 1024, watch.most_resident_kb / 1024, cpu_s, reason, seconds, masked=0.0)


def _cpu_s(process_ids: Sequence[int]) -> float:
    times = [psutil.Process(each).cpu_times() for each in process_ids]
    return sum(each.user + each.system for each in times)


def _masked(large: Large, path: Path) -> float:
    """Return the share of the frames of a clean file, which ends with its pixels, in which all lines are masked."""
    shape = (large.frames, *large.scene.shape)
    size_bytes = int(np.prod(shape)) * large.scene.frames.itemsize
    offset = path.stat().st_size - size_bytes
    clean = np.memmap(path, large.scene.frames.dtype, "r", offset, shape)
    return sum(large.masked(number, clean[number]) for number in range(large.frames)) / large.frames


def _share_changed(line: Line, frame: _Frame, clean: _Frame) -> float:
    x0, y0, x1, y1 = line.box
    changed = (frame[y0:y1, x0:x1] != clean[y0:y1, x0:x1]) & line.ink
    return float(changed.sum()) / float(line.ink.sum())
