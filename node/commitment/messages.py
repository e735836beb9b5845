"""What is said in storage commitment: requests and reports as values, and as the data sets that carry them.

PS3.4 2024e Annex J, Storage Commitment Push Model. A request is the Action Information of an N-ACTION (Table J.3-1), a
report is the Event Information of an N-EVENT-REPORT (Table J.3-2). Nothing here waits, stores or logs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from deid.encoding.element import DataSet, Element
from deid.encoding.limits import Limits
from deid.encoding.reader import read_data_set
from deid.encoding.writer import write_data_set
from deid.errors import Refused
from node.errors import NodeError
from node.store import is_uid

SOP_CLASS: Final = "1.2.840.10008.1.20.1"
"""Storage Commitment Push Model SOP Class (PS3.4 Section J.3.4)."""

SOP_INSTANCE: Final = "1.2.840.10008.1.20.1.1"
"""The well-known SOP Instance of it (PS3.4 Section J.3.5)."""

EXPLICIT: Final = "1.2.840.10008.1.2.1"
IMPLICIT: Final = "1.2.840.10008.1.2"
TRANSFER_SYNTAXES: Final = (EXPLICIT, IMPLICIT)
"""In which data sets of storage commitment are taken and given, the preferred one first."""

REQUEST: Final = 1
"""The Action Type ID of a request for storage commitment (PS3.4 Section J.3.2.1)."""

MAX_BYTES: Final = 8 << 20
"""The longest data set that is taken; 40,000 references fit."""

_TRANSACTION_UID = 0x0008_1195
_REFERENCED_SOP_CLASS_UID = 0x0008_1150
_REFERENCED_SOP_INSTANCE_UID = 0x0008_1155
_FAILURE_REASON = 0x0008_1197
_FAILED_SOP_SEQUENCE = 0x0008_1198
_REFERENCED_SOP_SEQUENCE = 0x0008_1199
_US = struct.Struct("<H")
_LIMITS = Limits(max_depth=4)


class EventType(IntEnum):
    """Event Type IDs of a report (PS3.4 Section J.3.3.1)."""

    SUCCESSFUL = 1
    FAILURES_EXIST = 2


class FailureReason(IntEnum):
    """Values of Failure Reason (0008,1197), PS3.3 Section C.14.1.1."""

    PROCESSING_FAILURE = 0x0110
    NO_SUCH_INSTANCE = 0x0112
    RESOURCE_LIMITATION = 0x0213
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    CLASS_INSTANCE_CONFLICT = 0x0119
    DUPLICATE_TRANSACTION = 0x0131


class NotUnderstood(NodeError):
    """A data set is no request, or no report, of storage commitment."""


class Reference(NamedTuple):
    """An instance that commitment is asked for."""

    sop_class_uid: str
    sop_instance_uid: str


class Failure(NamedTuple):
    """An instance that nobody commits to, and why (`FailureReason`, or another number from a peer)."""

    reference: Reference
    reason: int


@dataclass(frozen=True, slots=True)
class Request:
    """A request for storage commitment."""

    transaction_uid: str
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a request."""

    transaction_uid: str
    committed: tuple[Reference, ...]
    failed: tuple[Failure, ...] = ()

    @property
    def event_type(self) -> EventType:
        """The Event Type ID that it is sent with."""
        return EventType.FAILURES_EXIST if self.failed else EventType.SUCCESSFUL


def encode_request(request: Request, transfer_syntax: str) -> bytes:
    """Return the Action Information of an N-ACTION (PS3.4 Table J.3-1)."""
    return _encoded(
        [_ui(_TRANSACTION_UID, request.transaction_uid), _references(request.references)],
        transfer_syntax,
    )


def decode_request(data: bytes, transfer_syntax: str) -> Request:
    """Read the Action Information of an N-ACTION; other attributes of it are passed over.

    Raises
    ------
    NotUnderstood
        if it is no data set, has no transaction, no instance, or something else than UIDs in their places
    """
    data_set = _decoded(data, transfer_syntax)
    references = tuple(map(_reference, _items(data_set, _REFERENCED_SOP_SEQUENCE)))
    if not references:
        raise NotUnderstood("no item in (0008,1199)")
    return Request(_uid(data_set, _TRANSACTION_UID), references)


def encode_report(report: Report, transfer_syntax: str) -> bytes:
    """Return the Event Information of an N-EVENT-REPORT (PS3.4 Table J.3-2); sequences without an item are absent."""
    elements = [_ui(_TRANSACTION_UID, report.transaction_uid)]
    if report.failed:
        failed = [_item(each.reference, each.reason) for each in report.failed]
        elements.append(Element(_FAILED_SOP_SEQUENCE, "SQ", failed))
    if report.committed:
        elements.append(_references(report.committed))
    return _encoded(elements, transfer_syntax)


def decode_report(data: bytes, transfer_syntax: str) -> Report:
    """Read the Event Information of an N-EVENT-REPORT; other attributes of it are passed over.

    Raises
    ------
    NotUnderstood
        if it is no data set, has no transaction, or something else than UIDs and reasons in their places
    """
    data_set = _decoded(data, transfer_syntax)
    committed = tuple(map(_reference, _items(data_set, _REFERENCED_SOP_SEQUENCE)))
    failed = tuple(Failure(_reference(item), _reason(item)) for item in _items(data_set, _FAILED_SOP_SEQUENCE))
    return Report(_uid(data_set, _TRANSACTION_UID), committed, failed)


def _encoded(elements: Iterable[Element], transfer_syntax: str) -> bytes:
    return b"".join(write_data_set(_data_set(elements), transfer_syntax))


def _data_set(elements: Iterable[Element]) -> DataSet:
    return DataSet({element.tag: element for element in elements})


def _ui(tag: int, uid: str) -> Element:
    return Element(tag, "UI", uid.encode("ascii"))


def _item(reference: Reference, reason: int | None = None) -> DataSet:
    elements = [
        _ui(_REFERENCED_SOP_CLASS_UID, reference.sop_class_uid),
        _ui(_REFERENCED_SOP_INSTANCE_UID, reference.sop_instance_uid),
    ]
    if reason is not None:
        elements.append(Element(_FAILURE_REASON, "US", _US.pack(reason)))
    return _data_set(elements)


def _references(references: Iterable[Reference]) -> Element:
    return Element(_REFERENCED_SOP_SEQUENCE, "SQ", [_item(each) for each in references])


def _decoded(data: bytes, transfer_syntax: str) -> DataSet:
    try:
        return read_data_set(data, transfer_syntax, _LIMITS)
    except Refused as refused:
        raise NotUnderstood(f"no data set ({refused.reason})") from None


def _items(data_set: DataSet, tag: int) -> Sequence[DataSet]:
    element = data_set.elements.get(tag)
    if element is None or (not isinstance(element.value, list) and not len(_bytes(element))):
        return ()
    if not isinstance(element.value, list):
        raise NotUnderstood(f"({tag >> 16:04x},{tag & 0xFFFF:04x}) is no sequence")
    return element.value


def _reference(item: DataSet) -> Reference:
    return Reference(_uid(item, _REFERENCED_SOP_CLASS_UID), _uid(item, _REFERENCED_SOP_INSTANCE_UID))


def _reason(item: DataSet) -> int:
    """Return Failure Reason; a peer that gives none, or no number, has failed to process."""
    element = item.elements.get(_FAILURE_REASON)
    value = b"" if element is None else _bytes(element)
    return int(_US.unpack(value)[0]) if len(value) == _US.size else FailureReason.PROCESSING_FAILURE


def _uid(data_set: DataSet, tag: int) -> str:
    element = data_set.elements.get(tag)
    text = "" if element is None else _bytes(element).rstrip(b"\0 ").decode("latin-1")
    if not is_uid(text):
        raise NotUnderstood(f"({tag >> 16:04x},{tag & 0xFFFF:04x}) is no UID")
    return text


def _bytes(element: Element) -> bytes:
    return bytes(element.value) if isinstance(element.value, bytes | memoryview) else b""
