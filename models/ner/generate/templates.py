"""Templates: lines of text with choices and slots, parsed once into a tree (GUIDE.md says how they are written)."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from models.ner.generate.pieces import Filler, Piece

FOLDER = Path(__file__).resolve().parent.parent / "templates"
HELD_OUT = "holdout_"
KINDS = ("prose", "note", "kv", "desc", "overlay", "clean")
TOKENS = re.compile(r"\{[^{}]*\}|[<|>]|[^<|>{}]+|[{}]")
SETTING = re.compile(r"(lang|kind)=(\S+)")
SLOT = re.compile(r"([a-z]+?)(\d*)(?:\.([a-z]+))?")


class Broken(ValueError):
    """A line of a template file that does not say what it should."""


class Slot(NamedTuple):
    """One slot: {name2.last} is name, 2, last, and its key name2.last."""

    base: str
    which: str
    form: str
    key: str


class Whole(NamedTuple):
    """Slots of one person or one address, with what joins them: one span, as "{name.last}, {name.first}" is."""

    parts: tuple[str | Slot, ...]


Node = str | Slot | Whole | list["Tree"]  # a list is a choice
Tree = list[Node]

# What may stand between the parts of a name or an address.
BETWEEN = re.compile(r"[ ,^_.-]{1,3}")
WHOLES = {"name": "name", "street": "place", "zip": "place", "city": "place"}


class Template(NamedTuple):
    """One line."""

    tree: Tree
    lang: str
    kind: str
    line: str
    where: str


def slot(text: str, known: Callable[[str, str], bool]) -> Slot:
    """
    Read what stands between braces.

    Parameters
    ----------
    text : str
        The slot without its braces.
    known : callable
        Tells whether a slot of this base and form exists.

    Returns
    -------
    Slot
        The slot.

    Raises
    ------
    Broken
        There is no such slot.
    """
    base, _, form = text.partition(".")
    if known(base, form):
        return Slot(base, "", form, text)
    match = SLOT.fullmatch(text)
    if not match or not known(match[1], match[3] or ""):
        raise Broken(f"unknown slot {{{text}}}")
    return Slot(match[1], match[2], match[3] or "", text)


def parsed(line: str, known: Callable[[str, str], bool]) -> Tree:
    """
    Parse a line.

    Returns
    -------
    list
        Texts, slots and choices in their order.

    Raises
    ------
    Broken
        A choice is not closed or not opened, or a brace stands alone.
    """
    stack: list[list[Tree]] = [[[]]]
    for part in TOKENS.findall(line):
        if part == "<":
            stack.append([[]])
        elif part == ">":
            if len(stack) == 1:
                raise Broken("a > without its <")
            choice = stack.pop()
            stack[-1][-1].append(choice)
        elif part == "|":
            if len(stack) == 1:
                raise Broken("a | outside of < >")
            stack[-1].append([])
        elif part in ("{", "}"):
            raise Broken("a brace that stands alone")
        elif part[0] == "{":
            stack[-1][-1].append(slot(part[1:-1], known))
        else:
            stack[-1][-1].append(part)
    if len(stack) > 1:
        raise Broken("a < without its >")
    return whole(stack[0][0])


def whole(tree: Tree) -> Tree:
    """
    Make one node of the slots that are one name or one address.

    Returns
    -------
    list
        The tree, its choices done likewise.
    """
    out: Tree = []
    for node in tree:
        new: Node = [whole(branch) for branch in node] if isinstance(node, list) else node
        if isinstance(new, Slot) and len(out) > 1 and isinstance(out[-1], str) and BETWEEN.fullmatch(out[-1]):
            before = out[-2].parts if isinstance(out[-2], Whole) else (out[-2],)
            last = before[-1]
            if (
                isinstance(last, Slot)
                and WHOLES.get(last.base, last) == WHOLES.get(new.base)
                and last.which == new.which
            ):
                out[-2:] = [Whole((*before, out[-1], new))]
                continue
        out.append(new)
    return out


def render(tree: Tree, rng: Random, fill: Callable[[Slot], tuple[Filler, str]], out: list[Piece]) -> None:
    """
    Write a tree: draw its choices, fill its slots.

    Parameters
    ----------
    tree : list
        What parsed returned.
    rng : Random
        The source of chance.
    fill : callable
        Gives a slot's filler and label.
    out : list of Piece
        Where the pieces are put.
    """
    for node in tree:
        if isinstance(node, str):
            out.append((node, ""))
        elif isinstance(node, Slot):
            filler, label = fill(node)
            if isinstance(filler, str):
                out.append((filler, label))
            else:
                out.extend(filler)
        elif isinstance(node, Whole):
            parts = [(part, "") if isinstance(part, str) else fill(part) for part in node.parts]
            out.append(("".join([str(filler) for filler, _ in parts]), parts[0][1]))
        else:
            render(node[int(rng.random() * len(node))], rng, fill, out)


def slots_of(tree: Tree) -> Iterator[Slot]:
    """
    Go through all slots of a tree.

    Yields
    ------
    Slot
        Each slot, of every choice.
    """
    for node in tree:
        if isinstance(node, Slot):
            yield node
        elif isinstance(node, Whole):
            yield from (part for part in node.parts if isinstance(part, Slot))
        elif isinstance(node, list):
            for branch in node:
                yield from slots_of(branch)


def settings(line: str, where: str, before: dict[str, str]) -> dict[str, str]:
    """
    Read a line that begins with #@.

    Returns
    -------
    dict
        The language and kind from here on.

    Raises
    ------
    Broken
        The line sets nothing, or an unknown kind.
    """
    found = dict(SETTING.findall(line))
    now = before | found
    if not found or now.get("kind", KINDS[0]) not in KINDS or len(now.get("lang", "en")) != 2:
        raise Broken(f"{where}: {line.strip()} sets no known lang or kind")
    return now


def lines(path: Path, known: Callable[[str, str], bool]) -> Iterator[Template | Broken]:
    """
    Read a file, and go on after a line that is broken.

    Yields
    ------
    Template or Broken
        A template, or what is wrong with its line; the message names file and line.
    """
    now: dict[str, str] = {}
    for number, raw in enumerate(path.read_text("utf-8").splitlines(), 1):
        where = f"{path.name}:{number}"
        line = raw.strip()
        try:
            if line.startswith("#@"):
                now = settings(line, where, now)
            elif line and not line.startswith("#"):
                yield one(line, where, now, known)
        except Broken as broken:
            yield broken


def one(line: str, where: str, now: dict[str, str], known: Callable[[str, str], bool]) -> Template:
    """
    Read one template.

    Returns
    -------
    Template
        The template with its language and kind.

    Raises
    ------
    Broken
        The line cannot be parsed, or no language and kind have been set before it.
    """
    if len(now) < 2:
        raise Broken(f"{where}: lang and kind are not set")
    try:
        tree = parsed(line.replace("\\n", "\n"), known)
    except Broken as broken:
        raise Broken(f"{where}: {broken}: {line}") from None
    return Template(tree, now["lang"], now["kind"], line, where)


def files(*, held_out: bool) -> list[Path]:
    """
    List the template files.

    Returns
    -------
    list of Path
        Those of the exam (holdout_*.txt), or all others, by name.
    """
    return [path for path in sorted(FOLDER.glob("*.txt")) if path.name.startswith(HELD_OUT) == held_out]


def load(paths: Iterable[Path], known: Callable[[str, str], bool]) -> list[Template]:
    """
    Read files.

    Returns
    -------
    list of Template
        All their templates.

    Raises
    ------
    Broken
        A line is broken; the message names file and line.
    """
    templates = []
    for path in paths:
        for line in lines(path, known):
            if isinstance(line, Broken):
                raise line
            templates.append(line)
    return templates
