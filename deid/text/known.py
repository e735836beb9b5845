"""The finder of what is known: identifiers harvested from this instance's own header, in whatever form they come."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from deid.fold import folded, spellings
from deid.needles import Kind, Needle, words
from deid.text.spans import Span, SpanKind
from deid.vocabulary import is_vocabulary

SHORTEST_FUZZY = 5
LONGEST_FUZZY = 24
SHORTEST_WITH_ENDING = 4
SHORTEST_AFTER_INITIAL = 3
SHORTEST_COMPACT_CODE = 6

_KINDS = {
    Kind.NAME_PART: SpanKind.NAME,
    Kind.NAME: SpanKind.NAME,
    Kind.CODE: SpanKind.ID,
    Kind.PHRASE: SpanKind.PLACE,
    Kind.DATE: SpanKind.DATE,
}
_WORD = re.compile(r"[^\W\d_]+|\d+")
_POSSESSIVE = re.compile(r"['\u2019`][sS]?(?![^\W_])")
_INITIALS_BEFORE = re.compile(r"(?<![^\W_])(?:[^\W\d_]\.[ -]?){1,3}\Z|(?<![^\W_])([^\W\d_]) \Z")
_INITIALS_AFTER = re.compile(r",? ?(?:[^\W\d_]\.[ -]?){1,3}(?![^\W_])|,? ([^\W\d_])(?![^\W_]|\.\d)")
_DOTTED = re.compile(r"(?<!\d)\d++(?:\.\d++)+")
_IS_DOTTED = re.compile(r"[\d.]+")
_FARTHEST_EDGE = 64
_SIDES = frozenset("lr")
_FIRST_UNSPACED_SCRIPT = "\u2e80"  # as in deid.needles


@dataclass(slots=True)
class _Index:
    """All that is known, by what is compared first.

    Attributes
    ----------
    by_first
        first word → the words of each identifier that begins with it, and its kind
    unspaced
        identifiers in scripts that are written without spaces
    parts
        parts of names, in every spelling
    near
        parts of names with one letter left out → the parts
    initials
        first letters of parts of names
    days
        six digits of a date → whether known
    """

    by_first: dict[str, list[tuple[tuple[str, ...], SpanKind]]] = field(default_factory=dict)
    unspaced: list[tuple[str, SpanKind]] = field(default_factory=list)
    parts: set[str] = field(default_factory=set)
    near: dict[str, set[str]] = field(default_factory=dict)
    days: set[str] = field(default_factory=set)
    initials: set[str] = field(default_factory=set)

    def add(self, needle: Needle) -> None:
        kind = _KINDS[needle.kind]
        if needle.words[0] >= _FIRST_UNSPACED_SCRIPT:
            self.unspaced.append((needle.words, kind))
            return
        for form in _forms(needle):
            parts = tuple(form.split(" "))
            self.by_first.setdefault(parts[0], []).append((parts, kind))
        if needle.kind is Kind.NAME_PART:
            self._add_name(needle.words)

    def _add_name(self, name: str) -> None:
        for spelling in spellings(name):
            self.parts.add(spelling)
            self.initials.add(spelling[0])
            if SHORTEST_FUZZY <= len(spelling) <= LONGEST_FUZZY and " " not in spelling:
                for shorter in (spelling, *_one_less(spelling)):
                    self.near.setdefault(shorter, set()).add(spelling)


def _forms(needle: Needle) -> Iterable[str]:
    """Return the forms of an identifier that are looked for beside its own."""
    if needle.kind in {Kind.NAME_PART, Kind.NAME, Kind.PHRASE}:
        return spellings(needle.words)
    if needle.kind is not Kind.CODE:
        return (needle.words,)
    compact = needle.words.replace(" ", "")
    forms = {needle.words}
    if len(compact) >= SHORTEST_COMPACT_CODE:
        forms.add(words(compact))
        if compact.isdigit() and len(compact.lstrip("0")) >= SHORTEST_COMPACT_CODE:
            forms.add(compact.lstrip("0"))
    return forms


def _one_less(word: str) -> Iterator[str]:
    return (word[:index] + word[index + 1 :] for index in range(len(word)))


_INDEXES: dict[tuple[frozenset[int], frozenset[str]], tuple[_Index, list[Needle]]] = {}
_MOST_INDEXES = 16


def _index_of(needles: list[Needle], dates: frozenset[str]) -> _Index:
    """Return the index of these very needles; the instances of a study share theirs but for the UIDs."""
    key = (frozenset(map(id, needles)), dates)
    found = _INDEXES.get(key)
    if found is not None:
        return found[0]
    index = _Index()
    for needle in needles:
        index.add(needle)
    for day in dates:
        index.days.update((day[2:], day[6:] + day[4:6] + day[2:4], day[4:] + day[2:4]))
    if len(_INDEXES) >= _MOST_INDEXES:
        _INDEXES.clear()
    _INDEXES[key] = (index, needles)  # as long as it holds the needles, their identities are theirs alone
    return index


class KnownFinder:
    """Finds identifiers of this instance: as they are, reordered, with initials, possessive, nearly right."""

    name = "known"

    def __init__(self, needles: Iterable[Needle], dates: Iterable[str] = ()) -> None:
        """Prepare to look.

        Parameters
        ----------
        needles
            the identifiers
        dates
            the patient's dates as ``YYYYMMDD``
        """
        others: list[Needle] = []
        self._uids: set[str] = set()
        self._odd_uids: list[str] = []
        for needle in needles:
            if needle.kind is not Kind.UID:
                others.append(needle)
            elif _IS_DOTTED.fullmatch(needle.words):
                self._uids.add(needle.words)
            else:
                self._odd_uids.append(needle.words)
        self._index = _index_of(others, frozenset(dates))

    def find(self, text: str) -> list[Span]:
        """Return where identifiers are; a name that is a clinical word is one too, if it is exactly so."""
        index = self._index
        out: list[Span] = []
        if index.by_first or index.days:
            self._find_words(text, out)
        if index.unspaced:
            out.extend(_unspaced(index.unspaced, text))
        if self._uids and "." in text:
            out.extend(_dotted_uids(self._uids, text))
        if self._odd_uids:
            out.extend(_odd_uids(self._odd_uids, text))
        return out

    def _find_words(self, text: str, out: list[Span]) -> None:
        found = [(match.group().casefold(), match.start(), match.end()) for match in _WORD.finditer(text)]
        index = self._index
        by_first, parts, days = index.by_first, index.parts, index.days
        for position, (word, start, end) in enumerate(found):
            candidates = by_first.get(word)
            if candidates is None and not word.isascii():
                candidates = by_first.get(folded(word))
            if candidates is not None:
                self._compare(text, found, position, candidates, out)
            elif word in days and len(word) == 6:
                out.append(Span(start, end, SpanKind.DATE, self.name))
            elif parts and len(word) >= SHORTEST_WITH_ENDING and _is_nearly(word, index):
                out.append(self._widened(text, start, end, SpanKind.NAME))

    def _compare(
        self,
        text: str,
        found: list[tuple[str, int, int]],
        position: int,
        candidates: list[tuple[tuple[str, ...], SpanKind]],
        out: list[Span],
    ) -> None:
        for parts, kind in candidates:
            last = position + len(parts) - 1
            if last < len(found) and all(
                found[position + offset][0] == part or folded(found[position + offset][0]) == part
                for offset, part in enumerate(parts)
            ):
                out.append(self._widened(text, found[position][1], found[last][2], kind))

    def _widened(self, text: str, start: int, end: int, kind: SpanKind) -> Span:
        """Widen to what belongs to the identifier: letters and digits, a possessive, initials."""
        if kind is SpanKind.DATE:
            return Span(start, end, kind, self.name)
        start, end = _edges(text, start, end)
        if kind is SpanKind.NAME:
            possessive = _POSSESSIVE.match(text, end)
            end = possessive.end() if possessive else end
            start, end = self._with_initials(text, start, end)
        return Span(start, end, kind, self.name)

    def _with_initials(self, text: str, start: int, end: int) -> tuple[int, int]:
        before = _INITIALS_BEFORE.search(text, max(0, start - 12), start)
        if before is not None and self._are_initials(before):
            start = before.start()
        after = _INITIALS_AFTER.match(text, end)
        if after is not None and self._are_initials(after):
            end += len(after.group().rstrip(" -"))
        return start, end

    def _are_initials(self, match: re.Match[str]) -> bool:
        """Tell whether letters are initials: with full stops, or alone if a name begins so; L and R are sides."""
        letter = match[1]
        if letter is None:
            return True
        initial = letter.casefold()
        return initial not in _SIDES and letter.isupper() and initial in self._index.initials


def _is_nearly(word: str, index: _Index) -> bool:
    """Tell whether a word is a part of a name but for its ending or an initial, or one letter more, less or other."""
    plain, parts, near = folded(word), index.parts, index.near
    if plain in parts or (plain[-1] == "s" and plain[:-1] in parts) or _has_initial(plain, index):
        return not is_vocabulary(word)
    if not near or not SHORTEST_FUZZY - 1 <= len(plain) <= LONGEST_FUZZY + 1:
        return False
    candidates: set[str] = set()
    for form in (plain, *_one_less(plain)):
        candidates |= near.get(form, _NONE)
    return any(_is_one_edit(plain, name) for name in candidates) and not is_vocabulary(word)


def _has_initial(plain: str, index: _Index) -> bool:
    """Tell whether a word is a part of a name and the initial of another, as user names are: ``jdoe``, ``doej``."""
    if len(plain) <= SHORTEST_AFTER_INITIAL:
        return False
    return (plain[1:] in index.parts and plain[0] in index.initials and plain[1] != plain[0]) or (
        plain[:-1] in index.parts and plain[-1] in index.initials and plain[-1] not in _ENDINGS
    )


_ENDINGS = frozenset("snei")  # of a plural, a case: whether the word is a name then depends on the vocabulary
_NONE: frozenset[str] = frozenset()


def _is_one_edit(one: str, other: str) -> bool:
    """Tell whether one edit or one swap of neighbours makes the one the other."""
    if len(one) > len(other):
        one, other = other, one
    at = next((index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    if len(one) < len(other):
        return one[at:] == other[at + 1 :]
    return one[at + 1 :] == other[at + 1 :] or (
        one[at : at + 2] == other[at : at + 2][::-1] and one[at + 2 :] == other[at + 2 :]
    )


def _edges(text: str, start: int, end: int) -> tuple[int, int]:
    """Widen a range to where letters and digits end, within bounds."""
    first, last = max(0, start - _FARTHEST_EDGE), min(len(text), end + _FARTHEST_EDGE)
    while start > first and text[start - 1].isalnum():
        start -= 1
    while end < last and text[end].isalnum():
        end += 1
    return start, end


def _unspaced(identifiers: list[tuple[str, SpanKind]], text: str) -> Iterator[Span]:
    """Find identifiers in scripts without spaces, in which a word is no unit."""
    if text.isascii():
        return
    lowered = "".join(char.casefold() if len(char.casefold()) == 1 else char for char in text)
    for identifier, kind in identifiers:
        if identifier[0] in lowered:
            pattern = re.compile(r"[\W_]*".join(map(re.escape, identifier.replace(" ", ""))))
            for match in pattern.finditer(lowered):
                yield Span(match.start(), match.end(), kind, KnownFinder.name)


def _dotted_uids(uids: set[str], text: str) -> Iterator[Span]:
    for match in _DOTTED.finditer(text):
        if not uids.isdisjoint(_beginnings(match.group())):
            yield Span(match.start(), match.end(), SpanKind.UID, KnownFinder.name)


def _odd_uids(uids: list[str], text: str) -> Iterator[Span]:
    """Find what a UI element held that is no UID."""
    for uid in uids:
        start = text.find(uid)
        while start >= 0:
            yield Span(start, start + len(uid), SpanKind.ID, KnownFinder.name)
            start = text.find(uid, start + len(uid))


_MOST_ARCS = 64


def _beginnings(dotted: str) -> Iterator[str]:
    """Return `dotted` itself and what it is when it ends at one of its full stops."""
    arcs = dotted.split(".", _MOST_ARCS)
    yield dotted
    for count in range(1, min(len(arcs), _MOST_ARCS)):
        yield ".".join(arcs[:count])
