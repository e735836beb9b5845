import random
import re
import time

import pytest

from models.ner.generate import lists, organisations, people, places

LANGUAGES = ("en", "de", "fr", "es", "pt", "it", "nl", "pl", "sv", "tr")
FORMS = ("any", *people.FORMS)
PLACES = ("city", "street", "post_code", "address", "ward", "room", "country")
ORGANISATIONS = ("hospital", "practice", "lab", "university", "employer", "insurer")


@pytest.mark.parametrize("lang", [*LANGUAGES, "cs", "hu", "ja", "xx"])
@pytest.mark.parametrize("held_out", [False, True])
def test_every_form_of_a_name_is_one_clean_string(lang: str, held_out: bool) -> None:
    rng = random.Random(1)
    for _ in range(300):
        person = people.person(rng, lang, held_out)
        for form in FORMS:
            text = people.written(person, form, rng, lang)
            assert text
            assert text == text.strip()
            assert not re.search(r"[{}<>|\t\n]", text)
            assert any(letter.isalpha() for letter in text)
        assert re.fullmatch(r"\w+(?:[._-]\w+)*", people.login(person, rng))


@pytest.mark.parametrize("held_out", [False, True])
def test_every_culture_has_names_of_each_kind(held_out: bool) -> None:
    for culture in people.cultures():
        for kind in ("given_f", "given_m", "family", "family_f"):
            found = people.names(culture, kind, held_out)
            assert found, (culture, kind)
            assert all(lists.is_held_out(name) == held_out for name in found) or not held_out, (culture, kind)


def test_training_sees_no_name_that_is_held_out() -> None:
    for culture in people.cultures():
        for kind in ("given_f", "given_m", "family", "family_f"):
            assert not any(map(lists.is_held_out, people.names(culture, kind, held_out=False))), (culture, kind)
    for name, short in people.nicknames().items():
        assert all(lists.is_held_out(nick) == lists.is_held_out(name) for nick in short)


def test_a_tenth_is_held_out() -> None:
    names = lists.read("names/american/family")
    assert 0.08 < sum(map(lists.is_held_out, names)) / len(names) < 0.12


def test_the_rule_of_what_is_held_out_is_fixed() -> None:
    entries = lists.read("names/english/family")
    assert lists.is_held_out(entries[0]) == lists.is_held_out(entries[0].upper())
    assert [name for name in ("Alvarez", "Garcia", "Smith", "Okafor") if lists.is_held_out(name)] == ["Alvarez"]


@pytest.mark.parametrize("lang", [*LANGUAGES, "xx"])
@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("kind", [*PLACES, *ORGANISATIONS])
def test_every_place_and_organisation_is_filled(lang: str, kind: str, held_out: bool) -> None:
    rng = random.Random(2)
    make = getattr(places if kind in PLACES else organisations, kind)
    found = {make(rng, lang, held_out) for _ in range(300)}
    assert all(text and text == text.strip() and not re.search(r"[{}<>|\t\n]", text) for text in found)
    assert len(found) >= (2 if kind == "country" else 20)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_language_has_its_own_patterns(lang: str) -> None:
    folder = lists.WORDS
    for kind in ORGANISATIONS:
        assert (folder / "organisations" / lang / f"{kind}.txt").is_file()
    for kind in PLACES[1:]:
        assert (folder / "places" / lang / f"{kind}.txt").is_file()
    assert len(lists.read(f"organisations/{lang}/hospital")) >= 40


def test_every_slot_of_a_pattern_can_be_filled() -> None:
    for folder in ("places", "organisations"):
        for file in sorted((lists.WORDS / folder).rglob("*.txt")):
            if file.name == "cities.txt":
                continue
            for pattern in lists.read(file.relative_to(lists.WORDS).with_suffix("").as_posix()):
                for slot in re.findall(r"\{(\w+)\}", pattern):
                    known = slot in places.NUMBERS or slot in places.PERSONS or slot == "city"
                    assert known or places.words(file.parent.name, slot, held_out=False), (file.name, pattern)


def test_the_lists_are_sorted_and_hold_no_entry_twice() -> None:
    for folder in ("names", "places", "organisations"):
        for file in sorted((lists.WORDS / folder).rglob("*.txt")):
            lines = file.read_text(encoding="utf-8").splitlines()
            assert lines == sorted(set(lines)), file


def test_the_same_seed_makes_the_same_person_and_place() -> None:
    first, second = random.Random(3), random.Random(3)
    for lang in LANGUAGES:
        one, other = people.person(first, lang), people.person(second, lang)
        assert one == other
        assert people.written(one, "any", first, lang) == people.written(other, "any", second, lang)
        assert organisations.hospital(first, lang) == organisations.hospital(second, lang)


def test_a_pattern_takes_one_branch_and_fills_its_slots() -> None:
    rng = random.Random(4)
    pattern = lists.compiled("a<b|c<d|>> {x}")
    found = {lists.expand(pattern, rng, str.upper) for _ in range(100)}
    assert found == {"ab X", "acd X", "ac X"}


def test_a_french_name_takes_the_short_article() -> None:
    assert places.elided("CHU de Amiens") == "CHU d'Amiens"
    assert places.elided("CH de Le Mans") == "CH du Mans"
    assert places.elided("CHU de Lyon") == "CHU de Lyon"


def test_a_person_is_made_quickly() -> None:
    rng = random.Random(5)
    people.written(people.person(rng, "de"), "any", rng, "de")
    start = time.process_time()
    for _ in range(2000):
        people.written(people.person(rng, "de"), "any", rng, "de")
    assert (time.process_time() - start) / 2000 < 0.0002
