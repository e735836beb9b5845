"""Questions at a terminal, each asked again until its answer makes sense."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from node.commands.arguments import Remote, Sender, ae_title, listener, remote, sender
from node.commands.profile import profile_file, shipped_profiles
from node.errors import Misconfigured

if TYPE_CHECKING:
    from argparse import Namespace

T = TypeVar("T")

_LOOPBACK, _EVERYWHERE = ("127.0.0.1", 11112), ("0.0.0.0", 11112)  # noqa: S104  said to the person who chooses it


def interview(arguments: Namespace) -> None:
    """Fill in what the arguments don't say.

    Raises
    ------
    Misconfigured
        The input ended before all was answered.
    """
    _say("A first route: who sends, what is done, where it goes. Return takes what stands in brackets.", "")
    given = arguments.ae_title
    arguments.ae_title = given or _ask("AE title of this node, what senders call", ae_title, "DEIDNODE")
    arguments.sender = _ask(
        "Who sends (AE title @ address or network; * is any)", sender, _shown(Sender("*", "127.0.0.0/8"))
    )
    usual = _LOOPBACK if arguments.sender.is_local else _EVERYWHERE
    arguments.listen = arguments.listen or _ask("Address and port to listen on", listener, "{}:{}".format(*usual))
    arguments.archive = _ask("The archive (AE title @ host : port)", remote, str(Remote("ARCHIVE", "127.0.0.1", 11113)))
    if arguments.profile is None:
        _say("", *(f"  {name:<14}{text}" for name, text in shipped_profiles()))
        arguments.profile = _ask("Profile", _profile, "longitudinal")
    spool = arguments.folder / "spool"
    arguments.spool = arguments.spool or _ask("Folder for patient data (encrypted disk)", Path, str(spool.absolute()))
    _say("")


def usual_listener(arguments: Namespace) -> tuple[str, int]:
    """Return where to listen if nothing else is said: beyond this machine only if the sender is there."""
    return _EVERYWHERE if arguments.sender is not None and not arguments.sender.is_local else _LOOPBACK


def _shown(who: Sender) -> str:
    return f"{who.ae_title}@{who.address}"


def _profile(text: str) -> str:
    try:
        profile_file(text)
    except Misconfigured as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _ask(question: str, read: Callable[[str], T], usual: str) -> T:
    while True:
        sys.stderr.write(f"{question} [{usual}]: ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            raise Misconfigured("the input ended before all was answered; nothing is written")
        try:
            return read(line.strip() or usual)
        except (argparse.ArgumentTypeError, ValueError) as error:
            _say(f"  {error}")


def _say(*lines: str) -> None:
    sys.stderr.writelines(f"{line}\n" for line in lines)
