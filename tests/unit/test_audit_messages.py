"""Audit messages: valid by the standard's schema, with the codes of PS3.15 Section A.5.3, and nothing of a patient."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from node import log
from node.access.settings import Peer
from node.audit import chain, codes, people, recorder
from node.audit.chain import Entry
from node.audit.heard import Hearing
from node.audit.message import Action, Message, Object, Participant, Source
from node.audit.people import Decision, Look, Person
from node.audit.shipments import Shipments
from node.commitment.scp import Visitor
from node.jobs import new_job_id
from node.log import Event, Name
from node.settings import Settings, load_settings

SCHEMA = etree.RelaxNG(etree.parse(Path(__file__).parents[1] / "standard" / "audit_message.rng"))
ANNA = Person("anna", "10.1.2.3", "reviewer")
JOB = new_job_id()


def parsed(xml: str) -> etree._Element:
    """Parse a message that is valid."""
    document = etree.fromstring(xml.encode())
    assert SCHEMA.validate(document), SCHEMA.error_log
    return document


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "node.toml").write_text('ae_title = "NODE"\n[spool]\npath = "spool"\n[audit]\nsite = "North & South"\n')
    (tmp_path / "spool").mkdir()
    return load_settings(tmp_path / "node.toml")


def entry(settings: Settings) -> tuple[dict[str, object], etree._Element]:
    """Return the last entry and its message."""
    (said,) = chain.latest(settings.spool.path, 1)
    return said, parsed(str(said["message"]))


PEOPLE: list[tuple[Callable[[Settings], None], str, str, str | None, str, str]] = [
    (lambda s: people.signed_in(s, ANNA), "signed-in", "110114", "110122", "E", "0"),
    (lambda s: people.sign_in_failed(s, "10.9.9.9"), "sign-in-failed", "110114", "110122", "E", "4"),
    (lambda s: people.signed_out(s, ANNA), "signed-out", "110114", "110123", "E", "0"),
    (lambda s: people.looked_at(s, ANNA, Look.IMAGE, [JOB]), "looked-at", "110103", None, "R", "0"),
    (lambda s: people.decided(s, ANNA, Decision.MASKED, [JOB]), "decided", "110103", None, "U", "0"),
    (lambda s: people.decided(s, ANNA, Decision.DISCARDED, [JOB]), "discarded", "110103", None, "D", "0"),
    (lambda s: people.users_changed(s, ANNA, "otto"), "users-changed", "110113", "110137", "E", "0"),
    (lambda s: people.key_changed(s, ANNA, "rotated", "K-1"), "key-changed", "110113", "110129", "E", "0"),
    (lambda s: people.looked_up(s, ANNA, 1, ["DN-X"], denied=False), "lookup", "110110", None, "R", "0"),
    (lambda s: people.looked_up(s, ANNA, 1, [], denied=True), "lookup-denied", "110113", "110132", "E", "8"),
    (lambda s: people.log_read(s, ANNA), "log-read", "110101", None, "R", "0"),
]


@pytest.mark.parametrize(("do", "what", "event", "kind", "action", "outcome"), PEOPLE)
def test_what_people_do_is_told_with_the_codes_of_the_standard(
    settings: Settings,
    do: Callable[[Settings], None],
    what: str,
    event: str,
    kind: str | None,
    action: str,
    outcome: str,
) -> None:
    do(settings)
    said, message = entry(settings)
    assert said["what"] == what
    identification = message.find("EventIdentification")
    assert identification is not None
    assert identification.attrib["EventActionCode"] == action
    assert identification.attrib["EventOutcomeIndicator"] == outcome
    assert identification.find("EventID").attrib["csd-code"] == event
    found = identification.find("EventTypeCode")
    assert (found.attrib["csd-code"] if found is not None else None) == kind
    assert message.find("AuditSourceIdentification").attrib == {
        "AuditEnterpriseSiteID": "North & South",
        "AuditSourceID": "NODE",
    }


def test_who_asks_is_the_requestor_with_their_address(settings: Settings) -> None:
    people.looked_at(settings, ANNA, Look.HEADER, [JOB])
    said, message = entry(settings)
    requestor = message.findall("ActiveParticipant")[0].attrib
    assert requestor == {
        "UserID": "anna",
        "UserName": "reviewer",
        "UserIsRequestor": "true",
        "NetworkAccessPointID": "10.1.2.3",
        "NetworkAccessPointTypeCode": "2",
    }
    assert (said["person"], said["of"], said["jobs"]) == ("anna", "header", [str(JOB)])
    assert message.find("ParticipantObjectIdentification").attrib["ParticipantObjectID"] == JOB


def test_the_log_that_is_read_is_named_as_the_standard_says(settings: Settings) -> None:
    people.log_read(settings, ANNA)
    _, message = entry(settings)
    (read,) = message.findall("ParticipantObjectIdentification")
    assert read.attrib["ParticipantObjectTypeCode"] == "2"
    assert read.attrib["ParticipantObjectTypeCodeRole"] == "13"
    assert read.attrib["ParticipantObjectID"].startswith("file:///")
    assert read.find("ParticipantObjectIDTypeCode").attrib["csd-code"] == "12"
    assert read.findtext("ParticipantObjectName") == "Security Audit Log"


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_gives_a_valid_message(text: str, other: str) -> None:
    user = Participant(text or "x", codes.APPLICATION, other)
    thing = Object(text or "x", codes.PROJECT, other, details=[("what", text)], counts=[("1.2", 3)], is_anonymized=True)
    message = Message(Source("NODE"), codes.SECURITY_ALERT, Action.EXECUTE, [user], objects=[thing])
    xml = message.xml(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert "\n" not in xml
    found = parsed(xml)
    encoded = found.find(".//ParticipantObjectDetail").attrib["value"]
    assert base64.b64decode(encoded).decode("utf-8", "surrogatepass") == text


# -- what the node's log says


def heard(event: Event, **facts: object) -> list[Entry]:
    return Hearing(Source("NODE")).entries(event, facts)


def test_an_association_that_stored_is_a_transfer_and_what_was_refused_another_message() -> None:
    done, failed = heard(
        Event.ASSOCIATION_RELEASED, stored=12, refused=3, address="10.1.2.3", project="lung", end="released"
    )
    assert (done.facts["stored"], failed.facts["refused"]) == (12, 3)
    for each, outcome, count in ((done, "0", "12"), (failed, "4", "3")):
        assert each.message is not None
        xml = parsed(each.message.xml(datetime.now(UTC)))
        assert xml.find(".//EventID").attrib["csd-code"] == "110104"
        assert xml.find("EventIdentification").attrib["EventOutcomeIndicator"] == outcome
        assert xml.find(".//SOPClass").attrib["NumberOfInstances"] == count
        assert xml.findtext(".//Anonymized") == "false"


def test_a_decision_on_many_instances_is_entries_that_can_be_read(settings: Settings) -> None:
    jobs = [new_job_id() for _ in range(1201)]
    people.decided(settings, ANNA, Decision.RELEASED, jobs)
    assert [len(entry["jobs"]) for entry in chain.entries(settings.spool.path)] == [500, 500, 201]
    assert [job_id for entry in chain.entries(settings.spool.path) for job_id in entry["jobs"]] == jobs


def test_a_transfer_is_of_the_ae_that_the_configuration_lists() -> None:
    facts = {"stored": 1, "refused": 0, "address": "10.1.2.3", "project": "lung"}
    (named,) = heard(Event.ASSOCIATION_RELEASED, peer="SCANNER", **facts)
    (unnamed,) = heard(Event.ASSOCIATION_RELEASED, peer="", **facts)
    assert named.facts["peer"] == "SCANNER"
    assert "peer" not in unnamed.facts
    senders = []
    for each in (named, unnamed):
        assert each.message is not None
        senders.append(parsed(each.message.xml(datetime.now(UTC))).find(".//ActiveParticipant").attrib["UserID"])
    assert senders == ["SCANNER", "10.1.2.3"]


def test_only_an_ae_title_that_the_configuration_lists_is_named() -> None:
    def visitor(peer: Peer | None) -> Visitor:
        return Visitor("DOE^JANE", "NODE", "10.1.2.3", None, (), peer)

    assert visitor(Peer("SCANNER ", "10.0.0.0/8")).listed_ae == "SCANNER"
    assert visitor(Peer("*", "10.0.0.0/8")).listed_ae == ""
    assert visitor(None).listed_ae == ""


def test_an_association_that_stored_nothing_is_no_transfer() -> None:
    assert heard(Event.ASSOCIATION_RELEASED, stored=0, refused=0, address="10.1.2.3", project="") == []
    assert heard(Event.PROTOCOL_ERROR, address="10.1.2.3") == []


def test_who_is_turned_away_is_an_alert_once_and_then_a_count() -> None:
    hearing = Hearing(Source("NODE"))
    facts = {"address": "10.6.6.6", "source": 1, "reason": 3, "result": 1}
    told = [each for _ in range(50) for each in hearing.entries(Event.ASSOCIATION_REJECTED, facts)]
    (first,) = told
    assert first.facts == {"address": "10.6.6.6", "why": "association rejected: 3", "count": 1}
    assert first.message is not None
    xml = parsed(first.message.xml(datetime.now(UTC)))
    assert xml.find(".//EventTypeCode").attrib["csd-code"] == "110126"
    assert hearing.overdue() == []
    (rest,) = hearing.overdue(float("inf"))
    assert rest.facts["count"] == 49


def test_very_many_who_are_turned_away_are_counted_together() -> None:
    hearing = Hearing(Source("NODE"))
    told = [
        each
        for number in range(5_000)
        for each in hearing.entries(Event.CONNECTION_REFUSED, {"address": str(ip_address(number))})
    ]
    assert len(told) <= 501
    late = hearing.overdue(float("inf"))
    assert sum(int(str(each.facts["count"])) for each in told + late) == 5_000


def test_congestion_is_no_alert() -> None:
    assert heard(Event.ASSOCIATION_REJECTED, address="10.1.2.3", source=3, reason=2, result=2) == []


# -- a role


@pytest.fixture
def _quiet() -> Iterator[None]:
    yield
    log.observe(None)


@pytest.mark.usefixtures("_quiet")
def test_a_role_writes_start_transfers_and_stop(settings: Settings) -> None:
    with recorder.recording(settings, ["receive"], is_whole=True):
        log.emit(Event.ASSOCIATION_RELEASED, stored=2, refused=0, address=ip_address("10.1.2.3"), project=Name("lung"))
        log.emit(Event.TLS_FAILED, address=ip_address("10.6.6.6"))
        log.emit(Event.TLS_FAILED, address=ip_address("10.6.6.6"))
    said = list(chain.entries(settings.spool.path))
    assert [each["what"] for each in said] == ["started", "received", "rejected", "stopped", "rejected"]
    events = [parsed(each["message"]).find(".//EventID").attrib["csd-code"] for each in said]
    assert events == ["110100", "110104", "110113", "110100", "110113"]
    assert chain.check(settings.spool.path).broken_at is None


@pytest.mark.usefixtures("_quiet")
def test_a_child_of_a_node_tells_no_start_of_its_own(settings: Settings) -> None:
    with recorder.recording(settings, ["receive"], is_whole=False):
        pass
    assert list(chain.entries(settings.spool.path)) == []


@pytest.mark.usefixtures("_quiet")
def test_nothing_is_heard_once_the_role_is_over(settings: Settings) -> None:
    with recorder.recording(settings, ["receive"], is_whole=False):
        pass
    log.emit(Event.TLS_FAILED, address=ip_address("10.6.6.6"))
    assert list(chain.entries(settings.spool.path)) == []


@pytest.mark.usefixtures("_quiet")
def test_what_could_not_be_written_for_lack_of_memory_is_counted(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "_MOST_WAITING", 5)
    blocked = settings.spool.path / "audit.log"
    blocked.mkdir()
    with recorder.recording(settings, ["receive"], is_whole=False):
        for _ in range(8):
            log.emit(Event.CROSSWALK_LOADED, project=Name("lung"), rows=1)
        blocked.rmdir()
    said = list(chain.entries(settings.spool.path))
    gap = said[-1]
    assert [each["what"] for each in said[:-1]] == ["settings-changed"] * 5
    assert (gap["what"], gap["count"]) == ("recording-gap", 3)
    assert parsed(gap["message"]).find(".//EventTypeCode").attrib["csd-code"] == "110133"


# -- what goes out


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> list[Entry]:
    entries: list[Entry] = []
    monkeypatch.setattr(recorder, "note", entries.append)
    return entries


def test_a_study_that_goes_out_is_begun_once_and_told_once(noted: list[Entry]) -> None:
    shipments = Shipments(Source("NODE"), "archive", "10.7.7.7")
    for _ in range(300):
        shipments.begin("2.25.1", datetime.now(UTC))
        shipments.end("2.25.1", "1.2.840.10008.5.1.4.1.1.2", is_stored=True)
    shipments.begin("2.25.2", datetime.now(UTC))
    shipments.end("2.25.2", "1.2.840.10008.5.1.4.1.1.4", is_stored=False)
    shipments.tell()
    assert [each.deed.value for each in noted] == ["sending", "sending", "sent", "sent"]
    assert noted[2].facts == {"destination": "archive", "studies": ["2.25.1"], "stored": 300}
    assert noted[3].facts == {"destination": "archive", "studies": ["2.25.2"], "failed": 1}
    for each, event in zip(noted, ["110102", "110102", "110104", "110104"], strict=True):
        assert each.message is not None
        xml = parsed(each.message.xml(datetime.now(UTC)))
        assert xml.find(".//EventID").attrib["csd-code"] == event
        (study,) = xml.findall("ParticipantObjectIdentification")
        assert study.find("ParticipantObjectIDTypeCode").attrib["csd-code"] == "110180"
        assert study.findtext(".//Anonymized") == "true"


def test_what_goes_into_a_folder_is_an_export(noted: list[Entry]) -> None:
    shipments = Shipments(Source("NODE"), "disk", "/srv/clean", is_export=True)
    shipments.begin("2.25.1", datetime.now(UTC))
    shipments.end("2.25.1", "1.2.3", is_stored=True)
    shipments.tell()
    (exported,) = noted
    assert exported.message is not None
    xml = parsed(exported.message.xml(datetime.now(UTC)))
    assert xml.find(".//EventID").attrib["csd-code"] == "110106"


def test_a_thousand_studies_take_ten_lines(noted: list[Entry]) -> None:
    shipments = Shipments(Source("NODE"), "disk", "/srv/clean", is_export=True)
    for number in range(1_000):
        shipments.end(f"2.25.{number}", "1.2.3", is_stored=True)
    assert len(noted) == 10
    assert max(len(each.message.xml(datetime.now(UTC))) for each in noted if each.message) < 64_000
