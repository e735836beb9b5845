"""From a text to the text without what identifies: find, unite, redact, look again."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from deid.needles import Needle
from deid.text.known import KnownFinder
from deid.text.ner import Ner, reconciled
from deid.text.patterns import PatternFinder
from deid.text.redact import Replacing, redacted
from deid.text.spans import Finder, Span, united
from deid.texts import TextClass

MOST_LOOKS = 3


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A clean text.

    Attributes
    ----------
    text
        without what was found; the very string that came in if nothing was
    spans
        what was found, in ascending order, in the text that came in (its composed form, if it wasn't composed)
    """

    text: str
    spans: tuple[Span, ...]


@dataclass(slots=True, repr=False)
class TextRules:
    """What is known of one instance, and what is done to its texts.

    Attributes
    ----------
    needles
        identifiers harvested from the header
    dates
        the patient's dates as ``YYYYMMDD``, original
    map_uid
        UID → the UID that stands for it
    shift_days
        by how much dates are moved: None takes them out, 0 lets them stay
    finders
        those beside the two that need no network
    ner
        what reads, if there is a network
    """

    needles: Iterable[Needle]
    dates: Collection[str]
    map_uid: Callable[[str], str]
    shift_days: int | None
    finders: tuple[Finder, ...] = ()
    ner: Ner | None = None
    _known: KnownFinder = field(init=False)
    _finders: tuple[Finder, ...] = field(init=False)
    _replacing: Replacing = field(init=False)

    def __post_init__(self) -> None:
        """Prepare the finders once for all texts of the instance."""
        self._known = KnownFinder(self.needles, self.dates)
        self._finders = (self._known, PatternFinder(self.dates), *self.finders)
        self._replacing = Replacing(self.dates, self.shift_days, self.map_uid)

    def __repr__(self) -> str:
        """Say what it is, never what it knows."""
        return f"<TextRules with {len(self._finders)} finders>"

    def spans(self, text: str, text_class: TextClass) -> list[Span]:
        """Return what all finders find, united."""
        found = [span for finder in self._finders for span in finder.find(text)]
        if self.ner is not None:
            found = self.ner.agreed(text, text_class, found)
            found += reconciled(text, self.ner.find(text, text_class, found), found, self.dates)
        return united(text, found) if found else found


def clean_text(text: str, rules: TextRules, text_class: TextClass = TextClass.COMMENTS) -> Cleaned:
    """Take out of a text what identifies somebody.

    Dates are moved in place in their own form and language, UIDs are mapped, ages over 89 become ``90+``; everything
    else that was found is taken out with the separators that it leaves without meaning (PS3.15 Section E.3.5).

    Parameters
    ----------
    text
        one value, decoded
    rules
        of the instance
    text_class
        how doubtful a name may be
    """
    if text.isascii() or unicodedata.is_normalized("NFC", text):
        return _clean(text, rules, text_class)
    cleaned = _clean(unicodedata.normalize("NFC", text), rules, text_class)
    # To whoever looks at the text as it is, a mark of its own ends a word: that is looked at as well.
    return cleaned if cleaned.spans else _clean(text, rules, text_class)


def _clean(text: str, rules: TextRules, text_class: TextClass) -> Cleaned:
    spans = rules.spans(text, text_class)
    if not spans:
        return Cleaned(text, ())
    out = _looked_through(redacted(text, spans, rules._replacing), rules)  # noqa: SLF001  the module's own
    return Cleaned(text if out == text else out, tuple(spans))


def _looked_through(text: str, rules: TextRules) -> str:
    """Take out what is known and only stands there now, because of what was moved or taken out from between."""
    out_only = Replacing((), None, rules.map_uid)
    for _ in range(MOST_LOOKS):
        left = rules._known.find(text)  # noqa: SLF001  the module's own
        if not left:
            return text
        text = redacted(text, united(text, left), out_only)
    return ""
