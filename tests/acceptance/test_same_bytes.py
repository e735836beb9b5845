"""Same input and key give equal bytes whatever machine, hash seed, time zone, locale or folder (DESIGN, promise 6)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """
import hashlib, sys
from pathlib import Path
from deid.context import Context
from deid.engine import Instance, deidentify
from deid.keys import Keys
from deid.profile import load_profile
context = Context(load_profile(Path(sys.argv[1])), Keys.from_secret(b"one key for both machines"))
for path in sys.argv[2:]:
    clean = deidentify(Instance.from_part10(Path(path).read_bytes()), context).clean
    print(hashlib.sha256(b"".join(clean.part10())).hexdigest(), clean.patient_id, clean.sop_instance_uid)
"""

MACHINES = [
    {"PYTHONHASHSEED": "1", "TZ": "UTC", "LANG": "C.UTF-8"},
    {"PYTHONHASHSEED": "4242", "TZ": "Pacific/Auckland", "LANG": "C", "PYTHONOPTIMIZE": "1"},
]


@pytest.mark.parametrize("profile", ["basic", "longitudinal"])
def test_two_machines_with_one_key_write_equal_bytes(profile: str, tmp_path: Path) -> None:
    paths = _instances(tmp_path)
    outputs = []
    for number, machine in enumerate(MACHINES):
        folder = tmp_path / str(number)
        folder.mkdir()
        order = paths if number == 0 else paths[::-1]
        outputs.append(_run(profile, order, {**os.environ, **machine, "PYTHONPATH": str(ROOT)}, folder))

    assert outputs[0] == outputs[1][::-1]
    assert len(set(outputs[0])) == len(paths)


def _instances(folder: Path) -> list[Path]:
    from tests import factories, objects

    makers = [
        factories.ct,
        factories.us,
        factories.pt,
        objects.enhanced_mr,
        objects.rt_structure_set,
        objects.structured_report,
    ]
    paths = []
    for number, maker in enumerate(makers):
        path = folder / f"{number}.dcm"
        path.write_bytes(factories.to_bytes(maker()))
        paths.append(path)
    return paths


def _run(profile: str, paths: list[Path], environment: dict[str, str], folder: Path) -> list[str]:
    command = [sys.executable, "-c", PROGRAM, str(ROOT / "config" / "profiles" / f"{profile}.toml"), *map(str, paths)]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.splitlines()
