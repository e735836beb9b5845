"""Make lexicon.txt of the word lists, the templates and the public descriptions: `python -m models.ner.lexicon`.

It is what training sees and no more: held-out names, places, descriptions and templates are not in it. The names and
places held out are in names.txt, which the node reads as well and neither training nor an exam of unknown names does.
"""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from deid.fold import spellings
from deid.text.lexicon import Known
from deid.text.wordpiece import normal_words
from deid.vocabulary import words_of
from models.ner.dataset import HERE, LEXICON, NAMES, descriptions, is_held_out

WORDS = HERE / "words"
_BRANDS = frozenset({"eponym", "device", "vendor", "model", "trial", "score"})
_EPONYMS = ".eponyms.txt"
_SLOT = re.compile(r"\{[^}]*\}|[<>|]")
_SHORTEST, _SHORTEST_PART = 2, 3
_LEAST_DESCRIPTIONS = 2


def lexicon() -> dict[str, Known]:
    """Return what is known of each word.

    Returns
    -------
    dict
        Word in its normal form → what it occurs as.
    """
    out: dict[str, Known] = {}
    for known, words in (
        (Known.WORD, _everyday()),
        (Known.WORD, _normal(words_of("common"))),
        (Known.EPONYM, _normal(words_of("eponyms"))),
        (Known.EPONYM, _eponyms()),
        (Known.NAME, _names()),
        (Known.PLACE, _places()),
    ):
        for word in words:
            if len(word) >= _SHORTEST:
                out[word] = out.get(word, Known.NOTHING) | known
    unseen = set(_names(held_out=True))
    for word in _rare_names():
        if word not in unseen and _may_be_name(out, word):
            out[word] = out.get(word, Known.NOTHING) | Known.NAME
    return out


def held_out_names(lexicon: Mapping[str, Known]) -> dict[str, Known]:
    """Return what the names and places held out add to what is known.

    Parameters
    ----------
    lexicon : mapping
        As `lexicon` returns it.

    Returns
    -------
    dict
        Word in its normal form → what it occurs as, too.
    """
    out: dict[str, Known] = {}
    for known, words in ((Known.NAME, _names(held_out=True)), (Known.PLACE, _places(held_out=True))):
        for word in words:
            if len(word) >= _SHORTEST and known not in lexicon.get(word, Known.NOTHING):
                out[word] = out.get(word, Known.NOTHING) | known
    for word in _rare_names(held_out=True):
        if _may_be_name(lexicon, word):
            out[word] = out.get(word, Known.NOTHING) | Known.NAME
    return out


def _may_be_name(lexicon: Mapping[str, Known], word: str) -> bool:
    """Tell whether a rare name counts as one: if the word is nothing else, or an eponym, which is somebody's name."""
    return lexicon.get(word, Known.NOTHING) in {Known.NOTHING, Known.EPONYM}


def _normal(words: Iterable[str]) -> Iterator[str]:
    for word in words:
        yield from normal_words(word)


def _lines(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line


def _clinical_lists() -> Iterator[Path]:
    for folder in sorted(WORDS.iterdir()):
        if folder.is_dir() and len(folder.name) == 2:
            yield from sorted(folder.glob("*.txt"))


def _everyday() -> Iterator[str]:
    for path in _clinical_lists():
        if path.stem not in _BRANDS:
            for line in _lines(path):
                yield from normal_words(line)
    for path in sorted((WORDS / "common").glob("*.txt")):
        if not path.name.endswith(_EPONYMS):
            for line in _lines(path):
                yield from normal_words(line)
    yield from _of_templates(is_name=False)
    counts = Counter(word for text in descriptions() for word in set(normal_words(text.text)))
    yield from (word for word, count in counts.items() if count >= _LEAST_DESCRIPTIONS)


def _of_templates(*, is_name: bool) -> Iterator[str]:
    """Return the words of the templates: those that are names and always have a capital there, or the others.

    Nobody is named in a template but by a slot: *Ross* is an operation in it, and a family all the same.
    """
    small: set[str] = set()
    large: set[str] = set()
    for path in sorted((HERE / "templates").glob("*.txt")):
        if not path.name.startswith("holdout_"):
            for line in _lines(path):
                for part in _SLOT.sub(" ", line).split():
                    (large if part.lstrip("('\"")[:1].isupper() else small).update(normal_words(part))
    named = (large - small).intersection(_names())
    yield from sorted(named if is_name else (large | small) - named)


def _eponyms() -> Iterator[str]:
    yield from _of_templates(is_name=True)
    for path in [*_clinical_lists(), *sorted((WORDS / "common").glob(f"*{_EPONYMS}"))]:
        if path.stem in _BRANDS or path.name.endswith(_EPONYMS):
            for line in _lines(path):
                yield from normal_words(line)


def _names(*, held_out: bool = False) -> Iterator[str]:
    for path in sorted((WORDS / "names").rglob("*.txt")):
        yield from _parts((entry for line in _lines(path) for entry in line.split("\t")), held_out=held_out)


def _rare_names(*, held_out: bool = False) -> Iterator[str]:
    """Yield names of which the lexicon takes up those that it knows as no word of every day."""
    with gzip.open(WORDS / "names" / "census.txt.gz", "rt", encoding="ascii") as lines:
        yield from (name for name in map(str.strip, lines) if is_held_out(name) == held_out)


def _places(*, held_out: bool = False) -> Iterator[str]:
    yield from _parts((line.split("\t")[0] for line in _lines(WORDS / "places" / "cities.txt")), held_out=held_out)


def _parts(entries: Iterable[str], *, held_out: bool) -> Iterator[str]:
    """Yield the words of names in all their spellings; of several words, not the short ones."""
    for entry in entries:
        if is_held_out(entry) == held_out:
            for spelling in spellings(entry.casefold()):
                words = normal_words(spelling)
                yield from (word for word in words if len(words) == 1 or len(word) >= _SHORTEST_PART)


def main() -> None:
    """Write both lists."""
    known = lexicon()
    for path, words in ((LEXICON, known), (NAMES, held_out_names(known))):
        path.write_text("".join(f"{word} {int(words[word])}\n" for word in sorted(words)), encoding="utf-8")
        counts = Counter(words.values())
        print(f"{path.name}: {len(words)} words:", *(f"{each!r} {count}" for each, count in counts.most_common()))  # noqa: T201


if __name__ == "__main__":
    main()
