"""The header of every file that is written."""

from __future__ import annotations

from io import BytesIO

import pydicom
import pytest

from deid.elements.file_meta import IMPLEMENTATION_CLASS_UID, part10_header
from deid.encoding.reader import read_part10
from deid.errors import Misconfigured

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


def test_the_header_reads_in_pydicom_and_says_only_what_it_must() -> None:
    header = part10_header(CT, "1.2.3", EXPLICIT)
    meta = pydicom.dcmread(BytesIO(header)).file_meta
    assert meta.FileMetaInformationGroupLength == len(header) - 128 - 4 - 12
    assert [element.keyword for element in meta] == [
        "FileMetaInformationGroupLength",
        "FileMetaInformationVersion",
        "MediaStorageSOPClassUID",
        "MediaStorageSOPInstanceUID",
        "TransferSyntaxUID",
        "ImplementationClassUID",
        "ImplementationVersionName",
    ]
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == (CT, "1.2.3")
    assert (meta.TransferSyntaxUID, meta.FileMetaInformationVersion) == (EXPLICIT, b"\0\1")


def test_the_preamble_is_empty() -> None:
    assert part10_header(CT, "1.2.3", EXPLICIT)[:132] == bytes(128) + b"DICM"


def test_the_application_entities_come_back() -> None:
    meta = read_part10(part10_header(CT, "1.2.3.4", EXPLICIT, "CT_1", "NODE", "ARCHIVE")).meta
    assert (meta.source_ae, meta.sending_ae, meta.receiving_ae) == ("CT_1", "NODE", "ARCHIVE")
    assert (meta.sop_class_uid, meta.sop_instance_uid, meta.transfer_syntax) == (CT, "1.2.3.4", EXPLICIT)


def test_the_implementation_class_uid_is_a_uid() -> None:
    assert pydicom.uid.UID(IMPLEMENTATION_CLASS_UID).is_valid
    assert len(IMPLEMENTATION_CLASS_UID) <= 64


@pytest.mark.parametrize("uid", ["1.2.\u0663", "1." * 40])
def test_what_is_no_uid_is_not_written(uid: str) -> None:
    with pytest.raises(Misconfigured):
        part10_header(CT, uid, EXPLICIT)
