"""The product's detection and reading alone, as the exam on reading needs it: no vocabulary, no decision, no mask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from deid.encoding.reader import Limits, read_data_set
from deid.encoding.syntax import transfer_syntax
from deid.instance import Instance
from tests.benchmarks.pixel_exam.seedset import Read, Reading


def reading_alone(models: Path | None = None) -> Read:
    """Return what finds and reads the lines of a file's first frame.

    Raises
    ------
    ImportError, deid.errors.Misconfigured
        There is nothing that reads.
    """
    from deid.pixels.ocr import reader

    reader(models)
    return lambda file: [reading for frame, reading in lines_of(file, models) if frame == 0]


def lines_of(file: bytes, models: Path | None = None) -> Iterator[tuple[int, Reading]]:
    """Yield index of frame and line for all frames of a file."""
    from deid.pixels.frames import rebuild_pixel_data
    from deid.pixels.ocr import reader
    from deid.pixels.render import Display, render
    from deid.pixels.stored import Frames

    instance = Instance.from_part10(file)
    syntax = transfer_syntax(instance.transfer_syntax)
    data_set = read_data_set(instance.data, instance.transfer_syntax, Limits())
    rebuild_pixel_data(data_set, syntax)
    frames = Frames.of(data_set, syntax)
    for frame in range(len(frames) if frames else 0):
        assert frames is not None
        picture = render(frames.array(frame), Display.of(data_set, syntax, frame))
        for line in reader(models).lines(picture):
            xs, ys = zip(*line.box, strict=True)
            yield frame, Reading((min(xs), min(ys), max(xs), max(ys)), line.text)
