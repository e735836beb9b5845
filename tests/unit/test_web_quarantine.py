"""The quarantine in the console: who sees what, what is audited before it is shown, and what becomes a decision."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import cv2
import numpy as np
import pytest

from deid.elements.file_meta import part10_header
from deid.errors import Reason
from node.decisions import DECISIONS, Act, Decisions
from node.jobs import JobId, NodeReason, new_job_id
from node.settings import Settings, SpoolSettings
from node.web import reasons
from node.web.app import make_app
from node.web.console import Console, open_console
from node.web.gate import COOKIE, fingerprint
from node.web.settings import WebSettings
from node.web.users import User, UserRole, changing
from node.web.viewer import Viewer
from tests import factories

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CT = factories.ct(size=32)
NAME = str(factories.STUDY.patient.name).split("^", maxsplit=1)[0]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Site:
    """A console without a server, and its spool."""

    console: Console
    tokens: dict[str, tuple[str, str]]

    def ask(self, path: str, user: str = "anna", form: dict[str, object] | None = None) -> Answer:
        token, csrf = self.tokens[user]
        body = urlencode({"csrf": csrf, **form}, doseq=True).encode() if form is not None else b""
        where, _, query = path.partition("?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET" if form is None else "POST",
            "path": where,
            "raw_path": where.encode(),
            "query_string": query.encode(),
            "headers": [(b"cookie", f"{COOKIE}={token}".encode()), (b"host", b"node"), (b"accept", b"text/html")],
            "scheme": "http",
            "server": ("node", 80),
            "client": ("127.0.0.1", 5000),
            "root_path": "",
        }
        sent: list[dict[str, object]] = []

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        asyncio.run(make_app(self.console)(scope, receive, send))  # type: ignore[arg-type]
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}  # type: ignore[attr-defined]
        content = b"".join(message.get("body", b"") for message in sent[1:])  # type: ignore[misc]
        return Answer(int(sent[0]["status"]), headers, content)  # type: ignore[call-overload]

    def refused(self, reason: str = Reason.TEXT_LEFT, data: bytes | None = None, detail: str = "") -> JobId:
        spool, ledger, job_id = self.console.spool, self.console.ledger, new_job_id()
        header = part10_header(CT.SOPClassUID, CT.SOPInstanceUID, CT.file_meta.TransferSyntaxUID, "CT1", "", "DEIDNODE")
        content = factories.data_set_bytes(CT) if data is None else data
        ledger.received(job_id, "default", spool.put_incoming(job_id, header, [content]))
        ledger.cleaning([job_id])
        spool.quarantine(job_id, reason, detail, "default")
        ledger.quarantined(job_id, reason)
        return job_id

    def audited(self) -> list[dict[str, object]]:
        path = self.console.spool.path / "audit.log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def decided(self) -> Decisions:
        return Decisions(self.console.spool.path / DECISIONS)


@pytest.fixture(scope="module")
def viewer() -> Iterator[Viewer]:
    viewer = Viewer(Settings())
    yield viewer
    viewer.close()


@pytest.fixture
def site(tmp_path: Path, viewer: Viewer) -> Iterator[Site]:
    settings = replace(
        Settings(), spool=SpoolSettings(tmp_path / "spool", 1), web=WebSettings(users_file=tmp_path / "users")
    )
    console = open_console(settings)
    console.viewer = viewer  # one for all tests: its processes take a while to begin
    with changing(tmp_path / "users") as users:
        for name, role in (("anna", UserRole.REVIEWER), ("vera", UserRole.VIEWER)):
            users[name] = User(name, role)
    tokens = {}
    for name in ("anna", "vera"):
        user = console.users.find(name)
        assert user is not None
        token, session = console.sessions.begin(name, fingerprint(user))
        tokens[name] = token, session.csrf
    yield Site(console, tokens)
    console.ledger.close()


def test_refused_instances_are_listed_by_reason_with_what_that_means(site: Site) -> None:
    one, other = site.refused(), site.refused(NodeReason.UNDELIVERABLE)
    text = site.ask("/quarantine").text
    assert f"/quarantine/{one}" in text
    assert f"/quarantine/{other}" in text
    assert reasons.meaning(Reason.TEXT_LEFT) in text
    filtered = site.ask("/quarantine?reason=undeliverable&project=default").text
    assert f"/quarantine/{one}" not in filtered
    assert f"/quarantine/{other}" in filtered


def test_list_goes_on_where_the_page_before_ended(site: Site) -> None:
    jobs = [site.refused() for _ in range(60)]
    first = site.ask("/quarantine").text
    following = re.search(r'href="(/quarantine\?[^"]*after=[^"]*)">Next', first)
    assert following is not None
    second = site.ask(following[1].replace("&amp;", "&")).text
    assert [job_id for job_id in jobs if f"/quarantine/{job_id}" in first] == jobs[:50]
    assert [job_id for job_id in jobs if f"/quarantine/{job_id}" in second] == jobs[50:]


@pytest.mark.parametrize("reason", [*Reason, *NodeReason])
def test_every_reason_is_said_in_words(reason: str) -> None:
    assert reasons.meaning(reason) != reason
    assert reasons.remedy(reason)


def test_viewer_gets_no_frame_and_no_header(site: Site) -> None:
    job_id = site.refused()
    page = site.ask(f"/quarantine/{job_id}", "vera")
    assert page.status == 200
    assert 'id="viewer"' not in page.text
    assert NAME not in page.text
    for path in ("frame", "facts", "header"):
        assert site.ask(f"/quarantine/{job_id}/{path}", "vera").status == 403
    for path in (f"{job_id}/trial", f"{job_id}/decide", "decide"):
        assert site.ask(f"/quarantine/{path}", "vera", {"act": "discard"}).status == 403
    assert site.audited() == []
    assert site.decided().names() == []


def test_page_of_an_instance_holds_nothing_of_the_patient_before_it_is_asked_for(site: Site) -> None:
    page = site.ask(f"/quarantine/{site.refused()}")
    assert page.status == 200
    assert NAME not in page.text
    assert site.audited() == []


def test_frame_is_a_picture_and_the_look_is_written_down_once(site: Site) -> None:
    job_id = site.refused()
    answer = site.ask(f"/quarantine/{job_id}/frame?frame=1&centre=1000&width=4000")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
    assert answer.headers["cache-control"] == "no-store"
    picture = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture.shape[:2] == (32, 32)
    facts = json.loads(site.ask(f"/quarantine/{job_id}/facts?frame=1").body)
    assert (facts["rows"], facts["columns"], facts["frames"]) == (32, 32, 1)
    (look,) = site.audited()
    assert (look["what"], look["person"], look["jobs"]) == ("looked-at", "anna", [job_id])


def test_nothing_is_shown_that_can_not_be_written_down(site: Site) -> None:
    job_id = site.refused()
    (site.console.spool.path / "audit.log").mkdir()
    for path in ("frame", "facts", "header"):
        assert site.ask(f"/quarantine/{job_id}/{path}").status == 503
    assert site.ask(f"/quarantine/{job_id}/decide", form={"act": "rerun", "at": time.time()}).status == 503
    assert site.decided().names() == []


@pytest.mark.parametrize(
    "query", ["frame=2", "frame=0", "part=1,2", "centre=x&width=1", "width=inf&centre=1", "frame=x"]
)
def test_frame_that_is_not_there_is_said_to_be_so(site: Site, query: str) -> None:
    answer = site.ask(f"/quarantine/{site.refused()}/frame?{query}")
    assert answer.status in {400, 422}


def test_header_shows_what_becomes_of_each_element_and_is_written_down(site: Site) -> None:
    job_id = site.refused()
    text = site.ask(f"/quarantine/{job_id}/header").text
    assert NAME in text
    assert "PatientName" in text
    assert "pseudonym" in text
    assert [(each["what"], each["of"]) for each in site.audited()] == [("looked-at", "header")]


def test_attribute_that_the_refusal_names_is_marked(site: Site) -> None:
    job_id = site.refused(Reason.IDENTIFIER_LEFT, detail="(0008,0060)")
    rows = re.findall(r'<tr class="([^"]*)">(.*?)</tr>', site.ask(f"/quarantine/{job_id}/header").text, re.DOTALL)
    assert [row.count("(0008,0060)") for kind, row in rows if "named" in kind] == [1]


def test_instance_that_can_not_be_read_says_why(site: Site) -> None:
    job_id = site.refused(Reason.MALFORMED, b"\x10\x00\x10\x00PN\xff\xff")
    answer = site.ask(f"/quarantine/{job_id}/frame")
    assert answer.status == 422
    assert "malformed-data-set" in answer.text or "truncated" in answer.text


def test_trial_says_what_would_be_masked_and_its_frame_can_be_seen(site: Site) -> None:
    job_id = site.refused()
    form = {"boxes": "[[2, 4, 20, 12, 1, 0]]"}
    while not (result := json.loads(site.ask(f"/quarantine/{job_id}/trial", form=form).body))["ready"]:
        time.sleep(0.1)
    assert result["refused"] == result["doubt"] == ""
    assert [(each["box"], each["why"]) for each in result["masked"]] == [([2, 4, 20, 12], "drawn-by-a-person")]
    answer = site.ask(f"/quarantine/{job_id}/frame?trial={result['trial']}&centre=1000&width=4000")
    picture = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert len(np.unique(picture[4:12, 2:20])) == 1
    assert len(np.unique(picture)) > 10
    assert site.ask(f"/quarantine/{job_id}/frame?trial={'0' * 32}").status == 410
    assert site.decided().names() == []


# Decisions


def decide(site: Site, job_id: JobId, act: str, **more: object) -> Answer:
    return site.ask(f"/quarantine/{job_id}/decide", form={"act": act, "at": time.time(), **more})


def test_mask_becomes_a_decision_that_is_written_down_first(site: Site) -> None:
    job_id = site.refused()
    answer = decide(site, job_id, "mask", boxes="[[1, 2, 3, 4, 1, 0]]")
    assert answer.status == 303
    (name,) = site.decided().names()
    decision = site.decided().read(name)
    assert decision is not None
    assert (decision.act, decision.jobs, decision.by) == (Act.MASK, (job_id,), "anna")
    assert [(each["what"], each["person"], each["jobs"]) for each in site.audited()] == [("decided", "anna", [job_id])]
    assert site.console.spool.files(job_id).quarantine  # the console moves nothing itself


@pytest.mark.parametrize(
    ("act", "more"),
    [
        ("mask", {}),
        ("mask", {"boxes": "[]"}),
        ("approve", {}),
        ("publish", {}),
        ("mask", {"boxes": "[[1]]"}),
        ("rerun", {"at": "nan"}),
        ("rerun", {"at": "inf"}),
        ("rerun", {"at": ""}),
    ],
)
def test_what_makes_no_sense_is_not_decided(site: Site, act: str, more: dict[str, object]) -> None:
    assert decide(site, site.refused(NodeReason.UNDELIVERABLE), act, **more).status in {303, 400}
    assert site.decided().names() == []
    assert site.audited() == []


def test_discarding_asks_first(site: Site) -> None:
    job_id = site.refused()
    question = decide(site, job_id, "discard")
    assert (question.status, "for good" in question.text) == (200, True)
    assert site.decided().names() == []
    assert decide(site, job_id, "discard", sure="yes").status == 303
    assert list(site.decided().waiting().values()) == [Act.DISCARD]


def test_group_is_decided_as_it_was_when_the_page_was_made(site: Site) -> None:
    jobs = [site.refused() for _ in range(3)]
    at = time.time()
    other = site.refused(NodeReason.UNDELIVERABLE)
    form = {"act": "approve", "scope": "group", "reason": "text-left-in-pixels", "project": "default", "at": at}
    assert "3 instances" in site.ask("/quarantine/decide", form=form).text
    assert site.ask("/quarantine/decide", form={**form, "sure": "yes"}).status == 303
    (name,) = site.decided().names()
    decision = site.decided().read(name)
    assert decision is not None
    assert decision.jobs == tuple(jobs)
    assert other not in decision.jobs
    assert decision.at_s == pytest.approx(at)


def test_ticked_instances_are_decided_together(site: Site) -> None:
    jobs = [site.refused() for _ in range(3)]
    form = {"act": "rerun", "scope": "some", "job": jobs[:2], "at": time.time(), "sure": "yes"}
    assert site.ask("/quarantine/decide", form=form).status == 303
    assert site.decided().waiting() == dict.fromkeys(jobs[:2], Act.RERUN)


def test_boxes_for_a_group_leave_out_frames_of_another_size(site: Site) -> None:
    job_id, alike = site.refused(), site.refused()
    other = site.refused(data=factories.data_set_bytes(factories.ct(size=16)))
    assert decide(site, job_id, "mask", boxes="[[1, 2, 9, 9, 1, 0]]", scope="group", sure="yes").status == 303
    waiting = site.decided().waiting()
    assert set(waiting) == {job_id, alike}
    assert other not in waiting


def test_form_of_another_session_decides_nothing(site: Site) -> None:
    job_id = site.refused()
    form = {"act": "rerun", "at": time.time(), "csrf": "x" * 43}
    assert site.ask(f"/quarantine/{job_id}/decide", form=form).status == 403
    assert site.decided().names() == []
