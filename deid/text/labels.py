"""What a word gives away, of what follows it or of itself: ``MRN``, ``Tel``, ``aged``, ``bed``, ``Dr``, ``UCLH``.

Each reads on from its word; the patterns' finder goes through the words of a text once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from deid.fold import folded
from deid.text.institutions import first_words, institution_at
from deid.text.names import NAME_TRIGGERS, either
from deid.text.spans import Span, SpanKind

PATTERNS = "patterns"
"""The name of the finder that all this belongs to."""

Reader = Callable[[str, re.Match[str]], "Iterator[Span]"]

AGE_NUMBER = r"(9\d|1[0-2]\d)"
_OF_AGE = re.compile(
    rf"[^\W\d_]+[ :=]{{1,3}}{AGE_NUMBER}(?![\d.,]\d|\d| ?(?:d|w|m|days?|weeks?|months?|wks?|mo|Tage|Wochen|Monate)\b)",
    re.IGNORECASE,
)
_SAINT = re.compile(
    r"(?-i:S)(?:t\.?|T\.?|aint|AINT) (?-i:[A-Z])[^\W\d_]{2,30}['\u2019]s(?![^\W_])(?! {1,2}(?:wort|dance|fire|disease|"
    r"solution|cardioplegi|respiratory|questionnaire|score|valve|lesion|sign)[^\W\d_]*)",
    re.IGNORECASE,
)
_NUMBER_WORD = r"(?:no|nr|num|nbr|number|nummer|numer|num[eé]ro|n[uú]mero|numara(?:s[i\u0131])?|id|code|#|n[°ºo])"
_BETWEEN = rf"[ ._-]{{0,2}}(?:{_NUMBER_WORD}[ ._-]{{0,2}}){{0,2}}"
_CODE = (
    r"((?=[^\W_./-]{0,20}[./-]?[^\W_]{0,20}\d)[^\W_]+(?:[-/._](?=[^\W_]{0,20}\d)[^\W_]+|-[^\W\d_]{1,4}(?![^\W_])){0,6})"
)
_GROUPS = r"(\d{3,4}(?: \d{3,4}){1,4}(?![^\W_]|[.,]\d)(?! ?[cm]?m\b))"
_STRONG_LABEL_GROUPS = re.compile(rf"[^\W\d_]+{_BETWEEN}[:#=]{{0,2}} {{0,3}}{_GROUPS}", re.IGNORECASE)
_STRONG_LABEL = re.compile(rf"[^\W\d_]+{_BETWEEN}[:#=]{{0,2}} {{0,3}}{_CODE}", re.IGNORECASE)
_WEAK_LABEL = re.compile(
    rf"[^\W\d_]+{_BETWEEN}(?:[:#=]{{1,2}} {{0,3}}|(?<=[#.°º])|(?<=no )|(?<=nr )){_CODE}", re.IGNORECASE
)
_WEAK_LABEL_LONG_NUMBER = re.compile(
    rf"[^\W\d_]+{_BETWEEN}[ _]{{0,3}}([^\W\d_]{{0,3}}\d{{5,20}})(?![^\W_]|[.,]\d)", re.IGNORECASE
)
_DECIMAL = re.compile(r"\d{1,4}[.,]\d{1,3}[^\W\d_]{0,2}|\d{1,4}[^\W\d_]{1,2}")
_PLATE_LABEL = re.compile(
    r"(?![^\W\d_]+ \d{1,2} HOLE(?![^\W_]))"  # a bone's
    r"[^\W\d_]+[.:#]{0,2} ?(?:(?:no|nr|number)\b[.:]? ?)?"
    r"((?=[A-ZÄÖÜ0-9 -]{0,12}\d)(?=[0-9 -]{0,8}[A-ZÄÖÜ])"
    r"[A-ZÄÖÜ0-9]{1,4}(?:[ -][A-ZÄÖÜ0-9]{1,4}){0,2})(?![^\W_])"
)
_PHONE_LABEL = re.compile(
    r"[^\W\d_]+\.?(?: ?(?:no|nr|number|#))?\.? ?[:#=]? {0,2}(\+?[\d(](?:[ ()./-]{0,2}\d){3,17})(?!\d)"
    r"(?! ?(?:%|(?-i:ms)(?![^\W_])))",  # a phase's; an extension may be before a wing: S
    re.IGNORECASE,
)
_ADDRESS_LABEL = re.compile(r"[^\W\d_]+(?: ?address)?[ :=]{1,2}(\d{1,3}(?:\.\d{1,3}){3})(?![\w.])", re.IGNORECASE)
MOST_STRONG_CODE = 3
_SHORTEST_PLATE = 5
MOST_WEAK_DIGITS = 3

_STRONG = """
    mrn mr# accession acc# ssn nhs nhsno dni nie nif nss pesel bsn tckn cpf rg cns ipp ndos nhc nuhsa personnummer
    patientennummer patnr patid patientid pid fallnummer fallnr aufnahmenummer kvnr versichertennummer
    medrec hospitalnumber chartno upn chi ehic iban tesseraanitaria fiscale passport passeport pasaporte
    """
_WEAK = """
    id ids acc case fall order req requisition visit encounter episode chart record pat patient barcode
    policy insurance versicherung dossier historia expediente cartella prontuario dosya protokol reference ref
    auftrag anforderung study exam account acct member claim referral sample specimen
    crm coren crefito gmc nmc hcpc npi rpps adeli lanr bsnr agb
    """
_PHONES = """
    tel telefon telephone téléphone teléfono telefono telefone telefoon phone ph fax mobile mobil mobilnr handy cell
    pager beeper gsm tlf tfno móvil celular cellulare portable komórka ext extension durchwahl dect piepser
    """
_PLATES = """
    reg registration plate plates rego kennz kennzeichen kz immat immatriculation immatriculée matrícula targa kenteken
    rej rejestr plaka rendszám placa registreringsnummer regnr
    """
_BEDS = """
    bed bett lit cama letto \u0142\u00f3\u017cko \u0142\u00f3\u017ceczko s\u00e4ng seng yatak leito cot crib
    incubator inkubator incubadora incubatrice couveuse kuv\u00f6s kuv\u00f8se k\u00fcv\u00f6z cuna culla ber\u00e7o
    """
_BED = re.compile(
    rf"[^\W\d_]+ (?:{_NUMBER_WORD}\.? ?)?\d{{1,3}}[a-z]?(?![^\W_]|[.,/-]\d)"
    r"(?! ?(?:c?gy|min|mm|cm|ml|mg|kg|s|x|%|h|days?|nights?|jours?|images?|views?)(?![^\W_]))",
    re.IGNORECASE,
)
_LAST_DIGITS = re.compile(
    r"(?:last (?:4|four)(?: digits)?|ending(?: in| with)?)[ :=]{1,3}(?!(?:19|20)\d\d)(\d{4})(?![^\W_])", re.IGNORECASE
)
_AGES = "age aged alter âge edad edat età idade leeftijd wiek wieku věk věku ålder alder vârsta varsta életkor ikä yaş"


def _strong_code(text: str, word: re.Match[str]) -> Iterator[Span]:
    match = _STRONG_LABEL_GROUPS.match(text, word.start()) or _STRONG_LABEL.match(text, word.start())
    if match is not None and len(match[1]) >= MOST_STRONG_CODE and not _DECIMAL.fullmatch(match[1]):
        yield Span(*match.span(1), SpanKind.ID, PATTERNS)


def _weak_code(text: str, word: re.Match[str]) -> Iterator[Span]:
    match = _WEAK_LABEL.match(text, word.start())
    digits = sum(char.isdigit() for char in match[1]) if match else 0
    if match is None or digits < MOST_WEAK_DIGITS or _DECIMAL.fullmatch(match[1]):
        match = _WEAK_LABEL_LONG_NUMBER.match(text, word.start())
    if match is not None:
        yield Span(*match.span(1), SpanKind.ID, PATTERNS)


def _plate(text: str, word: re.Match[str]) -> Iterator[Span]:
    match = _PLATE_LABEL.match(text, word.start())
    if match is not None and sum(char.isalnum() for char in match[1]) >= _SHORTEST_PLATE:
        yield Span(*match.span(1), SpanKind.ID, PATTERNS)


def _reader(pattern: re.Pattern[str], kind: SpanKind, group: int = 1) -> Reader:
    """Return what takes a group of a pattern that begins at a word."""

    def read(text: str, word: re.Match[str]) -> Iterator[Span]:
        match = pattern.match(text, word.start())
        if match is not None:
            yield Span(*match.span(group), kind, PATTERNS)

    return read


def _names(text: str, word: re.Match[str]) -> Iterator[Span]:
    for start, end in NAME_TRIGGERS[word.group().casefold()](text, word):
        yield Span(start, end, SpanKind.NAME, PATTERNS)


def _institutions(text: str, word: re.Match[str]) -> Iterator[Span]:
    for start, end in institution_at(text, word):
        yield Span(start, end, SpanKind.PLACE, PATTERNS)


def _readers() -> dict[str, Reader]:
    """Return what reads on from a word: each label, title and sign in all spellings."""
    out: dict[str, Reader] = {}
    tables: tuple[tuple[str, Reader], ...] = (
        (_STRONG, _strong_code),
        (_WEAK, _weak_code),
        (_PHONES, _reader(_PHONE_LABEL, SpanKind.CONTACT)),
        (_PLATES, _plate),
        (_AGES, _reader(_OF_AGE, SpanKind.AGE)),
        ("ip", _reader(_ADDRESS_LABEL, SpanKind.CONTACT)),
        ("st saint", _reader(_SAINT, SpanKind.PLACE, 0)),
        (_BEDS, _reader(_BED, SpanKind.PLACE, 0)),
        (" ".join(first_words()), _institutions),
        ("last ending", _reader(_LAST_DIGITS, SpanKind.ID)),
        (" ".join(NAME_TRIGGERS), _names),
    )
    for words, reader in tables:
        for word in {*words.split(), *folded(words).split()}:
            out[word] = either(out[word], reader) if word in out else reader
    return out


READER_OF: Mapping[str, Reader] = _readers()
"""Word, case-folded → what reads on from it."""
