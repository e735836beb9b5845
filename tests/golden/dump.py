"""An instance as lines that a person can review: path, VR and value of each element."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from io import BytesIO

from pydicom import Dataset, dcmread

_LONGEST_SHOWN_BYTES = 64


def dump(part10: bytes) -> list[str]:
    """Return the lines of a Part 10 file, File Meta Information included."""
    ds = dcmread(BytesIO(part10))
    return [*_lines(ds.file_meta, ""), *_lines(ds, "")]


def _lines(ds: Dataset, path: str) -> Iterator[str]:
    for element in ds:
        where = f"{path}({element.tag.group:04X},{element.tag.element:04X})"
        if element.VR == "SQ":
            yield f"{where} SQ {len(element.value)} items"
            for number, item in enumerate(element.value, start=1):
                yield from _lines(item, f"{where}[{number}]")
        else:
            yield f"{where} {element.VR} {_shown(element.value)}"


def _shown(value: object) -> str:
    if isinstance(value, bytes) and len(value) > _LONGEST_SHOWN_BYTES:
        return f"{len(value)} bytes, SHA-256 {hashlib.sha256(value).hexdigest()[:16]}"
    return repr(value) if isinstance(value, bytes) else str(value)
