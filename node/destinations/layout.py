"""Where an instance lies in a folder: a path made of attributes of the clean instance, safe on any file system.

``{Keyword}`` stands for the value of a top-level attribute. What is no ASCII letter, digit, ``-``, ``_`` or ``.`` in it
becomes ``_``, and so that two values never become one name, what was changed gets a digest of the value behind it.
``{Keyword:id}`` stands for eight characters of A to Z and 0 to 9 instead, a digest: paths of these and of constant
names can be File IDs of a DICOM File-set (PS3.10 Section 8.2), which a tool like dcmmkdir makes a DICOMDIR for.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import re
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pydicom._dicom_dict import DicomDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_LAYOUT = "{PatientID}/{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm"

UNKNOWN = "_"
"""In place of a value that isn't there."""

SHORT_CHARACTERS = 8
_DIGEST_CHARACTERS = 8
_MOST_CHARACTERS = 64
"""Of one value; file systems allow names of 255 bytes, some tools for them less."""

_PLACE = re.compile(r"\{([^{}:]*)(:[^{}]*)?\}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_CONSTANT = re.compile(r"[A-Za-z0-9._-]*")
_VRS = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM", "UI"})
# MS-DOS devices are files of every folder of Windows, whatever follows the first dot.
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_MOST_PARTS = 16


class LayoutError(ValueError):
    """A layout cannot be used; the message says why."""


class Layout:
    """The template of a path.

    Raises
    ------
    LayoutError
        if a keyword is unknown, is no short text, or the result would not be a path of safe names below the folder
    """

    def __init__(self, template: str) -> None:
        self._parts = template.split("/")
        if len(self._parts) > _MOST_PARTS:
            raise LayoutError(f"must not have more than {_MOST_PARTS} parts")
        keywords: dict[str, int] = {}
        for part in self._parts:
            if not part or not _CONSTANT.fullmatch(_PLACE.sub("", part)):
                raise LayoutError("must be names with {Keyword} in them, separated by '/', as in " + DEFAULT_LAYOUT)
            for keyword, kind in _PLACE.findall(part):
                if kind not in ("", ":id"):
                    raise LayoutError(f"{{{keyword}{kind}}}: what may follow a keyword is ':id'")
                keywords[keyword] = _tag(keyword)
        if "SOPInstanceUID" not in keywords:
            raise LayoutError("needs {SOPInstanceUID}, or instances would get the same name")
        self.tags = keywords

    def path(self, value_of: Callable[[int], str]) -> PurePosixPath:
        """Return the path of an instance, relative to the folder.

        Parameters
        ----------
        value_of
            gives the text of an attribute by its tag, empty if there is none
        """
        return PurePosixPath(*(_safe_part(self._filled(part, value_of)) for part in self._parts))

    def _filled(self, part: str, value_of: Callable[[int], str]) -> str:
        def fill(place: re.Match[str]) -> str:
            value = value_of(self.tags[place[1]])
            return _short(value) if place[2] else safe(value)

        return _PLACE.sub(fill, part)


def safe(value: str) -> str:
    """Return a value as a name: itself if it is safe, else what is safe of it, and a digest."""
    if not value:
        return UNKNOWN
    name = _UNSAFE.sub("_", value)
    if name == value and len(name) <= _MOST_CHARACTERS:
        return name
    return f"{name[: _MOST_CHARACTERS - _DIGEST_CHARACTERS - 1]}_{_digest(value).lower()}"


def _short(value: str) -> str:
    return _digest(value)[:SHORT_CHARACTERS]


def _digest(value: str) -> str:
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()
    return base64.b32encode(digest)[:_DIGEST_CHARACTERS].decode("ascii")


def _safe_part(name: str) -> str:
    """Return a name that is neither a folder's own nor hidden, ends as Windows allows, and is no device of it."""
    stripped = name.strip(".")
    if stripped != name or _DEVICE.fullmatch(name):
        return f"_{stripped}_" if stripped else UNKNOWN
    return name


@cache
def _keywords() -> dict[str, tuple[int, str]]:
    return {entry[4]: (tag, entry[0]) for tag, entry in DicomDictionary.items() if entry[4]}


def _tag(keyword: str) -> int:
    known = _keywords().get(keyword)
    if known is None:
        near = difflib.get_close_matches(keyword, _keywords(), 1)
        raise LayoutError(f"unknown keyword {keyword!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    tag, vr = known
    if vr not in _VRS:
        raise LayoutError(f"{keyword!r} is of VR {vr}, which is no short text")
    return tag
