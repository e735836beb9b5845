"""What is known of devices beforehand: templates of where they burn text in, and which images are screens.

Operators write both in TOML files (`config/regions`), whose form is this::

    [[template]]
    name = "Example 3000, banner"             # what reports call it
    match.Modality = "US"                     # attributes of the instance, by keyword; all of them have to match
    match.Manufacturer = ["EXAMPLE*", "EX*"]  # any of these; * stands for anything, case doesn't matter
    match.Rows = [600, 768]
    unless.ImageType = "ORIGINAL"             # optional: if any of these matches, the template is not for the instance
    top = 70                                  # pixels from an edge that are masked: top, bottom, left, right
    boxes = [[0, 0, 512, 121]]                # boxes that are masked: first column, first row, and those after the last

    [[screen]]
    name = "Dose report"
    kind = "dose"                             # capture, dose or document: the profile says what is done with each
    match.SeriesDescription = "*dose report*"

A value of "" matches where the attribute is absent or empty; of one with several values, any may match. What reaches
beyond the image is cut off. Templates only ever add to what is masked.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import dictionary_VR, tag_for_keyword

from deid.encoding.element import DataSet
from deid.encoding.text import decode_lenient
from deid.errors import Misconfigured
from deid.pixels.box import Box

EDGES = ("top", "bottom", "left", "right")
_TEMPLATE_KEYS = ("name", "match", "unless", *EDGES, "boxes")
_SCREEN_KEYS = ("name", "kind", "match", "unless")
_TEXT_VRS = frozenset({"AE", "CS", "DS", "IS", "LO", "LT", "PN", "SH", "ST", "UC", "UI", "UT"})
_BYTES_BY_VR = {"US": 2, "SS": 2, "US or SS": 2, "UL": 4, "SL": 4}
_LARGEST_PX = 1 << 16
_SPACES = re.compile(r"\s+")
_HEADER = re.compile(r"\s*\[\[\s*(\w+)\s*\]\]")


class ScreenKind(StrEnum):
    """What an image is that no detector made."""

    CAPTURE = "capture"
    """A workstation's or scanner's screen, or what was drawn or reconstructed there."""
    DOSE = "dose"
    """A page of numbers: dose, protocol, injection."""
    DOCUMENT = "document"
    """Paper that was scanned: also handwriting, which nothing here can read."""


@dataclass(slots=True)
class Attributes:
    """The attributes of an instance's top level as texts, each decoded once.

    Attributes
    ----------
    data_set
        the source, before anything is removed
    little_endian
        its byte order
    """

    data_set: DataSet
    little_endian: bool
    _values: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def values(self, tag: int) -> tuple[str, ...]:
        """Return the values of an attribute; one empty text if it is absent or empty."""
        found = self._values.get(tag)
        if found is None:
            found = self._values[tag] = tuple(self._decoded(tag)) or ("",)
        return found

    def _decoded(self, tag: int) -> Iterator[str]:
        element = self.data_set.elements.get(tag)
        if element is None or not isinstance(element.value, bytes | memoryview):
            return
        vr, value = str(dictionary_VR(tag)), bytes(element.value)
        if size := _BYTES_BY_VR.get(vr):
            order = "little" if self.little_endian else "big"
            for at in range(0, len(value) - size + 1, size):
                yield str(int.from_bytes(value[at : at + size], order, signed=vr[0] == "S"))  # type: ignore[arg-type]
            return
        text, _ = decode_lenient(value, vr, self.data_set.charset)
        for part in text.split("\\"):
            plain = _SPACES.sub(" ", part.strip(" \0"))
            yield plain
            if vr == "UI" and plain in UID_dictionary:
                yield UID_dictionary[plain][4]  # its keyword


@dataclass(frozen=True, slots=True)
class Match:
    """Which instances something is for.

    Attributes
    ----------
    patterns
        tag → texts, of which one has to equal one of the attribute's values; ``*`` stands for anything
    unless
        the same: whom it is not for, whatever `patterns` say
    """

    patterns: tuple[tuple[int, tuple[str, ...]], ...]
    unless: tuple[tuple[int, tuple[str, ...]], ...] = ()

    def fits(self, attributes: Attributes) -> bool:
        """Tell whether it is for this instance."""
        return all(_fits(attributes, *pattern) for pattern in self.patterns) and not any(
            _fits(attributes, *pattern) for pattern in self.unless
        )


def _fits(attributes: Attributes, tag: int, patterns: tuple[str, ...]) -> bool:
    values = attributes.values(tag)
    return any(_expression(pattern).fullmatch(value) for pattern in patterns for value in values)


@lru_cache(maxsize=4096)
def _expression(pattern: str) -> re.Pattern[str]:
    parts = (re.escape(_SPACES.sub(" ", part)) for part in pattern.split("*"))
    return re.compile(".*".join(parts), re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Template:
    """Where devices of one kind burn text in.

    Attributes
    ----------
    name
        what reports call it
    match
        whom it is for
    edges
        ``top``, ``bottom``, ``left``, ``right`` → pixels from there that are masked
    boxes
        further boxes
    """

    name: str
    match: Match
    edges: tuple[tuple[str, int], ...] = ()
    boxes: tuple[Box, ...] = ()

    def boxes_in(self, rows: int, columns: int) -> tuple[Box, ...]:
        """Return what of an image of this size is masked."""
        bands = {
            "top": lambda size: Box(0, 0, columns, size),
            "bottom": lambda size: Box(0, rows - size, columns, rows),
            "left": lambda size: Box(0, 0, size, rows),
            "right": lambda size: Box(columns - size, 0, columns, rows),
        }
        found = [bands[edge](size) for edge, size in self.edges]
        return tuple(box for each in (*found, *self.boxes) if (box := clipped(each, rows, columns)))


def clipped(box: Box, rows: int, columns: int) -> Box | None:
    """Return what of a box lies in the image; None if nothing does."""
    cut = Box(max(box.x0, 0), max(box.y0, 0), min(box.x1, columns), min(box.y1, rows))
    return cut if cut.x0 < cut.x1 and cut.y0 < cut.y1 else None


@dataclass(frozen=True, slots=True)
class Screen:
    """Which images are screens of one kind."""

    name: str
    match: Match
    kind: ScreenKind


@dataclass(frozen=True, slots=True)
class RegionFile:
    """What a file, or several, say."""

    templates: tuple[Template, ...] = ()
    screens: tuple[Screen, ...] = ()


def shipped_config(folder: str) -> Path:
    """Return a folder of the shipped configuration: beside the packages, or below ``sys.prefix`` where installed."""
    checkout = Path(__file__).parents[2] / "config" / folder
    return checkout if checkout.is_dir() else Path(sys.prefix) / "share" / "deid-node" / "config" / folder


def load_region_files(paths: Iterable[Path]) -> RegionFile:
    """Read region files; what they say is put together in their order.

    Raises
    ------
    Misconfigured
        One can't be read or says something unknown; the message names file, line, table and key.
    """
    files = [_load(path) for path in paths]
    return RegionFile(
        tuple(template for file in files for template in file.templates),
        tuple(screen for file in files for screen in file.screens),
    )


def _load(path: Path) -> RegionFile:
    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Misconfigured(f"regions {path}: {error}") from error
    if unknown := sorted(set(raw) - {"template", "screen"}):
        raise Misconfigured(f"regions {path}: unknown key {unknown[0]!r}; allowed: [[template]], [[screen]]")
    return RegionFile(
        tuple(_each(path, text, raw, "template", _template)), tuple(_each(path, text, raw, "screen", _screen))
    )


def _each(path: Path, text: str, raw: Mapping[str, Any], kind: str, make: Callable[[str, Any], Any]) -> Iterator[Any]:
    """Make what each ``[[kind]]`` says, its errors telling in which line it begins."""
    tables = raw.get(kind, [])
    if not isinstance(tables, list):
        raise Misconfigured(f"regions {path}: {kind} must be written as [[{kind}]]")
    headers = (number for number, line in enumerate(text.splitlines(), 1) if _kind_in(line) == kind)
    lines = [*headers]
    for index, table in enumerate(tables):
        line = f":{lines[index]}" if len(lines) == len(tables) else ""
        name = table.get("name") if isinstance(table, dict) else None
        yield make(f"regions {path}{line}: {kind} {name if isinstance(name, str) else index + 1}", table)


def _kind_in(line: str) -> str:
    header = _HEADER.match(line)
    return header[1] if header else ""


def _template(where: str, table: object) -> Template:
    own = checked_table(where, table, _TEMPLATE_KEYS)
    edges = tuple((edge, _pixels(where, edge, own[edge])) for edge in EDGES if edge in own)
    boxes = own.get("boxes", [])
    if not isinstance(boxes, list):
        raise Misconfigured(f"{where}: boxes must be a list of [x0, y0, x1, y1]")
    if not edges and not boxes:
        raise Misconfigured(f"{where}: nothing is masked; give {', '.join(EDGES)} or boxes")
    return Template(_name(where, own), parse_match(where, own), edges, tuple(_box(where, box) for box in boxes))


def _screen(where: str, table: object) -> Screen:
    own = checked_table(where, table, _SCREEN_KEYS)
    kind = own.get("kind")
    if not isinstance(kind, str) or kind not in set(ScreenKind):
        raise Misconfigured(f"{where}: kind = {kind!r}; allowed: {', '.join(ScreenKind)}")
    return Screen(_name(where, own), parse_match(where, own), ScreenKind(kind))


def checked_table(where: str, table: object, allowed: Iterable[str]) -> dict[str, Any]:
    """Return a table of TOML whose keys are all allowed.

    Raises
    ------
    Misconfigured
        It is none, or has another key.
    """
    if not isinstance(table, dict):
        raise Misconfigured(f"{where}: must be a table")
    names = tuple(allowed)
    if unknown := sorted(set(table) - set(names)):
        raise Misconfigured(f"{where}: unknown key {unknown[0]!r}; allowed: {', '.join(names)}")
    return table


def _name(where: str, table: Mapping[str, Any]) -> str:
    name = table.get("name")
    if not isinstance(name, str) or not name.strip():
        raise Misconfigured(f"{where}: name must be a text; reports call it so")
    return name


def parse_match(where: str, table: Mapping[str, Any]) -> Match:
    """Read ``match`` and ``unless``.

    Parameters
    ----------
    where
        file, line and name, for the message
    table
        the table that has them

    Raises
    ------
    Misconfigured
        There is no ``match``, a keyword is unknown, or a value isn't a text, a number or a list of them.
    """
    patterns = _patterns(f"{where}: match", table.get("match", {}))
    if not patterns:
        raise Misconfigured(f"{where}: match names no attribute; it would be for all instances")
    return Match(patterns, _patterns(f"{where}: unless", table.get("unless", {})))


def _patterns(where: str, table: object) -> tuple[tuple[int, tuple[str, ...]], ...]:
    if not isinstance(table, dict):
        raise Misconfigured(f"{where} must be a table of keywords")
    return tuple((_tag(where, keyword), _values(f"{where}.{keyword}", value)) for keyword, value in table.items())


def _tag(where: str, keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise Misconfigured(f"{where}.{keyword}: no keyword of PS3.6 Section 6")
    vr = str(dictionary_VR(tag))
    if vr not in _TEXT_VRS and vr not in _BYTES_BY_VR:
        raise Misconfigured(f"{where}.{keyword}: an attribute of VR {vr} can't be matched")
    return int(tag)


def _values(where: str, value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or any(isinstance(each, bool) or not isinstance(each, str | int) for each in values):
        raise Misconfigured(f"{where} must be a text, a whole number, or a list of them")
    return tuple(str(each) for each in values)


def _pixels(where: str, key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _LARGEST_PX:
        raise Misconfigured(f"{where}: {key} must be a number of pixels from 1 to {_LARGEST_PX}")
    return value


def _box(where: str, value: object) -> Box:
    is_box = (
        isinstance(value, list)
        and len(value) == 4
        and all(isinstance(each, int) and not isinstance(each, bool) and 0 <= each <= _LARGEST_PX for each in value)
        and value[0] < value[2]
        and value[1] < value[3]
    )
    if not is_box:
        raise Misconfigured(f"{where}: boxes: {value!r} is not [x0, y0, x1, y1] with x0 < x1 and y0 < y1")
    return Box(*value)  # type: ignore[misc]
