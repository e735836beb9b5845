"""Scores: the semantics of MIDI-B's validation script (CBIIT/MIDI_validation_script), written anew.

A check on an element that isn't there fails if something had to stay in it, and passes if something had to go; the
two consistencies pass. A check on an instance that isn't there is the same, but for the consistencies, which fail.
`None` as the outcome is the script's Blank: a check that it could not do, which counts as not passed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.benchmarks.header_exam.index import Indexed
from tests.benchmarks.header_exam.key import Action, Check, Identities, Kind, Question
from tests.benchmarks.header_exam.tokens import meaningful

Outcome = bool | None


@dataclass(frozen=True, slots=True)
class Marked:
    """One check, done."""

    question: Question
    check: Check
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Score:
    """How many of how many."""

    passed: int = 0
    total: int = 0

    @property
    def percent(self) -> float:
        return 100 * self.passed / self.total if self.total else 100.0

    @property
    def failed(self) -> int:
        return self.total - self.passed


def text_stays(value: str, text: str) -> Outcome:
    """Say whether `text` is in `value`: as it is, or every word of it somewhere."""
    return _compare(value, text, all_words=True)


def text_is_gone(value: str, text: str) -> Outcome:
    """Say whether neither `text` nor any word of it is in `value`."""
    found = _compare(value, text, all_words=False)
    return None if found is None else not found


def _compare(value: str, text: str, *, all_words: bool) -> Outcome:
    value, text = _bare(value).lower(), _bare(text).lower()
    if _is_number(value) and _is_number(text):
        return float(value) == float(text)
    if text in value:
        return True
    tokens = meaningful(text)
    if not tokens:
        return None  # the script divides by their number
    return (all if all_words else any)(token in value for token in tokens)


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()


def _bare(text: str) -> str:
    return text.replace("<", "").replace(">", "")


def _flat(text: str) -> str:
    return text.replace("\\", "")


def _is_changed(value: str, old: str) -> Outcome:
    return _flat(_bare(old)) not in _flat(value)


# What is asked of a value that is there; the third argument is the mapping of identifiers that the check needs
_ASKED: Mapping[Action, Callable[[str, Check, Identities], Outcome]] = {
    Action.TAG_RETAINED: lambda _value, _check, _new: True,
    Action.TEXT_NOTNULL: lambda value, _check, _new: value != "<>",
    Action.TEXT_RETAINED: lambda value, check, _new: text_stays(value, check.text),
    Action.TEXT_REMOVED: lambda value, check, _new: text_is_gone(_unprinted(value), check.text),
    Action.DATE_SHIFTED: lambda value, check, _new: _is_changed(value, check.value),
    Action.UID_CHANGED: lambda value, check, _new: _is_changed(value, check.value),
    Action.UID_CONSISTENT: lambda value, check, new: _bare(value) == new.uids.get(_bare(check.value), ""),
    Action.PATID_CONSISTENT: lambda value, check, new: _bare(value) == new.patient_ids.get(_bare(check.value), ""),
}
_ABSENT_TAG_PASSES = frozenset(Action) - {
    Action.TAG_RETAINED,
    Action.TEXT_NOTNULL,
    Action.TEXT_RETAINED,
    Action.PIXELS_RETAINED,
}
_ABSENT_FILE_PASSES = _ABSENT_TAG_PASSES - {Action.UID_CONSISTENT, Action.PATID_CONSISTENT}


def _unprinted(value: str) -> str:
    return "<>" if value == "<REMOVED>" else value


def _mark(check: Check, answer: Indexed | None, identities: Identities) -> Outcome:
    if answer is None:
        return check.action in _ABSENT_FILE_PASSES
    if check.action is Action.PIXELS_RETAINED:
        return answer.digest == check.text.strip("<>")
    value = answer.values.get(check.path)
    if value is None:
        return check.action in _ABSENT_TAG_PASSES
    return _ASKED[check.action](value, check, identities)


def validate(questions: Iterable[Question], answers: Iterable[Indexed], identities: Identities) -> list[Marked]:
    """Do every check; instances are matched by SOP Instance UID through the mapping."""
    by_uid = {answer.instance_uid: answer for answer in answers}
    marked = []
    for question in questions:
        answer = by_uid.get(identities.uids.get(question.instance_uid, ""))
        marked += [Marked(question, check, _mark(check, answer, identities)) for check in question.checks]
    return marked


def by_series(marked: Sequence[Marked]) -> Iterator[Marked]:
    """Yield one check per action, element, patient, study and series: the one that failed, if one did."""
    kept: dict[tuple[str, str, str, str, str], Marked] = {}
    for mark in marked:
        asked = mark.question
        place = (mark.check.action, mark.check.path, asked.patient_id, asked.study_uid, asked.series_uid)
        if place not in kept or (kept[place].outcome and not mark.outcome):
            kept[place] = mark
    yield from kept.values()


def score(marked: Iterable[Marked]) -> Score:
    """Count them: what is Blank isn't passed."""
    outcomes = [mark.outcome is True for mark in marked]
    return Score(sum(outcomes), len(outcomes))


def of_kind(marked: Iterable[Marked], *, free_text: bool) -> list[Marked]:
    """Return the checks of free text, or all others."""
    return [mark for mark in marked if (mark.check.kind is not Kind.STRUCTURED) == free_text]
