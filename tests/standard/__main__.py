"""`make e11`: walk Table E.1-1 through the engine, print what was counted; exit 1 if anything deviates."""

from __future__ import annotations

import time

from tests.standard import table, walk

_MOST_LINES = 40


def main() -> int:
    tally = walk.Tally()
    started = time.monotonic()
    for one in walk.WALKS:
        one(tally)
    for deviation in tally.deviations[:_MOST_LINES]:
        print(f"DEVIATES {deviation}")
    for kind, number in tally.checks.items():
        print(f"{kind:20} {number:8d} attributes held against their rows")
    for name, number in tally.refused.items():
        print(f"profile {name}: {number} instances refused whole, a step it demands isn't there yet")
    option_sets = len(walk.single_options()) + len(walk.pairs()) + len(walk.shipped())
    deviating = len(tally.deviations) + tally.doubtful_uids + (len(tally.witness.shifts) != 1)
    print(
        f"e11 rows={len(tally.rows)} of={len(table.rows())} option_sets={option_sets} depths={walk.DEPTHS} "
        f"row_types={len(tally.types)} instances={tally.runs} checks={tally.total} "
        f"deviations={deviating} wall_s={time.monotonic() - started:.1f}"
    )
    return 1 if deviating or len(tally.rows) != len(table.rows()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
