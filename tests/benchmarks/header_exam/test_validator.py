"""The validator's semantics are MIDI-B's, with its quirks; and an exam is what it says it is."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.benchmarks.header_exam.exam import Sitting, sit
from tests.benchmarks.header_exam.index import Indexed, index
from tests.benchmarks.header_exam.key import Action, Check, Identities, Kind, Question, write_answers
from tests.benchmarks.header_exam.tokens import meaningful
from tests.benchmarks.header_exam.validator import Outcome, by_series, score, text_is_gone, text_stays, validate

_PATH = "<(0008,1030)>"


@pytest.fixture(scope="module")
def sittings() -> list[Sitting]:
    return sit(11, 2)


def _question(action: Action, value: str, text: str = "", uid: str = "1.2") -> Question:
    check = Check(_PATH, "Study Description", value, action, text or value, Kind.STRUCTURED)
    return Question("CT", "1.2.840.10008.5.1.4.1.1.2", "P1", "1.1", "1.1.1", uid, (check,))


def _answer(value: str | None, uid: str = "9.2") -> Indexed:
    values = {} if value is None else {_PATH: value}
    return Indexed("CT", "1.2.840.10008.5.1.4.1.1.2", "X1", "9.1", "9.1.1", uid, "", values, {}, {})


def _outcome(action: Action, old: str, new: str | None, text: str = "") -> Outcome:
    mapping = Identities({"1.2": "9.2", "1.1": "9.1"}, {"P1": "X1"})
    (marked,) = validate([_question(action, old, text)], [_answer(new)], mapping)
    return marked.outcome


@pytest.mark.parametrize(
    ("value", "text", "gone"),
    [
        ("<CT of Smithson>", "<Smith>", False),
        ("<phase 2>", "<PH>", False),
        ("<2018-12-28>", "<20181228>", True),
        ("<12>", "<12.0>", False),
        ("<The patient's address is 1261 AR 72223>", "<1261 Leawood Street, Little Rock AR 72223>", False),
        ("<CHEST>", "<Smith>", True),
    ],
)
def test_text_is_gone_only_if_no_word_of_it_is_left(value: str, text: str, gone: Outcome) -> None:
    assert text_is_gone(value, text) is gone


@pytest.mark.parametrize(
    ("value", "text", "stays"),
    [
        ("<CHEST for X>", "<CHEST>", True),
        ("<contrast without>", "<Without Contrast>", True),
        ("<CHEST>", "<CHEST ROUTINE>", False),
        ("<12.0>", "<12>", True),
        ("<F>", "<M>", None),
    ],
)
def test_text_stays_if_every_word_of_it_does(value: str, text: str, stays: Outcome) -> None:
    assert text_stays(value, text) is stays


def test_stopwords_and_marks_are_no_words() -> None:
    text = "known lesion of the liver, (stable) *1.5 mm."
    assert meaningful(text) == ["known", "lesion", "liver", "stable", "1.5", "mm"]


@pytest.mark.parametrize(
    ("action", "passes"),
    [
        (Action.TAG_RETAINED, False),
        (Action.TEXT_NOTNULL, False),
        (Action.TEXT_RETAINED, False),
        (Action.TEXT_REMOVED, True),
        (Action.DATE_SHIFTED, True),
        (Action.UID_CHANGED, True),
        (Action.UID_CONSISTENT, True),
        (Action.PATID_CONSISTENT, True),
    ],
)
def test_an_absent_element_fails_what_had_to_stay(action: Action, *, passes: bool) -> None:
    assert _outcome(action, "<1.1>", None) is passes


@pytest.mark.parametrize("action", [Action.UID_CONSISTENT, Action.PATID_CONSISTENT])
def test_a_missing_instance_fails_the_consistencies(action: Action) -> None:
    (marked,) = validate([_question(action, "<1.1>")], [], Identities({}, {}))
    assert marked.outcome is False


def test_uid_is_consistent_with_the_mapping_only() -> None:
    assert _outcome(Action.UID_CONSISTENT, "<1.1>", "<9.1>") is True
    assert _outcome(Action.UID_CONSISTENT, "<1.1>", "<9.7>") is False


def test_present_but_empty_is_retained_and_null() -> None:
    assert _outcome(Action.TAG_RETAINED, "<A>", "<>") is True
    assert _outcome(Action.TEXT_NOTNULL, "<A>", "<>") is False


def test_one_failed_instance_fails_its_series() -> None:
    questions = [_question(Action.TEXT_NOTNULL, "<A>", uid=uid) for uid in ("1.2", "1.3")]
    answers = [_answer("<A>", "9.2"), _answer("<>", "9.3")]
    marked = validate(questions, answers, Identities({"1.2": "9.2", "1.3": "9.3"}, {}))
    assert score(marked).passed == 1
    assert score(by_series(marked)).passed == 0
    assert score(by_series(marked)).total == 1


def test_the_same_seed_gives_the_same_exam_and_another_another(sittings: list[Sitting]) -> None:
    assert [sitting.file for sitting in sit(11, 2)] == [sitting.file for sitting in sittings]
    assert not {sitting.file for sitting in sit(12, 2)} & {sitting.file for sitting in sittings}


def test_an_exam_has_at_least_eight_modalities_and_every_action(sittings: list[Sitting]) -> None:
    assert len({sitting.question.modality for sitting in sittings}) >= 8
    assert {check.action for sitting in sittings for check in sitting.question.checks} == set(Action)
    assert {check.kind for sitting in sittings for check in sitting.question.checks} == set(Kind)


def test_who_hands_in_the_originals_keeps_everything_and_removes_nothing(sittings: list[Sitting]) -> None:
    answers = [index(sitting.file) for sitting in sittings]
    same = {uid: uid for answer in answers for uid in (answer.study_uid, answer.series_uid, answer.instance_uid)}
    patients = {answer.patient_id: answer.patient_id for answer in answers}
    marked = validate([sitting.question for sitting in sittings], answers, Identities(same, patients))
    removals = {Action.TEXT_REMOVED, Action.DATE_SHIFTED, Action.UID_CHANGED}
    assert not [m.check.path for m in marked if (m.outcome is True) == (m.check.action in removals)]


def test_the_answer_database_has_what_the_script_reads(sittings: list[Sitting], tmp_path: Path) -> None:
    write_answers([sitting.question for sitting in sittings], tmp_path / "answers.db")
    with closing(sqlite3.connect(tmp_path / "answers.db")) as database:
        rows = database.execute(
            "SELECT Modality, SOPClassUID, PatientID, StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID, AnswerData"
            " FROM answer_data"
        ).fetchall()
    assert len(rows) == len(sittings)
    answer = json.loads(rows[0][-1])["0"]
    assert set(answer) == {
        *("scope", "tag", "tag_ds", "tag_name", "value", "action", "action_text"),
        *("answer_category", "answer_category_v2"),
    }
    assert {len(group) for group in answer["answer_category_v2"].values() if isinstance(group, dict)} == {2, 3}


def test_a_check_that_fails_is_found_among_many(sittings: list[Sitting]) -> None:
    question, file = sittings[0].question, sittings[0].file
    answer = index(file)
    emptied = replace(answer, values={**answer.values, "<(0008,0060)>": "<>"})
    same = Identities({question.instance_uid: question.instance_uid}, {})
    failed = {
        (mark.check.path, mark.check.action)
        for mark in validate([question], [emptied], same)
        if mark.outcome is not True and mark.check.action in {Action.TEXT_NOTNULL, Action.TEXT_RETAINED}
    }
    assert failed == {("<(0008,0060)>", Action.TEXT_NOTNULL), ("<(0008,0060)>", Action.TEXT_RETAINED)}
