"""Which study an instance is of: found in all encodings, without a parser, and fast."""

from __future__ import annotations

import contextlib
import time
from io import BytesIO

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from deid.encoding.reader import read_part10
from node.audit.message import Source
from node.audit.outlet import AuditedOutlet
from node.audit.study import study_instance_uid
from node.errors import Transient, Unreachable
from node.scu import Outgoing
from node.settings import Destination
from tests import factories

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, BIG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
STUDY = "2.25.123456789"


def nested(syntax: str, *, undefined: bool) -> bytes:
    """Return an instance whose sequences before the Study Instance UID have one of their own."""
    dataset = factories.ct()
    dataset.StudyInstanceUID = STUDY
    inner = Dataset()
    inner.StudyInstanceUID = "2.25.666"
    outer = Dataset()
    outer.StudyInstanceUID = "2.25.667"
    outer.ReferencedSeriesSequence = Sequence([inner])
    dataset.StudiesContainingOtherReferencedInstancesSequence = Sequence([outer, inner])
    element = dataset["StudiesContainingOtherReferencedInstancesSequence"]
    element.is_undefined_length = undefined
    for item in element.value:
        item.is_undefined_length_sequence_item = undefined
    dataset.file_meta.TransferSyntaxUID = syntax
    stream = BytesIO()
    if syntax == BIG:
        dataset["PixelData"].VR = "OW"
    pydicom.dcmwrite(
        stream, dataset, enforce_file_format=True, implicit_vr=syntax == IMPLICIT, little_endian=syntax != BIG
    )
    return bytes(read_part10(stream.getvalue()).data_set_bytes)


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, DEFLATED, BIG])
def test_the_study_is_found_and_not_one_in_a_sequence(syntax: str, undefined: bool) -> None:
    assert study_instance_uid(nested(syntax, undefined=undefined), syntax) == STUDY


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
def test_an_instance_without_a_study_has_none(syntax: str) -> None:
    dataset = factories.ct()
    del dataset.StudyInstanceUID
    dataset.file_meta.TransferSyntaxUID = syntax
    stream = BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True, implicit_vr=syntax == IMPLICIT, little_endian=True)
    assert study_instance_uid(read_part10(stream.getvalue()).data_set_bytes, syntax) == ""


@given(st.binary(max_size=400), st.sampled_from([IMPLICIT, EXPLICIT, DEFLATED, BIG]))
def test_any_bytes_are_no_error(data: bytes, syntax: str) -> None:
    assert isinstance(study_instance_uid(data, syntax), str)


# -- a way to a destination that is told of


class Outlet:
    """Answers as it is told."""

    destination = Destination("archive", "ARCHIVE", "10.7.7.7", 104)
    is_open = True
    answer: int | Exception = 0x0000

    def send(self, outgoing: Outgoing) -> int:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def __getattr__(self, name: str) -> object:
        return lambda *_: None


def sent(monkeypatch: pytest.MonkeyPatch, *answers: int | Exception, is_open: bool = True) -> list[tuple[str, object]]:
    told: list[tuple[str, object]] = []
    monkeypatch.setattr(
        "node.audit.recorder.note",
        lambda entry: told.append((entry.deed.value, entry.facts.get("stored", entry.facts.get("failed")))),
    )
    outlet = Outlet()
    outlet.is_open = is_open
    audited = AuditedOutlet(outlet, Source("NODE"))
    outgoing = Outgoing("1.2.3", "1.2.3.4", EXPLICIT, [nested(EXPLICIT, undefined=False)])
    for answer in answers:
        outlet.answer = answer
        with contextlib.suppress(Transient, Unreachable):
            audited.send(outgoing)
    audited.close()
    return told


def test_what_was_stored_and_what_was_not_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    told = sent(monkeypatch, 0x0000, 0xB000, 0xA700, Transient("lost"))
    assert told == [("sending", None), ("sent", 2), ("sent", 2)]


def test_a_destination_that_is_away_is_not_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sent(monkeypatch, *[Unreachable("away")] * 5, is_open=False) == []


def test_an_association_that_comes_about_is_told_with_its_begin_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sent(monkeypatch, Unreachable("away"), 0x0000, is_open=False) == [("sending", None), ("sent", 1)]


def test_an_instance_costs_less_than_a_tenth_of_a_millisecond() -> None:
    audited = AuditedOutlet(Outlet(), Source("NODE"))
    outgoing = Outgoing("1.2.3", "1.2.3.4", EXPLICIT, [nested(EXPLICIT, undefined=False)])
    costs_s = []
    for _ in range(300):
        before = time.process_time()
        audited.send(outgoing)
        costs_s.append(time.process_time() - before)
    assert sorted(costs_s)[150] < 0.0001
