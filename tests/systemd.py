"""How much of the machine the units in systemd/ leave open: ``systemd-analyze security``, offline, beside its targets.

    python -m tests.systemd

0 is the most closed, 10 the most open. Ends with 1 if a unit is above its target, with 2 without systemd-analyze.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

UNITS = Path(__file__).parents[1] / "systemd"

TARGETS = {
    "deid-node-receive.service": 1.5,
    "deid-node-work.service": 0.6,
    "deid-node-forward.service": 1.5,
    "deid-node-web.service": 1.5,
    "deid-node.service": 1.5,
}

_OVERALL = re.compile(r"Overall exposure level for \S+: ([\d.]+)")


def is_there() -> bool:
    """Say whether systemd-analyze is installed."""
    return shutil.which("systemd-analyze") is not None


def exposure(unit: Path) -> float:
    """Return the exposure level of a unit.

    Raises
    ------
    ValueError
        if systemd-analyze does not say it, or does not know a setting of the unit
    """
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    found = _OVERALL.search(done.stdout)
    if found is None or "Unknown" in done.stderr:
        raise ValueError(f"{unit.name}: {done.stderr.strip()}")
    return float(found[1])


def main() -> int:
    """Print a line for each unit."""
    if not is_there():
        print("missing: systemd-analyze; install it: apt-get install systemd")
        return 2
    worst = 0
    for name, target in TARGETS.items():
        level = exposure(UNITS / name)
        worst |= level > target
        print(f"{name:<28} {level:>4.1f}  target <= {target:.1f}  {'MISSED' if level > target else 'met'}")
    return int(worst)


if __name__ == "__main__":
    sys.exit(main())
