"""A node's receive role as a process, with certificates of all kinds around it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.access.plan import PEERS, Node
from tests.certificates import Pair, authority, issued
from tests.network import HOST, KEY, ROOT, free_port, listens, wait_until


@dataclass(frozen=True)
class Pki:
    """All certificates of the exam."""

    folder: Path
    ca: Pair
    pairs: Mapping[str, Pair]

    @classmethod
    def made_in(cls, folder: Path) -> Pki:
        ca, foreign = authority(folder), authority(folder, "foreign-ca")
        node_names = ("localhost", HOST)
        pairs = {
            "node-ec": issued(folder, "node-ec", ca, node_names, "ec"),
            "node-rsa": issued(folder, "node-rsa", ca, node_names, "rsa"),
            "ct1": issued(folder, "ct1", ca, ("ct1.example.org",)),
            "mr1": issued(folder, "mr1", ca, ("mr1.example.org",)),
            "other": issued(folder, "other", ca, ("other.example.org",)),
            "foreign": issued(folder, "foreign", foreign, ("ct1.example.org",)),
            "expired": issued(folder, "expired", ca, ("ct1.example.org",), days=-1.0),
            "stranger": issued(folder, "stranger", None, ("ct1.example.org",)),
        }
        return cls(folder, ca, pairs)


@dataclass
class Place:
    """A node that receives."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def incoming(self) -> Path:
        return self.folder / "spool" / "incoming"

    def files(self) -> list[Path]:
        return list(self.incoming.iterdir()) if self.incoming.is_dir() else []

    def spooled_bytes(self) -> int:
        """Return what lies in the folder of instances; what goes meanwhile has no size."""
        total = 0
        for file in self.files():
            try:
                total += file.stat().st_size
            except FileNotFoundError:
                continue
        return total

    def forget(self) -> None:
        """Remove what was stored."""
        for file in self.files():
            file.unlink(missing_ok=True)


@contextmanager
def receiving(folder: Path, pki: Pki | None, node: Node | None, more: str = "", peers: str = "") -> Iterator[Place]:
    """Run ``deid-node serve --role receive``.

    Parameters
    ----------
    node
        how TLS is set up; None: without TLS
    more
        lines of the table [receive]
    peers
        TOML in place of the exam's own peers
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    (folder / "key").write_text(KEY.hex(), encoding="ascii")
    (folder / "key").chmod(0o600)
    tls = ""
    if node and pki:
        own = pki.pairs[f"node-{node.key}"].files
        tls = (
            f'[receive.tls]\ncertificate = "{own.certificate}"\nprivate_key = "{own.private_key}"\n'
            f'ca = "{pki.ca.files.certificate}"\nprofile = "{node.profile}"\nminimum_version = "{node.minimum}"\n'
        )
    if not peers and pki:
        peers = "".join(_peer(pki, *each) for each in PEERS)
    config = folder / "node.toml"
    config.write_text(
        f'key_file = "key"\n[spool]\npath = "spool"\nmin_free_bytes = 1\n[log]\nlevel = "error"\n'
        f'[receive]\naddress = "{HOST}"\nport = {port}\n{more}\n{tls}{peers}',
        encoding="utf-8",
    )
    log = folder / "node.log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", "node", "serve", "--role", "receive", "--config", str(config)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out)
    try:
        wait_until(lambda: process.poll() is not None or listens(port), 300, f"the node listens (log: {log})")
        if process.poll() is not None:
            raise RuntimeError(f"the node ended: {log.read_text(encoding='utf-8')}")
        time.sleep(0.1)
        yield Place(folder, port, process)
    finally:
        process.terminate()
        process.wait(30)


def _peer(pki: Pki, title: str, address: str, certificate: str) -> str:
    """Bind one peer by name and the other by fingerprint."""
    text = f'[[peers]]\nae_title = "{title}"\naddress = "{address}"\n'
    if certificate == "ct1":
        text += 'certificate = "ct1.example.org"\n'
    elif certificate:
        text += f'certificate = "{pki.pairs[certificate].fingerprint}"\n'
    return text
