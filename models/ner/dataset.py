"""What the network learns from and is measured on: labelled texts, in pieces, in batches."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Protocol

import numpy as np

from deid.text.letters import Letters
from deid.text.lexicon import COMBINATIONS, Known, parse_lexicon
from deid.text.windows import windows
from deid.text.wordpiece import Encoding, WordPiece, read_vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

HERE = Path(__file__).parent
VOCABULARY = HERE / "vocab.txt"
LEXICON = HERE / "lexicon.txt"
NAMES = HERE / "names.txt"
LETTERS = HERE / "letters.bin"
DESCRIPTIONS = HERE / "words" / "descriptions.txt.gz"
TYPES = ("NAME", "DATE", "ID", "PLACE", "ORG", "CONTACT", "AGE")
LABELS = ("O", *(f"{part}-{kind}" for kind in TYPES for part in "BI"))
PERSONS = ("PATIENT", "RELATIVE", "STAFF")
IGNORED = -100
BLOCK = 8192
HELD_OUT_BELOW = 26
# Of a hundred words in labelled strings of other authors, the lexicon doesn't know 1 to 6, of their names 8 to 25.
FORGOTTEN, FORGOTTEN_IDENTIFYING = 0.12, 0.4
FORGOTTEN_AS_NAME = 0.1
_NAMED, _MEANT = Known.NAME | Known.PLACE, Known.WORD | Known.EPONYM
_LOOK = 64  # what is known of a word and how it looks, in one number

_SPAN = re.compile(r"\[\[([A-Z]+):((?:[^\]]|\](?!\]))*)\]\]")
_ESCAPE = re.compile(r"\\(n|\\)")
_ESCAPED = {"n": "\n", "\\": "\\"}


class Sample(Protocol):
    """A labelled text, as the generator makes them."""

    @property
    def text(self) -> str:
        """What is written."""

    @property
    def spans(self) -> Sequence[tuple[int, int, str]]:
        """Start, end and label of what identifies."""

    @property
    def lang(self) -> str:
        """Its language."""

    @property
    def kind(self) -> str:
        """Which sort of text it is."""


@dataclass(frozen=True, slots=True)
class Text:
    """A labelled text of our own; the attributes are those of `Sample`."""

    text: str
    spans: tuple[tuple[int, int, str], ...] = ()
    lang: str = "en"
    kind: str = "clean"


@dataclass(frozen=True, slots=True)
class Example:
    """A stretch of a text that fits into the network.

    Attributes
    ----------
    ids, shapes, known, labels
        of its pieces, ``[CLS]`` and ``[SEP]`` among them
    weight
        how much it counts
    """

    ids: NDArray[np.int32]
    shapes: NDArray[np.int8]
    known: NDArray[np.int8]
    labels: NDArray[np.int16]
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples of about one length, padded.

    Attributes
    ----------
    ids, shapes, known, mask, labels
        [b, t]; the label of what doesn't count is `IGNORED`
    weights
        [b]
    identifying
        [b], whether there is anything
    """

    ids: NDArray[np.int32]
    shapes: NDArray[np.int8]
    known: NDArray[np.int8]
    mask: NDArray[np.bool_]
    labels: NDArray[np.int16]
    weights: NDArray[np.float32]
    identifying: NDArray[np.float32]


def read_labelled(path: Path) -> list[Text]:
    """Read a file of labelled strings.

    Parameters
    ----------
    path : Path
        Lines of language, attribute, kind and text, as GUIDE.md has them.

    Returns
    -------
    list of Text
        In their order; the kind is the attribute and the kind, with a slash.

    Raises
    ------
    ValueError
        If a line has no four fields or an unknown label.
    """
    out = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != 4:
            raise ValueError(f"{path.name}:{number}: {len(fields)} fields")
        try:
            out.append(labelled(fields[3], fields[0], f"{fields[2]}/{fields[1]}"))
        except ValueError as error:
            raise ValueError(f"{path.name}:{number}: {error}") from None
    return out


def labelled(written: str, lang: str, kind: str) -> Text:
    """Take the marks out of a text.

    Parameters
    ----------
    written : str
        A text in which a span is ``[[TYPE:...]]``.
    lang, kind : str
        Of the text.

    Returns
    -------
    Text
        The text and its spans.

    Raises
    ------
    ValueError
        If a label is unknown.
    """
    text, spans, at = "", [], 0
    for match in _SPAN.finditer(written):
        text += _unescaped(written[at : match.start()])
        label = plain_type(match.group(1))
        inner = _unescaped(match.group(2))
        spans.append((len(text), len(text) + len(inner), label))
        text += inner
        at = match.end()
    text += _unescaped(written[at:])
    return Text(text, tuple(spans), lang, kind)


def plain_type(label: str) -> str:
    """Say which of the network's types a label is.

    Parameters
    ----------
    label : str
        A type, or one that says more exactly whose name it is.

    Returns
    -------
    str
        One of `TYPES`.

    Raises
    ------
    ValueError
        If it is unknown.
    """
    if label in PERSONS:
        return "NAME"
    if label not in TYPES:
        raise ValueError(f"no label: {label}")
    return label


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda match: _ESCAPED[match.group(1)], text)


def is_held_out(entry: str) -> bool:
    """Say whether an entry of a word list is kept from training.

    Parameters
    ----------
    entry : str
        A name, a place, an organisation or a description.

    Returns
    -------
    bool
        Whether only the exam may use it.
    """
    return hashlib.sha256(entry.casefold().encode()).digest()[0] < HELD_OUT_BELOW


def descriptions(*, held_out: bool = False) -> list[Text]:
    """Read the real public descriptions, in which nothing identifies.

    Parameters
    ----------
    held_out : bool
        Those of the exam instead of those of training.

    Returns
    -------
    list of Text
        None if the list isn't there.
    """
    if not DESCRIPTIONS.exists():
        return []
    with gzip.open(DESCRIPTIONS, "rt", encoding="utf-8") as lines:
        entries = [line.rstrip("\n") for line in lines if not line.startswith("#")]
    return [Text(entry, kind="real") for entry in entries if entry.strip() and is_held_out(entry) == held_out]


def piece_labels(encoding: Encoding, spans: Sequence[tuple[int, int, str]]) -> list[int]:
    """Label pieces.

    Parameters
    ----------
    encoding : Encoding
        The pieces of a text.
    spans : sequence
        Start, end and label of what identifies in it.

    Returns
    -------
    list of int
        A position in `LABELS` for each piece.
    """
    out = [0] * len(encoding)
    for start, end, label in spans:
        first = 1 + 2 * TYPES.index(plain_type(label))
        inside = [at for at in range(len(encoding)) if encoding.starts[at] < end and encoding.ends[at] > start]
        for at in inside:
            out[at] = first + (at > inside[0])
    return out


def tokeniser(looks: Mapping[str, int] | None = None) -> WordPiece:
    """Return what cuts texts, with the lexicon and the letters, as the node has it.

    Parameters
    ----------
    looks : mapping, optional
        For training: what each word of the lexicon looks like to who doesn't know it, so that it can be forgotten.

    Returns
    -------
    WordPiece
        With `looks`, what is known of a word is told in a way that `examples` alone understands.
    """
    lexicon = parse_lexicon(LEXICON.read_text(encoding="utf-8"))
    if looks is not None:
        lexicon = {
            word: known + _LOOK * (1 + looks[word]) if word in looks else known for word, known in lexicon.items()
        }
    return WordPiece(read_vocabulary(VOCABULARY), lexicon, Letters(LETTERS.read_bytes()))


def examples(
    sample: Sample, tokeniser: WordPiece, weight: float = 1.0, forgetting: Random | None = None
) -> list[Example]:
    """Make a text fit for the network.

    Parameters
    ----------
    sample : Sample
        A labelled text.
    tokeniser : WordPiece
        What cuts it.
    weight : float
        How much it counts.
    forgetting : Random
        For training: makes the lexicon not know some of the words.

    Returns
    -------
    list of Example
        One, or several that overlap if it is long.
    """
    encoding = tokeniser.encode(sample.text)
    labels = piece_labels(encoding, sample.spans)
    if forgetting is None:
        known = [each % _LOOK for each in encoding.known]
    else:
        known = partly_known(encoding, labels, forgetting)
    return [
        Example(
            np.array([tokeniser.first, *encoding.ids[start:end], tokeniser.last], np.int32),
            np.array([0, *encoding.shapes[start:end], 0], np.int8),
            np.array([0, *known[start:end], 0], np.int8),
            np.array([IGNORED, *labels[start:end], IGNORED], np.int16),
            weight,
        )
        for start, end in ((window.start, window.end) for window in windows(sample.text, encoding))
    ]


def partly_known(encoding: Encoding, labels: Sequence[int], chance: Random) -> list[int]:
    """Forget some words of the lexicon: more of what identifies, of which the world has more than any lexicon.

    What is forgotten looks as it does to who never saw it. Of few words that are a name and something else, the name
    alone is forgotten: if it were of many, the network would learn that eponyms are people; were it of none, that what
    is known as a word is nobody.

    Parameters
    ----------
    encoding : Encoding
        The pieces of a text.
    labels : sequence of int
        Of the pieces.
    chance : Random
        What chooses.

    Returns
    -------
    list of int
        What is known of each piece's word.
    """
    dice: dict[int, float] = {}
    out = []
    for at, packed in enumerate(encoding.known):
        word = encoding.words[at]
        if word not in dice:
            dice[word] = chance.random()
        look, known = divmod(packed, _LOOK)
        forgotten = FORGOTTEN_IDENTIFYING if labels[at] else FORGOTTEN
        if known < COMBINATIONS and dice[word] < forgotten:
            known = COMBINATIONS + look - 1 if look else 0
        elif known < COMBINATIONS and labels[at] and known & _NAMED and dice[word] < forgotten + FORGOTTEN_AS_NAME:
            known = known & _MEANT or known
        out.append(known)
    return out


def padded(group: Sequence[Example], pad: int) -> Batch:
    """Put examples side by side.

    Parameters
    ----------
    group : sequence of Example
        At least one.
    pad : int
        The id of padding.

    Returns
    -------
    Batch
        As long as the longest of them, or a little longer.
    """
    shape = (len(group), rounded(max(len(example.ids) for example in group)))
    ids, shapes, known = np.full(shape, pad, np.int32), np.zeros(shape, np.int8), np.zeros(shape, np.int8)
    labels, mask = np.full(shape, IGNORED, np.int16), np.zeros(shape, np.bool_)
    for row, example in enumerate(group):
        end = len(example.ids)
        ids[row, :end], shapes[row, :end], labels[row, :end] = example.ids, example.shapes, example.labels
        known[row, :end] = example.known
        mask[row, :end] = True
    weights = np.array([example.weight for example in group], np.float32)
    return Batch(ids, shapes, known, mask, labels, weights, (labels > 0).any(axis=1).astype(np.float32))


def rounded(length: int) -> int:
    """Round a length up: each new size of a batch costs a third more than one that was there before.

    Parameters
    ----------
    length : int
        Of an example, in pieces.

    Returns
    -------
    int
        One of few lengths.
    """
    coarse = 2 if length <= 16 else 4 if length <= 48 else 8
    return -(-length // coarse) * coarse


def grouped(sized: Sequence[Example], most: int) -> list[list[int]]:
    """Group examples of like length, so that batches are of few sizes.

    Parameters
    ----------
    sized : sequence of Example
        In any order.
    most : int
        Pieces, padding counted, that a group may have.

    Returns
    -------
    list of list of int
        Positions of examples, longest first.
    """
    order = sorted(range(len(sized)), key=lambda at: -len(sized[at].ids))
    out: list[list[int]] = []
    done = 0
    while done < len(order):
        room = max(1, most // rounded(len(sized[order[done]].ids)))
        out.append(order[done : done + room])
        done += room
    return out


@dataclass(frozen=True)
class Feed:
    """What training reads, block after block; block k is the same however one came to it.

    Parameters
    ----------
    seed : int
        Of all blocks.
    most : int
        Pieces in a batch.
    mined : tuple of Text
        Clean texts that a network marked wrongly.
    mined_share : float
        How much of a block is such texts, at most.
    mined_weight : float
        How much such a text counts.
    """

    seed: int
    most: int = 1024
    mined: tuple[Text, ...] = ()
    mined_share: float = 0.05
    mined_weight: float = 2.0

    def block(self, number: int, tokeniser: WordPiece) -> list[Batch]:
        """Make a block.

        Parameters
        ----------
        number : int
            Which.
        tokeniser : WordPiece
            What cuts texts.

        Returns
        -------
        list of Batch
            Longest texts first.
        """
        seed = self.seed * 1_000_000 + number
        chance = Random(seed)  # noqa: S311 - chance that can be repeated, nothing secret
        group = [part for sample in generated(seed, BLOCK) for part in examples(sample, tokeniser, 1.0, chance)]
        extra = chance.sample(self.mined, min(len(self.mined), int(BLOCK * self.mined_share)))
        group += [part for sample in extra for part in examples(sample, tokeniser, self.mined_weight, chance)]
        chance.shuffle(group)
        return [padded([group[at] for at in positions], tokeniser.pad) for positions in grouped(group, self.most)]


def generated(seed: int, count: int, *, held_out: bool = False) -> list[Sample]:
    """Make labelled texts.

    Parameters
    ----------
    seed, count : int
        Which, and how many.
    held_out : bool
        Whether of the words that only the exam may use.

    Returns
    -------
    list of Sample
        Always the same ones.
    """
    from models.ner.generate import samples  # noqa: PLC0415 - reading a labelled file needs no generator

    return list(islice(samples(seed, held_out=held_out), count))
