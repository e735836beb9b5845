"""A node leaves nothing of a patient but where it says that it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hunt.run import Hunt, hunt
from tests.hunt.sentinels import DIGITS, LETTERS, NAMES, Mint, forms
from tests.network import missing


@pytest.mark.timeout(600)
@pytest.mark.skipif(bool(missing("storescp")), reason="DCMTK is not installed (Debian: dcmtk)")
def test_nothing_of_a_patient_is_left_outside_of_the_folders_that_hold_patients(tmp_path: Path) -> None:
    found = hunt(tmp_path, "debug", every=12)
    assert found.hits == {}
    assert found.planted > 1_000
    assert found.answers["0000"] > 20
    assert found.delivered > 10
    assert len(found.reasons) > 2
    assert found.killed > 10
    for place in (
        "file node.log",
        "file spool/ledger.db",
        "file spool/audit.log",
        "GET /metrics",
        "cmdline of a process",
    ):
        assert found.searched[place], place
    assert found.searched["file spool/quarantine/*.json"] > 3


@pytest.mark.parametrize("kind", sorted(forms()))
def test_each_form_of_a_sentinel_is_found(kind: str) -> None:
    mint = Mint()
    text, plain = {"text": (mint.text(), LETTERS), "name": (mint.name(), NAMES), "digits": (mint.uid(), DIGITS)}[
        kind.split(maxsplit=1)[0]
    ]
    found = Hunt()
    found.look("here", b"before " + forms()[kind].upper() + b" after", forms())
    assert found.hits["here", kind] == 1
    assert plain in text


def test_a_text_without_sentinels_is_no_hit() -> None:
    found = Hunt()
    found.look("here", bytes(range(256)) * 50, forms())
    assert found.hits == {}
