"""`make bench`: receive → de-identify the header → forward, beside DCMTK and Orthanc in the same run.

The senders are dcmsend with Nagle's algorithm off, 1 or 4 at once; the archive is storescp. A run lasts from the first
byte sent to the last instance in the archive; a wait that a system's configuration asks for is taken off its time. CPU
is user + system of all the system's processes, the archive's and the senders' not counted; memory is the highest sum of
the processes' resident sets. Each combination runs some rounds, one round of all after the other; the closing line
takes of each, for every system and for the engine alone alike, the round with the least CPU: what else a shared host
does can only add to it.

All that is the header's, with the default profile. Then the node alone with `tcia`, which also reads texts and looks
for text in the pixels, on two cores: CT of 512 by 512, text burned into each tenth.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from deid.context import Context
from deid.engine import Instance, deidentify
from deid.keys import Keys
from deid.profile import load_profile
from tests.benchmarks import material
from tests.benchmarks.systems import SYSTEMS, WITH_PIXELS, System, deid_node_with_pixels
from tests.network import HOST, ROOT, missing, wait_until

_MAX_CPU_MS_PER_CT = 5.0
_MIN_ORTHANC_RATIO = 1.5
_MAX_ENGINE_MS = 2.0
_MIN_OCR_PER_S = 12.0
_TIMEOUT_S = 120
_WARM_UP = 10


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement."""

    system: str
    kind: str
    associations: int
    instances: int
    mb: float
    seconds: float
    cpu_s: float
    rss_mb: float

    @property
    def per_s(self) -> float:
        return self.instances / self.seconds

    @property
    def cpu_ms(self) -> float:
        return 1000 * self.cpu_s / self.instances


def _cpu_s(processes: Sequence[psutil.Process]) -> float:
    """Return the CPU of living processes, and of their children that ended: those that live count themselves."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _rss_mb(processes: Sequence[psutil.Process]) -> float:
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total / 1e6


def _watch_memory(processes: Callable[[], list[psutil.Process]], stop: threading.Event, peak: list[float]) -> None:
    while not stop.wait(0.25):
        peak[0] = max(peak[0], _rss_mb(processes()))


def _send(paths: Sequence[Path], port: int, associations: int) -> list[subprocess.Popen[bytes]]:
    return [
        subprocess.Popen(
            ["dcmsend", "-q", "-dn", "-aec", "DEIDNODE", "--max-send-pdu", "131072", HOST, str(port), *share],
            env={**os.environ, "TCP_NODELAY": "1"},
            stdout=subprocess.DEVNULL,
        )
        for share in (paths[number::associations] for number in range(associations))
    ]


def warm_up(system: System, paths: Sequence[Path]) -> None:
    """Send a few, so that what a system does once in its life is not taken for its work."""
    few = paths[:_WARM_UP]
    for sender in _send(few, system.port, 1):
        sender.wait(60)
    wait_until(lambda: system.arrived() >= len(few), 60, "the warm-up arrives")
    time.sleep(1)


def measure(name: str, system: System, kind: str, paths: Sequence[Path], associations: int) -> Run:
    """Send `paths` through a running system.

    Raises
    ------
    RuntimeError
        if a sender fails
    TimeoutError
        if not all arrive
    """
    warm_up(system, paths)
    paths, arrived = paths[_WARM_UP:], system.arrived()
    stop, peak = threading.Event(), [_rss_mb(system.processes())]
    watch = threading.Thread(target=_watch_memory, args=(system.processes, stop, peak))
    watch.start()
    cpu_before, started = _cpu_s(system.processes()), time.monotonic()
    try:
        senders = _send(paths, system.port, associations)
        wait_until(lambda: system.arrived() >= arrived + len(paths), _TIMEOUT_S, f"{name}: all {kind} arrive", 0.02)
        seconds = time.monotonic() - started - system.idle_s
        if any(sender.wait(60) for sender in senders):
            raise RuntimeError(f"{name}: dcmsend failed")
        time.sleep(0.5)  # what is still to be cleaned up counts
        cpu_s = _cpu_s(system.processes()) - cpu_before
    finally:
        stop.set()
        watch.join()
    mb = sum(path.stat().st_size for path in paths) / 1e6
    return Run(name, kind, associations, len(paths), mb, seconds, cpu_s, peak[0])


def _with_pixels(place: Path, paths: Sequence[Path]) -> Run:
    """Measure the node with networks for texts and pixels; two senders keep both of its processes at work."""
    with deid_node_with_pixels(place) as system:
        run = measure(WITH_PIXELS, system, "ocr", paths, 2)
    shutil.rmtree(place)
    print(".", end="", flush=True)
    return run


def engine_cpu_ms(profile: str, paths: Sequence[Path]) -> float:
    """Return the CPU time of `deidentify` alone, per instance: each file once, after a warm-up."""
    context = Context(load_profile(ROOT / "config" / "profiles" / f"{profile}.toml"), Keys.from_secret(bytes(32)))
    instances = [Instance.from_part10(path.read_bytes()) for path in paths]
    for instance in instances[:_WARM_UP]:
        deidentify(instance, context)
    gc.freeze()  # as a worker process does
    started = time.process_time()
    for instance in instances[_WARM_UP:]:
        deidentify(instance, context)
    return 1000 * (time.process_time() - started) / len(instances[_WARM_UP:])


def _print(runs: Sequence[Run]) -> None:
    print(f"\n{'system':24}{'corpus':8}{'assoc.':>7}{'inst.':>7}{'/s':>8}{'MB/s':>8}{'CPU ms/inst.':>14}{'RSS MB':>8}")
    for run in runs:
        print(
            f"{run.system:24}{run.kind:8}{run.associations:7d}{run.instances:7d}{run.per_s:8.1f}"
            f"{run.mb / run.seconds:8.1f}{run.cpu_ms:14.2f}{run.rss_mb:8.0f}"
        )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _quietest(runs: Sequence[Run]) -> list[Run]:
    """Return of each system, corpus and number of associations the run that took the least CPU."""
    best: dict[tuple[str, str, int], Run] = {}
    for run in sorted(runs, key=lambda run: run.cpu_s, reverse=True):
        best[run.system, run.kind, run.associations] = run
    return list(best.values())


def _verdict(runs: Sequence[Run], engine_ms: dict[str, float]) -> int:
    """Print the closing line; 1 if a target is missed."""

    def mean(system: str, what: str, *kinds: str) -> float:
        return _mean([getattr(run, what) for run in runs if run.system == system and run.kind in kinds])

    ours, theirs = mean("deid-node", "per_s", "ct"), mean("Orthanc", "per_s", "ct")
    mixed, mixed_theirs = mean("deid-node", "per_s", "mixed"), mean("Orthanc", "per_s", "mixed")
    cpu_ms = mean("deid-node", "cpu_ms", "ct")
    ocr = mean(WITH_PIXELS, "per_s", "ocr")
    ratio, mixed_ratio = (a / b if b else 0.0 for a, b in ((ours, theirs), (mixed, mixed_theirs)))
    print(
        f"\nbench ct_per_s={ours:.1f} ct_cpu_ms={cpu_ms:.2f} mixed_per_s={mixed:.1f} "
        f"mixed_cpu_ms={mean('deid-node', 'cpu_ms', 'mixed'):.2f} "
        f"rss_mb={mean('deid-node', 'rss_mb', 'ct', 'mixed'):.0f} "
        f"storescp_ct_per_s={mean('storescp receive only', 'per_s', 'ct'):.1f} orthanc_ct_per_s={theirs:.1f} "
        f"orthanc_ct_cpu_ms={mean('Orthanc', 'cpu_ms', 'ct'):.2f} "
        f"ratio_orthanc_ct={ratio:.2f} ratio_orthanc_mixed={mixed_ratio:.2f} "
        f"ocr_per_s={ocr:.1f} ocr_cpu_ms={mean(WITH_PIXELS, 'cpu_ms', 'ocr'):.1f} "
        f"ocr_rss_mb={mean(WITH_PIXELS, 'rss_mb', 'ocr'):.0f} "
        + " ".join(f"engine_{profile.replace('-', '_')}_ms={ms:.2f}" for profile, ms in engine_ms.items())
    )
    is_enough = cpu_ms <= _MAX_CPU_MS_PER_CT and (not theirs or ratio >= _MIN_ORTHANC_RATIO)
    is_enough = is_enough and engine_ms["tcia-header"] <= _MAX_ENGINE_MS and ocr >= _MIN_OCR_PER_S
    return 0 if is_enough else 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench", description=__doc__.splitlines()[0])
    parser.add_argument("--ct", type=int, default=300, help="number of CT instances (default: 300)")
    parser.add_argument("--mixed", type=int, default=100, help="number of mixed instances (default: 100)")
    parser.add_argument("--ocr", type=int, default=130, help="number of CT whose pixels are looked at (default: 130)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=SYSTEMS, help="only this system (may be repeated)")
    parser.add_argument("--folder", type=Path, help="where everything is written (default: a temporary folder)")
    arguments = parser.parse_args()
    if absent := missing("storescp", "dcmsend"):
        print(f"needs DCMTK: {' '.join(absent)} not found; apt-get install dcmtk")
        return 2
    systems = {name: SYSTEMS[name] for name in arguments.only or SYSTEMS}
    if missing("Orthanc") and systems.pop("Orthanc", None):
        print("Orthanc is not installed: not compared")
    runs: list[Run] = []
    engine_ms: dict[str, float] = {}
    folder = Path(tempfile.mkdtemp(prefix="deid-node-bench-", dir=arguments.folder))
    try:
        print("making instances …", flush=True)
        corpora = {kind: material.write(folder / "source", kind, getattr(arguments, kind)) for kind in ("ct", "mixed")}
        looked_at = material.write(folder / "source", "ocr", arguments.ocr)
        for number in range(arguments.rounds):
            for profile in ("longitudinal", "tcia-header"):
                measured_ms = engine_cpu_ms(profile, corpora["ct"])
                engine_ms[profile] = min(measured_ms, engine_ms.get(profile, measured_ms))
            for kind, paths in corpora.items():
                for associations in (1, 4):
                    for name, start in systems.items():
                        place = folder / f"{number}-{kind}-{associations}-{name.split()[0]}"
                        try:
                            with start(place) as system:
                                runs.append(measure(name, system, kind, paths, associations))
                        except TimeoutError:
                            if name == "deid-node":
                                raise
                            print(f"\n{name}: not all {kind} arrived over {associations} associations: left out")
                        shutil.rmtree(place)
                        print(".", end="", flush=True)
            if "deid-node" in systems:
                runs.append(_with_pixels(folder / f"{number}-ocr", looked_at))
    finally:
        shutil.rmtree(folder)
    _print(runs)
    return _verdict(_quietest(runs), engine_ms)


if __name__ == "__main__":
    raise SystemExit(main())
