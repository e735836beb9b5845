"""CONFORMANCE.md says what the code does."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from deid.conformance import STATEMENT, main, shipped_profiles, statement
from deid.encoding.syntax import TRANSFER_SYNTAXES
from deid.errors import Misconfigured
from deid.options import OPTIONS
from deid.profile import Profile
from deid.standard import confidentiality_rows, known_sop_classes
from deid.supported import is_supported
from node.contexts import STORAGE_SOP_CLASSES, TRANSFER_SYNTAX_ORDER


def cells(text: str, heading: str) -> list[list[str]]:
    """Return the rows of the first table under a heading, its header first."""
    section = text.split(f"\n## {heading}", 1)[1].split("\n## ", 1)[0]
    table = re.search(r"(?:^\|.*\n?)+", section, re.MULTILINE)
    assert table is not None
    found = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table[0].splitlines()]
    return [found[0], *found[2:]]


def test_the_file_is_what_the_code_says() -> None:
    told = "run `python -m deid.conformance`"
    assert STATEMENT.read_text(encoding="utf-8") == statement(shipped_profiles()), told


@pytest.mark.parametrize(("overrides", "cell"), [({}, "Z, 1 1C:D"), ({"PatientName": "X"}, "X *")])
def test_an_override_is_stated(overrides: dict[str, str], cell: str) -> None:
    text = statement([Profile.from_options("own", [], overrides)])
    rows = {row[0]: row for row in cells(text, "Attribute Confidentiality Details")}
    assert rows["PatientName"][-1] == cell


def test_every_row_of_the_table_is_stated_for_every_shipped_profile() -> None:
    profiles = shipped_profiles()
    header, *rows = cells(statement(profiles), "Attribute Confidentiality Details")
    assert header[4:] == [f"`{profile.name}`" for profile in profiles]
    assert len(rows) == len(confidentiality_rows())
    assert all(len(row) == len(header) for row in rows)


def test_every_option_is_stated_as_supported_or_not() -> None:
    _, _, *rows = cells(statement(shipped_profiles()), "Attribute Confidentiality Profiles")
    assert [row[1] for row in rows] == [option.code.value for option in OPTIONS.values()]
    assert {row[2] for row in rows} <= {"Y", "N"}


@pytest.mark.parametrize("option", [name for name, option in OPTIONS.items() if not option.demand])
def test_an_option_of_the_table_alone_is_supported(option: str) -> None:
    assert is_supported(option)


def test_a_step_that_waits_for_its_series_is_supported() -> None:
    assert is_supported("clean_recognizable_visual_features")


def test_the_node_takes_what_the_statement_says() -> None:
    text = statement(shipped_profiles())
    assert {row[1] for row in cells(text, "SOP Classes")[1:]} == known_sop_classes() == STORAGE_SOP_CLASSES
    assert {row[1] for row in cells(text, "Transfer Syntaxes")[1:]} == set(TRANSFER_SYNTAXES)
    assert set(TRANSFER_SYNTAX_ORDER) == set(TRANSFER_SYNTAXES)


def test_the_command_writes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "statement.md"
    monkeypatch.setattr(sys, "argv", ["conformance", "--out", str(out)])
    main()
    assert out.read_text(encoding="utf-8") == statement(shipped_profiles())


def test_a_wrong_profile_stops_it(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('options = ["retain_everything"]')
    with pytest.raises(Misconfigured, match="retain_everything"):
        shipped_profiles(tmp_path)
