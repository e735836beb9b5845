"""The console in the configuration: ``[web]``."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from node.schema import Between, Text
from node.setting_types import Seconds, Tls

if TYPE_CHECKING:
    from node.schema import Where


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """A proxy that says who it is: it has asked for a password, or for whatever the site asks for.

    Attributes
    ----------
    header
        that names the user; the proxy has to remove it from what comes from outside
    addresses
        of the proxy, addresses or networks; whoever else calls is turned away
    """

    header: Annotated[str, Text(r"[A-Za-z0-9-]{1,64}", "the name of a header")]
    addresses: tuple[str, ...] = ("127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The console and the metrics.

    Attributes
    ----------
    port
        0: no console, and no metrics
    users_file
        names, roles and hashes of passwords, as `deid-node users` writes them
    idle_s
        after which somebody who does nothing is logged out
    session_s
        after which everybody logs in again
    max_upload_bytes
        of a file for a dry run
    tls
        None: not encrypted, for loopback or behind a proxy alone; `ca` makes a client certificate compulsory
    proxy
        None: users log in with their passwords
    """

    port: Annotated[int, Between(0, 65_535)] = 0
    address: str = "127.0.0.1"
    users_file: Path = Path("var/users")
    idle_s: Seconds = 1800.0
    session_s: Seconds = 43_200.0
    max_upload_bytes: Annotated[int, Between(1 << 16, 1 << 40)] = 256 << 20
    tls: Tls | None = None
    proxy: ProxySettings | None = None


def check_web(web: WebSettings, where: Where) -> None:
    """Look whether what is said of the console goes together.

    Raises
    ------
    Misconfigured
        with the key and the remedy
    """
    try:
        address = ip_address(web.address)
    except ValueError:
        raise where.at("address").wrong("must be an address, such as 127.0.0.1") from None
    for each in web.proxy.addresses if web.proxy else ():
        try:
            ip_network(each)
        except ValueError as error:
            raise where.at("proxy.addresses").wrong(f"must be addresses or networks (CIDR): {error}") from None
    if web.port and not address.is_loopback and web.tls is None and web.proxy is None:
        raise where.at("address").wrong(
            "passwords would cross the network unencrypted: give [web.tls], or [web.proxy] for a proxy that has TLS"
        )
