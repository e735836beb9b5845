"""`make demo` and `make run`."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from deid.elements.uids import map_uid
from deid.keys import Keys
from node.key import create_key, load_key
from tests import factories
from tests.demo import table
from tests.demo.sample import read, write_sample
from tests.network import HOST, ROOT, Node, free_port, listens, wait_until
from tests.sender import Answer, outgoing, send

_NODE_PORT = 11112
_ARCHIVE_PORT = 11113
_IDLE_TIMEOUT_S = 300


@contextlib.contextmanager
def _archive(folder: Path, port: int) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.archive", "--port", str(port), "--out", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_until(lambda: listens(port), 30, "the archive listens")
        yield
    finally:
        process.terminate()
        process.wait(10)


def _new_uids(keys: Keys, answers: list[Answer]) -> dict[str, Path]:
    """Return the sent files by the SOP Instance UID that their clean copies have."""
    return {map_uid(keys.uid, outgoing(answer.path).sop_instance_uid): answer.path for answer in answers}


def demo(folder: Path, *, show_all: bool) -> int:
    """Send the sample through a node and say what became of it; 0 if every instance is accounted for."""
    clean, port = folder / "clean", free_port()
    sample = write_sample(folder / "sent")
    print(f"sending {len(sample)} instances to a node at {HOST} …", flush=True)
    with _archive(clean, port), Node(folder / "node", port) as node:
        started = time.monotonic()
        answers = send(sample, node.port)
        acknowledged = [answer for answer in answers if answer.is_acknowledged]
        node.wait_idle(_IDLE_TIMEOUT_S)
        seconds = time.monotonic() - started
        quarantined = node.quarantined()
        keys = Keys.from_secret(load_key(node.folder / "key"))
    forwarded = {path.stem: path for path in clean.glob("*.dcm")}
    sources = _new_uids(keys, acknowledged)
    pairs = [(read(source), read(forwarded[uid])) for uid, source in sources.items() if uid in forwarded]
    print(*table.render(table.rows(pairs), 10_000 if show_all else 60), sep="\n")
    print()
    for reason, number in Counter(f"{item.reason}: {item.detail}" for item in quarantined).most_common():
        print(f"quarantined  {number:4d}  {reason}")
    refused = [answer for answer in answers if not answer.is_acknowledged and answer.status >= 0]
    for answer in refused:
        print(f"refused         1  answered {answer.status:#06x}: {answer.path.name}")
    held = {map_uid(keys.uid, item.sop_instance_uid) for item in quarantined}
    lost = [path for uid, path in sources.items() if uid not in forwarded and uid not in held]
    unknown = forwarded.keys() - sources.keys()
    for path in lost:
        print(f"LOST         {path}")
    for uid in unknown:
        print(f"UNKNOWN      {forwarded[uid]}")
    print(
        f"sent {len(answers)}, refused to the sender {len(refused)}, acknowledged {len(acknowledged)}, "
        f"forwarded {len(forwarded)}, quarantined {len(quarantined)}, lost {len(lost)}; "
        f"{len(acknowledged) / seconds:.1f} instances/s"
    )
    print(
        f"clean files: {clean}\nas sent:     {folder / 'sent'}\nquarantine:  {folder / 'node' / 'spool' / 'quarantine'}"
    )
    is_accounted_for = not lost and not unknown and len(acknowledged) == len(answers) == len(sample)
    print("every instance is accounted for" if is_accounted_for else "NOT every instance is accounted for")
    return 0 if is_accounted_for else 1


def stay(folder: Path) -> int:
    """Run node and archive until interrupted, ready for any sender on this machine."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "key").exists():
        create_key(folder / "key")
    sample = folder / "sample.dcm"
    sample.write_bytes(factories.to_bytes(factories.ct(size=256)))
    port, archive_port = (free_port() if listens(usual) else usual for usual in (_NODE_PORT, _ARCHIVE_PORT))
    with _archive(folder / "clean", archive_port), Node(folder, archive_port, port=port) as node:
        print(f"The node is up. State: {folder}; clean files go to {folder / 'clean'}. Prove it:\n")
        print(f"  echoscu -v -aec {node.ae_title} {HOST} {port}")
        print(f"  storescu -v -aec {node.ae_title} {HOST} {port} {sample}\n")
        if not shutil.which("storescu"):
            own = Path(sys.executable).with_name("deid-node")
            print(f"Without DCMTK: {own} echo {node.address}; {own} send {sample} {node.address}\n")
        print("Ctrl-C stops it.", flush=True)
        while not stop.wait(1):
            if node.process is not None and node.process.poll() is not None:
                print(f"the node ended; its log: {node.log}", file=sys.stderr)
                return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.demo")
    parser.add_argument("--stay", action="store_true", help="stay up for any sender on this machine")
    parser.add_argument("--all", action="store_true", help="show all attributes that changed")
    parser.add_argument("--folder", type=Path, help="where everything goes (default: a new temporary folder; var/run)")
    arguments = parser.parse_args()
    if arguments.stay:
        return stay((arguments.folder or ROOT / "var" / "run").resolve())
    return demo(arguments.folder or Path(tempfile.mkdtemp(prefix="deid-node-demo-")), show_all=arguments.all)


if __name__ == "__main__":
    raise SystemExit(main())
