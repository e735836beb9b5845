"""Rectangles of pixels."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

AnyBox: TypeAlias = "tuple[int, int, int, int]"
"""A `Box`, or its four numbers in another form."""


class Box(NamedTuple):
    """A rectangle of pixels.

    Attributes
    ----------
    x0, y0
        column and row of its upper left pixel, from 0
    x1, y1
        column and row behind its lower right pixel
    """

    x0: int
    y0: int
    x1: int
    y1: int
