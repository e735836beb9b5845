"""The file of RSNA CTP's DICOM anonymizer: XML, or lines of ``key=value`` as older versions have it.

XML: ``<p t="NAME">value</p>`` is a parameter, ``<e en="T" t="ggggeeee" n="name">script</e>`` an element, ``<k en t>``
keeps a group (or safe private elements), ``<r en t>`` removes one of curves, overlays, private groups, and all that has
no script; ``en="F"`` is switched off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from node.errors import Misconfigured
from node.importing.outcome import one_line

__all__ = ["CtpScript", "ScriptElement", "read_ctp_script"]

_LINE = re.compile(r"(?P<off>#?)(?P<kind>param|set|keep|remove)\.(?P<rest>[^=]*)=(?P<value>.*)")
_SET = re.compile(r"\[(?P<tag>[^\[\]]*(?:\[[^\]]*\][^\[\]]*)?)\](?P<name>.*)")
_MOST_CHARACTERS = 16 << 20


@dataclass(frozen=True, slots=True)
class ScriptElement:
    """What a script says of one element.

    Attributes
    ----------
    tag
        as it is written, without separators: ``00100010``, or ``0029[CREATOR]10``
    name
        as the script calls it
    script
        what is done
    enabled
        False: the line is switched off
    """

    tag: str
    name: str
    script: str
    enabled: bool = True


@dataclass(slots=True)
class CtpScript:
    """What a file says; `kept` and `removed` are what is switched on."""

    parameters: dict[str, str] = field(default_factory=dict)
    elements: list[ScriptElement] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


def read_ctp_script(text: str, name: str) -> CtpScript:
    """Read a script.

    Parameters
    ----------
    text
        of the file
    name
        of the file, for messages

    Raises
    ------
    Misconfigured
        It is no such script, or has no element.
    """
    if len(text) > _MOST_CHARACTERS:
        raise Misconfigured(f"{name}: too long for a script")
    script = _from_xml(text, name) if text.lstrip("\ufeff \t\r\n").startswith("<") else _from_lines(text)
    if not script.elements:
        raise Misconfigured(f"{name}: has no element (<e t=…>); is it a script of CTP's DICOM anonymizer?")
    return script


class _Reader:
    """Takes what expat finds."""

    def __init__(self, name: str) -> None:
        self.script = CtpScript()
        self._name = name
        self._depth = 0
        self._open: tuple[str, dict[str, str]] | None = None
        self._text: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._depth == 0 and tag != "script":
            raise Misconfigured(f"{self._name}: the outermost element is <{one_line(tag, 30)}>, not <script>")
        self._depth += 1
        if self._depth == 2:
            self._open, self._text = (tag, attributes), []

    def characters(self, text: str) -> None:
        self._text.append(text)

    def end(self, _tag: str) -> None:
        if self._depth == 2 and self._open is not None:
            self._take(*self._open, "".join(self._text).strip())
            self._open = None
        self._depth -= 1

    def _take(self, kind: str, attributes: dict[str, str], text: str) -> None:
        target, enabled = attributes.get("t", ""), attributes.get("en", "F") == "T"
        if kind == "p":
            self.script.parameters[target] = text
        elif kind == "e":
            self.script.elements.append(ScriptElement(target, attributes.get("n", ""), text, enabled))
        elif kind in {"k", "r"} and enabled:
            (self.script.kept if kind == "k" else self.script.removed).append(target)


def _from_xml(text: str, name: str) -> CtpScript:
    reader = _Reader(name)
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters

    def refuse(*_: object) -> None:
        raise Misconfigured(f"{name}: declares entities, which no script of CTP needs")

    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(text.lstrip("\ufeff \t\r\n").encode(), True)  # noqa: FBT003  expat's own signature
    except expat.ExpatError as error:
        raise Misconfigured(f"{name}: not XML: {expat.errors.messages[error.code]}, line {error.lineno}") from None
    return reader.script


def _from_lines(text: str) -> CtpScript:
    script = CtpScript()
    for match in _lines(text):
        rest, enabled = match["rest"].strip(), not match["off"]
        if match["kind"] == "param":
            script.parameters[rest] = match["value"].strip()
        elif match["kind"] == "set":
            if found := _SET.match(rest):
                tag = found["tag"].replace(",", "")
                script.elements.append(ScriptElement(tag, found["name"].strip(), match["value"].strip(), enabled))
        elif enabled:
            (script.kept if match["kind"] == "keep" else script.removed).append(rest.removeprefix("group"))
    return script


def _lines(text: str) -> Iterator[re.Match[str]]:
    for line in text.splitlines():
        if match := _LINE.fullmatch(line.strip()):
            yield match
