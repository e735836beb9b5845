from __future__ import annotations

import pytest

from deid.text import Cleaned, TextRules, clean_text

RULES = TextRules((), (), lambda uid: uid if uid.startswith("1.2.840.10008.") else "2.25.7", -1000)


def cleaned(text: str) -> Cleaned:
    return clean_text(text, RULES)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("MRN: 4711 chest", "MRN chest"),
        ("MRN#4711, ID 12345678, Acc# 99-1234", "MRN, ID, Acc"),
        ("Accession No. A2010-77 CT", "Accession No. CT"),
        ("Pat.-Nr.: 4711/12 Thorax", "Pat.-Nr. Thorax"),
        ("Fallnummer 30012345 Kontrolle", "Fallnummer Kontrolle"),
        ("PESEL 44051401359 rtg", "PESEL rtg"),
        ("NHS no 943 476 5919 CXR", "NHS no CXR"),
        ("SSN 123-45-6789", "SSN"),
        ("knee 123-45-6789 xr", "knee xr"),
        ("Tel: +49 30 450-50123, fax 030/450 512345", "Tel, fax"),
        ("+49 30 067 9748 11.2 KIDNEY", "11.2 KIDNEY"),
        ("+49 30 067 9748 3D TSE", "3D TSE"),
        ("2125 Tinderbox Crescent 16 mm", "16 mm"),
        ("+44 20 9544 0755 14.8 HEAD", "14.8 HEAD"),
        ("+44 20 2213 7418 25 mm cyst", "25 mm cyst"),
        ("call (212) 555-0187 or 212-555-0187 now", "call or now"),
        ("tél 01 23 45 67 89", "tél"),
        ("jane.doe@example.org CT", "CT"),
        ("see https://pacs.example.org/x?id=4 there", "see there"),
        ("uid 1.2.840.113619.2.55.3.604688.123 ref", "uid 2.25.7 ref"),
        ("class 1.2.840.10008.5.1.4.1.1.2 ref", "class 1.2.840.10008.5.1.4.1.1.2 ref"),
        ("12 rue de la Paix, 75002", "75002"),
        ("wohnt Hauptstraße 12, Befund", "wohnt, Befund"),
        ("lives 4 Privet Road. Chest", "lives. Chest"),
        ("WOHNT HAUPTSTRASSE 12, PIAZZA VERDI 4, UL. DLUGA 3", "WOHNT"),
        ("Germiston, ON G3T 0P4, T2 SAG", "Germiston, ON, T2 SAG"),
        ("SW1A 2AA knee, M13 9WL", "knee"),
        ("reg ABCD 123 driver", "reg driver"),
        ("ext 4505 S wing", "ext S wing"),
        ("IP 10.1.2.3 ok", "IP ok"),
    ],
)
def test_numbers_and_addresses_that_identify_are_taken_out(text: str, left: str) -> None:
    assert cleaned(text).text == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("92-year-old woman", "90+-year-old woman"),
        ("92 yo", "90+ yo"),
        ("092Y", "090Y"),
        ("age: 95", "age: 90+"),
        ("aged 101", "aged 90+"),
        ("95 Jahre, 95-jährige", "90+ Jahre, 90+-jährige"),
        ("95 ans", "90+ ans"),
        ("Edad 93", "Edad 90+"),
        ("93 lat, 94-letnia, wieku 95", "90+ lat, 90+-letnia, wieku 90+"),
        ("96-vuotias, 93 éves, 94-årig, 95 anys", "90+-vuotias, 90+ éves, 90+-årig, 90+ anys"),
        ("93Y and 94 y, alone", "90+Y and 90+ y, alone"),
        ("wiek 91 lat", "wiek 90+ lat"),
        ("97f nursing home; 91M", "90+f nursing home; 90+M"),
        ("pacjentka lat 93, kobieta, lat 91", "pacjentka lat 90+, kobieta, lat 90+"),
    ],
)
def test_ages_over_89_are_one_category(text: str, left: str) -> None:
    assert cleaned(text).text == left


@pytest.mark.parametrize("text", ["S2 3PL LOC", "CT1 2ND look", "T2W 3D TSE", "MR2 3DT knee", "CR7 2UH-4 bed"])
def test_series_and_rooms_are_no_postcodes(text: str) -> None:
    assert cleaned(text).text is text


@pytest.mark.parametrize("text", ["PLATE 6 HOLE", "ph: 8988 ms", "trigger ph 70-80%"])
def test_measures_are_no_numbers_of_a_plate_or_phone(text: str) -> None:
    assert cleaned(text).text is text


@pytest.mark.parametrize(
    "text", ["89 years", "089Y", "90Y-DOTATOC", "90Y spheres", "120 LAT", "age 95 days", "FA 90", "92 mm", "TE 95 ms"]
)
def test_other_ages_and_numbers_stay(text: str) -> None:
    assert cleaned(text).text is text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Kontakt: M. Fahr", "Kontakt: M."),
        ("M. di Stefano vu", "M. vu"),
        ("Hrn. Sommer, Mw. Bakker", "Hrn., Mw."),
        ("SSN ending in 4408, last 4: 7731 ok", "SSN ending in, last 4 ok"),
        ("on ctws03.radiology.oakhollow.example, NAS1.KLINIK.LOCAL down", "on down"),
        ("ICU bed 4, cuna 12, k\u00fcv\u00f6z no 9, lit n\u00b0 3b, Bett Nr. 7 ok", "ICU ok"),
        ("G\u00fclizar han\u0131m, Elif Hanimefendi", "han\u0131m, Hanimefendi"),
        (r"\\fs02\aria\plans, a\\b\c", r"\\\aria\plans, a\\b\c"),
        ("LACERDA, CRM 118432, GMC: 7482910", "LACERDA, CRM, GMC"),
        ("CT UCLH, prior UKSH 2019", "CT, prior 2019"),
        ('goes by "Skip"; inj by J. Pfannenstiel', "goes by; inj by"),
        ("St Dunstan's stroke CTA, ST. MARY'S, Saint Bede's", "stroke CTA"),
        ("M. Preiser, MTRA", "M., MTRA"),
        ("Dr. Strange ordered CT", "Dr. ordered CT"),
        ("DR STRANGE CHEST XR", "DR CHEST XR"),
        ("dr. strange, chest", "dr., chest"),
        ("Prof. Dr. med. H. Meier-Ewert hat", "Prof. Dr. med. hat"),
        ("seen by Prof Müller and M. Dupont", "seen by Prof and M."),
        ("Mme Curie", "Mme"),
        ("Mr. Bean with cough", "Mr. with cough"),
        ("Sr. García López, Sra. Ruiz", "Sr., Sra."),
        ("Dott.ssa Bianchi, Sig. Rossi", "Dott.ssa, Sig."),
        ("Herr Kaufmann, Frau van der Berg", "Herr, Frau"),
        ("Pani Kowalska RTG", "Pani RTG"),
        ("Dr. White, Dr. Wilson and Dr. Young", "Dr., Dr. and Dr."),
        ("Referring: Smith, John", "Referring"),
        ("Referred by Jane Smith for cough", "Referred by for cough"),
        ("Name: DOE^JANE^^^", "Name"),
        ("prénom: Amélie", "prénom"),
        ("DOE^JANE chest", "chest"),
        ("DOE^JANE^DR chest", "chest"),
        ("Dr. Müller, Tel 4471 besetzt", "Dr., Tel besetzt"),
        ("Dr. Hansen, GP, Hosp", "Dr., GP, Hosp"),
        ("Pat: Marques, FFR: 0.41", "Pat, FFR: 0.41"),
        ("Dr Mme Lasa vue", "Dr Mme vue"),
        ("Mr Hanson's knee", "Mr knee"),
        ("M. Pontois et M. Bechterew", "M. et M. Bechterew"),
        ("ref by GP today", "ref by GP today"),
    ],
)
def test_names_that_what_is_around_them_gives_away_are_taken_out(text: str, left: str) -> None:
    assert cleaned(text).text == left


KEPT = """
UCSF criteria, MSKCC-score 3
overuse, mgh, uclh
Monday 1/2 dose, Wed 9/31, Sat 98 / 60, Fri 3/5 mm
P4^P101^S108
T2_FLAIR_TRA
T1 MPRAGE SAG 1.25 mm
Thorax 1.25 B30f
C-3PO
CT CHEST W/O CONTRAST
CT ABD/PEL W & W/O
MRI Hd wo+w
DWI b200-400-1000 3 scan trace
ep2d_diff_b0_50_400_800_1000
FOV 350x263 TR 2000 TE 100
100 200 300
120 kV 250 mAs 12.5 mGy
FC08-H / Qr40 / I31f\\3
Head^Routine (Adult)
Abdomen^AbdPelRoutine
abdomen^liver
CBU^Neuroimaging
Parkinson, Hodgkin, Foley catheter at T12
Morbus Crohn, Z.n. Whipple
M. Kahler, M. Waldenström
M. di Dupuytren, M. di Paget
St John's wort, Saint Vitus's dance
genç hanim, hasta hanimefendi
SNOMED 51185008, ending in 2019, last 4 views, 99mTc, 95F cath
test 8/12/15 deg, flip 8/12/15\u00b0
brain.nii.gz, e.g. b.i.d., v1.2.3b, com.siemens.Mri, Abdomen.No.Is
BED 72 Gy, bed 3 mm, lit 14 min, bed 1/2, cot 1.5
le 3.05 mm, am 3/4, il 3/5, le 14/15, em 2.10 cm
Dr. ordered
M. psoas, M. biceps
MR THORAX nativ
MS lesions T2
DR CHEST PA
PAN CT
Pro 6.9 Colonoscopy
3/4 FB, 1/2
5 x 5 x 5
I1-I25
PROSTATE 3T v1.2.3
AX T2 FSE FS 4/1
Acc 2.5
ID: 3
Case 2
Order 3
Tel
name
CTA (0.625, Iterative 3)
SmartPrep Series
RIDER-2619750334
Karzinom, Fraktur, Röntgen Thorax in zwei Ebenen
TDM thoraco-abdomino-pelvien sans injection
RM de columna lumbar sin contraste
RX torace due proiezioni
Tomografia de crânio
MRI hersenen met contrast
TK klatki piersiowej bez kontrastu
MR hjärna utan kontrast
Kontrastl\u0131 beyin MR
"""


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("vs car, reg KV16 ZTO, GCS 13", "vs car, reg, GCS 13"),
        ("Kennz. B-XY 1234 gerammt", "Kennz. gerammt"),
        ("targa AB 123 CD", "targa"),
        ("reg 5 days, plate 4 holes, reg on call", "reg 5 days, plate 4 holes, reg on call"),
        ("registration T1 to T2", "registration T1 to T2"),
    ],
)
def test_plates_of_cars_are_taken_out(text: str, left: str) -> None:
    assert cleaned(text).text == left


@pytest.mark.parametrize("text", [line for line in KEPT.splitlines() if line])
def test_words_of_the_trade_stay_byte_for_byte(text: str) -> None:
    result = cleaned(text)
    assert result.text is text
    assert result.spans == ()


def test_spans_say_where_what_and_who() -> None:
    text = "Dr. Strange, MRN: 4711"
    spans = cleaned(text).spans
    assert [(text[span.start : span.end], str(span.kind), span.finder) for span in spans] == [
        ("Strange", "name", "patterns"),
        ("4711", "id", "patterns"),
    ]
