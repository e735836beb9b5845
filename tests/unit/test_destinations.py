"""Destinations beside archives: their settings, credentials, folders, and what a DICOMweb server's answers mean."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from node.destinations import echoes, folder
from node.destinations.authorization import authorization
from node.destinations.echo import Echo, EchoResult, echo
from node.destinations.folder import PARTS, FolderOutlet, sweep
from node.destinations.settings import FolderDestination, StowDestination
from node.destinations.stow_answer import HttpRefused, check_admission, status_of
from node.errors import Misconfigured, Unreachable
from node.jobs import State
from node.ledger import open_ledger
from node.scu import Outgoing
from node.settings import Destination, ForwardSettings, Settings, SpoolSettings, load_settings
from node.status_report import collect, text
from tests.factories import STUDY, ct, data_set_bytes, mr
from tests.integration.test_forwarder import FAST, Node
from tests.network import wait_until

UID = "2.25.1"


def settings(tmp_path: Path, text: str) -> dict[str, object]:
    file = tmp_path / "node.toml"
    file.write_text(text)
    return dict(load_settings(file).destinations)


def test_a_destination_is_of_the_kind_that_it_says(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        '[[projects]]\nname = "p"\ndestinations = ["a", "b", "c"]\n'
        '[destinations.a]\nae_title = "A"\nhost = "h"\nport = 104\n'
        '[destinations.b]\nkind = "stow"\nurl = "https://pacs.example.org/dicom-web"\nauthorization = "b.auth"\n'
        '[destinations.b.tls]\nca = "ca.pem"\n'
        '[destinations.c]\nkind = "folder"\npath = "out"\n',
    )
    assert [type(each) for each in found.values()] == [Destination, StowDestination, FolderDestination]
    web, place = found["b"], found["c"]
    assert isinstance(web, StowDestination)
    assert isinstance(place, FolderDestination)
    assert (web.authorization, web.address) == (tmp_path / "b.auth", "https://pacs.example.org/dicom-web")
    assert web.tls
    assert (web.tls.ca, place.path) == (tmp_path / "ca.pem", tmp_path / "out")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('kind = "ftp"', ["destinations.archive.kind", "'c-store', 'stow', 'folder'"]),
        ('kind = "stow"', ["needs the key 'url'"]),
        ('kind = "stow"\nurl = "pacs"', ["url", "http:// or https://"]),
        ('kind = "stow"\nurl = "https://user:pw@pacs/"', ["url", "without user"]),
        ('kind = "stow"\nurl = "https://pacs:99999/x"', ["url", "no port that there can be"]),
        ('kind = "stow"\nurl = "http://pacs/x"\nauthorization = "f"', ["authorization", "unencrypted", "https://"]),
        ('kind = "stow"\nurl = "https://pacs/"\n[destinations.archive.tls]\ncertificate = "c"', ["tls", "both"]),
        ('kind = "stow"\nurl = "http://pacs/"\n[destinations.archive.tls]\nca = "c"', ["tls", "https://"]),
        ('kind = "stow"\nurl = "https://pacs/"\nport = 1', ["unknown key 'port'"]),
        ('kind = "folder"', ["needs the key 'path'"]),
        ('kind = "folder"\npath = "x"\nlayout = "{PatientID}"', ["layout", "SOPInstanceUID"]),
        ('kind = "folder"\npath = "x"\ncommitment = true', ["unknown key 'commitment'"]),
    ],
)
def test_a_mistake_is_told_with_its_key(tmp_path: Path, text: str, told: list[str]) -> None:
    with pytest.raises(Misconfigured) as error:
        settings(tmp_path, f"[destinations.archive]\n{text}\n")
    assert [word for word in told if word not in str(error.value)] == []


def test_a_credential_for_this_machine_may_go_unencrypted(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "localhost", "[::1]"):
        settings(tmp_path, f'[destinations.archive]\nkind = "stow"\nurl = "http://{host}:1/x"\nauthorization = "f"\n')


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("node:secret\n", "Basic bm9kZTpzZWNyZXQ="),
        ("node:with:colon", "Basic bm9kZTp3aXRoOmNvbG9u"),
        ("Bearer abc.def-ghi", "Bearer abc.def-ghi"),
        ("Basic bm9kZTpzZWNyZXQ=", "Basic bm9kZTpzZWNyZXQ="),
    ],
)
def test_a_credential_is_a_pair_or_a_header(tmp_path: Path, text: str, sent: str) -> None:
    file = tmp_path / "auth"
    file.write_text(text)
    file.chmod(0o600)
    assert authorization(file) == sent


@pytest.mark.parametrize("text", ["", "secret", "a:b\nc:d", "Bearer abc\r\nX-Evil: 1", "\xff\xfe"])
def test_what_is_no_credential_is_told_without_showing_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "auth"
    file.write_text(text, encoding="latin-1")
    file.chmod(0o600)
    with pytest.raises(Misconfigured) as error:
        authorization(file)
    assert "secret" not in str(error.value)


def test_a_credential_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "auth"
    file.write_text("a:b")
    file.chmod(0o644)
    with pytest.raises(Misconfigured, match="chmod 600"):
        authorization(file)
    with pytest.raises(Misconfigured, match="No such file"):
        authorization(tmp_path / "none")


def answer(stored: object = None, failed: object = None) -> bytes:
    said = {}
    for tag, item in (("00081199", stored), ("00081198", failed)):
        if item is not None:
            said[tag] = {"vr": "SQ", "Value": [item]}
    return json.dumps(said).encode()


def item(uid: str | None, tag: str = "", reason: object = None) -> dict[str, object]:
    found: dict[str, object] = {"00081155": {"vr": "UI", "Value": [uid]}} if uid else {}
    return {**found, tag: {"vr": "US", "Value": [reason]}} if tag else found


REASON, WARNING = "00081197", "00081196"


@pytest.mark.parametrize(
    ("http", "body", "status"),
    [
        (200, b"", 0),
        (200, b"<xml/>", 0),
        (200, answer(item(UID)), 0),
        (200, b"[" + answer(item(UID)) + b"]", 0),
        (200, answer(item(UID, WARNING, 0xB007)), 0xB007),
        (200, answer(item(UID, WARNING, 0x1234)), 0),
        (200, answer(item("2.25.9")), 0x0110),
        (200, answer(None, item(UID, REASON, 0xA700)), 0xA700),
        (200, answer(None, item("2.25.9", REASON, 0xA700)), 0x0110),
        (202, b"", 0x0110),
        (202, answer(item(UID)), 0),
        (202, answer(None, item(UID, REASON, 0xC122)), 0xC122),
        (409, b"", 0xC409),
        (409, answer(None, item(UID, REASON, 0x0122)), 0x0122),
        (409, answer(None, item(UID)), 0x0110),
        (409, answer(None, item(None, REASON, 0xA900)), 0xA900),
        (409, answer(None, item(UID, REASON, 0)), 0x0110),
        (409, answer(None, item(UID, REASON, 0xB000)), 0x0110),
        (409, answer(None, item(UID, REASON, "A900")), 0x0110),
        (204, b"", 0x0110),
        (400, b"", 0xC400),
        (413, b"", 0xC413),
        (451, b"", 0xC451),
        (500, answer(item(UID)), 0x0110),
        (507, b"", 0xA700),
        (505, b"", 0xC505),
        (200, b"[" * 100_000, 0),
        (200, b'{"00081198": 5, "00081199": {"Value": 7}}', 0),
    ],
)
def test_an_answer_means(http: int, body: bytes, status: int) -> None:
    assert status_of(http, body, UID) == status


@pytest.mark.parametrize("http", [301, 302, 307, 401, 403, 404, 429, 502, 503, 504])
def test_who_is_not_let_in_hears_why(http: int) -> None:
    with pytest.raises(HttpRefused, match=f"https://pacs answers HTTP {http}"):
        check_admission(http, "https://pacs")


def outgoing(ds: pydicom.Dataset | None = None) -> Outgoing:
    ds = ct(STUDY, 1) if ds is None else ds
    syntax = str(ds.file_meta.TransferSyntaxUID)
    return Outgoing(str(ds.SOPClassUID), str(ds.SOPInstanceUID), syntax, [data_set_bytes(ds)])


def place(path: Path, **changes: object) -> FolderDestination:
    path.mkdir(exist_ok=True)
    return FolderDestination(name="archive", path=path, **changes)  # type: ignore[arg-type]


def files(path: Path) -> list[Path]:
    return sorted(each for each in path.rglob("*") if each.is_file())


def test_an_instance_becomes_a_file_with_its_own_bytes(tmp_path: Path) -> None:
    ds = ct(STUDY, 1)
    instance = outgoing(ds)
    assert FolderOutlet(place(tmp_path / "out")).send(instance) == 0
    (file,) = files(tmp_path / "out")
    assert file.name == f"{ds.SOPInstanceUID}.dcm"
    assert file.read_bytes().endswith(instance.data_set[0])
    assert pydicom.dcmread(file) == pydicom.dcmread(file)
    assert pydicom.dcmread(file).file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_the_same_again_is_stored_and_other_content_is_never_written_over_it(tmp_path: Path) -> None:
    outlet = FolderOutlet(place(tmp_path / "out"))
    first, other = ct(STUDY, 1), ct(STUDY, 1)
    other.ImageComments = "other"
    assert outlet.send(outgoing(first)) == 0
    (file,) = files(tmp_path / "out")
    before = file.read_bytes()
    assert outlet.send(outgoing(first)) == 0
    assert outlet.send(outgoing(other)) == 0x0111
    assert files(tmp_path / "out") == [file]
    assert file.read_bytes() == before


def test_many_at_once_write_one_file_and_the_others_are_duplicates(tmp_path: Path) -> None:
    destination = place(tmp_path / "out")
    statuses: list[int] = []

    def write(number: int) -> None:
        ds = ct(STUDY, 1)
        ds.ImageComments = str(number)
        statuses.append(FolderOutlet(destination).send(outgoing(ds)))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [0] + [0x0111] * 7
    assert len(files(tmp_path / "out")) == 1


def test_a_file_system_without_links_keeps_what_is_there_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_link(*_: object) -> None:
        raise OSError(errno.EPERM, "no links")

    monkeypatch.setattr(os, "link", no_link)
    outlet = FolderOutlet(place(tmp_path / "out"))
    other = ct(STUDY, 1)
    other.ImageComments = "other"
    assert [outlet.send(outgoing()), outlet.send(outgoing()), outlet.send(outgoing(other))] == [0, 0, 0x0111]
    assert len(files(tmp_path / "out")) == 1


def test_a_folder_that_is_not_mounted_is_away_and_not_made(tmp_path: Path) -> None:
    destination = FolderDestination("archive", tmp_path / "nas")
    with pytest.raises(Unreachable, match="not mounted"):
        FolderOutlet(destination).send(outgoing())
    assert not (tmp_path / "nas").exists()
    assert echo(destination, FAST).result is EchoResult.UNREACHABLE
    (tmp_path / "nas").mkdir()
    assert echo(destination, FAST).result is EchoResult.ANSWERED
    assert files(tmp_path / "nas") == []


def test_a_folder_whose_server_does_not_answer_is_away(tmp_path: Path) -> None:
    # ENAMETOOLONG stands for what stat says of a stale mount (ESTALE, ENOTCONN, EHOSTDOWN)
    destination = FolderDestination("archive", tmp_path / ("x" * 300))
    outlet = FolderOutlet(destination)
    with pytest.raises(Unreachable):
        outlet.send(outgoing())
    with pytest.raises(Unreachable):
        outlet.echo()


@pytest.mark.parametrize(("number", "told"), [(errno.ENOSPC, 0xA700), (errno.EDQUOT, 0xA700), (errno.EIO, None)])
def test_a_disk_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, told: int | None
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(folder.os, "fsync", fail)
    outlet = FolderOutlet(place(tmp_path / "out"))
    if told is None:
        with pytest.raises(Unreachable):
            outlet.send(outgoing())
    else:
        assert outlet.send(outgoing()) == told
    assert files(tmp_path / "out") == []


def test_what_is_shared_stays_shared(tmp_path: Path) -> None:
    destination = place(tmp_path / "out")
    destination.path.chmod(0o2770)
    assert FolderOutlet(destination).send(outgoing()) == 0
    (file,) = files(tmp_path / "out")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o2750


def test_what_was_begun_long_ago_is_swept(tmp_path: Path) -> None:
    (tmp_path / PARTS).mkdir()
    old, new, other = tmp_path / PARTS / "1.part", tmp_path / PARTS / "2.part", tmp_path / "x.dcm"
    for file in (old, new, other):
        file.write_bytes(b"x")
    os.utime(old, (0, 0))
    os.utime(other, (0, 0))
    assert sweep(tmp_path) == 1
    assert files(tmp_path) == [new, other]


@pytest.mark.skipif(shutil.which("dcmmkdir") is None, reason="DCMTK is not installed (Debian: dcmtk)")
def test_short_names_are_a_file_set_that_dcmtk_makes_a_dicomdir_for(tmp_path: Path) -> None:
    layout = "DICOM/{PatientID:id}/{StudyInstanceUID:id}/{SeriesInstanceUID:id}/{SOPInstanceUID:id}"
    outlet = FolderOutlet(place(tmp_path / "out", layout=layout))
    for ds in (ct(STUDY, 1), ct(STUDY, 2), mr(STUDY, 1)):
        assert outlet.send(outgoing(ds)) == 0
    made = subprocess.run(
        ["dcmmkdir", "+r", "+id", ".", "+D", "DICOMDIR"],
        cwd=tmp_path / "out",
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    records = pydicom.dcmread(tmp_path / "out" / "DICOMDIR").DirectoryRecordSequence
    assert sum(record.DirectoryRecordType == "IMAGE" for record in records) == 3


def test_the_forward_role_delivers_into_a_folder_and_away_is_away(tmp_path: Path) -> None:
    destination = FolderDestination("archive", tmp_path / "out")
    node = Node(tmp_path, destination)
    jobs = [node.put(f"2.25.{number}") for number in range(1, 6)]
    with node.forwarding():
        wait_until(lambda: node.failed_attempts() >= 1, 10, "an attempt")
        assert {node.state(job_id) for job_id in jobs} == {State.CLEANED}
        destination.path.mkdir()
        for job_id in jobs:
            node.wait(job_id, State.SENT)
    assert len(files(tmp_path / "out")) == 5


def test_a_duplicate_in_a_folder_is_a_case_for_a_person(tmp_path: Path) -> None:
    node = Node(tmp_path, place(tmp_path / "out"))
    first, other = node.put("2.25.1", size=10), node.put("2.25.1", size=20)
    with node.forwarding():
        node.wait(first, State.SENT)
        node.wait(other, State.QUARANTINED)
    assert node.ledger.given_up(other) == [("archive", 0x0111)]


def test_the_ledger_keeps_the_last_echo_of_each_destination(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    assert echoes.last(ledger) == {}
    echoes.prepare(ledger)
    echoes.note(ledger, Echo("a", 10.0, EchoResult.ANSWERED, 0.5))
    echoes.note(ledger, Echo("a", 20.0, EchoResult.IN_USE))
    echoes.note(ledger, Echo("b", 20.0, EchoResult.REFUSED, None, "wrong"))
    seen = echoes.last(ledger)
    assert (seen["a"].since_s, seen["a"].well_at_s, seen["a"].at_s, seen["a"].after_s) == (10.0, 20.0, 20.0, None)
    assert (seen["b"].since_s, seen["b"].well_at_s, seen["b"].is_well) == (20.0, 0.0, False)
    echoes.note(ledger, Echo("a", 30.0, EchoResult.UNREACHABLE, None, "away"))
    echoes.note(ledger, Echo("a", 40.0, EchoResult.UNREACHABLE, None, "away"))
    seen = echoes.last(ledger)
    assert (seen["a"].since_s, seen["a"].well_at_s, seen["a"].detail) == (30.0, 20.0, "away")
    echoes.forget_others(ledger, ["b"])
    assert set(echoes.last(ledger)) == {"b"}


def test_an_echo_that_is_asked_for_is_known_until_it_is_made(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    echoes.ask(ledger, "a")
    assert echoes.is_asked_for(ledger, "a")
    assert echoes.last(ledger) == {}
    echoes.note(ledger, Echo("a", 1e12, EchoResult.ANSWERED, 0.5))
    assert not echoes.is_asked_for(ledger, "a")
    assert echoes.last(ledger)["a"].since_s == 1e12


def test_destinations_are_asked_now_and_then(tmp_path: Path) -> None:
    destination = FolderDestination("archive", tmp_path / "out")
    node = Node(tmp_path, destination, forward=replace(FAST, echo_every_s=0.2))
    with node.forwarding():
        wait_until(lambda: bool(echoes.last(node.ledger)), 10, "an echo")
        assert echoes.last(node.ledger)["archive"].result is EchoResult.UNREACHABLE
        destination.path.mkdir()
        wait_until(lambda: echoes.last(node.ledger)["archive"].is_well, 10, "an echo that is well")
    assert ForwardSettings().echo_every_s == 300


def test_status_says_what_the_last_echoes_showed(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    ledger = open_ledger(tmp_path / "spool")
    now_s = time.time()
    echoes.prepare(ledger)
    echoes.note(ledger, Echo("a", now_s - 60, EchoResult.ANSWERED, 0.012))
    echoes.note(ledger, Echo("b", now_s - 7200, EchoResult.REFUSED, None, "https://pacs answers HTTP 401"))
    report = collect(Settings(spool=SpoolSettings(tmp_path / "spool")))
    shown = text(report)
    assert "echo of a: answered after 12 ms, 1 min ago; well for 1 min\n" in shown
    assert "echo of b: refused for 2 h, never well: https://pacs answers HTTP 401\n" in shown
    assert json.loads(json.dumps(report.as_json()))["echoes"]["b"]["result"] == "refused"
