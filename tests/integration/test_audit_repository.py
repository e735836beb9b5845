"""The audit trail on its way to a repository: syslog over TLS (RFC 5425), whatever becomes of the other end."""

from __future__ import annotations

import json
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from lxml import etree

from node import log
from node.audit import Deed, chain
from node.audit.chain import Entry
from node.audit.codes import APPLICATION, SECURITY_ALERT
from node.audit.message import Action, Message, Outcome, Source, this_process
from node.audit.repository import Courier
from node.audit.settings import AuditSettings, RepositorySettings
from node.audit.tail import Tail
from node.errors import Misconfigured
from node.settings import Settings, SpoolSettings
from tests.integration.test_tls import certificate

_HEADER = re.compile(
    r"<(84|85)>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00 [!-~]+ deid-node \d+ DICOM\+RFC3881 - "
    r"\ufeff(<AuditMessage>.*)"
)


def entry(number: int, outcome: Outcome = Outcome.SUCCESS) -> Entry:
    process = this_process(Source("NODE"), APPLICATION)
    message = Message(Source(f"NODE-{number}"), SECURITY_ALERT, Action.EXECUTE, [process], outcome=outcome)
    return Entry(Deed.LOOKUP, {"asked": number}, message)


class Repository:
    """Takes syslog over TLS; counts what it got, frame by frame."""

    def __init__(self, context: ssl.SSLContext, port: int = 0) -> None:
        self.frames: list[bytes] = []
        self.read_bytes = 0
        self.connections = 0
        self.break_after: int | None = None
        self._context = context
        self._stopping = False
        self._listener = socket.create_server(("localhost", port))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._stopping:
            sock, _ = self._listener.accept()
            with sock, suppress(OSError):
                if self._stopping:
                    return
                with self._context.wrap_socket(sock, server_side=True) as stream:
                    self.connections += 1
                    self._read(stream)

    def _read(self, stream: ssl.SSLSocket) -> None:
        data = b""
        while piece := stream.recv(65536):
            self.read_bytes += len(piece)
            data += piece
            while (space := data.find(b" ")) > 0 and len(data) > space + int(data[:space]):
                end = space + 1 + int(data[:space])
                self.frames.append(data[space + 1 : end])
                data = data[end:]
                if self.break_after is not None and len(self.frames) >= self.break_after:
                    self.break_after = None
                    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    stream.close()  # RST
                    return

    def close(self) -> None:
        self._stopping = True
        with suppress(OSError):
            socket.create_connection(("localhost", self.port), 1).close()
        self._thread.join(5)
        self._listener.close()

    def numbers(self) -> list[int]:
        return [int(re.search(rb'AuditSourceID="NODE-(\d+)"', each)[1]) for each in self.frames]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    tls = certificate(tmp_path_factory.mktemp("repository"), "repository")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.private_key)
    return context, tls.certificate


@pytest.fixture
def repository(files: tuple[ssl.SSLContext, Path]) -> Iterator[Repository]:
    found = Repository(files[0])
    yield found
    found.close()


def settings_for(spool: Path, port: int, ca: Path | None) -> Settings:
    repository = RepositorySettings("localhost", port, ca, timeout_s=5.0)
    return Settings(spool=SpoolSettings(spool), audit=AuditSettings(repository=repository))


@contextmanager
def sending(settings: Settings) -> Iterator[Courier]:
    stop = threading.Event()
    assert settings.audit.repository
    courier = Courier(settings, settings.audit.repository, stop)
    thread = threading.Thread(target=courier.run, daemon=True)
    thread.start()
    try:
        yield courier
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def wait_for(what: Callable[[], bool], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def add(spool: Path, *numbers: int) -> None:
    chain.append_all(spool, [entry(number) for number in numbers])


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[log.Event, object]]:
    events: list[tuple[log.Event, object]] = []
    monkeypatch.setattr(log._log, "observer", lambda event, facts: events.append((event, facts.get("count"))))
    return events


def test_entries_arrive_as_syslog_with_their_length(
    tmp_path: Path, repository: Repository, files: tuple[ssl.SSLContext, Path]
) -> None:
    chain.append_all(tmp_path, [entry(1), entry(2, Outcome.SERIOUS_FAILURE)])
    with sending(settings_for(tmp_path, repository.port, files[1])):
        wait_for(lambda: len(repository.frames) == 2)
        add(tmp_path, 3)
        wait_for(lambda: len(repository.frames) == 3)
    found = [_HEADER.fullmatch(each.decode("utf-8")) for each in repository.frames]
    assert [each[1] for each in found if each] == ["85", "84", "85"]
    xml = [each[2] for each in found if each]
    assert xml == [str(each["message"]) for each in chain.entries(tmp_path)]
    assert etree.fromstring(xml[0].encode()).tag == "AuditMessage"


def test_what_was_taken_is_not_sent_again_by_the_next_courier(
    tmp_path: Path, repository: Repository, files: tuple[ssl.SSLContext, Path]
) -> None:
    settings = settings_for(tmp_path, repository.port, files[1])
    add(tmp_path, *range(1, 301))
    with sending(settings):
        wait_for(lambda: len(repository.frames) == 300)
        wait_for(lambda: Tail(tmp_path).position.number == 300)
    add(tmp_path, 301)
    with sending(settings):
        wait_for(lambda: len(repository.frames) >= 301)
    assert repository.numbers() == list(range(1, 302))


def test_while_the_repository_is_away_nothing_is_lost(
    tmp_path: Path, files: tuple[ssl.SSLContext, Path], said: list[tuple[log.Event, object]]
) -> None:
    with socket.create_server(("localhost", 0)) as placeholder:
        port = placeholder.getsockname()[1]
    add(tmp_path, 1)
    with sending(settings_for(tmp_path, port, files[1])):
        wait_for(lambda: (log.Event.REPOSITORY_AWAY, None) in said)
        add(tmp_path, *range(2, 1_001))
        back = Repository(files[0], port)
        wait_for(lambda: len(back.frames) >= 1_000)
        wait_for(lambda: (log.Event.REPOSITORY_BACK, None) in said)
    back.close()
    assert back.numbers() == list(range(1, 1_001))


def test_after_a_broken_connection_all_arrives_though_some_of_it_twice(
    tmp_path: Path, repository: Repository, files: tuple[ssl.SSLContext, Path]
) -> None:
    repository.break_after = 50
    add(tmp_path, *range(1, 501))
    with sending(settings_for(tmp_path, repository.port, files[1])):
        wait_for(lambda: 500 in repository.numbers())
    assert set(repository.numbers()) == set(range(1, 501))
    assert repository.connections == 2


def test_files_that_are_closed_meanwhile_are_read_to_their_end(
    tmp_path: Path, repository: Repository, files: tuple[ssl.SSLContext, Path]
) -> None:
    with sending(settings_for(tmp_path, repository.port, files[1])):
        for number in range(1, 101):
            chain.append_all(tmp_path, [entry(number)], max_file_bytes=4_000)
        wait_for(lambda: len(repository.frames) >= 100)
    assert len(chain.audit_files(tmp_path)) > 10
    assert repository.numbers() == list(range(1, 101))


def test_entries_that_were_taken_away_before_they_were_sent_are_counted(
    tmp_path: Path,
    repository: Repository,
    files: tuple[ssl.SSLContext, Path],
    said: list[tuple[log.Event, object]],
) -> None:
    settings = settings_for(tmp_path, repository.port, files[1])
    for number in range(1, 41):
        chain.append_all(tmp_path, [entry(number)], max_file_bytes=4_000)
    with sending(settings):
        wait_for(lambda: len(repository.frames) == 40)
        wait_for(lambda: Tail(tmp_path).position.number == 40)
    for number in range(41, 81):
        chain.append_all(tmp_path, [entry(number)], max_file_bytes=4_000)
    *old, last = chain.audit_files(tmp_path)
    first_left = json.loads(last.read_bytes().splitlines()[0])["number"]
    for path in old:
        path.unlink()
    with sending(settings):
        wait_for(lambda: 80 in repository.numbers())
    assert repository.numbers()[40:] == list(range(first_left, 81))
    assert (log.Event.AUDIT_DROPPED, first_left - 41) in said


def test_a_log_that_was_begun_anew_is_sent_from_its_begin(
    tmp_path: Path, repository: Repository, files: tuple[ssl.SSLContext, Path]
) -> None:
    settings = settings_for(tmp_path, repository.port, files[1])
    add(tmp_path, *range(1, 11))
    with sending(settings):
        wait_for(lambda: len(repository.frames) == 10)
        wait_for(lambda: Tail(tmp_path).position.number == 10)
    (tmp_path / "audit.log").rename(tmp_path / "archived")
    add(tmp_path, 101, 102)
    with sending(settings):
        wait_for(lambda: len(repository.frames) == 12)
    assert repository.numbers()[10:] == [101, 102]


def test_a_repository_without_the_right_certificate_gets_nothing(
    tmp_path: Path,
    repository: Repository,
    tmp_path_factory: pytest.TempPathFactory,
    said: list[tuple[log.Event, object]],
) -> None:
    other = certificate(tmp_path_factory.mktemp("other"), "other")
    add(tmp_path, 1)
    with sending(settings_for(tmp_path, repository.port, other.certificate)):
        wait_for(lambda: (log.Event.REPOSITORY_AWAY, None) in said)
        time.sleep(1.5)
    assert repository.read_bytes == 0
    assert not (tmp_path / "audit.sent").exists()


def test_a_certificate_that_is_missing_stops_the_role(tmp_path: Path) -> None:
    with (
        pytest.raises(Misconfigured, match=r"audit\.repository"),
        sending(settings_for(tmp_path, 6514, tmp_path / "none.pem")),
    ):
        pass
