"""A process with the network and nothing else: how long loading takes, how much memory, how long a string.

Runs by itself: ``python -m tests.benchmarks.text_exam.alone [MODELS]`` reads strings as JSON from its input.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

TIMES = 3
_TIMEOUT_S = 300
_WARM_UP = 30


@dataclass(frozen=True, slots=True)
class Alone:
    """What was measured.

    Attributes
    ----------
    load_s
        seconds from nothing to a network that reads, ONNX Runtime's import among them
    rss_mib, peak_mib
        resident at the end, and at most
    ms
        CPU time for a string, tokenising included, none of them seen before
    """

    load_s: float
    rss_mib: float
    peak_mib: float
    ms: float


def measured(texts: Sequence[str], models: Path | None) -> Alone:
    """Measure in processes of their own; other work on the machine only ever adds to times, so the least are taken.

    Raises
    ------
    subprocess.SubprocessError
        There is no network that can be loaded.
    """
    command = [sys.executable, "-m", "tests.benchmarks.text_exam.alone", *([str(models)] if models else [])]
    runs = []
    for _ in range(TIMES):
        ran = subprocess.run(
            command, input=json.dumps(list(texts)), check=True, timeout=_TIMEOUT_S, capture_output=True, text=True
        )
        runs.append(Alone(**json.loads(ran.stdout)))
    return Alone(
        min(run.load_s for run in runs),
        max(run.rss_mib for run in runs),
        max(run.peak_mib for run in runs),
        min(run.ms for run in runs),
    )


def _measure(models: Path | None) -> Alone:
    from deid.onnx import read_entry, shipped_models
    from deid.text.ner import Ner
    from deid.text.network import Network
    from deid.texts import TextClass

    began = time.perf_counter()
    ner = Ner(Network(read_entry(models or shipped_models(), "ner")), {})
    ner.find("Load all of it", TextClass.DESCRIPTIONS)
    load_s = time.perf_counter() - began
    texts = json.loads(sys.stdin.read())
    for text in texts[:_WARM_UP]:
        ner.find(text, TextClass.DESCRIPTIONS)
    counted = texts[_WARM_UP:]
    began_ns = time.process_time_ns()
    for text in counted:
        ner.find(text, TextClass.DESCRIPTIONS)
    ms = (time.process_time_ns() - began_ns) / 1e6 / max(1, len(counted))
    return Alone(load_s, _status("VmRSS"), _status("VmHWM"), ms)


def _status(key: str) -> float:
    """Return a line of /proc/self/status that is in kB, in MiB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return int(value.split()[0]) / 1024
    return float("nan")


if __name__ == "__main__":
    print(json.dumps(asdict(_measure(Path(sys.argv[1]) if len(sys.argv) > 1 else None))))
