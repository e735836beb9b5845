from __future__ import annotations

from collections.abc import Callable

from deid.needles import Kind, Needles
from deid.text import TextRules
from deid.text.memory import Known, remembering


def cleaner(
    name: str = "Brackenridge", shift_days: int | None = -400, uid: str = "1.2.276.4"
) -> tuple[Callable[[str], str], list[int]]:
    needles = Needles()
    needles.add(Kind.NAME_PART, name)
    needles.add(Kind.UID, uid)
    made: list[int] = []

    def rules() -> TextRules:
        made.append(1)
        return TextRules(needles, {"20040119"}, lambda uid: f"new {len(uid)}", shift_days)

    return remembering(rules, Known(needles, {"20040119"}, shift_days, b"secret of this test")), made


def test_a_text_is_cleaned_once_for_all_instances_that_know_the_same() -> None:
    first, made = cleaner()
    again, made_again = cleaner(uid="1.2.276.5")

    assert first("knee of Brackenridge") == again("knee of Brackenridge") == "knee of"
    assert (len(made), len(made_again)) == (1, 0)


def test_another_patient_or_shift_is_another_matter() -> None:
    clean, _ = cleaner()
    other, made = cleaner("Featherstone")
    moved, made_moved = cleaner(shift_days=-500)

    assert other("knee of Brackenridge") == "knee of Brackenridge" != clean("knee of Brackenridge")
    assert moved("on 20040119") != clean("on 20040119")
    assert made
    assert made_moved


def test_a_text_that_could_hold_a_uid_is_always_looked_at() -> None:
    first, _ = cleaner()
    again, made = cleaner(uid="1.2.276.5")

    assert first("see 1.2.276.4") != "see 1.2.276.4"
    assert again("see 1.2.276.4") == "see 1.2.276.4"
    assert made
