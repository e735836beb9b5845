"""Texts in the character set they came in, or all in UTF-8: the same texts, whoever reads them."""

from __future__ import annotations

import re
import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_charset_files

from deid.context import Context
from deid.elements.charset import UTF8, in_utf8
from deid.encoding.element import DataSet, Element, Fragments
from deid.encoding.reader import Limits, read_data_set, read_part10
from deid.encoding.writer import write_data_set
from deid.engine import CleanInstance, Instance, deidentify, explain
from deid.errors import Reason, Refused
from deid.identifiers import harvest
from deid.keys import Keys
from deid.profile import Profile
from deid.verify import verify_texts

IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN = (f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".1.99", ".2"))
KEYS = Keys.from_secret(b"k" * 32)
CHARSET = 0x0008_0005
SETTINGS = ("source", "utf-8")
FILES = sorted(Path(name) for name in get_charset_files("*.dcm"))
TEXTS = {"LO", "LT", "PN", "SH", "ST", "UC", "UT"}
KEEP = {
    "PatientName": "K",
    "RequestedProcedureCodeSequence": "K",
    '(0029,"ACME",10)': "K",
    '(0029,"ACME",11)': "K",
    '(0029,"AGFA\u00ae",10)': "K",
    **dict.fromkeys(TEXTS, "K"),
}


def context(setting: str, *options: str, **others: str) -> Context:
    profile = Profile.from_options("test", options, {} if options else KEEP, character_set=setting, **others)
    return Context(profile, KEYS)


def data_set(elements: dict[int, tuple[str, bytes | list[DataSet]]], charset: str = "") -> DataSet:
    """Return an item with a character set of its own if one is given."""
    own: dict[int, tuple[str, bytes | list[DataSet]]] = {CHARSET: ("CS", charset.encode())} if charset else {}
    by_tag = {tag: Element(tag, vr, value) for tag, (vr, value) in sorted((own | elements).items())}
    return DataSet(by_tag, tuple(charset.split("\\")) if charset else ())


def instance(source: DataSet, syntax: str = EXPLICIT) -> Instance:
    """Return it as an instance of Secondary Capture, if it isn't one of something else."""
    own = {0x0008_0016: b"1.2.840.10008.5.1.4.1.1.7", 0x0008_0018: b"1.2.276.1.3"}
    elements = {tag: Element(tag, "UI", value) for tag, value in own.items()} | source.elements
    whole = DataSet(dict(sorted(elements.items())), source.charset)
    return Instance(syntax, b"".join(write_data_set(whole, syntax)))


def from_file(path: Path) -> Instance:
    part10 = read_part10(path.read_bytes(), Limits())
    return instance(read_data_set(part10.data_set_bytes, part10.transfer_syntax, Limits()), part10.transfer_syntax)


def cleaned(source: Instance, setting: str = "utf-8") -> CleanInstance:
    return deidentify(source, context(setting)).clean


def parsed(clean: CleanInstance) -> DataSet:
    return read_data_set(b"".join(clean.chunks), clean.transfer_syntax, Limits())


def value(owner: DataSet, tag: int, *, padded: bool = False) -> str:
    """Return a text of an output; empty if there is none."""
    found = owner.elements.get(tag)
    text = bytes(found.value).decode() if found is not None else ""
    return text if padded else text.strip(" \0")


def items(owner: DataSet, tag: int) -> list[DataSet]:
    found = owner.elements[tag].value
    assert isinstance(found, list)
    return found


def recoded(elements: dict[int, tuple[str, bytes | list[DataSet]]], charset: str = "") -> DataSet:
    return in_utf8(data_set(elements, charset)).data_set


def pydicom_texts(file: bytes | Path) -> list[str]:
    """Return what pydicom reads, without the marks of the cleaning."""
    ds = dcmread(BytesIO(file) if isinstance(file, bytes) else file)
    for keyword in ("DeidentificationMethod", "DeidentificationMethodCodeSequence"):
        if keyword in ds:
            delattr(ds, keyword)
    return [str(element.value) for element in ds.iterall() if element.VR in TEXTS and not element.tag.is_private]


def names_by_dcmtk(path: Path) -> list[str] | None:
    """Return all patient's names in UTF-8; None if this DCMTK doesn't know a character set in the file."""
    command = ("dcmdump", "--quiet", "+U8", "+L", "+P", "0010,0010", str(path))
    run = subprocess.run(command, capture_output=True, check=False)
    return re.findall(r" PN \[(.*?)\]", run.stdout.decode()) if run.returncode == 0 else None


# The files of pydicom


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_pydicom_reads_the_texts_that_it_reads_in_the_source(path: Path, setting: str) -> None:
    source = Dataset(dcmread(path))
    output = b"".join(cleaned(from_file(path), setting).part10())
    after = dcmread(BytesIO(output))

    assert pydicom_texts(output) == pydicom_texts(path)
    declared = source.SpecificCharacterSet if setting == "source" else "ISO_IR 192"
    assert after.SpecificCharacterSet == declared
    if "PatientName" in source:
        groups = ("alphabetic", "ideographic", "phonetic")
        assert [getattr(after.PatientName, group) for group in groups] == [
            getattr(source.PatientName, group) for group in groups
        ]


@pytest.mark.skipif(not shutil.which("dcmdump"), reason="DCMTK is not installed")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_dcmtk_reads_the_names_too(path: Path, tmp_path: Path) -> None:
    found = {}
    for setting in SETTINGS:
        output = tmp_path / f"{setting}.dcm"
        output.write_bytes(b"".join(cleaned(from_file(path), setting).part10()))
        found[setting] = names_by_dcmtk(output)
    names = [str(element.value) for element in dcmread(path).iterall() if element.keyword == "PatientName"]
    assert [name.rstrip("=") for name in found["utf-8"] or ()] == names
    assert found["source"] == names_by_dcmtk(path)  # with glibc's iconv it knows no Japanese
    assert found["source"] in (None, found["utf-8"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_texts_that_stay_in_their_character_set_stay_byte_for_byte(path: Path) -> None:
    source = read_data_set(from_file(path).data, EXPLICIT, Limits())
    after = parsed(cleaned(from_file(path), "source"))
    name = 0x0010_0010
    if name in source.elements:
        assert bytes(after.elements[name].value) == bytes(source.elements[name].value)
    assert after.charset == source.charset


# Multi-byte character sets

TAG_OF = {
    "LO": 0x0008_2132,
    "LT": 0x0014_0046,
    "PN": 0x0010_0010,
    "SH": 0x0008_2120,
    "ST": 0x0008_0115,
    "UC": 0x0016_0008,
    "UT": 0x0010_0218,
}
SEQUENCE, INNER_SEQUENCE = 0x0008_1032, 0x0008_0121
MEANING, OTHER_MEANING = 0x0008_0104, 0x0008_0119


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED])
@pytest.mark.parametrize(
    ("charset", "vr", "encoded", "text"),
    [
        ("\\ISO 2022 IR 87", "LO", b"\x1b$B;3ED\x1b(B\\a\\\x1b$BI=\x1b(B", "山田\\a\\表"),
        (
            "ISO 2022 IR 13\\ISO 2022 IR 87",
            "PN",
            b"\xd4\xcf^\xc0=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=",
            "ﾔﾏ^ﾀ=山田^太郎=",
        ),
        ("\\ISO 2022 IR 149", "LT", b"\x1b$)C\xc8\xab\r\n\x1b$)C\xb1\xe6 end", "홍\r\n길 end"),
        ("\\ISO 2022 IR 58", "UT", b"\x1b$)A\xd5\xc5\\\xd0\xa1", "张\\小"),
        ("ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 126", "ST", b"\xe9 \x1b-L\xbb\xee\xda \x1b-F\xc4", "é Люк Δ"),
        ("\\ISO 2022 IR 87\\ISO 2022 IR 159", "UC", b"\x1b$(D0!\x1b$B;3\x1b(B", "丂山"),
        ("GB18030", "LO", b"\x81\x5c\\\x95\x32\x82\x36 x", "乗\\\U00020000 x"),
        ("GBK", "SH", b"\xcd\xf5", "王"),
        ("ISO_IR 166", "LO", b"\xb9\xd2\xc1", "นาม"),
    ],
)
def test_texts_of_any_repertoires_become_utf8(charset: str, vr: str, encoded: bytes, text: str, syntax: str) -> None:
    source = instance(data_set({TAG_OF[vr]: (vr, encoded)}, charset), syntax)
    after = parsed(cleaned(source))

    assert value(after, TAG_OF[vr]) == text
    assert value(after, CHARSET) == "ISO_IR 192"


def test_nested_character_sets_become_one_that_the_top_level_declares() -> None:
    inmost = data_set({MEANING: ("LO", b"Wa\xb3\xeasa")}, "ISO_IR 101")
    plain = data_set({MEANING: ("LO", b"plain")}, "ISO_IR 101")
    inner = data_set({MEANING: ("LO", b"\xcd\xf5"), INNER_SEQUENCE: ("SQ", [inmost, plain])}, "GB18030")
    inheriting = DataSet({MEANING: Element(MEANING, "LO", b"\xbb\xee\xda")}, ("ISO_IR 144",))
    source = data_set({MEANING: ("LO", b"\xbb"), SEQUENCE: ("SQ", [inner, inheriting])}, "ISO_IR 144")
    before = b"".join(write_data_set(source, EXPLICIT))

    after = parsed(cleaned(instance(source)))
    first, second = items(after, SEQUENCE)
    deep, ascii_only = items(first, INNER_SEQUENCE)
    assert [value(item, MEANING) for item in (after, first, deep, ascii_only, second)] == [
        "Л",
        "王",
        "Wałęsa",
        "plain",
        "Люк",
    ]
    assert [CHARSET in item.elements for item in (after, first, deep, ascii_only, second)] == [True, *[False] * 4]
    assert b"".join(write_data_set(source, EXPLICIT)) == before


def test_utf8_in_an_item_alone_is_declared_at_the_top_level() -> None:
    item = data_set({MEANING: ("LO", "Łódź".encode())}, "ISO_IR 192")
    after = recoded({SEQUENCE: ("SQ", [item])})
    assert value(after, CHARSET) == "ISO_IR 192"
    assert list(items(after, SEQUENCE)[0].elements) == [MEANING]


def test_private_texts_that_stay_become_utf8_in_opaque_sequences_too() -> None:
    hidden = b"".join(write_data_set(data_set({MEANING: ("LO", b"K\xf6rper")}), IMPLICIT))
    hidden = b"\xfe\xff\x00\xe0" + len(hidden).to_bytes(4, "little") + hidden
    block = {
        0x0029_0010: ("LO", b"ACME"),
        0x0029_1010: ("LO", b"Sch\xe4del"),
        0x0029_1011: ("UN", hidden),
        0x0029_0011: ("LO", b"AGFA\xae"),
        0x0029_1110: ("SH", b"\xb5m"),
    }
    after = parsed(cleaned(instance(data_set(block, "ISO_IR 100"))))
    assert [value(after, tag) for tag in (0x0029_1010, 0x0029_0011, 0x0029_1110)] == ["Schädel", "AGFA®", "µm"]
    assert value(items(after, 0x0029_1011)[0], MEANING) == "Körper"


def test_a_text_too_long_for_its_vr_is_recoded_as_unknown_and_bytes_are_not() -> None:
    text, raw = b"\xe9" * 70_000, b"\xe9\xff"
    after = recoded({TAG_OF["LT"]: ("UN", text), 0x0009_1001: ("UN", raw), 0x0042_0011: ("OB", raw)}, "ISO_IR 100")
    assert bytes(after.elements[TAG_OF["LT"]].value).decode() == "é" * 70_000
    assert [after.elements[tag].value for tag in (0x0009_1001, 0x0042_0011)] == [raw, raw]


def test_utf8_is_declared_though_the_profile_removes_the_declarations() -> None:
    own = Profile.from_options("test", (), KEEP | {"SpecificCharacterSet": "X"}, character_set="utf-8")
    item = data_set({MEANING: ("LO", "é".encode())}, "ISO_IR 192")
    for elements, charset in (({MEANING: ("LO", "é".encode())}, "ISO_IR 192"), ({SEQUENCE: ("SQ", [item])}, "")):
        after = parsed(deidentify(instance(data_set(elements, charset)), Context(own, KEYS)).clean)
        assert value(after, CHARSET) == "ISO_IR 192"


# What must not change


@pytest.mark.parametrize("declared", ["", "ISO_IR 100", "ISO_IR 13", "GB18030", "\\ISO 2022 IR 87"])
def test_what_is_ascii_stays_byte_for_byte(declared: str) -> None:
    item = data_set({MEANING: ("LO", b"Head \\ 1 ")})
    elements = {MEANING: ("LO", b"plain"), TAG_OF["UT"]: ("UT", b"a\r\nb  "), SEQUENCE: ("SQ", [item])}
    source = instance(data_set(elements, declared))
    before, after = (parsed(cleaned(source, setting)) for setting in SETTINGS)

    assert value(after, CHARSET) == ("ISO_IR 192" if declared else "")
    for found in (before, after):
        found.elements.pop(CHARSET, None)
    assert write_data_set(before, EXPLICIT) == write_data_set(after, EXPLICIT)


def test_what_is_utf8_stays_byte_for_byte() -> None:
    elements = {MEANING: ("LO", "Łódź \0".encode()), SEQUENCE: ("SQ", [data_set({MEANING: ("LO", b"\xe7\x8e\x8b")})])}
    items(data_set(elements), SEQUENCE)[0].charset = UTF8
    source = instance(data_set(elements, "ISO_IR 192"))
    assert cleaned(source).chunks == cleaned(source, "source").chunks


def test_a_text_has_as_many_characters_as_before() -> None:
    sixteen = b"\x1b$B" + b"I=" * 16 + b"\x1b(B "
    after = recoded({TAG_OF["SH"]: ("SH", sixteen), TAG_OF["UT"]: ("UT", b"\xe9\0")}, "ISO 2022 IR 100\\ISO 2022 IR 87")
    assert value(after, TAG_OF["SH"], padded=True) == "表" * 16
    assert value(after, TAG_OF["UT"], padded=True) == "é"


def test_compressed_frames_are_left_alone() -> None:
    pixels = Element(0x7FE0_0010, "OB", Fragments(b"", [b"\xff\xd8\xe9\xd9"]))
    source = DataSet({MEANING: Element(MEANING, "LO", b"\xe9"), pixels.tag: pixels}, ("ISO_IR 100",))
    assert in_utf8(source).data_set.elements[pixels.tag] is pixels


# What nobody declared, or declared wrongly


@pytest.mark.parametrize("declared", ["", "ISO_IR 999", "ISO_IR 6", "\\ISO 2022 IR 87"])
def test_utf8_that_nobody_declared_is_declared(declared: str) -> None:
    after = parsed(cleaned(instance(data_set({MEANING: ("LO", "Łódź".encode())}, declared))))
    assert (value(after, CHARSET), value(after, MEANING)) == ("ISO_IR 192", "Łódź")


def test_what_cannot_be_decoded_is_not_kept() -> None:
    source = instance(data_set({MEANING: ("LO", b"Universit\xe9"), OTHER_MEANING: ("UC", b"\xc3\xa9")}))
    after = parsed(cleaned(source))
    assert MEANING not in after.elements
    assert (value(after, OTHER_MEANING), value(after, CHARSET)) == ("é", "ISO_IR 192")


@pytest.mark.parametrize(
    ("charset", "encoded"),
    [
        ("", b"Universit\xe9"),
        ("GB18030", b"\x1b$B;3ED\x1b(B"),
        ("GBK", b"\xff\xff"),
    ],
)
def test_a_text_without_a_certain_reading_is_a_refusal_that_does_not_tell_it(charset: str, encoded: bytes) -> None:
    with pytest.raises(Refused) as refused:
        recoded({MEANING: ("LO", encoded)}, charset)
    assert refused.value.reason is Reason.UNDECODABLE_TEXT
    assert str(refused.value.detail) == "(0008,0104) is not in its character set"


# What is said of it


def test_explain_says_what_became_of_each_declaration() -> None:
    item = data_set({MEANING: ("LO", b"\xcd\xf5")}, "GB18030")
    source = instance(data_set({MEANING: ("LO", b"\xe9"), SEQUENCE: ("SQ", [item])}, "ISO_IR 100"))
    said = {finding.path: (finding.action, finding.source) for finding in explain(source, context("utf-8"))}
    assert said[CHARSET,] == ("K", "character_set utf-8")
    assert said[SEQUENCE, CHARSET] == ("X", "character_set utf-8")
    assert said[MEANING,] == ("K", "override LO")
    before, after = (deidentify(source, context(setting)).report.counts for setting in SETTINGS)
    assert {action: after.get(action, 0) - before.get(action, 0) for action in ("K", "X")} == {"K": -1, "X": 1}


def test_explain_says_nothing_new_of_what_was_utf8() -> None:
    source = instance(data_set({MEANING: ("LO", "é".encode())}, "ISO_IR 192"))
    assert explain(source, context("utf-8")) == explain(source, context("source"))


# Identifiers

PATIENT = {0x0010_0010: ("PN", b"M\xfcller-\xd6tker^Karl"), 0x0010_0020: ("LO", b"MRN-4711007")}


def test_a_name_in_another_encoding_is_seen_before_the_text_is_encoded_anew() -> None:
    disguised = data_set({MEANING: ("LO", "scan of Müller".encode())}, "ISO_IR 100")
    found = harvest(data_set(PATIENT, "ISO_IR 100"), lambda tag, vr, parent: False)
    with pytest.raises(Refused) as refused:
        verify_texts(in_utf8(disguised).texts, found)
    assert refused.value.reason is Reason.IDENTIFIER_LEFT
    verify_texts(in_utf8(data_set({MEANING: ("LO", "scan of Möller".encode())}, "ISO_IR 100")).texts, found)


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_disguised_name_in_a_text_that_was_cleaned_is_refused(setting: str) -> None:
    text = "2019-03-01: scan of Müller, 24.12.2018".encode()
    source = instance(data_set({**PATIENT, 0x0008_1030: ("LO", text)}, "ISO_IR 100"))
    by_rules = context(setting, "clean_descriptors", "retain_long_modified_dates", text="rules")
    with pytest.raises(Refused) as refused:
        deidentify(source, by_rules)
    assert refused.value.reason is Reason.IDENTIFIER_LEFT


def test_a_name_is_cleaned_from_a_text_and_the_rest_is_utf8() -> None:
    text = "Übersicht Schädel, Hr. Müller".encode("latin-1")
    source = instance(data_set({**PATIENT, 0x0008_1030: ("LO", text)}, "ISO_IR 100"))
    after = parsed(deidentify(source, context("utf-8", "clean_descriptors", text="rules")).clean)
    assert value(after, 0x0008_1030).startswith("Übersicht Schädel")
    assert "ller" not in value(after, 0x0008_1030)
