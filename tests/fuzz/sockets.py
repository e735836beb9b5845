"""Broken PDUs into the socket of a real receiver, in a process of its own, and good echoes in between."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from node import dimse
from node.dimse import PduType
from tests.fuzz.fields import EXPLICIT, Seed
from tests.fuzz.pdus import Script, script
from tests.fuzz.record import Record
from tests.fuzz.seeds import kept_seeds
from tests.fuzz.sentinels import CODE, NAME
from tests.integration.receiving import IMPLICIT, VERIFICATION, Sender
from tests.network import HOST, ROOT, Node, listens, wait_until

_HANG_S = 10.0
_ECHO_S = 1.0
_ECHO_EVERY = 24
_AT_A_TIME = 8
_MOST_GROWTH_BYTES = 64 << 20
_CLEAR_EVERY = 480
_WARM_AFTER = 500
_TRIES = 3
_ANSWERS = {
    PduType.ASSOCIATE_AC: "accepted",
    PduType.ASSOCIATE_RJ: "rejected",
    PduType.P_DATA: "answered",
    PduType.RELEASE_RP: "released",
    PduType.ABORT: "aborted",
}
_SHORT = {"pdu_deadline_s": 3, "associate_deadline_s": 3, "idle_deadline_s": 4}
_COMMITMENT = """
commitment = "received"

[[peers]]
ae_title = "*"
address = "127.0.0.0/8"
commitment = { ae_title = "SENDER", host = "127.0.0.1", port = 9 }
"""


@dataclass
class Outcome:
    """What came of one run.

    Attributes
    ----------
    outcomes
        by the last PDU that the receiver sent
    by_way
        by what was broken, and by the outcome
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    by_way: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    echoes: int = 0
    slowest_echo_s: float = 0.0
    slowest_s: float = 0.0
    grown_bytes: int = 0
    threads: int = 0
    took_s: float = 0.0

    @property
    def count(self) -> int:
        return self.outcomes.total()

    @property
    def is_good(self) -> bool:
        return not self.failures

    def figures(self) -> dict[str, str]:
        return {
            "pdus": str(self.count),
            "pdu_hangs": str(self.outcomes["hang"]),
            "node_deaths": str(sum("died" in failure for failure in self.failures)),
            "echoes": str(self.echoes),
            "slowest_echo_s": f"{self.slowest_echo_s:.3f}",
            "slowest_session_s": f"{self.slowest_s:.2f}",
            "rss_grown_mib": f"{self.grown_bytes / (1 << 20):.1f}",
            "threads_left": str(self.threads),
            "pdus_per_s": f"{self.count / self.took_s:.0f}" if self.took_s else "0",
        }


class Target:
    """The receive role of a node, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.node = Node(folder, archive_port=9, sections={"receive": dict(_SHORT), "log": {"level": "debug"}})
        self.node.write_config()
        config = self.node.config.read_text(encoding="utf-8")
        self.node.config.write_text(config + _COMMITMENT, encoding="utf-8")
        self.log = folder / "receive.log"
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "node", "serve", "--role", "receive", "--config", str(self.node.config)]
            self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until(lambda: self.process.poll() is not None or listens(self.node.port), 300, "the receiver listens")
        except TimeoutError:
            self.stop()
            raise
        self.seen = psutil.Process(self.process.pid)

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def rss_bytes(self) -> int:
        return int(self.seen.memory_info().rss)

    def clear(self) -> None:
        """Delete what it has stored, that the disk stays as it is."""
        for path in (self.node.spool / "incoming").glob("*.dcm"):
            path.unlink(missing_ok=True)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def receiving(folder: Path) -> Iterator[Target]:
    target = Target(folder)
    try:
        yield target
    finally:
        target.stop()


def converse(port: int, said: Script) -> str:
    """Send a script, then listen to the end; return the last thing that was answered, or "hang"."""
    deadline = time.monotonic() + _HANG_S
    with contextlib.closing(socket.create_connection((HOST, port), timeout=_HANG_S)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        heard = bytearray()
        try:
            rest = said.pdus
            if said.waits_for_acceptance:
                sock.sendall(rest[0])
                heard += sock.recv(1 << 16)
                rest = rest[1:]
            _send(sock, b"".join(rest), said.step)
            sock.shutdown(socket.SHUT_WR)
            while piece := _received(sock, deadline):
                heard += piece
        except TimeoutError:
            return "hang"
        except OSError:
            return f"{_last(bytes(heard))}, reset"
        return _last(bytes(heard))


def _send(sock: socket.socket, data: bytes, step: int) -> None:
    for at in range(0, len(data), step or len(data) or 1):
        sock.sendall(data[at : at + (step or len(data))])


def _received(sock: socket.socket, deadline: float) -> bytes:
    sock.settimeout(max(0.01, deadline - time.monotonic()))
    return sock.recv(1 << 16)


def _last(heard: bytes) -> str:
    """Name the last whole PDU."""
    name, at = "closed", 0
    while at + 6 <= len(heard):
        kind, length = heard[at], int.from_bytes(heard[at + 2 : at + 6])
        name = _ANSWERS.get(PduType(kind), "other") if 1 <= kind <= 7 else "no PDU"
        at += 6 + length
    return name


def echo_s(port: int) -> float:
    """Return how long a good peer waits for an association, an echo and a release."""
    began_s = time.monotonic()
    with Sender(port) as sender:
        sender.associate((VERIFICATION, [IMPLICIT]))
        if sender.echo() != 0:
            raise ConnectionError("an echo was not answered with success")
        sender.send(dimse.RELEASE_RQ)
        sender.read_pdu()
    return time.monotonic() - began_s


class _Run:
    def __init__(self, record: Record, seed: int, target: Target) -> None:
        self.record, self.seed, self.target = record, seed, target
        self.outcome = Outcome()
        self.seeds: list[Seed] = [each for each in kept_seeds(record.folder) if each.syntax == EXPLICIT]
        self.noted: Counter[str] = Counter()

    def go(self, first: int, count: int) -> Outcome:
        """Have sessions, some at a time, with a good echo after each few."""
        began_s = time.monotonic()
        self.echo(first)
        before, threads = self.target.rss_bytes(), self.target.seen.num_threads()
        end = first + count
        with ThreadPoolExecutor(_AT_A_TIME) as peers:
            for start in range(first, end, _ECHO_EVERY):
                indices = range(start, min(end, start + _ECHO_EVERY))
                for index, session in zip(indices, peers.map(self.session, indices), strict=True):
                    self.take(index, session)
                if not self.target.is_alive:
                    code = self.target.process.returncode
                    self.fail(f"the receiver died: exit code {code}", *indices)
                    break
                self.echo(indices[-1])
                if start // _CLEAR_EVERY != (start + _ECHO_EVERY) // _CLEAR_EVERY:
                    self.target.clear()
                    self.note(indices[-1])
                before = self.target.rss_bytes() if start - first < _WARM_AFTER else before
        self.note(end - 1)
        self.outcome.took_s = time.monotonic() - began_s
        if self.target.is_alive:
            self.look_at_rest(before, threads)
        return self.outcome

    def session(self, index: int) -> tuple[tuple[str, ...], str, float]:
        """Have one session; return what was broken, what was answered, and how long it took in seconds."""
        said = script(self.seeds, self.seed, index)
        began_s = time.monotonic()
        try:
            answer = converse(self.target.node.port, said)
        except OSError as error:
            answer = f"not let in: {type(error).__name__}"
        return said.ways, answer, time.monotonic() - began_s

    def take(self, index: int, session: tuple[tuple[str, ...], str, float]) -> None:
        ways, answer, took_s = session
        if answer == "hang" and any(self.session(index)[1] != "hang" for _ in range(_TRIES)):
            answer = "late"  # the machine was busy; what had hung for good is seen in the threads that are left
        self.outcome.slowest_s = max(self.outcome.slowest_s, took_s)
        self.outcome.outcomes[answer] += 1
        self.outcome.by_way[" ".join(ways), answer] += 1
        if answer in {"hang", "no PDU", "other"}:
            self.fail(f"{answer} after {' '.join(ways)}", index)

    def echo(self, index: int) -> None:
        """Let a good peer ask; one that waits too long asks again, since the machine may have been busy."""
        for _ in range(2):
            try:
                waited_s = echo_s(self.target.node.port)
            except (OSError, AssertionError, dimse.ProtocolError) as error:
                self.fail(f"a good echo got {type(error).__name__}", index)
                return
            self.outcome.echoes += 1
            if waited_s <= _ECHO_S:
                self.outcome.slowest_echo_s = max(self.outcome.slowest_echo_s, waited_s)
                return
        self.outcome.slowest_echo_s = max(self.outcome.slowest_echo_s, waited_s)
        self.fail(f"a good echo waited {waited_s:.1f} s, twice in a row", index)

    def look_at_rest(self, rss_before: int, threads_before: int) -> None:
        """Look at what is left of so many peers: memory, threads, part files, what the log says."""
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: self.target.seen.num_threads() <= threads_before, 15, "threads end")
        self.outcome.threads = max(0, self.target.seen.num_threads() - threads_before)
        self.outcome.grown_bytes = self.target.rss_bytes() - rss_before
        log = self.target.log.read_bytes()
        parts = self.target.node.leftovers()
        wrong = {
            "threads are left": self.outcome.threads > 0,
            "memory has grown": self.outcome.grown_bytes > _MOST_GROWTH_BYTES,
            "part files are left": bool(parts),
            "the log names a patient": any(word.encode() in log for word in (*NAME.split("^"), CODE)),
            "the log has an error that nobody caught": b"Traceback" in log or b"uncaught" in log,
        }
        for what in (what for what, is_so in wrong.items() if is_so):
            self.fail(what)

    def fail(self, what: str, *indices: int) -> None:
        """Note a failure, and keep what was sent in the sessions that may have caused it."""
        self.outcome.failures.append(what)
        print(f"FINDING {what}", flush=True)
        folder = self.record.folder / "findings"
        folder.mkdir(parents=True, exist_ok=True)
        for index in indices:
            path = folder / f"{self.seed}-{index}.pdus"
            path.write_bytes(b"".join(script(self.seeds, self.seed, index).pdus))
            self.outcome.kept.append(path)
            print(f"  {path}", flush=True)

    def note(self, index: int) -> None:
        now = Counter(pdus=self.outcome.count, pdu_failures=len(self.outcome.failures))
        self.record.note("pdus", self.seed, index + 1, {key: now[key] - self.noted[key] for key in now})
        self.noted = now


def fuzz_pdus(record: Record, seed: int, count: int) -> Outcome:
    """Have so many sessions with a receiver, in each of which one PDU or message is broken; print what came of them."""
    with TemporaryDirectory(prefix="deid-node-fuzz-") as folder, receiving(Path(folder)) as target:
        outcome = _Run(record, seed, target).go(record.first("pdus", seed), count)
        if not outcome.is_good:
            shutil.copy(target.log, record.folder / "findings")
    _print(outcome)
    return outcome


def _print(outcome: Outcome) -> None:
    columns = [name for name, _ in outcome.outcomes.most_common()]
    print("\n" + " ".join(f"{name:>10}" for name in columns) + "  what was broken")
    for way in sorted({way for way, _ in outcome.by_way}):
        print(" ".join(f"{outcome.by_way[way, name]:{max(10, len(name))}d}" for name in columns) + f"  {way}")
