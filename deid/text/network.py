"""The network that reads free text: loaded once, it says of each word how probably it identifies somebody, and as what.

A text is read in windows, each alone: a quantised network scales its values by all that it is given at once, so that in
a batch a text's result would depend on its neighbours, and equal instances would not always give equal bytes.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from deid.errors import Misconfigured
from deid.onnx import Entry, Session
from deid.text.letters import Letters
from deid.text.lexicon import parse_lexicon, united, without
from deid.text.windows import Window, windows
from deid.text.wordpiece import Encoding, Shape, WordPiece
from deid.texts import LOWEST_THRESHOLD, TextClass

LABELS = ("NAME", "DATE", "ID", "PLACE", "ORG", "CONTACT", "AGE")
"""What a word can be; the network has B- and I- of each, after O."""

_INPUTS = ("input_ids", "shape_ids", "lexicon_ids", "attention_mask")
_OUTPUT = "logits"
_FILES = ("vocabulary", "lexicon", "names", "letters")
_CLASSES = ["O", *(f"{part}-{label}" for label in LABELS for part in "BI")]

_MOST_CHARACTERS_REMEMBERED = 1 << 21
_LONGEST_REMEMBERED_CHARACTERS = 1 << 14
_CHARACTERS_OF_AN_ENTRY = 64  # what remembering costs beside the text

Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Word:
    """A word that may identify somebody.

    Attributes
    ----------
    start, end
        of the half-open range in the text, in characters
    probability
        that it is a part of anything that identifies
    label
        one of `LABELS`: what it is most probably then
    begins
        whether it is more probably the first word of what it belongs to than a later one
    known
        what a lexicon knows of it (`deid.text.lexicon.Known`), or how it looks (see `deid.text.wordpiece.Encoding`)
    """

    start: int
    end: int
    probability: float
    label: str
    begins: bool
    known: int = 0


class Network:
    """The network of the manifest's table ``[ner]``.

    Parameters
    ----------
    entry
        the table
    knows_names
        whether the names are known that the network was kept from while it learnt; in an exam of names that nobody
        knows, nothing is known of them, not even that one is a word or an eponym as well

    Attributes
    ----------
    identity
        what its results depend on: digests of network, vocabulary, lexicon, names and letters
    thresholds
        those that were found to be good for it, by class of text

    Raises
    ------
    Misconfigured
        A file is missing or altered, or isn't what the manifest says, or the manifest not what this code reads.
    """

    def __init__(self, entry: Entry, *, knows_names: bool = True) -> None:
        self._check(entry)
        extra = entry.extra
        self.identity = " ".join((entry.sha256, *(extra[f"{file}_sha256"] for file in _FILES)))
        if not knows_names:
            self.identity += " without names"
        self.thresholds = _thresholds(entry)
        vocabulary, lexicon, names, letters = (entry.content(extra[file], extra[f"{file}_sha256"]) for file in _FILES)
        pieces = vocabulary.decode("utf-8").removesuffix("\n").split("\n")
        try:
            known = parse_lexicon(lexicon.decode("utf-8"))
            others = parse_lexicon(names.decode("utf-8"))
            known = united(known, others) if knows_names else without(known, others)
            self.pieces = WordPiece(pieces, known, Letters(letters))
        except ValueError as error:
            raise Misconfigured(f"model {entry.name}: {error}") from None
        self._session = Session(entry)
        self._remembered: OrderedDict[str, tuple[Word, ...]] = OrderedDict()
        self._characters = 0

    @staticmethod
    def _check(entry: Entry) -> None:
        for key in (f"{file}{suffix}" for file in _FILES for suffix in ("", "_sha256")):
            if not isinstance(entry.extra.get(key), str):
                entry.wrong(f"{key} must be there and be text in quotes")
        if entry.extra.get("labels") != _CLASSES:
            entry.wrong(f"labels must be {_CLASSES}")
        if set(entry.inputs) != set(_INPUTS) or set(entry.outputs) != {_OUTPUT}:
            entry.wrong(f"inputs must be {', '.join(_INPUTS)}, the output {_OUTPUT}")
        if any(len(entry.inputs[name].shape) != 2 for name in _INPUTS):
            entry.wrong("inputs must be of two dimensions: texts, pieces")
        if entry.outputs[_OUTPUT].shape[2:] != (len(_CLASSES),):
            entry.wrong(f"{_OUTPUT} must be of three dimensions: texts, pieces, {len(_CLASSES)}")

    def words(self, text: str) -> tuple[Word, ...]:
        """Return the words of a text that the network doesn't take for harmless, in order; remembered.

        Parameters
        ----------
        text
            any text
        """
        found = self._remembered.get(text)
        if found is not None:
            self._remembered.move_to_end(text)
            return found
        found = self._read(text)
        if len(text) <= _LONGEST_REMEMBERED_CHARACTERS:
            self._remember(text, found)
        return found

    def _remember(self, text: str, found: tuple[Word, ...]) -> None:
        self._remembered[text] = found
        self._characters += len(text) + _CHARACTERS_OF_AN_ENTRY * (1 + len(found))
        while self._characters > _MOST_CHARACTERS_REMEMBERED:
            old, words = self._remembered.popitem(last=False)
            self._characters -= len(old) + _CHARACTERS_OF_AN_ENTRY * (1 + len(words))

    def _read(self, text: str) -> tuple[Word, ...]:
        encoding = self.pieces.encode(text)
        if not any(shape != Shape.OTHER for shape in encoding.shapes):
            return ()
        scores = np.empty((len(encoding), len(_CLASSES)), np.float32)
        for window in windows(text, encoding):
            scores[window.first : window.last] = self._scores(encoding, window)
        return tuple(_words(text, encoding, scores))

    def _scores(self, encoding: Encoding, window: Window) -> Scores:
        """Return the probabilities of the pieces that a window decides about."""
        pieces = self.pieces
        ids = [pieces.first, *encoding.ids[window.start : window.end], pieces.last]
        shapes = [Shape.SPECIAL, *encoding.shapes[window.start : window.end], Shape.SPECIAL]
        known = [0, *encoding.known[window.start : window.end], 0]
        given = (np.array([ids]), np.array([shapes]), np.array([known]), np.ones((1, len(ids))))
        (logits,) = self._session.run(dict(zip(_INPUTS, given, strict=True)))
        skipped = 1 + window.first - window.start
        return _softmax(logits[0, skipped : skipped + window.last - window.first])


def _softmax(logits: npt.NDArray[Any]) -> Scores:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    out: Scores = powers / powers.sum(axis=-1, keepdims=True)
    return out


def _thresholds(entry: Entry) -> Mapping[TextClass, float]:
    raw = entry.extra.get("thresholds", {})
    try:
        return {TextClass(name): float(value) for name, value in raw.items()}
    except (AttributeError, TypeError, ValueError):
        entry.wrong(f"thresholds are numbers, for {', '.join(TextClass)}")


# From pieces to words

_RUN = re.compile(r"\d+|[^\W\d_]+")
_LONG_NUMBER, _LONG_LETTERS = 6, 3


def _words(text: str, encoding: Encoding, scores: Scores) -> list[Word]:
    """Return the words of which any piece may be other than O."""
    doubtful = np.flatnonzero(1.0 - scores[:, 0] >= LOWEST_THRESHOLD)
    out: list[Word] = []
    last = -1
    for piece in map(int, doubtful):
        word = encoding.words[piece]
        if word != last:
            out.extend(_of_one(text, encoding, scores, piece))
            last = word
    return out


def _of_one(text: str, encoding: Encoding, scores: Scores, piece: int) -> list[Word]:
    """Return the word of a piece, or what it is made of, where a name and a date or number stick together."""
    word, last_piece = encoding.words[piece], len(encoding) - 1
    first = last = piece
    while first and encoding.words[first - 1] == word:
        first -= 1
    while last < last_piece and encoding.words[last + 1] == word:
        last += 1
    pieces = range(first, last + 1)
    if encoding.shapes[first] != Shape.DIGITS_AND_LETTERS:
        return _judged(encoding, scores, pieces)
    runs = [match.span() for match in _RUN.finditer(text, encoding.starts[first], encoding.ends[last])]
    is_glued = len(runs) > 1 and all(
        end - start >= (_LONG_NUMBER if text[start].isdigit() else _LONG_LETTERS) for start, end in runs
    )
    if not is_glued:
        return _judged(encoding, scores, pieces)
    inside = ([at for at in pieces if start <= encoding.starts[at] < end] for start, end in runs)
    return [judged for part in inside if part for judged in _judged(encoding, scores, part)]


def _judged(encoding: Encoding, scores: Scores, pieces: range | list[int]) -> list[Word]:
    own = scores[pieces[0] : pieces[-1] + 1]
    probability = float((1.0 - own[:, 0]).max())
    if probability < LOWEST_THRESHOLD:
        return []
    begin, inside = own[:, 1::2], own[:, 2::2]
    label = int((begin + inside).sum(axis=0).argmax())
    begins = bool(begin[0, label] > inside[0, label])
    known = encoding.known[pieces[0]]
    return [Word(encoding.starts[pieces[0]], encoding.ends[pieces[-1]], probability, LABELS[label], begins, known)]
