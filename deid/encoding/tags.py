"""Tags with a meaning of their own in the encoding (PS3.5 2024e Section 7.5, Annex A; PS3.10 Section 7)."""

from __future__ import annotations

from typing import Final

SPECIFIC_CHARACTER_SET: Final = 0x00080005
PIXEL_REPRESENTATION: Final = 0x00280103
PIXEL_DATA: Final = 0x7FE00010
DATA_SET_TRAILING_PADDING: Final = 0xFFFCFFFC
ITEM: Final = 0xFFFEE000
ITEM_DELIMITATION: Final = 0xFFFEE00D
SEQUENCE_DELIMITATION: Final = 0xFFFEE0DD

UNDEFINED_LENGTH: Final = 0xFFFFFFFF


def show(tag: int) -> str:
    """Return a tag as the standard writes it, ``(gggg,eeee)``."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
