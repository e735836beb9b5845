"""DICOMweb destinations: Orthanc with its plugin, and servers that answer by a script."""

from __future__ import annotations

import json
import ssl
import threading
import time
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from deid.elements.file_meta import part10_header
from node.destinations import echoes
from node.destinations.echo import EchoResult, echo
from node.destinations.settings import FolderDestination, HttpTls, StowDestination
from node.destinations.stow import NoAnswer, StowOutlet
from node.destinations.stow_answer import HttpRefused
from node.errors import Unreachable
from node.jobs import JobId, NodeReason, State, new_job_id
from node.scu import Outgoing
from tests.dicomweb import PLUGIN, Answer, Web, credential, failed, listed, says, scripted, signed, stow
from tests.factories import STUDY, ct, data_set_bytes, to_bytes
from tests.integration.test_direct import relaying
from tests.integration.test_forwarder import CT, EXPLICIT, FAST, Node, element
from tests.network import HOST, free_port, wait_until
from tests.network import Node as RunningNode
from tests.orthanc import COMMAND
from tests.sender import send

needs_orthanc = pytest.mark.skipif(
    not Path(COMMAND).exists() or not PLUGIN.exists(),
    reason="Orthanc with DICOMweb is not installed (Debian: orthanc, orthanc-dicomweb)",
)
pytestmark = pytest.mark.timeout(120)


def put(node: Node, ds: pydicom.Dataset) -> JobId:
    """Queue an instance as if it were clean."""
    job_id, data, uid = new_job_id(), data_set_bytes(ds), str(ds.SOPInstanceUID)
    syntax = str(ds.file_meta.TransferSyntaxUID)
    header = part10_header(ds.SOPClassUID, uid, syntax)
    node.spool.put_incoming(job_id, header, [data])
    node.ledger.received(job_id, "default", len(data))
    node.spool.put_outbox(job_id, [header, data])
    node.ledger.cleaned(job_id, ["archive"], ds.SOPClassUID, syntax, len(data))
    return job_id


def outgoing(uid: str = "2.25.1", size: int = 100) -> Outgoing:
    data = element(8, 0x16, b"UI", CT.encode()) + element(8, 0x18, b"UI", uid.encode())
    return Outgoing(CT, uid, EXPLICIT, [data + element(0x20, 0x4000, b"LT", b"x" * size)])


@needs_orthanc
def test_instances_arrive_in_orthanc_as_they_are(tmp_path: Path) -> None:
    with Web(tmp_path / "orthanc", "ORTHANC") as orthanc:
        node = Node(tmp_path, stow(orthanc.url, authorization=credential(tmp_path, f"node:{orthanc.password}")))
        instances = {str(ds.SOPInstanceUID): ds for ds in (ct(STUDY, number) for number in range(8))}
        jobs = {uid: put(node, ds) for uid, ds in instances.items()}
        with node.forwarding():
            for job_id in jobs.values():
                node.wait(job_id, State.SENT)
        stored = orthanc.instances()
        assert set(stored) == set(jobs)
        for uid, job_id in jobs.items():
            assert orthanc.raw("GET", f"/instances/{stored[uid]}/file") == node.spool.outbox_path(job_id).read_bytes()
    assert node.failed_attempts() == 0


@needs_orthanc
def test_orthanc_that_is_away_gets_everything_when_it_is_back(tmp_path: Path) -> None:
    orthanc = Web(tmp_path / "orthanc", "ORTHANC")
    node = Node(tmp_path, stow(orthanc.url, authorization=credential(tmp_path, f"node:{orthanc.password}")))
    jobs = [put(node, ct(STUDY, number)) for number in range(6)]
    with node.forwarding():
        wait_until(lambda: node.failed_attempts() >= 1, 10, "an attempt")
        assert {node.state(job_id) for job_id in jobs} == {State.CLEANED}
        with orthanc:
            for job_id in jobs[:3]:
                node.wait(job_id, State.SENT)
            orthanc.__exit__()
            late = put(node, ct(STUDY, 7))
            wait_until(lambda: node.ledger.queues()[0].failing >= 1, 10, "a failure")
            with orthanc:
                for job_id in [*jobs, late]:
                    node.wait(job_id, State.SENT)
                assert len(orthanc.instances()) == 7


@needs_orthanc
def test_wrong_password_is_tried_again_until_it_is_right(tmp_path: Path) -> None:
    with Web(tmp_path / "orthanc", "ORTHANC") as orthanc:
        file = credential(tmp_path, "node:wrong")
        node = Node(tmp_path, stow(orthanc.url, authorization=file), forward=replace(FAST, echo_every_s=300.0))
        job_id = put(node, ct(STUDY, 1))
        with node.forwarding():
            wait_until(lambda: node.failed_attempts() >= 2, 10, "two attempts")
            wait_until(lambda: "archive" in echoes.last(node.ledger), 10, "an echo")
            seen = echoes.last(node.ledger)["archive"]
            assert (seen.result, seen.is_well, seen.detail) == (
                EchoResult.REFUSED,
                False,
                f"{orthanc.url} answers HTTP 401",
            )
            assert node.state(job_id) is State.CLEANED
            assert orthanc.instances() == {}
            credential(tmp_path, f"node:{orthanc.password}")  # while the node runs
            node.wait(job_id, State.SENT)
            echoes.ask(node.ledger, "archive")
            wait_until(lambda: echoes.last(node.ledger)["archive"].is_well, 10, "an echo that is asked for")


@needs_orthanc
def test_what_orthanc_cannot_read_is_a_case_for_a_person_and_the_rest_arrives(tmp_path: Path) -> None:
    with Web(tmp_path / "orthanc", "ORTHANC") as orthanc:
        node = Node(tmp_path, stow(orthanc.url, authorization=credential(tmp_path, f"node:{orthanc.password}")))
        jobs = [put(node, ct(STUDY, number)) for number in range(5)]
        broken = jobs.pop(2)
        path = node.spool.outbox_path(broken)
        path.write_bytes(path.read_bytes()[:5000])
        with node.forwarding():
            node.wait(broken, State.QUARANTINED)
            for job_id in jobs:
                node.wait(job_id, State.SENT)
        assert len(orthanc.instances()) == 4
    assert node.reason(broken) == NodeReason.REFUSED_BY_DESTINATION
    assert node.ledger.given_up(broken) == [("archive", 0xC400)]
    assert node.spool.outbox_path(broken).exists()


def test_a_series_of_which_some_instances_fail_is_delivered_but_for_those(tmp_path: Path) -> None:
    reasons = {"2.25.2": 0xA900, "2.25.4": 0x0122, "2.25.5": 0xC122}
    tries: dict[str, int] = {}

    def answer(body: bytes) -> bytes:
        uid = next(f"2.25.{number}" for number in range(1, 9) if f"UI\6\x002.25.{number}".encode() in body)
        tries[uid] = tries.get(uid, 0) + 1
        if uid == "2.25.7" and tries[uid] < 3:
            return json.dumps(failed(uid, 0xA700)).encode()
        reason = reasons.get(uid)
        return json.dumps(failed(uid, reason) if reason else listed("00081199", uid, "00081196", 0xB000)).encode()

    with scripted(*[(202, answer)] * 40) as (url, script):
        node = Node(tmp_path, stow(url))
        jobs = {f"2.25.{number}": node.put(f"2.25.{number}") for number in range(1, 9)}
        with node.forwarding():
            for uid, job_id in jobs.items():
                node.wait(job_id, State.QUARANTINED if uid in reasons else State.SENT)
    assert {uid: dict(node.ledger.given_up(jobs[uid]))["archive"] for uid in reasons} == reasons
    assert tries == dict.fromkeys(jobs, 1) | {"2.25.7": 3}
    method, path, headers, body = next(each for each in script.seen if each[0] == "POST")
    boundary = headers["Content-Type"].rpartition("=")[2]
    assert (method, path) == ("POST", "/wado/studies")
    assert body.startswith(f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode() + bytes(128) + b"DICM")
    assert body.endswith(f"\r\n--{boundary}--\r\n".encode())
    assert "Authorization" not in headers


@pytest.mark.parametrize("status", [301, 401, 403, 404, 429, 502, 503, 504])
def test_server_that_does_not_let_us_in_is_away(status: int) -> None:
    with scripted(says(status)) as (url, _):
        outlet = StowOutlet(stow(url), FAST)
        with pytest.raises(HttpRefused):
            outlet.send(outgoing())
        assert not outlet.is_open
        assert outlet.send(outgoing()) == 0
        outlet.close()


@pytest.mark.parametrize(
    ("answers", "tries"),
    [((says(500), says(507)), 3), ((says(503), says(401)), 3), (("drop",), 2), (("stall",), 2)],
)
def test_what_may_work_later_is_tried_until_it_does(
    tmp_path: Path, answers: tuple[Answer | str, ...], tries: int
) -> None:
    with scripted(*answers) as (url, script):
        node = Node(tmp_path, stow(url, associations=1))
        job_id = node.put("2.25.1")
        with node.forwarding():
            node.wait(job_id, State.SENT, 20)
    assert len(script.seen) == tries


@pytest.mark.parametrize(("status", "told"), [(400, 0xC400), (409, 0xC409), (413, 0xC413), (415, 0xC415)])
def test_refusal_is_a_case_for_a_person(tmp_path: Path, status: int, told: int) -> None:
    with scripted(says(status)) as (url, _):
        node = Node(tmp_path, stow(url, associations=1))
        refused, other = node.put("2.25.1"), node.put("2.25.2")
        with node.forwarding():
            node.wait(refused, State.QUARANTINED)
            node.wait(other, State.SENT)
    assert node.ledger.given_up(refused) == [("archive", told)]


def test_a_connection_is_kept_for_the_next_instance_and_given_back_when_idle() -> None:
    with scripted() as (url, script):
        outlet = StowOutlet(stow(url), replace(FAST, idle_release_s=0.2))
        assert [outlet.send(outgoing(f"2.25.{number}")) for number in range(3)] == [0, 0, 0]
        assert (script.connections, outlet.is_open) == (1, True)
        time.sleep(0.3)
        outlet.release_if_idle()
        assert not outlet.is_open


def test_an_instance_of_many_pieces_goes_out_whole() -> None:
    with scripted() as (url, script):
        outlet = StowOutlet(stow(url), FAST)
        big = outgoing(size=60_000)
        big = replace(big, data_set=[*big.data_set, *[b"y" * (3 << 20)] * 2])
        assert outlet.send(big) == 0
        outlet.close()
    assert b"".join(big.data_set) in script.seen[0][3]


def test_what_is_under_way_can_be_broken_off() -> None:
    with scripted("stall") as (url, _):
        outlet = StowOutlet(stow(url), replace(FAST, dimse_timeout_s=30.0))
        threading.Timer(0.3, outlet.interrupt).start()
        began_s = time.monotonic()
        with pytest.raises(NoAnswer):
            outlet.send(outgoing())
        assert time.monotonic() - began_s < 1.5


def test_an_answer_that_does_not_end_is_no_answer() -> None:
    with scripted((200, lambda _: b" " * (2 << 20))) as (url, _):
        outlet = StowOutlet(stow(url), FAST)
        with pytest.raises(NoAnswer, match="does not end"):
            outlet.send(outgoing())


def test_proxies_of_the_environment_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://{HOST}:{free_port()}")
    with scripted() as (url, _):
        outlet = StowOutlet(stow(url), FAST)
        assert outlet.send(outgoing()) == 0
        outlet.close()


def test_https_takes_the_ca_that_is_configured_and_no_other(tmp_path: Path) -> None:
    ca = signed(tmp_path, "ca", None)
    signed(tmp_path, "server", ca)
    signed(tmp_path, "node", ca)
    signed(tmp_path, "other", None)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    context.load_verify_locations(tmp_path / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    own = {"certificate": tmp_path / "node.pem", "private_key": tmp_path / "node.key"}
    secret = credential(tmp_path, "Bearer abc.def")
    with scripted(tls=context) as (url, script):
        outlet = StowOutlet(stow(url, tls=HttpTls(tmp_path / "ca.pem", **own), authorization=secret), FAST)
        assert [outlet.send(outgoing()), outlet.send(outgoing())] == [0, 0]
        outlet.close()
        assert script.seen[0][2]["Authorization"] == "Bearer abc.def"
        assert script.connections == 1
        for tls in (HttpTls(tmp_path / "other.pem", **own), None):
            with pytest.raises(Unreachable, match="certificate is not valid"):
                StowOutlet(stow(url, tls=tls), FAST).send(outgoing())
        without = StowOutlet(stow(url, tls=HttpTls(tmp_path / "ca.pem")), FAST)
        with pytest.raises((Unreachable, NoAnswer)):
            without.send(outgoing())
        assert len(script.seen) == 2


@needs_orthanc
def test_echo_tells_what_is_wrong(tmp_path: Path) -> None:
    with Web(tmp_path / "orthanc", "ORTHANC") as orthanc:
        secret = credential(tmp_path, f"node:{orthanc.password}")
        assert echo(stow(orthanc.url, authorization=secret), FAST).result is EchoResult.ANSWERED
        assert echo(stow(f"{orthanc.url}x", authorization=secret), FAST).result is EchoResult.REFUSED
    seen = echo(stow(orthanc.url, authorization=secret), FAST)
    assert (seen.result, seen.detail) == (
        EchoResult.UNREACHABLE,
        f"{orthanc.url} does not answer: Connection refused",
    )


@needs_orthanc
@pytest.mark.timeout(600)
def test_a_modality_sends_and_orthanc_and_a_folder_have_it_without_the_name(tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    with Web(tmp_path / "orthanc", "ORTHANC") as orthanc:
        credential(tmp_path, f"node:{orthanc.password}")
        node = RunningNode(tmp_path / "node", 1)
        node.write_config()
        text = node.config.read_text().replace('destinations = ["archive"]', 'destinations = ["web", "share"]')
        text += f'[destinations.web]\nkind = "stow"\nurl = "{orthanc.url}"\nauthorization = "../authorization"\n'
        node.config.write_text(text + '[destinations.share]\nkind = "folder"\npath = "../share"\n')
        try:
            node.start()
            paths = [tmp_path / f"{number}.dcm" for number in range(3)]
            for number, path in enumerate(paths):
                path.write_bytes(to_bytes(ct(STUDY, number)))
            assert all(answer.is_acknowledged for answer in send(paths, node.port))
            wait_until(lambda: len(orthanc.instances()) == 3, 240, f"3 instances: {node.tail()}")
            node.wait_idle(120)
        finally:
            assert node.stop(120) == 0
        files = {path.stem: path.read_bytes() for path in share.rglob("*.dcm")}
        stored = orthanc.instances()
        assert files == {uid: orthanc.raw("GET", f"/instances/{each}/file") for uid, each in stored.items()}
    assert not any(b"Brackenridge" in file for file in files.values())
    assert node.quarantined() == []


def test_direct_delivery_answers_once_the_server_and_the_folder_have_it(tmp_path: Path) -> None:
    share, state = tmp_path / "share", tmp_path / "state"
    share.mkdir()
    state.mkdir()
    with scripted(says(200), says(503), says(409)) as (url, script):
        web, folder = StowDestination("web", url), FolderDestination("share", share)
        with relaying(state, web, folder) as relay:
            answers = [relay.relay(bytearray(data_set_bytes(ct(STUDY, seed))), EXPLICIT) for seed in range(3)]
    assert answers == [0x0000, 0xA700, 0xC000]
    assert len(script.seen) == 3
    assert len(list(share.rglob("*.dcm"))) == 3
