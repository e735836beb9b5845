"""Conditions on an instance as other tools write them, and the templates that they become (`deid.pixels.template`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_for_tag, tag_for_keyword

from node.importing.toml import quoted, quoted_list

__all__ = [
    "Box",
    "Condition",
    "Template",
    "Unsayable",
    "all_of",
    "any_of",
    "expression_patterns",
    "matchable",
    "template_toml",
    "templates",
]

LARGEST_PX = 1 << 16
_MATCHABLE_VRS = frozenset(
    {"AE", "CS", "DS", "IS", "LO", "LT", "PN", "SH", "ST", "UC", "UI", "UT", "US", "SS", "US or SS", "UL", "SL"}
)
_MOST_ALTERNATIVES = 64
_EVERY_INSTANCE = ("SOPClassUID", ("*",))
_SPECIAL = re.compile(r"[\[\](){}?\\]")


class Unsayable(ValueError):
    """A template can't say this."""


@dataclass(frozen=True, slots=True)
class Condition:
    """An attribute has one of these texts; ``*`` stands for anything, "" for an attribute that is absent or empty."""

    keyword: str
    patterns: tuple[str, ...]
    negated: bool = False

    def inverted(self) -> Condition:
        """Return the opposite."""
        return Condition(self.keyword, self.patterns, not self.negated)


Conjunction = tuple[Condition, ...]
"""All of these."""
Alternatives = tuple[Conjunction, ...]
"""Any of these; none: never."""


def any_of(parts: Iterable[Alternatives]) -> Alternatives:
    """Join with *or*."""
    return _limited(tuple(dict.fromkeys(each for part in parts for each in part)))


def all_of(parts: Sequence[Alternatives]) -> Alternatives:
    """Join with *and*."""
    count = 1
    for part in parts:
        count *= len(part)
    if count > _MOST_ALTERNATIVES:
        raise Unsayable("too many alternatives")
    return _limited(tuple(tuple(dict.fromkeys(c for each in choice for c in each)) for choice in product(*parts)))


def negation(alternatives: Alternatives) -> Alternatives:
    """Return the opposite."""
    return all_of([tuple((condition.inverted(),) for condition in conjunction) for conjunction in alternatives])


def _limited(found: Alternatives) -> Alternatives:
    if len(found) > _MOST_ALTERNATIVES:
        raise Unsayable("too many alternatives")
    return found


def matchable(name: str) -> str:
    """Return the keyword of an attribute given by keyword or by eight digits, if a template can ask for it.

    Raises
    ------
    Unsayable
        There is no such attribute at the top level, or its VR can't be matched.
    """
    digits = name.strip("[]()").replace(",", "")
    is_tag = re.fullmatch(r"[0-9A-Fa-f]{8}", digits) is not None
    keyword = keyword_for_tag(int(digits, 16)) if is_tag else name
    tag = tag_for_keyword(keyword) if keyword else None
    if tag is None:
        raise Unsayable("no attribute that templates know by a keyword")
    if str(dictionary_VR(tag)) not in _MATCHABLE_VRS:
        raise Unsayable(f"an attribute of VR {dictionary_VR(tag)} can't be matched")
    return keyword


def expression_patterns(expression: str, *, anywhere: bool) -> tuple[str, ...]:
    """Write a simple regular expression as patterns; what they match the expression does, and maybe a little more.

    Parameters
    ----------
    expression
        texts with ``|`` between them, in which ``.`` and what is repeated become ``*``
    anywhere
        whether the text may stand anywhere in the value

    Raises
    ------
    Unsayable
        There are brackets, classes or optional parts in it.
    """
    return tuple(_pattern(part, anywhere=anywhere) for part in expression.split("|"))


def _pattern(part: str, *, anywhere: bool) -> str:
    begins, ends = part.startswith("^"), part.endswith("$")
    text = part[begins : len(part) - ends] if len(part) > begins + ends - 1 else ""
    text = re.sub(r"\\([.\-/ ])", lambda found: {".": "\0"}.get(found[1], found[1]), text)
    if _SPECIAL.search(text) or "^" in text or "$" in text:
        raise Unsayable("no such regular expressions")
    text = re.sub(r".\*", "*", text)
    text = re.sub(r"(.)\+", r"\1*", text)
    text = text.replace(".", "*").replace("\0", ".")
    text = text if begins or not anywhere else f"*{text}"
    text = text if ends or not anywhere else f"{text}*"
    return re.sub(r"\*+", "*", text)


@dataclass(frozen=True, slots=True)
class Box:
    """First column and row, and those behind the last, in pixels."""

    x0: int
    y0: int
    x1: int
    y1: int

    @classmethod
    def of(cls, x0: int, y0: int, x1: int, y1: int) -> Box:
        """Cut what lies beyond what a template can say.

        Raises
        ------
        Unsayable
            Nothing is left.
        """
        cut = [min(max(each, 0), LARGEST_PX) for each in (x0, y0, x1, y1)]
        if cut[0] >= cut[2] or cut[1] >= cut[3]:
            raise Unsayable("an empty region")
        return cls(*cut)


@dataclass(slots=True)
class Template:
    """One ``[[template]]``; `dropped`: conditions that it can't say, without which it is for more instances."""

    name: str
    boxes: tuple[Box, ...]
    match: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unless: dict[str, tuple[str, ...]] = field(default_factory=dict)
    dropped: int = 0


def templates(name: str, alternatives: Alternatives, boxes: tuple[Box, ...]) -> Iterator[Template]:
    """Yield a template for each of the alternatives."""
    for number, conjunction in enumerate(alternatives, 1):
        title = name if len(alternatives) == 1 else f"{name}, {number} of {len(alternatives)}"
        template = Template(title, boxes)
        for condition in conjunction:
            if condition.negated:
                before = template.unless.get(condition.keyword, ())
                template.unless[condition.keyword] = tuple(dict.fromkeys((*before, *condition.patterns)))
            else:
                _narrow(template, condition)
        if not template.match:
            template.match[_EVERY_INSTANCE[0]] = _EVERY_INSTANCE[1]
        yield template


def _narrow(template: Template, condition: Condition) -> None:
    """Put a condition beside those that there are on the same attribute, where one pattern can say both."""
    before = template.match.get(condition.keyword)
    if before is None:
        template.match[condition.keyword] = condition.patterns
        return
    both = [_both(one, other) for one in before for other in condition.patterns]
    if all(each is not None for each in both):
        template.match[condition.keyword] = tuple(dict.fromkeys(each for each in both if each is not None))
        return
    tag = tag_for_keyword(condition.keyword)
    if tag is not None and dictionary_VM(tag) == "1" and all(map(_is_anywhere, (*before, *condition.patterns))):
        found = [text for one in before for other in condition.patterns for text in _in_both_orders(one, other)]
        template.match[condition.keyword] = tuple(dict.fromkeys(found))
        return
    template.dropped += 1


def _both(one: str, other: str) -> str | None:
    """Return the narrower of two patterns, if all that it matches the other does too."""
    first, second = one.casefold(), other.casefold()
    if _covers(second, first):
        return one
    return other if _covers(first, second) else None


def _covers(wide: str, narrow: str) -> bool:
    parts = [re.escape(part) for part in wide.split("*")]
    return re.fullmatch(".*".join(parts), narrow) is not None


def _is_anywhere(pattern: str) -> bool:
    return len(pattern) > 2 and pattern[0] == pattern[-1] == "*"


def _in_both_orders(one: str, other: str) -> Iterator[str]:
    first, second = one.strip("*"), other.strip("*")
    for left, right in ((first, second), (second, first)):
        yield f"*{left}*{right}*"
        for size in range(1, min(len(left), len(right))):
            if left[-size:].casefold() == right[:size].casefold():
                yield f"*{left}{right[size:]}*"


def template_toml(template: Template) -> Iterator[str]:
    """Yield the lines of a ``[[template]]``."""
    yield "[[template]]"
    yield f"name = {quoted(template.name)}"
    for key, table in (("match", template.match), ("unless", template.unless)):
        yield from (f"{key}.{keyword} = {quoted_list(patterns)}" for keyword, patterns in _in_order(table))
    boxes = ", ".join(f"[{box.x0}, {box.y0}, {box.x1}, {box.y1}]" for box in template.boxes)
    yield f"boxes = [{boxes}]"


def _in_order(table: Mapping[str, tuple[str, ...]]) -> list[tuple[str, tuple[str, ...]]]:
    """Put what is asked of every device first."""
    first = ("Modality", "Manufacturer", "ManufacturerModelName", "Rows", "Columns")
    return sorted(table.items(), key=lambda item: first.index(item[0]) if item[0] in first else len(first))
