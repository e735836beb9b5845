"""No line that holds an identifier stays, however it was read; nor a name, a date or an ID that nobody knows."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from deid.needles import Kind, Needles
from deid.pixels.decide import Decider
from deid.pixels.near import NearKnown
from deid.pixels.rules import PixelRules
from tests.people import PATIENTS

MARKERS = PixelRules.from_table({"keep_markers": True}).markers
assert MARKERS is not None
DECIDER = Decider(MARKERS, 0.8)
NAMES = Path(__file__).parents[2] / "models" / "ner" / "words" / "names"

# Identifiers made of what could stay: any other is masked for not being in the vocabulary.
WORDS = sorted(word for word in MARKERS.words if word.isascii() and word.isalpha())
LABELS = sorted(word for word in MARKERS.labels if word.isascii() and word.isalpha())
names = st.sampled_from([word for word in WORDS if len(word) > 2])
codes = st.one_of(
    st.integers(1000, 9999).map(str),
    st.tuples(st.sampled_from(LABELS), st.integers(100, 9999)).map(lambda pair: f"{pair[0]}{pair[1]}"),
    st.tuples(st.sampled_from(LABELS), st.integers(1, 99), st.integers(1, 99)).map(lambda t: f"{t[0]} {t[1]}/{t[2]}"),
).filter(lambda code: sum(map(str.isalnum, code)) >= 4)
markers = st.one_of(
    st.sampled_from(WORDS),
    st.tuples(st.sampled_from(LABELS), st.integers(0, 999)).map(lambda pair: f"{pair[0]} {pair[1]}"),
    st.tuples(st.integers(0, 999), st.sampled_from(["mm", "cm", "kV", "s"])).map(lambda pair: f"{pair[0]} {pair[1]}"),
)

ALIKE = ("0OoQ", "1Il|i", "5S", "8B", "2Z", "6G9")
SAME = {char: group for group in ALIKE for char in group}
separators = st.sampled_from([" ", "  ", ", ", ": ", "/", "-", "_", ".", "; ", " ("])


@st.composite
def misread(draw: st.DrawFn, text: str) -> str:
    """Return `text` as a reader may have read it: any case, letters alike, and as few edits as its length lets."""
    cased = draw(st.sampled_from([text, text.upper(), text.lower(), text.title()]))
    read = "".join(draw(st.sampled_from([char, *SAME.get(char, "")])) for char in cased)
    if draw(st.booleans()):
        read = read.replace("rn", "m").replace("RN", "M")
    letters = sum(map(str.isalnum, text))
    is_short_number = text.isdigit() and letters < 6
    for _ in range(draw(st.integers(0, 0 if letters < 4 else 1 if letters < 7 else 2))):
        at = draw(st.sampled_from([index for index, char in enumerate(read) if char.isalnum()]))
        new = draw(st.sampled_from("aeinrt0123" if not is_short_number else "0123456789"))
        read = read[:at] + new + read[at + draw(st.integers(0, 1)) if not is_short_number else at + 1 :]
    return read


def decider_for(*identifiers: tuple[Kind, str]) -> Decider:
    needles = Needles()
    for kind, text in identifiers:
        needles.add(kind, text)
    return Decider(MARKERS, 0.8, is_near=NearKnown(needles))


@settings(max_examples=400)
@given(st.data(), st.lists(names, min_size=1, max_size=3, unique=True), st.lists(markers, max_size=2), separators)
def test_no_line_with_a_name_of_the_patient_stays(
    data: st.DataObject, patient: list[str], beside: list[str], separator: str
) -> None:
    decider = decider_for(*((Kind.NAME_PART, name) for name in patient))
    named = data.draw(st.sampled_from(patient).flatmap(misread))
    line = separator.join(data.draw(st.permutations([named, *beside])))
    assert not decider.decide(line, 1.0).stays, line


@settings(max_examples=400)
@given(st.data(), codes, st.lists(markers, max_size=2), separators)
def test_no_line_with_an_id_of_the_patient_stays(
    data: st.DataObject, code: str, beside: list[str], separator: str
) -> None:
    line = separator.join(data.draw(st.permutations([data.draw(misread(code)), *beside])))
    assert not decider_for((Kind.CODE, code)).decide(line, 1.0).stays, line


@settings(max_examples=200)
@given(st.data(), st.lists(st.sampled_from(WORDS), min_size=2, max_size=4, unique=True), separators)
def test_no_place_of_known_words_stays(data: st.DataObject, words: list[str], separator: str) -> None:
    assume(len("".join(words)) >= 5)
    place = " ".join(words)
    assert not decider_for((Kind.PHRASE, place)).decide(data.draw(misread(place)).replace(" ", separator), 1.0).stays


def people() -> list[str]:
    lists = (path.read_text(encoding="utf-8").splitlines() for path in sorted(NAMES.rglob("*.txt")))
    return sorted({line.split("\t")[0].strip() for lines in lists for line in lines if len(line) > 2})


strangers = st.sampled_from(people() if NAMES.is_dir() else [patient.name for patient in PATIENTS])


@settings(max_examples=600)
@given(
    strangers,
    strangers,
    st.sampled_from(["{} {}", "{}, {}", "{}^{}", "DR. {} {}", "{1} {0:.1}.", "R {} {}"]),
    st.booleans(),
)
def test_no_name_of_a_stranger_stays(one: str, other: str, form: str, is_upper: bool) -> None:
    assume(not (MARKERS.explain(one) or MARKERS.explain(other)))
    line = form.format(one, other)
    assert not DECIDER.decide(line.upper() if is_upper else line, 1.0).stays, line


days = st.dates(date(1900, 1, 1), date(2099, 12, 31))
FORMS = (
    *("%d.%m.%Y", "%d.%m.%y", "%m/%d/%Y", "%m/%d/%y", "%Y-%m-%d", "%Y%m%d", "%d-%b-%Y", "%d %B %Y", "%b %d, %Y"),
    *("%d%b%y", "%Y/%m/%d %H:%M", "%d.%m.%Y %H:%M:%S", "%d %m %Y", "%d%m%y", "%Y年%m月%d日", "%b %Y", "%d. %m. %Y"),
)
PREFIXES = ("", "L ", "R: ", "IM: ", "SE ", "DOB ", "*", "T ", "W ", "C=", "S")


@settings(max_examples=400)
@given(days, st.sampled_from(FORMS), st.sampled_from(PREFIXES))
def test_no_date_stays(day: date, form: str, prefix: str) -> None:
    line = prefix + day.strftime(form)
    assert not DECIDER.decide(line, 1.0).stays, line


ids = st.one_of(
    *(
        st.from_regex(pattern, fullmatch=True)
        for pattern in (
            r"[0-9]{4,12}",
            r"[A-Z]{1,3}[0-9]{4,9}",
            r"[A-Z]{1,4}-[0-9]{5,9}",
            r"[0-9]{3}-[0-9]{2}-[0-9]{4}",
            r"[0-9]{2,3}[ .][0-9]{3}[ .][0-9]{3}",
            r"[0-9]{1,8}/[0-9]{4}/[0-9]{2}",
            r"[A-Z][0-9][A-Z][0-9]{4}",
            r"(MRN|ID|PID|ACC|DOB|No\.?ID)[: #]{1,2}[0-9]{1,9}",
            r"\+?[0-9]{2,3}[ /-][0-9]{3,4}[ -][0-9]{4}",
        )
    )
)


@settings(max_examples=600)
@given(ids)
@example("TR4500")
@example("A0X0000")
@example("A0X1000")
@example("L1X1000")
def test_no_id_of_a_stranger_stays(line: str) -> None:
    assert not DECIDER.decide(line, 1.0).stays, line


@settings(max_examples=300)
@given(st.text(max_size=100), st.floats(), st.floats())
def test_whatever_was_read_has_a_reason(line: str, confidence: float, aspect: float) -> None:
    why = DECIDER.decide(line, confidence, aspect)
    assert why is DECIDER.decide(line, confidence, aspect)
    assert why.stays == (why.value == "marker")


@settings(max_examples=300)
@given(st.lists(markers, min_size=1, max_size=3), st.sampled_from("@^§$\\{}€🙂!?κβж"), st.data())
def test_line_with_one_odd_sign_does_not_stay(beside: list[str], sign: str, data: st.DataObject) -> None:
    line = " ".join(beside)
    at = data.draw(st.integers(0, len(line)))
    assert not DECIDER.decide(line[:at] + sign + line[at:], 1.0).stays


def test_names_are_there_to_be_tried() -> None:
    if not NAMES.is_dir():
        pytest.skip("the lists of names are not present")
    assert len(people()) > 50_000
