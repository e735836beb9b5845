"""A door without rules: what a tool cannot do even there, it has not tried at the node's."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Callable, Iterable, Iterator

from tests.access.place import Pki
from tests.access.plan import SUITES_13, Case
from tests.access.tools import PLAIN_OPENSSL, context_of, openssl_command
from tests.network import HOST, free_port, listens, wait_until

Offer = tuple[str, str]
"""Version and suite."""


@contextlib.contextmanager
def open_door(pki: Pki) -> Iterator[int]:
    """Run openssl s_server with every version and suite that there is, and certificates of both kinds."""
    port = free_port()
    rsa, ec = pki.pairs["node-rsa"].files, pki.pairs["node-ec"].files
    command = ["openssl", "s_server", "-accept", f"{HOST}:{port}", "-quiet"]
    command += ["-cert", str(rsa.certificate), "-key", str(rsa.private_key)]
    command += ["-dcert", str(ec.certificate), "-dkey", str(ec.private_key)]
    command += ["-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0", "-ciphersuites", ":".join(SUITES_13)]
    process = subprocess.Popen(
        command, env=PLAIN_OPENSSL, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: listens(port), 30, "openssl s_server listens")
        yield port
    finally:
        process.kill()
        process.communicate()


def python_can(offer: Offer, pki: Pki, port: int) -> bool:
    """Say whether Python's ssl shakes hands with this version and suite."""
    with contextlib.suppress(OSError):
        context = context_of("ct1", *offer, pki.folder)
        sock = socket.create_connection((HOST, port), timeout=30)
        with context.wrap_socket(sock, server_hostname="localhost") as secure:
            return not offer[1] or (secure.cipher() or ("",))[0] == offer[1]
    return False


def openssl_can(offer: Offer, pki: Pki, port: int) -> bool:
    """Say whether openssl s_client shakes hands with this version and suite."""
    case = Case("CT1", HOST, "ct1", *offer)
    command = [word for word in openssl_command(case, pki, port) if word != "-quiet"]
    done = subprocess.run(
        [*command, "-brief"], env=PLAIN_OPENSSL, input=b"", capture_output=True, timeout=60, check=False
    )
    said = (done.stdout + done.stderr).decode(errors="replace")
    return "CONNECTION ESTABLISHED" in said and (not offer[1] or f"Ciphersuite: {offer[1]}" in said)


def possible(offers: Iterable[Offer], can: Callable[[Offer, Pki, int], bool], pki: Pki, port: int) -> dict[Offer, bool]:
    """Say of each offer whether a tool can make it at all; to speak no TLS is always possible."""
    return {offer: not offer[0] or can(offer, pki, port) for offer in dict.fromkeys(offers)}
