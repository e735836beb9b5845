"""Ways to break what is said to a receiver: PDUs, their items and fragments, command sets, data sets, their order."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from node import dimse
from node.dimse import PduType
from tests.fuzz.fields import EXPLICIT, IMPLICIT, Seed
from tests.fuzz.mutants import mutant
from tests.fuzz.sentinels import CODE, NAME
from tests.integration.receiving import CT, associate_rq

COMMITMENT, COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
_CONTEXTS = [(CT, [EXPLICIT]), (dimse.VERIFICATION, [IMPLICIT]), (COMMITMENT, [EXPLICIT])]
_STORE, _ECHO, _COMMIT = 1, 3, 5
_LONGEST_DATA_SET_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Script:
    """What is sent, one PDU after the other, and how.

    Attributes
    ----------
    ways
        what was broken, and how
    waits_for_acceptance
        the first PDU is a good A-ASSOCIATE-RQ, whose answer is waited for
    step
        bytes sent at a time; 0 for all
    """

    ways: tuple[str, ...]
    pdus: tuple[bytes, ...]
    waits_for_acceptance: bool
    step: int = 0


def _pdu(kind: int, body: bytes, length: int | None = None) -> bytes:
    return struct.pack(">BBI", kind, 0, (len(body) if length is None else length) & 0xFFFFFFFF) + body


def _pdv(context_id: int, flags: int, fragment: bytes, length: int | None = None) -> bytes:
    return (
        struct.pack(">IBB", (len(fragment) + 2 if length is None else length) & 0xFFFFFFFF, context_id, flags)
        + fragment
    )


def _said(context_id: int, command: bytes) -> bytes:
    return _pdu(PduType.P_DATA, _pdv(context_id, 3, command))


def _told(rng: random.Random, context_id: int, data: bytes) -> list[bytes]:
    step = rng.choice((997, 16_000, 60_000))
    pieces = [data[at : at + step] for at in range(0, len(data), step)] or [b""]
    return [
        _pdu(PduType.P_DATA, _pdv(context_id, 2 if index == len(pieces) - 1 else 0, piece))
        for index, piece in enumerate(pieces)
    ]


# -- one PDU, broken


def _flips(rng: random.Random, pdu: bytes) -> bytes:
    out = bytearray(pdu)
    for _ in range(rng.choice((1, 1, 2, 8))):
        out[rng.randrange(min(len(out), rng.choice((6, 16, 80, 1 << 20))))] ^= 1 << rng.randrange(8)
    return bytes(out)


def _pdu_length(rng: random.Random, pdu: bytes) -> bytes:
    true = len(pdu) - 6
    lies = (0, 1, true - 1, true + 1, true + 6, 0xFFFFFFFF, 0x7FFFFFFF, 1 << 20, (1 << 20) + 1, 131_072, 131_073)
    return pdu[:2] + struct.pack(">I", rng.choice((*lies, rng.getrandbits(32))) & 0xFFFFFFFF) + pdu[6:]


def _pdu_type(rng: random.Random, pdu: bytes) -> bytes:
    return bytes([rng.choice((*range(10), 0xFF, 0x10, rng.randrange(256)))]) + pdu[1:]


def _cut(rng: random.Random, pdu: bytes) -> bytes:
    return pdu[: rng.randrange(len(pdu))]


def _more(rng: random.Random, pdu: bytes) -> bytes:
    at = rng.randrange(len(pdu) + 1)
    new = rng.choice((b"\0", bytes(8), rng.randbytes(rng.randrange(1, 200)), NAME.encode(), pdu))
    grown = pdu[:at] + new + pdu[at:]
    return grown if rng.random() < 0.5 else _pdu(grown[0], grown[6:])


def _noise(rng: random.Random, pdu: bytes) -> bytes:
    at, size = rng.randrange(len(pdu)), rng.choice((1, 2, 4, 16, 64))
    return pdu[:at] + rng.choice((rng.randbytes(size), b"\xff" * size, bytes(size))) + pdu[at + size :]


def _items(rng: random.Random, pdu: bytes) -> bytes:
    """Lie about an item of an A-ASSOCIATE-RQ, or of any PDU as if it were one: length, type, number, order."""
    places = [at for at in range(6, len(pdu) - 4) if pdu[at] in {0x10, 0x20, 0x30, 0x40, *range(0x50, 0x5A)}]
    if not places:
        return _noise(rng, pdu)
    at = rng.choice(places)
    size = struct.unpack_from(">H", pdu, at + 2)[0]
    item = pdu[at : at + 4 + size]
    kind = rng.randrange(5)
    if kind == 0:
        lie = rng.choice((0, 1, size - 1, size + 1, size + 4, 0xFFFF, rng.getrandbits(16))) & 0xFFFF
        return pdu[: at + 2] + struct.pack(">H", lie) + pdu[at + 4 :]
    if kind == 1:
        return pdu[:at] + bytes([rng.randrange(256)]) + pdu[at + 1 :]
    body = pdu[6:at] + (item * rng.choice((2, 3, 129, 600)) if kind == 2 else b"") + pdu[at + len(item) :]
    if kind == 4:
        body = pdu[6:at] + item[:4] + rng.randbytes(size) + pdu[at + len(item) :]
    return _pdu(pdu[0], body[: 1 << 20])


def _fragments(rng: random.Random, pdu: bytes) -> bytes:
    """Say of a fragment another context, other flags or another length, or send several where one was."""
    if pdu[0] != PduType.P_DATA or len(pdu) < 12:
        return _noise(rng, pdu)
    context_id, flags, fragment = pdu[10], pdu[11], pdu[12:]
    true = len(fragment) + 2
    half = rng.randrange(len(fragment) + 1)
    flags_too = rng.choice((flags, flags ^ 1, flags ^ 2, flags ^ 3, flags | 0xFC, rng.randrange(256)))
    bodies = (
        _pdv(context_id, flags, fragment, rng.choice((0, 1, 2, true - 1, true + 1, 0xFFFFFFFF, rng.getrandbits(32)))),
        _pdv(rng.choice((0, 2, 255, 7, _STORE, _ECHO, _COMMIT)), flags, fragment),
        _pdv(context_id, flags_too, fragment),
        _pdv(context_id, flags & 1, fragment[:half]) + _pdv(context_id, flags, fragment[half:]),
        _pdv(context_id, flags & 1, b"") * rng.choice((1, 100, 2000)) + _pdv(context_id, flags, fragment),
        _pdv(context_id, flags, fragment) * rng.choice((2, 3, 20)),
        _pdv(context_id, flags, fragment) + rng.randbytes(rng.randrange(1, 9)),
        b"",
        _pdv(context_id, flags & 1, fragment) + _pdv(_ECHO, 3, dimse.c_echo_rq(9)),
    )
    return _pdu(PduType.P_DATA, rng.choice(bodies)[:131_072])


_BREAKERS: dict[str, Callable[[random.Random, bytes], bytes]] = {
    breaker.__name__.lstrip("_"): breaker
    for breaker in (_flips, _pdu_length, _pdu_type, _cut, _more, _noise, _items, _fragments)
}


# -- a command set, broken

_FIELDS = (
    0x0000,
    0x0002,
    0x0003,
    0x0100,
    0x0110,
    0x0120,
    0x0600,
    0x0700,
    0x0800,
    0x0900,
    0x1000,
    0x1001,
    0x1008,
    0x1030,
)
_UIDS = (
    b"", b"1.2", CT.encode(), b"1." * 40, b"../../x", b"\xff\xfe", CODE.encode(), b"1.2.3\0", b"9" * 65, b" " * 64,
    b"1" * 16_000,
    COMMITMENT_INSTANCE.encode(), dimse.VERIFICATION.encode(), b"1.2.840.10008.5.1.4.1.1.4", b"\r\n", b"\0" * 64,
)  # fmt: skip


def _elements(command: bytes) -> list[tuple[int, bytes]]:
    return list(dimse.decode_command(command).items())


def _command(rng: random.Random, command: bytes) -> bytes:
    """Break the elements of a command set, and leave the PDU right."""
    elements = _elements(command)
    index = rng.randrange(len(elements))
    tag, value = elements[index]
    kind = rng.randrange(8)
    if kind == 0:
        del elements[index]
    elif kind == 1:
        elements[index] = (
            tag,
            rng.choice((b"", b"\0", value + b"\0", value * 2, rng.randbytes(len(value)), b"\xff" * 4)),
        )
    elif kind == 2:
        elements.insert(
            rng.randrange(len(elements)), (rng.choice(_FIELDS), rng.choice((value, b"\1\0", b"", rng.randbytes(4))))
        )
    elif kind == 3:
        elements[index] = (rng.choice(_FIELDS), value)
    elif kind == 4:
        rng.shuffle(elements)
    elif kind == 5:
        elements = [(t, struct.pack("<H", rng.getrandbits(16)) if t == 0x0100 else v) for t, v in elements]
    elif kind == 6:
        elements = [(t, rng.choice(_UIDS) if t in {2, 3, 0x1000, 0x1001} else v) for t, v in elements]
    else:
        elements = elements * rng.choice((2, 40))
    out = b"".join(struct.pack("<HHI", 0, t, len(v)) + v for t, v in elements)
    if rng.random() < 0.15:
        at = rng.randrange(0, len(out), 8) if out else 0
        out = out[:at] + struct.pack("<HHI", rng.choice((0, 8)), rng.choice(_FIELDS), rng.getrandbits(32)) + out[at:]
    return out[: rng.choice((16_384, 16_386, 40_000))]


# -- scripts


def script(seeds: Sequence[Seed], seed: int, index: int) -> Script:
    """Make the script with this number; the same arguments give the same bytes."""
    rng = random.Random(f"pdu/{seed}/{index}")
    request = associate_rq(_CONTEXTS, called="DEIDNODE", max_pdu=rng.choice((0, 7, 128, 16_384, 131_072)))
    kind = rng.choices(("request", "first", "message", "command", "data-set", "order"), (3, 1, 3, 3, 2, 1))[0]
    step = rng.choice((0, 0, 0, 0, 0, 0, 0, 1000))
    if kind in {"request", "first"}:
        return _before_an_association(rng, kind, request, step)
    messages = (_store(rng, seeds, seed, index), _echo(rng), _commit(rng, seeds, seed, index))
    pdus = list(rng.choice(messages)(is_command_broken=kind == "command", is_data_broken=kind == "data-set"))
    ways: tuple[str, ...] = (kind,)
    if kind == "message":
        at, way = rng.randrange(len(pdus)), rng.choice(tuple(_BREAKERS))
        pdus[at] = _BREAKERS[way](rng, pdus[at])
        ways = (kind, way)
    elif kind == "order":
        pdus += [request, dimse.RELEASE_RQ, dimse.RELEASE_RP, dimse.a_abort(), _pdu(PduType.ASSOCIATE_AC, bytes(70))]
        rng.shuffle(pdus)
    elif rng.random() < 0.5:
        pdus += [*_echo(rng)(is_command_broken=False, is_data_broken=False), dimse.RELEASE_RQ]
    return Script(ways, (request, *pdus), waits_for_acceptance=True, step=step)


def _before_an_association(rng: random.Random, kind: str, request: bytes, step: int) -> Script:
    if kind == "first":
        echo, some, hello = _said(_ECHO, dimse.c_echo_rq(1)), rng.randbytes(rng.randrange(1, 90)), rng.randbytes(60)
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + hello  # of TLS
        firsts = (dimse.RELEASE_RQ, dimse.a_abort(), echo, some, hello, b"GET / HTTP/1.1\r\n\r\n", b"")
        return Script((kind,), (rng.choice(firsts),), waits_for_acceptance=False, step=step)
    way = rng.choice([name for name in _BREAKERS if name != "fragments"])
    broken = _BREAKERS[way](rng, request)
    if rng.random() < 0.3:
        broken = _BREAKERS["items"](rng, broken) if broken else broken
    later = [_said(_ECHO, dimse.c_echo_rq(1)), dimse.RELEASE_RQ] if rng.random() < 0.5 else []
    return Script((kind, way), (broken, *later), waits_for_acceptance=False, step=step)


_Message = Callable[..., list[bytes]]


def _store(rng: random.Random, seeds: Sequence[Seed], seed: int, index: int) -> _Message:
    def pdus(*, is_command_broken: bool, is_data_broken: bool) -> list[bytes]:
        command = dimse.c_store_rq(rng.randrange(1, 65_535), CT, f"1.2.3.{index}")
        if is_command_broken:
            command = _command(rng, command)
        data = mutant(seeds, seed, index).data if is_data_broken else rng.choice(seeds).data
        return [_said(_STORE, command), *_told(rng, _STORE, data[:_LONGEST_DATA_SET_BYTES])]

    return pdus


def _echo(rng: random.Random) -> _Message:
    def pdus(*, is_command_broken: bool, is_data_broken: bool) -> list[bytes]:
        command = dimse.c_echo_rq(rng.randrange(1, 65_535))
        more = _told(rng, _ECHO, b"x" * 40) if is_data_broken else []
        return [_said(_ECHO, _command(rng, command) if is_command_broken else command), *more]

    return pdus


def _commit(rng: random.Random, seeds: Sequence[Seed], seed: int, index: int) -> _Message:
    def pdus(*, is_command_broken: bool, is_data_broken: bool) -> list[bytes]:
        command = dimse.n_action_rq(rng.randrange(1, 65_535), COMMITMENT, COMMITMENT_INSTANCE, rng.choice((1, 1, 1, 2)))
        data = _asked_for(rng)
        if is_data_broken:
            request = Seed("commitment", EXPLICIT, data)
            data = mutant([request, request, *seeds[:1]], seed, index).data
        command = _command(rng, command) if is_command_broken else command
        return [_said(_COMMIT, command), *_told(rng, _COMMIT, data[:_LONGEST_DATA_SET_BYTES])]

    return pdus


def _asked_for(rng: random.Random) -> bytes:
    """Encode the data set of an N-ACTION: a transaction and some instances (PS3.4 Table J.3-1)."""

    def element(tag: int, value: str) -> bytes:
        data = value.encode() + b"\0" * (len(value) % 2)
        return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, b"UI", len(data)) + data

    def item(number: int) -> bytes:
        body = element(0x00081150, CT) + element(0x00081155, f"1.2.3.{number}")
        return struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body

    items = b"".join(map(item, range(rng.choice((0, 1, 3, 40)))))
    sequence = struct.pack("<HH2s2xI", 0x0008, 0x1199, b"SQ", len(items)) + items
    return element(0x00081195, f"1.2.9.{rng.getrandbits(40)}") + sequence
