"""Word lists and patterns of names, places and organisations, and which of their entries training never sees."""

import functools
import hashlib
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
WORDS = Path(__file__).resolve().parent.parent / "words"


def is_held_out(entry: str) -> bool:
    """Say whether an entry is kept from the training, so that an exam can ask for something never seen."""
    return hashlib.sha256(entry.casefold().encode()).digest()[0] < 26


@functools.cache
def read(*paths: str) -> tuple[str, ...]:
    """Return the entries of some lists below ``words`` together, each once; a list that isn't there is empty."""
    lines: list[str] = []
    for path in paths:
        file = WORDS / f"{path}.txt"
        if file.is_file():
            lines += file.read_text(encoding="utf-8").splitlines()
    return tuple(dict.fromkeys(line for line in lines if line.strip() and not line.startswith("#")))


@functools.cache
def common(lang: str, kind: str = "words") -> tuple[str, ...]:
    """Return which lists a language has of everyday and clinical words, or of eponyms and products."""
    names = sorted(path.name.removesuffix(".txt") for path in (WORDS / "common").glob(f"{lang}*.txt"))
    return tuple(f"common/{name}" for name in names if name.endswith(".eponyms") == (kind == "eponyms"))


@functools.cache
def part(held_out: bool, *paths: str) -> tuple[str, ...]:  # noqa: FBT001 (it selects, as everywhere here)
    """Return the entries of some lists that are held out, or those that aren't.

    A list too short to hold any out, such as the letters of wards, is used whole.
    """
    entries = read(*paths)
    return tuple(entry for entry in entries if is_held_out(entry) == held_out) or entries


def pick(rng: random.Random, entries: Sequence[T]) -> T:
    """Return one of some entries, faster than ``random.choice`` does."""
    return entries[int(rng.random() * len(entries))]


class Slot(str):
    """The name of a slot in a pattern."""

    __slots__ = ()


class Choice(tuple["Pattern", ...]):
    """Patterns of which one is taken."""

    __slots__ = ()


Pattern = tuple[str | Slot | Choice, ...]
PIECE = re.compile(r"[<|>]|\{\w+\}|[^<|>{}]+")


@functools.cache
def compiled(text: str) -> Pattern:
    """Return the parts of a pattern in the syntax of the templates: ``<a|b>``, ``<a|>`` and ``{slot}``."""
    stack: list[list[list[str | Slot | Choice]]] = [[[]]]
    for piece in PIECE.findall(text):
        if piece == "<":
            stack.append([[]])
        elif piece == "|" and len(stack) > 1:
            stack[-1].append([])
        elif piece == ">":
            choice = Choice(tuple(branch) for branch in stack.pop())
            stack[-1][-1].append(choice)
        else:
            stack[-1][-1].append(Slot(piece[1:-1]) if piece[0] == "{" else piece)
    ((parts,),) = stack
    return tuple(parts)


def expand(pattern: Pattern, rng: random.Random, fill: Callable[[str], str]) -> str:
    """Return one text that a pattern stands for, its slots filled."""
    texts = []
    for node in pattern:
        if isinstance(node, Choice):
            texts.append(expand(pick(rng, node), rng, fill))
        elif isinstance(node, Slot):
            texts.append(fill(node))
        else:
            texts.append(node)
    return "".join(texts)
