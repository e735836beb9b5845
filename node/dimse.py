"""DIMSE command sets and the PDUs that carry them, as pure functions over bytes.

Command sets are always Implicit VR Little Endian (PS3.7 Section 6.3.1); PDUs are big endian (PS3.8 Section 9.3).
Nothing here reads a socket or allocates by a length that a peer claims: what is malformed raises `ProtocolError`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from enum import IntEnum

from node.errors import Transient

MAX_COMMAND_BYTES = 16 * 1024
"""The longest command set that is decoded; real ones stay below 1 KiB."""

PDU_HEADER_BYTES = 6
PDV_HEADER_BYTES = 6
"""Length, context ID and message control header: what a PDV adds to its fragment inside the PDU's length."""

VERIFICATION = "1.2.840.10008.1.1"

_ELEMENT = struct.Struct("<HHI")
_PDV = struct.Struct(">IBB")
_PDU = struct.Struct(">BBI")
_PDATA = struct.Struct(">BBIIBB")
_US = struct.Struct("<HHIH")
_US_VALUE = struct.Struct("<H")
_UL = struct.Struct("<HHII")

_NO_DATA_SET = 0x0101
_HAS_DATA_SET = 0x0001
_COMMAND_BIT = 0x01
_LAST_BIT = 0x02
_FLAGS = _COMMAND_BIT | _LAST_BIT


class ProtocolError(Transient):
    """The peer sent what PS3.7 or PS3.8 does not allow; the association is to be aborted."""


class PduType(IntEnum):
    """PDU types (PS3.8 Section 9.3.1)."""

    ASSOCIATE_RQ = 0x01
    ASSOCIATE_AC = 0x02
    ASSOCIATE_RJ = 0x03
    P_DATA = 0x04
    RELEASE_RQ = 0x05
    RELEASE_RP = 0x06
    ABORT = 0x07


class Tag(IntEnum):
    """Elements of a command set that C-STORE, C-ECHO, N-ACTION and N-EVENT-REPORT use (PS3.7 Section E.1)."""

    GROUP_LENGTH = 0x00000000
    AFFECTED_SOP_CLASS_UID = 0x00000002
    REQUESTED_SOP_CLASS_UID = 0x00000003
    COMMAND_FIELD = 0x00000100
    MESSAGE_ID = 0x00000110
    MESSAGE_ID_RESPONDED_TO = 0x00000120
    PRIORITY = 0x00000700
    DATA_SET_TYPE = 0x00000800
    STATUS = 0x00000900
    AFFECTED_SOP_INSTANCE_UID = 0x00001000
    REQUESTED_SOP_INSTANCE_UID = 0x00001001
    EVENT_TYPE_ID = 0x00001002
    ACTION_TYPE_ID = 0x00001008
    MOVE_ORIGINATOR_AE = 0x00001030
    MOVE_ORIGINATOR_MESSAGE_ID = 0x00001031


class CommandField(IntEnum):
    """Values of Command Field (0000,0100), PS3.7 Section E.1."""

    C_STORE_RQ = 0x0001
    C_STORE_RSP = 0x8001
    C_ECHO_RQ = 0x0030
    C_ECHO_RSP = 0x8030
    C_CANCEL_RQ = 0x0FFF
    N_EVENT_REPORT_RQ = 0x0100
    N_EVENT_REPORT_RSP = 0x8100
    N_ACTION_RQ = 0x0130
    N_ACTION_RSP = 0x8130


class Priority(IntEnum):
    """Values of Priority (0000,0700)."""

    MEDIUM = 0x0000
    HIGH = 0x0001
    LOW = 0x0002


Command = Mapping[int, bytes]
"""A decoded command set: encoded values by tag."""

RELEASE_RQ = bytes.fromhex("05 00 00000004 00000000")
RELEASE_RP = bytes.fromhex("06 00 00000004 00000000")


def a_abort(source: int = 0, reason: int = 0) -> bytes:
    """Return an A-ABORT PDU (PS3.8 Table 9-26): `source` 0 is the service user, 2 the provider with its `reason`."""
    return struct.pack(">BBIBBBB", PduType.ABORT, 0, 4, 0, 0, source, reason)


def pdu_header(header: bytes | bytearray | memoryview) -> tuple[int, int]:
    """Return type and length of a PDU from its first six bytes.

    Raises
    ------
    ProtocolError
        for fewer bytes, or a type that PS3.8 Section 9.3.1 does not know
    """
    if len(header) < PDU_HEADER_BYTES:
        raise ProtocolError("PDU header is shorter than 6 bytes")
    kind, _, length = _PDU.unpack_from(header)
    if not PduType.ASSOCIATE_RQ <= kind <= PduType.ABORT:
        raise ProtocolError(f"unknown PDU type {kind:#04x}")
    return kind, length


def pdata_header(context_id: int, is_command: bool, is_last: bool, length: int) -> bytes:  # noqa: FBT001
    """Return the 12 bytes before a fragment of `length` bytes that is alone in its P-DATA-TF PDU."""
    flags = (_COMMAND_BIT if is_command else 0) | (_LAST_BIT if is_last else 0)
    return _PDATA.pack(PduType.P_DATA, 0, length + PDV_HEADER_BYTES, length + 2, context_id, flags)


def iter_pdvs(pdu_body: bytes | bytearray | memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Yield (context ID, flags, fragment) of every PDV in the body of a P-DATA-TF PDU.

    Bit 0 of the flags says command, bit 1 last fragment; see `is_command` and `is_last`. Fragments are views of
    `pdu_body`: a caller that reuses its buffer copies them first.

    Raises
    ------
    ProtocolError
        for a body without a PDV, a PDV that ends outside the body, or an even context ID
    """
    body = memoryview(pdu_body)
    end = len(body)
    if not end:
        raise ProtocolError("P-DATA-TF without a PDV")
    at = 0
    while at < end:
        if end - at < PDV_HEADER_BYTES:
            raise ProtocolError("PDV header is cut short")
        length, context_id, flags = _PDV.unpack_from(body, at)
        stop = at + 4 + length
        if length < 2 or stop > end:
            raise ProtocolError(f"PDV of {length} bytes does not fit its PDU")
        if not context_id & 1:
            raise ProtocolError(f"presentation context ID {context_id} is even")
        # PS3.8 Section E.2: bits 2 to 7 are never checked by the receiver.
        yield context_id, flags & _FLAGS, body[at + PDV_HEADER_BYTES : stop]
        at = stop


def is_command(flags: int) -> bool:
    """Say whether a PDV with these flags carries a piece of a command set."""
    return bool(flags & _COMMAND_BIT)


def is_last(flags: int) -> bool:
    """Say whether a PDV with these flags is the last one of its command set or data set."""
    return bool(flags & _LAST_BIT)


def decode_command(data: bytes | bytearray | memoryview) -> dict[int, bytes]:
    """Return the values of a command set by tag.

    Raises
    ------
    ProtocolError
        for more than `MAX_COMMAND_BYTES`, a length past the end, an element outside group 0000, or a duplicate
    """
    end = len(data)
    if end > MAX_COMMAND_BYTES:
        raise ProtocolError(f"command set is longer than {MAX_COMMAND_BYTES} bytes")
    raw = bytes(data)
    values: dict[int, bytes] = {}
    at = 0
    while at < end:
        if end - at < 8:
            raise ProtocolError("command set is cut short")
        group, element, length = _ELEMENT.unpack_from(raw, at)
        at += 8
        if group or element in values or length > end - at:
            raise ProtocolError(f"command element ({group:04x},{element:04x}) is malformed")
        values[element] = raw[at : at + length]
        at += length
    return values


def us(command: Command, tag: int) -> int:
    """Return the value of an element of VR US.

    Raises
    ------
    ProtocolError
        if it is absent or not two bytes long
    """
    value = command.get(tag)
    if value is None or len(value) != 2:
        raise ProtocolError(f"command element (0000,{tag:04x}) is missing or not two bytes")
    number: int = _US_VALUE.unpack(value)[0]
    return number


def uid(command: Command, tag: int) -> str:
    """Return the value of an element of VR UI without its padding; whether it *is* a UID is the caller's question.

    Raises
    ------
    ProtocolError
        if the element is absent
    """
    value = command.get(tag)
    if value is None:
        raise ProtocolError(f"command element (0000,{tag:04x}) is missing")
    return value.rstrip(b"\0 ").decode("latin-1")


def has_data_set(command: Command) -> bool:
    """Say whether a data set follows the command (Command Data Set Type is not 0101H)."""
    return us(command, Tag.DATA_SET_TYPE) != _NO_DATA_SET


def c_store_rq(
    message_id: int,
    class_uid: str,
    instance_uid: str,
    priority: int = Priority.MEDIUM,
    originator: tuple[str, int] | None = None,
) -> bytes:
    """Return a C-STORE-RQ (PS3.7 Table 9.3-1); `originator` is the AE title and Message ID of a C-MOVE."""
    elements = [
        _ui(Tag.AFFECTED_SOP_CLASS_UID, class_uid),
        _us(Tag.COMMAND_FIELD, CommandField.C_STORE_RQ),
        _us(Tag.MESSAGE_ID, message_id),
        _us(Tag.PRIORITY, priority),
        _us(Tag.DATA_SET_TYPE, _HAS_DATA_SET),
        _ui(Tag.AFFECTED_SOP_INSTANCE_UID, instance_uid),
    ]
    if originator:
        elements.append(_text(Tag.MOVE_ORIGINATOR_AE, originator[0]))
        elements.append(_us(Tag.MOVE_ORIGINATOR_MESSAGE_ID, originator[1]))
    return _command_set(elements)


def c_store_rsp(message_id: int, class_uid: str, instance_uid: str, status: int) -> bytes:
    """Return the C-STORE-RSP (PS3.7 Table 9.3-2) to the request with this Message ID."""
    return _command_set([
        _ui(Tag.AFFECTED_SOP_CLASS_UID, class_uid),
        _us(Tag.COMMAND_FIELD, CommandField.C_STORE_RSP),
        _us(Tag.MESSAGE_ID_RESPONDED_TO, message_id),
        _us(Tag.DATA_SET_TYPE, _NO_DATA_SET),
        _us(Tag.STATUS, status),
        _ui(Tag.AFFECTED_SOP_INSTANCE_UID, instance_uid),
    ])  # fmt: skip


def c_echo_rq(message_id: int) -> bytes:
    """Return a C-ECHO-RQ (PS3.7 Table 9.3-12)."""
    return _command_set([
        _ui(Tag.AFFECTED_SOP_CLASS_UID, VERIFICATION),
        _us(Tag.COMMAND_FIELD, CommandField.C_ECHO_RQ),
        _us(Tag.MESSAGE_ID, message_id),
        _us(Tag.DATA_SET_TYPE, _NO_DATA_SET),
    ])  # fmt: skip


def c_echo_rsp(message_id: int, status: int = 0) -> bytes:
    """Return the C-ECHO-RSP (PS3.7 Table 9.3-13) to the request with this Message ID."""
    return _command_set([
        _ui(Tag.AFFECTED_SOP_CLASS_UID, VERIFICATION),
        _us(Tag.COMMAND_FIELD, CommandField.C_ECHO_RSP),
        _us(Tag.MESSAGE_ID_RESPONDED_TO, message_id),
        _us(Tag.DATA_SET_TYPE, _NO_DATA_SET),
        _us(Tag.STATUS, status),
    ])  # fmt: skip


def n_action_rq(message_id: int, class_uid: str, instance_uid: str, action_type: int) -> bytes:
    """Return an N-ACTION-RQ (PS3.7 Table 10.3-7) that a data set follows."""
    return _command_set([
        _ui(Tag.REQUESTED_SOP_CLASS_UID, class_uid),
        _us(Tag.COMMAND_FIELD, CommandField.N_ACTION_RQ),
        _us(Tag.MESSAGE_ID, message_id),
        _us(Tag.DATA_SET_TYPE, _HAS_DATA_SET),
        _ui(Tag.REQUESTED_SOP_INSTANCE_UID, instance_uid),
        _us(Tag.ACTION_TYPE_ID, action_type),
    ])  # fmt: skip


def n_action_rsp(message_id: int, class_uid: str, instance_uid: str, action_type: int, status: int) -> bytes:
    """Return the N-ACTION-RSP (PS3.7 Table 10.3-8) to the request with this Message ID."""
    type_id = _us(Tag.ACTION_TYPE_ID, action_type)
    return _n_response(CommandField.N_ACTION_RSP, message_id, class_uid, instance_uid, type_id, status)


def n_event_report_rq(message_id: int, class_uid: str, instance_uid: str, event_type: int) -> bytes:
    """Return an N-EVENT-REPORT-RQ (PS3.7 Table 10.3-1) that a data set follows."""
    return _command_set([
        _ui(Tag.AFFECTED_SOP_CLASS_UID, class_uid),
        _us(Tag.COMMAND_FIELD, CommandField.N_EVENT_REPORT_RQ),
        _us(Tag.MESSAGE_ID, message_id),
        _us(Tag.DATA_SET_TYPE, _HAS_DATA_SET),
        _ui(Tag.AFFECTED_SOP_INSTANCE_UID, instance_uid),
        _us(Tag.EVENT_TYPE_ID, event_type),
    ])  # fmt: skip


def n_event_report_rsp(message_id: int, class_uid: str, instance_uid: str, event_type: int, status: int) -> bytes:
    """Return the N-EVENT-REPORT-RSP (PS3.7 Table 10.3-2) to the request with this Message ID."""
    type_id = _us(Tag.EVENT_TYPE_ID, event_type)
    return _n_response(CommandField.N_EVENT_REPORT_RSP, message_id, class_uid, instance_uid, type_id, status)


def _n_response(
    field: CommandField, message_id: int, class_uid: str, instance_uid: str, type_id: bytes, status: int
) -> bytes:
    """Return a response to a normalized operation, without a data set; the ID of the type comes last (by its tag)."""
    return _command_set([
        _ui(Tag.AFFECTED_SOP_CLASS_UID, class_uid),
        _us(Tag.COMMAND_FIELD, field),
        _us(Tag.MESSAGE_ID_RESPONDED_TO, message_id),
        _us(Tag.DATA_SET_TYPE, _NO_DATA_SET),
        _us(Tag.STATUS, status),
        _ui(Tag.AFFECTED_SOP_INSTANCE_UID, instance_uid),
        type_id,
    ])  # fmt: skip


def _command_set(elements: list[bytes]) -> bytes:
    """Return the elements, ascending by tag, behind their Command Group Length."""
    body = b"".join(elements)
    return _UL.pack(0, 0, 4, len(body)) + body


def _us(tag: int, value: int) -> bytes:
    return _US.pack(0, tag, 2, value)


def _ui(tag: int, value: str) -> bytes:
    return _padded(tag, value, b"\0")


def _text(tag: int, value: str) -> bytes:
    return _padded(tag, value, b" ")


def _padded(tag: int, value: str, padding: bytes) -> bytes:
    """Return an element of even length. Latin-1, so that a response can echo whatever bytes a request held."""
    encoded = value.encode("latin-1")
    if len(encoded) & 1:
        encoded += padding
    return _ELEMENT.pack(0, tag, len(encoded)) + encoded
