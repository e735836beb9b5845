"""`make strace`: is an instance on the disk before its sender is told so? The kernel's own view of it, by strace.

The receive role runs under strace while several associations store. For each response with status 0000 that left by a
socket, the file of that instance must have been written, fsynced, renamed, and its folder fsynced, each call ended
before the next began, and the last before the response.
"""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from node import dimse
from node.dimse import CommandField, PduType, Tag
from tests import factories
from tests.factories import Study
from tests.network import ROOT, Node, free_port, listens, wait_until
from tests.people import PATIENTS
from tests.sender import send

_CALLS = "write,writev,pwrite64,fsync,fdatasync,rename,renameat,renameat2,send,sendto,sendmsg"
_LINE = re.compile(r"(?P<pid>\d+) +(?P<rest>.*)")
_BEGUN = re.compile(r"(?P<name>\w+)\((?P<arguments>.*?)(?: = (?P<result>-?\d+).*| <unfinished \.\.\.>)")
_RESUMED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>.* = (?P<result>-?\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_FD = re.compile(r"\d+<((?:\\x[0-9a-f]{2}|[^>\\])*)>")
_SOP_INSTANCE = re.compile(rb"\x02\x00\x03\x00UI..([0-9.]+)", re.DOTALL)  # Media Storage SOP Instance UID
_SHOWN_BYTES = 600  # of what is written or sent: the meta header, or a whole response


@dataclass(slots=True)
class Call:
    """A system call; `begin` and `end` are line numbers of the trace, `end` 0 until it has succeeded."""

    name: str
    target: str
    texts: tuple[bytes, ...]
    begin: int
    end: int = 0


def read_trace(lines: Iterable[str]) -> Iterator[Call]:
    """Yield the calls of a trace that succeeded, in the order in which they began."""
    calls: list[Call] = []
    open_calls: dict[str, Call] = {}
    for number, line in enumerate(lines, 1):
        found = _LINE.match(line)
        if found is None:
            continue
        pid, rest = found["pid"], found["rest"]
        if resumed := _RESUMED.match(rest):
            call = open_calls.pop(pid)
            call.end = number if int(resumed["result"]) >= 0 else 0
        elif begun := _BEGUN.match(rest):
            call = _call(begun["name"], begun["arguments"], number)
            calls.append(call)
            if begun["result"] is None:
                open_calls[pid] = call
            else:
                call.end = number if int(begun["result"]) >= 0 else 0
    return (call for call in calls if call.end)


def _call(name: str, arguments: str, number: int) -> Call:
    fd = _FD.match(arguments)
    texts = tuple(_plain(text) for text in _TEXT.findall(arguments))
    return Call(name, _plain(fd[1]).decode() if fd else "", texts, number)


def _plain(text: str) -> bytes:
    return re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())


@dataclass(slots=True)
class _File:
    """What was done for one instance: ends (and begins) of the calls."""

    wrote: int = 0
    synced: list[tuple[int, int]] = field(default_factory=list)
    renamed: tuple[int, int] = (0, 0)
    final: str = ""


def violations(calls: Iterable[Call]) -> tuple[int, Counter[str]]:
    """Return how many stores were answered with 0000, and what was missing before how many of these answers."""
    parts: dict[str, _File] = {}
    of_instance: dict[str, _File] = {}
    folders: dict[str, list[tuple[int, int]]] = {}
    answers: list[tuple[str, int]] = []
    for call in calls:
        if call.name in {"write", "writev", "pwrite64"} and call.target.endswith(".part"):
            file = parts.setdefault(call.target, _File())
            file.wrote = call.end
            if found := _SOP_INSTANCE.search(b"".join(call.texts)):
                of_instance.setdefault(found[1].decode(), file)
        elif call.name in {"fsync", "fdatasync"} and call.target in parts:
            parts[call.target].synced.append((call.begin, call.end))
        elif call.name in {"fsync", "fdatasync"}:
            folders.setdefault(call.target, []).append((call.begin, call.end))
        elif call.name.startswith("rename") and len(call.texts) == 2 and call.texts[0].decode() in parts:
            file = parts[call.texts[0].decode()]
            file.renamed, file.final = (call.begin, call.end), call.texts[1].decode()
        elif call.name.startswith("send") and (uid := _acknowledged(call.texts)):
            answers.append((uid, call.begin))
    found_wrong = Counter(wrong for uid, at in answers if (wrong := _missing(of_instance.get(uid), folders, at)))
    return len(answers), found_wrong


def _missing(file: _File | None, folders: Mapping[str, list[tuple[int, int]]], answered: int) -> str:
    """Say what was not done before an answer; nothing if all was."""
    if file is None or not file.wrote:
        return "write"
    synced = [end for begin, end in file.synced if begin > file.wrote]
    if not synced:
        return "fsync"
    if not file.renamed[1] or file.renamed[0] < min(synced):
        return "rename"
    folder = folders.get(str(Path(file.final).parent), [])
    if not any(begin > file.renamed[1] and end < answered for begin, end in folder):
        return "fsync(directory)"
    return ""


def _acknowledged(texts: tuple[bytes, ...]) -> str:
    """Return the SOP Instance UID of a C-STORE-RSP with status 0000, else nothing."""
    pdu = texts[0] if texts else b""
    if len(pdu) < dimse.PDU_HEADER_BYTES or pdu[0] != PduType.P_DATA:
        return ""
    for _, flags, fragment in dimse.iter_pdvs(pdu[dimse.PDU_HEADER_BYTES :]):
        if dimse.is_command(flags):
            command = dimse.decode_command(bytes(fragment))
            is_answer = dimse.us(command, Tag.COMMAND_FIELD) == CommandField.C_STORE_RSP
            if is_answer and dimse.us(command, Tag.STATUS) == 0:
                return dimse.uid(command, Tag.AFFECTED_SOP_INSTANCE_UID)
    return ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run came to; `acknowledged` as the senders know it, `seen` as the trace has it."""

    stores: int
    acknowledged: int
    seen: int
    wrong: Counter[str]

    @property
    def is_good(self) -> bool:
        return self.seen == self.acknowledged == self.stores and not self.wrong


def run(folder: Path, stores: int, associations: int = 4, environment: Mapping[str, str] | None = None) -> Verdict:
    """Store so many instances, and look at the order of what was done for each.

    Parameters
    ----------
    environment
        of the role; None: this process's own
    """
    folder.mkdir(parents=True, exist_ok=True)
    node = Node(folder / "node", free_port())
    node.write_config()
    trace = folder / "trace"
    role = [sys.executable, "-m", "node", "serve", "--role", "receive", "--config", str(node.config)]
    shown = ["-f", "--seccomp-bpf", "-y", "-xx", "-s", str(_SHOWN_BYTES), "-e", f"trace={_CALLS}", "-o", str(trace)]
    files = _instances(folder / "modality", stores, associations)
    with node.log.open("wb") as log:
        process = subprocess.Popen(["strace", *shown, *role], cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            wait_until(lambda: listens(node.port), 60, "the receive role listens")
            with ThreadPoolExecutor(associations) as senders:
                answers = [each for batch in senders.map(lambda share: send(share, node.port), files) for each in batch]
        finally:
            for role_process in psutil.Process(process.pid).children():
                role_process.send_signal(signal.SIGTERM)
            process.wait(60)
    with trace.open(encoding="ascii", errors="replace") as lines:
        seen, wrong = violations(read_trace(lines))
    return Verdict(stores, sum(answer.is_acknowledged for answer in answers), seen, wrong)


def _instances(folder: Path, count: int, shares: int) -> list[list[Path]]:
    folder.mkdir(parents=True)
    paths: list[list[Path]] = [[] for _ in range(shares)]
    for seed in range(count):
        ds = factories.ct(replace(Study(PATIENTS[seed % len(PATIENTS)]), number=seed // 50), seed, size=32)
        path = folder / f"{seed}.dcm"
        path.write_bytes(factories.to_bytes(ds))
        paths[seed % shares].append(path)
    return paths


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.order", description=__doc__.splitlines()[0])
    parser.add_argument("--stores", type=int, default=1000)
    parser.add_argument("--associations", type=int, default=4)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="deid-node-strace-") as folder:
        verdict = run(Path(folder), arguments.stores, arguments.associations)
    for call, count in sorted(verdict.wrong.items()):
        print(f"answered before {call}: {count}")
    print(
        f"strace stores={verdict.stores} associations={arguments.associations} acknowledged={verdict.acknowledged} "
        f"answers_in_trace={verdict.seen} violations={sum(verdict.wrong.values())}"
    )
    return 0 if verdict.is_good else 1


if __name__ == "__main__":
    raise SystemExit(main())
