"""The table of faults: what happens, what the README says comes of it, and what has to come of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from node import dimse
from node.jobs import NodeReason
from tests.faults import kinds
from tests.faults.certificates import Certificates
from tests.faults.proxy import Fault

DIMSE_TIMEOUT_S = 6.0
CONNECT_TIMEOUT_S = 6.0
GIVE_UP_S = 4.0

STORED = "0000, B000, B006, B007"
LATER = "A7xx, 0110, 0213"
REFUSED = "any other status"
NO_ANSWER = "no answer, or none that makes sense"
AWAY = "no association"
NOTHING_ACCEPTED = "does not accept the SOP Class"
FOR_EVER = "nothing of that changes for `give_up_days`"


class Outcome(StrEnum):
    """What becomes of an instance."""

    DELIVERED = "delivered"
    DELIVERED_LATER = "delivered later"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Row:
    """One fault.

    Attributes
    ----------
    documented
        the first cell of its row in the README
    sent
        how often the whole instance has to come out of the node; None where that depends on the time
    reason, detail
        of the quarantine
    times
        how often the fault is done, before all goes well
    """

    name: str
    documented: str
    fault: Fault
    outcome: Outcome
    sent: int | None
    reason: str = ""
    detail: str = ""
    times: int = 2
    tls: bool = False


def rows(certificates: Certificates | None) -> list[Row]:
    """Return all rows; those with TLS only where there are certificates."""
    found = [*_statuses(), *_answers(), *_associations()]
    return [*found, *_tls(certificates)] if certificates else found


def _statuses() -> Iterator[Row]:
    for code in (0x0000, 0xB000, 0xB006, 0xB007):
        yield Row(f"status {code:04X}", STORED, kinds.status(code, stored=True), Outcome.DELIVERED, 1, times=1)
    for code in (0xA700, 0xA701, 0xA7FF, 0x0110, 0x0213):
        yield Row(f"status {code:04X}", LATER, kinds.status(code), Outcome.DELIVERED_LATER, 3)
    refusals = (0xA800, 0xA900, 0xA9FF, 0xC000, 0xC123, 0xCFFF, 0x0105, 0x0106, 0x0111, 0x0112, 0x0117, 0x0122, 0x0124)
    unknown = (0x0001, 0x0210, 0x0211, 0x0212, 0xB001, 0xFE00, 0xFF00, 0xFFFF)
    for code in refusals + unknown:
        told = f"status {code:04X}"
        reason = NodeReason.REFUSED_BY_DESTINATION
        yield Row(told, REFUSED, kinds.status(code), Outcome.QUARANTINED, 1, reason, told)


def _answers() -> Iterator[Row]:
    yield Row("answer after 0.8 s", STORED, kinds.late(0.8), Outcome.DELIVERED, 1, times=1)
    faults = {
        "answer after the time-out": kinds.late(DIMSE_TIMEOUT_S + 1),
        "answer lost, connection stays": kinds.lost(kinds.Link.hang),
        "answer lost, connection closed": kinds.lost(kinds.nothing),
        "answer lost, connection reset": kinds.lost(kinds.Link.reset),
        "answer lost, connection half closed": kinds.lost(kinds.half_close),
        "abort instead of the answer": kinds.lost(kinds.abort),
        "release instead of the answer": kinds.lost(kinds.release),
        "garbage instead of the answer": kinds.instead(lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        "PDU of an unknown type": kinds.instead(lambda _: b"\x09\0\0\0\0\x04abcd"),
        "PDU that claims 4 GiB": kinds.instead(lambda _: b"\x04\0\xff\xff\xff\xff\0\0"),
        "half an answer": kinds.instead(kinds.cut),
        "PDV longer than its PDU": kinds.instead(lambda _: b"\x04\0\0\0\0\x06\0\0\0\xff\x01\x03"),
        "answer to another message": kinds.instead(lambda r: r.response(0, message_id=r.message_id + 1)),
        "answer in another context": kinds.instead(lambda r: r.response(0, context_id=r.context_id + 2)),
        "answer of another kind": kinds.instead(kinds.not_the_response),
        "answer with a data set": kinds.instead(kinds.with_a_data_set),
    }
    for name, fault in faults.items():
        yield Row(name, NO_ANSWER, fault, Outcome.DELIVERED_LATER, 3)
    for name, how in {"reset": kinds.Link.reset, "abort": kinds.abort, "close": kinds.nothing}.items():
        fault = kinds.during_the_data(how)
        yield Row(f"{name} during the data", NO_ANSWER, fault, Outcome.DELIVERED_LATER, 1)
    yield Row("nobody reads the data", NO_ANSWER, Fault(associating=kinds.never_reads), Outcome.DELIVERED_LATER, 1)


def _associations() -> Iterator[Row]:
    faults = {
        "connection reset at once": Fault(connected=kinds.Link.reset),
        "connection closed at once": Fault(connected=kinds.nothing),
        "silence after the connection": Fault(connected=kinds.Link.hang),
        "half closed at once": Fault(connected=kinds.half_close),
        "abort instead of the association": kinds.answered(dimse.a_abort(2, 0)),
        "A-ASSOCIATE-AC that is garbled": kinds.answered(b"\x02\0\0\0\0\x08\0\x01\0\0ARCH"),
        "A-ASSOCIATE-AC that claims 4 GiB": kinds.answered(b"\x02\0\xff\xff\xff\xff", and_close=False),
    }
    for result, source, reason in ((1, 1, 1), (1, 1, 3), (1, 1, 7), (1, 2, 2), (2, 1, 1), (2, 3, 1), (2, 3, 2)):
        word = "permanently" if result == 1 else "for now"
        faults[f"rejected {word} ({result},{source},{reason})"] = kinds.rejected(result, source, reason)
    for name, fault in faults.items():
        yield Row(name, AWAY, fault, Outcome.DELIVERED_LATER, 1)
    fault = Fault(associating=kinds.without_contexts)
    reason = NodeReason.SOP_CLASS_NOT_ACCEPTED
    yield Row("no context accepted", NOTHING_ACCEPTED, fault, Outcome.QUARANTINED, 0, reason, times=9)


def _tls(certificates: Certificates) -> Iterator[Row]:
    yield Row("TLS as agreed", STORED, Fault(), Outcome.DELIVERED, 1, tls=True)
    for name, context in certificates.wrong.items():
        yield Row(f"TLS: {name}", AWAY, kinds.with_tls(context), Outcome.DELIVERED_LATER, 1, tls=True)
    fault = Fault(connected=kinds.Link.reset)
    yield Row("TLS: reset after the handshake", AWAY, fault, Outcome.DELIVERED_LATER, 1, tls=True)
    fault = kinds.lost(kinds.Link.reset)
    yield Row("TLS: answer lost, reset", NO_ANSWER, fault, Outcome.DELIVERED_LATER, 3, tls=True)


def for_ever(certificates: Certificates | None) -> list[Row]:
    """Return faults that nobody mends."""
    faults = {
        "status A700, always": kinds.status(0xA700),
        "answer lost, always": kinds.lost(kinds.nothing),
        "rejected permanently, always": kinds.rejected(1, 1, 7),
        "rejected for now, always": kinds.rejected(2, 3, 2),
        "reset at once, always": Fault(connected=kinds.Link.reset),
    }
    reason, always = NodeReason.UNDELIVERABLE, 1 << 30
    found = [
        Row(name, FOR_EVER, fault, Outcome.QUARANTINED, None, reason, "", always) for name, fault in faults.items()
    ]
    if certificates:
        fault = kinds.with_tls(certificates.wrong["certificate of a stranger"])
        name = "TLS: certificate of a stranger, always"
        found.append(Row(name, FOR_EVER, fault, Outcome.QUARANTINED, 0, reason, "", always, tls=True))
    return found
