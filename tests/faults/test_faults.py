"""Issue 7, line 3: what comes of every status and every trouble between node and archive, and that README says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.faults import table
from tests.faults.__main__ import everything
from tests.faults.certificates import certificates
from tests.faults.table import Outcome, Row, for_ever, rows
from tests.network import ROOT

WORDS = {Outcome.DELIVERED: "delivered", Outcome.DELIVERED_LATER: "sent again", Outcome.QUARANTINED: "quarantined"}


@pytest.mark.timeout(900)
def test_each_fault_ends_as_documented(tmp_path: Path) -> None:
    found = everything(tmp_path)
    assert {each.row.name: each.wrong for each in found if each.wrong} == {}
    assert len(found) > 60


def documented() -> dict[str, str]:
    """Return the table of README: what an archive does → what comes of it."""
    section = (ROOT / "README.md").read_text("utf-8").split("## What an archive answers", 1)[1].split("\n## ", 1)[0]
    cells = re.findall(r"^\| (.+?) \| (.+?) \|$", section, re.MULTILINE)
    return {first: second for first, second in cells if not first.startswith("-")}


def test_the_readme_says_of_each_fault_what_the_table_asserts(tmp_path: Path) -> None:
    said = documented()
    made = certificates(tmp_path)
    for row in [*rows(made), *for_ever(made)]:
        (outcome,) = [cell for first, cell in said.items() if first.startswith(row.documented)]
        assert WORDS[row.outcome] in outcome, row.name
        assert not row.reason or f"`{row.reason}`" in outcome, row.name


def test_each_status_class_of_the_standard_has_a_row() -> None:
    codes = {row.name.removeprefix("status ") for row in rows(None) if re.fullmatch(r"status [0-9A-F]{4}", row.name)}
    classes = {"0000", "B000", "B006", "B007", "A700", "A900", "C000", "0122", "0124", "0111", "FF00"}
    assert classes <= codes


@pytest.mark.parametrize("row", rows(None), ids=lambda row: row.name)
def test_a_row_belongs_to_what_the_readme_lists(row: Row) -> None:
    listed = {table.STORED, table.LATER, table.REFUSED, table.NO_ANSWER, table.AWAY, table.NOTHING_ACCEPTED}
    assert row.documented in listed
