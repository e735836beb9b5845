"""Which options the engine can do, found out by giving it instances that need them."""

from __future__ import annotations

from deid.context import Context
from deid.encoding.element import DataSet, Element
from deid.encoding.syntax import EXPLICIT_VR_LITTLE_ENDIAN
from deid.encoding.writer import write_data_set
from deid.engine import deidentify
from deid.errors import Misconfigured, Reason, Refused, SeriesNeeded
from deid.instance import Instance
from deid.keys import Keys
from deid.profile import Profile

__all__ = ["is_supported"]

_CT, _BASIC_TEXT_SR, _PRESENTATION_STATE = (
    f"1.2.840.10008.5.1.4.1.1.{suffix}".encode() for suffix in ("2", "88.11", "11.1")
)


def is_supported(option: str) -> bool:
    """Tell whether an instance that needs an option comes through with a profile of that option alone.

    Raises
    ------
    Refused
        The instance is refused for another reason than a missing step.
    """
    data = b"".join(map(bytes, write_data_set(_probe(option), EXPLICIT_VR_LITTLE_ENDIAN)))
    context = Context(Profile.from_options("probe", [option]), Keys.from_secret(bytes(32)))
    try:
        deidentify(Instance(EXPLICIT_VR_LITTLE_ENDIAN, data), context)
    except (Misconfigured, SeriesNeeded):  # the step is there; it waits for its network, or for the whole series
        return True
    except Refused as refused:
        if refused.reason is not Reason.STEP_UNAVAILABLE:
            raise
        return False
    return True


def _probe(option: str) -> DataSet:
    sop_class, own = _NEEDS.get(option, (_CT, _PIXELS))
    return _item(
        Element(0x0008_0016, "UI", sop_class),
        Element(0x0008_0018, "UI", b"1.2.3"),
        Element(0x0010_0020, "LO", b"PROBE-7731"),
        Element(0x0020_000E, "UI", b"1.2.4\0"),
        *own,
    )


def _item(*elements: Element) -> DataSet:
    return DataSet({element.tag: element for element in sorted(elements, key=lambda element: element.tag)})


_TEXT = b"No abnormality"
_PIXELS = (
    Element(0x0008_0060, "CS", b"CT"),
    Element(0x0028_0002, "US", b"\x01\0"),
    Element(0x0028_0004, "CS", b"MONOCHROME2"),
    Element(0x0028_0010, "US", b"\x02\0"),
    Element(0x0028_0011, "US", b"\x02\0"),
    Element(0x0028_0100, "US", b"\x08\0"),
    Element(0x0028_0101, "US", b"\x08\0"),
    Element(0x0028_0102, "US", b"\x07\0"),
    Element(0x0028_0103, "US", b"\0\0"),
    Element(0x7FE0_0010, "OB", bytes(4)),
)
_CONTENT_ITEM = _item(
    Element(0x0040_A010, "CS", b"CONTAINS"), Element(0x0040_A040, "CS", b"TEXT"), Element(0x0040_A160, "UT", _TEXT)
)
_GRAPHIC = _item(
    Element(0x0070_0002, "CS", b"LAYER"),
    Element(0x0070_0008, "SQ", [_item(Element(0x0070_0006, "ST", _TEXT))]),
)
_NEEDS: dict[str, tuple[bytes, tuple[Element, ...]]] = {
    "clean_descriptors": (_CT, (*_PIXELS, Element(0x0008_103E, "LO", _TEXT))),
    "clean_structured_content": (_BASIC_TEXT_SR, (Element(0x0040_A730, "SQ", [_CONTENT_ITEM]),)),
    "clean_graphics": (_PRESENTATION_STATE, (Element(0x0070_0001, "SQ", [_GRAPHIC]),)),
}
"""Option → SOP Class and elements of an instance that needs it; all others are tried with an image."""
