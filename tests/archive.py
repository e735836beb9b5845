"""An archive for tests: a storage SCP that keeps what it is sent as files of a folder.

    python -m tests.archive --port 11113 --out FOLDER

Instances lie as ``<SOP Instance UID>.dcm``. The same instance again is the same file; the same UID with other content
becomes ``<UID>.conflict-<n>.dcm`` beside it, so that a test can count what a node must never send.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, _config, evt
from pynetdicom.sop_class import Verification

if TYPE_CHECKING:
    from types import TracebackType

_SUCCESS = 0x0000
_SYNTAXES = [str(ExplicitVRLittleEndian), *(uid for uid in ALL_TRANSFER_SYNTAXES if uid != ExplicitVRLittleEndian)]


class Archive:
    """The archive, running in threads of this process while the context is entered.

    Parameters
    ----------
    folder
        where instances go; it is made
    port
        0 = any free one; see `port` then
    """

    def __init__(self, folder: Path, port: int = 0, ae_title: str = "ARCHIVE", host: str = "127.0.0.1") -> None:
        self.folder = folder
        self.ae_title = ae_title
        self.host = host
        self._lock = threading.Lock()
        self._address = (host, port)
        self._server: Any = None
        self._was_unrestricted = _config.UNRESTRICTED_STORAGE_SERVICE

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        _config.UNRESTRICTED_STORAGE_SERVICE = True  # of the whole process
        entity = AE(ae_title=self.ae_title)
        entity.maximum_associations = 100
        entity.maximum_pdu_size = 131072
        entity.add_supported_context(Verification)
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(context.abstract_syntax, _SYNTAXES)
        self._server = entity.start_server(
            self._address, block=False, evt_handlers=[(evt.EVT_C_STORE, self._store), (evt.EVT_C_ECHO, lambda _: 0)]
        )
        # Accepted sockets inherit it; without it Nagle's algorithm halves what a test can measure.
        self._server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        _config.UNRESTRICTED_STORAGE_SERVICE = self._was_unrestricted

    def instances(self) -> list[Path]:
        """Return the instances that lie in the archive, conflicts excluded."""
        return sorted(path for path in self.folder.glob("*.dcm") if ".conflict-" not in path.name)

    def conflicts(self) -> list[Path]:
        """Return the instances that came with the UID of another and other content."""
        return sorted(self.folder.glob("*.conflict-*.dcm"))

    def _store(self, event: Any) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        content = event.encoded_dataset()
        with self._lock:
            self._keep(self.folder / f"{uid}.dcm", content)
        return _SUCCESS

    def _keep(self, path: Path, content: bytes) -> None:
        taken = [path, *self.folder.glob(f"{path.stem}.conflict-*.dcm")] if path.exists() else []
        if any(_data_set(other.read_bytes()) == _data_set(content) for other in taken):
            return
        if taken:
            path = path.with_name(f"{path.stem}.conflict-{len(taken)}.dcm")
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(content)
        part.replace(path)


def _data_set(file: bytes) -> bytes:
    """Return the encoded data set: the File Meta Information is the archive's own."""
    return file[144 + int.from_bytes(file[140:144], "little") :]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.archive", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=11113)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--aet", default="ARCHIVE")
    arguments = parser.parse_args()
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Archive(arguments.out, arguments.port, arguments.aet) as archive:
        print(f"{archive.ae_title}@{archive.host}:{archive.port} {archive.folder}", flush=True)
        stop.wait()
    os._exit(0)  # associations that are still open have threads of their own


if __name__ == "__main__":
    raise SystemExit(main())
