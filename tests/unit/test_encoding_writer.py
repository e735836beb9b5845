"""What the writer writes, and what conversion changes."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from pydicom import dcmread

from deid.encoding.element import DataSet, Element, Fragments, Value
from deid.encoding.reader import read_data_set
from deid.encoding.syntax import TRANSFER_SYNTAXES, transfer_syntax
from deid.encoding.writer import BULK_BYTES, convert, write_data_set
from deid.errors import Reason, Refused

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG = "1.2.840.10008.1.2.4.50"
SEQUENCE_END = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


def data_set(*elements: tuple[int, str, Value]) -> DataSet:
    return DataSet({tag: Element(tag, vr, value) for tag, vr, value in elements})


def written(syntax: str, *elements: tuple[int, str, Value]) -> bytes:
    return b"".join(write_data_set(data_set(*elements), syntax))


def reason_for(syntax: str, *elements: tuple[int, str, Value]) -> Reason:
    with pytest.raises(Refused) as refusal:
        write_data_set(data_set(*elements), syntax)
    return refusal.value.reason


def test_explicit_vr_has_lengths_of_16_and_of_32_bits() -> None:
    data = written(EXPLICIT, (0x00100010, "PN", b"Doe^"), (0x7FE00010, "OW", b"\1\2"))
    assert data == b"\x10\0\x10\0PN\4\0Doe^" + b"\xe0\x7f\x10\0OW\0\0\2\0\0\0\1\2"


def test_implicit_vr_has_lengths_of_32_bits() -> None:
    assert written(IMPLICIT, (0x00100010, "PN", b"Doe^")) == b"\x10\0\x10\0\4\0\0\0Doe^"


def test_big_endian_has_tags_and_lengths_that_way_round() -> None:
    data = written(BIG_ENDIAN, (0x00100010, "PN", b"Doe^"), (0x7FE00010, "OW", b"\1\2"))
    assert data == b"\0\x10\0\x10PN\0\4Doe^" + b"\x7f\xe0\0\x10OW\0\0\0\0\0\2\1\2"


def test_sequences_and_items_have_defined_lengths() -> None:
    data = written(EXPLICIT, (0x00081115, "SQ", [data_set((0x00100040, "CS", b"F ")), DataSet()]))
    item = b"\xfe\xff\0\xe0\x0a\0\0\0" + b"\x10\0\x40\0CS\2\0F " + b"\xfe\xff\0\xe0\0\0\0\0"
    assert data == b"\x08\0\x15\x11SQ\0\0\x1a\0\0\0" + item


def test_a_sequence_that_came_as_unknown_is_written_as_sequence() -> None:
    assert written(EXPLICIT, (0x00091001, "UN", [DataSet()])) == b"\x09\0\x01\x10SQ\0\0\x08\0\0\0\xfe\xff\0\xe0\0\0\0\0"


@pytest.mark.parametrize("vr", ["UN", "SQ"])
def test_a_private_sequence_stays_one_with_implicit_vr(vr: str) -> None:
    data = written(IMPLICIT, (0x00091001, vr, [data_set((0x00100040, "CS", b"F "))]))
    assert isinstance(read_data_set(data, IMPLICIT).elements[0x00091001].value, list)
    assert data.endswith(SEQUENCE_END)


def test_pydicom_still_knows_whose_a_private_sequence_is() -> None:
    creator, item = (0x20010010, "LO", b"Philips Imaging DD 001"), data_set((0x00100040, "CS", b"F "))
    data = written(IMPLICIT, creator, (0x2001105F, "SQ", [item]), (0x20011099, "SQ", [item]))
    read = dcmread(BytesIO(data), force=True)

    assert read[0x2001105F].VR == "SQ"
    assert read[0x2001105F].private_creator == "Philips Imaging DD 001"
    assert read[0x20011099].VR == "SQ"  # what nobody knows to be a sequence has to be told by its length


@pytest.mark.parametrize(
    ("vr", "padding"), [("PN", b" "), ("DS", b" "), ("UT", b" "), ("UI", b"\0"), ("OB", b"\0"), ("UN", b"\0")]
)
@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN])
def test_odd_values_are_padded_as_their_vr_asks(syntax: str, vr: str, padding: bytes) -> None:
    data = written(syntax, (0x00091001, vr, b"123"))
    assert data.endswith(b"123" + padding)
    assert len(data) % 2 == 0
    assert bytes(read_data_set(data, syntax).elements[0x00091001].value) == b"123" + padding  # type: ignore[arg-type]


def test_a_value_too_long_for_its_vr_is_written_as_unknown() -> None:
    longest, too_long = bytes(0xFFFE), b"a" * 0xFFFF
    assert written(EXPLICIT, (0x00091001, "LT", longest))[4:8] == b"LT\xfe\xff"
    data = written(EXPLICIT, (0x00091001, "LT", too_long))
    assert data[4:12] == b"UN\0\0\0\0\1\0"
    assert data.endswith(b"a ")


def test_a_big_endian_value_too_long_for_its_vr_becomes_little_endian() -> None:
    data = written(BIG_ENDIAN, (0x00091001, "US", b"\1\2" * 0x8000))
    assert data[:12] == b"\0\x09\x10\x01UN\0\0\0\1\0\0"
    assert data[12:] == b"\2\1" * 0x8000


def test_big_values_are_not_copied() -> None:
    pixels = memoryview(bytes(BULK_BYTES))
    small = (0x00100010, "PN", b"Doe^")
    pieces = write_data_set(data_set(small, (0x7FE00010, "OW", pixels), (0xFFFBFFFB, "OB", b"end ")), EXPLICIT)
    assert len(pieces) == 3
    assert pieces[1] is pixels


def test_big_values_in_sequences_are_not_copied_either() -> None:
    pixels = memoryview(bytes(BULK_BYTES))
    icon = data_set((0x00280010, "US", b"\1\0"), (0x7FE00010, "OW", pixels))
    for syntax in (EXPLICIT, IMPLICIT, BIG_ENDIAN):
        pieces = write_data_set(data_set((0x00880200, "SQ", [icon]), (0x00880904, "LO", b"end ")), syntax)
        assert pieces[1] is pixels
        read = read_data_set(b"".join(pieces), syntax).elements[0x00880200].value
        assert bytes(read[0].elements[0x7FE00010].value) == pixels  # type: ignore[arg-type, index, union-attr]


def test_fragments_are_written_as_given_and_as_other_bytes() -> None:
    data = written(JPEG, (0x7FE00010, "OW", Fragments(b"\0\0\0\0", [b"abc", b"de"])))
    items = b"\xfe\xff\0\xe0\4\0\0\0\0\0\0\0" + b"\xfe\xff\0\xe0\4\0\0\0abc\0" + b"\xfe\xff\0\xe0\2\0\0\0de"
    assert data == b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff" + items + SEQUENCE_END


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED])
def test_fragments_in_a_syntax_without_them_are_refused(syntax: str) -> None:
    assert reason_for(syntax, (0x7FE00010, "OB", Fragments(b"", []))) is Reason.UNSUPPORTED_TRANSFER_SYNTAX


@pytest.mark.parametrize(
    "element",
    [(0x00091001, "XX", b"ab"), (0x00081115, "SQ", b"ab"), (0x00091001, "LO", [DataSet()])],
    ids=["unknown VR", "sequence without items", "string with items"],
)
def test_elements_that_contradict_themselves_are_refused(element: tuple[int, str, Value]) -> None:
    assert reason_for(EXPLICIT, element) is Reason.MALFORMED


def test_deflated_is_one_raw_stream_of_even_length() -> None:
    for length in range(16):
        data = written(DEFLATED, (0x00091001, "OB", bytes(range(2 * length))))
        assert len(data) % 2 == 0
        inflater = zlib.decompressobj(-15)
        assert inflater.decompress(data) == written(EXPLICIT, (0x00091001, "OB", bytes(range(2 * length))))
        assert inflater.unused_data in (b"", b"\0")


# -- conversion -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vr", "little", "big"),
    [
        ("US", b"\1\2\3\4", b"\2\1\4\3"),
        ("AT", b"\1\2\3\4", b"\2\1\4\3"),
        ("OW", b"\1\2\3\4", b"\2\1\4\3"),
        ("UL", b"\1\2\3\4", b"\4\3\2\1"),
        ("FL", b"\1\2\3\4", b"\4\3\2\1"),
        ("FD", b"\1\2\3\4\5\6\7\x08", b"\x08\7\6\5\4\3\2\1"),
        ("OB", b"\1\2\3\4", b"\1\2\3\4"),
        ("LO", b"abcd", b"abcd"),
        ("UN", b"\1\2\3\4", b"\1\2\3\4"),
    ],
)
def test_words_are_swapped_by_their_vr(vr: str, little: bytes, big: bytes) -> None:
    inner = data_set((0x00091001, vr, little))
    there = convert(data_set((0x00081115, "SQ", [inner])), EXPLICIT, BIG_ENDIAN)
    assert there.elements[0x00081115].value[0].elements[0x00091001].value == big  # type: ignore[index, union-attr]
    back = convert(there, BIG_ENDIAN, EXPLICIT)
    assert back.elements[0x00081115].value[0].elements[0x00091001].value == little  # type: ignore[index, union-attr]


def test_half_a_word_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        convert(data_set((0x00280010, "US", b"\1\2\3")), EXPLICIT, BIG_ENDIAN)
    assert refusal.value.reason is Reason.MALFORMED


@pytest.mark.parametrize(("representation", "vr"), [(b"\1\0", "SS"), (b"\0\0", "US"), (None, "US")])
def test_pixel_representation_decides_what_implicit_vr_left_open(representation: bytes | None, vr: str) -> None:
    lut = data_set((0x00283002, "US", b"\0\1\0\0\x10\0"))
    elements: list[tuple[int, str, Value]] = [(0x00280106, "US", b"\0\0"), (0x00283000, "SQ", [lut])]
    if representation is not None:
        elements.insert(0, (0x00280103, "US", representation))
    converted = convert(data_set(*elements), IMPLICIT, EXPLICIT)
    assert converted.elements[0x00280106].vr == vr
    assert converted.elements[0x00283000].value[0].elements[0x00283002].vr == vr  # type: ignore[index, union-attr]


def test_conversion_leaves_its_argument_alone() -> None:
    original = data_set((0x00280103, "US", b"\1\0"), (0x00280106, "US", b"\1\0"))
    convert(original, IMPLICIT, BIG_ENDIAN)
    assert original == data_set((0x00280103, "US", b"\1\0"), (0x00280106, "US", b"\1\0"))


def test_pixels_are_not_transcoded_by_conversion() -> None:
    native = data_set((0x7FE00010, "OW", b"\0\0"))
    encapsulated = data_set((0x7FE00010, "OB", Fragments(b"", [b"ab"])))
    for instance, source, target in ((native, EXPLICIT, JPEG), (encapsulated, JPEG, EXPLICIT)):
        with pytest.raises(Refused) as refusal:
            convert(instance, source, target)
        assert refusal.value.reason is Reason.UNSUPPORTED_TRANSFER_SYNTAX


def test_without_pixels_an_encapsulated_syntax_is_explicit_vr_little_endian() -> None:
    report = data_set((0x00100010, "PN", b"Doe^"))
    assert convert(report, JPEG, EXPLICIT) is report


# -- transfer syntaxes ----------------------------------------------------------------------------------------------


def test_every_transfer_syntax_of_pydicom_is_known_unless_it_carries_no_instances() -> None:
    from pydicom._uid_dict import UID_dictionary

    registered = {uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"}
    carries_none = {"94", "95", "204", "205"}
    jpip = {f"1.2.840.10008.1.2.4.{number}" for number in carries_none}
    streams = {f"1.2.840.10008.1.2.7.{number}" for number in (1, 2, 3)}
    others = {"1.2.840.10008.1.2.6.1", "1.2.840.10008.1.2.6.2", "1.2.840.10008.1.20"}
    assert registered - TRANSFER_SYNTAXES.keys() == jpip | streams | others


def test_transfer_syntaxes_agree_with_pydicom() -> None:
    from pydicom.uid import UID

    for uid, syntax in TRANSFER_SYNTAXES.items():
        if UID(uid).is_transfer_syntax:
            assert syntax.implicit_vr == UID(uid).is_implicit_VR
            assert syntax.little_endian == UID(uid).is_little_endian
            assert syntax.deflated == UID(uid).is_deflated
            assert syntax.encapsulated == UID(uid).is_encapsulated


def test_jpip_is_refused() -> None:
    with pytest.raises(Refused) as refusal:
        transfer_syntax("1.2.840.10008.1.2.4.94")
    assert refusal.value.reason is Reason.UNSUPPORTED_TRANSFER_SYNTAX


@pytest.mark.parametrize(
    ("uid", "lossy"),
    [("1.2.840.10008.1.2.4.50", True), ("1.2.840.10008.1.2.4.70", False), ("1.2.840.10008.1.2.5", False)],
)
def test_lossy_is_told_from_lossless(uid: str, lossy: bool) -> None:
    assert transfer_syntax(uid).lossy is lossy
