"""Write the bill of materials and the list of licences: ``python -m tests.sbom FOLDER``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.sbom.cyclonedx import bill
from tests.sbom.inventory import Part, parts
from tests.sbom.licences import is_copyleft

BILL, LIST = "deid-node.cdx.json", "LICENCES.md"


def main(folder: Path) -> int:
    """Write both, and say what is in them."""
    found = parts()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / BILL).write_text(bill(found), "utf-8")
    (folder / LIST).write_text(table(found), "utf-8")
    unfit = [part for part in found if part.is_run_time and (not part.licence or is_copyleft(part.licence))]
    for part in unfit:
        print(f"{part.name} {part.version}: {part.licence or 'licence unknown'}")
    run_time = sum(part.is_run_time for part in found)
    print(f"{folder / BILL}, {folder / LIST}")
    print(f"parts={len(found)} run_time={run_time} unfit={len(unfit)}")
    return 1 if unfit else 0


def table(found: Sequence[Part]) -> str:
    """Return the list of licences: how often each, then part by part."""
    lines = ["# Licences", ""]
    for title, chosen in (
        ("When the node runs", [part for part in found if part.is_run_time]),
        ("For its tests alone", [part for part in found if not part.is_run_time]),
    ):
        counts = Counter(part.licence or "unknown" for part in chosen)
        lines += [f"## {title}", "", "| licence | parts |", "|---|---|"]
        lines += [f"| {licence} | {count} |" for licence, count in sorted(counts.items())]
        lines += ["", "| part | version | licence |", "|---|---|---|"]
        lines += [f"| {part.name} | {part.version} | {part.licence or 'unknown'} |" for part in chosen]
        lines += [""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/sbom")))
