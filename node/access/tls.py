"""TLS contexts for both directions (PS3.15 Sections B.12, B.13 and B.10), made anew when their files change."""

from __future__ import annotations

import ssl
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from node.access.certificate import Certificate, fingerprint_in
from node.access.current import Current
from node.access.profiles import TlsProfile, openssl_ciphers
from node.errors import Misconfigured

if TYPE_CHECKING:
    import socket

    from node.setting_types import Tls

_FFDHE3072: Final = Path(__file__).with_name("ffdhe3072.pem")
"""The group ffdhe3072 of RFC 7919: the profiles ask for DHE of 2048 bits or more."""

_LEAST = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

# No session outlives its connection: each shows its certificate anew, to the CA and the files of that moment.
_OPTIONS = ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET | ssl.OP_SINGLE_ECDH_USE


def acceptor_context(tls: Tls) -> ssl.SSLContext:
    """Return the TLS context of an acceptor; with a CA, peers need a certificate of it.

    Raises
    ------
    Misconfigured
        if a file is missing or does not hold what it should
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        _set_up(context, tls)
        context.num_tickets = 0
        if tls.profile is TlsProfile.BCP195_NON_DOWNGRADING:
            context.load_dh_params(str(_FFDHE3072))
        if tls.ca is not None:
            context.load_verify_locations(tls.ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError):
        raise Misconfigured(
            "receive.tls: certificate, private_key or ca is missing, unreadable, or the first two are not a pair"
        ) from None
    return context


def requestor_context(tls: Tls) -> ssl.SSLContext:
    """Return the TLS context of a requestor; the other end needs a certificate of the CA.

    Raises
    ------
    Misconfigured
        if a file is missing or does not hold what it should
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if tls.ca:
            context.load_verify_locations(tls.ca)
        else:
            context.load_default_certs()
        _set_up(context, tls)
        context.check_hostname = _name_wanted(tls) is not None or not tls.server_certificate
    except (OSError, ValueError) as error:
        files = ", ".join(str(file) for file in (tls.certificate, tls.private_key, tls.ca) if file)
        why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise Misconfigured(f"TLS: {why}; check {files}") from None
    return context


def _set_up(context: ssl.SSLContext, tls: Tls) -> None:
    context.minimum_version = _LEAST[tls.minimum_version]
    context.options |= _OPTIONS
    context.set_ciphers(openssl_ciphers(tls.profile))
    # A key that is encrypted would be asked for at a terminal, which a service doesn't have.
    context.load_cert_chain(tls.certificate, tls.private_key, password=lambda: b"")


def _files(tls: Tls) -> tuple[Path, ...]:
    return tuple(file for file in (tls.certificate, tls.private_key, tls.ca) if file)


def current_acceptor(tls: Tls) -> Current[ssl.SSLContext]:
    """Return what gives the acceptor's context as its files are at each handshake; raises as `acceptor_context`."""
    return Current("receive.tls", _files(tls), partial(acceptor_context, tls))


_requestors: dict[Tls, Current[ssl.SSLContext]] = {}
_lock = threading.Lock()


def current_requestor(tls: Tls) -> ssl.SSLContext:
    """Return the requestor's context, of its files as they are now, or as they were before they were broken.

    Raises
    ------
    Misconfigured
        as `requestor_context` does, if the files were broken from the beginning
    """
    with _lock:
        if tls not in _requestors:
            _requestors[tls] = Current(str(tls.certificate), _files(tls), partial(requestor_context, tls))
        current = _requestors[tls]
    return current.get()


def secured(sock: socket.socket, tls: Tls, host: str) -> ssl.SSLSocket:
    """Shake hands as the requestor, and look whether the other end is who it should be.

    Raises
    ------
    OSError
        if the handshake fails, or the certificate is not of the CA, the host name or the fingerprint that is expected
    Misconfigured
        if the files of `tls` cannot be used
    """
    secure = current_requestor(tls).wrap_socket(sock, server_hostname=_name_wanted(tls) or host)
    if tls.server_certificate and fingerprint_in(tls.server_certificate):
        shown = Certificate.of_peer(secure)
        if shown is None or not shown.is_what(tls.server_certificate):
            secure.close()
            raise ssl.SSLCertVerificationError(1, "the certificate has another fingerprint than server_certificate")
    return secure


def _name_wanted(tls: Tls) -> str | None:
    """Return the name that the other end's certificate has to have, where it isn't that of the host."""
    wanted = tls.server_certificate
    return None if wanted is None or fingerprint_in(wanted) else wanted
