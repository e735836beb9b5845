"""The documents say what the code does, and their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deid.errors import Reason
from node.cli import _parser
from node.commands.exits import Exit
from node.jobs import NodeReason
from node.statement import STATEMENT, TABLES, filled

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "CONFORMANCE.md", "OPERATIONS.md", "SECURITY.md", "systemd/README.md")
LATER = {Reason.UNMAPPED_PATIENT}  # is held, and quarantined only by `clean`


def test_the_tables_of_the_conformance_statement_are_those_of_the_code() -> None:
    text = STATEMENT.read_text("utf-8")
    assert filled(text) == text, "run python -m node.statement"


def test_a_table_that_says_something_else_is_found() -> None:
    text = STATEMENT.read_text("utf-8").replace("| 0110 |", "| 0111 |")
    assert filled(text) != text


@pytest.mark.parametrize("text", ["", "<!-- services -->", "<!-- no-such-table --> <!-- /no-such-table -->"])
def test_a_statement_without_a_table_or_with_an_unknown_one_is_an_error(text: str) -> None:
    whole = "".join(f"<!-- {name} -->\n<!-- /{name} -->" for name in TABLES)
    with pytest.raises(LookupError):
        filled(whole + text if "no-such" in text else text)


def test_the_failure_guide_names_every_reason_of_the_quarantine() -> None:
    guide = (ROOT / "README.md").read_text("utf-8").partition("### Why has a study not arrived")[2]
    missing = [str(reason) for reason in (*Reason, *NodeReason) if f"`{reason}`" not in guide and reason not in LATER]
    assert missing == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_between_documents_lead_to_files(name: str) -> None:
    document = ROOT / name
    for target in re.findall(r"\]\(([^)#]+)", document.read_text("utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_in_documents_are_there(name: str) -> None:
    commands = set(_parser().format_help().split("commands:")[1].split())
    for command in re.findall(r"(?:`|^ {4,}\S*/?)deid-node ([a-z]+)\b", (ROOT / name).read_text("utf-8"), re.MULTILINE):
        assert command in commands, command


def test_make_targets_in_documents_are_there() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for name in DOCUMENTS:
        for target in re.findall(r"`make ([a-z0-9-]+)", (ROOT / name).read_text("utf-8")):
            assert target in targets, f"{name}: {target}"


def test_the_exit_codes_of_the_readme_are_those_of_the_program() -> None:
    section = (ROOT / "README.md").read_text("utf-8").partition("## Exit codes")[2].partition("\n## ")[0]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)} == {code.value for code in Exit}
