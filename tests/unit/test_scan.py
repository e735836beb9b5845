"""The look at a data set while it streams by, against whole, cut and lying data sets in every encoding."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from deid.encoding.reader import Limits, read_data_set
from deid.encoding.syntax import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    transfer_syntax,
)
from deid.errors import Refused
from deid.instance import Instance
from node.scan import DataSetScan, Ending, Sight

CLASS, INSTANCE = "1.2.840.10008.5.1.4.1.1.2", "1.2.3.4.5"
JPEG = "1.2.840.10008.1.2.4.50"
NATIVE = (IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN)
WHOLE = Sight(CLASS, INSTANCE, Ending.WHOLE)


def instance(*, undefined: bool = True) -> Dataset:
    """Make a data set with nested sequences before and after its UIDs."""
    inner = Dataset()
    inner.CodeValue, inner.SOPClassUID, inner.SOPInstanceUID = "T-1", "9.9", "9.9.9"
    outer = Dataset()
    outer.AnatomicRegionSequence = [inner, inner]
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.InstanceCreatorUID = "1.9"
    ds.SOPClassUID, ds.SOPInstanceUID = CLASS, INSTANCE
    ds.ReferencedStudySequence = [outer, inner]
    ds.PatientName = "Nobody^Known"
    for owner in (ds, outer):
        for element in owner:
            if element.VR == "SQ":
                element.is_undefined_length = undefined
                for item in element.value:
                    item.is_undefined_length_sequence_item = undefined
    ds.Rows = 4
    ds.add_new(0x7FE00010, "OW", bytes(range(256)) * 8)
    return ds


def encode(ds: Dataset, uid: str) -> bytes:
    syntax = transfer_syntax(uid)
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = syntax.implicit_vr, syntax.little_endian
    write_dataset(buffer, ds)
    data: bytes = buffer.getvalue()
    if syntax.deflated:
        deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return deflate.compress(data) + deflate.flush()
    return data


def scan(data: bytes, uid: str, step: int = 1 << 20) -> Sight:
    scanner = DataSetScan(transfer_syntax(uid))
    stream = BytesIO(data)
    while piece := stream.read(step):
        scanner.feed(memoryview(piece))
    return scanner.finish()


@pytest.mark.parametrize("uid", NATIVE)
@pytest.mark.parametrize("undefined", [True, False])
@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 1000, 1 << 20])
def test_a_whole_data_set_is_seen_as_whole_in_whatever_pieces_it_comes(uid: str, undefined: bool, step: int) -> None:
    assert scan(encode(instance(undefined=undefined), uid), uid, step) == WHOLE


@pytest.mark.parametrize("uid", NATIVE)
def test_a_data_set_cut_between_elements_only_is_ever_taken_for_whole(uid: str) -> None:
    data = encode(instance(), uid)
    ends = {len(encode(part, uid)) for part in prefixes(instance())}
    taken = {cut for cut in range(len(data)) if scan(data[:cut], uid).ending is not Ending.CUT}
    assert taken <= ends


def prefixes(ds: Dataset) -> Iterator[Dataset]:
    part = Dataset()
    yield part
    for element in ds:
        part.add(element)
        yield part


def test_encapsulated_pixel_data_is_followed_to_its_end() -> None:
    ds = instance()
    ds[0x7FE00010].value = encapsulate([b"\xff\xd8" + bytes(100), b"\xff\xd8" + bytes(50)])
    ds[0x7FE00010].VR = "OB"
    ds[0x7FE00010].is_undefined_length = True
    data = encode(ds, JPEG)
    for step in (1, 5, 4096):
        assert scan(data, JPEG, step) == WHOLE
    assert scan(data[:-8], JPEG).ending is Ending.CUT  # without its Sequence Delimitation Item
    assert scan(data[:-20], JPEG).ending is Ending.CUT


def test_a_un_sequence_of_undefined_length_is_followed_as_implicit_vr() -> None:
    inner = struct.pack("<HHI", 0x0009, 0x1001, 4) + b"abcd"
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + inner + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    private = struct.pack("<HH2s2xI", 0x0009, 0x1000, b"UN", 0xFFFFFFFF) + item + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    head = Dataset()
    head.SOPClassUID, head.SOPInstanceUID = CLASS, INSTANCE
    tail = Dataset()
    tail.PatientName = "Nobody"
    data = encode(head, EXPLICIT_VR_LITTLE_ENDIAN) + private + encode(tail, EXPLICIT_VR_LITTLE_ENDIAN)
    assert scan(data, EXPLICIT_VR_LITTLE_ENDIAN) == WHOLE
    assert scan(data[:-1], EXPLICIT_VR_LITTLE_ENDIAN).ending is Ending.CUT


@pytest.mark.parametrize("size", [10, 100_000])
def test_the_head_of_a_deflated_data_set_says_which_instance_it_is(size: int) -> None:
    ds = instance()
    ds.PixelData = bytes(size)
    data = encode(ds, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
    for step in (1, 50, 1 << 20):
        sight = scan(data, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, step)
        assert (sight.sop_class_uid, sight.sop_instance_uid) == (CLASS, INSTANCE)
        assert sight.ending is not Ending.CUT


def test_a_short_deflated_data_set_without_its_end_is_cut() -> None:
    data = encode(instance(), DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
    assert scan(data[: len(data) // 2], DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN).ending is Ending.CUT


def test_a_deflated_bomb_is_inflated_no_further_than_its_head() -> None:
    deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = deflate.compress(bytes(64 << 20)) + deflate.flush()
    scanner = DataSetScan(transfer_syntax(DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN))
    scanner.feed(bomb)
    assert scanner.finish().sop_instance_uid is None


def test_what_does_not_inflate_has_no_uids() -> None:
    assert scan(b"\xff" * 100, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN).sop_class_uid is None


def test_a_length_lie_is_a_cut_data_set() -> None:
    lie = struct.pack("<HH2s2xI", 0x7FE0, 0x0010, b"OW", 0xFFFFFFF0) + bytes(100)
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = CLASS, INSTANCE
    assert scan(encode(ds, EXPLICIT_VR_LITTLE_ENDIAN) + lie, EXPLICIT_VR_LITTLE_ENDIAN).ending is Ending.CUT


def test_the_uids_of_nested_items_are_not_those_of_the_instance() -> None:
    inner = Dataset()
    inner.SOPClassUID, inner.SOPInstanceUID = "9.9", "9.9.9"
    inner.is_undefined_length_sequence_item = True
    ds = Dataset()
    ds.ReferencedStudySequence = [inner]
    ds["ReferencedStudySequence"].is_undefined_length = True
    assert scan(encode(ds, EXPLICIT_VR_LITTLE_ENDIAN), EXPLICIT_VR_LITTLE_ENDIAN) == Sight(None, None, Ending.WHOLE)


def test_a_uid_element_longer_than_any_uid_is_no_uid() -> None:
    data = struct.pack("<HH2sH", 0x0008, 0x0018, b"UI", 200) + b"1" * 200
    assert scan(data, EXPLICIT_VR_LITTLE_ENDIAN).sop_instance_uid is None


def test_endless_nesting_is_given_up() -> None:
    sequence = struct.pack("<HH2s2xI", 0x0008, 0x1110, b"SQ", 0xFFFFFFFF)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    assert scan((sequence + item) * 1000, EXPLICIT_VR_LITTLE_ENDIAN).ending is Ending.UNKNOWN


def test_a_million_empty_elements_are_not_followed_to_the_end() -> None:
    scanner = DataSetScan(transfer_syntax(EXPLICIT_VR_LITTLE_ENDIAN))
    scanner.feed(struct.pack("<HH2sH", 0x0009, 0x0001, b"LO", 0) * 1_000_000)
    assert scanner.finish().ending is Ending.UNKNOWN


@given(data=st.binary(max_size=400), uid=st.sampled_from((*NATIVE, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, JPEG)))
def test_any_bytes_are_looked_at_without_an_error_and_alike_in_any_pieces(data: bytes, uid: str) -> None:
    assert scan(data, uid, 1) == scan(data, uid)


def agrees_with_the_reader(files: Iterable[Path]) -> int:
    """Compare scan and reader over files; return how many both took for whole."""
    whole = 0
    for file in files:
        try:
            found = Instance.from_part10(file.read_bytes())
            elements = read_data_set(found.data, found.transfer_syntax, Limits()).elements
        except (Refused, IsADirectoryError):
            continue
        sight = scan(bytes(found.data), found.transfer_syntax, 4096)
        uids = [elements[tag].value if tag in elements else None for tag in (0x00080016, 0x00080018)]
        texts = [None if uid is None else bytes(uid).rstrip(b"\0 ").decode() for uid in uids]
        assert [sight.sop_class_uid, sight.sop_instance_uid] == texts, file.name
        assert sight.ending is not Ending.CUT, file.name
        whole += sight.ending is Ending.WHOLE
    return whole


def test_what_the_reader_reads_is_whole_and_has_the_same_uids_in_pydicom_s_files() -> None:
    assert agrees_with_the_reader(Path(pydicom.__file__).parent.rglob("*.dcm")) > 20


def test_what_the_reader_reads_is_whole_and_has_the_same_uids_in_the_corpus(corpus: Path) -> None:
    assert agrees_with_the_reader(path for path in corpus.rglob("*") if path.is_file()) > 100
