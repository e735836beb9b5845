"""Loading ahead what the first instance of a process would have to wait for: tables, codecs, patterns."""

from __future__ import annotations

from contextlib import suppress

from deid.context import Context
from deid.encoding.element import DataSet, Element
from deid.encoding.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from deid.encoding.writer import write_data_set
from deid.engine import Instance, deidentify
from deid.errors import Refused

_SOP_CLASSES = (b"1.2.840.10008.5.1.4.1.1.2", b"1.2.840.10008.5.1.4.1.1.4", b"1.2.840.10008.5.1.4.1.1.7")  # CT, MR, SC


def warm_up(context: Context) -> None:
    """Clean an instance of nobody for each of the most frequent SOP Classes; what becomes of it is of no interest."""
    for sop_class in _SOP_CLASSES:
        with suppress(Refused):
            deidentify(Instance(EXPLICIT_VR_LITTLE_ENDIAN, b"".join(_nobody(sop_class))), context)


def _nobody(sop_class: bytes) -> list[bytes | memoryview]:
    values = (
        (0x0008_0005, "CS", b"ISO_IR 192"),
        (0x0008_0016, "UI", sop_class),
        (0x0008_0018, "UI", b"2.25.1"),
        (0x0008_0020, "DA", b"20000101"),
        (0x0008_1030, "LO", b"nobody's study 2000-01-01 of N\xc3\xb6body"),
        (0x0009_0010, "LO", b"NOBODY"),
        (0x0009_1001, "LO", b"nothing"),
        (0x0010_0010, "PN", "Nöbody^Nemo=山田^太郎".encode()),
        (0x0010_0020, "LO", b"nobody-0000"),
        (0x0020_4000, "LT", b"N\xc3\xb6body"),
    )
    return write_data_set(
        DataSet({tag: Element(tag, vr, value) for tag, vr, value in values}), EXPLICIT_VR_LITTLE_ENDIAN
    )
