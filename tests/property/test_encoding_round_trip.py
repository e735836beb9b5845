"""Whatever Data Set there is comes back as it was; whatever is broken is refused, and nothing worse."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zlib

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deid.encoding.element import DataSet, Element, Fragments, Value
from deid.encoding.reader import Limits, read_data_set, read_part10
from deid.encoding.vr import LONG_VRS, SHORT_VRS, WORD_BYTES, implied_vr
from deid.encoding.writer import convert, write_data_set
from deid.errors import Refused

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG = "1.2.840.10008.1.2.4.50"
NATIVE = (IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED)

SPECIFIC_CHARACTER_SET = 0x00080005
PIXEL_REPRESENTATION = 0x00280103
KNOWN_TAGS = (
    0x00080018,
    0x00100010,
    0x00080050,
    0x00280010,
    0x00280106,
    0x00189810,
    0x60003000,
    0x7FE00010,
    0x0040A730,
)


def _tags() -> st.SearchStrategy[int]:
    groups = st.integers(0x0008, 0x7FE0)
    tags = st.builds(lambda group, number: group << 16 | number, groups, st.integers(1, 0xFFFF))
    special = (SPECIFIC_CHARACTER_SET, PIXEL_REPRESENTATION)
    return (tags | st.sampled_from(KNOWN_TAGS)).filter(lambda tag: tag not in special)


@st.composite
def _leaves(draw: st.DrawFn, tag: int, *, implicit: bool) -> Element:
    """Draw an element in the form that reading gives back."""
    vr = implied_vr(tag)
    if not implicit and (vr in ("UN", "SQ") or draw(st.booleans())):
        vr = draw(st.sampled_from(sorted((SHORT_VRS | LONG_VRS) - {"SQ", "UN"})))
    if vr == "SQ":
        return Element(tag, vr, [])
    words = draw(st.binary(max_size=8))
    return Element(tag, vr, words * 2 * WORD_BYTES.get(vr, 1))


@st.composite
def _data_sets(draw: st.DrawFn, *, implicit: bool, depth: int = 3) -> DataSet:
    elements: dict[int, Element] = {}
    for tag in sorted(draw(st.sets(_tags(), max_size=6))):
        if depth and draw(st.integers(0, 3)) == 0:
            items = draw(st.lists(_data_sets(implicit=implicit, depth=depth - 1), max_size=3))
            vr = "UN" if implicit and implied_vr(tag) != "SQ" else "SQ"
            if vr == "SQ" or implied_vr(tag) == "UN":
                elements[tag] = Element(tag, vr, items)
                continue
        elements[tag] = draw(_leaves(tag, implicit=implicit))
    return DataSet(elements)


def _plain(data_set: DataSet) -> dict[int, tuple[str, object]]:
    return {tag: (element.vr, _plain_value(element.value)) for tag, element in data_set.elements.items()}


def _plain_value(value: Value) -> object:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, Fragments):
        return bytes(value.offsets), [bytes(item) for item in value.items]
    return bytes(value)


def _round_trip(data_set: DataSet, syntax: str) -> DataSet:
    return read_data_set(b"".join(write_data_set(data_set, syntax)), syntax)


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG_ENDIAN, DEFLATED])
@given(data_set=_data_sets(implicit=False))
def test_what_is_written_with_explicit_vr_reads_the_same(syntax: str, data_set: DataSet) -> None:
    assert _plain(_round_trip(data_set, syntax)) == _plain(data_set)


@given(data_set=_data_sets(implicit=True))
def test_what_is_written_with_implicit_vr_reads_the_same(data_set: DataSet) -> None:
    assert _plain(_round_trip(data_set, IMPLICIT)) == _plain(data_set)


@pytest.mark.parametrize("target", NATIVE)
@given(data_set=_data_sets(implicit=True))
def test_conversion_there_and_back_loses_nothing(target: str, data_set: DataSet) -> None:
    there = _round_trip(convert(data_set, IMPLICIT, target), target)
    back = _round_trip(convert(there, target, IMPLICIT), IMPLICIT)
    assert _plain(back) == _plain(data_set)


@given(offsets=st.binary(max_size=8).map(lambda half: half * 2), items=st.lists(st.binary(max_size=9), max_size=5))
def test_fragments_read_the_same_but_for_their_padding(offsets: bytes, items: list[bytes]) -> None:
    fragments = Fragments(offsets, list(items))
    read = _round_trip(DataSet({0x7FE00010: Element(0x7FE00010, "OB", fragments)}), JPEG)
    padded = [item + b"\0" * (len(item) % 2) for item in items]
    assert _plain(read) == {0x7FE00010: ("OB", (offsets, padded))}


def _element(tag: int, vr: str, value: Value) -> tuple[int, Element]:
    return tag, Element(tag, vr, value)


def _sample(implicit: bool) -> DataSet:
    name = dict([_element(0x00100010, "PN", b"Doe^Jane"), _element(0x00100020, "LO", b"1234")])
    inner = DataSet(dict([_element(0x0040A168, "SQ", [DataSet(name), DataSet(name)])]))
    private = _element(0x00091002, "UN", [DataSet(name)]) if implicit else _element(0x00091002, "SQ", [DataSet(name)])
    return DataSet(
        dict(
            [
                _element(SPECIFIC_CHARACTER_SET, "CS", b"ISO_IR 192"),
                _element(0x00080018, "UI", b"1.2.3.4\0"),
                private,
                _element(0x00100010, "PN", b"Doe^Jane"),
                _element(0x0040A730, "SQ", [inner, inner]),
                _element(0x7FE00010, "OW", bytes(64)),
            ]
        )
    )


def _sample_fragments() -> DataSet:
    sample = _sample(implicit=False)
    sample.elements[0x7FE00010] = Element(0x7FE00010, "OB", Fragments(bytes(4), [b"\xff\xd8ab", b"cd\xff\xd9"]))
    return sample


SAMPLES = {syntax: b"".join(write_data_set(_sample(syntax == IMPLICIT), syntax)) for syntax in NATIVE} | {
    JPEG: b"".join(write_data_set(_sample_fragments(), JPEG))
}
LENGTHS = tuple(struct.pack("<L", length) for length in (0xFFFFFFFF, 0xFFFFFFF0, 0x7FFFFFFF, 0, 1, 8, 0xFFFF))


def _read_or_refused(data: bytes, syntax: str) -> None:
    """Read; when that works, writing and reading again work too, and give the same."""
    try:
        data_set = read_data_set(data, syntax)
    except Refused:
        return
    written = b"".join(write_data_set(data_set, syntax))
    again = read_data_set(written, syntax)
    assert b"".join(write_data_set(again, syntax)) == written


@pytest.mark.parametrize("syntax", SAMPLES)
def test_every_truncation_is_refused_or_ends_between_two_elements(syntax: str) -> None:
    for end in range(len(SAMPLES[syntax])):
        _read_or_refused(SAMPLES[syntax][:end], syntax)


@pytest.mark.parametrize("syntax", SAMPLES)
@settings(max_examples=300)
@given(data=st.data())
def test_mutations_are_read_or_refused(syntax: str, data: st.DataObject) -> None:
    mutant = bytearray(SAMPLES[syntax])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(mutant)))
        end = start + data.draw(st.integers(0, 8))
        mutant[start:end] = data.draw(st.binary(max_size=12) | st.sampled_from(LENGTHS))
    _read_or_refused(bytes(mutant), syntax)


@pytest.mark.parametrize("syntax", SAMPLES)
@given(noise=st.binary(max_size=200))
@example(noise=b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 8)
def test_noise_is_read_or_refused(syntax: str, noise: bytes) -> None:
    _read_or_refused(noise, syntax)


@given(noise=st.binary(max_size=200))
def test_noise_after_the_prefix_is_a_file_or_refused(noise: bytes) -> None:
    try:
        part10 = read_part10(bytes(128) + b"DICM" + noise)
    except Refused:
        return
    assert len(part10.data_set_bytes) <= len(noise)


def _claims(length: int) -> bytes:
    return struct.pack("<HH2s2xL", 0x7FE0, 0x0010, b"OW", length) + bytes(100)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(length=st.integers(101, 0xFFFFFFFE))
def test_a_claimed_length_allocates_nothing(length: int) -> None:
    data = _claims(length)
    tracemalloc.start()
    try:
        with pytest.raises(Refused):
            read_data_set(data, EXPLICIT)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_a_deflate_bomb_is_stopped_early() -> None:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    step = bytes(1 << 20)
    bomb = b"".join(deflater.compress(step) for _ in range(64)) + deflater.flush()
    limits = Limits(max_inflated_bytes=4 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(Refused):
            read_data_set(bomb, DEFLATED, limits)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "data",
    [
        b"".join(struct.pack("<HH2sH", 0x0009, number, b"LO", 0) for number in range(0xFFFF, 0, -1)),
        struct.pack("<HH2s2xL", 0x0008, 0x1115, b"SQ", 8 * 50_000) + struct.pack("<HHL", 0xFFFE, 0xE000, 0) * 50_000,
        struct.pack("<HH2s2xL", 0x0009, 0x1115, b"UN", 0xFFFFFFFF) * 50_000,
    ],
    ids=["backwards", "items", "opened"],
)
def test_time_grows_with_the_size_and_no_faster(data: bytes) -> None:
    start = time.process_time()
    _read_or_refused(data, EXPLICIT)
    assert time.process_time() - start < 5
