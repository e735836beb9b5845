"""What the node commits itself to, what it remembers of it, and what it makes of an archive's report."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid.elements.file_meta import part10_header
from node.commitment.clerks import Clerks
from node.commitment.codes import KEY_FILE, Codes, open_codes, reference_code
from node.commitment.messages import Failure, Reference, Report, Request
from node.commitment.originals import index_originals
from node.commitment.overview import uncommitted_by_destination
from node.commitment.reports import Reports
from node.commitment.settings import CommitmentMode, CommitmentSettings
from node.commitment.tables import CommitmentTables, Standing
from node.commitment.transactions import Transaction, TransactionId, Transactions, report_on
from node.errors import Misconfigured
from node.jobs import JobId, State, new_job_id
from node.ledger import Ledger, open_ledger
from node.settings import Destination, ForwardSettings, Peer, Project, Settings, SpoolSettings, load_settings
from node.spool import Spool
from node.status_report import collect, text

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT = "1.2.840.10008.1.2.1"
FORWARDED, RECEIVED = CommitmentMode.FORWARDED, CommitmentMode.RECEIVED
DAY_S = 86_400.0
HOUR_LATER_S = 3600.0


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", 0)


@pytest.fixture
def ledger(spool: Spool) -> Iterator[Ledger]:
    ledger = open_ledger(spool.path)
    yield ledger
    ledger.close()


@pytest.fixture
def tables(ledger: Ledger) -> CommitmentTables:
    return CommitmentTables(ledger)


@pytest.fixture
def transactions(spool: Spool) -> Transactions:
    return Transactions(spool.path, spool.check_room)


def transaction(*references: Reference, is_duplicate: bool = False, uid: str = "2.25.1") -> Transaction:
    """Return a transaction whose codes are the instances' UIDs."""
    return Transaction(
        id=TransactionId(new_job_id(), f"{int(uid.rpartition('.')[2]):032x}"),
        calling_ae="CT1",
        called_ae="DEIDNODE",
        address="127.0.0.1",
        project="default",
        request=Request(uid, references),
        codes=tuple(each.sop_instance_uid for each in references),
        is_duplicate=is_duplicate,
    )


class Stands:
    """Tables that know a few instances."""

    def __init__(self, since_s: float = 0.0, **states: State) -> None:
        self._states = {uid.removeprefix("i"): state for uid, state in states.items()}
        self._since_s = since_s

    def standing(self, code: str) -> Standing | None:
        state = self._states.get(code)
        return None if state is None else Standing(state, CT)

    def known_since_s(self) -> float:
        return self._since_s


def reported(
    stands: Stands, *references: Reference, mode: CommitmentMode = FORWARDED, after_s: float = 1.0
) -> Report | None:
    asked = transaction(*references)
    now_s = asked.id.arrived_at_s + after_s
    return report_on(asked, mode, CommitmentSettings(), stands, now_s)  # type: ignore[arg-type]


# -- the report to a sender


def test_what_was_sent_everywhere_is_committed() -> None:
    one = Reference(CT, "1")
    assert reported(Stands(i1=State.SENT), one) == Report("2.25.1", (one,))


@pytest.mark.parametrize("state", [State.RECEIVED, State.CLEANING, State.HELD, State.CLEANED])
def test_what_is_on_its_way_is_waited_for(state: State) -> None:
    assert reported(Stands(i1=State.SENT, i2=state), Reference(CT, "1"), Reference(CT, "2")) is None


@pytest.mark.parametrize("state", [State.RECEIVED, State.CLEANING, State.HELD, State.CLEANED, State.SENT])
def test_received_is_enough_where_the_project_says_so(state: State) -> None:
    one = Reference(CT, "1")
    assert reported(Stands(i1=state), one, mode=RECEIVED) == Report("2.25.1", (one,))


@pytest.mark.parametrize("mode", [FORWARDED, RECEIVED])
def test_quarantine_is_a_processing_failure(mode: CommitmentMode) -> None:
    one = Reference(CT, "1")
    assert reported(Stands(i1=State.QUARANTINED), one, mode=mode) == Report("2.25.1", (), (Failure(one, 0x0110),))


def test_an_unknown_instance_is_waited_for_and_then_reported_as_unknown() -> None:
    one = Reference(CT, "1")
    assert reported(Stands(), one, after_s=29) is None
    assert reported(Stands(), one, after_s=31) == Report("2.25.1", (), (Failure(one, 0x0112),))


def test_an_unknown_instance_of_an_unknown_class_is_of_a_class_that_is_not_supported() -> None:
    one = Reference("1.2.3.4", "1")
    assert reported(Stands(), one, after_s=31) == Report("2.25.1", (), (Failure(one, 0x0122),))


def test_a_ledger_that_was_rebuilt_after_the_request_is_given_the_same_time() -> None:
    one = Reference(CT, "1")
    assert reported(Stands(since_s=time.time() + 3590), one, after_s=HOUR_LATER_S) is None


def test_another_class_than_the_instances_is_a_conflict() -> None:
    one = Reference(MR, "1")
    assert reported(Stands(i1=State.SENT), one) == Report("2.25.1", (), (Failure(one, 0x0119),))


def test_what_is_not_forwarded_in_time_is_reported_so() -> None:
    one, two = Reference(CT, "1"), Reference(CT, "2")
    stands = Stands(i1=State.HELD, i2=State.SENT)
    assert reported(stands, one, two, after_s=7 * DAY_S - 60) is None
    assert reported(stands, one, two, after_s=7 * DAY_S + 60) == Report("2.25.1", (two,), (Failure(one, 0x0213),))


def test_nothing_of_a_duplicate_is_committed() -> None:
    one = Reference(CT, "1")
    asked = transaction(one, is_duplicate=True)
    found = report_on(asked, RECEIVED, CommitmentSettings(), Stands(i1=State.SENT), time.time())  # type: ignore[arg-type]
    assert found == Report("2.25.1", (), (Failure(one, 0x0131),))


@given(
    st.lists(st.sampled_from([None, State.RECEIVED, State.SENT, State.QUARANTINED]), min_size=1, max_size=6),
    st.sampled_from([FORWARDED, RECEIVED]),
    st.sampled_from([1.0, HOUR_LATER_S, 8 * DAY_S]),
)
def test_a_report_names_each_instance_once(states: list[State | None], mode: CommitmentMode, after_s: float) -> None:
    references = [Reference(CT, str(number)) for number in range(len(states))]
    known = {f"i{number}": state for number, state in enumerate(states) if state}
    report = reported(Stands(**known), *references, mode=mode, after_s=after_s)
    if report is None:
        assert after_s < 7 * DAY_S
    else:
        named = [*report.committed, *(each.reference for each in report.failed)]
        assert sorted(named) == sorted(references)


# -- transactions as files


def test_a_transaction_is_read_back_as_it_was(transactions: Transactions) -> None:
    asked = transaction(Reference(CT, "1.2.3"), Reference(MR, "1.2.4"))
    transactions.add(asked)
    assert transactions.ids() == [asked.id]
    assert transactions.load(asked.id) == asked
    transactions.drop(asked.id)
    assert transactions.ids() == []
    assert transactions.load(asked.id) is None


def test_only_its_owner_reads_a_transaction(transactions: Transactions, spool: Spool) -> None:
    transactions.add(transaction(Reference(CT, "1.2.3")))
    folder = spool.path / "commitment"
    assert folder.stat().st_mode & 0o077 == 0
    assert [path.stat().st_mode & 0o077 for path in folder.iterdir()] == [0]


def test_a_transaction_is_locked_by_one_at_a_time(transactions: Transactions) -> None:
    asked = transaction(Reference(CT, "1.2.3"))
    transactions.add(asked)
    mine = transactions.lock(asked.id)
    assert mine is not None
    with transactions.locked(asked.id) as is_ours:
        assert not is_ours
    os.close(mine)
    with transactions.locked(asked.id) as is_ours:
        assert is_ours
    transactions.drop(asked.id)
    assert transactions.lock(asked.id) is None


def test_what_a_writer_that_died_left_is_swept(transactions: Transactions, spool: Spool) -> None:
    part = spool.path / "commitment" / "x.1-2.part"
    part.write_bytes(b"half")
    assert transactions.sweep() == 1
    assert not part.exists()


def test_a_strange_file_among_the_transactions_is_left_alone(transactions: Transactions, spool: Spool) -> None:
    (spool.path / "commitment" / "note.json").write_text("{}")
    assert transactions.ids() == []


def test_an_answer_that_asks_for_a_retry_leaves_a_transaction_open(
    transactions: Transactions, tables: CommitmentTables
) -> None:
    asked = transaction(Reference(CT, "1.2.3"))
    transactions.add(asked)
    assert not transactions.conclude(asked, 0x0213, tables)
    assert transactions.ids() == [asked.id]
    assert transactions.conclude(asked, 0x0000, tables)
    assert transactions.ids() == []
    assert tables.is_over(asked.id.code)


# -- codes


def test_codes_tell_projects_and_instances_apart_and_hold_neither() -> None:
    codes = Codes(bytes(32))
    made = {codes.instance(project, uid) for project in ("a", "b") for uid in ("1.2", "1.3")}
    assert len(made) == 4
    assert codes.instance("a", "1.2") == codes.instance("a", "1.2")
    assert codes.instance("a", "1.2") != Codes(bytes(31) + b"1").instance("a", "1.2")
    assert codes.transaction("a", "1.2") not in made
    assert reference_code("2.25.1", "1.2") != reference_code("2.25.2", "1.2")


def test_the_key_of_the_codes_is_made_once_and_for_its_owner_alone(spool: Spool) -> None:
    first = open_codes(spool.path)
    assert open_codes(spool.path) == first
    assert (spool.path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    (spool.path / KEY_FILE).chmod(0o644)
    with pytest.raises(Misconfigured):
        open_codes(spool.path)


# -- the ledger


def test_the_newest_of_several_jobs_of_one_instance_counts(ledger: Ledger, tables: CommitmentTables) -> None:
    first, second = JobId(f"{1:032x}"), JobId(f"{2:032x}")
    for job_id in (first, second):
        ledger.received(job_id, "default", 1)
        tables.note_original(job_id, "code", CT)
    ledger.quarantined(first, "reason")
    assert tables.standing("code") == Standing(State.RECEIVED, CT)
    ledger.discarded(second)
    assert tables.standing("code") == Standing(State.QUARANTINED, CT)
    ledger.discarded(first)
    assert tables.standing("code") is None


def delivery(ledger: Ledger, *destinations: str) -> JobId:
    """Return a job that is claimed for delivery."""
    job_id = new_job_id()
    ledger.received(job_id, "default", 1)
    ledger.cleaned(job_id, destinations or ("archive",), CT, EXPLICIT, 1)
    for destination in destinations or ("archive",):
        assert ledger.due(destination, time.time(), 10)
    return job_id


def due(ledger: Ledger, destination: str = "archive", at_s: float = 1e11) -> list[JobId]:
    return [each.job_id for each in ledger.due(destination, at_s, 100)]


def test_a_stored_instance_is_neither_sent_nor_due_until_it_is_committed(
    ledger: Ledger, tables: CommitmentTables
) -> None:
    job_id = delivery(ledger)
    tables.stored(job_id, "archive", 0, 100.0)
    assert due(ledger) == []
    assert ledger.sent() == []
    assert tables.to_ask("archive", 10) == [(job_id, 100.0)]
    assert uncommitted_by_destination(ledger) == {"archive": 1}
    ledger.reset_sending()  # the forwarder starts anew
    assert due(ledger) == []
    tables.committed(job_id, "archive")
    assert ledger.sent() == [job_id]
    assert uncommitted_by_destination(ledger) == {}


def test_one_destination_that_has_not_committed_keeps_the_job_open(ledger: Ledger, tables: CommitmentTables) -> None:
    job_id = delivery(ledger, "archive", "mirror")
    tables.stored(job_id, "archive", 0, 100.0)
    ledger.delivered(job_id, "mirror", 0)
    assert ledger.sent() == []
    tables.committed(job_id, "archive")
    assert ledger.sent() == [job_id]


def test_what_is_cleaned_anew_is_asked_about_anew(ledger: Ledger, tables: CommitmentTables) -> None:
    job_id = delivery(ledger)
    tables.stored(job_id, "archive", 0, 100.0)
    ledger.restored(job_id)
    assert uncommitted_by_destination(ledger) == {}
    assert tables.to_ask("archive", 10) == []


def test_a_ledger_without_the_tables_has_nothing_uncommitted(ledger: Ledger) -> None:
    assert uncommitted_by_destination(ledger) == {}


def test_transactions_that_were_over_long_ago_are_forgotten(tables: CommitmentTables) -> None:
    tables.over("old", 100.0)
    tables.over("new", 300.0)
    tables.forget_over(200.0)
    assert (tables.is_over("old"), tables.is_over("new")) == (False, True)


def test_a_destination_that_is_not_asked_any_more_has_what_it_stored(
    ledger: Ledger, tables: CommitmentTables, spool: Spool
) -> None:
    job_id = delivery(ledger)
    tables.stored(job_id, "archive", 0, 100.0)
    settings = Settings(spool=SpoolSettings(spool.path, min_free_bytes=0))
    Clerks(settings, spool, ledger, None)  # type: ignore[arg-type]
    assert ledger.sent() == [job_id]


def test_the_ledger_holds_no_uid_of_a_sender(ledger: Ledger, tables: CommitmentTables, spool: Spool) -> None:
    uid = "1.2.826.0.1.3680043.8.498.771"
    codes = open_codes(spool.path)
    job_id = delivery(ledger)
    tables.stored(job_id, "archive", 0, 1.0)
    tables.note_original(job_id, codes.instance("default", uid), CT)
    tables.over(codes.transaction("CT1", uid), 1.0)
    tables.ask("archive", "2.25.1", [(job_id, reference_code("2.25.1", uid))], 1.0)
    ledger.sync()
    assert not any(uid.encode() in path.read_bytes() for path in spool.path.glob("ledger.db*"))


def test_status_says_what_is_open(
    ledger: Ledger, tables: CommitmentTables, transactions: Transactions, spool: Spool
) -> None:
    tables.stored(delivery(ledger), "archive", 0, 100.0)
    transactions.add(transaction(Reference(CT, "1.2.3")))
    said = text(collect(Settings(spool=SpoolSettings(spool.path, min_free_bytes=0)))).splitlines()
    assert "to archive: 1 waiting, 0 on their way, 1 stored there and not yet committed to" in said
    assert "storage commitment: 1 requests of senders to be reported on" in said


# -- originals by the files


def committing(spool: Spool, mode: CommitmentMode = FORWARDED) -> Settings:
    return Settings(spool=SpoolSettings(spool.path, min_free_bytes=0), projects=(Project("default", commitment=mode),))


def raw(spool: Spool, ledger: Ledger, uid: str) -> JobId:
    job_id = new_job_id()
    spool.put_incoming(job_id, part10_header(CT, uid, EXPLICIT), [b"\0" * 100])
    ledger.received(job_id, "default", 100)
    return job_id


def test_a_rebuilt_ledger_knows_by_the_files_which_instances_they_are(spool: Spool, ledger: Ledger) -> None:
    raw(spool, ledger, "1.2.3")
    refused = raw(spool, ledger, "1.2.4")
    spool.quarantine(refused, "reason")
    ledger.quarantined(refused, "reason")
    assert index_originals(committing(spool), spool, ledger) == 2
    assert index_originals(committing(spool), spool, ledger) == 0
    codes, tables = open_codes(spool.path), CommitmentTables(ledger)
    assert tables.standing(codes.instance("default", "1.2.3")) == Standing(State.RECEIVED, CT)
    assert tables.standing(codes.instance("default", "1.2.4")) == Standing(State.QUARANTINED, CT)
    assert tables.standing(codes.instance("other", "1.2.3")) is None


def test_a_project_that_commits_to_nothing_has_nothing_noted(spool: Spool, ledger: Ledger) -> None:
    raw(spool, ledger, "1.2.3")
    assert index_originals(committing(spool, CommitmentMode.NONE), spool, ledger) == 0
    assert not (spool.path / KEY_FILE).exists()


def test_a_raw_file_that_is_none_is_passed_over(spool: Spool, ledger: Ledger) -> None:
    job_id = new_job_id()
    spool.put_incoming(job_id, b"nothing", [])
    ledger.received(job_id, "default", 7)
    assert index_originals(committing(spool), spool, ledger) == 0


# -- what an archive reports


class Asked:
    """Two instances that the archive was asked about in one transaction."""

    UID = "2.25.77"

    def __init__(self, ledger: Ledger, tables: CommitmentTables, forward: ForwardSettings) -> None:
        self.ledger, self.tables = ledger, tables
        self.jobs = [delivery(ledger), delivery(ledger)]
        self.references = [Reference(CT, f"1.2.{number}") for number in range(2)]
        for job_id in self.jobs:
            tables.stored(job_id, "archive", 0, time.time())
        codes = [
            (job_id, reference_code(self.UID, reference.sop_instance_uid))
            for job_id, reference in zip(self.jobs, self.references, strict=True)
        ]
        tables.ask("archive", self.UID, codes, time.time())
        self.reports = Reports(ledger, tables, forward)

    def failed(self, reason: int) -> int:
        return self.reports.take(Report(self.UID, (), (Failure(self.references[0], reason),)), ["archive"])

    def to_ask(self) -> list[JobId]:
        return [job_id for job_id, _ in self.tables.to_ask("archive", 10)]


@pytest.fixture
def asked(ledger: Ledger, tables: CommitmentTables) -> Asked:
    return Asked(ledger, tables, ForwardSettings())


def test_a_report_delivers_what_it_commits_to_and_nothing_else(asked: Asked) -> None:
    assert asked.reports.take(Report(Asked.UID, (asked.references[0],)), ["archive"]) == 1
    assert asked.ledger.sent() == [asked.jobs[0]]
    assert asked.to_ask() == []  # the other one is still being asked about
    assert asked.tables.unask_old("archive", time.time() + 1) == 1
    assert asked.to_ask() == [asked.jobs[1]]


@pytest.mark.parametrize("destination", ["mirror", ""])
def test_a_report_of_another_destination_counts_for_nothing(asked: Asked, destination: str) -> None:
    assert asked.reports.take(Report(Asked.UID, tuple(asked.references)), [destination]) == 0
    assert asked.ledger.sent() == []


def test_a_report_on_another_transaction_counts_for_nothing(asked: Asked) -> None:
    assert asked.reports.take(Report("2.25.78", tuple(asked.references)), ["archive"]) == 0
    assert asked.ledger.sent() == []


@pytest.mark.parametrize("reason", [0x0110, 0x0112, 0x0213, 0xFFFF])
def test_what_the_archive_does_not_have_is_sent_again(asked: Asked, reason: int) -> None:
    assert asked.failed(reason) == 1
    assert due(asked.ledger, at_s=time.time() - 60) == []
    assert due(asked.ledger, at_s=time.time() + 60) == [asked.jobs[0]]


@pytest.mark.parametrize("reason", [0x0119, 0x0122])
def test_what_sending_again_would_not_change_is_a_case_for_a_person(asked: Asked, reason: int) -> None:
    assert asked.failed(reason) == 1
    assert [(job.job_id, job.reason) for job in asked.ledger.to_file()] == [(asked.jobs[0], "not-committed")]


def test_a_duplicate_transaction_is_asked_about_anew_and_not_sent_again(asked: Asked) -> None:
    assert asked.failed(0x0131) == 1
    assert due(asked.ledger) == []
    assert set(asked.to_ask()) == set(asked.jobs)


def test_what_is_never_committed_to_is_given_up_in_the_end(ledger: Ledger, tables: CommitmentTables) -> None:
    asked = Asked(ledger, tables, ForwardSettings(give_up_days=0.0))
    asked.failed(0x0110)
    assert [(job.job_id, job.reason) for job in ledger.to_file()] == [(asked.jobs[0], "not-committed")]


# -- the configuration


def configured(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "node.toml"
    file.write_text(text, encoding="utf-8")
    return load_settings(file)


ARCHIVE = '[destinations.archive]\nae_title = "ARCHIVE"\nhost = "h"\nport = 104\ncommitment = true\n'


def test_the_keys_of_commitment_are_read(tmp_path: Path) -> None:
    settings = configured(
        tmp_path,
        ARCHIVE + '[[projects]]\nname = "p"\ncommitment = "received"\n'
        '[[peers]]\nae_title = "ARCHIVE"\naddress = "10.0.0.1"\n'
        '[[peers]]\nae_title = "CT1"\naddress = "10.0.0.2"\n'
        'commitment = { ae_title = "CT1", host = "ct1", port = 104 }\n',
    )
    assert settings.destinations["archive"].commitment
    assert settings.projects[0].commitment is RECEIVED
    assert isinstance(settings.peers[1], Peer)
    assert settings.peers[1].commitment is not None
    assert settings.peers[1].commitment.port == 104
    assert settings.peers[0].commitment is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[projects]]\nname = "p"\ndelivery = "direct"\ncommitment = "received"\n', "projects.1.commitment"),
        (ARCHIVE + '[[projects]]\nname = "p"\ndelivery = "direct"\n', "projects.1.delivery"),
        (ARCHIVE + '[[peers]]\nae_title = "CT1"\naddress = "10.0.0.1"\n', "add it to [[peers]]"),
        ("[commitment]\nwait_days = 3\ngive_up_days = 2\n", "commitment.give_up_days"),
        ('[[projects]]\nname = "p"\ncommitment = "maybe"\n', "'none', 'received', 'forwarded'"),
    ],
)
def test_what_does_not_go_together_is_said_with_its_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        configured(tmp_path, text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_transaction_file_holds_no_more_than_was_asked(transactions: Transactions, spool: Spool) -> None:
    transactions.add(transaction(Reference(CT, "1.2.3")))
    (file,) = (spool.path / "commitment").iterdir()
    assert set(json.loads(file.read_text())) == {
        "id", "calling_ae", "called_ae", "address", "project", "request", "codes", "is_duplicate"
    }  # fmt: skip


def test_a_destination_that_is_dropped_gives_up_what_it_had_stored(ledger: Ledger, tables: CommitmentTables) -> None:
    job_id = delivery(ledger)
    tables.stored(job_id, "archive", 0, 100.0)
    assert ledger.give_up_strays([]) == 1
    assert tables.to_ask("archive", 10) == []
    assert [job.job_id for job in ledger.to_file()] == [job_id]
    assert Destination("archive", "ARCHIVE", "h", 104).commitment is False
