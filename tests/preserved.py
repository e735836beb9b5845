"""`make preserved`: over ../shared/corpus, what a profile keeps is the same before and after, and others can read it.

Prints for each profile how many values were compared and how many are identical: diffusion, rescaling, geometry, SUV
inputs, windows, pixels; dates by the days between them, Frames of Reference by which instances share one. Ends with one
line of key=value; exits with 1 if anything differs that the profile keeps, or if DCMTK or pydicom can't read an output;
with 0 and a word if the corpus or DCMTK is absent.
"""

from __future__ import annotations

import argparse
import struct
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.pixels import get_decoder

from deid.context import Context
from deid.engine import Instance, deidentify
from deid.errors import Refused
from deid.keys import Keys
from deid.profile import Profile, load_profile
from tests import corpus
from tests.network import ROOT, dcmtk, missing
from tests.standard.table import MODIFIED_DATES, row_of

PROFILES = ("longitudinal", "tcia-header")
_PRIVATE_STAYS = _CHARACTERISTICS_STAY = frozenset({"tcia-header"})
_FILES_PER_CALL = 32

Path_: TypeAlias = "tuple[int, ...]"
"""Tags and item numbers that lead to an element."""

# What is compared. None of these tags has a row in Table E.1-1, but for the patient's characteristics.
STANDARD: dict[str, tuple[int, ...]] = {
    "diffusion": (
        *(0x0018_9087, 0x0018_9089, 0x0018_9075, 0x0018_9147),  # b-value, orientation, directionality, anisotropy
        *(0x0018_9602, 0x0018_9603, 0x0018_9604, 0x0018_9605, 0x0018_9606, 0x0018_9607),  # b-matrix
    ),
    "rescale": (
        *(0x0028_1052, 0x0028_1053, 0x0028_1054),  # intercept, slope, type
        *(0x0040_9224, 0x0040_9225, 0x0040_9211, 0x0040_9212, 0x0040_9216),  # real world values
        *(0x0028_3002, 0x0028_3006, 0x3004_000E),  # lookup tables, dose grid scaling
    ),
    "geometry": (
        *(0x0020_0032, 0x0020_0037, 0x0028_0030, 0x0028_0034, 0x0018_1164, 0x0018_0050, 0x0018_0088, 0x0020_1041),
        *(0x0018_5100, 0x0020_0020, 0x3006_0050, 0x3004_000C, 0x0020_9157, 0x0020_9057, 0x0018_1120, 0x0018_602C),
        *(0x0018_602E, 0x3006_00C6, 0x0048_021A, 0x0070_0022),
    ),
    "SUV inputs": (
        *(0x0018_1072, 0x0018_1073, 0x0018_1074, 0x0018_1075, 0x0018_1076),  # times, dose, half-life
        *(0x0054_1001, 0x0054_1006, 0x0054_1102, 0x0054_1300, 0x0054_1321, 0x0054_1322, 0x0028_0051, 0x0018_1242),
        *(0x0008_0030, 0x0008_0031, 0x0008_0032),
    ),
    "window": (0x0028_1050, 0x0028_1051, 0x0028_1055, 0x0028_1056, 0x0028_3010),
    "pixel attributes": (
        *(0x0028_0002, 0x0028_0004, 0x0028_0006, 0x0028_0008, 0x0028_0010, 0x0028_0011, 0x0028_0100, 0x0028_0101),
        *(0x0028_0102, 0x0028_0103, 0x0028_0120, 0x0028_1101, 0x0028_1102, 0x0028_1103, 0x0028_1201, 0x0028_1202),
        *(0x0028_1203, 0x0028_2110, 0x0028_2112, 0x0028_2114),
    ),
    "weight and size": (0x0010_1030, 0x0010_1020, 0x0010_0040),
}

# (creator, group) → last two digits; Table E.3.10-1 and TCIA's knowledge base keep them.
PRIVATE: dict[str, dict[tuple[str, int], tuple[int, ...]]] = {
    "private diffusion": {
        ("SIEMENS MR HEADER", 0x0019): (0x0C, 0x0D, 0x0E, 0x27),
        ("GEMS_PARM_01", 0x0043): (0x39,),
        ("GEMS_ACQU_01", 0x0019): (0xBB, 0xBC, 0xBD, 0xE0),
        ("Philips Imaging DD 001", 0x2001): (0x03, 0x04),
        ("Philips MR Imaging DD 001", 0x2005): (0xB0, 0xB1, 0xB2),
        ("Image Private Header", 0x0065): (0x09, 0x37, 0x50),
    },
    "private scaling": {
        ("Philips MR Imaging DD 001", 0x2005): (0x0D, 0x0E),
        ("Philips PET Private Group", 0x7053): (0x00, 0x09),
    },
}
KEPT_BY = {"weight and size": _CHARACTERISTICS_STAY, **dict.fromkeys(PRIVATE, _PRIVATE_STAYS)}
"""The profiles that keep a kind of value; all of them where nothing is said."""

_KIND_OF_TAG = {tag: kind for kind, tags in STANDARD.items() for tag in tags}
_PIXELS = (0x7FE0_0010, 0x7FE0_0008, 0x7FE0_0009)
_FRAMES_OF_REFERENCE = frozenset({0x0020_0052, 0x3006_0024})
_KIND_OF_PRIVATE = {
    (creator, group, low): kind
    for kind, table in PRIVATE.items()
    for (creator, group), lows in table.items()
    for low in lows
}


@dataclass(slots=True)
class Counts:
    """What one profile left of one kind of value."""

    compared: int = 0
    identical: int = 0
    with_sequence: int = 0
    removed: int = 0

    @property
    def differing(self) -> int:
        return self.compared - self.identical


@dataclass(slots=True)
class Tally:
    """What was compared under one profile.

    Attributes
    ----------
    counts
        by kind of value
    differing
        file, kind and place of what isn't as it was
    refused
        reason → files
    unreadable
        outputs that DCMTK or pydicom doesn't read
    frames
        old → new Frame of Reference UIDs, and ``new …`` → old
    creators
        private values compared, by creator
    """

    counts: defaultdict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))
    differing: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)
    frames: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    creators: Counter[str] = field(default_factory=Counter)
    outputs: int = 0

    def note(self, kind: str, *, is_same: bool, where: str) -> None:
        counts = self.counts[kind]
        counts.compared += 1
        counts.identical += is_same
        if not is_same:
            self.differing.append(f"{kind}: {where}")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value that is compared."""

    kind: str
    path: Path_
    value: bytes
    creator: str = ""


def leaves(ds: Dataset, path: Path_ = ()) -> Iterator[Leaf]:
    """Yield the values of `STANDARD` and `PRIVATE`, dates and Frame of Reference UIDs, at every depth."""
    creators: dict[int, str] = {}
    # pydicom decodes elements when a Sequence beside them is looked into
    raws = {tag: ds.get_item(tag) for tag in sorted(ds.keys())}
    for tag, raw in raws.items():
        here = (*path, int(tag))
        items = _items(ds, tag)
        if items is not None:
            for number, one in enumerate(items):
                yield from leaves(one, (*here, number))
            continue
        value = struct.pack("<H", raw.value) if isinstance(raw.value, int) else raw.value or b""
        if tag.is_private_creator:
            creators[tag.group << 8 | tag.element] = value.decode("latin-1").strip(" \0")
        kind, creator = _kind(tag, raw.VR, creators)
        if kind and value.strip(b" "):
            yield Leaf(kind, here, value, creator)


def _kind(tag: Any, vr: str | None, creators: dict[int, str]) -> tuple[str, str]:
    if tag.is_private:
        creator = creators.get(tag.group << 8 | tag.element >> 8, "")
        return _KIND_OF_PRIVATE.get((creator, tag.group, tag.element & 0xFF), ""), creator
    if tag in _FRAMES_OF_REFERENCE:
        return "frame of reference", ""
    vr = vr or (dictionary_VR(tag) if dictionary_has_tag(tag) else "")
    return _KIND_OF_TAG.get(int(tag), "dates" if vr in {"DA", "DT"} else ""), ""


def _items(ds: Dataset, tag: Any) -> Sequence[Dataset] | None:
    """Return a Sequence's items, also those of one that came as UN or without VR; None for a leaf."""
    raw = ds.get_item(tag)
    if raw is None or raw.VR not in {"SQ", "UN", None}:
        return None
    if raw.VR != "SQ" and not (isinstance(raw.value, bytes) and raw.value[:4] == b"\xfe\xff\x00\xe0"):
        is_sequence = dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"
        if not is_sequence and not isinstance(raw.value, list):
            return None
    element = ds[tag]
    return element.value if element.VR == "SQ" else None


def compare(before: Dataset, after: Dataset, profile: Profile, where: str, tally: Tally) -> None:
    """Hold the values of an output against those of its source."""
    options = profile.options
    new = {leaf.path: leaf for leaf in leaves(after)}
    dates: list[tuple[Leaf, bytes]] = []
    for leaf in leaves(before):
        counts = tally.counts[leaf.kind]
        found = new.get(leaf.path)
        if profile.name not in KEPT_BY.get(leaf.kind, {profile.name}):
            counts.removed += 1
        elif _is_within_what_goes(leaf.path, after, options):
            counts.with_sequence += 1
        elif _is_no_number(leaf):
            counts.removed += 1
        elif leaf.kind == "dates":
            if not _is_kept_date(leaf):
                counts.removed += 1
            else:
                dates.append((leaf, b"" if found is None else found.value))
        elif leaf.kind == "frame of reference":
            _link_frame(leaf, found, where, tally)
        else:
            is_same = found is not None and _unpadded(found.value) == _unpadded(leaf.value)
            tally.note(leaf.kind, is_same=is_same, where=f"{where} {_show(leaf)}")
            if leaf.creator:
                tally.creators[leaf.creator] += 1
    _compare_dates(dates, where, tally)
    _compare_pixels(before, after, where, tally)


def _is_within_what_goes(path: Path_, after: Dataset, options: frozenset[str]) -> bool:
    """Tell whether a Sequence around the value goes, or is filled with dummies, by its row or as a private one."""
    here: Any = after
    for tag, number in zip(path[:-1:2], path[1::2], strict=True):
        row = row_of(tag)
        if row is not None and row.basic != "X/Z/U*" and options.isdisjoint(row.options):
            return True
        items = _items(here, pydicom.tag.Tag(tag)) if tag in here else None
        if items is None or len(items) <= number:
            return bool(tag >> 16 & 1)
        here = items[number]
    return False


def _is_no_number(leaf: Leaf) -> bool:
    """Tell whether a decimal or integer string isn't one; nothing says what it means."""
    tag = leaf.path[-1]
    if leaf.creator or not dictionary_has_tag(tag) or dictionary_VR(tag) not in {"DS", "IS"}:
        return False
    try:
        [float(part) for part in leaf.value.strip(b" \0").split(b"\\") if part.strip()]
    except ValueError:
        return True
    return False


def _unpadded(value: bytes) -> bytes:
    return value.rstrip(b" \0") or value


def _is_kept_date(leaf: Leaf) -> bool:
    """Tell whether a date can be read and the options for dates reach it."""
    row = row_of(leaf.path[-1])
    return (row is None or MODIFIED_DATES in row.options) and None not in map(_day, leaf.value.split(b"\\"))


def _link_frame(leaf: Leaf, found: Leaf | None, where: str, tally: Tally) -> None:
    """Note what an old Frame of Reference UID became; it has to be one new UID, another for each."""
    if found is None:
        tally.note(leaf.kind, is_same=False, where=f"{where} {_show(leaf)}")
        return
    old, new = (one.value.decode("latin-1").strip(" \0") for one in (leaf, found))
    tally.frames[old].add(new)
    tally.frames[f"new {new}"].add(old)
    is_same = len(tally.frames[old]) == 1 == len(tally.frames[f"new {new}"])
    tally.note(leaf.kind, is_same=is_same, where=f"{where} {_show(leaf)}")


def _compare_dates(dates: list[tuple[Leaf, bytes]], where: str, tally: Tally) -> None:
    """Compare the days between each date and the first of the instance, and the times of day in date-times."""
    first: int | None = None
    for leaf, new in dates:
        old_parts, new_parts = leaf.value.split(b"\\"), new.split(b"\\")
        shifts = [
            (now - then).days if then is not None and now is not None else None
            for then, now in zip_longest(map(_day, old_parts), map(_day, new_parts))
        ]
        first = shifts[0] if first is None else first
        rests = [[part.strip(b" \0").replace(b".", b"", 2)[8:] for part in parts] for parts in (old_parts, new_parts)]
        is_same = None not in shifts and set(shifts) == {first} and rests[0] == rests[1]
        tally.note("dates", is_same=is_same, where=f"{where} {_show(leaf)}")


def _day(value: bytes) -> date | None:
    text = value.strip(b" \0").replace(b".", b"")[:8]
    if len(text) != 8 or not text.isdigit():
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def _compare_pixels(before: Dataset, after: Dataset, where: str, tally: Tally) -> None:
    for tag in _PIXELS:
        if tag not in before:
            continue
        if tag not in after:
            tally.note("pixels, bytes", is_same=False, where=where)
        elif before[tag].value == after[tag].value:
            tally.note("pixels, bytes", is_same=True, where=where)
        else:
            old, new = _decoded(before), _decoded(after)
            if old is None:  # nobody can decode the source either
                tally.counts["pixels, decoded"].removed += 1
            else:
                is_same = new is not None and np.array_equal(old, new)
                tally.note("pixels, decoded", is_same=is_same, where=where)


def _decoded(ds: Dataset) -> Any:
    """Return all frames as stored, without bits above Bits Stored; None if nobody decodes them."""
    try:
        array, _ = get_decoder(ds.file_meta.TransferSyntaxUID).as_array(ds, raw=True)
    except Exception:  # noqa: BLE001 -- whatever a decoder raises
        return None
    bits = int(ds.get("BitsStored", 0))
    if array.dtype.kind in "iu" and 0 < bits < array.dtype.itemsize * 8 and int(ds.get("BitsAllocated", 0)) > 1:
        return array.view(f"u{array.dtype.itemsize}") & ((1 << bits) - 1)
    return array


def _show(leaf: Leaf) -> str:
    return ".".join(f"{step:08X}" if step > 0xFFFF else str(step) for step in leaf.path) + f" {leaf.creator}".rstrip()


def run(profile: str, sources: Sequence[corpus.Source], folder: Path) -> Tally:
    """Clean all sources with one profile and hold the outputs against them."""
    context = Context(
        load_profile(ROOT / "config" / "profiles" / f"{profile}.toml"), Keys.from_secret(bytes(range(32)))
    )
    tally = Tally()
    written: dict[Path, str] = {}
    for number, source in enumerate(sources):
        where = str(source.path.relative_to(corpus.CORPUS))
        try:
            clean = deidentify(Instance.from_part10(source.path.read_bytes()), context).clean
        except Refused as refusal:
            tally.refused[str(refusal)] += 1
            continue
        out = folder / f"{number:04d}.dcm"
        out.write_bytes(b"".join(clean.part10()))
        written[out] = where
        try:
            str(pydicom.dcmread(out))  # reads every element
            after = pydicom.dcmread(out)
        except Exception as error:  # noqa: BLE001 -- whatever pydicom raises
            tally.unreadable.append(f"pydicom: {where}: {type(error).__name__}")
            continue
        compare(pydicom.dcmread(source.path), after, context.profile, where, tally)
    tally.outputs = len(written)
    tally.unreadable += [f"dcmdump: {written[path]}" for path in _unread_by_dcmtk(list(written))]
    return tally


def _unread_by_dcmtk(paths: list[Path]) -> Iterator[Path]:
    for start in range(0, len(paths), _FILES_PER_CALL):
        batch = paths[start : start + _FILES_PER_CALL]
        if dcmtk("dcmdump", "-q", *batch).returncode:
            yield from (path for path in batch if dcmtk("dcmdump", "-q", path).returncode)


def report(profile: str, tally: Tally) -> None:
    """Print one profile's table."""
    print(f"\nprofile {profile}: {tally.outputs} outputs")
    print(f"{'':20} {'compared':>9} {'identical':>9} {'differing':>9} {'profile removes':>16} {'with sequence':>14}")
    for kind in (*STANDARD, *PRIVATE, "frame of reference", "dates", "pixels, bytes", "pixels, decoded"):
        counts = tally.counts[kind]
        print(
            f"{kind:20} {counts.compared:9d} {counts.identical:9d} {counts.differing:9d} "
            f"{counts.removed:16d} {counts.with_sequence:14d}"
        )
    for creator, number in tally.creators.most_common():
        print(f"  private values of {creator}: {number}")
    for reason, number in tally.refused.most_common():
        print(f"  refused {number:4d}  {reason}")
    for line in [*tally.differing[:40], *tally.unreadable[:40]]:
        print(f"  DIFFERS {line}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.preserved", description=__doc__.splitlines()[0])
    parser.add_argument("--profile", choices=PROFILES, help="only this one")
    arguments = parser.parse_args()
    if not corpus.CORPUS.is_dir() or missing("dcmdump"):
        print("skipped: needs ../shared/corpus and DCMTK")
        return 0
    warnings.simplefilter("ignore")  # pydicom's, about files that are odd on purpose
    started = time.monotonic()
    sources = corpus.readable(corpus.CORPUS)
    tallies: dict[str, Tally] = {}
    for profile in [arguments.profile] if arguments.profile else PROFILES:
        with tempfile.TemporaryDirectory(prefix="deid-node-preserved-") as folder:
            tallies[profile] = run(profile, sources, Path(folder))
        report(profile, tallies[profile])
    totals = {
        name: sum(getattr(counts, name) for tally in tallies.values() for counts in tally.counts.values())
        for name in ("compared", "identical", "differing")
    }
    unreadable = sum(len(tally.unreadable) for tally in tallies.values())
    print(
        f"\npreserved files={len(sources)} outputs={sum(tally.outputs for tally in tallies.values())}",
        *(f"{name}={number}" for name, number in totals.items()),
        f"unreadable={unreadable} wall_s={time.monotonic() - started:.1f}",
    )
    return 1 if totals["differing"] or unreadable or not totals["compared"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
