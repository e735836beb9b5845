"""What was done to an instance: tags, actions, counts and codes; never a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seen:
    """Something that identifies, in a text; it doesn't say what or where.

    Attributes
    ----------
    kind
        name, id, place, contact, date, uid or age
    finder
        who found it; several with ``+`` between them
    confidence
        how probable it is, from 0 to 1, if the finder doubts at all
    """

    kind: str
    finder: str
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One element and what became of it.

    Attributes
    ----------
    path
        the tags of the enclosing sequences, outermost first, then the element's own
    vr
        its value representation in the source
    action
        D, Z, X, K, C or U (PS3.15 Table E.1-1a)
    source
        the table row, option, override or rule which said so
    seen
        what was found in its texts, those of a content tree together
    """

    path: tuple[int, ...]
    vr: str
    action: str
    source: str
    seen: tuple[Seen, ...] = ()


@dataclass(frozen=True, slots=True)
class MaskedBox:
    """A part of frames that was masked.

    Attributes
    ----------
    box
        first column and row, and those behind the last, in pixels
    why
        a reason of `deid.pixels.decide.Why` or a source of `deid.pixels.regions.Source`; ``seen-on-other-frames``
    name
        of the device template or the rule for screens, if it is one's
    frames
        first and last of each run of frames, counted from 1
    """

    box: tuple[int, int, int, int]
    why: str
    name: str
    frames: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class PixelReport:
    """What was done to the frames of an instance.

    Attributes
    ----------
    frames
        how many there are
    masked_frames
        how many of them have a mask
    masked
        the masks
    kept
        how many lines were read that may stay, by the profile's vocabulary
    screen
        the rule that calls the image a screen, empty if none does
    skipped
        the profile's rule by which nobody looked at the frames, empty if somebody did
    """

    frames: int = 0
    masked_frames: int = 0
    masked: tuple[MaskedBox, ...] = ()
    kept: int = 0
    screen: str = ""
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What was done to one instance.

    Attributes
    ----------
    counts
        number of elements per action
    method_codes
        code values of De-identification Method Code Sequence that the output claims
    findings
        one per element, in order; empty unless they were asked for
    pixels
        what was done to the frames; None if there are none, or the profile doesn't have them cleaned
    """

    counts: Mapping[str, int]
    method_codes: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    pixels: PixelReport | None = None
