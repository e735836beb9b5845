"""Callers: Python's ssl, openssl s_client, DCMTK's storescu. Each sends an instance, whatever it is told meanwhile."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import ssl
import subprocess
import warnings
from collections.abc import Mapping
from pathlib import Path

from node import dimse
from node.dimse import PduType, Tag
from tests.access.place import Pki
from tests.access.plan import Case, Fate
from tests.integration.receiving import CT, EXPLICIT, associate_rq, instance
from tests.network import HOST

_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
_TIMEOUT_S = 60.0

PLAIN_OPENSSL = {**os.environ, "OPENSSL_CONF": "/dev/null"}
"""The environment of openssl without what a distribution forbids it."""

DCMTK_OPTIONS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("", ""): (),
    ("1.3", ""): ("+py",),  # Non-Downgrading BCP 195, with TLS 1.3
    ("1.2", ""): ("+pz",),  # Extended BCP 195
    ("1.2", "AES128-SHA"): ("+pa",),  # the retired AES profile
}


def conversation(title: str) -> bytes:
    """Return all PDUs of an association that stores one instance, as nobody polite would send them: at once."""
    command, data = dimse.c_store_rq(1, CT, "1.2.3.4"), instance(pixel_bytes=200)
    return b"".join([
        associate_rq([(CT, [EXPLICIT])], title),
        dimse.pdata_header(1, is_command=True, is_last=True, length=len(command)) + command,
        dimse.pdata_header(1, is_command=False, is_last=True, length=len(data)) + data,
        dimse.RELEASE_RQ,
    ])  # fmt: skip


def judged(answer: bytes) -> Fate | str:
    """Return what the PDUs of an answer say; in words what it says beside the three fates."""
    at, accepted = 0, False
    while len(answer) - at >= 6:
        kind, length = dimse.pdu_header(answer[at : at + 6])
        body, at = answer[at + 6 : at + 6 + length], at + 6 + length
        if kind == PduType.ASSOCIATE_RJ:
            return Fate.REJECTED if body[1:] == b"\1\1\3" else f"rejected {','.join(map(str, body[1:]))}"
        accepted |= kind == PduType.ASSOCIATE_AC
        if kind == PduType.P_DATA:
            (_, _, fragment) = next(dimse.iter_pdvs(memoryview(body)))
            status = dimse.us(dimse.decode_command(bytes(fragment)), Tag.STATUS)
            return Fate.STORED if status == 0 else f"status {status:04X}"
    return "accepted, and no more" if accepted else Fate.NOTHING


def python(case: Case, pki: Pki, port: int) -> Fate | str:
    """Call by Python's ssl."""
    answer = bytearray()
    with contextlib.suppress(OSError):
        sock = socket.create_connection((HOST, port), timeout=_TIMEOUT_S, source_address=(case.address, 0))
        try:
            if case.version:
                context = context_of(case.certificate, case.version, case.suite, pki.folder)
                sock = context.wrap_socket(sock, server_hostname="localhost")
            sock.sendall(conversation(case.title))
            while piece := sock.recv(65536):
                answer += piece
        finally:
            sock.close()
    return judged(bytes(answer))


@functools.lru_cache(maxsize=512)
def context_of(certificate: str, version: str, suite: str, folder: Path) -> ssl.SSLContext:
    """Return the context of Python's caller, which offers one version, and one suite or all."""
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TLS 1.0 and 1.1, which is what is asked here
        context.minimum_version = context.maximum_version = _VERSIONS[version]
    if version != "1.3":
        context.set_ciphers(f"{suite or 'ALL'}:@SECLEVEL=0")
    if certificate != "none":
        context.load_cert_chain(folder / f"{certificate}.pem", folder / f"{certificate}.key")
    return context


def openssl(case: Case, pki: Pki, port: int) -> Fate | str:
    """Call by openssl s_client."""
    done = subprocess.run(
        openssl_command(case, pki, port),
        env=PLAIN_OPENSSL,
        input=conversation(case.title),
        capture_output=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    return judged(done.stdout)


def openssl_command(case: Case, pki: Pki, port: int) -> list[str]:
    """Return the command line of openssl s_client."""
    command = ["openssl", "s_client", "-connect", f"{HOST}:{port}", "-bind", f"{case.address}:0", "-quiet"]
    command += ["-verify_quiet", "-verify_return_error", "-CAfile", str(pki.ca.files.certificate)]
    command += [f"-tls{case.version.replace('.0', '').replace('.', '_')}"]
    if case.version == "1.3":
        command += ["-ciphersuites", case.suite] if case.suite else []
    else:
        command += ["-cipher", f"{case.suite or 'ALL'}:@SECLEVEL=0"]
    if case.certificate != "none":
        own = pki.pairs[case.certificate].files
        command += ["-cert", str(own.certificate), "-key", str(own.private_key)]
    return command


def dcmtk(case: Case, pki: Pki, port: int, file: Path) -> Fate | str:
    """Call by storescu, which has no choice of address; of versions and suites it has profiles."""
    command = ["storescu", "-v", "-aet", case.title, "-aec", "DEIDNODE", *DCMTK_OPTIONS[case.version, case.suite]]
    if case.version and case.certificate == "none":
        command += ["+tla", "+cf", str(pki.ca.files.certificate)]
    elif case.version:
        own = pki.pairs[case.certificate].files
        command += ["+tls", str(own.private_key), str(own.certificate), "+cf", str(pki.ca.files.certificate)]
    done = subprocess.run(
        [*command, HOST, str(port), str(file)],
        env={**os.environ, "TCP_NODELAY": "1"},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_TIMEOUT_S,
        check=False,
    )
    said = done.stdout + done.stderr
    if done.returncode == 0 and "(Success)" in said:
        return Fate.STORED
    if "Calling AE Title Not Recognized" in said:
        return Fate.REJECTED
    return f"exit {done.returncode}" if "Association Accepted" in said or not done.returncode else Fate.NOTHING
