"""National numbers with their check digits: insurance, tax and person numbers of many countries."""

from collections.abc import Callable
from random import Random

from models.ner.generate.chance import DIGITS, UPPER, number, shaped
from models.ner.generate.checks import born, digits, grouped, luhn, text, weighed
from models.ner.generate.lists import pick


def nhs(rng: Random) -> str:
    """
    Draw a British NHS number.

    Returns
    -------
    str
        Ten digits, 3 3 4.
    """
    while True:
        values = digits(rng, 9)
        check = 11 - weighed(values, list(range(10, 1, -1))) % 11
        if check != 10:
            return grouped(text([*values, check % 11]), rng, 3, 3, 4, marks=" -")


def ssn(rng: Random) -> str:
    """
    Draw a United States social security number.

    Returns
    -------
    str
        3-2-4, or only its last four with the rest masked.
    """
    if rng.random() < 0.15:
        return shaped(rng, pick(rng, ("xxx-xx-####", "***-**-####", "XXX-XX-####")))
    value = f"{number(rng, 1, 899):03d}{number(rng, 1, 99):02d}{number(rng, 1, 9999):04d}"
    return f"{value[:3]}-{value[3:5]}-{value[5:]}" if rng.random() < 0.7 else value


def medicare(rng: Random) -> str:
    """
    Draw a United States Medicare number.

    Returns
    -------
    str
        Eleven letters and digits.
    """
    value = shaped(rng, "!@~#@~#@@##")
    return f"{value[:4]}-{value[4:7]}-{value[7:]}" if rng.random() < 0.5 else value


def sin(rng: Random) -> str:
    """
    Draw a Canadian social insurance number.

    Returns
    -------
    str
        Nine digits, 3 3 3.
    """
    values = digits(rng, 8)
    return grouped(text([*values, luhn(values)]), rng, 3, 3, 3, marks=" -")


def kvnr(rng: Random) -> str:
    """
    Draw a German health insurance number.

    Returns
    -------
    str
        A letter and nine digits.
    """
    letter = number(rng, 1, 26)
    values = [letter // 10, letter % 10, *digits(rng, 8)]
    total = 0
    for place, value in enumerate(values):
        weighted = value * (1 + place % 2)
        total += weighted // 10 + weighted % 10
    return f"{UPPER[letter - 1]}{text(values[2:])}{total % 10}"


def german_pension(rng: Random) -> str:
    """
    Draw a German pension number.

    Returns
    -------
    str
        Area, birthday, letter, serial and check digit.
    """
    return grouped(born(rng, "{d}{m}{yy}").join((f"{number(rng, 2, 89):02d}", shaped(rng, "@###"))), rng, 2, 6, 1, 3)


def german_tax(rng: Random) -> str:
    """
    Draw a German tax number.

    Returns
    -------
    str
        Eleven digits with the check digit of ISO 7064.
    """
    values = digits(rng, 10)
    product = 10
    for value in values:
        product = ((value + product) % 10 or 10) * 2 % 11
    return grouped(text([*values, (11 - product) % 10]), rng, 2, 3, 3, 3)


def nir(rng: Random) -> str:
    """
    Draw a French social security number.

    Returns
    -------
    str
        Thirteen digits and the key of two.
    """
    value = f"{number(rng, 1, 2)}{born(rng, '{yy}{m}')}{number(rng, 1, 95):02d}{shaped(rng, '######')}"
    whole = f"{value}{97 - int(value) % 97:02d}"
    return grouped(whole, rng, 1, 2, 2, 2, 3, 3, 2) if rng.random() < 0.85 else value


def bsn(rng: Random) -> str:
    """
    Draw a Dutch citizen service number.

    Returns
    -------
    str
        Nine digits that pass the eleven test.
    """
    while True:
        values = digits(rng, 8)
        check = weighed(values, list(range(9, 1, -1))) % 11
        if check != 10:
            return grouped(text([*values, check]), rng, 4, 2, 3, marks=" .")


def pesel(rng: Random) -> str:
    """
    Draw a Polish PESEL.

    Returns
    -------
    str
        Eleven digits.
    """
    values = [int(one) for one in born(rng, "{yy}{m}{d}") + shaped(rng, "####")]
    return text([*values, -weighed(values, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10])


def personnummer(rng: Random) -> str:
    """
    Draw a Swedish personal number.

    Returns
    -------
    str
        Birthday, three digits and the Luhn digit.
    """
    birthday = born(rng, "{y}{m}{d}")
    tail = shaped(rng, "###")
    check = luhn([int(one) for one in birthday[2:] + tail])
    front = birthday if rng.random() < 0.5 else birthday[2:]
    return f"{front}{pick(rng, ('-', '-', '-', '', '+'))}{tail}{check}"


def kimlik(rng: Random) -> str:
    """
    Draw a Turkish identity number.

    Returns
    -------
    str
        Eleven digits.
    """
    values = digits(rng, 9)
    tenth = (sum(values[0::2]) * 7 - sum(values[1::2])) % 10
    return text([*values, tenth, (sum(values) + tenth) % 10])


def cpf(rng: Random) -> str:
    """
    Draw a Brazilian CPF.

    Returns
    -------
    str
        Eleven digits, as 000.000.000-00 or without marks.
    """
    values = digits(rng, 9)
    for first in (10, 11):
        rest = weighed(values, list(range(first, 1, -1))) % 11
        values.append(0 if rest < 2 else 11 - rest)
    value = text(values)
    return f"{value[:3]}.{value[3:6]}.{value[6:9]}-{value[9:]}" if rng.random() < 0.7 else value


def nif(rng: Random) -> str:
    """
    Draw a Portuguese tax number.

    Returns
    -------
    str
        Nine digits.
    """
    values = digits(rng, 8)
    check = 11 - weighed(values, list(range(9, 1, -1))) % 11
    return grouped(text([*values, 0 if check > 9 else check]), rng, 3, 3, 3)


def dni(rng: Random) -> str:
    """
    Draw a Spanish DNI or NIE.

    Returns
    -------
    str
        Digits and the letter that checks them.
    """
    foreign = rng.random() < 0.25
    value = shaped(rng, "#######" if foreign else "########")
    front = number(rng, 0, 2) if foreign else 0
    letter = "TRWAGMYFPDXBNJZSQVHLCKE"[int(f"{front}{value}" if foreign else value) % 23]
    body = f"{'XYZ'[front]}{value}" if foreign else value
    return f"{body}{pick(rng, ('', '', '-', ' '))}{letter}"


_ODD = dict(
    zip(
        DIGITS + UPPER,
        (
            *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21),
            *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        ),
        strict=True,
    )
)
_EVEN = {mark: place if mark in DIGITS else place - 10 for place, mark in enumerate(DIGITS + UPPER)}


def codice_fiscale(rng: Random) -> str:
    """
    Draw an Italian codice fiscale.

    Returns
    -------
    str
        Sixteen letters and digits.
    """
    consonants = "BCDFGLMNPRSTVZ"
    letters = "".join(pick(rng, consonants) for _ in range(6))
    day = number(rng, 1, 28) + (40 if rng.random() < 0.5 else 0)
    year, month, place = number(rng, 20, 99), pick(rng, "ABCDEHLMPRST"), pick(rng, "ABCDEFGHILZ")
    value = f"{letters}{year}{month}{day:02d}{place}{shaped(rng, '###')}"
    total = sum((_EVEN if place % 2 else _ODD)[mark] for place, mark in enumerate(value))
    return grouped(value + UPPER[total % 26], rng, 6, 5, 5) if rng.random() < 0.3 else value + UPPER[total % 26]


def ahv(rng: Random) -> str:
    """
    Draw a Swiss AHV number.

    Returns
    -------
    str
        756 and ten digits with the check digit of EAN-13.
    """
    values = [7, 5, 6, *digits(rng, 9)]
    value = text([*values, -weighed(values, [1, 3] * 6) % 10])
    return f"{value[:3]}.{value[3:7]}.{value[7:11]}.{value[11:]}" if rng.random() < 0.8 else value


def belgian(rng: Random) -> str:
    """
    Draw a Belgian national number.

    Returns
    -------
    str
        Birthday, serial and check.
    """
    value = born(rng, "{yy}{m}{d}") + shaped(rng, "###")
    check = f"{97 - int(value) % 97:02d}"
    whole = f"{value[:2]}.{value[2:4]}.{value[4:6]}-{value[6:]}.{check}"
    return whole if rng.random() < 0.7 else value + check


def austrian(rng: Random) -> str:
    """
    Draw an Austrian social security number.

    Returns
    -------
    str
        Four digits and the birthday.
    """
    return shaped(rng, "!###") + pick(rng, (" ", "", "/")) + born(rng, "{d}{m}{yy}")


# Numbers made of the birthday and a few more digits.
BY_BIRTHDAY = {
    "da": (("{d}{m}{yy}-", "####"), ("{d}{m}{yy}", "####")),
    "no": (("{d}{m}{yy} ", "#####"), ("{d}{m}{yy}", "#####")),
    "fi": (("{d}{m}{yy}-", "###@"), ("{d}{m}{yy}A", "###@"), ("{d}{m}{yy}-", "####")),
    "cs": (("{yy}{m}{d}/", "####"), ("{yy}{m}{d}", "####")),
    "ro": (("1{yy}{m}{d}", "######"), ("2{yy}{m}{d}", "######")),
    "hu": (("1-{yy}{m}{d}-", "####"), ("2 {yy}{m}{d} ", "####")),
}


def by_birthday(lang: str) -> Callable[[Random], str]:
    """
    Make the maker of a personal number of a country whose numbers begin with the birthday.

    Returns
    -------
    callable
        It draws a number.
    """

    def drawn(rng: Random) -> str:
        shape, tail = pick(rng, BY_BIRTHDAY[lang])
        return born(rng, shape) + shaped(rng, tail)

    return drawn


OF = {
    "en": (nhs, ssn, medicare, sin, nhs, ssn),
    "de": (kvnr, german_pension, german_tax, ahv, austrian, kvnr),
    "fr": (nir, nir, ahv, belgian),
    "es": (dni,),
    "it": (codice_fiscale,),
    "pt": (cpf, nif),
    "nl": (bsn, belgian),
    "pl": (pesel,),
    "sv": (personnummer,),
    "tr": (kimlik,),
    "ca": (dni,),
} | {lang: (by_birthday(lang),) for lang in BY_BIRTHDAY}
EVERY = tuple(dict.fromkeys(maker for makers in OF.values() for maker in makers))
