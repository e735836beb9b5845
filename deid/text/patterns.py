"""The finder of what has a form of its own: dates, UIDs, ages over 89, addresses of all kinds, numbers with a label."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache

from deid.fold import folded
from deid.text.dates import find_dates
from deid.text.edges import is_of_code_system, without_measure
from deid.text.names import NAME_TRIGGERS, names_with_carets
from deid.text.spans import Span, SpanKind

_LETTERS = re.compile(r"[^\W\d_]+")
_DIGIT = re.compile(r"\d")

_UID = re.compile(r"(?<![\d.])(?:2\.25(?:\.\d{5,39})|[0-2](?:\.(?:0|[1-9]\d{0,38})){5,40})(?![\d])")
SHORTEST_UID = 13

_AGE_NUMBER = r"(9\d|1[0-2]\d)"
_AGE = re.compile(
    rf"(?<![\w.,/-]){_AGE_NUMBER}(?:[ -]?(?:years?|yrs?|yr)(?:[ -]olds?)?|[ -]?y(?:/o|\.o\.?|o)|(?<!90)[ -]?y(?!-)"
    r"|[ -]?(?:year|jährige?[rnsm]?|jaehrige?[rnsm]?|jarige?|årige?|letni\w{0,3}|letá|letý|éves|vuotia\w{1,4})"
    r"| ?(?:Jahre[n]?|J\.|ans|años|anni|anos|anys|de ani|(?-i:ani|lat|let)|jaar|års?|évesen|vuotta|yaş\w{0,8}))"
    r"(?![^\W_])",
    re.IGNORECASE,
)
_AGE_AFTER_WORD = re.compile(
    rf"(?<![^\W_])(?:pacjent\w{{0,4}}|chor[aey]\w{{0,2}}|kobieta|m[e\u0119][z\u017c]czyzna|wiek),? lat:? {_AGE_NUMBER}"
    r"(?!\d|[.,]\d)",
    re.IGNORECASE,
)
_AGE_AND_SEX = re.compile(r"(?:\A|(?<=[.;,\n] ))(9\d|10\d)(?:[fmFM]|yo[fm])(?![^\W_])(?! ?(?:temp|cath|sheath))")
_AGE_STRING = re.compile(r"(?<![^\W_])0(9[1-9]|1[0-2]\d)Y(?![^\W_])")
_OF_AGE = re.compile(
    rf"[^\W\d_]+[ :=]{{1,3}}{_AGE_NUMBER}(?![\d.,]\d|\d| ?(?:d|w|m|days?|weeks?|months?|wks?|mo|Tage|Wochen|Monate)\b)",
    re.IGNORECASE,
)

_URL = re.compile(r"(?:https?|ftp)://[^\s<>\"']{1,2000}|(?<![^\W_])www\.[^\s<>\"']{3,2000}", re.IGNORECASE)
_MAIL_NAME_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._%+-")
_MAIL_HOST = re.compile(r"@[^\W_](?:[\w-]{0,62})(?:\.[\w-]{1,63}){1,8}")
_LONGEST_MAIL_NAME = 64

_INTERNATIONAL_PHONE = re.compile(
    r"(?<![\w+.])(?:\+|00(?=[1-9]\d[ (/-]))[1-9]\d{0,2}[ (./-]{0,2}\d(?:[ ()./-]{0,2}\d){6,11}(?!\d)"
    r"(?<! \d(?=[^\W\d_]))"  # 3D
)
_AMERICAN_PHONE = re.compile(
    r"(?<![\w.+/-])(?:1[-. ])?(?:\(([2-9]\d\d)\) ?|([2-9]\d\d)[-.])([2-9]\d\d)[-.](\d{4})(?![\w.-]\d|\d|[^\W_])"
)
_FRENCH_PHONE = re.compile(r"(?<![\w.,/-])0[1-79](?:([ .-])\d\d)(?:\1\d\d){3}(?![\w]|[.,-]\d)")
_GERMAN_PHONE = re.compile(
    r"(?<![\w.,/-])(?:\(0[1-9]\d{1,4}\) ?|0[1-9]\d{1,4} ?/ ?|01[567]\d[ -])\d[\d ]{4,9}\d(?![\w]|[.,-]\d)"
)
# Names in the domain name system; of files and versions the last part is none of these.
_HOST = re.compile(
    r"(?<![\w.@/\\-])(?=[\d.-]{0,20}[a-z])(?:[a-z0-9][a-z0-9-]{0,62}\.){2,8}(?:com|org|net|edu|gov|mil|int|info|eu|"
    r"de|at|ch|fr|es|it|pt|nl|be|lu|pl|se|no|dk|fi|is|cz|sk|hu|ro|tr|gr|hr|si|uk|us|ca|au|nz|ie|br|ar|cl|mx|in|jp|cn|"
    r"kr|za|health|hospital|clinic|local|lan|intern|internal|intra|corp|home|example|test|invalid)(?![\w-]|\.\w)",
    re.IGNORECASE,
)
_SOCIAL_SECURITY = re.compile(r"(?<![\w.,/-])(?!000|666)([0-8]\d\d)-(\d\d)-(\d{4})(?![\w]|[.,/-]\d)")
_PRIVATE_ADDRESS = re.compile(r"(?<![\w.])(?:192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}(?![\w]|\.\d)")
_HARDWARE_ADDRESS = re.compile(r"(?<![\w:-])(?:[0-9A-Fa-f]{2}([:-]))(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![\w:-])")
_LONG_NUMBER = re.compile(r"(?<![\w.,+*/^-])\d{8,20}(?![\w*/^]|[.,-]\d)")
_STREET = re.compile(
    r"(?<!\w)\d{1,5}[a-z]? (?:[A-ZÀ-Þ][\w'\u2019.-]{1,30} ){1,3}"
    r"(?:Street|Avenue|Road|Boulevard|Lane|Drive|Crescent|Terrace|Parkway|Ave|Blvd)\b"
    r"|(?<!\w)\d{1,4}(?: ?(?:bis|ter))?,? (?:rue|avenue|boulevard|impasse) (?:d[eu] |de la |des |d')?"
    r"[A-ZÀ-Þ][\w'\u2019-]{1,30}"
    r"|(?<!\w)[A-ZÀ-Þ][\w-]{1,40}(?:straße|strasse|str\.|gasse|platz|weg|straat|laan|gatan|vägen) ?\d{1,4} ?[a-z]?\b"
    r"|(?<!\w)(?:Via|Calle|Avenida|Rua|Piazza|Plaza|ul\.|ulica) "
    r"(?:[A-ZÀ-ÞŁŚŻŹĆ][\w'\u2019.-]{1,30} ?){1,3},? ?\d{1,4}\b"
)
# Of the areas that exist; one of a single letter and a single digit is left to the network: S2 3PL is a series.
_BRITISH_POSTCODE = re.compile(
    r"(?<![\w.,/-])(?:(?:A[BL]|B[ABDHLNRST]|C[ABFHMORTVW]|D[ADEGHLNTY]|E[CHNX]|F[KY]|G[LUY]|H[ADGPRSUX]|I[GMPV]|JE"
    r"|K[ATWY]|L[ADELNSU]|M[EKL]|N[EGNPRW]|O[LX]|P[AEHLOR]|R[GHM]|S[AEGKLMNOPRSTWY]|T[ADFNQRSW]|UB|W[ACDFNRSV]|YO|ZE)"
    r"\d[\dA-Z]?|[BEGLMNSW]\d\d) (?!1ST|2ND|3RD|[4-9]TH)\d[ABD-HJLNP-UW-Z]{2}(?![\w-])"
)
_CANADIAN_POSTCODE = re.compile(
    r"(?<![\w.,/-])[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z] \d[ABCEGHJ-NPRSTV-Z]\d(?![\w]|[.,-]\d)"
)

_SAINT = re.compile(
    r"(?-i:S)(?:t\.?|T\.?|aint|AINT) (?-i:[A-Z])[^\W\d_]{2,30}['\u2019]s(?![^\W_])(?! {1,2}(?:wort|dance|fire|disease|"
    r"solution|cardioplegi|respiratory|questionnaire|score|valve|lesion|sign)[^\W\d_]*)",
    re.IGNORECASE,
)

_Reader = Callable[[str, re.Match[str]], "Iterator[Span]"]
_NAME = "patterns"
_LONGEST_REMEMBERED_CHARS = 256


class PatternFinder:
    """Finds what can be told by its form alone, whoever the patient is."""

    name = _NAME

    def __init__(self, dates: Collection[str] = ()) -> None:
        """Prepare to look.

        Parameters
        ----------
        dates
            the patient's dates as ``YYYYMMDD``: they decide how an ambiguous one is read
        """
        self._dates = frozenset(dates)

    def find(self, text: str) -> list[Span]:
        """Return what has the form of a date, a UID, an age over 89, a number that identifies, an address or a name."""
        return list((_found_before if len(text) <= _LONGEST_REMEMBERED_CHARS else _found)(text, self._dates))


def _found(text: str, dates: frozenset[str]) -> tuple[Span, ...]:
    out: list[Span] = []
    if _DIGIT.search(text) is not None:
        out.extend(Span(dated.start, dated.end, SpanKind.DATE, _NAME) for dated in find_dates(text, dates))
        out.extend(_uids(text))
        out.extend(_beside(_numbers(text), out))
    if "@" in text:
        out.extend(_mails(text))
    if text.count(".") > 1:
        hosts = (match for match in _HOST.finditer(text) if match.group().islower() or match.group().isupper())
        out.extend(Span(*match.span(), SpanKind.CONTACT, _NAME) for match in hosts)
    if "^" in text:
        out.extend(Span(start, end, SpanKind.NAME, _NAME) for start, end in names_with_carets(text))
    if "://" in text or "www." in text.lower():
        out.extend(Span(*match.span(), SpanKind.CONTACT, _NAME) for match in _URL.finditer(text))
    for word in _LETTERS.finditer(text):
        reader = _READER_OF.get(word.group().casefold())
        if reader is not None:
            out.extend(reader(text, word))
    return tuple(out)


_found_before = lru_cache(maxsize=8192)(_found)  # a series repeats most of its texts


def _beside(spans: Iterator[Span], whole: list[Span]) -> list[Span]:
    """Drop what shares digits with a date or UID: those are no number of their own."""
    if not whole:
        return list(spans)
    taken: set[int] = set()
    for span in whole:
        taken.update(range(span.start, span.end))
    return [span for span in spans if span.start not in taken and span.end - 1 not in taken]


def _uids(text: str) -> Iterator[Span]:
    if "." in text:
        for match in _UID.finditer(text):
            if len(match.group()) >= SHORTEST_UID:
                yield Span(*match.span(), SpanKind.UID, _NAME)


def _numbers(text: str) -> Iterator[Span]:
    for pattern in (_AGE, _AGE_AFTER_WORD, _AGE_AND_SEX, _AGE_STRING):
        for match in pattern.finditer(text):
            yield Span(*match.span(1), SpanKind.AGE, _NAME)
    if len(text) < _SHORTEST_NUMBER:
        return
    for pattern, kind in _NUMBERS:
        for match in pattern.finditer(text):
            start, end = match.span()
            is_code = pattern is _LONG_NUMBER and is_of_code_system(text, start)
            if not is_code and not _is_series_of_values(match):
                yield Span(start, without_measure(text, start, end) if kind is SpanKind.CONTACT else end, kind, _NAME)


_SHORTEST_NUMBER = 8
_NUMBERS = (
    (_INTERNATIONAL_PHONE, SpanKind.CONTACT),
    (_AMERICAN_PHONE, SpanKind.CONTACT),
    (_FRENCH_PHONE, SpanKind.CONTACT),
    (_GERMAN_PHONE, SpanKind.CONTACT),
    (_SOCIAL_SECURITY, SpanKind.ID),
    (_PRIVATE_ADDRESS, SpanKind.CONTACT),
    (_HARDWARE_ADDRESS, SpanKind.CONTACT),
    (_LONG_NUMBER, SpanKind.ID),
    (_STREET, SpanKind.PLACE),
    (_BRITISH_POSTCODE, SpanKind.PLACE),
    (_CANADIAN_POSTCODE, SpanKind.PLACE),
)


def _is_series_of_values(match: re.Match[str]) -> bool:
    """Tell whether the numbers are rather b-values or echo times, as 200-400-1000 is: round, all of them."""
    numbers = [int(number) for number in re.findall(r"\d+", match.group())]
    return len(numbers) > 2 and all(number % 10 == 0 for number in numbers)


def _mails(text: str) -> Iterator[Span]:
    at = text.find("@")
    while at >= 0:
        host = _MAIL_HOST.match(text, at)
        start = at
        while start > max(0, at - _LONGEST_MAIL_NAME) and text[start - 1] in _MAIL_NAME_CHARS:
            start -= 1
        if host is not None and start < at:
            yield Span(start, host.end(), SpanKind.CONTACT, _NAME)
        at = text.find("@", at + 1)


# Numbers with a label

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
        yield Span(*match.span(1), SpanKind.ID, _NAME)


def _weak_code(text: str, word: re.Match[str]) -> Iterator[Span]:
    match = _WEAK_LABEL.match(text, word.start())
    digits = sum(char.isdigit() for char in match[1]) if match else 0
    if match is None or digits < MOST_WEAK_DIGITS or _DECIMAL.fullmatch(match[1]):
        match = _WEAK_LABEL_LONG_NUMBER.match(text, word.start())
    if match is not None:
        yield Span(*match.span(1), SpanKind.ID, _NAME)


def _plate(text: str, word: re.Match[str]) -> Iterator[Span]:
    match = _PLATE_LABEL.match(text, word.start())
    if match is not None and sum(char.isalnum() for char in match[1]) >= _SHORTEST_PLATE:
        yield Span(*match.span(1), SpanKind.ID, _NAME)


def _phone(text: str, word: re.Match[str]) -> Iterator[Span]:
    match = _PHONE_LABEL.match(text, word.start())
    if match is not None:
        yield Span(*match.span(1), SpanKind.CONTACT, _NAME)


def _address(text: str, word: re.Match[str]) -> Iterator[Span]:
    match = _ADDRESS_LABEL.match(text, word.start())
    if match is not None:
        yield Span(*match.span(1), SpanKind.CONTACT, _NAME)


def _age(text: str, word: re.Match[str]) -> Iterator[Span]:
    match = _OF_AGE.match(text, word.start())
    if match is not None:
        yield Span(*match.span(1), SpanKind.AGE, _NAME)


def _last_digits(text: str, word: re.Match[str]) -> Iterator[Span]:
    match = _LAST_DIGITS.match(text, word.start())
    if match is not None:
        yield Span(*match.span(1), SpanKind.ID, _NAME)


def _bed(text: str, word: re.Match[str]) -> Iterator[Span]:
    match = _BED.match(text, word.start())
    if match is not None:
        yield Span(*match.span(), SpanKind.PLACE, _NAME)


def _saint(text: str, word: re.Match[str]) -> Iterator[Span]:
    """Read the name of a hospital, a church or a school: ``St Dunstan's``; *St John's wort* is none."""
    match = _SAINT.match(text, word.start())
    if match is not None:
        yield Span(*match.span(), SpanKind.PLACE, _NAME)


def _names(text: str, word: re.Match[str]) -> Iterator[Span]:
    for start, end in NAME_TRIGGERS[word.group().casefold()](text, word):
        yield Span(start, end, SpanKind.NAME, _NAME)


def _both(one: _Reader, other: _Reader) -> _Reader:
    def read(text: str, word: re.Match[str]) -> Iterator[Span]:
        yield from one(text, word)
        yield from other(text, word)

    return read


def _readers() -> dict[str, _Reader]:
    """Return what reads on from a word: each label, title and sign in all spellings."""
    out: dict[str, _Reader] = {}
    tables: tuple[tuple[str, _Reader], ...] = (
        (_STRONG, _strong_code),
        (_WEAK, _weak_code),
        (_PHONES, _phone),
        (_PLATES, _plate),
        (_AGES, _age),
        ("ip", _address),
        ("st saint", _saint),
        (_BEDS, _bed),
        ("last ending", _last_digits),
        (" ".join(NAME_TRIGGERS), _names),
    )
    for words, reader in tables:
        for word in {*words.split(), *folded(words).split()}:
            out[word] = _both(out[word], reader) if word in out else reader
    return out


_READER_OF = _readers()
