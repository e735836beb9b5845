"""Which presentation contexts the node accepts: every storage SOP Class in every transfer syntax, and Verification."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from pydicom._uid_dict import UID_dictionary
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import _STORAGE_CLASSES

from deid.encoding.syntax import TRANSFER_SYNTAXES, TransferSyntax
from node.dimse import VERIFICATION

_NOT_INSTANCES = ("Storage Commitment", "Media Storage Directory")
"""SOP Classes called storage that C-STORE never carries (PS3.4 Annex J, PS3.4 Annex I)."""


def _storage_sop_classes() -> frozenset[str]:
    """Return the storage SOP Classes of pynetdicom's tables and, for the retired ones, of PS3.6 Table A-1."""
    listed = (
        uid
        for uid, (name, kind, *_) in UID_dictionary.items()
        if kind == "SOP Class" and "Storage" in name and not name.startswith(_NOT_INSTANCES)
    )
    return frozenset(map(str, _STORAGE_CLASSES.values())) | frozenset(listed)


def _keywords() -> dict[str, str]:
    """Return the storage SOP Classes' UIDs by keyword."""
    listed = {UID_dictionary[uid][4]: uid for uid in STORAGE_SOP_CLASSES if uid in UID_dictionary}
    return {**listed, **{keyword: str(uid) for keyword, uid in _STORAGE_CLASSES.items()}}


def _preference(syntax: TransferSyntax) -> tuple[int, str]:
    """Order transfer syntaxes as an acceptor chooses among those of one context.

    Explicit VR Little Endian first, so that senders do not convert and private elements keep their VR; what loses
    pixels after what doesn't; Implicit VR, which loses VRs, last.
    """
    if syntax.implicit_vr:
        order = 5
    elif syntax.deflated:
        order = 4
    elif not syntax.little_endian:
        order = 3
    elif syntax.encapsulated:
        order = 2 if syntax.lossy else 1
    else:
        order = 0
    return order, syntax.uid


STORAGE_SOP_CLASSES: Final = _storage_sop_classes()

TRANSFER_SYNTAX_ORDER: Final = tuple(s.uid for s in sorted(TRANSFER_SYNTAXES.values(), key=_preference))

_KEYWORDS: Final = _keywords()


@dataclass(frozen=True, slots=True)
class AcceptedContext:
    """A presentation context that was accepted."""

    id: int
    abstract_syntax: str
    transfer_syntax: str


@cache
def supported_contexts() -> Mapping[str, PresentationContext]:
    """Return pynetdicom's supported contexts by abstract syntax: built once, and nobody changes them.

    pynetdicom accepts the first transfer syntax of a supported context that is proposed.
    """
    syntaxes = list(TRANSFER_SYNTAX_ORDER)
    return {uid: build_context(uid, syntaxes) for uid in sorted(STORAGE_SOP_CLASSES | {VERIFICATION})}


def sop_class_uid(name: str) -> str:
    """Return the UID of a storage SOP Class given by its keyword (PS3.6 Table A-1) or by its UID.

    Raises
    ------
    ValueError
        if there is none, with the nearest keyword
    """
    uid = _KEYWORDS.get(name, name)
    if uid in STORAGE_SOP_CLASSES:
        return uid
    near = difflib.get_close_matches(name, _KEYWORDS, 1)
    raise ValueError(f"no storage SOP Class is {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
