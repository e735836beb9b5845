"""What of a text is still there after it was cleaned: told by what came out, character by character."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

from deid.text.spans import REPLACED, Span, SpanKind

_GAP = r"[\W_]*"
_WORD = re.compile(r"[^\W_]+")
_POSSESSIVE = re.compile(r"['\u2019]s(?![^\W_]|-)", re.IGNORECASE)


def without(text: str, ranges: Iterable[tuple[int, int]]) -> bytearray:
    """Return for each character whether it stays, if nothing but these ranges goes."""
    left = bytearray(b"\1") * len(text)
    for start, end in ranges:
        left[start:end] = bytes(end - start)
    return left


def remaining(text: str, spans: Sequence[Span], out: str) -> bytearray | None:
    """Return for each character of a text whether it is still there.

    What is written for a date, a UID or an age counts as another text if it differs from what stood there.

    Parameters
    ----------
    text
        what came in
    spans
        what the product says that it found in it
    out
        what came out

    Returns
    -------
    bytearray
        None if what came out isn't what came in but for the spans; `compared` then says what is there
    """
    pattern, position, is_after_name = "", 0, False
    for span in spans:
        pattern += _kept(text, position, span.start, is_after_name=is_after_name) + _GAP
        pattern += _written(text[span.start : span.end], span.kind) + _GAP
        position = span.end
        is_after_name = _POSSESSIVE.match(text, position) is not None
    pattern += _kept(text, position, len(text), is_after_name=is_after_name)
    match = re.fullmatch(_GAP + pattern + _GAP, out)
    if match is None:
        return None
    left = bytearray(b"\1") * len(text)
    for span, new in zip(spans, match.groups(), strict=True):
        is_other = _WORD.findall(new) != _WORD.findall(text[span.start : span.end])
        if is_other or span.kind is SpanKind.AGE:  # 90 becomes 90+
            left[span.start : span.end] = bytes(span.end - span.start)
    return left


def _kept(text: str, start: int, end: int, *, is_after_name: bool) -> str:
    """Return a pattern for words that were not found; the s of a name's possessive may have gone with it."""
    words = [re.escape(word) for word in _WORD.findall(text, start, end)]
    if is_after_name and words:
        words[0] = f"(?:{words[0]})?"
        return _GAP.join([words[0], "[\\W_]+".join(words[1:])])
    return "[\\W_]+".join(words)


def _written(part: str, kind: SpanKind) -> str:
    """Return a pattern for what may be written for a part: nothing, or what has its form."""
    if kind not in REPLACED:
        return "()"
    if kind is SpanKind.UID:
        return r"([\d.]*)"
    more = max(0, len(_WORD.findall(part)) - 1)
    return rf"([^\W_]+(?:[\W_]+[^\W_]+){{{more}}}|)"


def compared(text: str, spans: Sequence[Span], out: str) -> bytearray:
    """Return the same, where more went than was found at first: by comparing word by word what came out."""
    left = without(text, ((span.start, span.end) for span in spans))
    words = [match.span() for match in _WORD.finditer(text) if all(left[slice(*match.span())])]
    before, after = [text[start:end] for start, end in words], _WORD.findall(out)
    still = {
        at
        for block in SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
        for at in range(block.a, block.a + block.size)
    }
    gone = (word for at, word in enumerate(words) if at not in still)
    for start, end in gone:
        left[start:end] = bytes(end - start)
    return left
