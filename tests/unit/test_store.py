"""C-STORE's verdicts, and the sink of a project that spools nothing."""

from __future__ import annotations

import pytest

from node.contexts import AcceptedContext
from node.errors import NoRoom, Transient
from node.scan import Ending, Sight
from node.sinks import RelaySink
from node.status import Status
from node.store import Arrival, Store, is_uid, verdict
from tests.integration.receiving import CT, EXPLICIT, MR, instance

ARRIVAL = Arrival(CT, "1.2.3.4", EXPLICIT)
CONTEXT = AcceptedContext(1, CT, EXPLICIT)


class Archive:
    """What stands behind a direct project: keeps what it is given, and answers as told."""

    def __init__(self, status: int = 0, error: Exception | None = None) -> None:
        self.status = status
        self.error = error
        self.relayed: list[bytes] = []

    def relay(self, data: bytes | bytearray, transfer_syntax: str, /) -> int:
        assert transfer_syntax == EXPLICIT
        if self.error:
            raise self.error
        self.relayed.append(bytes(data))
        return self.status

    def close(self) -> None:
        self.relayed.clear()


def store(archive: Archive, data: bytes, class_uid: str = CT, instance_uid: str = "1.2.3.4") -> int:
    """Store one instance through a RelaySink that holds up to 4000 bytes."""
    service = Store(1 << 20, lambda arrival: RelaySink(archive, arrival.transfer_syntax, 4000))
    intake = service.begin(CONTEXT, class_uid, instance_uid)
    for at in range(0, len(data), 500):
        intake.write(memoryview(data)[at : at + 500])
    return intake.finish()


@pytest.mark.parametrize(
    ("sight", "status"),
    [
        (Sight(CT, "1.2.3.4", Ending.WHOLE), Status.SUCCESS),
        (Sight(CT, "1.2.3.4", Ending.UNKNOWN), Status.SUCCESS),
        (Sight(CT, "1.2.3.4", Ending.CUT), Status.CANNOT_UNDERSTAND),
        (Sight(CT, "1.2.3.5", Ending.WHOLE), Status.CANNOT_UNDERSTAND),
        (Sight(CT, None, Ending.WHOLE), Status.CANNOT_UNDERSTAND),
        (Sight(None, "1.2.3.4", Ending.WHOLE), Status.CANNOT_UNDERSTAND),
        (Sight(MR, "1.2.3.4", Ending.WHOLE), Status.DATA_SET_MISMATCH),
    ],
)
def test_a_data_set_is_compared_with_what_announced_it(sight: Sight, status: Status) -> None:
    assert verdict(sight, ARRIVAL) is status


@pytest.mark.parametrize("text", ["1.2.840.10008.1.1", "2.25.0", "0", "1." + "9" * 62, "1.02.3"])
def test_a_uid_is_a_uid(text: str) -> None:
    assert is_uid(text)


@pytest.mark.parametrize(
    "text", ["", "1..2", "1.2.", ".1", "1.2/3", "../1", "1.2\n", "1 2", "\u0661.2", "1." + "9" * 63]
)
def test_what_is_no_uid_is_none(text: str) -> None:
    assert not is_uid(text)


@pytest.mark.parametrize("status", [0x0000, 0xA700, 0xC000])
def test_a_direct_project_s_sender_gets_the_relay_s_answer_to_the_whole_instance(status: int) -> None:
    archive = Archive(status)
    assert store(archive, instance()) == status
    assert archive.relayed == [instance()]


def test_nothing_is_relayed_that_would_be_refused() -> None:
    archive = Archive()
    assert store(archive, instance()[:-1]) == Status.CANNOT_UNDERSTAND
    assert store(archive, instance(class_uid=MR)) == Status.DATA_SET_MISMATCH
    assert store(archive, instance(), class_uid=MR) == Status.SOP_CLASS_NOT_SUPPORTED
    assert archive.relayed == []


def test_an_instance_too_long_to_be_held_is_answered_a700() -> None:
    archive = Archive()
    assert store(archive, instance(pixel_bytes=4000)) == Status.OUT_OF_RESOURCES
    assert archive.relayed == []


@pytest.mark.parametrize("error", [NoRoom(""), Transient("")])
def test_a_relay_that_fails_is_answered_a700(error: Exception) -> None:
    assert store(Archive(error=error), instance()) == Status.OUT_OF_RESOURCES
