"""Phone numbers, addresses of mail and web, and the names of computers."""

import re
from random import Random

from models.ner.generate.chance import number, shaped
from models.ner.generate.lists import pick
from models.ner.generate.tables import Table

TABLE = Table("contacts")
EVERY_PHONE = tuple(shape for shapes in TABLE.below("phone").values() for shape in shapes)
STRANGE = re.compile(r"[^a-z0-9]+")
PLAIN = str.maketrans("äöüßéèêëáàâãåçñóòôõøúùûíìîłśźżćńęąşğı", "aouseeeeaaaaacnooooouuuiiilszzcneasgi")


def slug(text: str) -> str:
    """
    Write a name as it may stand in an address.

    Returns
    -------
    str
        Small ASCII letters and digits, at least one.
    """
    return STRANGE.sub("", text.lower().translate(PLAIN)) or "x"


def phone(rng: Random, lang: str) -> str:
    """
    Draw a phone number.

    Returns
    -------
    str
        A number as the language's countries write it, a foreign one, or an extension of a hospital.
    """
    die = rng.random()
    if die < 0.12:
        return shaped(rng, pick(rng, TABLE["internal"]))
    value = shaped(rng, pick(rng, TABLE.get(f"phone.{lang}", EVERY_PHONE) if die < 0.85 else EVERY_PHONE))
    if die > 0.92:
        value += shaped(rng, pick(rng, TABLE.of("extension", lang)))
    return value


def pager(rng: Random) -> str:
    """
    Draw the number of a pager.

    Returns
    -------
    str
        Mostly three to five digits.
    """
    return shaped(rng, pick(rng, TABLE["pager"]))


def domain(rng: Random, lang: str, place: str) -> str:
    """
    Draw the domain of a hospital, a practice or an office.

    Returns
    -------
    str
        Like klinik-ulm.de; the place is a city of the generator's own.
    """
    ending = pick(rng, TABLE.of("ending", lang))
    part = pick(rng, TABLE.of("part", lang))
    die = rng.random()
    if die < 0.45:
        return f"{part}-{slug(place)}.{ending}"
    if die < 0.6:
        return f"{slug(place)}{part}.{ending}"
    if die < 0.75:
        return f"{part}{slug(place)}.{ending}"
    if die < 0.9:
        return f"{part}.{slug(place)}.{ending}"
    return f"{slug(place)}.{ending}"


def email(rng: Random, lang: str, login: str, place: str) -> str:
    """
    Write an address of mail.

    Returns
    -------
    str
        The login, or a function such as "radiologie", at some domain.
    """
    user = pick(rng, TABLE.of("part", lang)) if rng.random() < 0.12 else login
    where = pick(rng, TABLE["mail"]) if rng.random() < 0.25 else domain(rng, lang, place)
    return f"{user}@{where}"


def url(rng: Random, lang: str, place: str) -> str:
    """
    Write an address of the web.

    Returns
    -------
    str
        With or without its scheme.
    """
    front = pick(rng, ("https://www.", "http://", "https://", "www.", "www.", "https://pacs.", "https://portal.", ""))
    return front + domain(rng, lang, place) + shaped(rng, pick(rng, TABLE["path"]))


def address_of_host(rng: Random) -> str:
    """
    Draw an IP address.

    Returns
    -------
    str
        Version 4 mostly, some with a port or a mask, a few of version 6.
    """
    if rng.random() < 0.06:
        return shaped(rng, pick(rng, ("fe80::¤¤¤¤:¤¤¤¤:¤¤¤¤:¤¤¤¤", "2001:db8:¤¤¤¤::¤¤", "fd00:¤¤¤¤:¤¤¤¤::#")))
    front = pick(rng, ("10.", "192.168.", "172.16.", "10.20.", f"{number(rng, 11, 223)}."))
    value = front + ".".join(str(number(rng, 0, 255)) for _ in range(4 - front.count(".")))
    return value + (pick(rng, (":104", ":11112", ":4242", "/24", ":8080")) if rng.random() < 0.15 else "")


def host(rng: Random, lang: str, place: str) -> str:
    """
    Draw the name of a computer.

    Returns
    -------
    str
        Like ctws01.klinik.local.
    """
    name = shaped(rng, pick(rng, TABLE["host"]))
    die = rng.random()
    if die < 0.3 and any(mark in "0123456789" for mark in name):
        return name
    if die < 0.6:
        return f"{name}.{pick(rng, TABLE.of('part', lang))}.{pick(rng, TABLE['inner'])}"
    if die < 0.8:
        return f"{name}.{pick(rng, TABLE['inner'])}"
    return f"{name}.{domain(rng, lang, place)}"
