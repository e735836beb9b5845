"""All faults at once: one node with a route for each, one archive behind all of them."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pydicom

from deid.context import Context
from deid.elements.uids import map_uid
from deid.engine import deidentify
from deid.instance import Instance
from deid.keys import Keys
from deid.profile import load_profile
from tests import factories
from tests.factories import Study
from tests.faults.certificates import Certificates
from tests.faults.proxy import HOST, Proxy
from tests.faults.sink import Sink
from tests.faults.table import CONNECT_TIMEOUT_S, DIMSE_TIMEOUT_S, Outcome, Row
from tests.network import KEY, ROOT, Node
from tests.people import PATIENTS
from tests.sender import send


@dataclass
class Routes(Node):
    """A node with a project and a destination for each row; `proxies` are what the destinations' ports lead to."""

    proxies: Sequence[tuple[Row, Proxy]] = ()
    certificates: Certificates | None = None

    def write_config(self) -> None:
        super().write_config()
        tables = "".join(self._route(number, row, proxy) for number, (row, proxy) in enumerate(self.proxies))
        self.config.write_text(self.config.read_text("utf-8") + tables, "utf-8")

    def _route(self, number: int, row: Row, proxy: Proxy) -> str:
        name = f"row{number}"
        destination = {"ae_title": "ARCHIVE", "host": HOST, "port": proxy.port, "associations": 1}
        text = f"\n[destinations.{name}]\n" + _lines(destination)
        if row.tls and self.certificates:
            tls = self.certificates.node
            files = {"certificate": tls.certificate, "private_key": tls.private_key, "ca": tls.ca}
            text += f"[destinations.{name}.tls]\n" + _lines({key: str(path) for key, path in files.items()})
        return (
            text
            + "\n[[projects]]\n"
            + _lines(
                {"name": name, "called_ae_title": f"ROW{number}", "profile": "longitudinal", "destinations": [name]}
            )
        )


def _lines(values: dict[str, object]) -> str:
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a row; `wrong` says what should not have."""

    row: Row
    outcome: str
    sent: int
    wrong: list[str] = field(default_factory=list)


def run(
    folder: Path, rows: Sequence[Row], certificates: Certificates | None, give_up_days: float, timeout_s: float = 120
) -> list[Found]:
    """Send two instances over each row's route, of which the fault hits the first, and look what came of them.

    Raises
    ------
    TimeoutError
        if some are neither delivered nor in quarantine by then
    """
    forward = {
        "first_retry_s": 0.2,
        "max_retry_s": 1.0,
        "give_up_days": give_up_days,
        "dimse_timeout_s": DIMSE_TIMEOUT_S,
        "connect_timeout_s": CONNECT_TIMEOUT_S,
    }
    with contextlib.ExitStack() as stack:
        archive = Sink()
        port = stack.enter_context(archive.listening())
        tests = [_Test(folder / f"row{number}", number, row) for number, row in enumerate(rows)]
        tls = certificates.right if certificates else None
        proxies = [
            stack.enter_context(Proxy(port, row.fault, row.times, test.new_uid, tls if row.tls else None))
            for test, row in zip(tests, rows, strict=True)
        ]
        node = Routes(
            folder / "node",
            port,
            sections={"forward": forward, "work": {"processes": 2}},
            proxies=list(zip(rows, proxies, strict=True)),
            certificates=certificates,
        )
        stack.enter_context(node)
        for number, test in enumerate(tests):
            answers = send(test.paths, node.port, called=f"ROW{number}")
            if not all(answer.is_acknowledged for answer in answers):
                raise RuntimeError(f"row {number}: the node took {answers}")
        node.wait_idle(timeout_s)
        reasons = {each.sop_instance_uid: (each.reason, each.detail) for each in node.quarantined()}
        return [test.judged(archive, proxy, reasons) for test, proxy in zip(tests, proxies, strict=True)]


class _Test:
    """The two instances of a row: the victim of its fault, and another one, which must arrive all the same."""

    def __init__(self, folder: Path, number: int, row: Row) -> None:
        folder.mkdir(parents=True)
        self.row = row
        self.paths = []
        for seed in range(2):
            ds = factories.ct(Study(PATIENTS[number % len(PATIENTS)], number=number + 1), seed, size=64)
            self.paths.append(folder / f"{seed}.dcm")
            self.paths[-1].write_bytes(factories.to_bytes(ds))
        self.uids = [str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in self.paths]
        self.new_uids = [map_uid(Keys.from_secret(KEY).uid, uid) for uid in self.uids]

    @property
    def new_uid(self) -> str:
        """Of the victim."""
        return self.new_uids[0]

    def judged(self, archive: Sink, proxy: Proxy, reasons: dict[str, tuple[str, str]]) -> Found:
        """Compare what is there with what has to be."""
        row = self.row
        wrong = [*self._wrongly_archived(archive)]
        reason, detail = reasons.get(self.uids[0], ("", ""))
        outcome = Outcome.QUARANTINED.value if reason else Outcome.DELIVERED.value
        if proxy.hits and not reason and row.outcome is Outcome.DELIVERED_LATER:
            outcome = Outcome.DELIVERED_LATER.value
        if outcome != row.outcome:
            wrong.append(f"is {outcome}")
        if reason != row.reason or row.detail not in detail:
            wrong.append(f"reason {reason}: {detail}")
        if row.sent is not None and not self._is_number(row, proxy.attempts):
            wrong.append(f"sent {proxy.attempts} times")
        expected_hits = row.times if row.outcome is not Outcome.QUARANTINED else 1
        if row.name != "TLS as agreed" and proxy.hits < expected_hits:
            wrong.append(f"the fault was done {proxy.hits} times")
        if row.times < 1 << 20 and row.reason != "sop-class-not-accepted" and self.uids[1] in reasons:
            wrong.append("the other instance is in quarantine")
        return Found(row, f"{outcome} ({reason})" if reason else outcome, proxy.attempts, wrong)

    @staticmethod
    def _is_number(row: Row, attempts: int) -> bool:
        """Say whether it came as often as it should; on a machine that is busy, one more may have been too slow."""
        expected = row.sent or 0
        return attempts >= expected if row.outcome is Outcome.DELIVERED_LATER else attempts == expected

    def _wrongly_archived(self, archive: Sink) -> Iterator[str]:
        context = Context(load_profile(ROOT / "config" / "profiles" / "longitudinal.toml"), Keys.from_secret(KEY))
        for path, new_uid in zip(self.paths, self.new_uids, strict=True):
            is_victim = new_uid == self.new_uid
            if new_uid in archive.conflicts:
                yield "came with two contents"
            if new_uid in archive.digests:
                clean = deidentify(Instance.from_part10(path.read_bytes()), context).clean
                if archive.digests[new_uid] != hashlib.sha256(b"".join(clean.chunks)).digest():
                    yield "is not what was to be sent"
            elif is_victim and self.row.outcome is not Outcome.QUARANTINED:
                yield "is not in the archive"
