"""Run the hunt at every level of the log: ``python -m tests.hunt``; exit code 1 if a sentinel was found."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.hunt.run import Hunt, hunt

LEVELS = ("debug", "info", "warning", "error")


def main() -> int:
    """Hunt, and print what was searched and found."""
    parser = argparse.ArgumentParser(prog="python -m tests.hunt", description=__doc__)
    parser.add_argument("--profile", default="longitudinal")
    parser.add_argument("--every", type=int, default=1, help="only each n-th instance with attributes")
    parser.add_argument("--levels", nargs="+", choices=LEVELS, default=LEVELS)
    chosen = parser.parse_args()
    total: Counter[str] = Counter()
    for level in chosen.levels:
        with tempfile.TemporaryDirectory(prefix="hunt-") as folder:
            found = hunt(Path(folder), level, chosen.profile, chosen.every)
        _print(level, found)
        total += Counter(planted=found.planted, places=len(found.searched), killed=found.killed)
        total["hits"] += sum(found.hits.values())
    print(" ".join(f"{name}={number}" for name, number in total.items()))
    return 1 if total["hits"] else 0


def _print(level: str, found: Hunt) -> None:
    print(f"log level {level}: {found.planted} sentinels, {found.killed} processes killed")
    print("  answers   ", ", ".join(f"{status}: {count}" for status, count in sorted(found.answers.items())))
    print(f"  delivered  {found.delivered}")
    print("  quarantine", ", ".join(f"{reason}: {count}" for reason, count in sorted(found.reasons.items())))
    print(f"  searched  {sum(found.searched.values())} texts, {found.searched_bytes} bytes")
    for place, count in sorted(found.searched.items()):
        print(f"    {count:>6}  {place}")
    for (place, form), count in sorted(found.hits.items()):
        print(f"  HIT  {count:>6}  {place}: {form}")


if __name__ == "__main__":
    sys.exit(main())
