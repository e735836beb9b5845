from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from node.cli import main
from node.commands.exits import Exit

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_lock_pins_everything_by_hash_and_names_no_index_and_no_folder() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    rows = [line for line in lock.splitlines() if not line.lstrip().startswith("#")]
    assert not [line for line in rows if re.search(r"https?:|file:|index-url|find-links|\s/", line)]
    pinned = [line for line in rows if re.fullmatch(r"[a-z0-9-]+==\S+ \\", line)]
    hashes = [line for line in rows if re.fullmatch(r" {4}--hash=sha256:[0-9a-f]{64}( \\)?", line)]
    assert len(pinned) > 10
    assert len(pinned) + len(hashes) == len([line for line in rows if line])


def test_the_lock_has_every_dependency_of_the_project() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = [re.split(r"[<>=!~;\[ ]", requirement)[0] for requirement in wanted]
    assert not [name for name in names if f"\n{name}==" not in lock]


@pytest.mark.parametrize("command", sorted(set(re.findall(r"deid-node ([a-z]+)\b(?! is)", README))))
def test_every_command_in_the_readme_exists(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert "exit codes" in capsys.readouterr().out


def test_the_readme_lists_every_exit_code() -> None:
    section = README.partition("\n## Exit codes\n")[2].partition("\n## ")[0]
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)}
    assert listed == {code.value for code in Exit}


def test_the_readme_lists_every_shipped_profile() -> None:
    shipped = {path.stem for path in (ROOT / "config" / "profiles").glob("*.toml")}
    table = README.partition("\n| profile | Basic Profile and")[2].partition("\n\n")[0]
    assert shipped == set(re.findall(r"^\| `([\w-]+)`(?: \(default\))? \|", table, re.MULTILINE))


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:^ {4}|`)make ([a-z-]+)\b", README, re.MULTILINE))))
def test_every_make_target_in_the_readme_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
