"""How arguments are read, without loading any part of the node."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from deid.pixels.box import Box
from deid.review import DrawnBox

_REMOTE = re.compile(r"(?P<ae>[^@]+)@(?:\[(?P<ipv6>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^@:\[\]\s]+)):(?P<port>[0-9]{1,5})")
_AE_TITLE_LENGTH = 16
_BOX = re.compile(r"(\d{1,5}),(\d{1,5}),(\d{1,5}),(\d{1,5})(?:@(?P<first>\d{1,9})(?:-(?P<last>\d{1,9}))?)?", re.ASCII)
_LARGEST_IMAGE_PX = 1 << 16  # Rows and Columns have 16 bits


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


def drawn_box(text: str) -> DrawnBox:
    """Read ``LEFT,TOP,RIGHT,BOTTOM``, in pixels; ``@2`` or ``@2-5`` behind it are the frames, without it all of them.

    Raises
    ------
    argparse.ArgumentTypeError
        It is not written like that, or has no pixel or no frame.
    """
    match = _BOX.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not LEFT,TOP,RIGHT,BOTTOM or LEFT,TOP,RIGHT,BOTTOM@FRAME-FRAME")
    x0, y0, x1, y1, first, last = (int(each) if each else 0 for each in match.groups())
    has_pixels = x0 < x1 <= _LARGEST_IMAGE_PX and y0 < y1 <= _LARGEST_IMAGE_PX
    if not has_pixels or (match["first"] and not first) or (match["last"] and last < first):
        raise argparse.ArgumentTypeError(f"{text!r} has no pixel, or no frame (frames count from 1)")
    return DrawnBox(Box(x0, y0, x1, y1), first or 1, last or first)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who may send: an AE title, ``*`` for any, and an address or network."""

    ae_title: str
    address: str

    @property
    def is_local(self) -> bool:
        """Tell whether it is on this machine."""
        return ip_network(self.address).is_loopback


def sender(text: str) -> Sender:
    """Read ``AE@address`` or ``AE@network/bits``; ``*`` is any AE title.

    Raises
    ------
    argparse.ArgumentTypeError
        It is not written like that.
    """
    title, at, address = text.partition("@")
    if not at:
        raise argparse.ArgumentTypeError(f"{text!r} is not AE@address, such as CT1@10.1.2.3 or *@10.1.0.0/16")
    try:
        network = ip_network(address.strip("[]"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{address!r} is not an address or a network such as 10.1.0.0/16") from None
    return Sender(ae_title(title), str(network))


def listener(text: str) -> tuple[str, int]:
    """Read ``address:port``, an IPv6 address in brackets.

    Raises
    ------
    argparse.ArgumentTypeError
        It is not written like that.
    """
    address, _, port = text.rpartition(":")
    try:
        found = ip_address(address.strip("[]"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not address:port, such as 0.0.0.0:11112") from None
    if not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise argparse.ArgumentTypeError(f"port {port} is not between 1 and 65535")
    return str(found), int(port)
