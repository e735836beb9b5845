"""What the reader reads, and what it refuses."""

from __future__ import annotations

import struct
import zlib

import pytest

from deid.encoding.element import DataSet, Fragments
from deid.encoding.reader import Limits, read_data_set, read_part10
from deid.errors import Reason, Refused

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG = "1.2.840.10008.1.2.4.50"
UNDEFINED = 0xFFFFFFFF
ITEM_END = struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
SEQUENCE_END = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)

REFERENCED_SERIES = 0x00081115
PATIENT_NAME = 0x00100010


def short(tag: int, vr: str, value: bytes, length: int | None = None, order: str = "<") -> bytes:
    size = len(value) if length is None else length
    return struct.pack(order + "HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), size) + value


def long(tag: int, vr: str, value: bytes, length: int | None = None, order: str = "<") -> bytes:
    size = len(value) if length is None else length
    return struct.pack(order + "HH2s2xL", tag >> 16, tag & 0xFFFF, vr.encode(), size) + value


def bare(tag: int, value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def item(value: bytes, length: int | None = None) -> bytes:
    return bare(0xFFFEE000, value, length)


def values(data_set: DataSet) -> dict[int, object]:
    return {
        tag: [values(nested) for nested in element.value] if isinstance(element.value, list) else bytes(element.value)  # type: ignore[arg-type]
        for tag, element in data_set.elements.items()
    }


def reason_for(data: bytes, syntax: str = EXPLICIT, limits: Limits = Limits()) -> Reason:  # noqa: B008
    with pytest.raises(Refused) as refusal:
        read_data_set(data, syntax, limits)
    return refusal.value.reason


def nested(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = long(REFERENCED_SERIES, "SQ", item(data))
    return data


NAME = short(PATIENT_NAME, "PN", b"Doe^Jane")
SEX = short(0x00100040, "CS", b"F ")


# -- values ---------------------------------------------------------------------------------------------------------


def test_values_are_slices_of_the_input() -> None:
    data = NAME + long(0x7FE00010, "OW", bytes(64))
    value = read_data_set(data, EXPLICIT).elements[0x7FE00010].value
    assert isinstance(value, memoryview)
    assert value.obj is data


def test_nothing_at_all_is_an_empty_data_set() -> None:
    assert read_data_set(b"", EXPLICIT).elements == {}
    assert read_data_set(b"", IMPLICIT).elements == {}


def test_implicit_vr_takes_the_vr_of_the_dictionary() -> None:
    data = bare(0x00080018, b"1.2\0") + bare(PATIENT_NAME, b"Doe^Jane") + bare(0x60000010, b"\2\0")
    vrs = [element.vr for element in read_data_set(data, IMPLICIT).elements.values()]
    assert vrs == ["UI", "PN", "US"]


def test_implicit_private_elements_are_unknown_but_for_their_creator() -> None:
    data_set = read_data_set(bare(0x00090010, b"ACME") + bare(0x00091001, b"secret"), IMPLICIT)
    assert [element.vr for element in data_set.elements.values()] == ["LO", "UN"]


def test_big_endian_values_stay_big_endian() -> None:
    data_set = read_data_set(short(0x00280010, "US", b"\1\2", order=">"), BIG_ENDIAN)
    assert values(data_set) == {0x00280010: b"\1\2"}


def test_odd_lengths_are_read() -> None:
    assert values(read_data_set(short(PATIENT_NAME, "PN", b"Doe") + SEX, EXPLICIT))[PATIENT_NAME] == b"Doe"


def test_group_lengths_are_dropped() -> None:
    data = short(0x00100000, "UL", b"\x10\0\0\0") + NAME
    assert list(read_data_set(data, EXPLICIT).elements) == [PATIENT_NAME]
    assert list(read_data_set(bare(0x00100000, b"\1\0\0\0") + bare(PATIENT_NAME, b"Doe "), IMPLICIT).elements) == [
        PATIENT_NAME
    ]


def test_data_set_trailing_padding_is_dropped() -> None:
    assert list(read_data_set(NAME + long(0xFFFCFFFC, "OB", bytes(10)), EXPLICIT).elements) == [PATIENT_NAME]
    padded = bare(PATIENT_NAME, b"Doe ") + bare(0xFFFCFFFC, bytes(10))
    assert list(read_data_set(padded, IMPLICIT).elements) == [PATIENT_NAME]


def test_tags_out_of_order_are_put_in_order() -> None:
    assert list(read_data_set(SEX + NAME, EXPLICIT).elements) == [PATIENT_NAME, 0x00100040]
    swapped = bare(0x00100040, b"F ") + bare(PATIENT_NAME, b"Doe ")
    assert list(read_data_set(swapped, IMPLICIT).elements) == [PATIENT_NAME, 0x00100040]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_a_tag_that_occurs_twice_is_refused(syntax: str) -> None:
    name = NAME if syntax == EXPLICIT else bare(PATIENT_NAME, b"Doe ")
    assert reason_for(name + name, syntax) is Reason.MALFORMED


# -- sequences ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sequence",
    [
        long(REFERENCED_SERIES, "SQ", item(NAME) + item(SEX)),
        long(REFERENCED_SERIES, "SQ", item(NAME) + item(SEX) + SEQUENCE_END, UNDEFINED),
        long(REFERENCED_SERIES, "SQ", item(NAME + ITEM_END, UNDEFINED) + item(SEX)),
        long(REFERENCED_SERIES, "SQ", item(NAME + ITEM_END, UNDEFINED) + item(SEX) + SEQUENCE_END, UNDEFINED),
    ],
    ids=["defined", "open sequence", "open item", "both open"],
)
def test_sequences_of_defined_and_undefined_length_read_the_same(sequence: bytes) -> None:
    read = values(read_data_set(sequence + SEX, EXPLICIT))
    assert read == {REFERENCED_SERIES: [{PATIENT_NAME: b"Doe^Jane"}, {0x00100040: b"F "}], 0x00100040: b"F "}


def test_empty_sequences_and_empty_items_are_kept() -> None:
    data = long(REFERENCED_SERIES, "SQ", b"") + long(0x00081140, "SQ", item(b""))
    assert values(read_data_set(data, EXPLICIT)) == {REFERENCED_SERIES: [], 0x00081140: [{}]}


def test_unknown_of_undefined_length_is_a_sequence_with_implicit_vr() -> None:
    inside = item(bare(PATIENT_NAME, b"Doe^Jane") + bare(0x00091001, b"ab")) + SEQUENCE_END
    element = read_data_set(long(0x00091002, "UN", inside, UNDEFINED), EXPLICIT).elements[0x00091002]
    assert element.vr == "UN"
    assert values(DataSet({0x00091002: element})) == {0x00091002: [{PATIENT_NAME: b"Doe^Jane", 0x00091001: b"ab"}]}


@pytest.mark.parametrize("is_open", [False, True])
def test_a_standard_sequence_sent_as_unknown_is_a_sequence_again(is_open: bool) -> None:
    inside = item(bare(PATIENT_NAME, b"Doe^Jane"))
    data = (
        long(REFERENCED_SERIES, "UN", inside + SEQUENCE_END, UNDEFINED)
        if is_open
        else long(REFERENCED_SERIES, "UN", inside)
    )
    element = read_data_set(data, EXPLICIT).elements[REFERENCED_SERIES]
    assert element.vr == "SQ"
    assert values(DataSet({1: element})) == {1: [{PATIENT_NAME: b"Doe^Jane"}]}


def test_a_standard_element_sent_as_unknown_gets_its_vr() -> None:
    assert read_data_set(long(PATIENT_NAME, "UN", b"Doe^Jane"), EXPLICIT).elements[PATIENT_NAME].vr == "PN"


def test_unknown_is_little_endian_even_among_big_endian() -> None:
    inside = item(bare(0x00280010, b"\2\1"))
    data = long(0x00081115, "UN", inside, order=">") + long(0x00280011, "UN", b"\2\1", order=">")
    assert values(read_data_set(data, BIG_ENDIAN)) == {0x00081115: [{0x00280010: b"\1\2"}], 0x00280011: b"\1\2"}


def test_a_vr_of_the_future_has_a_32_bit_length_and_is_unknown() -> None:
    element = read_data_set(NAME + long(0x00110001, "ZZ", b"abcd"), EXPLICIT).elements[0x00110001]
    assert (element.vr, bytes(element.value)) == ("UN", b"abcd")  # type: ignore[arg-type]


def test_an_element_with_implicit_vr_among_explicit_ones_is_read() -> None:
    data = NAME + bare(0x00100020, b"123456") + SEX
    element = read_data_set(data, EXPLICIT).elements[0x00100020]
    assert (element.vr, bytes(element.value)) == ("LO", b"123456")  # type: ignore[arg-type]


# -- character sets -------------------------------------------------------------------------------------------------


def test_items_inherit_the_character_set() -> None:
    data = short(0x00080005, "CS", b"ISO_IR 192") + long(REFERENCED_SERIES, "SQ", item(NAME))
    data_set = read_data_set(data, EXPLICIT)
    assert data_set.charset == ("ISO_IR 192",)
    assert data_set.elements[REFERENCED_SERIES].value[0].charset == ("ISO_IR 192",)  # type: ignore[index, union-attr]


def test_an_item_has_a_character_set_of_its_own() -> None:
    own = short(0x00080005, "CS", b"ISO_IR 144")
    data = short(0x00080005, "CS", b"\\ISO 2022 IR 87 ") + long(REFERENCED_SERIES, "SQ", item(own + NAME))
    data_set = read_data_set(data, EXPLICIT)
    assert data_set.charset == ("", "ISO 2022 IR 87")
    assert data_set.elements[REFERENCED_SERIES].value[0].charset == ("ISO_IR 144",)  # type: ignore[index, union-attr]


def test_an_empty_character_set_is_the_default_repertoire_and_not_inherited() -> None:
    data = short(0x00080005, "CS", b"ISO_IR 192") + long(REFERENCED_SERIES, "SQ", item(short(0x00080005, "CS", b"")))
    assert read_data_set(data, EXPLICIT).elements[REFERENCED_SERIES].value[0].charset == ()  # type: ignore[index, union-attr]


@pytest.mark.parametrize("late", [0x00040001, REFERENCED_SERIES], ids=["lower tag", "out of order"])
def test_a_character_set_after_a_sequence_holds_for_its_items_too(late: int) -> None:
    deep = long(0x00081199, "SQ", item(NAME))
    data = long(late, "SQ", item(deep)) + short(0x00080005, "CS", b"ISO_IR 192")
    outer = read_data_set(data, EXPLICIT).elements[late].value[0]  # type: ignore[index]
    assert isinstance(outer, DataSet)
    assert outer.charset == ("ISO_IR 192",)
    assert outer.elements[0x00081199].value[0].charset == ("ISO_IR 192",)  # type: ignore[index, union-attr]


# -- encapsulated pixel data ----------------------------------------------------------------------------------------


def test_encapsulated_pixel_data_is_read_as_fragments() -> None:
    data = long(0x7FE00010, "OB", item(b"\0\0\0\0") + item(b"ab") + item(b"cd") + SEQUENCE_END, UNDEFINED)
    fragments = read_data_set(data, JPEG).elements[0x7FE00010].value
    assert isinstance(fragments, Fragments)
    assert bytes(fragments.offsets) == b"\0\0\0\0"
    assert [bytes(fragment) for fragment in fragments.items] == [b"ab", b"cd"]


@pytest.mark.parametrize(
    ("data", "syntax", "reason"),
    [
        (long(0x7FE00010, "OB", item(b"") + item(b"ab"), UNDEFINED), JPEG, Reason.TRUNCATED),
        (long(0x7FE00010, "OB", item(b"") + item(b"ab", 4), UNDEFINED), JPEG, Reason.TRUNCATED),
        (long(0x7FE00010, "OB", item(b"") + item(b"ab", UNDEFINED) + SEQUENCE_END, UNDEFINED), JPEG, Reason.TRUNCATED),
        (long(0x7FE00010, "OB", SEQUENCE_END, UNDEFINED), JPEG, Reason.MALFORMED),
        (long(0x7FE00010, "OB", item(b"") + NAME + SEQUENCE_END, UNDEFINED), JPEG, Reason.MALFORMED),
        (long(0x7FE00010, "OB", item(b"") + SEQUENCE_END, UNDEFINED), EXPLICIT, Reason.MALFORMED),
        (long(0x00091001, "OB", item(b"") + SEQUENCE_END, UNDEFINED), JPEG, Reason.MALFORMED),
    ],
    ids=["no delimiter", "fragment too long", "open fragment", "no offset table", "no item", "native syntax", "other"],
)
def test_broken_fragments_are_refused(data: bytes, syntax: str, reason: Reason) -> None:
    assert reason_for(data, syntax) is reason


# -- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        short(PATIENT_NAME, "PN", b"Doe^Jane", 10),
        long(0x7FE00010, "OW", bytes(34), 64),
        long(0x7FE00010, "OW", bytes(34), 0xFFFFFFF0),
        struct.pack("<HH2s2x", 0x7FE0, 0x0010, b"OW"),
        long(REFERENCED_SERIES, "SQ", item(NAME), 200),
        long(REFERENCED_SERIES, "SQ", item(NAME, 200)),
        long(REFERENCED_SERIES, "SQ", item(NAME), UNDEFINED),
        long(REFERENCED_SERIES, "SQ", item(NAME, UNDEFINED) + SEQUENCE_END, UNDEFINED),
        long(REFERENCED_SERIES, "SQ", b"\xfe\xff\x00", UNDEFINED),
    ],
)
def test_lengths_past_the_end_are_refused(data: bytes) -> None:
    assert reason_for(data) in (Reason.TRUNCATED, Reason.MALFORMED)


@pytest.mark.parametrize("length", range(1, 8))
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_bytes_after_the_last_element_are_refused(syntax: str, length: int) -> None:
    data = NAME if syntax == EXPLICIT else bare(PATIENT_NAME, b"Doe ")
    assert reason_for(data + bytes(length), syntax) is Reason.TRAILING_BYTES


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_zeros_after_the_last_element_are_refused(syntax: str) -> None:
    data = NAME if syntax == EXPLICIT else bare(PATIENT_NAME, b"Doe ")
    assert reason_for(data + bytes(512), syntax) is Reason.TRAILING_BYTES


def test_bytes_left_in_an_item_are_refused() -> None:
    assert reason_for(long(REFERENCED_SERIES, "SQ", item(NAME + b"abc"))) is Reason.MALFORMED


@pytest.mark.parametrize(
    "data",
    [
        long(REFERENCED_SERIES, "SQ", NAME),
        NAME + ITEM_END,
        NAME + SEQUENCE_END,
        NAME + short(0xFFFEE00D, "CS", b"AB"),
        short(0xFFFFE00D, "CS", b"AB") + short(0xFFFEE00D, "CS", b"AB"),
        long(REFERENCED_SERIES, "SQ", item(NAME) + SEQUENCE_END),
    ],
)
def test_delimiters_where_none_belong_are_refused(data: bytes) -> None:
    assert reason_for(data) is Reason.MALFORMED


def test_implicit_vr_in_a_syntax_with_explicit_vr_is_refused() -> None:
    assert reason_for(bare(0x00080018, b"1.2\0") + bare(PATIENT_NAME, b"Doe "), EXPLICIT) is Reason.MALFORMED


def test_explicit_vr_in_a_syntax_with_implicit_vr_is_refused() -> None:
    assert reason_for(short(0x00080018, "UI", b"1.2\0") + NAME, IMPLICIT) is Reason.MALFORMED
    assert reason_for(short(0x00090010, "LO", b"ACME") + NAME, IMPLICIT) is Reason.MALFORMED


def test_undefined_length_of_a_string_with_implicit_vr_is_refused() -> None:
    assert reason_for(bare(PATIENT_NAME, item(b"") + SEQUENCE_END, UNDEFINED), IMPLICIT) is Reason.MALFORMED


def test_an_unknown_syntax_is_refused_without_its_name() -> None:
    with pytest.raises(Refused) as refusal:
        read_data_set(NAME, "1.2.3.DOE")
    assert refusal.value.reason is Reason.UNSUPPORTED_TRANSFER_SYNTAX
    assert "DOE" not in str(refusal.value)


def test_refusals_carry_no_values() -> None:
    with pytest.raises(Refused) as refusal:
        read_data_set(NAME + NAME, EXPLICIT)
    assert "Doe" not in str(refusal.value)
    assert "(0010,0010)" in str(refusal.value)


# -- bounds ---------------------------------------------------------------------------------------------------------


def test_sequences_are_read_to_the_limit_and_not_beyond() -> None:
    limits = Limits(max_depth=3)
    assert read_data_set(nested(3), EXPLICIT, limits).elements
    assert reason_for(nested(4), limits=limits) is Reason.TOO_DEEP


def test_ten_thousand_open_sequences_are_refused_without_recursion() -> None:
    opened = struct.pack("<HH2s2xL", 0x0008, 0x1115, b"SQ", UNDEFINED) + struct.pack("<HHL", 0xFFFE, 0xE000, UNDEFINED)
    assert reason_for(opened * 10_000) is Reason.TOO_DEEP
    opened = bare(REFERENCED_SERIES, b"", UNDEFINED) + struct.pack("<HHL", 0xFFFE, 0xE000, UNDEFINED)
    assert reason_for(opened * 10_000, IMPLICIT) is Reason.TOO_DEEP


@pytest.mark.parametrize(
    ("data", "syntax"),
    [
        (NAME + SEX + short(0x00101010, "AS", b"042Y"), EXPLICIT),
        (bare(0x00100010, b"") + bare(0x00100020, b"") + bare(0x00100040, b""), IMPLICIT),
        (long(REFERENCED_SERIES, "SQ", item(b"") * 3), EXPLICIT),
        (long(0x7FE00010, "OB", item(b"") * 3 + SEQUENCE_END, UNDEFINED), JPEG),
        (long(REFERENCED_SERIES, "SQ", item(NAME) + item(NAME)), EXPLICIT),
    ],
    ids=["elements", "implicit elements", "items", "fragments", "nested"],
)
def test_more_elements_than_the_limit_are_refused(data: bytes, syntax: str) -> None:
    assert reason_for(data, syntax, Limits(max_elements=2)) is Reason.TOO_LARGE


def raw_deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(data) + deflater.flush()


def test_a_deflated_data_set_is_read() -> None:
    stream = raw_deflate(NAME)
    for end in (b"", b"\0", struct.pack("<LL", zlib.crc32(NAME), len(NAME))):
        assert values(read_data_set(stream + end, DEFLATED)) == {PATIENT_NAME: b"Doe^Jane"}


def test_a_big_deflated_data_set_is_read_step_by_step() -> None:
    pixels = bytes(range(256)) * (1 << 14)
    data = long(0x7FE00010, "OW", pixels)
    assert values(read_data_set(raw_deflate(data), DEFLATED)) == {0x7FE00010: pixels}


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (raw_deflate(NAME)[:-4], Reason.TRUNCATED),
        (b"", Reason.TRUNCATED),
        (b"\xff" * 100, Reason.MALFORMED),
        (raw_deflate(NAME) + b"\1", Reason.TRAILING_BYTES),
        (raw_deflate(NAME) + b"\0\0", Reason.TRAILING_BYTES),
        (raw_deflate(NAME) + struct.pack("<LL", 1, len(NAME)), Reason.TRAILING_BYTES),
        (raw_deflate(NAME) + struct.pack("<LL", zlib.crc32(NAME), len(NAME)) + b"\0", Reason.TRAILING_BYTES),
        (raw_deflate(NAME) + bytes(1 << 17), Reason.TRAILING_BYTES),
    ],
)
def test_broken_deflate_streams_are_refused(stream: bytes, reason: Reason) -> None:
    assert reason_for(stream, DEFLATED) is reason


def test_what_inflates_beyond_the_limits_is_refused() -> None:
    bomb = raw_deflate(long(0x7FE00010, "OW", bytes(8 << 20)))
    assert reason_for(bomb, DEFLATED, Limits(max_inflated_bytes=4 << 20)) is Reason.TOO_LARGE
    assert reason_for(bomb, DEFLATED, Limits(inflate_ratio_from_bytes=1 << 20)) is Reason.TOO_LARGE
    assert read_data_set(bomb, DEFLATED).elements


# -- files ----------------------------------------------------------------------------------------------------------

PREAMBLE = bytes(128) + b"DICM"
META = (
    long(0x00020001, "OB", b"\0\1")
    + short(0x00020002, "UI", b"1.2.840.10008.5.1.4.1.1.2\0")
    + short(0x00020003, "UI", b"1.2.3.4\0")
    + short(0x00020010, "UI", EXPLICIT.encode() + b"\0")
    + short(0x00020016, "AE", b"CT_1")
)


def test_a_file_is_its_meta_and_the_data_set_behind_it() -> None:
    part10 = read_part10(PREAMBLE + META + NAME)
    assert part10.transfer_syntax == EXPLICIT
    assert part10.meta.sop_class_uid == "1.2.840.10008.5.1.4.1.1.2"
    assert part10.meta.sop_instance_uid == "1.2.3.4"
    assert (part10.meta.source_ae, part10.meta.sending_ae, part10.meta.receiving_ae) == ("CT_1", "", "")
    assert part10.data_set_bytes == NAME


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (b"", Reason.NOT_DICOM),
        (META + NAME, Reason.NOT_DICOM),
        (bytes(128) + b"DICX" + META, Reason.NOT_DICOM),
        (PREAMBLE + NAME, Reason.NOT_DICOM),
        (PREAMBLE + META[:-2], Reason.TRUNCATED),
        (PREAMBLE + META + long(0x00020102, "OB", b"abcd", 100), Reason.TRUNCATED),
        (PREAMBLE + META + struct.pack("<HH2s2x", 0x0002, 0x0102, b"OB"), Reason.TRUNCATED),
        (PREAMBLE + bare(0x00020010, b"1.2.840.10008.1.2\0"), Reason.MALFORMED),
        (PREAMBLE + META + long(0x00020102, "OB", bytes(2 << 20)), Reason.TOO_LARGE),
        (PREAMBLE + short(0x00020010, "UI", b"1.2.840.10008.1.2.4.94"), Reason.UNSUPPORTED_TRANSFER_SYNTAX),
    ],
)
def test_what_is_no_file_of_part_10_is_refused(file: bytes, reason: Reason) -> None:
    with pytest.raises(Refused) as refusal:
        read_part10(file)
    assert refusal.value.reason is reason
