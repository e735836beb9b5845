"""Messages of storage commitment against pynetdicom's and pydicom's, and against whatever bytes a peer may send."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pynetdicom.dimse_messages import N_ACTION_RQ, N_ACTION_RSP, N_EVENT_REPORT_RQ, N_EVENT_REPORT_RSP
from pynetdicom.dimse_primitives import N_ACTION, N_EVENT_REPORT
from pynetdicom.dsutils import encode

from node import dimse
from node.commitment.messages import (
    EXPLICIT,
    IMPLICIT,
    SOP_CLASS,
    SOP_INSTANCE,
    TRANSFER_SYNTAXES,
    EventType,
    Failure,
    FailureReason,
    NotUnderstood,
    Reference,
    Report,
    Request,
    decode_report,
    decode_request,
    encode_report,
    encode_request,
)

CT = "1.2.840.10008.5.1.4.1.1.2"

uids = st.lists(st.integers(0, 10**9), min_size=1, max_size=6).map(lambda parts: ".".join(map(str, parts)))
references = st.builds(Reference, uids, uids)
requests = st.builds(Request, uids, st.lists(references, min_size=1, max_size=5).map(tuple))
failures = st.builds(Failure, references, st.integers(0, 0xFFFF))
reports = st.builds(
    Report, uids, st.lists(references, max_size=5).map(tuple), st.lists(failures, max_size=5).map(tuple)
)
syntaxes = st.sampled_from(TRANSFER_SYNTAXES)


def pynetdicom_bytes(message: Any, primitive: Any) -> bytes:
    """Return a command set as pynetdicom encodes it."""
    message.primitive_to_message(primitive)
    if "_RQ" in type(message).__name__:
        message.command_set.CommandDataSetType = 0x0001
    return encode(message.command_set, is_implicit_vr=True, is_little_endian=True)


def test_n_action_rq_equals_pynetdicoms() -> None:
    primitive = N_ACTION()
    primitive.MessageID = 7
    primitive.RequestedSOPClassUID, primitive.RequestedSOPInstanceUID = SOP_CLASS, SOP_INSTANCE
    primitive.ActionTypeID = 1
    primitive.ActionInformation = BytesIO(b"\0\0")
    assert dimse.n_action_rq(7, SOP_CLASS, SOP_INSTANCE, 1) == pynetdicom_bytes(N_ACTION_RQ(), primitive)


@pytest.mark.parametrize("status", [0x0000, 0x0112, 0x0213])
def test_n_action_rsp_equals_pynetdicoms(status: int) -> None:
    primitive = N_ACTION()
    primitive.MessageIDBeingRespondedTo = 65535
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = SOP_CLASS, SOP_INSTANCE
    primitive.ActionTypeID = 1
    primitive.Status = status
    expected = pynetdicom_bytes(N_ACTION_RSP(), primitive)
    assert dimse.n_action_rsp(65535, SOP_CLASS, SOP_INSTANCE, 1, status) == expected


def test_n_event_report_rq_equals_pynetdicoms() -> None:
    primitive = N_EVENT_REPORT()
    primitive.MessageID = 9
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = SOP_CLASS, SOP_INSTANCE
    primitive.EventTypeID = 2
    primitive.EventInformation = BytesIO(b"\0\0")
    assert dimse.n_event_report_rq(9, SOP_CLASS, SOP_INSTANCE, 2) == pynetdicom_bytes(N_EVENT_REPORT_RQ(), primitive)


def test_n_event_report_rsp_equals_pynetdicoms() -> None:
    primitive = N_EVENT_REPORT()
    primitive.MessageIDBeingRespondedTo = 1
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = SOP_CLASS, SOP_INSTANCE
    primitive.EventTypeID = 1
    primitive.Status = 0
    expected = pynetdicom_bytes(N_EVENT_REPORT_RSP(), primitive)
    assert dimse.n_event_report_rsp(1, SOP_CLASS, SOP_INSTANCE, 1, 0) == expected


@given(requests, syntaxes)
def test_a_request_survives_its_encoding(request: Request, syntax: str) -> None:
    assert decode_request(encode_request(request, syntax), syntax) == request


@given(reports, syntaxes)
def test_a_report_survives_its_encoding(report: Report, syntax: str) -> None:
    assert decode_report(encode_report(report, syntax), syntax) == report


@given(reports, syntaxes)
def test_a_report_is_what_pydicom_reads(report: Report, syntax: str) -> None:
    read = read_dataset(BytesIO(encode_report(report, syntax)), syntax == IMPLICIT, True)
    assert read.TransactionUID == report.transaction_uid
    committed = [(each.ReferencedSOPClassUID, each.ReferencedSOPInstanceUID) for each in _items(read, 0x00081199)]
    assert committed == list(report.committed)
    failed = [
        ((each.ReferencedSOPClassUID, each.ReferencedSOPInstanceUID), each.FailureReason)
        for each in _items(read, 0x00081198)
    ]
    assert failed == list(report.failed)


def _items(data_set: Dataset, tag: int) -> list[Dataset]:
    return list(data_set[tag].value) if tag in data_set else []


def test_the_event_type_says_whether_there_are_failures() -> None:
    reference = Reference(CT, "1.2.3")
    assert Report("1.2", (reference,)).event_type is EventType.SUCCESSFUL
    failed = Failure(reference, FailureReason.NO_SUCH_INSTANCE)
    assert Report("1.2", (), (failed,)).event_type is EventType.FAILURES_EXIST


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES)
def test_what_pydicom_writes_is_read_with_other_attributes_passed_over(syntax: str) -> None:
    item, data_set = Dataset(), Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, "1.2.3"
    item.RetrieveAETitle = "ELSEWHERE"
    data_set.TransactionUID = "2.25.1"
    data_set.StorageMediaFileSetID = "TAPE"
    data_set.ReferencedSOPSequence = [item]
    data = encode(data_set, is_implicit_vr=syntax == IMPLICIT, is_little_endian=True)
    assert decode_request(data, syntax) == Request("2.25.1", (Reference(CT, "1.2.3"),))


@pytest.mark.parametrize(
    ("transaction", "references_"),
    [("", (Reference(CT, "1.2"),)), ("name", (Reference(CT, "1.2"),)), ("1.2", ()), ("1.2", (Reference(CT, "x"),))],
)
def test_a_request_without_transaction_instances_or_uids_is_not_understood(
    transaction: str, references_: tuple[Reference, ...]
) -> None:
    data = encode_request(Request(transaction, references_), EXPLICIT)
    with pytest.raises(NotUnderstood):
        decode_request(data, EXPLICIT)


def test_a_failure_without_a_reason_is_a_processing_failure() -> None:
    item, data_set = Dataset(), Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, "1.2.3"
    data_set.TransactionUID = "2.25.1"
    data_set.FailedSOPSequence = [item]
    report = decode_report(encode(data_set, is_implicit_vr=True, is_little_endian=True), IMPLICIT)
    assert report.failed == (Failure(Reference(CT, "1.2.3"), 0x0110),)


@given(st.binary(max_size=300), syntaxes)
def test_any_bytes_are_read_or_not_understood(data: bytes, syntax: str) -> None:
    for decode in (decode_request, decode_report):
        try:
            decode(data, syntax)
        except NotUnderstood:
            continue


@given(requests, syntaxes, st.data())
def test_a_cut_or_changed_request_is_read_or_not_understood(request: Request, syntax: str, data: st.DataObject) -> None:
    encoded = bytearray(encode_request(request, syntax))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    for broken in (bytes(encoded), bytes(encoded[:at])):
        try:
            decode_request(broken, syntax)
        except NotUnderstood:
            continue
