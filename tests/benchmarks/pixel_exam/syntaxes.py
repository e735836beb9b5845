"""A box masked in every kind of image that can be decoded, and what became of all around it.

The box is a template's: nothing has to be found, so that what is examined is the writing alone. Files are decoded by
others than the product, before and after: pydicom with its plug-ins, Pillow, DCMTK.

- Around the box all is what it was, bit for bit; of JPEG with DCT, around the blocks that the box touches.
- In the box all pixels of a frame are equal: there is no window that shows anything.
- DCMTK draws what it could draw before, and decodes the same values as others do.
- What nobody can decode is refused.

The corpus's files are masked likewise, of each kind the smallest.
"""

from __future__ import annotations

import csv
import subprocess
import tempfile
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.encaps import generate_frames
from pydicom.uid import UID_dictionary

from deid.context import Context
from deid.engine import deidentify
from deid.errors import Refused
from deid.instance import Instance
from deid.keys import Keys
from deid.pixels.box import Box
from deid.pixels.rules import PixelRules, Skip
from deid.pixels.template import Match, RegionFile, Template
from deid.profile import Profile
from tests.benchmarks.pixel_exam.decode import agrees_with_dcmtk, frames_of
from tests.benchmarks.pixel_exam.syntaxes_files import BOX, ENCODINGS, KINDS, undecodable, written
from tests.benchmarks.target import Target
from tests.network import ROOT

CORPUS = ROOT.parent / "shared" / "corpus"
_LARGEST_BYTES = 32 << 20
_ALL = "1.2.840.10008.1.2"
_BY_BLOCKS = frozenset(f"{_ALL}.4.{number}" for number in (50, 51, 53, 55))
_NATIVE = frozenset({_ALL, f"{_ALL}.1", f"{_ALL}.1.99", f"{_ALL}.2"})
_BLOCK_PX, _SMOOTHED_PX = 16, 2  # chroma of two blocks, and what a decoder makes of it between neighbours
_EVERYTHING = Match(((0x0028_0010, ("*",)),))
_TIMEOUT_S = 60

_Frames = NDArray[Any]
_Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one file.

    Attributes
    ----------
    encoding
        name of the transfer syntax, and of its encoder where there are several
    kind
        photometric interpretation and bits
    refused
        why nothing came out; empty if something did
    altered
        samples outside the box, or the blocks that it touches, that are others than before
    left
        frames in which the box isn't all of one value
    syntax
        UID of what came out
    is_same_syntax
        it is that of what went in
    dcmtk
        whether DCMTK reads what came out; None if it couldn't read what went in either
    """

    encoding: str
    kind: str
    refused: str = ""
    altered: int = 0
    left: int = 0
    syntax: str = ""
    is_same_syntax: bool = True
    dcmtk: bool | None = None

    @property
    def is_right(self) -> bool:
        return not self.refused and not self.altered and not self.left and self.dcmtk is not False


def built() -> Iterator[Checked]:
    """Mask a line in each kind of image in each encoding that can hold it."""
    for encoding in ENCODINGS:
        for kind in KINDS:
            if encoding.suits(kind):
                yield checked(written(encoding, kind), BOX, encoding.name, kind.name)


def refusals() -> Iterator[Checked]:
    """Try what nobody here decodes: all transfer syntaxes of the standard that none of the encodings is."""
    known = {encoding.uid for encoding in ENCODINGS}
    for uid, (name, kind, *_) in UID_dictionary.items():
        is_image = kind == "Transfer Syntax" and uid not in known and not uid.startswith(f"{_ALL}.6.")
        if is_image and uid != f"{_ALL}0":  # Papyrus 3 is no transfer syntax of PS3.5
            yield checked(undecodable(uid), BOX, name, "")


def of_corpus(folder: Path = CORPUS) -> Iterator[Checked]:
    """Mask a part of the smallest file of each kind that the corpus has and others can decode; none without it."""
    if not (folder / "manifest.csv").is_file():
        return
    seen = set()
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["pixels"] == "ok" and int(row["size"]) <= _LARGEST_BYTES]
    for row in sorted(rows, key=lambda row: (int(row["size"]), row["path"])):
        file = (folder / row["path"]).read_bytes()
        kind = _kind_of(file)
        if kind in seen:
            continue
        seen.add(kind)
        rows_px, columns_px = int(row["rows"]), int(row["cols"])
        box = (columns_px // 5, rows_px // 4, max(columns_px * 3 // 5, 2), max(rows_px * 2 // 5, 2))
        yield checked(file, box, kind[0], " ".join(kind[1:]))


def _kind_of(file: bytes) -> tuple[str, ...]:
    data_set = pydicom.dcmread(BytesIO(file), stop_before_pixels=True, force=True)
    bits = f"{'s' if data_set.get('PixelRepresentation') else ''}{data_set.get('BitsStored', '')}"
    high = int(data_set.get("HighBit") or 0)
    odd = "" if high == int(data_set.get("BitsStored") or 1) - 1 else f"^{high}"
    planar = " planar" if data_set.get("PlanarConfiguration") else ""
    frames = " frames" if int(data_set.get("NumberOfFrames") or 1) > 1 else ""
    photometric = str(data_set.get("PhotometricInterpretation", ""))
    syntax = str(data_set.file_meta.TransferSyntaxUID.name) if "TransferSyntaxUID" in data_set.file_meta else "none"
    return syntax, photometric, f"{bits}/{data_set.get('BitsAllocated', '')}{odd}{planar}{frames}"


def checked(file: bytes, box: _Box, encoding: str, kind: str) -> Checked:
    """Have a box of a file masked, and look at what came out."""
    found = Checked(encoding, kind)
    try:
        clean = b"".join(deidentify(Instance.from_part10(file), _context(box)).clean.part10())
    except Refused as error:
        return replace(found, refused=f"{error.reason} {error.detail}".strip())
    before_uid, after_uid = (_header_of(each).file_meta.TransferSyntaxUID for each in (file, clean))
    found = replace(found, syntax=str(after_uid), is_same_syntax=before_uid == after_uid)
    try:
        before, after = decoded(file), decoded(clean)
    except Exception as error:  # noqa: BLE001  whatever a decoder raises; what can't be read is no good
        return replace(found, refused=f"can't be read: {type(error).__name__} {error}"[:120])
    if before.shape != after.shape:
        return replace(found, refused=f"{after.shape} came out of {before.shape}")
    is_by_blocks = str(before_uid) in _BY_BLOCKS
    return replace(
        found,
        altered=_altered(before, after, box, is_by_blocks=is_by_blocks),
        left=sum(not _is_empty(frame, box, is_by_blocks=is_by_blocks) for frame in words(clean)),
        dcmtk=_dcmtk_reads(file, clean, after),
    )


def _context(box: _Box) -> Context:
    rules = PixelRules(
        files=RegionFile((Template("box", _EVERYTHING, boxes=(Box(*box),)),)),
        mask_outside_ultrasound_regions=False,
        skip=(Skip("nothing is looked for", _EVERYTHING),),
    )
    profile = Profile.from_options("syntaxes", ("clean_pixel_data",), text="rules")
    return Context(replace(profile, pixels=rules), Keys.from_secret(bytes(32)))


def _header_of(file: bytes) -> pydicom.FileDataset:
    return pydicom.dcmread(BytesIO(file), stop_before_pixels=True, force=True)


def decoded(file: bytes) -> _Frames:
    """Return the stored values of all frames, (frames, rows, columns[, samples])."""
    uid = str(_header_of(file).file_meta.TransferSyntaxUID)
    if uid in {f"{_ALL}.1.98", f"{_ALL}.8.1"}:
        return _of_packed_frames(file, is_deflated=uid.endswith("8.1"))
    if uid == f"{_ALL}.4.55":
        return _by_pillow(file)
    return frames_of(file)


def _items(file: bytes) -> tuple[pydicom.FileDataset, list[bytes]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = pydicom.dcmread(BytesIO(file))
        count = int(data_set.get("NumberOfFrames") or 1)
        return data_set, list(generate_frames(data_set.PixelData, number_of_frames=count))


def _of_packed_frames(file: bytes, *, is_deflated: bool) -> _Frames:
    data_set, items = _items(file)
    values = [_unpacked(zlib.decompress(item, -zlib.MAX_WBITS) if is_deflated else item, data_set) for item in items]
    return np.stack(values)


def words(file: bytes) -> _Frames:
    """Return what `decoded` does, native values with the bits that aren't stored: pydicom leaves them out."""
    header = _header_of(file)
    has_unused_bits = 1 < header.BitsAllocated != header.get("BitsStored", header.BitsAllocated)
    if header.file_meta.TransferSyntaxUID not in _NATIVE or not has_unused_bits:
        return decoded(file)
    data_set = pydicom.dcmread(BytesIO(file))
    count = int(data_set.get("NumberOfFrames") or 1)
    size_bytes = data_set.Rows * data_set.Columns * data_set.SamplesPerPixel * data_set.BitsAllocated // 8
    value = data_set.PixelData
    if data_set.file_meta.TransferSyntaxUID == f"{_ALL}.2" and data_set["PixelData"].VR == "OW":
        word = np.dtype(f">u{max(data_set.BitsAllocated // 8, 2)}")
        value = np.frombuffer(value[: len(value) // word.itemsize * word.itemsize], word).byteswap().tobytes()
    parts = [value[at * size_bytes : (at + 1) * size_bytes] for at in range(count)]
    return np.stack([_unpacked(part, data_set) for part in parts])


def _unpacked(item: bytes, data_set: pydicom.FileDataset) -> _Frames:
    rows, columns, samples = data_set.Rows, data_set.Columns, data_set.SamplesPerPixel
    count = rows * columns * samples
    if data_set.BitsAllocated == 1:
        return np.unpackbits(np.frombuffer(item, "u1"), count=count, bitorder="little").reshape(rows, columns)
    kind = "i" if data_set.PixelRepresentation else "u"
    values = np.frombuffer(item, f"<{kind}{data_set.BitsAllocated // 8}", count)
    if samples == 1:
        return values.reshape(rows, columns)
    if data_set.PlanarConfiguration:
        return values.reshape(samples, rows, columns).transpose(1, 2, 0)
    return values.reshape(rows, columns, samples)


def _by_pillow(file: bytes) -> _Frames:
    from PIL import Image

    data_set, items = _items(file)
    frames = []
    for item in items:
        with Image.open(BytesIO(item)) as picture:
            if data_set.PhotometricInterpretation.startswith("YBR"):
                picture.draft("YCbCr", picture.size)
            frames.append(np.asarray(picture))
    return np.stack(frames)


def _altered(before: _Frames, after: _Frames, box: _Box, *, is_by_blocks: bool) -> int:
    """Return how many samples are others than before that the box has nothing to do with."""
    x0, y0, x1, y1 = box
    x0, x1 = x0 - x0 % 2, x1 + x1 % 2  # pairs of pixels may share their chroma
    if is_by_blocks:
        x0, y0 = (each // _BLOCK_PX * _BLOCK_PX - _SMOOTHED_PX for each in (x0, y0))
        x1, y1 = (-(-each // _BLOCK_PX) * _BLOCK_PX + _SMOOTHED_PX for each in (x1, y1))
    differs = before != after
    if before.dtype.kind == "f":
        differs &= ~(np.isnan(before) & np.isnan(after))
    differs[:, max(y0, 0) : y1, max(x0, 0) : x1] = False
    return int(differs.sum())


def _is_empty(frame: _Frames, box: _Box, *, is_by_blocks: bool) -> bool:
    """Tell whether a box is all of one value; at its borders a decoder mixes chroma with that of the neighbours."""
    x0, y0, x1, y1 = box
    part = frame[y0:y1, x0:x1].reshape(y1 - y0, x1 - x0, -1)
    inner = part[_SMOOTHED_PX:-_SMOOTHED_PX, _SMOOTHED_PX:-_SMOOTHED_PX] if is_by_blocks else part
    is_flat = bool((inner == inner[:1, :1]).all()) and bool((part[..., 0] == part[0, 0, 0]).all())
    return is_flat and part.size > 0


def _dcmtk_reads(file: bytes, clean: bytes, after: _Frames) -> bool | None:
    """Tell whether DCMTK draws what came out, as it could what went in, and decodes the same values."""
    if not _is_drawn(file):
        return None
    if not _is_drawn(clean):
        return False
    agrees = agrees_with_dcmtk(clean, after) if after.ndim == 3 else None
    return agrees is not False


def _is_drawn(file: bytes) -> bool:
    """Tell whether DCMTK draws a picture of the first frame."""
    uid = str(_header_of(file).file_meta.TransferSyntaxUID)
    command = "dcml2pnm" if uid in {f"{_ALL}.4.80", f"{_ALL}.4.81"} else "dcmj2pnm"
    with tempfile.TemporaryDirectory(prefix="pixel-exam-") as folder:
        source, target = Path(folder) / "in.dcm", Path(folder) / "out.pnm"
        source.write_bytes(file)
        ran = subprocess.run(
            [command, "--min-max-window", str(source), str(target)],
            check=False,
            timeout=_TIMEOUT_S,
            capture_output=True,
        )
        return ran.returncode == 0 and target.is_file() and target.stat().st_size > 0


def table(title: str, found: Sequence[Checked]) -> Iterator[str]:
    """Yield a line for each encoding, and below those what isn't right."""
    yield (
        f"{title:46}{'kinds':>6}{'right':>7}{'altered':>9}{'left':>6}{'refused':>9}{'DCMTK reads':>13}   comes out as"
    )
    for name in dict.fromkeys(each.encoding for each in found):
        some = [each for each in found if each.encoding == name]
        asked = [each for each in some if each.dcmtk is not None]
        others = sorted({each.syntax for each in some if each.syntax and not each.is_same_syntax})
        same = "itself" if any(each.syntax and each.is_same_syntax for each in some) else ""
        yield (
            f"  {name[:43]:44}{len(some):6}{sum(each.is_right for each in some):7}"
            f"{sum(bool(each.altered) for each in some):9}{sum(bool(each.left) for each in some):6}"
            f"{sum(bool(each.refused) for each in some):9}"
            f"{f'{sum(bool(each.dcmtk) for each in asked)} of {len(asked)}':>13}   {' '.join([same, *others]).strip()}"
        )
    for each in found:
        if not each.is_right:
            yield (
                f"    not right: {each.encoding}, {each.kind}: altered={each.altered} left={each.left} "
                f"dcmtk={each.dcmtk} {each.refused}"
            )


def of_refusals(found: Sequence[Checked]) -> Iterator[str]:
    """Yield what became of what nobody decodes."""
    yield f"transfer syntaxes that nobody here decodes: {sum(bool(e.refused) for e in found)} of {len(found)} refused"
    yield from (f"    let through: {each.encoding}" for each in found if not each.refused)


def targets(found: Sequence[Checked], corpus: Sequence[Checked], refused: Sequence[Checked]) -> list[Target]:
    """Return what the part is to reach; of the corpus, some files are refused for what isn't their pixels."""
    both = [*found, *corpus]
    return [
        Target("kinds in transfer syntaxes, altered outside of the box", _count(both, "altered"), 0, is_most=True),
        Target("kinds in transfer syntaxes, something left in the box", _count(both, "left"), 0, is_most=True),
        Target("kinds in transfer syntaxes, built and refused", _count(found, "refused"), 0, is_most=True),
        Target("outputs that DCMTK reads no more", sum(each.dcmtk is False for each in both), 0, is_most=True),
        Target("undecodable and let through", sum(not each.refused for each in refused), 0, is_most=True),
    ]


def _count(found: Sequence[Checked], what: str) -> int:
    return sum(bool(getattr(each, what)) for each in found)
