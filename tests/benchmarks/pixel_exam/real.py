"""Real backgrounds: public files in which there is no text to be seen, of the corpus where it is, and of pydicom."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from tests.benchmarks.pixel_exam.scenes import Scene

CORPUS = Path(__file__).parents[4] / "shared" / "corpus"
_BUNDLED = Path(pydicom.__file__).parent / "data" / "test_files"
_MOST_FRAMES = 3
_SMALLEST = 128

# Looked at one by one: none has text, a marker or a scale.
_IN_PYDICOM = (
    *("693_J2KI.dcm", "CT_small.dcm", "J2K_pixelrep_mismatch.dcm", "JPEG2000.dcm", "examples_overlay.dcm"),
    *("image_dfl.dcm", "SC_rgb_jpeg_dcmd.dcm", "liver_1frame.dcm"),
)
_IN_CORPUS = (
    *(f"dcm_qa_ct/In/GE/{number:02d}.dcm" for number in range(1, 29)),
    *(f"dcm_qa_deident/In/0000{number}.dcm" for number in (1, 2)),
    "dcm_qa_nih/In/20180918Si/mr_0003/epi_pe_ap-00001.dcm",
    *(f"dcm_qa_philips/In/Bangalore_2008/dwi_no-phi/IM_000{number}" for number in (1, 2)),
    "dcm_qa_uih/In/DTI_134434/dti_tra_dir16_AP_SaveBySlc__140028/00000001.dcm",
    "dcmqi/data/paramaps/pm-example-slice.dcm",
    *(f"dcmqi/data/segmentations/ct-3slice/0{number}.dcm" for number in (1, 2, 3)),
    "dcmstack/test/data/dcmstack/2D_16Echo_qT2/TE_20_SlcPos_-2.2076272953718.dcm",
    "dicognito/tests/orig_data/test_burned_in_annotation_default/burned_in_no.dcm",
    "dicomParser/testImages/encapsulated/single-frame/CT1_UNC.fragmented_bot_jpeg_ls.80.dcm",
    "dicomParser/testImages/encapsulated/multi-frame/CT0012.fragmented_no_bot_jpeg_ls.80.dcm",
    "nibabel/nibabel/nicom/tests/data/slicethickness_empty_string.dcm",
    *(f"nifi-dicom/src/test/resources/dicom/LGG-104_SPGR_00{number}.dcm" for number in (0, 2)),
    *(
        f"pydicom-data/data_store/data/{name}"
        for name in ("693_UNCI.dcm", "MR2_J2KR.dcm", "RG1_J2KI.dcm", "explicit_VR-UN.dcm")
    ),
    *(
        f"pydicom-data/data_store/data/{name}"
        for name in ("HTJ2KLossless_08_RGB.dcm", "MR-SIEMENS-DICOM-WithOverlays.dcm")
    ),
    "rsna-anonymizer/tests/controller/assets/test_dcm_files/JPEG-LS_Lossy.dcm",
    "umessen/test/resources/test01.dcm",
)
_SOP_CLASSES = {"SC": "1.2.840.10008.5.1.4.1.1.7"}


@lru_cache(maxsize=1)
def files() -> Sequence[Path]:
    """Return those that are there; pydicom's always are."""
    found = [_BUNDLED / name for name in _IN_PYDICOM] + [CORPUS / name for name in _IN_CORPUS]
    return tuple(path for path in found if path.is_file())


def real(chance: Random) -> Scene:
    """Choose one, by source first, so that a series of many slices isn't half of the exam."""
    groups: dict[str, list[Path]] = {}
    for path in files():
        groups.setdefault(str(path.parent) if path.parent != _BUNDLED else path.name, []).append(path)
    return _scene(chance.choice(groups[chance.choice(sorted(groups))]))


@lru_cache(maxsize=8)
def _scene(path: Path) -> Scene:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = pydicom.dcmread(path, force=True)
        pixels = data_set.pixel_array
    # Of a big-endian file the values are in that order, which encoders don't ask for.
    pixels = pixels.astype(pixels.dtype.newbyteorder("="))
    frames = _as_frames(pixels, data_set)[:_MOST_FRAMES]
    name = path.stem[:24]
    if frames.ndim == 4:
        return Scene(name, "OT", _SOP_CLASSES["SC"], frames, 8, 0, 255, "RGB", is_real=True)
    low, high = _window(data_set, frames)
    modality = str(data_set.get("Modality", "")) or "OT"
    return Scene(
        name,
        modality,
        str(data_set.get("SOPClassUID", "")) or _SOP_CLASSES["SC"],
        frames,
        _bits(frames, int(data_set.BitsStored)),
        low,
        high,
        str(data_set.PhotometricInterpretation),
        float(data_set.get("RescaleSlope") or 1),
        float(data_set.get("RescaleIntercept") or 0),
        is_real=True,
    )


def _as_frames(pixels: NDArray[Any], data_set: Dataset) -> NDArray[Any]:
    is_one = int(data_set.get("NumberOfFrames") or 1) == 1
    return pixels[None] if is_one else pixels


def _bits(frames: NDArray[Any], bits: int) -> int:
    """Return Bits Stored: files say less than there is in them."""
    if frames.dtype.kind == "i":
        return max(bits, int(np.abs(frames.astype(np.int64)).max()).bit_length() + 1)
    return max(bits, int(frames.max()).bit_length())


def _window(data_set: Dataset, frames: NDArray[Any]) -> tuple[float, float]:
    """Return the stored values at the ends of the file's own window, or of its values if it has none."""
    centre, width = data_set.get("WindowCenter"), data_set.get("WindowWidth")
    slope, intercept = float(data_set.get("RescaleSlope") or 1), float(data_set.get("RescaleIntercept") or 0)
    if centre is not None and width is not None:
        first, size = (
            float(each[0]) if isinstance(each, pydicom.multival.MultiValue) else float(each) for each in (centre, width)
        )
        low, high = ((edge - intercept) / slope for edge in (first - size / 2, first + size / 2))
        if size > 1 and low < float(frames.max()) and high > float(frames.min()):
            return low, high
    low, high = (float(each) for each in np.percentile(frames, (1, 99.8)))
    return low, max(high, low + 1)
