"""The check of what templates and word lists say: broken lines, unknown slots, duplicates, and counts."""

from collections import Counter
from collections.abc import Iterator

from models.ner.generate import frames, templates
from models.ner.generate.lists import WORDS
from models.ner.generate.mix import LANGUAGES
from models.ner.generate.slots import MAKERS, WORD_SLOTS, known
from models.ner.generate.templates import Broken, Template
from models.ner.generate.words import descriptions, listed


def faults(found: list[Template | Broken]) -> Iterator[str]:
    """
    Go through what is wrong.

    Yields
    ------
    str
        A broken line, a template that stands twice, one that its kind does not fit, a slot without a list.
    """
    seen: dict[tuple[str, str], str] = {}
    for template in found:
        if isinstance(template, Broken):
            yield f"broken: {template}"
            continue
        key = (template.lang, " ".join(template.line.casefold().split()))
        if key in seen:
            yield f"twice: {template.where} and {seen[key]}: {template.line}"
        seen.setdefault(key, template.where)
        if template.lang not in LANGUAGES:
            yield f"unused: {template.where} is of {template.lang}, which has no share"
        yield from misfits(template)
    for lang in LANGUAGES:
        missing = [slot for slot in sorted(WORD_SLOTS) if not listed(lang, slot)]
        missing += [slot for slot in frames.ready(lang) if slot not in missing]
        if missing:
            yield f"no list, not even in English: {lang}: {' '.join(missing)}"


def misfits(template: Template) -> Iterator[str]:
    """
    Go through the slots of a template that its kind must not have.

    Yields
    ------
    str
        An identifying slot of a clean template.
    """
    for slot in templates.slots_of(template.tree):
        if template.kind == "clean" and identifies(slot):
            yield f"not clean: {template.where}: {{{slot.key}}}: {template.line}"


def identifies(slot: templates.Slot) -> bool:
    """
    Tell whether a slot's filler is marked.

    Returns
    -------
    bool
        True for all slots that GUIDE.md's table gives a label.
    """
    return bool(MAKERS[slot.base][1])


def report() -> tuple[list[str], int]:
    """
    Check all.

    Returns
    -------
    tuple
        The lines to print, and the number of faults.
    """
    paths = templates.files(held_out=False) + templates.files(held_out=True)
    found = [line for path in paths for line in templates.lines(path, known)]
    wrong = list(faults(found))
    good = [line for line in found if isinstance(line, Template)]
    held = [line for line in good if line.where.startswith(templates.HELD_OUT)]
    out = [*wrong, f"{len(good)} templates in {len(paths)} files, {len(held)} of them held out; {len(wrong)} faults"]
    counts = Counter((line.lang, line.kind) for line in good if not line.where.startswith(templates.HELD_OUT))
    out.append("lang  " + " ".join(f"{kind:>7}" for kind in templates.KINDS))
    out += [
        f"{lang:<5} " + " ".join(f"{counts[lang, kind]:>7}" for kind in templates.KINDS)
        for lang in sorted({lang for lang, _ in counts})
    ]
    slots = Counter(slot.base for line in good for slot in templates.slots_of(line.tree))
    out.append("slots: " + ", ".join(f"{slot} {count}" for slot, count in slots.most_common()))
    lists = Counter(path.parent.name for path in WORDS.glob("??/*.txt"))
    out.append("lists: " + ", ".join(f"{lang} {count}" for lang, count in sorted(lists.items())))
    out.append(f"descriptions: {len(descriptions(False))} for training, {len(descriptions(True))} held out")  # noqa: FBT003
    return out, len(wrong)
