"""Which line each key of a TOML file stands on."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid.errors import Misconfigured
from deid.profile import load_profile
from deid.toml_lines import line_of, lines_of

TEXT = '''# a comment with [brackets] and key = 1
top = 1
"quoted key" = "a # no comment"
text = """
[not.a.table]
no = "key"
"""
[receive]
port = 104          # = 5
list = [
  "one",            # the first
  { a = 1, b = [2,
     3] },
]
receive.deep.key = 7
[[peers]]
ae_title = 'A'
[[peers]]
ae_title = "B"
commitment = { ae_title = "C", host = "h" }
[[projects]]
[projects.identity]
mode = "keyed"
[projects.identity.columns]
ignore = []
[[projects]]
[projects.identity]
mode = "table"
[destinations."a.b"]
last = 1979-05-27T07:32:00Z
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("top", 2),
        ("quoted key", 3),
        ("text", 4),
        ("receive", 8),
        ("receive.port", 9),
        ("receive.list", 10),
        ("receive.list.1", 11),
        ("receive.list.2", 12),
        ("receive.list.2.b", 12),
        ("receive.list.2.b.2", 13),
        ("receive.receive.deep.key", 15),
        ("peers", 16),
        ("peers.1.ae_title", 17),
        ("peers.2", 18),
        ("peers.2.commitment.host", 20),
        ("projects.1.identity.mode", 23),
        ("projects.1.identity.columns.ignore", 25),
        ("projects.2.identity.mode", 28),
        ("destinations.a.b.last", 30),
    ],
)
def test_a_key_stands_on(key: str, line: int) -> None:
    tomllib.loads(TEXT)
    assert line_of(lines_of(TEXT), key) == line


def test_what_is_not_there_is_where_it_would_be() -> None:
    lines = lines_of(TEXT)
    assert line_of(lines, "receive.prot") == 8
    assert line_of(lines, "peers.2.address") == 18
    assert line_of(lines, "nowhere.at.all") is None


def paths(value: Any, path: str = "") -> list[str]:
    inner = value.items() if isinstance(value, dict) else enumerate(value, 1) if isinstance(value, list) else ()
    found = []
    for key, each in inner:
        here = f"{path}.{key}" if path else str(key)
        found += [here, *paths(each, here)]
    return found


@pytest.mark.parametrize(
    "file", sorted((Path(__file__).parents[2] / "config").rglob("*.toml")), ids=lambda file: file.name
)
def test_each_key_of_the_shipped_files_has_a_line_on_which_it_stands(file: Path) -> None:
    text = file.read_text("utf-8")
    lines, rows = lines_of(text), text.split("\n")
    for path in paths(tomllib.loads(text)):
        assert path in lines
        last = path.rpartition(".")[2]
        assert last.isdecimal() or last in rows[lines[path] - 1]


@given(st.text(alphabet="ab=[]{}.,\"'#\\\n \t1", max_size=60))
def test_no_text_makes_it_stumble_or_hang(text: str) -> None:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert all(1 <= line <= text.count("\n") + 1 for line in lines_of(text).values())


PROFILE = """name = "own"
description = "for a test"
options = [
    "clean_descriptors",
    "retain_dates",
]
optins = 3

[overrides]
PatientSex = "K"
PatientSx = "K"
PatientName = "remove"

[text]
by = "rules"
[text.thresholds]
nobody = 0.5
"""


@pytest.mark.parametrize(
    ("drop", "line", "said"),
    [
        ((), 7, "unknown key 'optins'; allowed: name, description, options"),
        ((7,), 5, "unknown option 'retain_dates'"),
        ((5, 7, 17), 11, "'PatientSx' is unknown"),
        ((5, 7, 11, 17), 12, "PatientName = 'remove'"),
        ((5, 7, 11, 12), 17, "unknown threshold 'nobody'"),
    ],
)
def test_what_is_wrong_with_a_profile_is_told_with_its_line(
    tmp_path: Path, drop: tuple[int, ...], line: int, said: str
) -> None:
    file = tmp_path / "own.toml"
    rows = PROFILE.split("\n")
    file.write_text("\n".join("" if number in drop else row for number, row in enumerate(rows, 1)))
    with pytest.raises(Misconfigured) as error:
        load_profile(file)
    assert str(error.value).startswith(f"profile {file}:{line}: {said}")


def test_what_could_be_any_of_several_lines_is_told_without_one(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("options = [\n'retain_long_full_dates',\n'retain_long_modified_dates']\n")
    with pytest.raises(Misconfigured, match=r"own.toml: .* contradict"):
        load_profile(file)
