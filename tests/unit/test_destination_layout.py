"""Where instances lie in a folder: names that any file system takes, and never one name for two instances."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.destinations.layout import DEFAULT_LAYOUT, Layout, LayoutError, safe

UID = "1.2.826.0.1.3680043.8.498.1"
TAGS = {0x00100020: "PID-7", 0x0020000D: "1.2.3", 0x0020000E: "1.2.3.4", 0x00080018: UID, 0x00080060: "CT"}
NAME = re.compile(r"[A-Za-z0-9_-]([A-Za-z0-9._-]*[A-Za-z0-9_-])?")


def values(**changes: str) -> Callable[[int], str]:
    known = TAGS | {int(tag.removeprefix("t"), 16): value for tag, value in changes.items()}
    return lambda tag: known.get(tag, "")


def test_the_usual_layout_is_patient_study_series_instance() -> None:
    assert str(Layout(DEFAULT_LAYOUT).path(values())) == f"PID-7/1.2.3/1.2.3.4/{UID}.dcm"


def test_constant_names_and_several_attributes_may_stand_in_one_part() -> None:
    path = Layout("trial/{Modality}_{PatientID}/{SOPInstanceUID}").path(values())
    assert str(path) == f"trial/CT_PID-7/{UID}"


def test_what_is_missing_is_an_underscore() -> None:
    assert str(Layout("{StudyID}/{SOPInstanceUID}").path(values())) == f"_/{UID}"


@pytest.mark.parametrize(
    "value", ["..", ".", "a/b", "../../etc/passwd", "a\\b", "CON", "nul", "Com1.dcm", "a.", "x\0y"]
)
def test_a_value_never_leads_out_of_the_folder_nor_to_a_device(value: str) -> None:
    (first, last) = Layout("{PatientID}/{SOPInstanceUID}").path(values(t00100020=value)).parts
    assert NAME.fullmatch(first)
    assert first.lower() not in {"con", "nul", "com1.dcm"}
    assert last == UID


@given(st.text(), st.text())
def test_two_values_never_become_one_name(one: str, other: str) -> None:
    assert NAME.fullmatch(safe(one).strip(".") or "_")
    assert len(safe(one)) <= 64
    assert (safe(one) == safe(other)) == (one == other) or "" in (one, other)


def test_short_names_are_file_ids_of_a_file_set() -> None:
    path = Layout("DICOM/{PatientID:id}/{StudyInstanceUID:id}/{SeriesInstanceUID:id}/{SOPInstanceUID:id}").path(
        values()
    )
    assert all(re.fullmatch(r"[A-Z0-9]{1,8}", part) for part in path.parts)
    assert len(set(path.parts)) == 5


@pytest.mark.parametrize(
    ("layout", "told"),
    [
        ("{PatientID}.dcm", "needs {SOPInstanceUID}"),
        ("{PatientId}/{SOPInstanceUID}", "did you mean 'PatientID'?"),
        ("{PixelData}/{SOPInstanceUID}", "no short text"),
        ("{PatientID:8}/{SOPInstanceUID}", "':id'"),
        ("/abs/{SOPInstanceUID}", "must be names"),
        ("a b/{SOPInstanceUID}", "must be names"),
        ("{SOPInstanceUID", "must be names"),
        ("/".join(["a"] * 20) + "/{SOPInstanceUID}", "16 parts"),
        ("", "must be names"),
    ],
)
def test_a_layout_that_cannot_be_used_is_told(layout: str, told: str) -> None:
    with pytest.raises(LayoutError) as error:
        Layout(layout)
    assert told in str(error.value)
