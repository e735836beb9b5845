from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.network import ROOT, dcmtk


@pytest.mark.timeout(300)
def test_the_demo_accounts_for_every_instance_it_sends(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.demo", "--folder", str(tmp_path)]
    demo = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    assert demo.returncode == 0, demo.stdout[-3000:] + demo.stderr[-3000:]
    assert "every instance is accounted for" in demo.stdout
    assert "Brackenridge" in demo.stdout
    assert not any(b"Brackenridge" in path.read_bytes() for path in (tmp_path / "clean").iterdir())


@pytest.mark.timeout(120)
def test_the_two_lines_that_make_run_prints_work(tmp_path: Path) -> None:
    if not shutil.which("storescu"):
        pytest.skip("DCMTK is not installed")
    command = [sys.executable, "-m", "tests.demo", "--stay", "--folder", str(tmp_path / "run")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = ""
        try:
            while "Ctrl-C" not in printed:
                line = process.stdout.readline()
                assert line, printed
                printed += line
            lines = re.findall(r"^  ((?:echoscu|storescu) .*)$", printed, re.MULTILINE)
            assert len(lines) == 2
            for line in lines:
                answer = dcmtk(*line.split())
                assert answer.returncode == 0, answer.stderr
                assert "Success" in answer.stdout + answer.stderr
            deadline = time.monotonic() + 30
            while not list((tmp_path / "run" / "clean").glob("*.dcm")):
                assert time.monotonic() < deadline, "nothing arrived in the archive"
                time.sleep(0.1)
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
