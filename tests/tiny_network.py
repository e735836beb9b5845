"""A network for free text as small as can be: it knows a few words by heart. Written byte by byte, without `onnx`.

Its files have the form of the shipped ones (manifest, vocabulary, lexicon, ONNX), so that all that reads them can be
tested.
"""

from __future__ import annotations

import hashlib
import math
import string
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

from deid.text.letters import WEIGHTS
from deid.text.network import LABELS
from deid.text.wordpiece import Shape

CLASSES = ["O", *(f"{part}-{label}" for label in LABELS for part in "BI")]
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_FLOAT, _INT64 = 1, 7
_NEVER = -30.0

Knows = Mapping[str, tuple[str, float]]
"""Piece → class and probability: ``{"kowalski": ("B-NAME", 0.9)}``."""


def write_models(folder: Path, knows: Knows, *, digits: tuple[str, float] = ("O", 1.0), extra: str = "") -> Path:
    """Write manifest, vocabulary, lexicon and network into a folder.

    Parameters
    ----------
    folder
        made if it isn't there
    knows
        words, lower-cased, that it takes for more than O
    digits
        what it takes pieces of more than three digits for
    extra
        more lines for the manifest's table
    """
    vocabulary = _vocabulary(knows)
    network = network_bytes(vocabulary, knows, digits)
    pieces = "".join(f"{piece}\n" for piece in vocabulary).encode()
    (folder / "ner").mkdir(parents=True, exist_ok=True)
    (folder / "ner" / "ner.onnx").write_bytes(network)
    (folder / "ner" / "vocab.txt").write_bytes(pieces)
    lexicon = (
        b"anna 4\nknee 1\niga 1\nstone 5\nbaker 7\nhausarzt 1\nfoley 6\ngrase 1\nquolla 2\npemberton 6\nbragard 2\n"
    )
    names, letters = b"knee 4\nolena 4\n", bytes(WEIGHTS)
    (folder / "ner" / "lexicon.txt").write_bytes(lexicon)
    (folder / "ner" / "names.txt").write_bytes(names)
    (folder / "ner" / "letters.bin").write_bytes(letters)
    (folder / "manifest.toml").write_text(
        f"""
[ner]
file = "ner/ner.onnx"
sha256 = "{hashlib.sha256(network).hexdigest()}"
bytes = {len(network)}
vocabulary = "ner/vocab.txt"
vocabulary_sha256 = "{hashlib.sha256(pieces).hexdigest()}"
lexicon = "ner/lexicon.txt"
lexicon_sha256 = "{hashlib.sha256(lexicon).hexdigest()}"
names = "ner/names.txt"
names_sha256 = "{hashlib.sha256(names).hexdigest()}"
letters = "ner/letters.bin"
letters_sha256 = "{hashlib.sha256(letters).hexdigest()}"
labels = {CLASSES}
licence = "Apache-2.0"
source = "made by a test"
{extra}
[ner.inputs]
input_ids = ["int64", ["batch", "pieces"]]
shape_ids = ["int64", ["batch", "pieces"]]
lexicon_ids = ["int64", ["batch", "pieces"]]
attention_mask = ["int64", ["batch", "pieces"]]
[ner.outputs]
logits = ["float32", ["batch", "pieces", {len(CLASSES)}]]
""",
        encoding="utf-8",
    )
    return folder


def _vocabulary(knows: Knows) -> list[str]:
    numbers = [*(f"{number}" for number in range(10)), *(f"{number:02d}" for number in range(100))]
    letters = [*string.ascii_lowercase, *string.punctuation]
    plain = dict.fromkeys([*_SPECIAL, *numbers, *letters, *(word for word in knows if word.isalpha())])
    return [*plain, *(f"##{letter}" for letter in string.ascii_lowercase)]


def network_bytes(
    vocabulary: list[str], knows: Knows, digits: tuple[str, float] = ("O", 1.0), classes: int = len(CLASSES)
) -> bytes:
    """Return an ONNX file: the logits of a piece are a row for the piece plus a row for its shape."""
    by_piece = [_logits(*knows.get(piece, ("O", 1.0)))[:classes] for piece in vocabulary]
    by_shape = [[0.0] * classes for _ in Shape]
    if digits[0] != "O":
        by_shape[Shape.DIGITS_GLUED] = [b - a for a, b in zip(_logits("O", 1.0), _logits(*digits), strict=True)]
    nodes = [
        _node("Gather", ["words", "input_ids"], "of_word"),
        _node("Gather", ["shapes", "shape_ids"], "of_shape"),
        _node("Add", ["of_word", "of_shape"], "logits"),
    ]
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, b"tiny")
    graph += _field(5, _table("words", by_piece)) + _field(5, _table("shapes", by_shape))
    for name in ("input_ids", "shape_ids", "lexicon_ids", "attention_mask"):
        graph += _field(11, _value(name, _INT64, ["batch", "pieces"]))
    graph += _field(12, _value("logits", _FLOAT, ["batch", "pieces", classes]))
    return _number(1, 8) + _field(2, b"tests") + _field(7, graph) + _field(8, _field(1, b"") + _number(2, 17))


def _logits(label: str, probability: float) -> list[float]:
    out = [_NEVER] * len(CLASSES)
    if label != "O":
        out[0] = math.log(max(1.0 - probability, 1e-12))
    out[CLASSES.index(label)] = math.log(probability)
    return out


# Protocol buffers, as far as they are needed


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _node(kind: str, inputs: Iterable[str], output: str) -> bytes:
    return b"".join(_field(1, name.encode()) for name in inputs) + _field(2, output.encode()) + _field(4, kind.encode())


def _table(name: str, rows: list[list[float]]) -> bytes:
    flat = [value for row in rows for value in row]
    sizes = _number(1, len(rows)) + _number(1, len(rows[0]))
    return sizes + _number(2, _FLOAT) + _field(8, name.encode()) + _field(9, struct.pack(f"<{len(flat)}f", *flat))


def _value(name: str, kind: int, shape: list[str | int]) -> bytes:
    sizes = b"".join(
        _field(1, _number(1, size) if isinstance(size, int) else _field(2, size.encode())) for size in shape
    )
    return _field(1, name.encode()) + _field(2, _field(1, _number(1, kind) + _field(2, sizes)))
