"""Instances with sentinels: in every attribute of the dictionary, with its VR, another, or none that exists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count, islice

from pydicom.datadict import DicomDictionary

from tests.hunt.sentinels import Mint
from tests.leak import encode
from tests.leak.encode import EXPLICIT, IMPLICIT, El

_CHUNK = 30
_CT = "1.2.840.10008.5.1.4.1.1.2"
_OTHER_VRS = ("UN", "PN", "IS", "US", "UI", "OB", "DA", "SQ", "AT")
_NO_VRS = ("ZZ", "lo", "\x00\x00")
_INSIDE = 0x0010_0010
_HARMLESS = {  # without these nothing would get far enough to leave much behind
    0x0008_0016: ("UI", _CT),
    0x0008_0060: ("CS", "CT"),
}
_UIDS = (0x0008_0018, 0x0020_000D, 0x0020_000E, 0x0020_0052)
_NAMED = {0x0008_0050: "SH", 0x0008_0090: "PN", 0x0010_0010: "PN", 0x0010_0020: "LO", 0x0010_4000: "LT"}


@dataclass(frozen=True, slots=True)
class Plant:
    """An instance as it is sent."""

    kind: str
    syntax: str
    class_uid: str
    instance_uid: str
    data_set: bytes


def instances(mint: Mint, every: int = 1) -> Iterator[Plant]:
    """Yield the instances; of those with attributes of the dictionary only each n-th."""
    tags = [tag for tag in sorted(DicomDictionary) if 0x0008_0000 <= tag < 0xFFFC_0000 and tag & 0xFFFF]
    numbers = count()
    for kind, syntax in (
        ("its VR", EXPLICIT),
        ("another VR", EXPLICIT),
        ("no VR", EXPLICIT),
        ("implicit VR", IMPLICIT),
    ):
        rest = iter(tags)
        while chunk := list(islice(rest, _CHUNK)):
            if next(numbers) % every == 0:
                planted = {tag: _element(mint, tag, kind) for tag in chunk}
                yield _instance(mint, f"every attribute, {kind}", planted, syntax)
    for kind, damage in _DAMAGES.items():
        for syntax in (EXPLICIT, IMPLICIT):
            whole = _instance(mint, kind, {}, syntax)
            yield replace(whole, data_set=damage(mint, whole.data_set))


def _element(mint: Mint, tag: int, kind: str) -> El:
    vr = DicomDictionary[tag][0].split(" or ")[0]
    if kind == "another VR":
        vr = _OTHER_VRS[tag % len(_OTHER_VRS)]
    elif kind == "no VR":
        vr = _NO_VRS[tag % len(_NO_VRS)]
    return El(tag, vr, _value(mint, vr))


def _value(mint: Mint, vr: str) -> bytes | list[list[El]]:
    if vr == "SQ":
        return [[El(_INSIDE, "PN", _even(mint.text()))]]
    if vr == "UI":
        return _even(mint.uid(), b"\0")
    if vr in {"US", "SS", "UL", "SL", "FL", "FD", "OW", "OF", "OD", "OL", "OV", "SV", "UV", "AT"}:
        return _even(mint.text()).ljust(16)  # a whole number of words of any size
    return _even(mint.text())


def _instance(mint: Mint, kind: str, planted: dict[int, El], syntax: str) -> Plant:
    instance_uid = mint.uid()
    elements = {tag: El(tag, vr, _even(mint.name())) for tag, vr in _NAMED.items()} | planted
    elements |= {tag: El(tag, "UI", _even(mint.uid(), b"\0")) for tag in _UIDS}
    elements |= {tag: El(tag, vr, _even(text, b"\0")) for tag, (vr, text) in _HARMLESS.items()}
    elements[0x0008_0018] = El(0x0008_0018, "UI", _even(instance_uid, b"\0"))
    for number in range(3):  # private ones, with and without a creator
        group = 0x0009 + 2 * number
        elements[group << 16 | 0x10] = El(group << 16 | 0x10, "LO", _even(mint.text()))
        elements[group << 16 | 0x1001] = El(group << 16 | 0x1001, "LO", _even(mint.text()))
        elements[group << 16 | 0x2001] = El(group << 16 | 0x2001, "UN", _even(mint.text()))
    body = encode.data_set([elements[tag] for tag in sorted(elements)], syntax)
    return Plant(kind, syntax, _CT, instance_uid, body)


def _even(text: str, padding: bytes = b" ") -> bytes:
    value = text.encode("latin-1")
    return value + padding * (len(value) % 2)


def _cut(_mint: Mint, file: bytes) -> bytes:
    return file[:-7]


def _longer(mint: Mint, file: bytes) -> bytes:
    return file + mint.text().encode() * 3


def _lies(mint: Mint, file: bytes) -> bytes:
    """Let the last element claim to be longer than the file."""
    return file + b"\xe0\x7f\x10\x00OB\0\0\xf0\xff\xff\x7f" + mint.text().encode()


def _garbled(mint: Mint, file: bytes) -> bytes:
    middle = len(file) // 2
    return file[:middle] + mint.text().encode() + file[middle:]


_DAMAGES = {"cut short": _cut, "bytes after the end": _longer, "a length that lies": _lies, "garbled": _garbled}
