"""Text is found and read with no network, no home and no place to write; no socket is ever opened."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

READ = """
import json, os, sys
import cv2
import numpy as np
from deid.pixels.ocr import reader

before = dict(os.environ)
picture = np.random.default_rng(1).integers(40, 70, (256, 384, 3)).astype(np.uint8)
cv2.putText(picture, "DOE JANE 1970", (30, 60), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 2)
cv2.putText(picture, "ID 4711471", (30, 200), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 255), 2)
lines = reader().lines(picture)
print(json.dumps({
    "texts": [line.text for line in lines],
    "same": lines == reader().lines(picture),
    "network": sys.modules["socket"].has_ipv6,
    "telemetry": os.environ["ORT_DISABLE_TELEMETRY"],
    "cache": os.environ.get("PADDLE_PDX_CACHE_HOME"),
}))
"""
ALONE = ("unshare", "--user", "--map-root-user", "--net")
TRACED = ("strace", "-f", "-qq", "-e", "trace=%network", "-o")


def run(before: tuple[str, ...], tmp_path: Path) -> dict[str, Any]:
    """Read a picture in a process of its own with an empty home; return what it says."""
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    env = {**os.environ, "HOME": str(home), "TMPDIR": str(temporary), "OPENBLAS_NUM_THREADS": "1"}
    env.pop("PADDLE_PDX_CACHE_HOME", None)
    command = (*before, sys.executable, "-W", "error::ResourceWarning", "-c", READ)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert list(home.iterdir()) == []
    assert list(temporary.iterdir()) == []
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def works(*command: str) -> bool:
    return (
        shutil.which(command[0]) is not None
        and subprocess.run(command, check=False, capture_output=True).returncode == 0
    )


@pytest.mark.skipif(not works("strace", "-o", os.devnull, "true"), reason="no strace")
def test_no_socket_is_opened_and_nothing_is_left_behind(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    said = run((*TRACED, str(calls)), tmp_path)
    assert calls.read_text() == ""
    assert said == {
        "texts": ["DOE JANE 1970", "ID 4711471"],
        "same": True,
        "network": True,
        "telemetry": "1",
        "cache": None,
    }


@pytest.mark.skipif(not works(*ALONE, "true"), reason="no namespaces")
def test_text_is_read_where_there_is_no_network(tmp_path: Path) -> None:
    assert run(ALONE, tmp_path)["texts"] == ["DOE JANE 1970", "ID 4711471"]
