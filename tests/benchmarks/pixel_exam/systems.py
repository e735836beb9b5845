"""Who sits the exam: the product's own path, or a stand-in that shows what the marks are worth."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.uid import ExplicitVRLittleEndian

from deid.context import Context
from deid.engine import deidentify
from deid.errors import DeidError, Refused
from deid.instance import Instance
from deid.keys import Keys
from deid.profile import Profile, load_profile
from tests.benchmarks.pixel_exam.decode import agrees_with_dcmtk, frames_of
from tests.benchmarks.pixel_exam.exam import Question
from tests.benchmarks.pixel_exam.marks import Marked, MarkedLine, compared, refused
from tests.benchmarks.pixel_exam.reading import lines_of

PROFILES = Path(__file__).parents[3] / "config" / "profiles"
PIXELS = "pixels"
"""The profile of `tcia`'s options, texts cleaned by rules: what is measured is the pixels' step."""

PRODUCT, FOUND, ALL_INK, NOTHING = "product", "found", "all-ink", "nothing"
SYSTEMS = (PRODUCT, FOUND, ALL_INK, NOTHING)
_WIDEN_PX = 2
_DCMTK_EVERY = 2
_NATIVE = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"})

Clean = Callable[[bytes, Question], bytes]


@dataclass(frozen=True, slots=True)
class System:
    """Who is examined."""

    name: str
    clean: Clean


def context_of(profile: str, seed: int) -> Context:
    """Return what the product needs beside an image."""
    if profile == PIXELS:
        options = load_profile(PROFILES / "tcia.toml").options
        loaded = Profile.from_options("pixel exam", sorted(options), text="rules")
    else:
        loaded = load_profile(Path(profile) if profile.endswith(".toml") else PROFILES / f"{profile}.toml")
    return Context(loaded, Keys.from_secret(hashlib.sha256(f"pixel exam {seed}".encode()).digest()))


def product(profile: str, seed: int) -> System:
    """Return the product's own path."""
    context = context_of(profile, seed)

    def clean(file: bytes, question: Question) -> bytes:
        del question
        return b"".join(deidentify(Instance.from_part10(file), context).clean.part10())

    return System(PRODUCT, clean)


def stand_in(name: str) -> System:
    """Return who masks all ink, or nothing, to show that the marks are right; or all lines that the product finds."""
    cleaners: dict[str, Clean] = {FOUND: _mask_all_found, ALL_INK: _mask_all_ink, NOTHING: lambda file, _: file}
    return System(name, cleaners[name])


def _mask_all_found(file: bytes, question: Question) -> bytes:
    del question
    return with_masks(file, [(reading.box, (frame,)) for frame, reading in lines_of(file)], widen_px=0)


def _mask_all_ink(file: bytes, question: Question) -> bytes:
    boxes = {line.box: line.frames for line in question.phi}
    return with_masks(file, list(boxes.items()))


def with_masks(
    file: bytes, boxes: list[tuple[tuple[int, int, int, int], tuple[int, ...]]], widen_px: int = _WIDEN_PX
) -> bytes:
    """Return a file with boxes blackened, uncompressed; the file itself if there is none."""
    if not boxes:
        return file
    data_set = pydicom.dcmread(BytesIO(file))
    frames = frames_of(file).copy()
    value = _black(data_set, frames)
    for (x0, y0, x1, y1), numbers in boxes:
        for number in numbers:
            frames[number, max(y0 - widen_px, 0) : y1 + widen_px, max(x0 - widen_px, 0) : x1 + widen_px] = value
    return _uncompressed(data_set, frames)


def _black(data_set: pydicom.Dataset, frames: NDArray[Any]) -> Any:
    if frames.ndim == 4:
        return np.array([0, 128, 128] if data_set.PhotometricInterpretation.startswith("YBR_FULL") else [0, 0, 0])
    return frames.max() if data_set.PhotometricInterpretation == "MONOCHROME1" else frames.min()


def _uncompressed(data_set: pydicom.Dataset, frames: NDArray[Any]) -> bytes:
    if "FloatPixelData" in data_set:
        data_set.FloatPixelData = frames.astype("<f4").tobytes()
    elif data_set.BitsAllocated == 1:
        data_set.PixelData = np.packbits(frames.reshape(-1), bitorder="little").tobytes()
    else:
        data_set.PixelData = frames.astype(frames.dtype.newbyteorder("<")).tobytes()
    if frames.ndim == 4:
        data_set.PlanarConfiguration = 0
        photometric = data_set.PhotometricInterpretation
        data_set.PhotometricInterpretation = (
            "YBR_FULL"
            if photometric == "YBR_FULL_422"
            else photometric.replace("YBR_RCT", "RGB").replace("YBR_ICT", "RGB")
        )
    if "PixelData" in data_set:
        data_set.PixelData += b"\0" * (len(data_set.PixelData) % 2)
        data_set["PixelData"].VR = "OW" if data_set.BitsAllocated > 8 else "OB"
        data_set["PixelData"].is_undefined_length = False
    data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out = BytesIO()
    pydicom.dcmwrite(out, data_set, little_endian=True, implicit_vr=False, enforce_file_format=True)
    return out.getvalue()


def sit(system: System, question: Question) -> Marked:
    """Have an image cleaned, and mark it."""
    file = question.file.read_bytes()
    cpu_ns, wall_ns = time.process_time_ns(), time.perf_counter_ns()
    try:
        clean, reason = system.clean(file, question), ""
    except Refused as error:
        clean, reason = b"", f"{error.reason} {error.detail}".strip()
    except DeidError:
        raise
    except Exception as error:  # noqa: BLE001  a crash is a result
        clean, reason = b"", f"crash: {type(error).__name__} {error}"
    cpu_ms, wall_ms = (time.process_time_ns() - cpu_ns) / 1e6, (time.perf_counter_ns() - wall_ns) / 1e6
    if reason:
        return refused(question, reason, cpu_ms, wall_ms)
    return marked(question, file, clean, cpu_ms, wall_ms)


def marked(question: Question, file: bytes, clean: bytes, cpu_ms: float, wall_ms: float) -> Marked:
    """Mark what was handed in for an image."""
    try:
        before, after = _comparable(file, clean)
        agrees = agrees_with_dcmtk(clean, after) if question.number % _DCMTK_EVERY == 0 and before.ndim == 3 else None
    except Exception as error:  # noqa: BLE001  nobody can use what can't be read
        return refused(question, f"output can't be read: {type(error).__name__} {error}"[:160], cpu_ms, wall_ms)
    if before.shape != after.shape:
        return refused(question, f"{after.shape} came out of {before.shape}", cpu_ms, wall_ms)
    found = compared(before, after, question.lines, is_lossless=question.syntax.is_lossless)
    lines = tuple(MarkedLine(line, gone) for line, gone in zip(question.lines, found.gone, strict=True))
    syntax = str(pydicom.dcmread(BytesIO(clean), stop_before_pixels=True).file_meta.TransferSyntaxUID)
    return Marked(question, lines, found.masked, found.regions, found.altered, cpu_ms, wall_ms, "", syntax, agrees)


def _comparable(file: bytes, clean: bytes) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the stored values of both; as RGB, if one stores its colours in another way than the other."""
    photometrics = [
        str(pydicom.dcmread(BytesIO(each), stop_before_pixels=True).PhotometricInterpretation) for each in (file, clean)
    ]
    stored = {each.replace("YBR_RCT", "RGB").replace("YBR_ICT", "RGB").replace("_422", "") for each in photometrics}
    as_rgb = len(stored) > 1
    return frames_of(file, as_rgb=as_rgb), frames_of(clean, as_rgb=as_rgb)
