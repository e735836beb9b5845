"""DICOMweb servers for tests: Orthanc with its plugin, and one that answers by a script."""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from node.destinations.settings import StowDestination
from tests.network import HOST
from tests.orthanc import Orthanc

Answer = tuple[int, Callable[[bytes], bytes]]
"""A status, and what makes the body of the request's; a text instead: "drop" or "stall"."""

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


@dataclass
class Web(Orthanc):
    """Orthanc with its DICOMweb plugin, and a password."""

    password: str = "correct horse"

    def configuration(self) -> dict[str, object]:
        return {
            **super().configuration(),
            "Plugins": [str(PLUGIN)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            "AuthenticationEnabled": True,
            "RegisteredUsers": {"node": self.password},
        }

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Basic {base64.b64encode(f'node:{self.password}'.encode()).decode()}"}

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.http}/dicom-web"


def credential(folder: Path, text: str) -> Path:
    file = folder / "authorization"
    file.write_text(text)
    file.chmod(0o600)
    return file


def stow(url: str, **changes: object) -> StowDestination:
    return StowDestination(name="archive", url=url, **changes)  # type: ignore[arg-type]


@dataclass
class Scripted:
    """An HTTP server that gives each request the next answer: a status and a body made of the request's body, or less.

    Attributes
    ----------
    seen
        of each request: method, path, headers, body
    """

    answers: list[Answer | str] = field(default_factory=list)
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    connections: int = 0

    def next(self) -> Answer | str:
        return self.answers.pop(0) if self.answers else (200, lambda _: b"")


@contextlib.contextmanager
def scripted(*answers: Answer | str, tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, Scripted]]:
    script = Scripted(list(answers))

    class Conversation(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            script.connections += 1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            script.seen.append((self.command, self.path, dict(self.headers), body))
            answer = script.next() if self.command == "POST" else says(200)
            if isinstance(answer, str):
                if answer == "stall":
                    time.sleep(2)
                self.close_connection = True
                return
            said = answer[1](body)
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((HOST, 0), Conversation)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://{HOST}:{server.server_port}/wado", script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def says(status: int, answer: object = None) -> Answer:
    return status, lambda _: b"" if answer is None else json.dumps(answer).encode()


def listed(tag: str, uid: str, reason_tag: str, reason: int) -> dict[str, object]:
    item = {"00081155": {"vr": "UI", "Value": [uid]}, reason_tag: {"vr": "US", "Value": [reason]}}
    return {tag: {"vr": "SQ", "Value": [item]}}


def failed(uid: str, reason: int) -> dict[str, object]:
    return listed("00081198", uid, "00081197", reason)


def signed(
    folder: Path, name: str, by: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Make a certificate for this machine's address, and write it and its key."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    issuer, issuers_key = (by[0].subject, by[1]) if by else (subject, key)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .sign(issuers_key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made, key
