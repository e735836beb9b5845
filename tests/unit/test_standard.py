from __future__ import annotations

import importlib.util
import json
import os
from collections import Counter
from pathlib import Path

import pytest
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag

from deid import standard
from deid.standard import beyond, generate, generate_private
from deid.standard.iods import attribute_outside_the_table, has_attribute_table

TABLES = Path(standard.__file__).parent
SOURCES = Path(__file__).parents[2].parent / "shared" / "standards"
CT, MR, SC = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.7"
BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"


def highdicom_folder() -> Path:
    """Its `_standard` folder, out of HIGHDICOM_STANDARD or an installed highdicom; the test is skipped without."""
    if "HIGHDICOM_STANDARD" in os.environ:
        return Path(os.environ["HIGHDICOM_STANDARD"])
    spec = importlib.util.find_spec("highdicom")
    if spec is None or spec.origin is None:
        pytest.skip("highdicom's tables are not here; set HIGHDICOM_STANDARD to the folder highdicom/_standard")
    return Path(spec.origin).parent / "_standard"


def test_table_has_every_row_of_the_edition_it_names() -> None:
    codes = Counter(row.basic for row in standard.confidentiality_rows())
    assert codes == {
        "X": 415, "D": 93, "U": 55, "Z": 42, "X/D": 23, "X/Z": 11, "X/Z/D": 8, "Z/D": 6, "X/Z/U*": 2,
    }  # fmt: skip


def test_edition_is_stated_in_the_table_and_in_the_module() -> None:
    table = json.loads((TABLES / "confidentiality.json").read_text(encoding="utf-8"))
    assert table["edition"] == standard.EDITION
    assert "2026c" in standard.EDITION
    assert "2024e" in standard.EDITION
    assert standard.EDITION in (TABLES / "README.md").read_text(encoding="utf-8")


def test_option_cells_are_keep_or_clean() -> None:
    cells = Counter(
        (option, letter) for row in standard.confidentiality_rows() for option, letter in row.options.items()
    )
    assert cells[("retain_long_full_dates", "K")] == cells[("retain_long_modified_dates", "C")] == 169
    assert {letter for _, letter in cells} == {"K", "C"}
    assert {option for option, letter in cells if letter == "C"}.isdisjoint({"retain_long_full_dates", "retain_uids"})


def test_rows_agree_with_the_data_dictionary() -> None:
    for row in standard.confidentiality_rows():
        if dictionary_has_tag(row.tag):
            assert (row.keyword, row.vr) == (keyword_for_tag(row.tag), dictionary_VR(row.tag)), f"{row.tag:08X}"
        assert len(row.vr) >= 2, f"{row.tag:08X}"


@pytest.mark.parametrize(
    ("tag", "keyword"),
    [(0x00100010, "PatientName"), (0x00100011, "PersonNamesToUseSequence"), (0x0040E012, "DisplayURI")],
)
def test_row_is_found_by_its_tag(tag: int, keyword: str) -> None:
    row = standard.confidentiality_row(tag)
    assert row is not None
    assert row.keyword == keyword


@pytest.mark.parametrize("tag", [0x50000005, 0x50020010, 0x501E3000, 0x60003000, 0x60FE3000, 0x601E4000])
def test_row_of_a_repeating_group_covers_every_group_of_it(tag: int) -> None:
    row = standard.confidentiality_row(tag)
    assert row is not None
    assert row.basic == "X"
    assert row.options == {"clean_graphics": "C"}


@pytest.mark.parametrize("tag", [0x60000010, 0x60003001, 0x00280010, 0x7FE00010])
def test_attribute_without_a_row_has_none(tag: int) -> None:
    assert standard.confidentiality_row(tag) is None


@pytest.mark.parametrize(
    ("uid", "parent", "tag", "expected"),
    [
        (CT, 0, 0x00080020, "2"),  # Study Date, General Study
        (CT, 0, 0x00080018, "1"),  # SOP Instance UID, SOP Common
        (CT, 0, 0x00080022, "3"),  # Acquisition Date, General Image (C.7.6.1)
        (CT, 0, 0x00080023, "2C"),  # Content Date, General Image
        (BASIC_TEXT_SR, 0, 0x00080023, "1"),  # Content Date, SR Document General
        (BASIC_TEXT_SR, 0x0040A073, 0x0040A030, "1"),  # Verification DateTime in Verifying Observer Sequence
        (BASIC_TEXT_SR, 0x0040A073, 0x0040A075, "1"),  # Verifying Observer Name
        (CT, 0, 0x0040A075, None),  # not in the CT Image IOD
        (CT, 0x0040A073, 0x00080020, None),  # nor Study Date in that Sequence
    ],
)
def test_type_is_that_of_the_iod_at_this_place(uid: str, parent: int, tag: int, expected: str | None) -> None:
    assert standard.attribute_type(uid, parent, tag) == expected


def test_strictest_type_of_several_modules_counts() -> None:
    assert standard.strictest("3", "2C", "1C") == "1C"
    assert standard.strictest("2", "1") == "1"
    assert standard.attribute_type(SC, 0, 0x00080023) == "2C"


def test_retired_sop_class_takes_the_types_of_its_successor() -> None:
    retired_us, us = "1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.6.1"
    assert standard.iod_of(retired_us) == standard.iod_of(us) == "ultrasound-image"
    assert all(standard.iod_of(successor) for successor in standard.SUCCESSORS.values())
    assert all(standard.is_known_sop_class(retired) for retired in standard.SUCCESSORS)


def test_known_sop_classes_without_an_iod_table_are_exactly_the_stated_ones() -> None:
    without = {uid for uid in standard.known_sop_classes() if standard.iod_of(uid) is None}
    assert without == standard.NO_IOD_TABLE
    assert all(standard.attribute_type(uid, 0, 0x00080020) is None for uid in without)


def test_every_storage_sop_class_that_a_receiver_offers_is_known() -> None:
    sop_class = pytest.importorskip("pynetdicom.sop_class")
    assert set(sop_class._STORAGE_CLASSES.values()) <= standard.known_sop_classes()


@pytest.mark.parametrize(
    "uid",
    [
        "1.2.840.10008.1.1",  # Verification
        "1.2.840.10008.1.3.10",  # Media Storage Directory
        "1.2.840.10008.1.20.1",  # Storage Commitment
        "1.2.840.10008.1.2.1",  # a transfer syntax
        "1.3.12.2.1107.5.9.1",  # a vendor's private SOP Class
        "",
    ],
)
def test_anything_else_is_no_known_sop_class(uid: str) -> None:
    assert not standard.is_known_sop_class(uid)


def test_what_is_judged_beside_the_table_has_no_row_in_it() -> None:
    for tag in beyond.REMOVED_BESIDE_THE_TABLE | beyond.UIDS_OF_NO_INSTANCE:
        assert dictionary_has_tag(tag), f"{tag:08X}"
        assert standard.confidentiality_row(tag) is None, f"{tag:08X}"


@pytest.mark.skipif(not SOURCES.is_dir(), reason="the standard's tables as data are not beside this repository")
def test_table_is_generated_again_byte_for_byte() -> None:
    again = generate._lines(generate.confidentiality_table(SOURCES))
    assert again == (TABLES / "confidentiality.json").read_text(encoding="utf-8")


@pytest.mark.skipif(not SOURCES.is_dir(), reason="the standard's tables as data are not beside this repository")
def test_all_tables_are_generated_again_byte_for_byte(tmp_path: Path) -> None:
    arguments = ["--standards", str(SOURCES), "--highdicom", str(highdicom_folder()), "--out", str(tmp_path)]
    generate.main(arguments)
    for made in tmp_path.iterdir():
        assert made.read_bytes() == (TABLES / made.name).read_bytes(), made.name
    assert len(list(tmp_path.iterdir())) == 5


def test_unknown_cell_of_a_source_stops_the_generator() -> None:
    with pytest.raises(KeyError):
        generate._options({"cleanDescriptors": "perhaps"})
    with pytest.raises(KeyError):
        generate._options({"aNewOption": "K"})


@pytest.mark.skipif(not SOURCES.is_dir(), reason="the standard's tables as data are not beside this repository")
def test_private_table_is_generated_again_byte_for_byte() -> None:
    again = generate._lines(generate_private.private_table(SOURCES))
    assert again == (TABLES / "private.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["private.json", "iod_attributes.json"])
def test_table_is_small_and_says_where_it_is_from(name: str) -> None:
    text = (TABLES / name).read_text(encoding="utf-8")
    table = json.loads(text)
    assert len(text.encode("utf-8")) < 1_000_000
    assert table["edition"]
    assert table["sources"]
    assert table["edition"] in (TABLES / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("parent", "tag", "type_"),
    [
        (0, 0x00280010, "1"),  # Rows
        (0, 0x00080070, "2"),  # Manufacturer
        (0, 0x00181210, "3"),  # Convolution Kernel
        (0, 0x60020010, "1"),  # Overlay Rows
        (0x00082218, 0x00080100, "1C"),  # Code Value in Anatomic Region Sequence
        (0, 0x00189087, None),  # Diffusion b-value is of MR
        (0x00082218, 0x00280010, None),
    ],
)
def test_attribute_outside_the_table_is_known_in_its_place(parent: int, tag: int, type_: str | None) -> None:
    assert attribute_outside_the_table(CT, parent, tag) == type_


def test_sop_classes_without_a_full_table_of_attributes_are_few() -> None:
    lacking = {uid for uid in standard.known_sop_classes() if not has_attribute_table(uid)}
    waveform_presentation_states = {"1.2.840.10008.5.1.4.1.1.9.100.1", "1.2.840.10008.5.1.4.1.1.9.100.2"}
    assert lacking == standard.NO_IOD_TABLE | waveform_presentation_states


def test_unknown_cell_of_a_private_list_stops_the_generator(tmp_path: Path) -> None:
    path = tmp_path / "kb.csv"
    head = "element_sig_pattern,tag_name,vr,private_disposition\n"
    path.write_text(head + '"(0019,SIEMENS MR HEADER"",0c)",B Value,IS,perhaps\n', encoding="utf-8")
    with pytest.raises(KeyError):
        generate_private.knowledge_base(path)
    path.write_text(head + '"0019,0c",B Value,IS,k\n', encoding="utf-8")
    with pytest.raises(KeyError):
        generate_private.knowledge_base(path)
