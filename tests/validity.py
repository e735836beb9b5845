"""`dciodvfy` before and after: which errors did the output gain?"""

from __future__ import annotations

import re
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import pydicom
from pydicom.uid import DeflatedExplicitVRLittleEndian

from tests.network import dcmtk

_VALUE = re.compile(r"= ?(<[^>]*>|'[^']*'|0x[0-9a-f]+)")

_GAVE_UP = ("read failed", "Tags out of order")


def errors(path: Path) -> Counter[str]:
    """Return the errors of `dciodvfy -new`, values taken out so that before and after can be compared."""
    with tempfile.TemporaryDirectory() as folder:
        if _is_deflated(path):  # dciodvfy takes the deflated bytes for elements
            inflated = Path(folder) / "inflated.dcm"
            dcmtk("dcmconv", "+te", path, inflated)
            path = inflated
        found = _errors(path)
        if any(phrase in error for error in found for phrase in _GAVE_UP):
            found |= _errors(_rewritten(path, Path(folder) / "rewritten.dcm"))
        return found


def _errors(path: Path) -> Counter[str]:
    run = dcmtk("dciodvfy", "-new", path)
    lines = (run.stdout + run.stderr).splitlines()
    return Counter(_VALUE.sub("= …", line) for line in lines if line.startswith("Error"))


def _is_deflated(path: Path) -> bool:
    try:
        syntax = pydicom.filereader.read_file_meta_info(path).TransferSyntaxUID
    except Exception:  # noqa: BLE001 -- then dciodvfy says what is wrong
        return False
    return bool(syntax == DeflatedExplicitVRLittleEndian)


def _rewritten(path: Path, target: Path) -> Path:
    """Return the file as pydicom writes it, private elements left out: dciodvfy gave up half-way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ds = pydicom.dcmread(path)
            ds.remove_private_tags()
            ds.save_as(target)
        except Exception:  # noqa: BLE001 -- what pydicom cannot write either keeps the errors it has
            return path
    return target


def gained(before: Counter[str], after: Counter[str]) -> list[str]:
    """Return the errors that `after` has and `before` has not."""
    return sorted(set(after) - set(before))
