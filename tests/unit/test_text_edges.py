"""Where a network's spans begin and end, and which say nothing."""

from __future__ import annotations

import pytest

from deid.text.edges import trimmed
from deid.text.nobody import says_nothing
from deid.text.spans import Span, SpanKind


def span_of(text: str, part: str, kind: SpanKind) -> Span:
    start = text.index(part)
    return Span(start, start + len(part), kind, "ner", 0.8)


@pytest.mark.parametrize(
    ("kind", "text", "part", "left"),
    [
        (SpanKind.NAME, "Müller, Tel", "Müller, Tel", "Müller"),
        (SpanKind.NAME, "seen by Dr Hansen MD, ok", "Dr Hansen MD", "Hansen"),
        (SpanKind.NAME, "J. Kupke's knee", "J. Kupke's", "J. Kupke"),
        (SpanKind.NAME, "read by M. Pons today", "Pons", "M. Pons"),
        (SpanKind.NAME, "KAISER^LUZIE^^PROF.", "KAISER^LUZIE^^PROF", "KAISER^LUZIE^^PROF"),
        (SpanKind.NAME, "Dr", "Dr", "Dr"),
        (SpanKind.NAME, "Blackwood P8^P113^S1436", "Blackwood P8^P113^S1436", "Blackwood"),
        (SpanKind.NAME, "DOE^JANE P8", "DOE^JANE P8", "DOE^JANE P8"),
        (SpanKind.ID, "mem# NSX 204 88", "mem# NSX 204 88", "NSX 204 88"),
        (SpanKind.CONTACT, "poste 5521", "poste 5521", "5521"),
        (SpanKind.CONTACT, "pacs-gw02", "pacs-gw02", "pacs-gw02"),
        (SpanKind.DATE, "MRT v. 02/21", "v. 02/21", "02/21"),
        (SpanKind.DATE, "den 3 maj", "den 3 maj", "3 maj"),
        (SpanKind.PLACE, "S:t Eriks gata 5", "S:t Eriks gata 5", "S:t Eriks gata 5"),
        (SpanKind.AGE, "93 years", "93 years", "93"),
        (SpanKind.AGE, "93.5 years", "93", "93"),
        (SpanKind.ID, "COR ROUTINE lung - 6892027", "lung - 6892027", "6892027"),
        (SpanKind.ID, "4036547/64 - catheter in place", "4036547/64 - catheter", "4036547/64"),
        (SpanKind.ID, "123 - 456 - 7890", "123 - 456 - 7890", "123 - 456 - 7890"),
        (SpanKind.ID, "AB - 456 - 7890", "AB - 456 - 7890", "AB - 456 - 7890"),
        (SpanKind.NAME, "Lane - Page", "Lane - Page", "Lane - Page"),
        (SpanKind.PLACE, "7147 Tinderbox Lane 3D Venous", "7147 Tinderbox Lane 3D", "7147 Tinderbox Lane"),
        (SpanKind.PLACE, "4309 Candlewick Street KIDNEY T1", "4309 Candlewick Street KIDNEY", "4309 Candlewick Street"),
        (SpanKind.PLACE, "12 Heart Lane, Overbury", "12 Heart Lane, Overbury", "12 Heart Lane, Overbury"),
        (SpanKind.PLACE, "12 Mill Lane t2_tse_mlo_6mm_p3", "12 Mill Lane t2_tse_mlo_6mm_p3", "12 Mill Lane"),
        (SpanKind.PLACE, "12 Mill Lane P1^P124^S1097", "12 Mill Lane P1^P124^S1097", "12 Mill Lane"),
        (SpanKind.PLACE, "12 Mill Lane Nowak_1945", "12 Mill Lane Nowak_1945", "12 Mill Lane Nowak_1945"),
        (SpanKind.PLACE, "12 Mill Lane DOE^JANE", "12 Mill Lane DOE^JANE", "12 Mill Lane DOE^JANE"),
        (SpanKind.PLACE, "12 Mill Lane 48 mm lesion", "12 Mill Lane 48 mm", "12 Mill Lane"),
        (SpanKind.PLACE, "Mill Lane 48 mm lesion", "Mill Lane 48 mm", "Mill Lane 48 mm"),
        (SpanKind.NAME, "FDG 53 min p.i. Umpleby", "Umpleby", "Umpleby"),
        (SpanKind.NAME, "by P.I. Umpleby", "Umpleby", "P.I. Umpleby"),
        (SpanKind.PLACE, "12 Mill Lane 7.2 BREAST", "12 Mill Lane 7.2", "12 Mill Lane"),
        (SpanKind.PLACE, "12 Mill Lane 7.2.2020", "12 Mill Lane 7.2", "12 Mill Lane"),
        (SpanKind.PLACE, "Mill Lane 12", "Mill Lane 12", "Mill Lane 12"),
        (SpanKind.CONTACT, "377 3098 48 mm nodule", "377 3098 48", "377 3098"),
        (SpanKind.CONTACT, "377.3098 48.50", "377.3098 48.50", "377.3098 48.50"),
        (SpanKind.ID, "7.2", "7.2", "7.2"),
        (SpanKind.PLACE, "auf Station 4.2 heute", "Station 4.2", "Station 4.2"),
        (SpanKind.PLACE, "3. Stock Raum 2.01", "3. Stock Raum 2.01", "3. Stock Raum 2.01"),
        (SpanKind.ID, "Bett 12 min", "Bett 12", "Bett 12"),
        (SpanKind.ID, "SN 22819-0047-AX, right", "22819-0047", "22819-0047-AX"),
        (SpanKind.ID, "SN 22819-left hip", "22819", "22819"),
        (SpanKind.DATE, "pád 5. 6., pak", "5", "5. 6."),
        (SpanKind.PLACE, "at Tolliver Falls, OH", "Tolliver Falls, OH", "Tolliver Falls"),
        (SpanKind.PLACE, "in Duluth, Minnesota", "Duluth, Minnesota", "Duluth"),
        (
            SpanKind.PLACE,
            "110 Hawthorn Road, Duluth, MN",
            "110 Hawthorn Road, Duluth, MN",
            "110 Hawthorn Road, Duluth, MN",
        ),
        (SpanKind.PLACE, "Canal House, Duluth, MN", "Canal House, Duluth, MN", "Canal House, Duluth, MN"),
        (SpanKind.PLACE, "Ulm, Ward, B", "Ulm, Ward", "Ulm, Ward"),
        (SpanKind.CONTACT, "call x4471 now", "x4471", "4471"),
        (SpanKind.CONTACT, "0474/7725422 P19^P108", "0474/7725422 P19", "0474/7725422"),
        (SpanKind.ID, "0474/7725422 P19", "0474/7725422 P19", "0474/7725422 P19"),
        (SpanKind.DATE, "pád 5. 6. 2019", "5. 6. 2019", "5. 6. 2019"),
        (SpanKind.DATE, "L 5. 26. snímek", "5", "5"),
    ],
)
def test_a_span_loses_what_only_stands_beside_it(kind: SpanKind, text: str, part: str, left: str) -> None:
    span = trimmed(text, span_of(text, part, kind))
    assert span is not None
    assert text[span.start : span.end] == left


@pytest.mark.parametrize("text", ["Tanya, 95 cc", "by Ana, 95%"])
def test_a_measure_is_no_age(text: str) -> None:
    assert trimmed(text, span_of(text, "95", SpanKind.AGE)) is None


def test_a_span_of_punctuation_is_none() -> None:
    assert trimmed("a , b", Span(2, 3, SpanKind.NAME, "ner")) is None


@pytest.mark.parametrize(
    ("kind", "text", "part"),
    [
        (SpanKind.NAME, "henvist af lægen", "af"),
        (SpanKind.PLACE, "flies home to Ghana", "Ghana"),
        (SpanKind.DATE, "Saat 12.07. pantoprazol", "12.07"),
        (SpanKind.DATE, "vertragen, Uhrzeit: 17.30", "17.30"),
        (SpanKind.DATE, "attachments on 13 12 22 23", "13 12 22 23"),
        (SpanKind.DATE, "trauma incisivi 11 e 21", "11 e 21"),
        (SpanKind.PLACE, "an Dr. Khoury 15 Uhr 20", "Uhr 20"),
        (SpanKind.PLACE, "2nd bed position", "2nd"),
        (SpanKind.PLACE, "enlargement of the station 7 node", "station 7"),
        (SpanKind.PLACE, "EBUS station 4R", "station 4R"),
        (SpanKind.PLACE, "LN at station 7", "station 7"),
        (SpanKind.PLACE, "seamstress from Djibouti", "Djibouti"),
        (SpanKind.PLACE, "z Gruzji, kaszel", "Gruzji"),
        (SpanKind.NAME, "vinda da Costa Rica", "da Costa Rica"),
        (SpanKind.PLACE, "from Oman", "Oman"),
        (SpanKind.PLACE, "Edad 51 Peso 80 Tel", "Peso 80"),
        (SpanKind.PLACE, "Alter 44 Größe 172", "172"),
        (SpanKind.CONTACT, "sent to PACS ok", "PACS"),
        (SpanKind.DATE, "oförändrat mot 2018.", "mot 2018"),
        (SpanKind.DATE, "run 4/7 best", "4/7"),
        (SpanKind.DATE, "next Monday", "Monday"),
        (SpanKind.NAME, "FDG 94 min p.i. dynamic", "p.i."),
        (SpanKind.DATE, "asbestos exposure 1968-1981", "1968-1981"),
        (SpanKind.NAME, "Sex M, no pain", "M"),
        (SpanKind.PLACE, "born in Bayern", "Bayern"),
        (SpanKind.DATE, "down 9:10-9:50 today", "10-9:50"),
        (SpanKind.ID, "SNOMED 51185008", "51185008"),
        (SpanKind.ID, "NCT99120457_amend3", "NCT99120457"),
        (SpanKind.PLACE, "(Dra. Etxeberria)", "Dra"),
    ],
)
def test_what_identifies_nobody_by_its_form_says_nothing(kind: SpanKind, text: str, part: str) -> None:
    assert says_nothing(text, span_of(text, part, kind), is_description=False)


@pytest.mark.parametrize(
    ("kind", "text", "part"),
    [
        (SpanKind.NAME, "Dr Cuba", "Cuba"),
        (SpanKind.NAME, "Israel called", "Israel"),
        (SpanKind.NAME, "Oman called", "Oman"),
        (SpanKind.DATE, "am 12.07. gesehen", "12.07"),
        (SpanKind.DATE, "Saat 31.12", "31.12"),
        (SpanKind.DATE, "booked for 4/7", "4/7"),
        (SpanKind.DATE, "Kowalski 1951", "Kowalski 1951"),
        (SpanKind.DATE, "Febuary 1911", "Febuary 1911"),
        (SpanKind.DATE, "Mrz 1911", "Mrz 1911"),
        (SpanKind.DATE, "seen 13 12 22", "13 12 22"),
        (SpanKind.PLACE, "2nd floor", "2nd"),
        (SpanKind.PLACE, "moved to station 7, fever", "station 7"),
        (SpanKind.PLACE, "Station 7, Lymphom, lymphoma", "Station 7"),
        (SpanKind.PLACE, "von Station 7 zur LN-Exstirpation", "Station 7"),
        (SpanKind.PLACE, "LN tastbar, Station 7", "Station 7"),
        (SpanKind.NAME, "with Samoa", "Samoa"),
        (SpanKind.DATE, "dimesso, ora 03.05 rivisto", "03.05"),
        (SpanKind.PLACE, "seit 2010 in Salvador", "Salvador"),
        (SpanKind.PLACE, "with Dominique", "Dominique"),
        (SpanKind.NAME, "Costa, no pain", "Costa"),
        (SpanKind.NAME, "da Costa", "da Costa"),
        (SpanKind.NAME, "Dr. Costa Rica", "Costa Rica"),
        (SpanKind.PLACE, "Santa Luc\u00eda", "Santa Luc\u00eda"),
        (SpanKind.NAME, "Montana called", "Montana"),
        (SpanKind.NAME, "CT \u738b", "\u738b"),
        (SpanKind.ID, "labelled in error 4471889", "4471889"),
        (SpanKind.ID, "NCT9912045", "NCT9912045"),
        (SpanKind.ID, "SCT 51185008", "51185008"),
        (SpanKind.DATE, "Urlaub 9.10-9.12", "9.10-9.12"),
        (SpanKind.DATE, "Urlaub 9.10-9.12", "9.10"),
        (SpanKind.DATE, "at 9:10 on 9.5.", "9.5"),
        (SpanKind.NAME, "Van der Sluis", "Van"),
        (SpanKind.NAME, "seen by P.I.", "P.I."),
        (SpanKind.PLACE, "Ward 7", "Ward 7"),
        (SpanKind.CONTACT, "pager 4471", "4471"),
        (SpanKind.DATE, "Ostern 2021", "Ostern 2021"),
        (SpanKind.DATE, "Mai 2019, 2020", "Mai 2019, 2020"),
        (SpanKind.DATE, "1968-12", "1968-12"),
        (SpanKind.DATE, "in May", "May"),
        (SpanKind.DATE, "iv.1966", "iv.1966"),
        (SpanKind.DATE, "op 4/7", "4/7"),
    ],
)
def test_what_may_identify_says_something(kind: SpanKind, text: str, part: str) -> None:
    assert not says_nothing(text, span_of(text, part, kind), is_description=False)


@pytest.mark.parametrize(
    ("text", "is_series"), [("STIR Thigh 10/10", True), ("hip 11/3", False), ("knee on 5/6", False)]
)
def test_in_a_description_one_number_of_as_many_or_more_is_a_series(text: str, is_series: bool) -> None:
    part = text.rpartition(" ")[2]
    assert says_nothing(text, span_of(text, part, SpanKind.DATE), is_description=True) is is_series
