"""DIMSE and PDU encoding against pynetdicom's, and against whatever bytes a peer may send."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.dimse_messages import C_ECHO_RQ, C_ECHO_RSP, C_STORE_RQ, C_STORE_RSP
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.dsutils import decode, encode
from pynetdicom.pdu import A_ABORT_RQ, A_RELEASE_RP, A_RELEASE_RQ, P_DATA_TF

from node import dimse
from node.dimse import CommandField, ProtocolError, Tag

CT = "1.2.840.10008.5.1.4.1.1.2"
INSTANCE = "2.25.7"


def pynetdicom_bytes(message: object) -> bytes:
    """Return a command set as pynetdicom encodes it."""
    return encode(message.command_set, is_implicit_vr=True, is_little_endian=True)


def store_primitive() -> C_STORE:
    primitive = C_STORE()
    primitive.AffectedSOPClassUID = CT
    primitive.AffectedSOPInstanceUID = INSTANCE
    return primitive


def test_c_store_rq_equals_pynetdicoms() -> None:
    primitive = store_primitive()
    primitive.MessageID = 7
    primitive.Priority = dimse.Priority.MEDIUM
    primitive.DataSet = BytesIO(b"\0\0")
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    message.command_set.CommandDataSetType = 0x0001
    assert dimse.c_store_rq(7, CT, INSTANCE) == pynetdicom_bytes(message)


def test_c_store_rq_of_a_move_names_its_originator() -> None:
    data_set = decode(BytesIO(dimse.c_store_rq(7, CT, INSTANCE, originator=("MOVER", 9))), True, True)
    assert data_set.MoveOriginatorApplicationEntityTitle == "MOVER"
    assert data_set.MoveOriginatorMessageID == 9


@pytest.mark.parametrize("status", [0x0000, 0xA700, 0xB000, 0xC123])
def test_c_store_rsp_equals_pynetdicoms(status: int) -> None:
    primitive = store_primitive()
    primitive.MessageIDBeingRespondedTo = 65535
    primitive.Status = status
    message = C_STORE_RSP()
    message.primitive_to_message(primitive)
    assert dimse.c_store_rsp(65535, CT, INSTANCE, status) == pynetdicom_bytes(message)


def test_c_echo_rq_and_rsp_equal_pynetdicoms() -> None:
    request, response = C_ECHO(), C_ECHO()
    request.MessageID = 3
    request.AffectedSOPClassUID = response.AffectedSOPClassUID = dimse.VERIFICATION
    response.MessageIDBeingRespondedTo = 3
    response.Status = 0
    rq, rsp = C_ECHO_RQ(), C_ECHO_RSP()
    rq.primitive_to_message(request)
    rsp.primitive_to_message(response)
    assert dimse.c_echo_rq(3) == pynetdicom_bytes(rq)
    assert dimse.c_echo_rsp(3) == pynetdicom_bytes(rsp)


def test_what_is_encoded_is_decoded() -> None:
    command = dimse.decode_command(dimse.c_store_rq(258, CT, INSTANCE, dimse.Priority.HIGH))
    assert dimse.us(command, Tag.COMMAND_FIELD) == CommandField.C_STORE_RQ
    assert dimse.us(command, Tag.MESSAGE_ID) == 258
    assert dimse.us(command, Tag.PRIORITY) == dimse.Priority.HIGH
    assert dimse.uid(command, Tag.AFFECTED_SOP_CLASS_UID) == CT
    assert dimse.uid(command, Tag.AFFECTED_SOP_INSTANCE_UID) == INSTANCE
    assert dimse.has_data_set(command)
    assert not dimse.has_data_set(dimse.decode_command(dimse.c_echo_rq(1)))


def test_uid_that_is_none_is_echoed_byte_for_byte() -> None:
    sent = b"../\xe4\xff" + b"\0"
    text = dimse.uid({Tag.AFFECTED_SOP_INSTANCE_UID: sent}, Tag.AFFECTED_SOP_INSTANCE_UID)
    echoed = dimse.decode_command(dimse.c_store_rsp(1, CT, text, 0xC000))
    assert echoed[Tag.AFFECTED_SOP_INSTANCE_UID] == sent


@given(st.binary(max_size=300))
def test_any_bytes_are_a_command_set_or_a_protocol_error(data: bytes) -> None:
    try:
        command = dimse.decode_command(data)
    except ProtocolError:
        return
    assert sum(len(value) + 8 for value in command.values()) == len(data)


@pytest.mark.parametrize(
    "data",
    [
        dimse.c_echo_rq(1)[:-1],
        dimse.c_echo_rq(1) + b"\0\0\0\1",
        dimse.c_echo_rq(1) * 2,
        b"\0\0\0\1\xff\xff\xff\xff",
        b"\x08\0\x18\0\0\0\0\0",
        bytes(dimse.MAX_COMMAND_BYTES + 8),
    ],
    ids=["cut", "cut header", "duplicates", "endless", "group 0008", "too long"],
)
def test_malformed_command_set_is_a_protocol_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        dimse.decode_command(data)


@pytest.mark.parametrize("command", [{}, {Tag.STATUS: b"\0"}, {Tag.STATUS: b"\0\0\0\0"}])
def test_status_that_is_missing_or_no_us_is_a_protocol_error(command: dict[int, bytes]) -> None:
    with pytest.raises(ProtocolError):
        dimse.us(command, Tag.STATUS)


def test_missing_uid_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError):
        dimse.uid({}, Tag.AFFECTED_SOP_CLASS_UID)


@pytest.mark.parametrize("is_command", [True, False])
@pytest.mark.parametrize("is_last", [True, False])
def test_pdata_header_is_read_by_pynetdicom(is_command: bool, is_last: bool) -> None:
    pdu = P_DATA_TF()
    pdu.decode(dimse.pdata_header(5, is_command, is_last, 4) + b"abcd")
    (item,) = pdu.presentation_data_value_items
    assert item.presentation_context_id == 5
    assert item.presentation_data_value == bytes([is_command + 2 * is_last]) + b"abcd"
    assert pdu.pdu_length == 10


def test_pdvs_of_one_pdu_come_in_order() -> None:
    body = dimse.pdata_header(1, True, True, 2)[6:] + b"ab" + dimse.pdata_header(3, False, False, 3)[6:] + b"cde"
    pdvs = [(context_id, flags, bytes(data)) for context_id, flags, data in dimse.iter_pdvs(body)]
    assert pdvs == [(1, 3, b"ab"), (3, 0, b"cde")]
    assert dimse.is_command(3)
    assert dimse.is_last(3)
    assert not dimse.is_command(0)
    assert not dimse.is_last(0)


def test_reserved_bits_of_the_control_header_are_not_checked() -> None:
    ((_, flags, _),) = dimse.iter_pdvs(b"\0\0\0\2\1\xfd")
    assert flags == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"\0\0\0\2\1", b"\0\0\0\1\1\3", b"\0\0\0\4\1\3a", b"\xff\xff\xff\xff\1\3", b"\0\0\0\2\2\3"],
    ids=["no PDV", "cut header", "too short", "past the end", "4 GiB", "even context"],
)
def test_malformed_pdv_is_a_protocol_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(dimse.iter_pdvs(body))


@given(st.binary(max_size=200))
def test_any_bytes_are_pdvs_or_a_protocol_error(body: bytes) -> None:
    try:
        pdvs = list(dimse.iter_pdvs(body))
    except ProtocolError:
        return
    assert sum(len(data) + 6 for _, _, data in pdvs) == len(body)


def test_pdu_header_gives_type_and_length() -> None:
    assert dimse.pdu_header(dimse.pdata_header(1, True, True, 10)[:6]) == (dimse.PduType.P_DATA, 16)


@pytest.mark.parametrize("header", [b"\4\0\0\0\0", b"\0\0\0\0\0\0", b"\x08\0\0\0\0\0", b"GET / "])
def test_unknown_or_cut_pdu_header_is_a_protocol_error(header: bytes) -> None:
    with pytest.raises(ProtocolError):
        dimse.pdu_header(header)


def test_release_and_abort_are_read_by_pynetdicom() -> None:
    for kind, data in ((A_RELEASE_RQ, dimse.RELEASE_RQ), (A_RELEASE_RP, dimse.RELEASE_RP)):
        assert kind().encode() == data
    abort = A_ABORT_RQ()
    abort.decode(dimse.a_abort(2, 6))
    assert (abort.source, abort.reason_diagnostic) == (2, 6)
