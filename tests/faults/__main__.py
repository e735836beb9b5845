"""`make faults`: every status and every trouble between node and archive, and what came of each; 1 if any is wrong."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.faults.certificates import certificates
from tests.faults.run import Found, run
from tests.faults.table import GIVE_UP_S, for_ever, rows


def everything(folder: Path) -> list[Found]:
    """Run all rows: those that are mended by a node that is patient, the others by one that soon gives up."""
    made = certificates(folder / "certificates")
    found = run(folder / "mended", rows(made), made, give_up_days=1.0)
    return [*found, *run(folder / "for-ever", for_ever(made), made, give_up_days=GIVE_UP_S / 86_400)]


def table(found: list[Found]) -> str:
    """Write all as a table."""
    lines = [f"{'what happens':44} {'what came of it':52} {'sent':>4}  {''}"]
    for each in found:
        verdict = "ok" if not each.wrong else f"WRONG: {'; '.join(each.wrong)}"
        lines.append(f"{each.row.name:44} {each.outcome:52} {each.sent:4}  {verdict}")
    return "\n".join(lines)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="deid-node-faults-") as folder:
        found = everything(Path(folder))
    wrong = sum(bool(each.wrong) for each in found)
    print(table(found))
    print(f"faults rows={len(found)} as_documented={len(found) - wrong} wrong={wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
