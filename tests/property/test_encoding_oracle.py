"""The reader and the writer against pydicom, over every file that ships with it and over the corpus."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path
from typing import TypeAlias

import pydicom
import pytest
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments

from deid.elements.file_meta import part10_header
from deid.encoding.element import DataSet, Element, Fragments
from deid.encoding.reader import Part10, read_data_set, read_part10
from deid.encoding.tags import DATA_SET_TRAILING_PADDING, SPECIFIC_CHARACTER_SET
from deid.encoding.vr import implied_vr
from deid.encoding.writer import convert, write_data_set
from deid.errors import Reason, Refused

Tree: TypeAlias = "dict[int, tuple[str, bytes | list[Tree] | list[bytes]]]"

SHIPPED = Path(pydicom.__file__).parent / "data"
CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"
NATIVE = (
    pydicom.uid.ImplicitVRLittleEndian,
    pydicom.uid.ExplicitVRLittleEndian,
    pydicom.uid.ExplicitVRBigEndian,
    pydicom.uid.DeflatedExplicitVRLittleEndian,
)

REFUSED = {
    "winter.dcm": Reason.MALFORMED,  # SOP Instance UID occurs twice
    "SC_rgb_jpeg.dcm": Reason.MALFORMED,  # implicit VR in a syntax with explicit VR
    "MR_truncated.dcm": Reason.TRUNCATED,
    "rtplan_truncated.dcm": Reason.TRUNCATED,
    "DICOMDIR-nooffset": Reason.TRUNCATED,
    "emri_small_jpeg_2k_lossless_too_short.dcm": Reason.TRUNCATED,
    "meta_missing_tsyntax.dcm": Reason.NOT_DICOM,
}
"""Files that are broken, and read by pydicom nevertheless."""


def _files() -> list[Path]:
    """Return every file with the prefix of PS3.10."""
    found = [path for root in (SHIPPED, CORPUS) if root.is_dir() for path in sorted(root.rglob("*")) if path.is_file()]
    return [path for path in found if path.read_bytes()[128:132] == b"DICM"]


def _name(path: Path) -> str:
    root = SHIPPED if path.is_relative_to(SHIPPED) else CORPUS
    return path.relative_to(root).as_posix()


def _is_native(path: Path) -> bool:
    return read_part10(path.read_bytes()).transfer_syntax in NATIVE


FILES = _files()
READABLE = [path for path in FILES if path.name not in REFUSED]
SHIPPED_NATIVE = [path for path in READABLE if path.is_relative_to(SHIPPED) and _is_native(path)]


def _read(path: Path) -> tuple[Part10, DataSet]:
    part10 = read_part10(path.read_bytes())
    return part10, read_data_set(part10.data_set_bytes, part10.transfer_syntax)


def _even(value: bytes) -> bytes:
    return value if len(value) % 2 == 0 else value + b"\0"


def _our_tree(data_set: DataSet) -> Tree:
    return {tag: _ours(element) for tag, element in data_set.elements.items()}


def _ours(element: Element) -> tuple[str, bytes | list[Tree] | list[bytes]]:
    value = element.value
    if isinstance(value, list):
        return "SQ", [_our_tree(item) for item in value]
    if isinstance(value, Fragments):
        return element.vr, [bytes(value.offsets), *map(bytes, value.items)]
    return element.vr, bytes(value).rstrip(b" \0") if element.tag == SPECIFIC_CHARACTER_SET else bytes(value)


def _their_tree(data_set: Dataset) -> Tree:
    """Read the sequences last: pydicom decodes Pixel Representation and more on the way to them."""
    tags = [tag for tag in sorted(data_set.keys()) if tag.element and tag != DATA_SET_TRAILING_PADDING]
    stored = {tag: data_set.get_item(tag) for tag in tags}
    tree = {int(tag): _theirs(data_set, stored[tag]) for tag in sorted(tags, key=lambda tag: stored[tag].VR == "SQ")}
    return dict(sorted(tree.items()))


def _theirs(data_set: Dataset, element: RawDataElement | DataElement) -> tuple[str, bytes | list[Tree] | list[bytes]]:
    tag = element.tag
    vr = implied_vr(tag) if element.VR in (None, "UN") else element.VR
    if vr == "SQ":
        return "SQ", [_their_tree(item) for item in data_set[tag].value]
    if tag == SPECIFIC_CHARACTER_SET:  # decoded by pydicom as soon as it is read
        terms = data_set[tag].value or ""
        return vr, (terms if isinstance(terms, str) else "\\".join(terms)).encode()
    if not isinstance(element, RawDataElement):
        assert element.is_empty
        return vr, b""
    value = element.value or b""
    if element.length == 0xFFFFFFFF:
        return vr, list(generate_fragments(value))
    return vr, value


def _their_reading(data: bytes) -> Tree:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _their_tree(pydicom.dcmread(BytesIO(data)))


def _written(part10: Part10, data_set: DataSet, transfer_syntax: str) -> bytes:
    header = part10_header(part10.meta.sop_class_uid, part10.meta.sop_instance_uid, transfer_syntax)
    return b"".join([header, *write_data_set(data_set, transfer_syntax)])


def _padded(tree: Tree) -> Tree:
    """Return the tree with the padding out of the comparison."""
    padded: Tree = {}
    for tag, (vr, value) in tree.items():
        if isinstance(value, bytes):
            padded[tag] = vr, value.rstrip(b" \0")
        elif vr == "SQ":
            padded[tag] = vr, [_padded(item) for item in value if isinstance(item, dict)]
        else:
            padded[tag] = "OB", [_even(item) for item in value if isinstance(item, bytes)]  # PS3.5 Section A.4: OB
    return padded


@pytest.mark.parametrize("path", READABLE, ids=_name)
def test_every_file_reads_as_pydicom_reads_it(path: Path) -> None:
    _, data_set = _read(path)
    assert _our_tree(data_set) == _their_reading(path.read_bytes())


@pytest.mark.parametrize("path", READABLE, ids=_name)
def test_what_is_written_reads_the_same_in_pydicom(path: Path) -> None:
    part10, data_set = _read(path)
    written = _written(part10, data_set, part10.transfer_syntax)
    assert _padded(_their_reading(written)) == _padded(_our_tree(data_set))


@pytest.mark.parametrize("path", READABLE, ids=_name)
def test_what_is_written_is_written_again_byte_for_byte(path: Path) -> None:
    part10, data_set = _read(path)
    once = b"".join(write_data_set(data_set, part10.transfer_syntax))
    again = write_data_set(read_data_set(once, part10.transfer_syntax), part10.transfer_syntax)
    assert b"".join(again) == once


@pytest.mark.parametrize("target", NATIVE)
@pytest.mark.parametrize("path", SHIPPED_NATIVE, ids=_name)
def test_there_and_back_through_another_syntax_loses_nothing(path: Path, target: str) -> None:
    part10, data_set = _read(path)
    source = part10.transfer_syntax
    there = b"".join(write_data_set(convert(data_set, source, target), target))
    back = convert(read_data_set(there, target), target, source)
    again = b"".join(write_data_set(convert(back, source, target), target))
    assert again == there
    if target != pydicom.uid.ImplicitVRLittleEndian:  # which forgets the VRs of private elements
        assert b"".join(write_data_set(back, source)) == b"".join(write_data_set(data_set, source))


@pytest.mark.parametrize("path", [path for path in FILES if path.name in REFUSED], ids=_name)
def test_broken_files_are_refused_with_their_reason(path: Path) -> None:
    with pytest.raises(Refused) as refusal:
        _read(path)
    assert refusal.value.reason is REFUSED[path.name]


def test_the_files_are_there_that_the_oracle_needs() -> None:
    assert len(READABLE) > 80
