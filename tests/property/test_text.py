"""Whatever a text is: bounded, never leaking, the same without findings, and clean the second time as the first."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from deid.needles import Kind, Needles, first_in
from deid.text import TextRules, clean_text
from deid.text.dates import find_dates

NAMES = ("Zyxwvut", "Quinlan", "Müßigmann", "Łódzki", "山田", "O'Brannigan")
IDENTIFIERS = (
    *((Kind.NAME_PART, name) for name in NAMES),
    (Kind.NAME, "Li Do"),
    (Kind.NAME, "LiDo"),
    (Kind.CODE, "ZX-908172"),
    (Kind.CODE, "2010"),
    (Kind.PHRASE, "St. Elsewhere Hospital"),
    (Kind.UID, "1.2.276.77.3"),
    *((Kind.DATE, form) for form in ("20100511", "2010-05-11", "11.05.2010", "05/11/2010", "2010 05 11")),
)
NEEDLES = Needles()
for kind, identifier in IDENTIFIERS:
    NEEDLES.add(kind, identifier, ("utf-8",))
DATES = frozenset({"20100511", "19310517"})
RULES = TextRules(NEEDLES, DATES, lambda uid: "2.25.7" if uid != "1.2.840.10008.1.2" else uid, -1000)

FRAGMENTS = st.sampled_from(
    [
        *(identifier for _, identifier in IDENTIFIERS),
        *("Li", "Do", "Dr.", "Mr ", "MRN:", "age", "92 yo", "11 May 2010", "31.12.2009", "17 mai 1931", "by", "Name:"),
        *(
            "tel 030/123456",
            "2.25.7",
            "110510",
            "J.",
            "00ZX908172",
            "zyxwvu",
            "Zyxwvutt",
            "zyxwvut's",
            "1.2.276.77.3.1",
        ),
        *(" ", "  ", ", ", "(", ")", "^", "_", "\n", "-", ".", ":", "/", "'s", '"', "\\", "\x00", "\u0308", "\u202e"),
        *("CT", "chest", "T2_FLAIR", "1.25 mm", "P4^P101^S108", "ß", "İ", "\ufb01", "\u0645", "\u0e44", "\u0661\u0662"),
    ]
)
TEXTS = st.one_of(
    st.lists(FRAGMENTS, max_size=12).map("".join),
    st.lists(FRAGMENTS, max_size=12).map(" ".join),
    st.text(max_size=60),
)


@settings(max_examples=600, deadline=None)
@given(TEXTS)
def test_no_identifier_is_left_for_the_last_look(text: str) -> None:
    assert first_in(list(NEEDLES), clean_text(text, RULES).text) is None


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_text_without_findings_is_the_very_same(text: str) -> None:
    cleaned = clean_text(text, RULES)
    if not cleaned.spans:
        assert cleaned.text is text
    starts = [position for span in cleaned.spans for position in (span.start, span.end)]
    assert starts == sorted(starts)
    assert all(span.start < span.end for span in cleaned.spans)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_equal_texts_give_equal_texts(text: str) -> None:
    other_rules = TextRules(NEEDLES, DATES, RULES.map_uid, -1000)
    assert clean_text(text, RULES) == clean_text("".join(list(text)), other_rules)


@settings(max_examples=300, deadline=None)
@given(st.dates().filter(lambda day: 1912 <= day.year <= 2090), st.integers(-3650, -365))
def test_each_form_of_a_date_moves_by_the_same_days(day: object, days: int) -> None:
    rules = TextRules((), (), str, days)
    for form in ("%Y-%m-%d", "%d.%m.%Y", "%Y%m%d", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y"):
        text = f"CT {day:{form}} chest"
        [before], [after] = find_dates(text), find_dates(clean_text(text, rules).text)
        assert (after.day - before.day).days == days, text
