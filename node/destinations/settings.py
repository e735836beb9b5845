"""Destinations beside C-STORE archives in the configuration: ``kind = "stow"`` and ``kind = "folder"``."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from node.destinations.layout import DEFAULT_LAYOUT, Layout, LayoutError
from node.schema import Between, Text
from node.setting_types import NameText

if TYPE_CHECKING:
    from collections.abc import Mapping

    from node.schema import Where

Url: TypeAlias = Annotated[
    str, Text(r"https?://[^\s/?#@]+(/[^\s?#]*)?", "http:// or https://, a host and a path, without user, '?' and '#'")
]
Parallel: TypeAlias = Annotated[int, Between(1, 64)]


@dataclass(frozen=True, slots=True)
class HttpTls:
    """PEM files.

    Attributes
    ----------
    ca
        replaces the system's CAs
    certificate, private_key
        of ours, for servers that ask for one; both or neither
    """

    ca: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None


@dataclass(frozen=True, slots=True)
class StowDestination:
    """A DICOMweb server that stores (PS3.18 Section 10.5).

    Attributes
    ----------
    url
        of the service; instances are posted to its ``/studies``
    authorization
        a file with the credential, see `node.destinations.authorization`; None: none is sent
    associations
        connections held open in parallel while there is work
    """

    name: NameText
    url: Url
    kind: Literal["stow"] = "stow"
    authorization: Path | None = None
    associations: Parallel = 2
    tls: HttpTls | None = None

    @property
    def commitment(self) -> bool:
        """Whether it is asked to commit itself: DICOMweb has no storage commitment."""
        return False

    @property
    def address(self) -> str:
        """Where it is, for a person."""
        return self.url


@dataclass(frozen=True, slots=True)
class FolderDestination:
    """A folder that instances are written into.

    Attributes
    ----------
    path
        has to be there: one that is not mounted is away, it is not made
    layout
        the path of an instance below it, see `node.destinations.layout`
    associations
        files written in parallel
    """

    name: NameText
    path: Path
    kind: Literal["folder"] = "folder"
    layout: str = DEFAULT_LAYOUT
    associations: Parallel = 1

    @property
    def commitment(self) -> bool:
        """Whether it is asked to commit itself: what is written is fsynced."""
        return False

    @property
    def address(self) -> str:
        """Where it is, for a person."""
        return str(self.path)


def check_destinations(destinations: Mapping[str, object], where: Where) -> None:
    """Look whether the keys go together.

    Raises
    ------
    Misconfigured
        with the key and the remedy
    """
    for name, each in destinations.items():
        at = where.at(f"destinations.{name}")
        if isinstance(each, StowDestination):
            _check_stow(each, at)
        elif isinstance(each, FolderDestination):
            try:
                Layout(each.layout)
            except LayoutError as error:
                raise at.at("layout").wrong(str(error)) from None


def _check_stow(each: StowDestination, at: Where) -> None:
    try:
        parts = urlsplit(each.url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise at.at("url").wrong("has no host or no port that there can be") from None
    if parts.scheme == "http" and each.authorization and not _is_this_machine(host):
        raise at.at("authorization").wrong("would be sent unencrypted; use https:// in url")
    if parts.scheme == "http" and each.tls:
        raise at.at("tls").wrong("is of https://, and url is http://")
    if each.tls and (each.tls.certificate is None) != (each.tls.private_key is None):
        raise at.at("tls").wrong("needs both certificate and private_key, or neither")


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
