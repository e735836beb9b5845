"""What became of a text is remembered: the instances of a series repeat their descriptions."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from deid.needles import Kind, Needle
from deid.text.clean import TextRules, clean_text
from deid.texts import CleanText, TextClass

_MOST_TEXTS = 8192
_MOST_CIRCUMSTANCES = 256
_LONGEST_CHARACTERS = 256

_LIKE_A_UID = re.compile(r"\d\.\d+\.\d")

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")

_texts: OrderedDict[tuple[str, TextClass, frozenset[str]], str] = OrderedDict()
_circumstances: OrderedDict[frozenset[str], frozenset[str]] = OrderedDict()


def remembering(rules: Callable[[], TextRules], known: Known) -> CleanText:
    """Return what cleans a text of one instance as `clean_text` does, by memory where it can.

    Parameters
    ----------
    rules
        makes the instance's rules; asked for once, and only if something isn't remembered
    known
        all that cleaning goes by, but for UIDs
    """
    rules = cache(rules)
    circumstances = cache(known.as_set)

    def clean(text: str, text_class: TextClass = TextClass.COMMENTS) -> str:
        # Without two stops between digits it holds no UID but those that the circumstances name with all else.
        if _LIKE_A_UID.search(text) or len(text) > _LONGEST_CHARACTERS:
            return clean_text(text, rules(), text_class).text
        key = (text, text_class, circumstances())
        return _recalled(_texts, key, lambda: clean_text(text, rules(), text_class).text, _MOST_TEXTS)

    return clean


@dataclass(frozen=True, slots=True, repr=False)
class Known:
    """What the cleaning of a text goes by.

    Attributes
    ----------
    needles, dates, shift_days
        as in `TextRules`
    secret
        the key by which UIDs are mapped
    reader
        what tells one way to read texts from another
    """

    needles: Iterable[Needle]
    dates: Collection[str]
    shift_days: int | None
    secret: bytes
    reader: str = ""

    def as_set(self) -> frozenset[str]:
        """Return it as a set that is the same object whenever it is equal, so that comparing it costs nothing."""
        names = {
            f"{needle.kind.name} {needle.words}"
            for needle in self.needles
            if needle.kind is not Kind.UID or not _LIKE_A_UID.search(needle.words)
        }
        found = frozenset({*names, *self.dates, f"shift {self.shift_days}", self.secret.hex(), self.reader})
        return _recalled(_circumstances, found, lambda: found, _MOST_CIRCUMSTANCES)


def _recalled(memory: OrderedDict[_Key, _Value], key: _Key, make: Callable[[], _Value], most: int) -> _Value:
    found = memory.get(key)
    if found is None:
        found = memory[key] = make()
        if len(memory) > most:
            memory.popitem(last=False)
    return found
