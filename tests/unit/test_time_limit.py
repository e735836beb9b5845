"""What takes long because it has many frames says so, frame by frame; a node's processes are told."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from deid.encoding.syntax import TransferSyntax, transfer_syntax
from deid.pixels.box import Box
from node.cleaning import prepared
from node.key import create_key
from node.pool_child import progressed
from node.settings import Settings
from tests.images import EXPLICIT
from tests.unit.test_look import NAME, cleaned, frame, looking, reader

RLE = transfer_syntax("1.2.840.10008.1.2.5")


@pytest.mark.parametrize("syntax", [EXPLICIT, RLE])
@pytest.mark.parametrize("texts", [(), (NAME,)])
def test_each_frame_that_is_looked_at_or_written_is_progress(syntax: TransferSyntax, texts: tuple[Box, ...]) -> None:
    frames = [frame(*texts, level=10 + number) for number in range(12)]
    steps = count()
    cleaned(frames, looking(reader(), progress=lambda: next(steps)), syntax)
    done = next(steps)
    assert done >= len(frames) * (3 if texts else 1)  # masked frames are looked at, written and looked at again


def test_frames_that_are_known_are_progress_too() -> None:
    frames = [frame(NAME)] * 12
    steps = count()
    cleaned(frames, looking(reader(), progress=lambda: next(steps)))
    assert next(steps) >= 2 * len(frames)


def test_the_processes_of_a_node_are_told(tmp_path: Path) -> None:
    create_key(tmp_path / "key")
    (each,) = prepared(Settings(key_file=tmp_path / "key"), lenient=True).values()
    assert each.context.progress is progressed
