"""A profile: the Basic Profile of PS3.15 Annex E with options and an operator's overrides, and its TOML file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydicom.datadict import dictionary_VR

from deid.actions import Action, Means, Rule
from deid.deface.rules import FaceRules
from deid.errors import Misconfigured, Reason, Refused
from deid.options import BASIC_PROFILE, DATES, OPTIONS, Code, Option
from deid.overrides import Override, parse_overrides
from deid.pixels.rules import PixelRules
from deid.rules import Policy, Rules, resolve
from deid.standard import is_known_sop_class
from deid.standard.iods import has_attribute_table
from deid.texts import LOWEST_THRESHOLD, TextClass
from deid.toml_lines import line_said

__all__ = [
    "BASIC_PROFILE",
    "OPTIONS",
    "Action",
    "Code",
    "Means",
    "Option",
    "Override",
    "Profile",
    "Rule",
    "Rules",
    "load_profile",
    "resolve",
]

TEXT_CLEANERS = ("ner", "rules")
CHARACTER_SETS = ("source", "utf-8")
# What a finder of names has to see before an output may claim it.
_PIXEL_OPTION = "clean_pixel_data"
_FACE_OPTION = "clean_recognizable_visual_features"
_TEXT_OPTIONS = frozenset({"clean_descriptors", "clean_graphics", "clean_structured_content"})
_OTHERWISE_CLEANED = frozenset({"AS", "DA", "DT", "TM"})


@dataclass(frozen=True, slots=True)
class Profile:
    """The Basic Profile with options and overrides.

    Attributes
    ----------
    name
        how configuration and reports call it
    policy
        options, overrides and what else it lays down
    pixels
        what is done with pixels; None without the option ``clean_pixel_data``
    faces
        what is done with faces; None without the option ``clean_recognizable_visual_features``
    """

    name: str
    policy: Policy = field(default_factory=Policy)
    pixels: PixelRules | None = None
    faces: FaceRules | None = None
    _rules: dict[str, Rules] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def from_options(
        cls,
        name: str,
        options: Iterable[str] = (),
        overrides: Mapping[str, str] | None = None,
        *,
        sop_classes: Mapping[str, Mapping[str, str]] | None = None,
        text: str | Mapping[str, Any] = "ner",
        allow_list: bool = False,
        character_set: str = CHARACTER_SETS[0],
    ) -> Profile:
        """Check and build a profile.

        Parameters
        ----------
        name
            how to call it
        options
            names of `OPTIONS`
        overrides
            attribute → one of D Z X K C U; the attribute as `deid.overrides` reads it
        sop_classes
            keyword or UID of a SOP Class → overrides for its instances alone
        text
            ``ner``: a network reads texts, beside the rules; ``rules``: descriptors are cleaned by rules alone, and the
            Clean Descriptors Option is not claimed; or a table with that under ``by``, and under ``thresholds`` for a
            class of text (`deid.texts.TextClass`) from which probability on the network's words are taken out
        allow_list
            keep only what Table E.1-1 names or the instance's IOD has, and no free text
        character_set
            ``source``: texts stay in the character set they came in; ``utf-8``: all are written in UTF-8

        Raises
        ------
        Misconfigured
            An option, an attribute, an action or a SOP Class is unknown, or two of them contradict each other.
        """
        chosen = frozenset(options)
        if unknown := sorted(chosen - set(OPTIONS)):
            raise Misconfigured(f"profile {name}: unknown option {unknown[0]!r}; allowed: {', '.join(OPTIONS)}")
        if chosen >= set(DATES):
            raise Misconfigured(f"profile {name}: {' and '.join(DATES)} contradict each other; choose one")
        cleaner, thresholds = _text(name, text)
        if character_set not in CHARACTER_SETS:
            allowed = ", ".join(CHARACTER_SETS)
            raise Misconfigured(f"profile {name}: character_set = {character_set!r}; allowed: {allowed}")
        parsed = parse_overrides(name, overrides or {})
        for sop_class, own in (sop_classes or {}).items():
            parsed += parse_overrides(name, own, sop_class)
        policy = Policy(chosen, parsed, cleaner, allow_list, character_set, thresholds)
        pixels = PixelRules() if _PIXEL_OPTION in chosen else None
        return cls(name, policy, pixels, FaceRules() if _FACE_OPTION in chosen else None)

    def with_pixels(self, table: Mapping[str, Any], folder: Path | None = None) -> Profile:
        """Return the profile with other rules for pixels.

        Parameters
        ----------
        table
            as `deid.pixels.rules` has it
        folder
            that its paths are relative to

        Raises
        ------
        Misconfigured
            The table says something that isn't known, or the profile doesn't have the option ``clean_pixel_data``.
        """
        if self.pixels is None:
            raise Misconfigured(
                f"profile {self.name}: pixels says how {_PIXEL_OPTION} is done, which isn't an option here"
            )
        return replace(self, pixels=PixelRules.from_table(table, name=self.name, folder=folder))

    def with_faces(self, table: Mapping[str, Any]) -> Profile:
        """Return the profile with other rules for faces; `table` as `deid.deface.rules` has it.

        Raises
        ------
        Misconfigured
            The table says something that isn't known, or the profile doesn't have the option
            ``clean_recognizable_visual_features``.
        """
        if self.faces is None:
            raise Misconfigured(
                f"profile {self.name}: faces says how {_FACE_OPTION} is done, which isn't an option here"
            )
        return replace(self, faces=FaceRules.from_table(table, name=self.name))

    @property
    def options(self) -> frozenset[str]:
        """Names of `OPTIONS`."""
        return self.policy.options

    @property
    def overrides(self) -> tuple[Override, ...]:
        """The profile's overrides in ascending order of tag, then those of its SOP Classes."""
        return self.policy.overrides

    @property
    def text(self) -> str:
        """What cleans a text: ``ner`` or ``rules``."""
        return self.policy.text

    @property
    def thresholds(self) -> Mapping[TextClass, float]:
        """Class of text → from which probability on the network's words are taken out, where the profile says so."""
        return self.policy.thresholds

    @property
    def cleans_texts(self) -> bool:
        """Tell whether texts are cleaned; rules need nothing, and are always there."""
        return self.text == "rules" or self.reads_texts

    @property
    def reads_texts(self) -> bool:
        """Tell whether an option or an override has texts cleaned by the network, so that it has to be there.

        Lines read in pixels are texts too, where some of them may stay.
        """
        wanted = bool(self.options & _TEXT_OPTIONS) or any(map(_wants_a_text_cleaned, self.overrides))
        wanted = wanted or (self.pixels is not None and self.pixels.markers is not None)
        return self.text == "ner" and wanted

    @property
    def character_set(self) -> str:
        """What texts are written in: ``source`` or ``utf-8``."""
        return self.policy.character_set

    @property
    def demands(self) -> frozenset[str]:
        """Steps beyond the elements' table that the options need before they can be claimed."""
        return frozenset(OPTIONS[option].demand for option in self._claimed) - {""}

    @property
    def method_codes(self) -> tuple[Code, ...]:
        """Codes of the Basic Profile and of all options that are claimed (PS3.16 CID 7050), in ascending order."""
        return (BASIC_PROFILE, *sorted((OPTIONS[name].code for name in self._claimed), key=lambda code: code.value))

    @property
    def _claimed(self) -> frozenset[str]:
        """The options that the output says were applied: what was cleaned by rules alone is not claimed."""
        return self.options - _TEXT_OPTIONS if self.text == "rules" else self.options

    def rules(self, sop_class_uid: str) -> Rules:
        """Rules for the instances of one SOP Class.

        Raises
        ------
        Refused
            The SOP Class is not a known storage SOP Class, or the profile has an allow-list and there is none for it.
        """
        found = self._rules.get(sop_class_uid)
        if found is None:
            if not is_known_sop_class(sop_class_uid):
                raise Refused(Reason.UNSUPPORTED_SOP_CLASS)
            if self.policy.allow_list and not has_attribute_table(sop_class_uid):
                raise Refused(Reason.UNSUPPORTED_SOP_CLASS, "no allow-list")
            found = self._rules[sop_class_uid] = Rules(self.policy, sop_class_uid)
        return found


def _wants_a_text_cleaned(override: Override) -> bool:
    if override.action is not Action.C:
        return False
    vr = override.vr or ("" if override.creator else _vr_of(override.tag))
    return vr not in _OTHERWISE_CLEANED


def _vr_of(tag: int) -> str:
    try:
        return str(dictionary_VR(tag))
    except KeyError:
        return ""


def _text(name: str, raw: str | Mapping[str, Any]) -> tuple[str, dict[TextClass, float]]:
    """Read what cleans a text, and the thresholds."""
    table = {"by": raw} if isinstance(raw, str) else raw
    if unknown := sorted(set(table) - {"by", "thresholds"}):
        raise Misconfigured(f"profile {name}: unknown key {unknown[0]!r} in text; allowed: by, thresholds")
    cleaner = table.get("by", TEXT_CLEANERS[0])
    if cleaner not in TEXT_CLEANERS:
        raise Misconfigured(f"profile {name}: text = {cleaner!r}; allowed: {', '.join(TEXT_CLEANERS)}")
    return cleaner, _thresholds(name, table.get("thresholds", {}))


def _thresholds(name: str, raw: object) -> dict[TextClass, float]:
    if not isinstance(raw, Mapping):
        raise Misconfigured(f"profile {name}: text.thresholds must be a table")
    for key, value in raw.items():
        if key not in set(TextClass):
            raise Misconfigured(f"profile {name}: unknown threshold {key!r}; allowed: {', '.join(TextClass)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not LOWEST_THRESHOLD <= value <= 1:
            raise Misconfigured(f"profile {name}: threshold {key} must be a number from {LOWEST_THRESHOLD} to 1")
    return {TextClass(key): float(value) for key, value in raw.items()}


# Profiles in files

_KEYS = (
    "name",
    "description",
    "options",
    "text",
    "allow_list",
    "character_set",
    "overrides",
    "sop_class",
    "pixels",
    "faces",
)


_ABOUT = re.compile(r"profile [^:]+: (.*)", re.DOTALL)


def load_profile(path: Path) -> Profile:
    """Read a profile from its TOML file.

    Raises
    ------
    Misconfigured
        The file can't be read, or says something that isn't known; the message names the file, the line and what is
        allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Misconfigured(f"profile {path}: {error}") from error
    try:
        return _profile(path, raw)
    except Misconfigured as error:
        about_this = _ABOUT.match(str(error))
        if about_this is None:  # of another file, that the profile names
            raise
        line = line_said(text, about_this[1])
        raise Misconfigured(f"profile {path}{f':{line}' if line else ''}: {about_this[1]}") from None


def _profile(path: Path, raw: Mapping[str, Any]) -> Profile:
    _check_keys(path, raw, _KEYS, "")
    _checked(path, raw, "description", str, "")
    options = _checked(path, raw, "options", list, [])
    _check_texts(path, options)
    text = raw.get("text", TEXT_CLEANERS[0])
    if not isinstance(text, dict):  # a table says the same, and thresholds
        text = _checked(path, raw, "text", str, TEXT_CLEANERS[0])
    profile = Profile.from_options(
        _checked(path, raw, "name", str, path.stem),
        options,
        _overrides(path, raw),
        sop_classes=_sop_classes(path, raw),
        text=text,
        allow_list=_checked(path, raw, "allow_list", bool, default=False),
        character_set=_checked(path, raw, "character_set", str, CHARACTER_SETS[0]),
    )
    pixels = _checked(path, raw, "pixels", dict, {})
    faces = _checked(path, raw, "faces", dict, {})
    profile = profile.with_pixels(pixels, path.parent) if pixels else profile
    return profile.with_faces(faces) if faces else profile


def _sop_classes(path: Path, raw: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Read the tables ``[sop_class.CTImageStorage.overrides]``."""
    tables = _checked(path, raw, "sop_class", dict, {})
    found = {}
    for name in tables:
        table = _checked(path, tables, name, dict, {})
        _check_keys(path, table, ("overrides",), f" in sop_class.{name}")
        found[name] = _overrides(path, table)
    return found


def _overrides(path: Path, raw: Mapping[str, Any]) -> dict[str, str]:
    overrides: dict[str, str] = _checked(path, raw, "overrides", dict, {})
    _check_texts(path, overrides.values())
    return overrides


def _check_keys(path: Path, raw: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> None:
    if unknown := sorted(set(raw) - set(allowed)):
        raise Misconfigured(f"profile {path}: unknown key {unknown[0]!r}{where}; allowed: {', '.join(allowed)}")


def _check_texts(path: Path, values: Iterable[object]) -> None:
    for value in values:
        if not isinstance(value, str):
            raise Misconfigured(f"profile {path}: {value!r} must be text in quotes")


def _checked(path: Path, raw: Mapping[str, Any], key: str, kind: type, default: object) -> Any:  # noqa: ANN401  TOML
    value = raw.get(key, default)
    if not isinstance(value, kind):
        raise Misconfigured(f"profile {path}: {key} must be a {kind.__name__}, not a {type(value).__name__}")
    return value
