"""Reading and writing the attributes around pixels, in a Data Set whose values are still encoded."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from deid.encoding.element import DataSet, Element

ByteOrder = Literal["little", "big"]
_MOST_ENTRIES = 0x10000


def value_of(data_set: DataSet, tag: int) -> bytes:
    """Return an element's value, nothing if it isn't there or holds items."""
    element = data_set.elements.get(tag)
    return bytes(element.value) if element is not None and isinstance(element.value, bytes | memoryview) else b""


def text_of(data_set: DataSet, tag: int) -> str:
    """Return the text of a code or a number, without its padding."""
    return value_of(data_set, tag).decode("latin-1").strip(" \0")


def items(data_set: DataSet, tag: int) -> list[DataSet]:
    """Return the items of a Sequence, none if it isn't there."""
    element = data_set.elements.get(tag)
    return element.value if element is not None and isinstance(element.value, list) else []


def numbers(data_set: DataSet, tag: int) -> list[float]:
    """Return the values of a decimal or integer string; none if one of them is no number."""
    try:
        found = [float(part) for part in text_of(data_set, tag).split("\\") if part.strip()]
    except ValueError:
        return []
    return found if np.isfinite(found).all() else []


def words(data_set: DataSet, tag: int, order: ByteOrder, *, is_signed: bool = False) -> list[int]:
    """Return the values of ``US`` or ``SS``."""
    value = value_of(data_set, tag)
    starts = range(0, len(value) - 1, 2)
    return [int.from_bytes(value[start : start + 2], order, signed=is_signed) for start in starts]


def table(
    data_set: DataSet, descriptor: int, data: int, order: ByteOrder, *, is_signed: bool
) -> tuple[int, NDArray[Any]] | None:
    """Return a lookup table's first input value and its entries (PS3.3 Section C.11.1.1); None if there is none."""
    described = described_table(data_set, descriptor, order, is_signed=is_signed)
    raw = value_of(data_set, data)
    if described is None or len(raw) < 2:
        return None
    entries, first, bits = described
    found = np.frombuffer(raw[: len(raw) & ~1], "<u2" if order == "little" else ">u2")
    if bits <= 8 and len(raw) < 2 * entries:
        found = found.astype("<u2").view("u1")  # two entries in a word, the first one in its lower half
    return (first, found[:entries]) if len(found) else None


def described_table(
    data_set: DataSet, descriptor: int, order: ByteOrder, *, is_signed: bool
) -> tuple[int, int, int] | None:
    """Return number of entries, first input value and bits of an entry; None without a descriptor."""
    plain = words(data_set, descriptor, order)
    if len(plain) != 3:
        return None
    first = words(data_set, descriptor, order, is_signed=is_signed)[1]
    return plain[0] or _MOST_ENTRIES, first, plain[2]


def put(data_set: DataSet, tag: int, vr: str, value: bytes) -> None:
    """Set an element, new or not; the order of tags stays ascending."""
    is_new = tag not in data_set.elements
    data_set.elements[tag] = Element(tag, vr, value)
    if is_new:
        data_set.elements = dict(sorted(data_set.elements.items()))
