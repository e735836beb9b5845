"""A look at a data set while it streams by, that says which instance it is and whether it is whole.

The receiver has to answer before anything reads the instance: A900 if the data set is of another SOP Class than the
command said, C000 if it is of another instance, or ends where it should not (PS3.4 Table B.2-1). So the headers of the
elements are followed, values are skipped, and of all values only the two UIDs are kept.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import Enum

from deid.encoding.element import Buffer
from deid.encoding.syntax import TransferSyntax

_SOP_CLASS_UID = 0x00080016
_SOP_INSTANCE_UID = 0x00080018
_ITEM = 0xFFFEE000
_ITEM_DELIMITER = 0xFFFEE00D
_SEQUENCE_DELIMITER = 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF

_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT_VRS = frozenset(
    vr.encode()
    for vr in "AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split()  # noqa: SIM905
)
_WANTED = (_SOP_CLASS_UID, _SOP_INSTANCE_UID)
_UID_BYTES = 65  # 64 and a padding byte; a longer value is no UID
_MAX_HEADERS = 200_000  # a scan that would cost more than 0.1 s leaves the question to the work role
_MAX_DEPTH = 64
_DEFLATED_HEAD_BYTES = 16 * 1024


class Ending(Enum):
    """How a data set ends."""

    WHOLE = "whole"
    CUT = "cut"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Sight:
    """What a scan saw: the two UIDs without padding (None if absent), and how the data set ends."""

    sop_class_uid: str | None
    sop_instance_uid: str | None
    ending: Ending


class DataSetScan:
    """Follows one encoded data set through the pieces it arrives in; bounded in memory and time whatever they hold.

    Parameters
    ----------
    syntax
        the transfer syntax of the presentation context; of a deflated data set only the head is looked at
    """

    __slots__ = ("_container", "_found", "_given_up", "_headers", "_held", "_implicit", "_inflate", "_order", "_skip")

    def __init__(self, syntax: TransferSyntax) -> None:
        self._found: dict[int, bytes] = {}
        self._held = b""  # a header, or a UID, of which the rest is in the next piece
        self._skip = 0  # bytes left of the value that is being passed over
        self._container: list[tuple[bool, bool]] = []  # open ones of undefined length: (is an item, was implicit)
        self._headers = 0
        self._given_up = False
        self._implicit = syntax.implicit_vr
        self._order = "<" if syntax.little_endian else ">"
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS) if syntax.deflated else None

    def feed(self, piece: Buffer) -> None:
        """Look at the next piece."""
        if self._given_up:
            return
        if self._inflate is not None:
            self._feed_deflated(self._inflate, piece)
        elif self._skip >= len(piece):
            self._skip -= len(piece)
        else:
            self._follow(self._held + piece if self._held else piece)

    def finish(self) -> Sight:
        """Return what was seen, now that the last piece has been fed."""
        if self._given_up:
            ending = Ending.UNKNOWN
        elif self._inflate is not None or self._skip or self._held or self._container:
            ending = Ending.CUT
        else:
            ending = Ending.WHOLE
        return Sight(self._uid(_SOP_CLASS_UID), self._uid(_SOP_INSTANCE_UID), ending)

    def _uid(self, tag: int) -> str | None:
        value = self._found.get(tag)
        return None if value is None else value.rstrip(b"\0 ").decode("latin-1")

    def _feed_deflated(self, inflate: zlib._Decompress, piece: Buffer) -> None:
        """Inflate the head, never more; a stream that does not inflate has no UIDs."""
        try:
            head = self._held + inflate.decompress(piece, _DEFLATED_HEAD_BYTES - len(self._held))
        except zlib.error:
            self._given_up = True
            return
        self._given_up = len(head) >= _DEFLATED_HEAD_BYTES or inflate.eof
        if not self._given_up:
            self._held = head
            return
        self._held, self._inflate = b"", None
        self._follow(head)
        self._given_up = True

    def _follow(self, piece: Buffer) -> None:
        """Walk from header to header to the end of the piece; keep what is incomplete for the next one."""
        short = struct.Struct(self._order + "HH2sH").unpack_from
        long = struct.Struct(self._order + "I").unpack_from
        at, end = self._skip, len(piece)
        self._held, self._skip = b"", 0
        headers = self._headers
        while at < end:
            headers += 1
            if end - at < 8 or headers > _MAX_HEADERS:
                break
            group, element, vr, length = short(piece, at)
            start = at + 8
            if self._implicit or group == 0xFFFE or vr not in _SHORT_VRS:
                long_header = not self._implicit and group != 0xFFFE and vr in _LONG_VRS
                if long_header and end - at < 12:
                    break
                (length,) = long(piece, start if long_header else at + 4)
                start += 4 * long_header
            tag = group << 16 | element
            if group == 0xFFFE or length == _UNDEFINED:
                length = self._step(tag, vr, length)
            elif group == 0x0008 and not self._container and tag in _WANTED:
                if length > _UID_BYTES:
                    length = -1
                elif end - start < length:
                    break
                else:
                    self._found.setdefault(tag, bytes(piece[start : start + length]))
            if length < 0:
                self._given_up = True
                return
            at = start + length
        self._headers = headers
        self._given_up = headers > _MAX_HEADERS
        if at < end:
            self._held = bytes(piece[at:end])
        else:
            self._skip = at - end

    def _step(self, tag: int, vr: bytes, length: int) -> int:
        """Enter or leave what has items or an undefined length; return the bytes to skip, or -1 to give up."""
        inside_item = bool(self._container) and self._container[-1][0]
        if tag == _ITEM and self._container and not inside_item:
            return length if length != _UNDEFINED else self._enter(is_item=True)
        if tag in (_ITEM_DELIMITER, _SEQUENCE_DELIMITER):
            if not self._container or inside_item != (tag == _ITEM_DELIMITER):
                return -1
            self._implicit = self._container.pop()[1]
            return 0
        if length != _UNDEFINED or tag >> 16 == 0xFFFE or (self._container and not inside_item):
            return -1
        entered = self._enter(is_item=False)
        if vr == b"UN" and not self._implicit:  # PS3.5 Section 6.2.2: such content is Implicit VR Little Endian
            self._implicit = True
            return -1 if self._order == ">" else entered
        return entered

    def _enter(self, *, is_item: bool) -> int:
        self._container.append((is_item, self._implicit))
        return -1 if len(self._container) > _MAX_DEPTH else 0
