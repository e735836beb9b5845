"""The answer key: what is asked of every instance, and the files in which MIDI-B's own script would read it."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any


class Action(StrEnum):
    """What MIDI-B asks of an element."""

    TAG_RETAINED = "tag_retained"
    TEXT_NOTNULL = "text_notnull"
    TEXT_RETAINED = "text_retained"
    TEXT_REMOVED = "text_removed"
    DATE_SHIFTED = "date_shifted"
    UID_CHANGED = "uid_changed"
    UID_CONSISTENT = "uid_consistent"
    PATID_CONSISTENT = "patid_consistent"
    PIXELS_RETAINED = "pixels_retained"


REMOVALS = frozenset({Action.TEXT_REMOVED, Action.DATE_SHIFTED, Action.UID_CHANGED})


class Kind(StrEnum):
    """Who can know the answer."""

    STRUCTURED = "structured"
    """the element's tag, VR or private creator decides on all of the value"""
    KNOWN = "text: known"
    """free text in which something stands that the same header also says elsewhere"""
    PATTERN = "text: pattern"
    """free text with a date, number or address of a form that gives it away"""
    MEANING = "text: meaning"
    """free text with a name or place that only its meaning gives away"""

    @property
    def free_text(self) -> bool:
        return self is not Kind.STRUCTURED


@dataclass(frozen=True, slots=True)
class Check:
    """One thing asked of one element.

    Attributes
    ----------
    path, name
        the element's, as `index` says it
    value
        what was in it, in angle brackets
    text
        what must stay or go, in angle brackets
    private
        the element is private
    """

    path: str
    name: str
    value: str
    action: Action
    text: str
    kind: Kind
    private: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """One instance and all that is asked of it; the UIDs and the Patient ID are the old ones."""

    modality: str
    sop_class_uid: str
    patient_id: str
    study_uid: str
    series_uid: str
    instance_uid: str
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Identities:
    """Which new identifier stands for which old one."""

    uids: Mapping[str, str]
    patient_ids: Mapping[str, str]


# Codes of MIDI-B's reports, by who is asked
_NO_CATEGORY: dict[str, Any] = {
    "hipaa": {"z": "", "m": ""},
    "dicom": {"p15": "", "iod": "", "safe": ""},
    "tcia": {"ptkb": "", "p15": "", "rev": ""},
    "prev_cat": "",
}


def _category(check: Check) -> dict[str, object]:
    category: dict[str, Any] = deepcopy(_NO_CATEGORY)
    if check.action in {Action.TAG_RETAINED, Action.TEXT_NOTNULL}:
        category["dicom"]["iod"] = "DICOM-IOD-1"
    elif check.private:
        category["tcia"]["ptkb"] = "TCIA-PTKB-K" if check.action is Action.TEXT_RETAINED else "TCIA-PTKB-X"
    elif check.kind.free_text:
        category["tcia"]["p15"] = "TCIA-P15-DESC-C"
    elif check.action is Action.TEXT_REMOVED:
        category["hipaa"]["z"] = "HIPAA-A"
    else:
        category["tcia"]["rev"] = "TCIA-REV"
    return category


def _tag(path: str) -> str:
    return "<" + path.rsplit("<", 1)[-1]


def _answer(check: Check) -> dict[str, object]:
    return {
        "scope": "<Instance>",
        "tag": _tag(check.path),
        "tag_ds": check.path,
        "tag_name": f"<{check.name}>",
        "value": check.value,
        "action": f"<{check.action}>",
        "action_text": check.text,
        "answer_category": [str(check.kind)],
        "answer_category_v2": _category(check),
    }


def write_answers(questions: Iterable[Question], file: Path) -> None:
    """Write the SQLite database that MIDI-B's ``answer_db_file`` names."""
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(
            'CREATE TABLE answer_data ("index" INTEGER, Modality TEXT, SOPClassUID TEXT, PatientID TEXT,'
            ' StudyInstanceUID TEXT, SeriesInstanceUID TEXT, SOPInstanceUID TEXT, "group" TEXT, Digest TEXT,'
            " AnswerData TEXT)"
        )
        for number, question in enumerate(questions):
            answers = {str(place): _answer(check) for place, check in enumerate(question.checks)}
            digest = next((c.text.strip("<>") for c in question.checks if c.action is Action.PIXELS_RETAINED), "")
            row = (
                *(question.modality, question.sop_class_uid, question.patient_id),
                *(question.study_uid, question.series_uid, question.instance_uid),
            )
            database.execute(
                "INSERT INTO answer_data VALUES (?,?,?,?,?,?,?,?,?,?)",
                (number, *row, "header", digest, json.dumps(answers)),
            )


def write_mapping(pairs: Mapping[str, str], file: Path) -> None:
    """Write one of the two mapping files: one row per identifier, no brackets."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("id_old", "id_new"))
        writer.writerows(sorted(pairs.items()))
