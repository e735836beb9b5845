"""`explain`: each element of a file, what becomes of it, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from deid.context import Context
from deid.encoding.element import Element
from deid.errors import Refused
from deid.keys import Keys
from deid.profile import Profile, load_profile
from node.cli import main
from node.explain import Row, _replacement, explanation, is_known_creator, place_text
from node.settings import shipped_config
from tests.factories import STUDY, ct, mr, pt, to_bytes, us

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"
SOMEBODY = STUDY.patient.patient_id
KEYS = Keys.from_secret(bytes(range(32)))
RESULTS = {
    *("kept", "empty", "emptied", "removed", "dummy", "pseudonym", "shifted", "capped", "mapped", "cleaned"),
    *("rebuilt", "added"),
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of its own: the built-in defaults keep the key in ./var."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var").mkdir(mode=0o700)
    key = tmp_path / "var" / "key"
    key.write_text(bytes(range(32)).hex())
    key.chmod(0o600)
    return tmp_path


@pytest.fixture
def file(place: Path) -> Path:
    path = place / "ct.dcm"
    path.write_bytes(to_bytes(ct(STUDY, 0)))
    return path


def context(profile: str) -> Context:
    return Context(load_profile(shipped_config() / "profiles" / f"{profile}.toml"), KEYS)


def rows(ds: Dataset, profile: str = "longitudinal") -> list[Row]:
    return list(explanation(to_bytes(ds), context(profile)).rows)


def by_place(ds: Dataset, profile: str = "longitudinal") -> dict[str, Row]:
    found = rows(ds, profile)
    named = {row.place: row for row in found}
    assert len(named) == len(found)
    return named


def as_json(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    main(["explain", *words, "--json"])
    return json.loads(capsys.readouterr().out)


def test_every_element_has_tag_vr_action_result_source_and_keyword(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", str(file), "--profile", "longitudinal"]) == 0
    said = capsys.readouterr().out
    found = {line.split()[-1]: line.split() for line in said.splitlines() if line}
    assert found["PatientName"][:5] == ["(0010,0010)", "PN", "Z", "pseudonym", "E.1-1"]
    assert found["PatientBirthDate"][2:4] == ["Z", "emptied"]
    assert found["StudyDate"][2:4] == ["C", "shifted"]
    assert "retain_long_modified_dates" in found["StudyDate"]
    assert found["StudyTime"][2:4] == ["C", "kept"]
    assert found["StudyInstanceUID"][2:4] == ["U", "mapped"]
    assert found["Rows"][2:4] == ["K", "kept"]
    assert found["PatientIdentityRemoved"][2:4] == ["+", "added"]
    assert found["DeidentificationMethodCodeSequence"][2:4] == ["+", "added"]


def test_the_character_set_that_the_profile_asks_for_is_said_to_be_added_or_another() -> None:
    profile = Profile.from_options("test", [], {"ImageComments": "K"}, character_set="utf-8")
    ds = ct(STUDY, 0)
    ds.SpecificCharacterSet, ds.ImageComments = "ISO_IR 100", "Schädel"
    found = {row.place: row for row in explanation(to_bytes(ds), Context(profile, KEYS)).rows}
    declared, text = found["(0008,0005)"], found["(0020,4000)"]
    assert (declared.action, declared.result, declared.source) == ("K", "rebuilt", "character_set utf-8")
    assert (declared.before, declared.after) == ("ISO_IR 100", "ISO_IR 192")
    assert (text.result, text.before, text.after) == ("rebuilt", "Schädel", "Schädel")

    data = to_bytes(ds).replace(b"\x08\0\x05\0CS\x0a\0ISO_IR 100", b"").replace(b"Sch\xe4del", "Schöde".encode())
    added = next(row for row in explanation(data, Context(profile, KEYS)).rows if row.place == "(0008,0005)")
    assert (added.result, added.source, added.after) == ("added", "character_set utf-8", "ISO_IR 192")


def test_columns_begin_where_their_names_do(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["explain", str(file), "--profile", "longitudinal"])
    _, _, _, header, *lines = capsys.readouterr().out.splitlines()
    columns = [header.index(name) for name in ("VR", "action", "result", "source", "attribute")]
    elements = [line for line in lines[:-2] if not line.lstrip().startswith("item")]
    assert len(elements) > 100
    for line in elements:
        assert all(line[at - 1] == " " != line[at] for at in columns)


def test_the_first_lines_say_profile_and_kind_and_the_last_counts(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["explain", str(file), "--profile", "longitudinal"])
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("profile longitudinal: PS3.15 ")
    assert said[1] == "CT Image Storage, Explicit VR Little Endian"
    counts = {word: int(number) for number, word in (part.split() for part in said[-1].split(", "))}
    assert counts.keys() <= RESULTS
    assert sum(counts.values()) == len(rows(ct(STUDY, 0)))


def test_output_is_plain(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["explain", str(file), "--values"])
    assert all(character.isprintable() or character == "\n" for character in capsys.readouterr().out)


def test_no_value_is_shown_unless_asked(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for more in ([], ["--json"]):
        main(["explain", str(file), *more])
        assert SOMEBODY not in capsys.readouterr().out
        main(["explain", str(file), "--values", *more])
        assert SOMEBODY in capsys.readouterr().out


def test_every_element_of_the_source_is_explained_at_every_depth() -> None:
    ds = ct(STUDY, 0)
    explained = set(by_place(ds))
    source = set(paths(pydicom.dcmread(pydicom.filebase.DicomBytesIO(to_bytes(ds))), ()))
    assert any(".(" in path for path in source)
    assert source <= explained


def paths(ds: Dataset, around: tuple[str, ...]) -> Iterator[str]:
    for element in ds:
        tag = f"({element.tag.group:04X},{element.tag.element:04X})"
        yield ".".join((*around, tag))
        if element.VR == "SQ":
            for number, item in enumerate(element.value, start=1):
                yield from paths(item, (*around, f"{tag}[{number}]"))


def test_what_is_inside_a_removed_sequence_goes_with_it() -> None:
    ds = ct(STUDY, 0)
    item = Dataset()
    item.PersonName = "Nobody"
    ds.RequestAttributesSequence = Sequence([item])
    found = by_place(ds, "basic")
    outer, inner = found["(0040,0275)"], found["(0040,0275)[1].(0040,A123)"]
    assert (outer.action, outer.result) == ("X", "removed")
    assert (inner.action, inner.result, inner.source) == ("-", "removed", "with (0040,0275)")


def test_items_are_told_apart(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ds = ct(STUDY, 0)
    items = []
    for number in range(3):
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = ds.SOPClassUID, f"1.2.{number}"
        items.append(item)
    ds.ReferencedImageSequence = Sequence(items)
    (place / "x").write_bytes(to_bytes(ds))
    main(["explain", "x", "--profile", "longitudinal"])
    said = [line.strip() for line in capsys.readouterr().out.splitlines()]
    first = next(at for at, line in enumerate(said) if line.endswith("ReferencedImageSequence"))
    assert [line.split()[0] for line in said[first + 1 : first + 9]] == [
        *("(0008,1150)", "(0008,1155)"),
        *("item", "(0008,1150)", "(0008,1155)"),
        *("item", "(0008,1150)", "(0008,1155)"),
    ]
    assert "(0008,1140)[3].(0008,1155)" in by_place(ds)


def test_an_item_is_announced_once_although_a_sequence_lies_in_it(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ds = ct(STUDY, 0)
    items = []
    for _ in range(2):
        inner, outer = Dataset(), Dataset()
        inner.CodeMeaning = "Head"
        outer.AnatomicRegionSequence = Sequence([inner])
        outer.FrameType = "ORIGINAL"
        outer.PixelSpacing = [1, 1]
        items.append(outer)
    ds.SharedFunctionalGroupsSequence = Sequence(items)
    (place / "x").write_bytes(to_bytes(ds))
    main(["explain", "x", "--profile", "longitudinal"])
    said = capsys.readouterr().out.split("SharedFunctionalGroupsSequence")[1]
    assert said.count("item 2") == 1


def test_marks_of_an_earlier_node_are_shown_as_replaced_not_as_kept() -> None:
    ds = ct(STUDY, 0)
    ds.PatientIdentityRemoved = "YES"
    code = Dataset()
    code.CodeValue = "113100"
    ds.DeidentificationMethodCodeSequence = Sequence([code])
    found = by_place(ds)
    assert found["(0012,0062)"].result == found["(0012,0064)"].result == "added"
    assert found["(0012,0064)[1].(0008,0100)"].result == "removed"


@pytest.mark.parametrize(
    ("keyword", "value", "profile", "result"),
    [
        ("PatientAge", "093Y", "tcia-header", "capped"),
        ("PatientAge", "045Y", "tcia-header", "kept"),
        ("StudyDate", "20240229", "longitudinal", "shifted"),
        ("StudyDate", "", "longitudinal", "empty"),
        ("StudyDate", "20240229", "basic", "emptied"),
        ("AccessionNumber", "", "basic", "empty"),
        ("AccessionNumber", "A-1", "basic", "emptied"),
        ("SeriesDescription", "Chest", "basic", "removed"),
        ("FrameOfReferenceUID", "1.2.3.4", "basic", "mapped"),
        ("DeviceUID", "", "basic", "empty"),
        ("PatientID", "P1", "basic", "pseudonym"),
        ("ContentCreatorName", "Nobody", "basic", "emptied"),
        ("SourcePatientGroupIdentificationSequence", [], "basic", "empty"),
    ],
)
def test_what_became_of_a_value_is_told_in_one_word(keyword: str, value: object, profile: str, result: str) -> None:
    ds = ct(STUDY, 0)
    setattr(ds, keyword, value)
    assert next(row for row in rows(ds, profile) if row.keyword == keyword).result == result


def test_a_dummy_is_called_so() -> None:
    ds = ct(STUDY, 0)
    ds.ClinicalTrialProtocolID = "TRIAL-7"
    assert {row.keyword: row.result for row in rows(ds, "basic")}["ClinicalTrialProtocolID"] == "dummy"


@pytest.mark.parametrize(
    ("vr", "value", "action", "result"),
    [
        ("DA", b"20230101", "C", "shifted"),
        ("UT", b"No abnormality", "C", "cleaned"),
        ("UI", b"2.25.7", "C", "mapped"),
        ("UI", b"2.25.7", "D", "mapped"),
        ("UT", b"REMOVED ", "C", "dummy"),
        ("SH", b"NEW-7", "D", "mapped"),
        ("OW", b"\1\0", "K", "rebuilt"),
    ],
)
def test_a_value_inside_a_sequence_is_named_by_what_was_done_to_the_sequence(
    vr: str, value: bytes, action: str, result: str
) -> None:
    assert _replacement(Element(0x0040_A160, vr, value), action) == result


@pytest.mark.parametrize("make", [ct, mr, pt, us])
@pytest.mark.parametrize("profile", ["basic", "longitudinal", "tcia-header", "strict"])
def test_every_result_is_one_of_the_words(make: Any, profile: str) -> None:
    found = rows(make(STUDY, 0), profile)
    assert {row.result for row in found} <= RESULTS
    assert all((row.source and row.source != "unknown") or row.keyword == "unknown" for row in found)


# Private elements


def test_a_private_element_is_named_with_its_creator(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ds = mr(STUDY, 0)
    block = ds.private_block(0x0051, "SIEMENS MR HEADER", create=True)
    block.add_new(0x08, "CS", "IMAGE NUM 4")
    block.add_new(0x0C, "LO", "FoV 230*230")
    (place / "x").write_bytes(to_bytes(ds))
    main(["explain", "x", "--profile", "tcia-header"])
    said = capsys.readouterr().out
    line = next(
        line for line in said.splitlines() if 'private "SIEMENS MR HEADER"' in line and "PrivateCreator" not in line
    )
    assert "TCIA KB" in line
    found = [each for each in as_json(capsys, "x", "--profile", "tcia-header")["elements"] if "creator" in each]
    assert {each["creator"] for each in found} >= {"SIEMENS MR HEADER"}


def test_a_creator_that_nobody_knows_is_a_value(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ds = ct(STUDY, 0)
    ds.private_block(0x0091, SOMEBODY, create=True).add_new(0x01, "LO", "x")
    (place / "x").write_bytes(to_bytes(ds))
    main(["explain", "x"])
    said = capsys.readouterr().out
    assert "private, unknown creator" in said
    assert SOMEBODY not in said
    assert SOMEBODY not in json.dumps(as_json(capsys, "x"))
    main(["explain", "x", "--values"])
    assert f'private "{SOMEBODY}"' in capsys.readouterr().out


def test_an_element_without_creator_says_so(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ds = ct(STUDY, 0)
    ds.add_new(0x0091_1001, "LO", "x")
    (place / "x").write_bytes(to_bytes(ds))
    main(["explain", "x", "--profile", "tcia-header"])
    line = next(line for line in capsys.readouterr().out.splitlines() if "(0091,1001)" in line)
    assert "private, without creator" in line
    assert "removed" in line


def test_a_sequence_that_came_as_un_is_explained_item_by_item() -> None:
    ds = ct(STUDY, 0)
    nested = b"\xfe\xff\x00\xe0\x10\x00\x00\x00" + b"\x08\x00\x16\x00\x08\x00\x00\x00" + b"1.2.840\0"
    block = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0A, "UN", nested)
    named = by_place(ds, "tcia-header")
    place = f"(0019,{block.get_tag(0x0A).element:04X})"
    assert f"{place}[1].(0008,0016)" in named
    assert named["(7FE0,0010)"].result == "kept"


def test_creators_of_lists_and_dictionaries_are_known_in_any_case() -> None:
    assert is_known_creator("SIEMENS MR HEADER")
    assert is_known_creator("siemens mr header")
    assert not is_known_creator("Brackenridge^Odalys")


def test_a_path_names_sequences_with_item_numbers() -> None:
    assert place_text((0x0040_0275, 0x0040_0007), (2,)) == "(0040,0275)[2].(0040,0007)"


# Refusals and errors


FACES = 'text = "rules"\noptions = ["clean_recognizable_visual_features"]\n'


def test_what_needs_its_series_says_so_and_all_else(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file.parent / "own.toml").write_text(FACES)
    assert main(["explain", str(file), "--profile", "own.toml"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[2].startswith("series needed: ")
    assert any("(0010,0010)" in line and "pseudonym" in line for line in said)
    assert as_json(capsys, str(file), "--profile", "own.toml")["needs_series"] is True


def test_what_cannot_show_a_face_needs_no_series(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "own.toml").write_text(FACES)
    (place / "us.dcm").write_bytes(to_bytes(us(STUDY, 0)))
    assert main(["explain", "us.dcm", "--profile", "own.toml"]) == 0
    assert "series needed" not in capsys.readouterr().out
    assert as_json(capsys, "us.dcm", "--profile", "own.toml")["needs_series"] is False


def test_a_refused_instance_says_the_reason_and_where(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file.parent / "own.toml").write_text(FACES)
    ds = ct(STUDY, 0)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.13.1.1"  # X-Ray 3D Angiographic
    file.write_bytes(to_bytes(ds))
    assert main(["explain", str(file), "--profile", "own.toml"]) == 1
    captured = capsys.readouterr()
    said = captured.out.splitlines()
    assert said[0] == "refused\tstep-unavailable: faces"
    assert "(7FE0,0010) PixelData" in said[1]
    assert said[2].endswith("at (7FE0,0010)")
    assert captured.err == ""


def test_a_refusal_names_each_place_of_the_attribute(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ds = ct(STUDY, 0)
    items = []
    for _ in range(7):
        item = Dataset()
        item.PurposeOfReferenceCodeSequence = Sequence([Dataset()])
        items.append(item)
    ds.ReferencedImageSequence = Sequence(items)
    profile = place / "own.toml"
    profile.write_text('text = "rules"\n[overrides]\nPurposeOfReferenceCodeSequence = "C"\n')
    (place / "x").write_bytes(to_bytes(ds))
    assert main(["explain", "x", "--profile", str(profile)]) == 1
    said = capsys.readouterr().out
    assert "(0040,A170) PurposeOfReferenceCodeSequence" in said
    assert "at (0008,1140)[1].(0040,A170)" in said
    assert "and 2 more places" in said
    refused = as_json(capsys, "x", "--profile", str(profile))["refused"]
    assert refused["reason"] == "step-unavailable"
    assert len(refused["attributes"][0]["places"]) == 7


def test_a_broken_file_is_refused_with_its_tag(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = to_bytes(ct(STUDY, 0))
    (place / "short").write_bytes(whole[: len(whole) // 2])
    assert main(["explain", "short"]) == 1
    assert capsys.readouterr().out.startswith("refused\ttruncated: (7FE0,0010)")
    assert as_json(capsys, "short")["refused"]["attributes"] == [
        {"tag": "(7FE0,0010)", "keyword": "PixelData", "places": []}
    ]


@pytest.mark.parametrize("content", [b"", b"no instance", bytes(200)])
def test_what_is_no_instance_is_refused(place: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "x").write_bytes(content)
    assert main(["explain", "x"]) == 1
    assert capsys.readouterr().out.startswith("refused\tnot-dicom")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["nowhere.dcm"], 2, "there is no file nowhere.dcm; name one that is there"),
        (["."], 2, ". is a folder; name a file"),
        (["ct.dcm", "--profile", "lax"], 2, "no profile is called 'lax'; there are basic, longitudinal,"),
        (["ct.dcm", "--profile", "./lax.toml"], 2, "there is no profile lax.toml"),
        (["ct.dcm", "--config", "none.toml"], 2, "none.toml"),
    ],
)
def test_what_is_wrong_is_one_line_on_stderr(
    file: Path, words: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", *words]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("deid-node: ")
    assert told in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not there")
@pytest.mark.parametrize("profile", ["longitudinal", "tcia-header"])
def test_every_file_of_the_corpus_is_explained_or_refused(profile: str) -> None:
    explained = 0
    how = context(profile)
    for path in sorted(path for path in CORPUS.rglob("*") if path.is_file()):
        try:
            found = explanation(path.read_bytes(), how)
        except Refused:
            continue
        assert {row.result for row in found.rows} <= RESULTS, path.name
        assert len({row.place for row in found.rows}) == len(found.rows), path.name
        unsaid = [row.place for row in found.rows if row.action == "K" and row.result == "removed"]
        assert all(place.startswith("(60") for place in unsaid), path.name
        explained += 1
    assert explained > 400
