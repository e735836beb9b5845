"""Scenes as DICOM files: header, photometric interpretation and transfer syntax."""

from __future__ import annotations

import subprocess
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread, dcmwrite
from pydicom.dataset import FileDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels.processing import convert_color_space
from pydicom.uid import UID

from tests import factories
from tests.benchmarks.pixel_exam.phi import Person
from tests.benchmarks.pixel_exam.scenes import Scene
from tests.factories import Study
from tests.people import PATIENTS

_ALL = "1.2.840.10008.1.2"
_JPEG = f"{_ALL}.4."
EXPLICIT = f"{_ALL}.1"
_RGB, _YBR, _YBR_422 = "RGB", "YBR_FULL", "YBR_FULL_422"
_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Syntax:
    """One way to encode.

    Attributes
    ----------
    uid
        the transfer syntax
    suits
        whether a scene can be encoded so
    encode
        gives a frame's bytes; None of native ones
    is_lossless
        decoding gives what was encoded
    """

    name: str
    uid: str
    suits: Callable[[Scene], bool]
    encode: Callable[[NDArray[Any], Scene], bytes] | None = None
    is_lossless: bool = True


def _is_integer(scene: Scene, least: int = 2, most: int = 16) -> bool:
    return scene.frames.dtype.kind in "ui" and least <= scene.bits <= most


def _is_grey(scene: Scene) -> bool:
    return not scene.is_coloured and scene.palette is None


def _rle(frame: NDArray[Any], scene: Scene) -> bytes:
    from pydicom.pixels.encoders import RLELosslessEncoder

    return RLELosslessEncoder.encode(np.ascontiguousarray(frame), encoding_plugin="pydicom", **_described(frame, scene))


def _described(frame: NDArray[Any], scene: Scene) -> dict[str, Any]:
    return {
        "rows": frame.shape[0],
        "columns": frame.shape[1],
        "samples_per_pixel": 3 if frame.ndim == 3 else 1,
        "planar_configuration": 0,
        "number_of_frames": 1,
        "bits_allocated": frame.itemsize * 8,
        "bits_stored": scene.bits,
        "pixel_representation": int(frame.dtype.kind == "i"),
        "photometric_interpretation": scene.photometric,
    }


def _by_pydicom(frame: NDArray[Any], scene: Scene, encoder: str, **options: Any) -> bytes:
    from pydicom.pixels import encoders

    return getattr(encoders, encoder).encode(np.ascontiguousarray(frame), **_described(frame, scene), **options)


def _baseline(frame: NDArray[Any], scene: Scene) -> bytes:
    from PIL import Image

    out = BytesIO()
    options = {"subsampling": "4:2:2"} if scene.is_coloured else {}
    Image.fromarray(frame).save(out, "JPEG", quality=92, **options)
    return out.getvalue()


def _by_dcmtk(frame: NDArray[Any], scene: Scene, *options: str) -> bytes:
    """Have DCMTK's dcmcjpeg encode a frame."""
    with tempfile.TemporaryDirectory(prefix="pixel-exam-") as folder:
        source, target = Path(folder) / "in.dcm", Path(folder) / "out.dcm"
        one = replace(scene, frames=frame[None])
        data_set = _header(one, Study(PATIENTS[0]), 0)
        _native(data_set, one, EXPLICIT)
        data_set.save_as(source, enforce_file_format=True)
        subprocess.run(
            ["dcmcjpeg", *options, str(source), str(target)], check=True, timeout=_TIMEOUT_S, capture_output=True
        )
        return next(generate_frames(dcmread(target).PixelData, number_of_frames=1))


def _extended(frame: NDArray[Any], scene: Scene) -> bytes:
    """Encode 9 to 12 bits; DCMTK would stretch them over 12."""
    import imagecodecs

    del scene
    return bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(frame), level=95, bitspersample=12))


def _ht(frame: NDArray[Any], scene: Scene) -> bytes:
    import imagecodecs

    del scene
    return bytes(imagecodecs.htj2k_encode(np.ascontiguousarray(frame), reversible=True))


SYNTAXES: tuple[Syntax, ...] = (
    Syntax("explicit LE", EXPLICIT, lambda _: True),
    Syntax("implicit LE", _ALL, lambda scene: scene.frames.dtype.kind != "f"),
    Syntax("explicit BE", f"{_ALL}.2", lambda scene: _is_integer(scene, 1) and scene.palette is None),
    Syntax("deflated", f"{EXPLICIT}.99", lambda _: True),
    Syntax("RLE", f"{_ALL}.5", _is_integer, _rle),
    Syntax(
        "JPEG baseline",
        f"{_JPEG}50",
        lambda s: _is_integer(s, 8, 8) and s.palette is None,
        _baseline,
        is_lossless=False,
    ),
    Syntax(
        "JPEG extended",
        f"{_JPEG}51",
        lambda s: _is_grey(s) and _is_integer(s, 9, 12) and s.frames.dtype.kind == "u",
        _extended,
        is_lossless=False,
    ),
    Syntax(
        "JPEG lossless", f"{_JPEG}57", lambda s: _is_grey(s) and _is_integer(s, 8), lambda f, s: _by_dcmtk(f, s, "+el")
    ),
    Syntax(
        "JPEG lossless SV1",
        f"{_JPEG}70",
        lambda s: _is_grey(s) and _is_integer(s, 8),
        lambda f, s: _by_dcmtk(f, s, "+e1"),
    ),
    Syntax("JPEG-LS", f"{_JPEG}80", _is_integer, partial(_by_pydicom, encoder="JPEGLSLosslessEncoder")),
    Syntax(
        "JPEG-LS near",
        f"{_JPEG}81",
        lambda s: _is_integer(s, 8) and s.palette is None and s.frames.dtype.kind == "u",
        partial(_by_pydicom, encoder="JPEGLSNearLosslessEncoder", jls_error=2),
        is_lossless=False,
    ),
    Syntax(
        "JPEG 2000", f"{_JPEG}90", lambda s: _is_integer(s, 8), partial(_by_pydicom, encoder="JPEG2000LosslessEncoder")
    ),
    Syntax(
        "JPEG 2000 lossy",
        f"{_JPEG}91",
        lambda s: _is_integer(s, 8) and s.palette is None,
        partial(_by_pydicom, encoder="JPEG2000Encoder", j2k_cr=[8]),
        is_lossless=False,
    ),
    Syntax("HTJ2K", f"{_JPEG}201", lambda s: _is_integer(s, 8) and s.palette is None, _ht),
)


def photometrics(scene: Scene, syntax: Syntax) -> Sequence[str]:
    """Return which photometric interpretations a scene can be stored with."""
    if not scene.is_coloured:
        return (scene.photometric,)
    if syntax.name == "JPEG baseline":
        return (_YBR_422,)
    if syntax.name in {"JPEG 2000", "HTJ2K"}:
        return ("YBR_RCT",)
    if syntax.name == "JPEG 2000 lossy":
        return ("YBR_ICT",)
    if syntax.encode is None and not scene.shape[1] % 2:
        return (_RGB, _RGB, _YBR, _YBR_422)
    return (_RGB, _YBR) if syntax.encode is None or syntax.name == "RLE" else (_RGB,)


def written(scene: Scene, syntax: Syntax, who: Person, chance: Random, *, is_helpful: bool) -> bytes:
    """Return a file with the scene's frames.

    Parameters
    ----------
    who
        whose image it is: the header says so, if it is helpful; if not, it says somebody else
    """
    photometric = chance.choice(photometrics(scene, syntax))
    stored = scene
    if photometric in {_YBR, _YBR_422} and syntax.encode is not _baseline:
        stored = replace(scene, frames=np.stack([convert_color_space(each, _RGB, _YBR) for each in scene.frames]))
    study = Study(who.patient if is_helpful else chance.choice(PATIENTS), number=1 + chance.randrange(50))
    data_set = _header(scene, study, chance.randrange(200))
    key = chance.randrange(2**63)  # a study of its own: nothing can be known from another image
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID = factories.uid("study", key), factories.uid("series", key)
    data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = factories.uid("instance", key)
    if is_helpful:
        data_set.InstitutionName, data_set.AccessionNumber = who.institution, who.accession
        data_set.StudyDate = data_set.SeriesDate = data_set.ContentDate = who.study_date.strftime("%Y%m%d")
        data_set.ReferringPhysicianName = "^".join(who.staff)
    data_set.PhotometricInterpretation = photometric
    data_set.file_meta.TransferSyntaxUID = UID(syntax.uid)
    if syntax.encode is None:
        planar = int(photometric in {_RGB, _YBR} and chance.random() < 0.3)
        _native(data_set, stored, syntax.uid, planar)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frames = [syntax.encode(frame, stored) for frame in stored.frames]
        data_set.PixelData = encapsulate(frames, has_bot=chance.random() < 0.5)
        data_set["PixelData"].VR = "OB"
        data_set["PixelData"].is_undefined_length = True
    if not syntax.is_lossless:
        factories.update(data_set, LossyImageCompression="01", LossyImageCompressionRatio="8")
    out = BytesIO()
    is_implicit, is_big = syntax.uid == _ALL, syntax.uid == f"{_ALL}.2"
    dcmwrite(out, data_set, implicit_vr=is_implicit, little_endian=not is_big, enforce_file_format=True)
    return out.getvalue()


def _header(scene: Scene, study: Study, number: int) -> FileDataset:
    data_set = factories.base(study, scene.sop_class, scene.modality, number, 60)
    frames = scene.frames
    factories.update(
        data_set,
        ImageType=["ORIGINAL", "PRIMARY"],
        SamplesPerPixel=3 if scene.is_coloured else 1,
        PhotometricInterpretation=scene.photometric,
        Rows=scene.shape[0],
        Columns=scene.shape[1],
        BitsAllocated=1 if scene.bits == 1 else frames.itemsize * 8,
    )
    if frames.dtype.kind != "f":
        bits, is_signed = scene.bits, int(frames.dtype.kind == "i")
        factories.update(data_set, BitsStored=bits, HighBit=bits - 1, PixelRepresentation=is_signed)
    if scene.is_coloured:
        data_set.PlanarConfiguration = 0
    elif scene.palette is not None:
        for index, colour in enumerate(("Red", "Green", "Blue")):
            setattr(data_set, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 8])
            setattr(data_set, f"{colour}PaletteColorLookupTableData", scene.palette[:, index].tobytes())
    elif scene.bits > 1:
        low, high = (edge * scene.slope + scene.intercept for edge in (scene.low, scene.high))
        factories.update(
            data_set,
            RescaleSlope=f"{scene.slope:.6g}",
            RescaleIntercept=f"{scene.intercept:.6g}",
            WindowCenter=f"{(low + high) / 2:.8g}",
            WindowWidth=f"{max(high - low, 1e-3):.8g}",
        )
    if len(frames) > 1:
        factories.update(data_set, NumberOfFrames=len(frames), FrameIncrementPointer=0x00181063, FrameTime="40")
    return data_set


def _native(data_set: FileDataset, scene: Scene, uid: str, planar: int = 0) -> None:
    frames = scene.frames
    if scene.is_coloured:
        data_set.PlanarConfiguration = planar
        if data_set.PhotometricInterpretation == _YBR_422:
            frames = _pairs(frames)
        elif planar:
            frames = frames.transpose(0, 3, 1, 2)
    if frames.dtype.kind == "f":
        data_set.FloatPixelData = frames.astype("<f4").tobytes()
        return
    is_big = uid == f"{_ALL}.2"
    if scene.bits == 1:
        stored = np.packbits(frames.reshape(-1), bitorder="little").tobytes()
    else:
        stored = np.ascontiguousarray(frames).astype(frames.dtype.newbyteorder(">" if is_big else "<")).tobytes()
    data_set.PixelData = stored + b"\0" * (len(stored) % 2)
    data_set["PixelData"].VR = "OW" if scene.frames.itemsize > 1 or (not is_big and uid == _ALL) else "OB"
    if is_big and len(stored) % 2:
        data_set["PixelData"].VR = "OB"


def _pairs(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return YBR_FULL as YBR_FULL_422: two luma samples, then the mean of two of each chroma."""
    left, right = frames[:, :, 0::2].astype(np.uint16), frames[:, :, 1::2].astype(np.uint16)
    chroma = (left[..., 1:] + right[..., 1:]) // 2
    return np.concatenate([left[..., :1], right[..., :1], chroma], axis=-1).astype(np.uint8)
