"""What `make bench` measures is what it says, and a target that is missed is told."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from tests.benchmarks import bench, material
from tests.benchmarks.bench import Run
from tests.benchmarks.systems import WITH_PIXELS, _on_cores

HEADER = Run("deid-node", "ct", 1, 100, 50.0, 1.0, 0.4, 300.0)
PIXELS = Run(WITH_PIXELS, "ocr", 2, 100, 50.0, 8.0, 12.0, 1300.0)
ENGINE_MS = {"longitudinal": 1.0, "tcia-header": 1.0}


def test_a_tenth_of_the_images_that_are_looked_at_have_text_and_all_are_noisy(tmp_path: Path) -> None:
    frames = [pydicom.dcmread(path).pixel_array for path in material.write(tmp_path, "ocr", 20)]
    assert {frame.shape for frame in frames} == {(512, 512)}
    assert [int((frame[:100, :100] == 4095).sum()) > 200 for frame in frames] == [
        number % 10 == 9 for number in range(20)
    ]
    assert all(np.std(np.diff(frame.astype(int), axis=0)) > 5 for frame in frames)
    assert len({frame.tobytes() for frame in frames}) == 20


def test_too_few_images_a_second_miss_the_target(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench._verdict([HEADER, PIXELS], ENGINE_MS) == 0
    assert "ocr_per_s=12.5 ocr_cpu_ms=120.0 ocr_rss_mb=1300" in capsys.readouterr().out
    assert bench._verdict([HEADER, replace(PIXELS, seconds=9.0)], ENGINE_MS) == 1
    assert bench._verdict([HEADER], ENGINE_MS) == 1


def test_a_run_has_no_more_cores_than_it_should_and_gives_the_others_back() -> None:
    before = os.sched_getaffinity(0)
    with _on_cores(1):
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before
