"""A script of RSNA CTP's DICOM anonymizer as a profile: options by what it claims, overrides by what it does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from deid.actions import Action
from deid.options import DATES, OPTIONS
from deid.overrides import NO_DATA_SET_GROUPS
from deid.rules import Policy, Rules
from deid.standard import confidentiality_row
from deid.table import tag_text
from node.importing.calls import Call, ScriptSyntaxError, parse_calls
from node.importing.ctp_functions import Outcome, Target, outcome_of
from node.importing.ctp_script import CtpScript, ScriptElement
from node.importing.outcome import Fidelity, Imported, Remark, Use, one_line
from node.importing.toml import quoted

__all__ = ["import_ctp_script"]

_PRIVATE = re.compile(r"(?P<group>[0-9A-F]{4})(?:00)?\[(?P<creator>[^\]]+)\](?P<element>[0-9A-F]{2})", re.IGNORECASE)
_STANDARD = re.compile(r"[0-9A-F]{8}", re.IGNORECASE)
_CODES = re.compile(r"\b1131\d\d\b")
_SHIFTING = re.compile(r"@\s*(?:incrementdate|hashdate|modifydate|dateinterval)\s*\(", re.IGNORECASE)
_METHOD_CODES, _SOP_CLASS = 0x0012_0064, 0x0008_0016
_REPLACING = frozenset({Action.D, Action.Z, Action.X})
_OVERLAYS, _REPEATING = 0x60, frozenset({0x50, 0x60})
_WRITTEN_BY_THE_NODE = {
    0x0008_0005: "stays, or character_set of the profile",
    0x0012_0062: "the node writes YES",
    0x0012_0063: "the node writes profile and options",
    0x0012_0064: "the node writes what it did; see options",
    0x0028_0301: "the node writes it where pixels were cleaned",
    0x0028_0302: "the node writes it where faces were cleaned",
    0x0028_0303: "the node writes it by what became of dates",
}
_NO_REMOVAL = frozenset({0x0008_0018, 0x0020_000D, 0x0020_000E})
_MODIFIED, _FULL = "retain_long_modified_dates", "retain_long_full_dates"


@dataclass(slots=True)
class _Draft:
    """What the profile is made of."""

    options: frozenset[str]
    rules: Rules
    allow_list: bool = False
    overrides: dict[str, tuple[Action, str]] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    weaker: list[str] = field(default_factory=list)
    as_the_table: int = 0

    def override(self, attribute: str, action: Action, said: str) -> None:
        self.overrides[attribute] = (action, said)


def import_ctp_script(script: CtpScript, name: str, source: str) -> Imported:
    """Make a profile of a script.

    Parameters
    ----------
    script
        as it was read
    name
        of the new profile
    source
        of what file it was made, for the comment
    """
    options = _options(script)
    allow_list = "unspecifiedelements" in script.removed
    draft = _Draft(options, Rules(Policy(options), ""), allow_list)
    for element in script.elements:
        if element.enabled:
            _translate(element, draft)
    _translate_groups(script, draft)
    return Imported(
        "a script of RSNA CTP's DICOM anonymizer",
        "\n".join(_toml(draft, name, source)) + "\n",
        tuple(draft.uses),
        tuple(draft.remarks),
        tuple(_summary(script, draft)),
    )


def _options(script: CtpScript) -> frozenset[str]:
    """Return the options that the script's De-identification Method Code Sequence names, and that its dates need."""
    on = [element for element in script.elements if element.enabled]
    texts = [element.script for element in on if element.tag == f"{_METHOD_CODES:08x}"]
    codes = {code for text in texts for code in _CODES.findall(text)}
    found = {option for option, known in OPTIONS.items() if known.code.value in codes}
    if any(_SHIFTING.search(element.script) for element in on):
        found.add(_MODIFIED)
    if found >= set(DATES):
        found.remove(_FULL)
    if "safeprivateelements" in script.kept:
        found.add("retain_safe_private")
    return frozenset(found)


def _translate(element: ScriptElement, draft: _Draft) -> None:
    said = one_line(element.script) or "(empty)"
    if match := _PRIVATE.fullmatch(element.tag):
        _translate_private(match, element, said, draft)
        return
    where = f"{_shown(element.tag)} {one_line(element.name, 40)}".rstrip()
    if not _STANDARD.fullmatch(element.tag):
        draft.remarks.append(Remark(where, said, Fidelity.LOST, "no tag; left out"))
        draft.uses.append(Use("element without a tag", Fidelity.LOST))
        return
    tag = int(element.tag, 16)
    if note := _left_to_the_node(tag):
        draft.remarks += [] if tag in _WRITTEN_BY_THE_NODE else [Remark(where, said, Fidelity.NODE, note)]
        draft.uses += [Use(function, Fidelity.NODE) for function in _functions(element.script)]
        return
    vr = _vr(tag)
    standing = draft.rules.rule(tag, vr, 0).action
    names = frozenset({element.tag.casefold(), element.name.casefold(), keyword_for_tag(tag).casefold()} - {""})
    outcome = _outcome(element, Target(tag, names, vr, standing), draft)
    if tag in _NO_REMOVAL and outcome.action in _REPLACING:
        outcome = Outcome(Action.U, Fidelity.LOST, "every instance needs it: replaced by a new UID")
    _note(where, said, outcome, draft)
    _decide(_attribute(tag), said, outcome.action, standing, draft)


def _outcome(element: ScriptElement, target: Target, draft: _Draft) -> Outcome:
    uses: list[Use] = []
    try:
        outcome = outcome_of(element.script, target, uses)
    except ScriptSyntaxError as error:
        uses = [Use("not readable", Fidelity.LOST)]
        action = target.standing if target.standing in _REPLACING else Action.X if target.vr == "SQ" else Action.Z
        outcome = Outcome(action, Fidelity.LOST, f"not readable: {error}")
    draft.uses += uses or [Use("(no script)", outcome.fidelity)]
    return outcome


def _translate_private(match: re.Match[str], element: ScriptElement, said: str, draft: _Draft) -> None:
    group, creator = match["group"], match["creator"].strip()
    where = f"({group},{creator},{match['element']})"
    is_creator = bool(creator) and creator.isprintable() and not {'"', "\\"} & set(creator)
    if not int(group, 16) & 1 or not is_creator:
        draft.remarks.append(Remark(where, said, Fidelity.LOST, "no private element"))
        draft.uses.append(Use("element without a tag", Fidelity.LOST))
        return
    outcome = _outcome(element, Target(0, frozenset(), "UN", Action.X), draft)
    _note(where, said, outcome, draft)
    if outcome.action is not Action.X:
        if outcome.action is Action.K:
            draft.weaker.append(where)
        draft.override(f'({group},"{creator}",{match["element"].upper()})', outcome.action, said)


def _left_to_the_node(tag: int) -> str:
    """Say why an element needs no override, empty if it may."""
    group = tag >> 16
    if tag in _WRITTEN_BY_THE_NODE:
        return _WRITTEN_BY_THE_NODE[tag]
    if tag == _SOP_CLASS:
        return "always stays"
    if group in NO_DATA_SET_GROUPS or tag & 0xFFFF == 0:
        return "always removed, or written anew"
    if group & 1:
        return "private without its creator's name: removed; none is added"
    return "" if _vr(tag) else "no attribute of the standard: removed"


def _functions(script: str) -> list[str]:
    """Return what a script that needn't be carried over calls."""
    try:
        calls = [f"@{part.name}" for part in parse_calls(script) if isinstance(part, Call)]
    except ScriptSyntaxError:
        return ["not readable"]
    return calls or ["constant text"]


def _note(where: str, said: str, outcome: Outcome, draft: _Draft) -> None:
    if outcome.fidelity is not Fidelity.CARRIED:
        draft.remarks.append(Remark(where, said, outcome.fidelity, f"{outcome.action}: {outcome.note}"))


def _decide(attribute: str, said: str, action: Action, standing: Action, draft: _Draft) -> None:
    """Write an override, unless the profile's options and table do the same, or hide the value as well."""
    if action is standing or (action in _REPLACING and standing in _REPLACING):
        draft.as_the_table += 1
        return
    if action is Action.K:
        draft.weaker.append(attribute)
    draft.override(attribute, action, said)


def _translate_groups(script: CtpScript, draft: _Draft) -> None:
    for name, group in (("overlays", "60xx"), ("curves", "50xx")):
        if name in script.removed:
            draft.override(group, Action.X, f"remove {name}")
            draft.uses.append(Use(f"remove {name}", Fidelity.CARRIED))
    if "privategroups" in script.removed:
        draft.uses.append(Use("remove private groups", Fidelity.CARRIED))
    else:
        draft.uses.append(Use("keep private groups", Fidelity.LOST))
        note = "private elements are removed, but for those on lists if the option retain_safe_private is on"
        draft.remarks.append(Remark("private groups", "kept", Fidelity.LOST, note))
    if draft.allow_list:
        draft.uses.append(Use("remove unchecked elements", Fidelity.NEARLY))
        note = "allow_list = true: only what the instance's IOD has stays, and no free text"
        draft.remarks.append(Remark("unchecked elements", "removed", Fidelity.NEARLY, note))
    for group in script.kept:
        if group == "safeprivateelements":
            draft.uses.append(Use("keep safe private elements", Fidelity.CARRIED))
            continue
        draft.uses.append(Use("keep group", Fidelity.LOST))
        where = f"group {one_line(group, 10)}"
        draft.remarks.append(
            Remark(where, "kept", Fidelity.LOST, "its elements go by the table; see unchecked elements")
        )


def _shown(tag: str) -> str:
    return tag_text(int(tag, 16)) if _STANDARD.fullmatch(tag) else one_line(tag, 40)


def _vr(tag: int) -> str:
    row = confidentiality_row(tag)
    if row is not None:
        return row.vr.split(" or ")[0]
    try:
        return str(dictionary_VR(tag)).split(" or ")[0]
    except KeyError:
        return ""


def _attribute(tag: int) -> str:
    if tag >> 24 in _REPEATING:
        return f"({tag >> 24:02x}xx,{tag & 0xFFFF:04X})"
    keyword = keyword_for_tag(tag)
    return keyword if keyword and tag_for_keyword(keyword) == tag else tag_text(tag)


def _toml(draft: _Draft, name: str, source: str) -> Iterator[str]:
    yield f"# Made of {one_line(source, 80)}, a script of RSNA CTP's DICOM anonymizer, by `deid-node profile import`."
    yield "# Beside what stands here Table E.1-1 of PS3.15 decides, as in basic.toml, which explains all keys."
    yield "# `deid-node profile show` prints what it does; `deid-node profile diff` compares it with another."
    yield ""
    yield f"name = {quoted(name)}"
    yield f"description = {quoted(f'Imported from the CTP script {one_line(source, 80)}')}"
    yield f"options = [{', '.join(quoted(option) for option in OPTIONS if option in draft.options)}]"
    if draft.allow_list:
        yield "allow_list = true"
    if draft.remarks:
        yield from ("", "# What is not in the script's own way:", "#")
        for remark in draft.remarks:
            yield f"# {remark.line()}"
    if draft.overrides:
        yield from ("", "[overrides]")
    for attribute, (action, said) in draft.overrides.items():
        key = attribute if attribute.isascii() and attribute.isalnum() else quoted(attribute)
        yield f"{key} = {quoted(action)}  # {one_line(said)}"


def _summary(script: CtpScript, draft: _Draft) -> Iterator[str]:
    on = sum(element.enabled for element in script.elements)
    yield f"{len(script.elements)} elements, {on} switched on; {len(script.parameters)} parameters"
    yield f"{len(draft.overrides)} overrides; {draft.as_the_table} elements for which options and table do the same"
    chosen = ", ".join(option for option in OPTIONS if option in draft.options)
    yield f"options: {chosen or 'none'}"
    if draft.weaker:
        names = ", ".join(draft.weaker)
        yield f"kept although the Basic Profile would not, as the script says ({len(draft.weaker)}): {names}"
    if not draft.allow_list:
        off = len(script.elements) - on
        yield f"{off} elements switched off, and all that are not named: CTP keeps them, here the table decides"
