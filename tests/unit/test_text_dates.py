from __future__ import annotations

from datetime import date, timedelta

import pytest

from deid.text import TextRules, clean_text
from deid.text.dates import find_dates, shifted
from deid.text.months import month_names

DAYS = -1000
RULES = TextRules((), {"20100511", "20100305"}, str, DAYS)  # 11 May 2010 becomes 15 August 2007

MOVED = {
    # ISO and DICOM
    "2010-05-11": "2007-08-15",
    "2010/05/11": "2007/08/15",
    "2010.05.11": "2007.08.15",
    "2010_05_11": "2007_08_15",
    "20100511": "20070815",
    "IM_20100511_01": "IM_20070815_01",
    "20100511143000": "20070815143000",
    "20100511143000.123456+0100": "20070815143000.123456+0100",
    "2010-05-11T14:30:00Z": "2007-08-15T14:30:00Z",
    "11052010": "15082007",
    # European and American
    "11.05.2010": "15.08.2007",
    "11.5.2010": "15.8.2007",
    "11. 05. 2010": "15. 08. 2007",
    "11.05.10": "15.08.07",
    "11-05-2010": "15-08-2007",
    "11/05/2010": "15/08/2007",
    "05/11/2010": "08/15/2007",
    "5/11/10": "8/15/07",
    "13/05/2010": "17/08/2007",
    "05/13/2010": "08/17/2007",
    "(11.05.2010)": "(15.08.2007)",
    "110510": "150807",
    "100511": "070815",
    # names of months, with their form, case and language
    "11 May 2010": "15 August 2007",
    "11th of May, 2010": "15th of August, 2007",
    "3rd March 2010": "7th June 2007",
    "May 11, 2010": "August 15, 2007",
    "MAY 11 2010": "AUGUST 15 2007",
    "11-MAY-2010": "15-AUG-2007",
    "11MAY2010": "15AUG2007",
    "11-May-10": "15-Aug-07",
    "Sept 11, 2010": "Dec 16, 2007",
    "2010-May-11": "2007-Aug-15",
    "11. Mai 2010": "15. August 2007",
    "11. März 2010": "15. Juni 2007",
    "11. JÄNNER 2010": "17. APRIL 2007",
    "le 11 mai 2010 à jeun": "le 15 août 2007 à jeun",
    "1er mars 2010": "5 juin 2007",
    "11 févr. 2010 née": "18 mai. 2007 née",
    "el 11 de mayo de 2010": "el 15 de agosto de 2007",
    "11 de septiembre del 2010": "16 de diciembre del 2007",
    "11 maggio 2010": "15 agosto 2007",
    "11 de maio de 2010": "15 de agosto de 2007",
    "11 mei 2010": "15 augustus 2007",
    "11 maja 2010 r.": "15 sierpnia 2007 r.",
    "11 października 2010": "15 stycznia 2008",
    "den 11 maj 2010 och": "den 15 augusti 2007 och",
    "11 May\u0131s 2010 tarihinde": "15 Ağustos 2007 tarihinde",
    "11 Şubat 2010": "18 May\u0131s 2007",
    # less than a day
    "May 2010": "August 2007",
    "MAI 2010": "AUGUST 2007",
    "03/2011": "06/2008",
    "2010-05": "2007-08",
    "since 11 September": "since 16 December",
    # more languages
    "11. maj 2010 født": "15. august 2007 født",
    "11. mai 2010 født undersøkelse pasienten": "15. august 2007 født undersøkelse pasienten",
    "11. toukokuuta 2010": "15. elokuuta 2007",
    "11. května 2010": "15. srpna 2007",
    "2010. október 11.": "2008. január 15.",
    "11 decembrie 2010": "16 martie 2008",
    "11 de juny de 2010": "15 de setembre de 2007",
    # Roman months, and days that their ending tells
    "11-VII-2010": "15-X-2007",
    "11.V.2010": "15.VIII.2007",
    "11 juli": "15 oktober",
    "the 3rd of May": "the 7th of August",
}


@pytest.mark.parametrize(("text", "moved"), MOVED.items())
def test_date_is_moved_in_its_own_form_and_language(text: str, moved: str) -> None:
    assert clean_text(f"CT {text} ok", RULES).text == f"CT {moved} ok"


@pytest.mark.parametrize(
    "text",
    [
        "14:30:00",
        "9:15 Uhr",
        "T1 2.5 mm 3.1.2",
        "C5/6 L4-5",
        "5/11",
        "1/2/3",
        "TE/TR 12/2000",
        "b 0/500/1000",
        "10.12.1",
        "1.2.840.10008.5.1.4.1.1.2",
        "1.12.2010.3",
        "SET 2",
        "MAR 3",
        "iMAR 5",
        "may 5 lesions",
        "march 3 steps",
        "28sub_12it",
        "N14/12/16",
        "31.31.2010",
        "99999999",
        "2010",
        "4.12.0.1",
        "Sep septum",
        "dec 12 mm",
        "120/80/10",
        "2002/8/105",
    ],
)
def test_what_only_looks_like_a_date_stays(text: str) -> None:
    assert find_dates(text) == []


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("do 05.11.2019r., tel", "05.11.2019r."),
        ("do 05.11.2019r, tel", "05.11.2019r"),
        ("12 XII 2026 r. w", "12 XII 2026 r."),
        ("13 lipca 1962 roku w", "13 lipca 1962 roku"),
        ("24 GRUDNIA 1965 ROKU W", "24 GRUDNIA 1965 ROKU"),
        ("05.11.2019 R knee", "05.11.2019"),
        ("05.11.2019 result", "05.11.2019"),
        ("05.11.19 r.", "05.11.19"),
    ],
)
def test_the_word_for_year_belongs_to_the_date(text: str, whole: str) -> None:
    (dated,) = find_dates(text)
    assert text[dated.start : dated.end] == whole
    assert shifted(text, dated, 0) == whole


def test_a_known_date_decides_between_day_and_month() -> None:
    [european] = find_dates("05/11/2010", {"20101105"})
    assert european.day == date(2010, 11, 5)
    [american] = find_dates("05/11/2010")
    assert american.day == date(2010, 5, 11)


def test_two_digits_of_a_year_are_not_in_the_patients_future() -> None:
    [born] = find_dates("12.05.31", {"20100511"})
    assert born.day.year == 1931


def test_a_date_that_becomes_another_date_of_the_patient_is_taken_out() -> None:
    day = date(2010, 5, 11)
    rules = TextRules((), {f"{day:%Y%m%d}", f"{day + timedelta(DAYS):%Y%m%d}"}, str, DAYS)
    assert clean_text("CT 11.05.2010 ok", rules).text == "CT ok"


def test_dates_stay_or_go_as_the_profile_says() -> None:
    text = "CT vom 11. Mai 2010 nativ"
    assert clean_text(text, TextRules((), (), str, 0)).text is text
    assert clean_text(text, TextRules((), (), str, None)).text == "CT vom nativ"
    assert clean_text(text, TextRules((), {"20100511"}, str, 0)).text == "CT vom nativ"


def test_ascii_stays_ascii() -> None:
    moved = clean_text("IRM du 11 mai 2010 avec", RULES).text
    assert moved == "IRM du 15 aout 2007 avec"


def test_a_moved_date_keeps_intervals() -> None:
    texts = [clean_text(text, RULES).text for text in ("1.1.2010", "01/31/2010", "3 March 2010")]
    days = [find_dates(text)[0].day for text in texts]
    assert [(later - days[0]).days for later in days] == [0, 30, 61]


@pytest.mark.parametrize("text", ["1ST SUB", "2 X 2000", "10 x 10 mm", "2nd set", "3 IV lines"])
def test_what_only_looks_like_a_month_is_none(text: str) -> None:
    assert find_dates(text) == []


def test_each_language_has_twelve_months_in_each_form() -> None:
    forms = {form for forms in month_names().values() for form in forms}
    assert {form.language for form in forms} >= {"en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "tr"}
    assert all(len(form.names) == 12 for form in forms)


def test_a_day_without_a_year_is_a_date_after_a_word_that_leads_to_it() -> None:
    text = "le 12.04, vom 3. 5. bis 4. 6., den 14/6, em 07-10"
    found = find_dates(text, ("20190412",))
    assert [text[dated.start : dated.end] for dated in found] == ["12.04", "3. 5", "4. 6", "14/6", "07-10"]
    assert [(dated.day.month, dated.day.day) for dated in found] == [(4, 12), (5, 3), (6, 4), (6, 14), (10, 7)]
    assert not find_dates("le 3.05 mm, am 3/4, il 3/5, le 14/15, em 2.10 cm, den 31.02, le 1.05.1, 12.04")


def test_a_day_without_a_year_is_a_date_after_a_weekday() -> None:
    text = "Sat 9/7, Montag, 3.5. und jeudi 12/04, tors. 4-10; mon 13/2"
    found = find_dates(text, ("20190412",))
    assert [text[dated.start : dated.end] for dated in found] == ["9/7", "3.5", "12/04", "13/2"]
    assert [(dated.day.month, dated.day.day) for dated in found] == [(9, 7), (5, 3), (4, 12), (2, 13)]
