"""What is wrong with a configuration is told with file, line, key and remedy, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.errors import Misconfigured
from node.settings import load_settings


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("\n\nprot = 1\n", 3, "unknown key 'prot'; did you mean"),
        ("# a node\n[recieve]\nport = 1\n", 2, "unknown key 'recieve'; did you mean 'receive'?"),
        ("[receive]\naddress = '::'\n\nport = 70000\n", 4, "receive.port: must be from 0 to 65535"),
        ("[receive]\nprot = 5\n", 2, "receive: unknown key 'prot'; did you mean 'port'?"),
        ("[log]\n\nlevel = 'warn'\n", 3, "log.level: must be one of 'debug', 'info', 'warning', 'error'; did you mean"),
        (
            "[[projects]]\nname = 'a'\n\ndestinations = ['archiv']\n",
            4,
            "did you mean 'archive'?",
        ),
        ("[destinations.x]\nhost = 'h'\nport = 1\n", 1, "destinations.x: needs the key 'ae_title'"),
        (
            "[destinations.x]\nae_title = 'X'\nhost = 'h'\nport = 1\n[destinations.y]\nkind = 'stoww'\n",
            6,
            "destinations.y.kind: must be one of 'c-store', 'stow', 'folder'; did you mean 'stow'?",
        ),
        ("[[peers]]\nae_title = '*'\naddress = '10.0.0.300'\n", 3, "peers.1.address: "),
        ("[[projects]]\nname = 'a'\n[[projects]]\nname = 'b'\n", 3, "two projects have the called_ae_title"),
        ("x = {a = 1}\n[spool]\npath = 's'\n", 1, "unknown key 'x'"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, line: int, told: str) -> None:
    file = tmp_path / "node.toml"
    file.write_text(text)
    with pytest.raises(Misconfigured) as error:
        load_settings(file)
    message = str(error.value)
    assert message.startswith(f"{file}:{line}: ")
    assert told in message
    assert "\n" not in message


def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text("ae_title = 'A'\n\n[receive\n")
    with pytest.raises(Misconfigured, match=r"node.toml:3: not TOML: .*\(at line 3, column 9\)"):
        load_settings(file)
