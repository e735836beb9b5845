"""What mutants are made of: small instances of every kind in every encoding, and the corpus where there is one."""

from __future__ import annotations

import inspect
import pickle
import warnings
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from deid.encoding.syntax import transfer_syntax
from deid.pixels.codecs import can_encode, encode
from tests import factories, objects
from tests.fuzz import sentinels
from tests.fuzz.fields import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, Seed
from tests.fuzz.sentinels import plant
from tests.images import Kind, noise

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
LONGEST_BYTES = 16_000
_MOST_OF_THE_CORPUS = 120
_SIDE = 16
_FRAMES = 2

_JPEG = "1.2.840.10008.1.2.4."
_COMPRESSED = (
    *(f"{_JPEG}{number}" for number in (57, 70, 80, 81, 90, 91, 201, 202, 203)),
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.1.98",
    "1.2.840.10008.1.2.8.1",
)
_UNREADABLE = (f"{_JPEG}50", f"{_JPEG}51", f"{_JPEG}92", f"{_JPEG}100", f"{_JPEG}110", f"{_JPEG}112")


def makers() -> Iterator[tuple[str, Callable[[], FileDataset]]]:
    """Yield the makers of the factories, images as small as they can be."""
    small = {"ct": _SIDE, "mr": _SIDE, "cr": _SIDE}
    for name, size in small.items():
        yield name, partial(getattr(factories, name), size=size)
    for compression in ("jpeg", "rle"):
        yield f"us-{compression}", partial(factories.us, size=(_SIDE, _SIDE), frames=_FRAMES, compression=compression)
    for name in ("mg", "pt", "sc"):
        yield name, getattr(factories, name)
    for name, make in vars(objects).items():
        is_maker = inspect.isfunction(make) and make.__module__ == objects.__name__ and not name.startswith("_")
        if is_maker and make.__annotations__.get("return") == "FileDataset":
            yield name, make


def seeds(*, corpus: Path = CORPUS) -> list[Seed]:
    """Return all seeds, in the same order wherever the same corpus is."""
    found: list[Seed] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, make in makers():
            ds = make()
            plant(ds)
            found += _in_all_encodings(name, ds)
        found += _compressed()
        found += _of_corpus(corpus)
    return [seed for seed in found if _is_sound(seed)]


def kept_seeds(folder: Path) -> list[Seed]:
    """Return all seeds, made once for a folder: reading the corpus takes a while."""
    made_by = b"".join(Path(module).read_bytes() for module in (__file__, sentinels.__file__))
    kept = folder / f"seeds-{zlib.crc32(made_by):08x}.pickle"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(pickle.dumps([(seed.name, seed.syntax, seed.data) for seed in seeds()]))
    return [Seed(*parts) for parts in pickle.loads(kept.read_bytes())]  # noqa: S301  written above


def _is_sound(seed: Seed) -> bool:
    try:
        return bool(seed.fields)
    except ValueError:
        return False


def _in_all_encodings(name: str, ds: FileDataset) -> Iterator[Seed]:
    syntax = str(ds.file_meta.TransferSyntaxUID)
    if syntax not in {EXPLICIT, IMPLICIT}:
        yield Seed(name, syntax, written(ds, EXPLICIT))
        return
    yield Seed(name, EXPLICIT, written(ds, EXPLICIT))
    yield Seed(name, IMPLICIT, written(ds, IMPLICIT))
    _leave_lengths_open(ds)
    for encoding in (EXPLICIT, IMPLICIT, BIG_ENDIAN):
        yield Seed(f"{name}-open", encoding, written(ds, encoding))
    yield Seed(f"{name}-deflated", DEFLATED, written(ds, EXPLICIT))


def written(ds: Dataset, syntax: str) -> bytes:
    """Encode a Data Set without File Meta Information."""
    file = DicomBytesIO()
    file.is_implicit_VR = syntax == IMPLICIT
    file.is_little_endian = syntax != BIG_ENDIAN
    plain = Dataset({element.tag: element for element in ds})
    write_dataset(file, plain)
    return bytes(file.getvalue())


def _leave_lengths_open(ds: Dataset) -> None:
    for element in ds:
        if element.VR == "SQ":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
                _leave_lengths_open(item)


def _compressed() -> Iterator[Seed]:
    """Yield one image in each compressed transfer syntax, with and without a Basic Offset Table."""
    kind = Kind(stored=12)
    frames = [noise(kind, _SIDE, _SIDE, seed) for seed in range(_FRAMES)]
    form = kind.form(_SIDE, _SIDE, 1)
    for uid in (*_COMPRESSED, *_UNREADABLE):
        syntax = transfer_syntax(uid)
        is_real = uid in _COMPRESSED and can_encode(form, syntax)
        coded = [encode(np.ascontiguousarray(frame), form, syntax) if is_real else bytes(64) for frame in frames]
        for has_offsets in (True, False):
            ds = factories.mr(size=_SIDE)
            ds.NumberOfFrames = _FRAMES
            ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7.3"  # Multi-frame Grayscale Word Secondary Capture
            plant(ds)
            ds.PixelData = encapsulate([frame + b"\0" * (len(frame) % 2) for frame in coded], has_bot=has_offsets)
            ds["PixelData"].VR = "OB"
            ds["PixelData"].is_undefined_length = True
            yield Seed(f"compressed-{uid[16:]}", uid, written(ds, EXPLICIT))


def _of_corpus(corpus: Path) -> Iterator[Seed]:
    """Yield small files of the corpus, of as many kinds as there are, their identities replaced."""
    if not corpus.is_dir():
        return
    yielded = 0
    for path in sorted(corpus.rglob("*")):
        if yielded == _MOST_OF_THE_CORPUS:
            return
        if not path.is_file() or path.stat().st_size > LONGEST_BYTES:
            continue
        try:
            ds = pydicom.dcmread(path)
            plant(ds)
            syntax = str(ds.file_meta.TransferSyntaxUID)
            plain = EXPLICIT if syntax == DEFLATED or transfer_syntax(syntax).encapsulated else syntax
            if ds.get("SOPInstanceUID"):
                yield Seed(f"corpus/{path.relative_to(corpus)}", syntax, written(ds, plain))
                yielded += 1
        except Exception:  # noqa: BLE001, S112  broken on purpose: pydicom can't read or write it
            continue
