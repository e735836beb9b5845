"""The audit log as a queue: its lines in order, from the one after the last that was sent."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, BinaryIO

from node.audit import chain
from node.modes import mode_of_database_in

if TYPE_CHECKING:
    from pathlib import Path

POSITION_FILE = "audit.sent"


@dataclass(frozen=True, slots=True)
class Position:
    """The line that was last sent: its number, and its hash, since a new log begins with 1 again."""

    number: int = 0
    sha256: str = chain.BEFORE_THE_FIRST


@dataclass(frozen=True, slots=True)
class Line:
    """One entry.

    Attributes
    ----------
    skipped
        entries before it that are not in the log any more, and were not sent
    """

    position: Position
    said: dict[str, object]
    skipped: int = 0


class Tail:
    """Reads what comes after a position, across files that are closed meanwhile; for one thread."""

    def __init__(self, spool: Path) -> None:
        self._spool = spool
        self._path = chain.audit_folder(spool) / POSITION_FILE
        self._file: BinaryIO | None = None
        self.position = self._saved()

    def lines(self, limit: int) -> list[Line]:
        """Give the next lines, none if there are none yet.

        Raises
        ------
        OSError
            if the log cannot be read
        """
        found: list[Line] = []
        while len(found) < limit:
            if self._file is None and not self._open():
                break
            if (line := self._line()) is not None:
                found.append(line)
            elif not self._is_over():
                break
        return found

    def save(self) -> None:
        """Keep the position; lines after it may be sent twice, should that be lost."""
        part = self._path.with_suffix(".part")
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode_of_database_in(part.parent))
        try:
            os.write(fd, json.dumps(asdict(self.position)).encode("ascii") + b"\n")
        finally:
            os.close(fd)
        part.replace(self._path)

    def close(self) -> None:
        """Close the file that is being read; what comes next is found by the position."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def go_back(self, position: Position) -> None:
        """Read again from a position on."""
        self.close()
        self.position = position

    def _saved(self) -> Position:
        with suppress(OSError, ValueError, TypeError):
            return Position(**json.loads(self._path.read_bytes()))
        return Position()

    def _line(self) -> Line | None:
        """Read one whole entry."""
        assert self._file is not None  # noqa: S101  for the type checker
        while text := self._file.readline():
            if not text.endswith(b"\n"):  # it is being written
                self._file.seek(-len(text), os.SEEK_CUR)
                return None
            text = text.removesuffix(b"\n")
            said = chain.parsed(text)
            number = said.get("number")
            if isinstance(number, int):
                skipped = max(0, number - self.position.number - 1)
                self.position = Position(number, chain.hash_of(text))
                return Line(self.position, said, skipped)
        return None

    def _is_over(self) -> bool:
        """Say whether the file was closed, and has no more to give; then the next one is to be opened."""
        assert self._file is not None  # noqa: S101  for the type checker
        try:
            current = os.stat(chain.audit_folder(self._spool) / chain.AUDIT_FILE)  # noqa: PTH116  beside the next
        except FileNotFoundError:
            return False
        if os.path.samestat(current, os.fstat(self._file.fileno())):
            return False
        rest = self._file.read()
        if b"\n" in rest:  # between our reading and its closing one more line came
            self._file.seek(-len(rest), os.SEEK_CUR)
            return True
        self.close()
        return True

    def _open(self) -> bool:
        """Open the file that holds what comes after the position; False if there is none."""
        files = [(first, path) for path in chain.audit_files(self._spool) if (first := _first_number(path))]
        if not files:
            return False
        before = [path for first, path in files if first <= self.position.number]
        after = [path for first, path in files if first > self.position.number]
        is_at_an_end = any(first == self.position.number + 1 for first, _ in files)
        if before and not is_at_an_end:
            self._file = before[-1].open("rb")
            if self._has_found(self._file):
                return True
            self._file.close()  # another log than the one that the position is of
            self.position = Position()
            after = before
        self._file = after[0].open("rb")
        return True

    def _has_found(self, file: BinaryIO) -> bool:
        """Go to the line after the position; say whether it is there."""
        file.seek(0)
        for text in iter(file.readline, b""):
            line = text.removesuffix(b"\n")
            if chain.parsed(line).get("number") == self.position.number:
                return chain.hash_of(line) == self.position.sha256
        return False


def _first_number(path: Path) -> int:
    """Return the number of the first entry of a file; 0 if there is none."""
    with path.open("rb") as file:
        number = chain.parsed(file.readline()).get("number")
    return number if isinstance(number, int) else 0
