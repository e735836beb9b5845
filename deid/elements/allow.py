"""What may stay of free text where a profile has an allow-list: terms of the standard and public codes."""

from __future__ import annotations

from deid.elements.dummies import (
    CODE_MEANING,
    CODE_VALUE,
    CODING_SCHEME_DESIGNATOR,
    CODING_SCHEME_VERSION,
    is_public_code,
)
from deid.encoding.element import DataSet, Element
from deid.encoding.text import decode_lenient
from deid.standard import is_defined_term

_MIME_TYPE = 0x0042_0012
_MIME_TYPES = frozenset(
    {b"application/pdf", b"text/xml", b"model/stl", b"model/obj", b"model/mtl"}
)  # PS3.3 Section A.45

_CODE_ATTRIBUTES = frozenset({CODE_VALUE, CODING_SCHEME_DESIGNATOR, CODING_SCHEME_VERSION, CODE_MEANING})


def is_allowed(element: Element, owner: DataSet) -> bool:
    """Tell whether the text of an element may stay: it says nothing, or is the standard's own or a public code's.

    Parameters
    ----------
    element
        a leaf
    owner
        the Data Set or Item it belongs to
    """
    if not isinstance(element.value, bytes | memoryview):
        return False
    if element.tag in _CODE_ATTRIBUTES and is_public_code(owner):
        return True
    if element.tag == _MIME_TYPE and bytes(element.value).strip(b" \0").lower() in _MIME_TYPES:
        return True
    texts = decode_lenient(element.value, element.vr, owner.charset)[0].split("\\")
    return all(not text.strip(" \0") or is_defined_term(text.strip(" \0")) for text in texts)
