"""The wheel of this tree, and environments that see what is installed here, without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ("deid", "node", "config", "models")
_ALONE = ("pyproject.toml", "README.md", "LICENSE", "requirements-headless.lock")
_NOT_COPIED = shutil.ignore_patterns("__pycache__", "checkpoints", "*.egg-info", "build")


def copied(folder: Path) -> Path:
    """Copy what a wheel is made of, so that building leaves nothing in the tree."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in SOURCES:
        shutil.copytree(ROOT / name, folder / name, ignore=_NOT_COPIED)
    for name in _ALONE:
        shutil.copy(ROOT / name, folder)
    return folder


def built(folder: Path) -> tuple[Path, set[str]]:
    """Build the wheel below a folder; return it and the files that it was made of."""
    source = copied(folder / "source")
    files = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(source)], check=True, cwd=folder)
    shutil.rmtree(source)
    return next(folder.glob("deid_node-*.whl")), files


def environment(folder: Path, wheel: Path) -> Path:
    """Install the wheel into a fresh environment; what it depends on is seen where it is, the tree is not."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet"]
    subprocess.run([*command, "--no-deps", "--no-index", "--no-compile", str(wheel)], check=True, cwd=folder)
    return folder


def offline(**more: str) -> dict[str, str]:
    """Environment variables with which pip takes nothing from anywhere, and programs see what is installed here."""
    ours = {"PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_COMPILE": "1"}
    return {**os.environ, **ours, "PYTHONPATH": sysconfig.get_path("purelib"), **more}
