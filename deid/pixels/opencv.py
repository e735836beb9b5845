"""OpenCV, loaded when a picture is first worked on: header-only work and most roles of a node never need it."""

from __future__ import annotations

from functools import cache
from typing import Any

from deid.errors import Misconfigured


class _OpenCV:
    """The module ``cv2``, imported by its first use."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  OpenCV has no types worth the name
        return getattr(_loaded(), name)


@cache
def _loaded() -> Any:  # noqa: ANN401  likewise
    try:
        import cv2  # noqa: PLC0415
    except ImportError as error:
        raise Misconfigured(
            f"OpenCV can't be loaded ({error}); on Debian: apt-get install libgl1 libglib2.0-0, or install "
            "opencv-contrib-python-headless of the same version over it"
        ) from None
    cv2.setNumThreads(1)  # a worker is one core's
    return cv2


cv2 = _OpenCV()
