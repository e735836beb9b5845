"""Storage commitment over real associations: Orthanc asks the node, and the node asks Orthanc (PS3.4 Annex J)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from node.commitment.tables import CommitmentTables
from node.ledger import open_ledger
from tests.factories import STUDY, ct, to_bytes
from tests.network import HOST, Node, free_port, missing, storescp, wait_until
from tests.orthanc import Orthanc

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        bool(missing("Orthanc", "storescp")), reason="Orthanc or DCMTK is not installed (Debian: orthanc dcmtk)"
    ),
]

UNKNOWN = "2.25.4711"
MR = "1.2.840.10008.5.1.4.1.1.4"


@dataclass
class CommittingNode(Node):
    """A node with `commitment` in its project, and peers that say where they take reports."""

    commitment: str = "none"
    senders: dict[str, int] = field(default_factory=dict)

    def write_config(self) -> None:
        self.sections.setdefault("forward", {}).update(first_retry_s=0.2, max_retry_s=1.0)
        super().write_config()
        lines = [self.config.read_text("utf-8").rstrip(), f'commitment = "{self.commitment}"']
        for ae_title, port in self.senders.items():
            lines += ["[[peers]]", f'ae_title = "{ae_title}"', f'address = "{HOST}"']
            lines += [f'commitment = {{ ae_title = "{ae_title}", host = "{HOST}", port = {port} }}'] if port else []
        self.config.write_text("\n".join([*lines, ""]), encoding="utf-8")

    def pending(self) -> int:
        """Return how many transactions of senders are not over."""
        return len(list((self.spool / "commitment").glob("*.json")))

    def raw(self) -> int:
        return len(list((self.spool / "incoming").glob("*.dcm")))


def instances(count: int) -> list[Any]:
    return [ct(STUDY, seed) for seed in range(count)]


def references(made: list[Any]) -> list[tuple[str, str]]:
    return [(str(each.SOPClassUID), str(each.SOPInstanceUID)) for each in made]


def send_all(sender: Orthanc, made: list[Any]) -> None:
    sender.store("node", *(sender.upload(to_bytes(each)) for each in made))


def answered(sender: Orthanc, transaction: str, node: Node, within_s: float = 60) -> dict[str, Any]:
    wait_until(
        lambda: sender.report(transaction)["Status"] != "Pending",
        within_s,
        f"{sender.ae_title} has its report: {node.tail()}\n{sender.log()[-2000:]}",
    )
    return sender.report(transaction)


def succeeded(report: dict[str, Any]) -> set[str]:
    return {each["SOPInstanceUID"] for each in report["Success"]}


def failures(report: dict[str, Any]) -> dict[str, int]:
    return {each["SOPInstanceUID"]: each["FailureReason"] for each in report["Failures"]}


@pytest.mark.parametrize("lost", ["nothing", "the ledger"])
def test_a_sender_gets_its_commitment_in_its_own_uids_once_all_is_forwarded(tmp_path: Path, lost: str) -> None:
    sender = Orthanc(tmp_path / "sender", "SENDER")
    archive_port = free_port()
    made = instances(3)
    with CommittingNode(
        tmp_path / "node", archive_port, commitment="forwarded", senders={"SENDER": sender.port}
    ) as node:
        sender.modalities = {"node": ("DEIDNODE", node.port)}
        with sender:
            send_all(sender, made)
            transaction = sender.ask("node", *references(made))
            wait_until(lambda: node.pending() == 1, 20, f"the request is in the spool: {node.tail()}")
            node.kill()  # the archive is away; nothing may be lost of the request
            assert sender.report(transaction)["Status"] == "Pending"
            if lost == "the ledger":
                for path in node.spool.glob("ledger.db*"):
                    path.unlink()
            node.start()
            with storescp(tmp_path / "archive", "+B", port=archive_port):
                report = answered(sender, transaction, node)
                assert report["Status"] == "Success"
                assert succeeded(report) == {uid for _, uid in references(made)}
                wait_until(lambda: node.pending() == 0, 20, "nothing is left of the transaction")
        stored = {path.name for path in (tmp_path / "archive").iterdir()}
    assert len(stored) == 3
    said = node.log.read_bytes() + b"".join(path.read_bytes() for path in node.spool.glob("ledger.db*"))
    for _, uid in references(made):
        assert not any(uid in name for name in stored)
        assert uid.encode() not in said


def test_what_never_came_and_what_was_refused_is_reported_with_its_reason(tmp_path: Path) -> None:
    sender = Orthanc(tmp_path / "sender", "SENDER")
    made = instances(2)
    made[1].PatientIdentityRemoved = "YES"
    refused = ct(STUDY, 7)
    del refused.PixelData
    refused.PixelData = b"\0" * 10  # fewer bytes than Rows and Columns say
    sections: dict[str, dict[str, object]] = {"commitment": {"unknown_after_s": 1.0}}
    with (
        storescp(tmp_path / "archive", "+B") as (port, _),
        CommittingNode(
            tmp_path / "node", port, commitment="forwarded", senders={"SENDER": sender.port}, sections=sections
        ) as node,
    ):
        sender.modalities = {"node": ("DEIDNODE", node.port)}
        with sender:
            send_all(sender, [*made, refused])
            right, wrong = references(made)[0], (MR, references(made)[1][1])
            nowhere, bad = (MR, UNKNOWN), references([refused])[0]
            report = answered(sender, sender.ask("node", right, wrong, nowhere, bad), node)
    assert report["Status"] == "Failure"
    assert succeeded(report) == {right[1]}
    assert failures(report) == {wrong[1]: 0x0119, UNKNOWN: 0x0112, bad[1]: 0x0110}


def test_received_is_committed_while_the_archive_is_away(tmp_path: Path) -> None:
    sender = Orthanc(tmp_path / "sender", "SENDER")
    made = instances(2)
    with CommittingNode(tmp_path / "node", free_port(), commitment="received", senders={"SENDER": sender.port}) as node:
        sender.modalities = {"node": ("DEIDNODE", node.port)}
        with sender:
            send_all(sender, made)
            report = answered(sender, sender.ask("node", *references(made)), node)
        assert succeeded(report) == {uid for _, uid in references(made)}
        assert node.raw() == 2


def test_a_sender_that_is_away_gets_its_report_when_it_is_back(tmp_path: Path) -> None:
    sender = Orthanc(tmp_path / "sender", "SENDER")
    made = instances(1)
    with CommittingNode(tmp_path / "node", free_port(), commitment="received", senders={"SENDER": free_port()}) as node:
        sender.modalities = {"node": ("DEIDNODE", node.port)}
        with sender:
            send_all(sender, made)
            transaction = sender.ask("node", *references(made))
            wait_until(lambda: "commitment-failed" in node.log.read_text(), 30, f"a report was lost: {node.tail()}")
            node.stop()
            node.senders = {"SENDER": sender.port}  # the operator mends the configuration
            node.write_config()
            node.start()
            report = answered(sender, transaction, node)
    assert succeeded(report) == {uid for _, uid in references(made)}


def test_raw_files_stay_until_the_archive_has_committed_itself(tmp_path: Path) -> None:
    archive = Orthanc(tmp_path / "archive", "ARCHIVE")
    sections: dict[str, dict[str, object]] = {
        "destinations.archive": {"commitment": True},
        "commitment": {"ask_after_s": 0.5, "ask_again_s": 3.0},
    }
    node = CommittingNode(tmp_path / "node", archive.port, sections=sections, senders={"ARCHIVE": 0, "SENDER": 0})
    # The archive's reports go astray: nobody listens where it believes the node to be.
    archive.modalities = {"node": ("DEIDNODE", free_port())}
    sender = Orthanc(tmp_path / "sender", "SENDER", {"node": ("DEIDNODE", node.port)})
    with node:
        with archive, sender:
            send_all(sender, instances(3))
            wait_until(lambda: len(archive.instances()) == 3, 60, f"3 instances are in the archive: {node.tail()}")
            wait_until(lambda: "commitment-asked" in node.log.read_text(), 30, f"the archive was asked: {node.tail()}")
            assert node.raw() == 3
        node.kill()
        assert node.raw() == 3
        archive.modalities = {"node": ("DEIDNODE", node.port)}
        node.start()
        with archive:
            node.wait_idle(60)
            assert len(archive.instances()) == 3
        assert node.quarantined() == []


def test_what_the_archive_lost_is_sent_once_more(tmp_path: Path) -> None:
    archive = Orthanc(tmp_path / "archive", "ARCHIVE")
    sections: dict[str, dict[str, object]] = {
        "destinations.archive": {"commitment": True},
        "commitment": {"ask_after_s": 3600.0},
    }
    node = CommittingNode(tmp_path / "node", archive.port, sections=sections, senders={"ARCHIVE": 0, "SENDER": 0})
    archive.modalities = {"node": ("DEIDNODE", node.port)}
    sender = Orthanc(tmp_path / "sender", "SENDER", {"node": ("DEIDNODE", node.port)})
    with node, archive, sender:
        send_all(sender, instances(2))
        wait_until(lambda: len(archive.instances()) == 2, 60, f"2 instances are in the archive: {node.tail()}")
        lost = min(archive.instances().items())
        archive.delete(lost[1])
        assert node.raw() == 2
        node.stop()
        sections["commitment"] = {"ask_after_s": 0.1}
        node.write_config()
        node.start()
        node.wait_idle(90)
        assert lost[0] in archive.instances()
        ledger = open_ledger(node.spool)
        assert CommitmentTables(ledger).to_ask("archive", 10) == []
        ledger.close()
