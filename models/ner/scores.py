"""How well spans are found: what of each identifying part is covered, and what else is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from models.ner.dataset import Sample, plain_type

Found = Sequence[tuple[int, int, str]]


@dataclass
class Tally:
    """Counts of one group of texts or entities."""

    entities: int = 0
    covered: int = 0
    touched: int = 0
    named: int = 0
    clean: int = 0
    altered: int = 0
    spans: int = 0
    right: int = 0


@dataclass
class Scores:
    """Counts by type, by kind of text and by language, and the texts that went wrong.

    Attributes
    ----------
    groups
        what is counted, by a heading and a name
    missed
        texts with parts that were not covered, and those parts
    altered
        texts in which nothing identifies, and what was found there
    """

    groups: dict[tuple[str, str], Tally] = field(default_factory=lambda: defaultdict(Tally))
    missed: list[tuple[Sample, list[str]]] = field(default_factory=list)
    altered: list[tuple[Sample, list[str]]] = field(default_factory=list)

    def add(self, sample: Sample, found: Found) -> None:
        """Count one text.

        Parameters
        ----------
        sample : Sample
            The text as it is labelled.
        found : sequence
            Start, end and label of what was found.
        """
        texts = [self.groups["all", ""], self.groups["kind", sample.kind], self.groups["language", sample.lang]]
        covered = {at for start, end, _ in found for at in range(start, end)}
        missed = []
        for start, end, label in sample.spans:
            kind = plain_type(label)
            wanted = [at for at in range(start, end) if sample.text[at].isalnum()]
            over = [each for each in found if each[0] < end and each[1] > start]
            is_covered = all(at in covered for at in wanted)
            if not is_covered:
                missed.append(f"{kind} {sample.text[start:end]}")
            for tally in (*texts, self.groups["type", kind]):
                tally.entities += 1
                tally.covered += is_covered
                tally.touched += bool(over)
                tally.named += any(_alike(each[2], kind) for each in over)
        right = sum(any(start < span[1] and end > span[0] for span in sample.spans) for start, end, _ in found)
        for tally in texts:
            tally.spans += len(found)
            tally.right += right
            tally.clean += not sample.spans
            tally.altered += bool(found) and not sample.spans
        if missed:
            self.missed.append((sample, missed))
        if found and not sample.spans:
            self.altered.append((sample, [f"{label} {sample.text[start:end]}" for start, end, label in found]))

    def line(self) -> str:
        """Return the most important figures in a line."""
        tally = self.groups["all", ""]
        return (
            f"covered {_share(tally.covered, tally.entities)} of {tally.entities}, "
            f"clean texts altered {_share(tally.altered, tally.clean)} of {tally.clean}, "
            f"spans right {_share(tally.right, tally.spans)}"
        )

    def table(self) -> str:
        """Return all figures, a line each."""
        widths = {"entities": 9, "covered": 9, "touched": 9, "type ok": 9, "clean": 8, "altered": 9, "spans ok": 9}
        head = " " * 28 + "".join(f"{name:>{width}}" for name, width in widths.items())
        lines = [head]
        for (heading, name), tally in sorted(self.groups.items()):
            lines.append(
                f"{heading + ' ' + name:28}{tally.entities:9}{_share(tally.covered, tally.entities):>9}"
                f"{_share(tally.touched, tally.entities):>9}{_share(tally.named, tally.touched):>9}"
                f"{tally.clean:8}{_share(tally.altered, tally.clean):>9}{_share(tally.right, tally.spans):>9}"
            )
        return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.4f}" if whole else "-"


def scored(samples: Iterable[Sample], find: Callable[[str], Found]) -> Scores:
    """Score a finder.

    Parameters
    ----------
    samples : iterable of Sample
        Labelled texts.
    find : callable
        What returns start, end and label of what it finds in a text.

    Returns
    -------
    Scores
        The counts.
    """
    scores = Scores()
    for sample in samples:
        scores.add(sample, find(sample.text))
    return scores


def _alike(one: str, other: str) -> bool:
    """Tell whether types are taken out alike: the run time makes no difference between places and organisations."""
    return one == other or {one, other} == {"PLACE", "ORG"}
