"""The exam's largest images go through a node's worker, and are marked frame by frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.benchmarks.pixel_exam import draw, memory
from tests.benchmarks.pixel_exam.draw import Line
from tests.benchmarks.pixel_exam.fonts import BITMAP, HERSHEY
from tests.benchmarks.pixel_exam.systems import PIXELS

TOP, BOTTOM, LEFT, RIGHT = 100, 120, 50, 250


@pytest.fixture(autouse=True)
def only_fonts_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draw, "KINDS", (BITMAP, HERSHEY))


@pytest.fixture
def bar(monkeypatch: pytest.MonkeyPatch) -> memory.Large:
    """A cine of twenty frames, with a bar instead of a line."""

    def with_a_bar(scene: memory.Scene, _: int, count: int) -> memory.Large:
        painted = scene.frames.copy()
        painted[:, TOP:BOTTOM, LEFT:RIGHT] = 4095
        ink = np.ones((BOTTOM - TOP, RIGHT - LEFT), np.bool_)
        line = Line("", "name", (), (LEFT, TOP, RIGHT, BOTTOM), ink, 1.0, 20, "0", "plain", BITMAP)
        return memory.Large(replace(scene, frames=painted), scene.frames, (line,), count)

    monkeypatch.setattr(memory, "_with_lines", with_a_bar)
    return memory.cine(1, 20)


def test_no_two_frames_of_a_large_image_are_equal_and_all_have_its_lines(bar: memory.Large) -> None:
    frames = [bar.frame(number) for number in range(20)]
    assert len({frame.tobytes() for frame in frames}) == 20
    assert all((frame[TOP:BOTTOM, LEFT:RIGHT] == 4095).all() for frame in frames)


def test_a_frame_counts_as_masked_only_where_all_of_its_lines_are(bar: memory.Large) -> None:
    clean = bar.frame(17).copy()
    assert not bar.masked(17, clean)
    clean[TOP : BOTTOM - 2, LEFT:RIGHT] = 0
    assert not bar.masked(17, clean)
    clean[BOTTOM - 2 : BOTTOM - 1, LEFT:RIGHT] = 0
    assert bar.masked(17, clean)


def test_a_worker_cleans_a_large_image_by_the_path_of_its_jobs() -> None:
    found = memory.cleaned(memory.cine(3, 3), PIXELS)
    assert found.refused == ""
    assert found.masked == 1.0
    assert 100 < found.anonymous_mib < found.resident_mib < memory.MOST_MIB
    assert found.cpu_s > 0
    assert found.seconds > 0


def test_what_a_worker_leaves_in_a_large_image_is_seen(bar: memory.Large) -> None:
    found = memory.cleaned(bar, "tcia-header")
    assert (found.refused, found.masked) == ("", 0.0)


def test_a_large_image_that_is_refused_says_why(bar: memory.Large) -> None:
    found = memory.cleaned(replace(bar, scene=replace(bar.scene, sop_class="1.2.3")), "tcia-header")
    assert found.refused == "RefusedInstance unsupported-sop-class"
    assert found.masked == 0.0
