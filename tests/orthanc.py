"""Orthanc as a peer: an archive that commits itself to what it stores, and a sender that asks for commitment."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.network import HOST, free_port, listens, wait_until

COMMAND = shutil.which("Orthanc") or "/usr/sbin/Orthanc"


@dataclass
class Orthanc:
    """Orthanc with all state below `folder`, while the context is entered; it may be entered again.

    Attributes
    ----------
    modalities
        whom it knows: name → (AE title, port), all on this machine
    """

    folder: Path
    ae_title: str
    modalities: dict[str, tuple[str, int]] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    http: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def configuration(self) -> dict[str, object]:
        return {
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "storage"),
            "DicomAet": self.ae_title,
            "DicomPort": self.port,
            "HttpPort": self.http,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomAlwaysAllowStore": True,
            "DicomModalities": {
                name: {"AET": ae_title, "Host": HOST, "Port": port, "AllowStorageCommitment": True}
                for name, (ae_title, port) in self.modalities.items()
            },
            "SaveJobs": False,
            "Plugins": [],
        }

    def headers(self) -> dict[str, str]:
        return {}

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "orthanc.json"
        file.write_text(json.dumps(self.configuration()), encoding="utf-8")
        with (self.folder / "orthanc.log").open("ab") as log:
            self.process = subprocess.Popen(
                [COMMAND, "--verbose", str(file)],
                env={**os.environ, "TCP_NODELAY": "1"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(lambda: listens(self.port) and listens(self.http), 30, "Orthanc listens")
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def instances(self) -> dict[str, str]:
        """Return Orthanc's ids of its instances by SOP Instance UID."""
        ids = self.get("/instances")
        return {self.get(f"/instances/{each}/tags?simplify")["SOPInstanceUID"]: each for each in ids}

    def upload(self, file: bytes) -> str:
        """Take a file; return Orthanc's id of the instance."""
        return str(self.post("/instances", file)["ID"])

    def delete(self, instance: str) -> None:
        self._call("DELETE", f"/instances/{instance}", None)

    def store(self, modality: str, *instances: str) -> None:
        """Send instances by C-STORE."""
        self.post(f"/modalities/{modality}/store", json.dumps(list(instances)).encode())

    def ask(self, modality: str, *references: tuple[str, str]) -> str:
        """Ask for commitment to instances (SOP Class, SOP Instance); return the Transaction UID."""
        body = {"DicomInstances": [list(each) for each in references]}
        answer = self.post(f"/modalities/{modality}/storage-commitment", json.dumps(body).encode())
        return str(answer["ID"])

    def report(self, transaction_uid: str) -> dict[str, Any]:
        """Return what it knows of a transaction: Status (Pending, Success, Failure), Success and Failures."""
        return dict(self.get(f"/storage-commitment/{transaction_uid}"))

    def get(self, path: str) -> Any:
        return self._call("GET", path, None)

    def post(self, path: str, body: bytes) -> Any:
        return self._call("POST", path, body)

    def log(self) -> str:
        return (self.folder / "orthanc.log").read_text("utf-8", "replace")

    def _call(self, method: str, path: str, body: bytes | None) -> Any:
        return json.loads(self.raw(method, path, body) or b"null")

    def raw(self, method: str, path: str, body: bytes | None = None) -> bytes:
        url = f"http://{HOST}:{self.http}{path}"
        request = urllib.request.Request(url, body, self.headers(), method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 -- http to this machine
            return bytes(answer.read())
