"""Files in every transfer syntax, photometric interpretation and bit depth, encoded by others than the product."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmwrite
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import UID

from tests import factories
from tests.benchmarks.pixel_exam.bitmap import dots
from tests.benchmarks.pixel_exam.files import _by_dcmtk, _by_pydicom, _rle
from tests.benchmarks.pixel_exam.scenes import Scene
from tests.factories import Study
from tests.people import PATIENTS

ROWS, COLUMNS, FRAMES = 75, 132, 2  # no multiples of 8; pairs of pixels share their chroma
BOX = (17, 21, 97, 45)
"""Where the line is, and around it: no border of blocks."""

_ALL = "1.2.840.10008.1.2"
_JPEG = f"{_ALL}.4."
_NEW = f"{_ALL}.8.1"
_LINE, _LINE_AT = "DOE^JANE", (23, 27)
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_COLOURED = {"RGB": 3, "YBR_FULL": 3, "YBR_FULL_422": 3, "YBR_RCT": 3, "YBR_ICT": 3}

_Frames = NDArray[Any]
_Encode = Callable[[_Frames, "Kind"], bytes]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of image.

    Attributes
    ----------
    allocated, stored, high
        bits; High Bit is Bits Stored - 1 unless it is told
    float_bits
        32 for Float Pixel Data, 64 for Double Float Pixel Data
    """

    photometric: str
    allocated: int
    stored: int
    is_signed: bool = False
    planar: int = 0
    high: int | None = None
    float_bits: int = 0

    @property
    def samples(self) -> int:
        return _COLOURED.get(self.photometric, 1)

    @property
    def dtype(self) -> np.dtype[Any]:
        if self.float_bits:
            return np.dtype(f"f{self.float_bits // 8}")
        return np.dtype(f"{'i' if self.is_signed else 'u'}{max(self.allocated // 8, 1)}")

    @property
    def bits(self) -> str:
        """What the table calls its depth."""
        if self.float_bits:
            return f"float{self.float_bits}"
        high = "" if self.high is None else f"^{self.high}"
        return f"{'s' if self.is_signed else ''}{self.stored}/{self.allocated}{high}"

    @property
    def name(self) -> str:
        return f"{self.photometric} {self.bits}{' planar' if self.planar else ''}"


def _grey(*depths: tuple[int, int], is_signed: bool = False) -> Iterator[Kind]:
    for photometric in ("MONOCHROME2", "MONOCHROME1"):
        for allocated, stored in depths:
            yield Kind(photometric, allocated, stored, is_signed)


KINDS = (
    *_grey((1, 1), (8, 6), (8, 8), (16, 10), (16, 12), (16, 14), (16, 16), (32, 24), (32, 32)),
    *_grey((8, 8), (16, 12), (16, 16), (32, 32), is_signed=True),
    Kind("MONOCHROME2", 16, 12, high=15),
    Kind("MONOCHROME2", 16, 12, is_signed=True, high=13),
    Kind("MONOCHROME2", 32, 32, float_bits=32),
    Kind("MONOCHROME2", 64, 64, float_bits=64),
    Kind("PALETTE COLOR", 8, 8),
    Kind("PALETTE COLOR", 16, 16),
    *(Kind(space, 8, 8, planar=planar) for space in ("RGB", "YBR_FULL") for planar in (0, 1)),
    Kind("RGB", 8, 6),
    Kind("RGB", 16, 16),
    Kind("RGB", 16, 12, planar=1),
    Kind("YBR_FULL_422", 8, 8),
    Kind("YBR_RCT", 8, 8),
    Kind("YBR_RCT", 16, 12),
    Kind("YBR_ICT", 8, 8),
)


@dataclass(frozen=True, slots=True)
class Encoding:
    """A transfer syntax, and who encodes it.

    Attributes
    ----------
    suits
        which kinds it can hold, as far as its encoder goes
    encode
        gives a frame's bytes; None of native ones
    is_lossless
        masking leaves the values around the masks what they were, bit for bit
    """

    name: str
    uid: str
    suits: Callable[[Kind], bool]
    encode: _Encode | None = None
    is_lossless: bool = True


def frames_of_kind(kind: Kind, *, is_smooth: bool) -> _Frames:
    """Return frames of all stored values with a line of the highest, (frames, rows, columns[, samples])."""
    chance = np.random.default_rng(zlib.crc32(kind.name.encode()))
    shape = (FRAMES, ROWS, COLUMNS) + ((kind.samples,) if kind.samples > 1 else ())
    grid = np.linspace(0.15, 0.6, COLUMNS)[None, :] + np.linspace(0, 0.2, ROWS)[:, None]
    share = np.broadcast_to(grid[..., None] if kind.samples > 1 else grid, shape[1:])
    share = np.clip(share + chance.normal(0, 0.004 if is_smooth else 0.15, shape), 0, 1)
    if kind.allocated == 1:
        share = (share > 0.5).astype(float)
    x, y = _LINE_AT
    letters = dots(_LINE, 1) > 0.5
    share[:, y : y + letters.shape[0], x : x + letters.shape[1]][:, letters] = 1.0
    if kind.float_bits:
        return ((share - 0.4) * 1e4).astype(kind.dtype)
    least = -(1 << kind.stored - 1) if kind.is_signed else 0
    values = np.clip(np.rint(share * float((1 << kind.stored) - 1)), 0, (1 << kind.stored) - 1) + least
    return values.astype(np.int64).astype(kind.dtype)


def _is_grey(kind: Kind) -> bool:
    return kind.photometric.startswith("MONOCHROME")


def _is_plain(kind: Kind, least: int = 2, most: int = 16) -> bool:
    """Tell whether a codec can be given its samples: whole numbers from the lowest bit on, pixel by pixel."""
    is_whole = not kind.float_bits and kind.high is None and not kind.planar
    return is_whole and least <= kind.stored <= most and kind.photometric != "YBR_FULL_422"


def _is_untransformed(kind: Kind) -> bool:
    return kind.photometric not in {"YBR_RCT", "YBR_ICT", "YBR_FULL_422"}


def _scene(frame: _Frames, kind: Kind) -> Scene:
    return Scene("syntax", "OT", _SECONDARY_CAPTURE, frame[None], kind.stored, 0, 1, kind.photometric)


def _packed(frame: _Frames, kind: Kind) -> bytes:
    """Return a native frame in little endian."""
    if kind.allocated == 1:
        return np.packbits(frame.astype(bool), axis=None, bitorder="little").tobytes()
    stored = frame
    if kind.photometric == "YBR_FULL_422":
        chroma = frame[:, 0::2, 1:]
        stored = np.concatenate([frame[:, 0::2, :1], frame[:, 1::2, :1], chroma], axis=-1)
    elif kind.planar:
        stored = frame.transpose(2, 0, 1)
    shift = 0 if kind.high is None else kind.high + 1 - kind.stored
    return (stored << shift if shift else stored).astype(kind.dtype.newbyteorder("<")).tobytes()


def _deflated(frame: _Frames, kind: Kind) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(_packed(frame, kind)) + deflater.flush()


def _pillow(frame: _Frames, kind: Kind, **options: Any) -> bytes:
    """Return a JPEG of 8 bits, with a comment that must not come out again."""
    from PIL import Image

    if kind.photometric == "RGB":
        options |= {"keep_rgb": True}
    elif kind.samples == 3:
        options |= {"subsampling": "4:2:2" if kind.photometric.endswith("422") else "4:4:4"}
        frame = convert_color_space(frame, "YBR_FULL", "RGB")
    out = BytesIO()
    Image.fromarray(frame).save(out, "JPEG", quality=92, comment=b"DOE^JANE", **options)
    return out.getvalue()


def _dcmtk(frame: _Frames, kind: Kind, *options: str) -> bytes:
    return _by_dcmtk(frame, _scene(frame, kind), *options)


def _pydicom(frame: _Frames, kind: Kind, encoder: str, **options: Any) -> bytes:
    if encoder == "RLE":
        return _rle(frame, _scene(frame, kind))
    return _by_pydicom(frame, _scene(frame, kind), encoder, **options)


def _ht(frame: _Frames, kind: Kind, *, reversible: bool = True) -> bytes:
    import imagecodecs

    options: dict[str, Any] = {} if reversible else {"level": 0.002}
    is_transformed = kind.photometric in {"YBR_RCT", "YBR_ICT"}
    return bytes(imagecodecs.htj2k_encode(frame, reversible=reversible, rgb=is_transformed, planar=False, **options))


def _is_ht(kind: Kind) -> bool:
    return _is_plain(kind, 8) and kind.photometric in {"MONOCHROME1", "MONOCHROME2", "RGB", "YBR_RCT"}


def _is_ht_lossy(kind: Kind) -> bool:
    """Tell whether an encoder of whole bytes has as many bits as the values: loss may carry them beyond."""
    return _is_ht(kind) and _is_grey(kind) and kind.stored == kind.allocated


def _is_jpeg_8(kind: Kind) -> bool:
    is_8 = (kind.stored, kind.allocated, kind.is_signed, kind.planar) == (8, 8, False, 0)
    return is_8 and (_is_grey(kind) or kind.photometric in {"RGB", "YBR_FULL", "YBR_FULL_422"})


_NOT_YBR_JPEG_2000 = frozenset({"YBR_ICT"})
_EIGHT = {"uid": f"{_JPEG}50", "suits": _is_jpeg_8, "is_lossless": False}

ENCODINGS: tuple[Encoding, ...] = (
    Encoding("implicit LE", _ALL, lambda k: _is_untransformed(k) or k.photometric == "YBR_FULL_422"),
    Encoding("explicit LE", f"{_ALL}.1", lambda k: _is_untransformed(k) or k.photometric == "YBR_FULL_422"),
    Encoding("explicit BE", f"{_ALL}.2", lambda k: _is_untransformed(k) or k.photometric == "YBR_FULL_422"),
    Encoding("deflated", f"{_ALL}.1.99", lambda k: _is_untransformed(k) or k.photometric == "YBR_FULL_422"),
    Encoding("encapsulated", f"{_ALL}.1.98", lambda k: _is_untransformed(k) and not k.float_bits, _packed),
    Encoding("deflated frames", _NEW, lambda k: _is_untransformed(k) and not k.float_bits, _deflated),
    Encoding(
        "RLE",
        f"{_ALL}.5",
        lambda k: _is_plain(k) and _is_untransformed(k),
        partial(_pydicom, encoder="RLE"),
    ),
    Encoding("JPEG baseline", encode=_pillow, **_EIGHT),  # type: ignore[arg-type]
    Encoding("JPEG, restarts", encode=partial(_pillow, restart_marker_blocks=5), **_EIGHT),  # type: ignore[arg-type]
    Encoding("JPEG, 8 bits", f"{_JPEG}51", _is_jpeg_8, _pillow, is_lossless=False),
    Encoding(
        "JPEG, 12 bits",
        f"{_JPEG}51",
        lambda k: _is_grey(k) and _is_plain(k, 9, 12) and not k.is_signed,
        lambda f, k: _dcmtk(f, k, "+ee", "+q", "95"),
        is_lossless=False,
    ),
    Encoding("JPEG progressive", f"{_JPEG}55", _is_jpeg_8, partial(_pillow, progressive=True), is_lossless=False),
    Encoding(
        "JPEG lossless",
        f"{_JPEG}57",
        lambda k: _is_plain(k) and (_is_grey(k) or k.photometric == "RGB"),
        lambda f, k: _dcmtk(f, k, "+el"),
    ),
    Encoding(
        "JPEG lossless SV1",
        f"{_JPEG}70",
        lambda k: _is_plain(k) and (_is_grey(k) or k.photometric == "RGB"),
        lambda f, k: _dcmtk(f, k, "+e1"),
    ),
    Encoding(
        "JPEG-LS",
        f"{_JPEG}80",
        lambda k: _is_plain(k) and _is_untransformed(k) and not (k.is_signed and k.stored < k.allocated),
        partial(_pydicom, encoder="JPEGLSLosslessEncoder"),
    ),
    Encoding(
        "JPEG-LS near",
        f"{_JPEG}81",
        lambda k: _is_plain(k, 8) and _is_untransformed(k) and k.photometric != "PALETTE COLOR" and not k.is_signed,
        partial(_pydicom, encoder="JPEGLSNearLosslessEncoder", jls_error=2),
    ),
    Encoding(
        "JPEG 2000",
        f"{_JPEG}90",
        lambda k: _is_plain(k, 2, 20) and k.photometric not in _NOT_YBR_JPEG_2000,
        partial(_pydicom, encoder="JPEG2000LosslessEncoder"),
    ),
    Encoding(
        "JPEG 2000 lossy",
        f"{_JPEG}91",
        lambda k: _is_plain(k, 8, 16) and k.photometric not in {"YBR_RCT", "PALETTE COLOR"},
        partial(_pydicom, encoder="JPEG2000Encoder", j2k_cr=[6]),
    ),
    Encoding("HTJ2K", f"{_JPEG}201", _is_ht, _ht),
    Encoding("HTJ2K, RPCL", f"{_JPEG}202", _is_ht, _ht),
    Encoding("HTJ2K lossy", f"{_JPEG}203", _is_ht_lossy, partial(_ht, reversible=False)),
)
"""What is lossy here but JPEG is written without loss once a frame is masked: what had been lost is all that is."""


def written(encoding: Encoding, kind: Kind, *, frames: int = FRAMES) -> bytes:
    """Return a file.

    Raises
    ------
    Exception
        The encoder can't.
    """
    values = frames_of_kind(kind, is_smooth=not encoding.is_lossless)[:frames]
    if kind.photometric == "YBR_FULL_422":
        values[:, :, 1::2, 1:] = values[:, :, ::2, 1:]
    data_set = _header(kind, frames)
    data_set.file_meta.TransferSyntaxUID = UID(encoding.uid)
    if encoding.encode is None:
        _put_native(data_set, values, kind, encoding.uid)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stored = [encoding.encode(np.ascontiguousarray(frame), kind) for frame in values]
        data_set.PixelData = encapsulate([each + bytes(len(each) % 2) for each in stored], has_bot=frames > 1)
        data_set["PixelData"].VR = "OB"
        data_set["PixelData"].is_undefined_length = True
    return _bytes_of(data_set, encoding.uid)


def undecodable(uid: str) -> bytes:
    """Return a file of a transfer syntax that nobody here decodes."""
    data_set = _header(Kind("YBR_FULL_422", 8, 8), 1)
    data_set.file_meta.TransferSyntaxUID = UID(uid)
    data_set.PixelData = encapsulate([b"\0\0\1\xb3" + bytes(range(252))])
    data_set["PixelData"].VR = "OB"
    data_set["PixelData"].is_undefined_length = True
    return _bytes_of(data_set, uid)


def _bytes_of(data_set: FileDataset, uid: str) -> bytes:
    out = BytesIO()
    is_implicit, is_big = uid == _ALL, uid == f"{_ALL}.2"
    if uid == _NEW:  # pydicom doesn't know it yet
        data_set.file_meta.TransferSyntaxUID = UID(f"{_ALL}.1.98")
    dcmwrite(out, data_set, implicit_vr=is_implicit, little_endian=not is_big, enforce_file_format=True)
    file = out.getvalue()
    return file.replace(f"{_ALL}.1.98".encode(), _NEW.encode() + b"\0", 1) if uid == _NEW else file


def _header(kind: Kind, frames: int) -> FileDataset:
    data_set = factories.base(Study(PATIENTS[0]), _SECONDARY_CAPTURE, "OT", 0, 60)
    factories.update(
        data_set,
        ImageType=["ORIGINAL", "PRIMARY"],
        ConversionType="WSD",
        SamplesPerPixel=kind.samples,
        PhotometricInterpretation=kind.photometric,
        Rows=ROWS,
        Columns=COLUMNS,
        BitsAllocated=kind.allocated,
    )
    if frames > 1:
        factories.update(data_set, NumberOfFrames=frames, FrameIncrementPointer=0x00181063, FrameTime="40")
    if not kind.float_bits:
        high = kind.stored - 1 if kind.high is None else kind.high
        factories.update(data_set, BitsStored=kind.stored, HighBit=high, PixelRepresentation=int(kind.is_signed))
    if kind.samples > 1:
        data_set.PlanarConfiguration = kind.planar
    if kind.photometric == "PALETTE COLOR":
        for colour in ("Red", "Green", "Blue"):
            setattr(data_set, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
            ramp = np.linspace(0, 65535, 256).astype("<u2")
            setattr(data_set, f"{colour}PaletteColorLookupTableData", ramp.tobytes())
    return data_set


def _put_native(data_set: FileDataset, values: _Frames, kind: Kind, uid: str) -> None:
    if kind.allocated == 1:
        stored = np.packbits(values.astype(bool), axis=None, bitorder="little").tobytes()
    else:
        stored = b"".join(_packed(frame, kind) for frame in values)
    is_big = uid == f"{_ALL}.2"
    if is_big and kind.dtype.itemsize > 1:
        stored = np.frombuffer(stored, kind.dtype.newbyteorder("<")).byteswap().tobytes()
    if kind.float_bits:
        keyword = "FloatPixelData" if kind.float_bits == 32 else "DoubleFloatPixelData"
        setattr(data_set, keyword, stored)
        return
    data_set.PixelData = stored + bytes(len(stored) % 2)
    data_set["PixelData"].VR = "OW" if kind.allocated > 8 or uid == _ALL else "OB"
