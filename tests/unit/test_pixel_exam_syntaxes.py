"""The exam of transfer syntaxes sees what is wrong, and its files are what they claim to be."""

from __future__ import annotations

import shutil
from io import BytesIO

import numpy as np
import pydicom
import pytest

from tests.benchmarks.pixel_exam import syntaxes
from tests.benchmarks.pixel_exam.syntaxes import Checked, checked, table, targets, words
from tests.benchmarks.pixel_exam.syntaxes_files import (
    BOX,
    ENCODINGS,
    KINDS,
    Encoding,
    Kind,
    frames_of_kind,
    undecodable,
    written,
)

X0, Y0, X1, Y1 = BOX
GREY, COLOUR = Kind("MONOCHROME2", 16, 12), Kind("RGB", 8, 8)
BY_NAME = {encoding.name: encoding for encoding in ENCODINGS}
ONE_OF_EACH = [
    (encoding, next(kind for kind in KINDS if encoding.suits(kind)))
    for encoding in ENCODINGS
    if not encoding.name.startswith(("JPEG,", "JPEG lossless")) or shutil.which("dcmcjpeg")
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_native_file_holds_the_frames_of_its_kind(kind: Kind) -> None:
    encoding = BY_NAME["explicit LE"]
    if not encoding.suits(kind):
        return
    frames = frames_of_kind(kind, is_smooth=False)
    if kind.photometric == "YBR_FULL_422":
        frames[:, :, 1::2, 1:] = frames[:, :, ::2, 1:]
    shift = 0 if kind.high is None else kind.high + 1 - kind.stored
    expected = frames << shift if shift else frames
    assert np.array_equal(words(written(encoding, kind)), expected)


def test_the_line_is_in_the_box_and_of_the_highest_value() -> None:
    frames = frames_of_kind(GREY, is_smooth=True)
    assert (frames[:, Y0:Y1, X0:X1] == 4095).sum() > 100
    frames[:, Y0:Y1, X0:X1] = 0
    assert not (frames == 4095).any()


@pytest.mark.parametrize(("encoding", "kind"), ONE_OF_EACH, ids=lambda each: each.name)
def test_one_kind_of_each_encoding_is_masked_and_nothing_else_changes(encoding: Encoding, kind: Kind) -> None:
    found = checked(written(encoding, kind), BOX, encoding.name, kind.name)
    assert found.is_right, found


def test_what_nobody_decodes_is_refused() -> None:
    found = checked(undecodable("1.2.840.10008.1.2.4.102"), BOX, "video", "")
    assert found.refused.startswith("pixels-not-cleanable")


def _spoiled(monkeypatch: pytest.MonkeyPatch, kind: Kind, frame: int, row: int, column: int) -> Checked:
    """Return what is found where a pixel of what comes out is another than it should be."""

    class Spoiling:
        @staticmethod
        def part10() -> list[bytes]:
            data_set = pydicom.dcmread(BytesIO(clean))
            pixels = data_set.pixel_array.copy()
            pixels[frame, row, column] ^= 1
            data_set.PixelData = pixels.tobytes()
            out = BytesIO()
            data_set.save_as(out)
            return [out.getvalue()]

    file = written(BY_NAME["explicit LE"], kind)
    clean = b"".join(syntaxes.deidentify(syntaxes.Instance.from_part10(file), syntaxes._context(BOX)).clean.part10())
    monkeypatch.setattr(syntaxes, "deidentify", lambda *_: type("Result", (), {"clean": Spoiling}))
    return checked(file, BOX, "explicit LE", kind.name)


@pytest.mark.parametrize("kind", [GREY, COLOUR], ids=lambda kind: kind.name)
def test_one_bit_that_is_another_is_seen_wherever_it_is(monkeypatch: pytest.MonkeyPatch, kind: Kind) -> None:
    samples = kind.samples
    found = _spoiled(monkeypatch, kind, 1, Y1, X0)
    assert (found.altered, found.left, found.is_right) == (samples, 0, False)
    monkeypatch.undo()
    found = _spoiled(monkeypatch, kind, 0, Y0, X0)
    assert (found.altered, found.left, found.is_right) == (0, 1, False)


def test_the_table_names_what_is_not_right_and_the_targets_count_it() -> None:
    good = Checked("A", "one", syntax="1.2", dcmtk=True)
    bad = [Checked("A", "two", altered=3), Checked("B", "three", left=1), Checked("B", "four", refused="malformed")]
    lines = list(table("title", [good, *bad]))
    assert [line.split()[0] for line in lines[1:3]] == ["A", "B"]
    assert sum("not right" in line for line in lines) == 3
    assert [target.value for target in targets([good, *bad], [], [])] == [1, 1, 1, 0, 0]
    assert all(target.is_met for target in targets([good], [], [Checked("video", "", refused="x")]))
    assert not targets([good], [], [Checked("video", "")])[-1].is_met
    assert not targets([Checked("A", "one", dcmtk=False)], [], [])[3].is_met
