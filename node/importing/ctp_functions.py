"""What each function of RSNA CTP's DICOM anonymizer becomes here: one row for each.

A function that can't be said here becomes what hides at least as much: the table's own action where that replaces the
value, else an empty value or a dummy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from deid.actions import Action
from node.importing.calls import Call, ScriptSyntaxError, parse_calls
from node.importing.outcome import Fidelity, Use

__all__ = ["FUNCTIONS", "Outcome", "Target", "outcome_of"]

CARRIED, NEARLY, NODE, LOST = Fidelity.CARRIED, Fidelity.NEARLY, Fidelity.NODE, Fidelity.LOST

_DATES = frozenset({"DA", "DT"})
_TEMPORAL = _DATES | {"TM"}
_WORDS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_IDENTITY = frozenset({0x0010_0010, 0x0010_0020})
_OWN = ("", "this")
_REPLACING = frozenset({Action.D, Action.Z, Action.X})
_STRICTEST_FIRST = (Action.X, Action.Z, Action.D, Action.U, Action.C, Action.K)
_MOST_DEPTH = 16


@dataclass(frozen=True, slots=True)
class Target:
    """The element that a script is for.

    Attributes
    ----------
    tag
        its tag; of a private one in whatever block
    names
        how a script may call it, in small letters
    vr
        its VR, the first of several
    standing
        what the profile does with it without an override
    """

    tag: int
    names: frozenset[str]
    vr: str
    standing: Action

    def is_called(self, name: str) -> bool:
        """Tell whether an argument means this element."""
        return name.strip("[]() ").casefold().replace(",", "") in self.names | set(_OWN)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is done with an element.

    Attributes
    ----------
    action
        of an override
    fidelity
        how much of the script that is
    note
        what is otherwise, empty if nothing is
    """

    action: Action
    fidelity: Fidelity
    note: str = ""


def outcome_of(script: str, target: Target, uses: list[Use], depth: int = 0) -> Outcome:
    """Return what a script does to its element; `uses` takes one entry for each call.

    Raises
    ------
    ScriptSyntaxError
        It isn't written as CTP wants it.
    """
    if depth > _MOST_DEPTH:
        raise ScriptSyntaxError("conditions are too deep")
    parts = [part for part in parse_calls(script) if part != Call("always")]
    always = len(parts) < len(parse_calls(script))
    if always:
        uses.append(Use("@always", NEARLY))
    if not parts:
        found = Outcome(_hidden(target), CARRIED) if always else Outcome(Action.Z, CARRIED)
        return found if always else _emptied(target)
    if len(parts) == 1 and isinstance(parts[0], Call):
        return _of_call(parts[0], target, uses, depth)
    uses += [Use("constant text", LOST)]
    uses += [Use(f"@{part.name}", LOST) for part in parts if isinstance(part, Call)]
    return Outcome(_hidden(target), LOST, "its own text is not written")


def _of_call(call: Call, target: Target, uses: list[Use], depth: int) -> Outcome:
    name = f"@{call.name}"
    if call.name == "if":
        found = _if(call, target, uses, depth)
    elif call.name == "select":
        found = _select(call, target, uses, depth)
    elif call.name in FUNCTIONS:
        found = FUNCTIONS[call.name](call, target)
    else:
        found, name = Outcome(_hidden(target), LOST, "no function of CTP"), "unknown function"
    uses.append(Use(name, found.fidelity))
    return found


def _hidden(target: Target) -> Action:
    """Return what leaves nothing of the value and keeps the element where the profile does."""
    if target.standing in _REPLACING or target.standing is Action.U:
        return target.standing
    if target.vr == "SQ":
        return Action.X
    return Action.D if target.vr in _WORDS else Action.Z


def _emptied(target: Target) -> Outcome:
    if target.tag in _IDENTITY:
        return Outcome(target.standing, NODE, "a pseudonym stands there")
    return Outcome(Action.Z, CARRIED)


def _kept(_call: Call, target: Target) -> Outcome:
    if target.standing is not Action.C:
        return Outcome(Action.K, CARRIED)
    if target.vr == "TM":
        return Outcome(Action.C, CARRIED)  # moving dates by whole days leaves times as they are
    what = "shifted like all dates" if target.vr in _DATES else "cleaned, since an option says so"
    return Outcome(Action.C, NEARLY, what)


def _removed(_call: Call, target: Target) -> Outcome:
    if target.tag in _IDENTITY:
        return Outcome(target.standing, NODE, "a pseudonym stands there")
    return Outcome(Action.X, CARRIED)


def _blank(_call: Call, target: Target) -> Outcome:
    found = _emptied(target)
    return Outcome(found.action, NEARLY, found.note or "empty instead of spaces")


def _require(call: Call, target: Target) -> Outcome:
    found = _kept(call, target)
    return Outcome(found.action, NEARLY, found.note or "not added where it is missing")


def _process(_call: Call, target: Target) -> Outcome:
    if target.vr != "SQ":
        return Outcome(_hidden(target), LOST, "no Sequence")
    if target.standing in {Action.U, Action.C}:
        return Outcome(target.standing, CARRIED)  # goes through the items, too
    return Outcome(Action.K, CARRIED)


def _uid(_call: Call, target: Target) -> Outcome:
    if target.vr != "UI":
        return Outcome(_hidden(target), LOST, "holds no UID")
    return Outcome(Action.U, CARRIED)


def _shifted(_call: Call, target: Target) -> Outcome:
    if target.vr not in _TEMPORAL:
        return Outcome(_hidden(target), LOST, "holds no date")
    return Outcome(Action.C, NEARLY, "by the patient's own number of days, or the crosswalk's")


def _coarser_date(call: Call, target: Target) -> Outcome:
    if target.vr not in _TEMPORAL:
        return Outcome(_hidden(target), LOST, "holds no date")
    if call.name == "modifydate" and all(part.isdecimal() for part in call.arguments[1:]):
        return Outcome(Action.Z, LOST, "no fixed date is written")
    return Outcome(Action.C, NEARLY, "shifted by the patient's own number of days instead")


def _code(_call: Call, target: Target) -> Outcome:
    """Do what a hash, a number or a cipher of a value becomes."""
    if target.tag in _IDENTITY:
        return Outcome(target.standing, NODE, "the pseudonym of [projects.identity]")
    return Outcome(_hidden(target), LOST, "no code of the value is written")


def _lookup(_call: Call, target: Target) -> Outcome:
    if target.tag in _IDENTITY:
        return Outcome(target.standing, NODE, 'give the list to [projects.identity], mode = "crosswalk"')
    if target.tag == 0x0008_0050:
        return Outcome(target.standing, NODE, "a crosswalk's column New_accession does that")
    return Outcome(_hidden(target), LOST, "no list but that of patients")


def _of_texts(call: Call, target: Target) -> Outcome:
    """Do what cuts or edits a value: the element's own text is cleaned, what comes from elsewhere isn't written."""
    if target.vr in _WORDS - {"PN", "CS", "AE"} and call.arguments and target.is_called(call.arguments[0]):
        if target.standing in _REPLACING:
            return Outcome(target.standing, LOST, "as the table says")
        return Outcome(Action.C, LOST, "cleaned instead")
    return Outcome(_hidden(target), LOST, "nothing of the value is written")


def _in_letters(call: Call, target: Target) -> Outcome:
    if call.arguments and target.is_called(call.arguments[0]):
        found = _kept(call, target)
        return Outcome(found.action, NEARLY, found.note or "letters stay as they are")
    return _of_texts(call, target)


def _lost(why: str) -> Callable[[Call, Target], Outcome]:
    def act(_call: Call, target: Target) -> Outcome:
        return Outcome(_hidden(target), LOST, why)

    return act


_Function: TypeAlias = Callable[[Call, Target], Outcome]

FUNCTIONS: Mapping[str, _Function] = {
    "append": _lost("nothing is appended"),
    "blank": _blank,
    "call": _lost("no plugins"),
    "contents": _of_texts,
    "date": _lost("today's date is not written"),
    "dateinterval": _coarser_date,
    "decrypt": _lost("nothing is decrypted"),
    "empty": lambda _call, target: _emptied(target),
    "encrypt": _code,
    "hash": _code,
    "hashdate": _shifted,
    "hashname": _code,
    "hashptid": _code,
    "hashuid": _uid,
    "incrementdate": _shifted,
    "initials": _code,
    "integer": _code,
    "keep": _kept,
    "lookup": _lookup,
    "lowercase": _in_letters,
    "modifydate": _coarser_date,
    "param": _lost("its own text is not written"),
    "pathelement": _of_texts,
    "process": _process,
    "quarantine": _lost("which instances are taken is for [[projects]] (accepts, peers)"),
    "remove": _removed,
    "require": _require,
    "round": _lost("values are not rounded"),
    "skip": _lost("nothing is let through as it came"),
    "time": _lost("the time of day is not written"),
    "truncate": _of_texts,
    "uppercase": _in_letters,
    "value": _of_texts,
}
"""CTP's functions but for the conditions ``@if`` and ``@select``, and ``@always``."""


def _if(call: Call, target: Target, uses: list[Use], depth: int) -> Outcome:
    """Decide where the condition is only whether the element is there; else do the stricter of both."""
    then, otherwise = (*call.clauses, "", "")[:2]
    own = bool(call.arguments) and target.is_called(call.arguments[0])
    asked = call.arguments[1].lower() if len(call.arguments) > 1 else ""
    if own and asked == "isblank":
        return outcome_of(otherwise, target, uses, depth + 1) if otherwise.strip() else _emptied(target)
    if own and asked == "exists":
        return outcome_of(then, target, uses, depth + 1) if then.strip() else _emptied(target)
    found = _stricter(then, otherwise, target, uses, depth)
    if found[0].action is found[1].action:
        return found[0]
    return Outcome(found[0].action, LOST, "whatever the condition says, the stricter of both")


def _select(call: Call, target: Target, uses: list[Use], depth: int) -> Outcome:
    then, otherwise = (*call.clauses, "", "")[:2]
    found = _stricter(then, otherwise, target, uses, depth)
    if found[0].action is found[1].action:
        return found[0]
    return Outcome(found[0].action, NEARLY, "the stricter of both, at the top level and in items")


def _stricter(then: str, otherwise: str, target: Target, uses: list[Use], depth: int) -> tuple[Outcome, Outcome]:
    found = [
        outcome_of(script, target, uses, depth + 1) if script.strip() else _emptied(target)
        for script in (then, otherwise)
    ]
    first, second = sorted(found, key=lambda outcome: _STRICTEST_FIRST.index(outcome.action))
    return first, second
