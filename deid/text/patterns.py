"""The finder of what has a form of its own: dates, UIDs, ages over 89, addresses of all kinds, numbers with a label."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache

from deid.text.dates import find_dates
from deid.text.edges import without_measure
from deid.text.labels import AGE_NUMBER, PATTERNS, READER_OF
from deid.text.names import names_with_carets
from deid.text.nobody import is_of_code_system
from deid.text.spans import Span, SpanKind

_LETTERS = re.compile(r"[^\W\d_]+")
_DIGIT = re.compile(r"\d")

_UID = re.compile(r"(?<![\d.])(?:2\.25(?:\.\d{5,39})|[0-2](?:\.(?:0|[1-9]\d{0,38})){5,40})(?![\d])")
SHORTEST_UID = 13

_AGE = re.compile(
    rf"(?<![\w.,/-]){AGE_NUMBER}(?:[ -]?(?:years?|yrs?|yr)(?:[ -]olds?)?|[ -]?y(?:/o|\.o\.?|o)|(?<!90)[ -]?y(?!-)"
    r"|[ -]?(?:year|jährige?[rnsm]?|jaehrige?[rnsm]?|jarige?|årige?|letni\w{0,3}|letá|letý|éves|vuotia\w{1,4})"
    r"| ?(?:Jahre[n]?|J\.|ans|años|anni|anos|anys|de ani|(?-i:ani|lat|let)|jaar|års?|évesen|vuotta|yaş\w{0,8}))"
    r"(?![^\W_])",
    re.IGNORECASE,
)
_AGE_AFTER_WORD = re.compile(
    rf"(?<![^\W_])(?:pacjent\w{{0,4}}|chor[aey]\w{{0,2}}|kobieta|m[e\u0119][z\u017c]czyzna|wiek),? lat:? {AGE_NUMBER}"
    r"(?!\d|[.,]\d)",
    re.IGNORECASE,
)
_AGE_AND_SEX = re.compile(r"(?:\A|(?<=[.;,\n] ))(9\d|10\d)(?:[fmFM]|yo[fm])(?![^\W_])(?! ?(?:temp|cath|sheath))")
_AGE_STRING = re.compile(r"(?<![^\W_])0(9[1-9]|1[0-2]\d)Y(?![^\W_])")

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
_SHARED_FOLDER = re.compile(r"(?<!\\)\\\\(?=[\w.-]{0,64}[^\W\d_])([\w.-]{2,64})(?=\\)")
_SOCIAL_SECURITY = re.compile(r"(?<![\w.,/-])(?!000|666)([0-8]\d\d)-(\d\d)-(\d{4})(?![\w]|[.,/-]\d)")
_PRIVATE_ADDRESS = re.compile(r"(?<![\w.])(?:192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d{1,3}\.\d{1,3}(?![\w]|\.\d)")
_HARDWARE_ADDRESS = re.compile(r"(?<![\w:-])(?:[0-9A-Fa-f]{2}([:-]))(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![\w:-])")
_LONG_NUMBER = re.compile(r"(?<![\w.,+*/^-])\d{8,20}(?![\w*/^]|[.,-]\d)")
_STREET = re.compile(
    r"(?<!\w)\d{1,5}[a-z]? (?:[A-ZÀ-Þ][\w'\u2019.-]{1,30} ){1,3}"
    r"(?:Street|Avenue|Road|Boulevard|Lane|Drive|Crescent|Terrace|Parkway|Ave|Blvd)\b"
    r"|(?<!\w)\d{1,4}(?: ?(?:bis|ter))?,? (?:rue|avenue|boulevard|impasse) (?:d[eu] |de la |des |d')?"
    r"[A-ZÀ-Þ][\w'\u2019-]{1,30}"
    r"|(?<!\w)[A-ZÀ-Þ][\w-]{1,40}(?:straße|strasse|STRASSE|str\.|STR\.|gasse|GASSE|platz|weg|straat|STRAAT|laan|gatan"
    r"|GATAN|vägen) ?\d{1,4} ?[a-z]?\b"
    r"|(?<!\w)(?:Via|Calle|CALLE|Avenida|AVENIDA|Rua|RUA|Piazza|PIAZZA|Plaza|PLAZA|ul\.|UL\.|ulica|ULICA) "
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

_LONGEST_REMEMBERED_CHARS = 256


class PatternFinder:
    """Finds what can be told by its form alone, whoever the patient is."""

    name = PATTERNS

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
        out.extend(Span(dated.start, dated.end, SpanKind.DATE, PATTERNS) for dated in find_dates(text, dates))
        out.extend(_uids(text))
        out.extend(_beside(_numbers(text), out))
    if "@" in text:
        out.extend(_mails(text))
    if text.count(".") > 1:
        hosts = (match for match in _HOST.finditer(text) if match.group().islower() or match.group().isupper())
        out.extend(Span(*match.span(), SpanKind.CONTACT, PATTERNS) for match in hosts)
    if "\\\\" in text:
        out.extend(Span(*match.span(1), SpanKind.CONTACT, PATTERNS) for match in _SHARED_FOLDER.finditer(text))
    if "^" in text:
        out.extend(Span(start, end, SpanKind.NAME, PATTERNS) for start, end in names_with_carets(text))
    if "://" in text or "www." in text.lower():
        out.extend(Span(*match.span(), SpanKind.CONTACT, PATTERNS) for match in _URL.finditer(text))
    for word in _LETTERS.finditer(text):
        reader = READER_OF.get(word.group().casefold())
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
                yield Span(*match.span(), SpanKind.UID, PATTERNS)


def _numbers(text: str) -> Iterator[Span]:
    for pattern in (_AGE, _AGE_AFTER_WORD, _AGE_AND_SEX, _AGE_STRING):
        for match in pattern.finditer(text):
            yield Span(*match.span(1), SpanKind.AGE, PATTERNS)
    if len(text) < _SHORTEST_NUMBER:
        return
    for pattern, kind in _NUMBERS:
        for match in pattern.finditer(text):
            start, end = match.span()
            is_code = pattern is _LONG_NUMBER and is_of_code_system(text, start)
            if not is_code and not _is_series_of_values(match):
                yield Span(
                    start, without_measure(text, start, end) if kind is SpanKind.CONTACT else end, kind, PATTERNS
                )


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
            yield Span(start, host.end(), SpanKind.CONTACT, PATTERNS)
        at = text.find("@", at + 1)
