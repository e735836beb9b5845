"""What a profile wants done with pixels: the table ``[pixels]`` of its file.

All keys may be left out; these are the defaults::

    [pixels]
    keep_markers = false      # true: lines that say nothing but side, position, scale, technique (config/vocabularies)
                              # stay; ["shipped", "mine.toml"]: by files of your own too. false: all that is read goes
    min_confidence = 0.8      # a line that was read with less confidence never stays; from 0.5 to 1
    regions = ["shipped"]     # device templates and what is a screen: all files of config/regions, one of them by its
                              # name ("ultrasound"), or the path of your own; []: none
    mask_outside_ultrasound_regions = true  # mask all that no device calibrated (0018,6011); false: look for text there
    screens = { capture = "look", dose = "look", document = "quarantine" }  # images that no detector made: "look" for
                              # text, "mask" them whole, or "quarantine" them; one word ("mask") is for all kinds
    allowed_screens = []      # names of [[screen]] rules that don't hold here: what they are for is like any image
    skip = []                 # rules for instances nobody looks at: [[pixels.skip]] with name, match and unless, as in
                              # a region file. Screens, and what says Burned In Annotation YES, are never skipped; the
                              # report names the rule
    largest_image = 2560      # longer sides (in pixels) are scaled down to this for the look, not for the mask
    overlays = "look"         # planes of groups 60xx that the rules for elements keep: "look" for text in them too,
                              # "mask" in them what is masked in the image, or "remove" them nevertheless; overlays
                              # within the pixels' unused bits always go
    series_memory = false     # true: places of text found in a series are looked at again in its further instances.
                              # What is masked then depends on the order in which instances come and on which worker
                              # gets them: the same instance may not give the same output twice
    icons = "unmasked"        # small images for lists of images that the rules for elements keep: they stay only if
                              # nothing of the image is masked; "remove": never

Curves (groups 50xx, retired) go by the table of elements. Relative paths are relative to the profile's folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from deid.errors import Misconfigured
from deid.pixels.template import (
    Match,
    RegionFile,
    ScreenKind,
    checked_table,
    load_region_files,
    parse_match,
    shipped_config,
)
from deid.pixels.vocabulary import Markers, load_markers

SHIPPED = "shipped"
LEAST_CONFIDENCE = 0.5
SMALLEST_LARGEST_IMAGE_PX, LARGEST_IMAGE_PX = 512, 16384


class Treatment(StrEnum):
    """What is done with a screen."""

    LOOK = "look"
    MASK = "mask"
    QUARANTINE = "quarantine"


class Overlays(StrEnum):
    """What is done with overlay planes that the rules for elements keep."""

    LOOK = "look"
    MASK = "mask"
    REMOVE = "remove"


class Icons(StrEnum):
    """Which icon images stay, of those that the rules for elements keep."""

    UNMASKED = "unmasked"
    """Where nothing of the image is masked: text in an icon is too small to be found."""
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Skip:
    """Instances whose frames nobody looks at."""

    name: str
    match: Match


_SCREENS: Mapping[ScreenKind, Treatment] = {
    ScreenKind.CAPTURE: Treatment.LOOK,
    ScreenKind.DOSE: Treatment.LOOK,
    ScreenKind.DOCUMENT: Treatment.QUARANTINE,
}
_KEYS = (
    *("keep_markers", "min_confidence", "regions", "mask_outside_ultrasound_regions", "screens", "allowed_screens"),
    *("skip", "largest_image", "overlays", "series_memory", "icons"),
)
_Choice = TypeVar("_Choice", bound=StrEnum)


@cache
def _shipped_regions() -> RegionFile:
    return load_region_files(sorted(shipped_config("regions").glob("*.toml")))


@dataclass(frozen=True, slots=True)
class PixelRules:
    """What a profile wants done with pixels.

    Attributes
    ----------
    markers
        what lines may stay; None: none
    min_confidence
        with how much confidence they must have been read
    files
        device templates, and what is a screen
    mask_outside_ultrasound_regions
        whether all that is outside of them is masked
    screens
        what is done with each kind
    allowed_screens
        names of rules for screens that don't hold
    skip
        whose frames nobody looks at
    largest_image_px
        the longest side at which a frame is looked at
    overlays, icons
        what is done with them
    series_memory
        whether places of text in other instances of the series count, in the order in which they come
    """

    markers: Markers | None = None
    min_confidence: float = 0.8
    files: RegionFile = field(default_factory=_shipped_regions)
    mask_outside_ultrasound_regions: bool = True
    screens: Mapping[ScreenKind, Treatment] = field(default_factory=lambda: dict(_SCREENS))
    allowed_screens: frozenset[str] = frozenset()
    skip: tuple[Skip, ...] = ()
    largest_image_px: int = 2560
    overlays: Overlays = Overlays.LOOK
    series_memory: bool = False
    icons: Icons = Icons.UNMASKED

    @classmethod
    def from_table(cls, table: Mapping[str, Any], *, name: str = "", folder: Path | None = None) -> PixelRules:
        """Read the table ``[pixels]`` of a profile.

        Parameters
        ----------
        table
            as TOML has it; an empty one gives the defaults
        name
            of the profile, for messages
        folder
            that its paths are relative to; default: the current one

        Raises
        ------
        Misconfigured
            A key or value is unknown, or a file it names can't be read; the message says what is allowed.
        """
        where = f"profile {name}: pixels" if name else "pixels"
        own = checked_table(where, dict(table), _KEYS)
        folder = folder or Path()
        files = _region_files(where, own.get("regions", [SHIPPED]), folder)
        return cls(
            markers=_markers(where, own.get("keep_markers", False), folder),
            min_confidence=_confidence(where, own.get("min_confidence", 0.8)),
            files=files,
            mask_outside_ultrasound_regions=_truth(where, own, "mask_outside_ultrasound_regions", default=True),
            screens=_screens(where, own.get("screens", {})),
            allowed_screens=_allowed(where, own.get("allowed_screens", []), files),
            skip=_skips(where, own.get("skip", [])),
            largest_image_px=_side(where, own.get("largest_image", 2560)),
            series_memory=_truth(where, own, "series_memory", default=False),
            overlays=_choice(where, "overlays", own.get("overlays", Overlays.LOOK), Overlays),
            icons=_choice(where, "icons", own.get("icons", Icons.UNMASKED), Icons),
        )


def _truth(where: str, table: Mapping[str, Any], key: str, *, default: bool) -> bool:
    value = table.get(key, default)
    if not isinstance(value, bool):
        raise Misconfigured(f"{where}.{key} must be true or false")
    return value


def _confidence(where: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not LEAST_CONFIDENCE <= value <= 1:
        raise Misconfigured(f"{where}.min_confidence must be a number from {LEAST_CONFIDENCE} to 1")
    return float(value)


def _side(where: str, value: object) -> int:
    least, most = SMALLEST_LARGEST_IMAGE_PX, LARGEST_IMAGE_PX
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Misconfigured(f"{where}.largest_image must be a number of pixels from {least} to {most}")
    return value


def _choice(where: str, key: str, value: object, kind: type[_Choice]) -> _Choice:
    if not isinstance(value, str) or value not in set(kind):
        raise Misconfigured(f"{where}.{key} = {value!r}; allowed: {', '.join(kind)}")
    return kind(value)


def _texts(where: str, key: str, value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise Misconfigured(f"{where}.{key} must be a list of texts")
    return value


def _region_files(where: str, value: object, folder: Path) -> RegionFile:
    names = _texts(where, "regions", value)
    if names == [SHIPPED]:
        return _shipped_regions()
    return load_region_files(_paths(f"{where}.regions", names, folder, "regions"))


def _markers(where: str, value: object, folder: Path) -> Markers | None:
    if isinstance(value, bool):
        value = [SHIPPED] if value else []
    elif not isinstance(value, list):
        raise Misconfigured(f"{where}.keep_markers must be true, false, or a list of files")
    names = _texts(where, "keep_markers", value)
    return load_markers(_paths(f"{where}.keep_markers", names, folder, "vocabularies")) if names else None


def _paths(where: str, names: list[str], folder: Path, kind: str) -> list[Path]:
    """Return the files of a setting: all that are shipped, one of them by its name, or a path."""
    shipped = shipped_config(kind)
    found: list[Path] = []
    for name in names:
        if name == SHIPPED:
            found += sorted(shipped.glob("*.toml"))
            continue
        path = folder / name if name.endswith(".toml") else shipped / f"{name}.toml"
        if not path.is_file():
            own = ", ".join(sorted(each.stem for each in shipped.glob("*.toml")))
            raise Misconfigured(f"{where}: there is no {path}; shipped are: {own}")
        found.append(path)
    return list(dict.fromkeys(found))


def _screens(where: str, value: object) -> dict[ScreenKind, Treatment]:
    if isinstance(value, str):
        return dict.fromkeys(ScreenKind, _choice(where, "screens", value, Treatment))
    table = checked_table(f"{where}.screens", value, ScreenKind)
    chosen = {ScreenKind(kind): _choice(where, f"screens.{kind}", each, Treatment) for kind, each in table.items()}
    return {**_SCREENS, **chosen}


def _allowed(where: str, value: object, files: RegionFile) -> frozenset[str]:
    names = frozenset(_texts(where, "allowed_screens", value))
    known = {screen.name for screen in files.screens}
    if unknown := sorted(names - known):
        allowed = ", ".join(sorted(known)) or "none, as no region file has a [[screen]]"
        raise Misconfigured(f"{where}.allowed_screens: unknown screen {unknown[0]!r}; allowed: {allowed}")
    return names


def _skips(where: str, value: object) -> tuple[Skip, ...]:
    if not isinstance(value, list):
        raise Misconfigured(f"{where}.skip must be written as [[pixels.skip]]")
    found = []
    for index, table in enumerate(value, 1):
        own = checked_table(f"{where}.skip {index}", table, ("name", "match", "unless"))
        name = own.get("name")
        if not isinstance(name, str) or not name:
            raise Misconfigured(f"{where}.skip {index}: name must be a text; reports name it")
        found.append(Skip(name, parse_match(f"{where}.skip {name}", own)))
    return tuple(found)
