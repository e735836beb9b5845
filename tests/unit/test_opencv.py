"""OpenCV is loaded when it is first used, and its absence said in a line."""

from __future__ import annotations

import builtins
import subprocess
import sys
from typing import Any

import pytest

from deid.errors import Misconfigured
from deid.pixels import opencv


def test_an_engine_that_cleans_no_pixels_does_without_opencv_and_paddleocr() -> None:
    code = "import deid.engine, sys; print(sorted({'cv2', 'paddleocr', 'onnxruntime'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_library_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **more: Any) -> Any:
        if name == "cv2":
            raise ImportError("libGL.so.1: cannot open shared object file")
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    with pytest.raises(Misconfigured, match=r"libGL.*apt-get install libgl1"):
        opencv._loaded.__wrapped__()
