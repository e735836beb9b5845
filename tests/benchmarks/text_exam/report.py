"""Tables of an exam, its targets, and the line that a script reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random

from deid.text.lexicon import COMBINATIONS, Known
from deid.text.wordpiece import normal_words
from tests.benchmarks.target import Target
from tests.benchmarks.text_exam.alone import Alone
from tests.benchmarks.text_exam.marks import Marked, Marks, Share
from tests.benchmarks.text_exam.questions import GENERATED, REAL, Question, in_a_line
from tests.benchmarks.text_exam.systems import OURS, WITH, WITHOUT

REMOVED_WITH, REMOVED_WITHOUT = 0.98, 0.96
UNALTERED, KEPT, REAL_ALTERED = 0.97, 0.985, 0.01
MS, LOAD_S, RSS_MIB = 1.0, 1.0, 250.0
_OF_PEOPLE = frozenset({"NAME", "PATIENT", "RELATIVE", "STAFF"})
_INITIALS = 2
_GROUPS: Mapping[str, Callable[[Question], str]] = {
    "set": lambda question: question.source,
    "attribute": lambda question: question.attribute,
    "class": lambda question: question.text_class,
    "language": lambda question: question.lang,
    "kind": lambda question: ("generated " if question.source == GENERATED else "by hand ") + question.kind,
}

Sat = Mapping[str, Marks]


def targets(sat: Sat, alone: Alone, ms: float) -> list[Target]:
    """Return the acceptance lines, of all sets together and of the hand-written ones alone.

    Parameters
    ----------
    sat, alone
        what was marked and measured
    ms
        of CPU for a real description by all finders, the least of some times
    """
    both = (sat[WITH], sat[WITHOUT])
    out = []
    for where, some in (("all sets", lambda marks: marks.exam), ("hand-written", lambda marks: marks.by_hand)):
        with_, without = map(some, both)
        out += [
            Target(f"{where}: parts removed, with a helpful header", with_.removed.value, REMOVED_WITH),
            Target(f"{where}: parts removed, without", without.removed.value, REMOVED_WITHOUT),
            Target(f"{where}: clean strings unaltered (the worse)", _least(with_, without, "unaltered"), UNALTERED),
            Target(f"{where}: other words kept (the worse)", _least(with_, without, "kept"), KEPT),
        ]
    altered = max(marks.real.altered.value for marks in both)
    return [
        *out,
        Target("real descriptions altered (the worse)", altered, REAL_ALTERED, is_most=True),
        Target("ms of CPU for a real description, all finders", ms, MS, is_most=True),
        Target("ms of CPU for a real description, NER alone", alone.ms, MS, is_most=True),
        Target("seconds until the network is loaded", alone.load_s, LOAD_S, is_most=True),
        Target("MiB resident at most, process with NER alone", alone.peak_mib, RSS_MIB, is_most=True),
    ]


def _least(one: Marks, other: Marks, what: str) -> float:
    return min(getattr(one, what).value, getattr(other, what).value)


def sets(questions: Sequence[Question]) -> Iterator[str]:
    """Say what the sets are made of."""
    yield f"{'set':24}{'strings':>9}{'parts':>8}{'clean':>8}{'hard %':>9}{'not en %':>10}"
    groups = [(source, [each for each in questions if each.source == source]) for source in _sources(questions)]
    hand = [each for each in questions if each.is_by_hand]
    for name, some in [*groups, ("all hand-written", hand)]:
        count = max(1, len(some))
        hard = 100 * sum(each.kind == "hard" for each in some) / count
        foreign = 100 * sum(each.lang != "en" for each in some) / count
        parts, clean = sum(len(each.parts) for each in some), sum(not each.parts for each in some)
        yield f"{name:24}{len(some):9}{parts:8}{clean:8}{hard:9.1f}{foreign:10.1f}"


def known_names(questions: Sequence[Question], knows: Callable[[Question, str], int]) -> Iterator[str]:
    """Say how much of people's names the lexicon knows: an exam should not be easier than what others write."""
    yield f"{'names, by the lexicon':24}{'words':>9}{'unknown':>10}{'name':>8}{'and more':>10}{'no name':>9}   (%)"
    for source in _sources(questions):
        known = [
            knows(each, word)
            for each in questions
            if each.source == source
            for part in each.parts
            if part.type in _OF_PEOPLE
            for word in normal_words(each.text[part.start : part.end])
            if len(word) > _INITIALS
        ]
        if known:
            shares = (100 * sum(_how(each) == number for each in known) / len(known) for number in range(4))
            unknown, name, more, other = shares
            yield f"{source:24}{len(known):9}{unknown:10.1f}{name:8.1f}{more:10.1f}{other:9.1f}"


def _how(known: int) -> int:
    """Return 0 for a word that the lexicon doesn't know, 1 as a name, 2 as a name and more, 3 as something else."""
    if not known or known >= COMBINATIONS:
        return 0
    if not known & (Known.NAME | Known.PLACE):
        return 3
    return 2 if known & (Known.WORD | Known.EPONYM) else 1


def _sources(questions: Sequence[Question]) -> list[str]:
    return list(dict.fromkeys(each.source for each in questions))


def overview(sat: Sat) -> Iterator[str]:
    """Yield how each system did, with 95 % intervals."""
    for title, some in (
        ("all sets", lambda marks: marks.exam),
        ("generated", lambda marks: marks.of(lambda question: question.source == GENERATED)),
        ("hand-written", lambda marks: marks.by_hand),
    ):
        yield f"{title:18}{'parts removed %':>26}{'clean unaltered %':>26}{'other words kept %':>26}{'CPU ms':>9}"
        for name, marks in sat.items():
            chosen = some(marks)
            shares = (chosen.removed, chosen.unaltered, chosen.kept)
            yield f"  {name:16}" + "".join(f"{_shown(share):>26}" for share in shares) + f"{chosen.mean_ms:9.3f}"
        yield ""
    yield f"{'real descriptions':18}{'altered %':>26}{'words kept %':>26}{'CPU ms':>9}"
    for name, marks in sat.items():
        yield f"  {name:16}{_shown(marks.real.altered):>26}{_shown(marks.real.kept):>26}{marks.real.mean_ms:9.3f}"
    unexplained = max(marks.unexplained for marks in sat.values())
    yield f"strings whose result is more than what was found at first (compared word by word): {unexplained} at most"


def _shown(share: Share) -> str:
    if not share.whole:
        return "-"
    low, high = share.interval
    return f"{share} [{100 * low:.2f}-{100 * high:.2f}]"


def details(sat: Sat) -> Iterator[str]:
    """Yield parts removed by type, and all measures by attribute, language, set and kind."""
    exam = {name: marks.exam for name, marks in sat.items()}
    yield f"{'parts removed, by type':28}{'parts':>8}" + "".join(f"{name:>14}" for name in exam)
    by_type = {name: marks.by_type() for name, marks in exam.items()}
    for type_ in next(iter(by_type.values())):
        shares = [types[type_] for types in by_type.values()]
        yield f"  {type_:26}{shares[0].whole:8}" + "".join(f"{share!s:>14}" for share in shares)
    for heading, group in _GROUPS.items():
        yield ""
        yield (
            f"{'by ' + heading:28}{'parts':>8}"
            + "".join(f"{name:>14}" for name in exam)
            + f"{'clean':>9}{'unaltered':>11}{'without':>9}{'words':>8}{'kept':>8}{'without':>9}"
        )
        for name in sorted({group(each.question) for each in exam[WITH].marked}):
            yield _row(name, {system: marks.of(_is(group, name)) for system, marks in exam.items()})


def _is(group: Callable[[Question], str], name: str) -> Callable[[Question], bool]:
    return lambda question: group(question) == name


def _row(name: str, some: Sat) -> str:
    with_, without = some[WITH], some[WITHOUT]
    return (
        f"  {name:26}{with_.removed.whole:8}"
        + "".join(f"{marks.removed!s:>14}" for marks in some.values())
        + f"{with_.unaltered.whole:9}{with_.unaltered!s:>11}{without.unaltered!s:>9}"
        + f"{with_.kept.whole:8}{with_.kept!s:>8}{without.kept!s:>9}"
    )


def examples(sat: Sat, most: int, seed: int) -> Iterator[str]:
    """Yield strings that went wrong, drawn by chance: nothing real is among them but public descriptions."""
    chance = Random(f"show {seed}")
    for system in (WITHOUT, WITH):
        marks = sat[system]
        missed = [each for each in marks.marked if not all(each.removed)]
        over = [each for each in marks.marked if each.kept < each.words or (each.is_clean and each.answer.is_altered)]
        for title, some in (("missed", missed), ("cut too much", over)):
            yield f"\n{system}: {title}, {min(most, len(some))} of {len(some)} strings"
            for each in chance.sample(some, min(most, len(some))):
                yield from _example(each)


def _example(each: Marked) -> Iterator[str]:
    question = each.question
    parts = zip(question.parts, each.removed, strict=True)
    left = ", ".join(f"{part.type} {question.text[part.start : part.end]!r}" for part, is_gone in parts if not is_gone)
    yield f"  {question.source} {question.lang} {question.attribute} {question.kind}{f'  left: {left}' if left else ''}"
    yield f"    in   {question.marked()}"
    yield f"    out  {in_a_line(each.answer.out or '')}"


def figures(sat: Sat, alone: Alone, ms: float, seed: int, *, ahead: bool | None) -> str:
    """Return the line that a script reads."""
    said: dict[str, object] = {"seed": seed, "strings": len(sat[WITH].marked)}
    for where, some in (("all", lambda marks: marks.exam), ("hand", lambda marks: marks.by_hand)):
        for system, key in ((WITH, "with"), (WITHOUT, "without")):
            marks = some(sat[system])
            said |= {
                f"{where}_{key}_removed": _number(marks.removed),
                f"{where}_{key}_unaltered": _number(marks.unaltered),
                f"{where}_{key}_kept": _number(marks.kept),
            }
    for system in OURS[:3]:
        said[f"{system}_removed"] = _number(sat[system].exam.removed)
        said[f"{system}_kept"] = _number(sat[system].exam.kept)
    worst = max((sat[WITH].real.altered, sat[WITHOUT].real.altered), key=lambda share: share.part)
    said |= {
        f"{REAL}_altered": _number(worst),
        "ms": f"{ms:.3f}",
        "ner_ms": f"{alone.ms:.3f}",
        "load_s": f"{alone.load_s:.3f}",
        "rss_mib": f"{alone.peak_mib:.1f}",
        "ahead_of_peers": "not-asked" if ahead is None else str(ahead).lower(),
        "targets_missed": sum(not target.is_met for target in targets(sat, alone, ms)),
    }
    return "text-exam " + " ".join(f"{key}={value}" for key, value in said.items())


def _number(share: Share) -> str:
    return f"{share.value:.4f}"
