"""Measure the network in use: `python -m models.ner.evaluate [FILE...]`.

It is run as the node runs it, alone, without rules or what a header tells: on generated texts of words that training
never sees (names of these aren't known then), on real descriptions that it never saw, and on files of labelled strings.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from random import Random

from deid.onnx import read_entry
from deid.text.ner import Ner
from deid.text.network import Network
from deid.text.spans import SpanKind
from deid.texts import TextClass
from models.ner.dataset import HERE, Sample, descriptions, generated, read_labelled
from models.ner.scores import Found, Scores, scored

SEED = 660_000_001
GENERATED = "generated"
_TYPES = {
    SpanKind.NAME: "NAME",
    SpanKind.DATE: "DATE",
    SpanKind.ID: "ID",
    SpanKind.PLACE: "PLACE",
    SpanKind.CONTACT: "CONTACT",
    SpanKind.AGE: "AGE",
}


def evaluated(network: Network, samples: list[Sample], text_class: TextClass, threshold: float) -> Scores:
    """Score the network in use.

    Parameters
    ----------
    network : Network
        The network.
    samples : list of Sample
        Labelled texts.
    text_class : TextClass
        As which they are read.
    threshold : float
        How probable it must be that a word identifies.

    Returns
    -------
    Scores
        The counts; the run time makes no difference between places and organisations.
    """
    finder = Ner(network, {text_class: threshold})

    def find(text: str) -> Found:
        return [(span.start, span.end, _TYPES.get(span.kind, "")) for span in finder.find(text, text_class)]

    return scored(samples, find)


def report(title: str, scores: Scores, seconds: float, texts: int, examples: int) -> None:
    """Print what was measured.

    Parameters
    ----------
    title : str
        What was read.
    scores : Scores
        The counts.
    seconds : float
        How long it took.
    texts : int
        How many they were.
    examples : int
        How many of the texts that went wrong are shown.
    """
    lines = [f"\n{title}: {texts} texts, {1000 * seconds / max(1, texts):.2f} ms each; {scores.line()}", scores.table()]
    for name, wrong in (("missed", scores.missed), ("altered", scores.altered)):
        lines += [f"  {name}: {parts} in {sample.text!r} ({sample.lang})" for sample, parts in wrong[:examples]]
    print("\n".join(lines))  # noqa: T201 - a command prints


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description="Measure the network in use.")
    parser.add_argument("files", nargs="*", type=Path, help="labelled strings, as GUIDE.md has them")
    parser.add_argument("--manifest", type=Path, default=HERE.parent, help="the folder that it is in")
    parser.add_argument("--threshold", type=float, default=0.5)
    parser.add_argument("--class", dest="text_class", type=TextClass, default=TextClass.COMMENTS)
    parser.add_argument("--generated", type=int, default=4000)
    parser.add_argument("--descriptions", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--examples", type=int, default=0, help="texts that went wrong to show")
    given = parser.parse_args()
    entry = read_entry(given.manifest, "ner")
    network, unknowing = Network(entry), Network(entry, knows_names=False)
    real = descriptions(held_out=True)
    chosen = Random(given.seed).sample(real, min(len(real), given.descriptions))  # noqa: S311 - repeatable
    sets: list[tuple[str, list[Sample], TextClass]] = [
        (GENERATED, generated(given.seed, given.generated, held_out=True), given.text_class),
        ("real descriptions", list(chosen), TextClass.DESCRIPTIONS),
        *((path.name, list(read_labelled(path)), given.text_class) for path in given.files),
    ]
    for title, samples, text_class in sets:
        if samples:
            began = time.perf_counter()
            reader = unknowing if title == GENERATED else network
            scores = evaluated(reader, samples, text_class, given.threshold)
            report(title, scores, time.perf_counter() - began, len(samples), given.examples)


if __name__ == "__main__":
    main()
