"""The audit trail of a real node: what comes, what goes, who is turned away; and nothing of a patient."""

from __future__ import annotations

import json
from pathlib import Path

import pydicom
import pytest
from lxml import etree

from node.audit import chain
from tests.factories import STUDY, ct, mr, to_bytes
from tests.network import HOST, Node, dcmtk, missing, storescp, wait_until

SCHEMA = etree.RelaxNG(etree.parse(Path(__file__).parents[1] / "standard" / "audit_message.rng"))

pytestmark = pytest.mark.timeout(240)


@pytest.mark.skipif(bool(missing("storescp", "storescu", "echoscu")), reason="DCMTK is not installed (Debian: dcmtk)")
def test_what_comes_and_goes_and_who_is_turned_away_is_in_the_audit_log(tmp_path: Path) -> None:
    modality = tmp_path / "modality"
    modality.mkdir()
    for seed in range(3):
        (modality / f"ct{seed}.dcm").write_bytes(to_bytes(ct(STUDY, seed)))
    (modality / "mr.dcm").write_bytes(to_bytes(mr(STUDY, 0)))
    with storescp(tmp_path / "archive") as (port, _):
        with Node(tmp_path / "node", port) as node:
            assert dcmtk("echoscu", "-aec", "STRANGER", HOST, str(node.port)).returncode != 0
            sent = dcmtk("storescu", "-aec", "DEIDNODE", HOST, str(node.port), *sorted(modality.iterdir()))
            assert sent.returncode == 0, sent.stderr
            wait_until(lambda: len(list((tmp_path / "archive").iterdir())) == 4, 90, f"4 are stored: {node.tail()}")
            node.wait_idle(60)
        (study,) = {pydicom.dcmread(path).StudyInstanceUID for path in (tmp_path / "archive").iterdir()}
    said = list(chain.entries(node.spool))
    told = {each["what"]: each for each in said}
    assert said[0]["what"] == "started"
    assert set(said[0]["roles"]) >= {"receive", "work", "forward"}
    assert "stopped" in told
    assert (told["received"]["stored"], told["received"]["address"]) == (4, HOST)
    assert "peer" not in told["received"]  # it is let in whatever it calls itself
    assert told["rejected"]["why"] == "association rejected: 7"
    assert sum(each["stored"] for each in said if each["what"] == "sent") == 4
    assert {tuple(each["studies"]) for each in said if each["what"] in {"sending", "sent"}} == {(study,)}
    assert [each["what"] for each in said].index("sending") < [each["what"] for each in said].index("sent")
    assert chain.check(node.spool).broken_at is None
    for each in said:
        assert SCHEMA.validate(etree.fromstring(each["message"].encode())), SCHEMA.error_log
    original = ct(STUDY, 0)
    for value in (original.PatientID, str(original.PatientName).split("^", maxsplit=1)[0], original.StudyInstanceUID):
        assert value not in json.dumps(said)
