"""Files decoded by others than the product: pydicom with its plug-ins, DCMTK where these can't, and both to compare."""

from __future__ import annotations

import subprocess
import tempfile
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array
from pydicom.uid import UID

_TIMEOUT_S = 120
_DCMTK = {
    **dict.fromkeys(("50", "51", "57", "70"), ("dcmdjpeg", "+cn")),  # colours as they are stored
    **dict.fromkeys(("80", "81"), ("dcmdjpls",)),
}
_RLE = "1.2.840.10008.1.2.5"


class UndecodableError(Exception):
    """No decoder here reads a file."""


def frames_of(file: bytes, *, as_rgb: bool = False) -> NDArray[Any]:
    """Return the stored values of all frames, (frames, rows, columns[, 3]), colours as they are stored or as RGB.

    Raises
    ------
    UndecodableError
        If it can't be decoded.
    """
    try:
        return _decoded(file, as_rgb=as_rgb)
    except Exception as error:  # noqa: BLE001  whatever a plug-in raises
        inflated = by_dcmtk(file)
        if inflated is None:
            raise UndecodableError(str(error).splitlines()[0]) from None
        return _decoded(inflated, as_rgb=as_rgb)


def _decoded(file: bytes, *, as_rgb: bool = False) -> NDArray[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = pydicom.dcmread(BytesIO(file))
        pixels = pixel_array(data_set, raw=not as_rgb)
    return pixels if int(data_set.get("NumberOfFrames") or 1) > 1 else pixels[None]


def by_dcmtk(file: bytes) -> bytes | None:
    """Return a file decompressed by DCMTK; None if it has no codec for it, or isn't there, or fails."""
    command = _command_for(pydicom.dcmread(BytesIO(file), stop_before_pixels=True))
    if command is None:
        return None
    with tempfile.TemporaryDirectory(prefix="pixel-exam-") as folder:
        source, target = Path(folder) / "in.dcm", Path(folder) / "out.dcm"
        source.write_bytes(file)
        try:
            subprocess.run([*command, str(source), str(target)], check=True, timeout=_TIMEOUT_S, capture_output=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return target.read_bytes()


def agrees_with_dcmtk(file: bytes, frames: NDArray[Any]) -> bool | None:
    """Tell whether DCMTK decodes the same values; None if it has no codec for them.

    Raises
    ------
    UndecodableError
        If it has one, and can't read them.
    """
    if _command_for(pydicom.dcmread(BytesIO(file), stop_before_pixels=True)) is None:
        return None
    inflated = by_dcmtk(file)
    if inflated is None:
        raise UndecodableError("DCMTK")
    return bool(np.array_equal(_decoded(inflated), frames))


def _command_for(data_set: Dataset) -> tuple[str, ...] | None:
    syntax = UID(data_set.file_meta.TransferSyntaxUID)
    return ("dcmdrle",) if syntax == _RLE else _DCMTK.get(syntax.rpartition(".")[2]) if ".2.4." in syntax else None
