"""How arguments are read, without loading any part of the node."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass

_REMOTE = re.compile(r"(?P<ae>[^@]+)@(?:\[(?P<ipv6>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^@:\[\]\s]+)):(?P<port>[0-9]{1,5})")
_AE_TITLE_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Remote:
    """A peer as it is written on the command line."""

    ae_title: str
    host: str
    port: int

    def __str__(self) -> str:
        """Write it as it was read."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.ae_title}@{host}:{self.port}"


def remote(text: str) -> Remote:
    """Read ``AE@host:port`` or ``AE@[ipv6]:port``.

    Raises
    ------
    argparse.ArgumentTypeError
        It is not written like that, or a part is out of its range (AE titles: PS3.5 Section 6.2, VR AE).
    """
    match = _REMOTE.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not AE@host:port")
    title = ae_title(match["ae"])
    port = int(match["port"])
    if not 0 < port < 1 << 16:
        raise argparse.ArgumentTypeError(f"port {port} is not between 1 and 65535")
    return Remote(title, match["ipv6"] or match["host"], port)


def ae_title(text: str) -> str:
    """Read an AE title: 1 to 16 characters of the default repertoire, no backslash (PS3.5 Section 6.2)."""
    title = text.strip(" ")
    if not 0 < len(title) <= _AE_TITLE_LENGTH or not title.isascii() or not title.isprintable() or "\\" in title:
        raise argparse.ArgumentTypeError(f"{text!r} is not an AE title (1 to 16 ASCII characters, no backslash)")
    return title


def positive(text: str) -> int:
    """Read a whole number above zero."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)
