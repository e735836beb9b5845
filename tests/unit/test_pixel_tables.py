"""Tables, waveforms and colour profiles are as long as they say, and hold numbers only."""

from __future__ import annotations

import struct
from pathlib import Path

import pydicom.data
import pytest

from deid.encoding.element import DataSet, Element
from deid.pixels.colour import strip_icc
from deid.pixels.tables import trim_tables

PROFILE = (Path(pydicom.data.__file__).parent / "test_files" / "crayons.icc").read_bytes()
DESCRIPTOR = struct.pack("<3H", 32, 0, 16)
TABLE = bytes(range(64))


def trimmed(tag: int, *elements: tuple[int, str, bytes], order: str = "little") -> bytes | None:
    data_set = DataSet({number: Element(number, vr, value) for number, vr, value in elements})
    trim_tables(data_set, order)
    element = data_set.elements.get(tag)
    return None if element is None else bytes(element.value)  # type: ignore[arg-type]  # a leaf


@pytest.mark.parametrize(("descriptor", "data"), [(0x0028_3002, 0x0028_3006), (0x0028_1101, 0x0028_1201)])
def test_a_table_has_the_entries_that_its_descriptor_tells(descriptor: int, data: int) -> None:
    whole = (descriptor, "US", DESCRIPTOR)

    assert trimmed(data, whole, (data, "OW", TABLE + b"JANE DOE")) == TABLE
    assert trimmed(data, whole, (data, "OW", TABLE)) == TABLE
    assert trimmed(data, (data, "OW", TABLE)) is None


def test_a_table_of_bytes_may_have_each_in_a_word() -> None:
    narrow = (0x0028_3002, "US", struct.pack("<3H", 32, 0, 8))

    assert trimmed(0x0028_3006, narrow, (0x0028_3006, "OW", TABLE)) == TABLE
    assert trimmed(0x0028_3006, narrow, (0x0028_3006, "OW", TABLE[:32] + b"JANE DOE")) == TABLE[:32]


def test_a_table_of_65536_entries_is_described_by_0() -> None:
    full = (0x0028_3002, "US", struct.pack(">3H", 0, 0, 16))

    assert trimmed(0x0028_3006, full, (0x0028_3006, "OW", bytes(131_072) + b"JD"), order="big") == bytes(131_072)


def test_a_segmented_palette_ends_where_its_entries_do() -> None:
    discrete, linear = struct.pack("<4H", 0, 2, 7, 9), struct.pack("<3H", 1, 6, 100)
    indirect = struct.pack("<4H", 2, 1, 8, 0)  # the one segment that starts at byte 8, once more
    for entries, segments in ((2, discrete), (8, discrete + linear), (14, discrete + linear + indirect)):
        described = (0x0028_1101, "US", struct.pack("<3H", entries, 0, 16))

        assert trimmed(0x0028_1221, described, (0x0028_1221, "OW", segments + b"JANE DOE")) == segments
        assert trimmed(0x0028_1221, described, (0x0028_1221, "OW", segments[:-2])) is None


def test_a_waveform_has_the_samples_of_its_channels() -> None:
    described = ((0x003A_0005, "US", b"\2\0"), (0x003A_0010, "UL", b"\4\0\0\0"), (0x5400_1004, "US", b"\x10\0"))
    samples = bytes(range(16))

    assert trimmed(0x5400_1010, *described, (0x5400_1010, "OW", samples + b"JANE DOE")) == samples
    assert trimmed(0x5400_1010, (0x5400_1010, "OW", samples)) is None
    assert trimmed(0x5400_100A, *described, (0x5400_100A, "OW", b"\0\x80JANE")) == b"\0\x80"


def test_a_colour_profile_keeps_its_numbers_and_loses_its_words() -> None:
    clean = strip_icc(PROFILE)

    assert clean is not None
    assert int.from_bytes(clean[:4]) == len(clean)
    assert value_of(PROFILE, b"cprt")[16:] not in clean
    assert value_of(PROFILE, b"desc")[16:] not in clean
    assert b"lcms" not in clean
    for signature in (b"rXYZ", b"rTRC", b"wtpt"):
        assert value_of(clean, signature) == value_of(PROFILE, signature)
    assert strip_icc(clean) == clean


def test_what_lies_behind_a_colour_profile_or_is_none_goes() -> None:
    assert strip_icc(PROFILE + b"JANE DOE") == strip_icc(PROFILE)
    assert strip_icc(b"JANE DOE" * 40) is None
    assert strip_icc(PROFILE[:140]) is None
    assert strip_icc(b"") is None


def value_of(profile: bytes, signature: bytes) -> bytes:
    for at in range(132, 132 + 12 * int.from_bytes(profile[128:132]), 12):
        if profile[at : at + 4] == signature:
            start, size = struct.unpack(">2L", profile[at + 4 : at + 12])
            return profile[start : start + size]
    raise AssertionError
