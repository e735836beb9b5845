"""Typefaces: TrueType from PyPI packages under free licences, Hershey's strokes, dots of our own."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.pixel_exam.bitmap import HEIGHT, dots

TRUETYPE, HERSHEY, BITMAP = "truetype", "hershey", "bitmap"
KINDS = (TRUETYPE, TRUETYPE, TRUETYPE, HERSHEY, BITMAP)  # how often
FOLDER = Path(__file__).parents[3] / ".pixel-exam-fonts"
_PINNED = Path(__file__).with_name("fonts.txt")
_TIMEOUT_S = 600
_SMALLEST_PX = 8
_CAPITAL_PER_EM = 0.7

LATIN, CYRILLIC, GREEK, HAN, HANGUL = "latin", "cyrillic", "greek", "han", "hangul"
_DEJAVU, _SOURCE = "matplotlib/mpl-data/fonts/ttf/", "font_source_sans_pro/files/SourceSansPro-"
_OF_EUROPE = (
    *(f"font_roboto/files/Roboto-{style}.ttf" for style in ("Regular", "Bold", "Light", "Italic")),
    *(f"{_SOURCE}{style}.ttf" for style in ("Regular", "Semibold", "Light")),
    *(f"font_source_serif_pro/files/SourceSerifPro-{style}.ttf" for style in ("Regular", "Bold")),
    *(f"ttf_opensans/ttf/OpenSans-{style}.ttf" for style in ("Regular", "SemiBold")),
    "font_manrope/files/Manrope-Medium.ttf",
    *(f"{_DEJAVU}DejaVu{name}.ttf" for name in ("Sans", "Sans-Bold", "SansMono", "SansMono-Bold", "Serif")),
    f"{_DEJAVU}STIXGeneral.ttf",
)
_FACES = {
    LATIN: (*_OF_EUROPE, *(f"font_caladea/files/Caladea-{style}.ttf" for style in ("Regular", "Italic"))),
    CYRILLIC: _OF_EUROPE,
    GREEK: _OF_EUROPE,
    HAN: ("matplotlib_fontja/fonts/ipaexg.ttf",),
    HANGUL: tuple(f"koreanize_matplotlib/fonts/NanumGothic{style}.ttf" for style in ("", "Bold")),
}
_HERSHEY = (0, 1, 2, 3, 4)  # SIMPLEX, PLAIN, DUPLEX, COMPLEX, TRIPLEX


@dataclass(frozen=True, slots=True)
class Face:
    """A typeface in one size.

    Attributes
    ----------
    kind
        `TRUETYPE`, `HERSHEY` or `BITMAP`
    name
        file below the fonts' folder, number of Hershey's font, or nothing
    size_px
        of the em; capitals are about 0.7 of that
    weight
        thickness of Hershey's strokes
    """

    kind: str
    name: str
    size_px: int
    weight: int = 1


def fetch() -> Path:
    """Fetch the fonts, unless they are there and of these very versions.

    Raises
    ------
    subprocess.SubprocessError
        They can't be had.
    """
    stamp, pinned = FOLDER / ".installed", _PINNED.read_text("utf-8")
    if not stamp.is_file() or stamp.read_text("utf-8") != pinned:
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target", str(FOLDER)]
        subprocess.run([*install, "-r", str(_PINNED)], check=True, timeout=_TIMEOUT_S, stderr=subprocess.PIPE)
        stamp.write_text(pinned, "utf-8")
    return FOLDER


def script_of(text: str) -> str:
    """Return the script that a face needs for a text."""
    names = [unicodedata.name(character, "") for character in text]
    for script, beginnings in ((HANGUL, ("HANGUL",)), (HAN, ("CJK", "HIRAGANA", "KATAKANA"))):
        if any(name.startswith(beginnings) for name in names):
            return script
    for script, beginning in ((CYRILLIC, "CYRILLIC"), (GREEK, "GREEK")):
        if any(name.startswith(beginning) for name in names):
            return script
    return LATIN


def face_for(text: str, chance: Random, size_px: int, kind: str) -> Face:
    """Choose a face that has the text's letters; only TrueType has others than ASCII's."""
    script = script_of(text)
    if kind == BITMAP and script == LATIN:
        return Face(BITMAP, "", max(1, round(size_px * _CAPITAL_PER_EM / HEIGHT)) * 10)
    if kind == HERSHEY and script == LATIN:
        weight = 2 if size_px >= 20 and chance.random() < 0.5 else 1
        return Face(HERSHEY, str(chance.choice(_HERSHEY)), max(size_px, _SMALLEST_PX + 2), weight)
    return Face(TRUETYPE, chance.choice(_FACES[script]), size_px)


def drawn(text: str, face: Face) -> NDArray[np.float32]:
    """Return the coverage of a text, 0 to 1, as large as the text."""
    if face.kind == BITMAP:
        coverage = dots(_plain(text), face.size_px // 10)
    elif face.kind == HERSHEY:
        coverage = _strokes(_plain(text), face)
    else:
        coverage = _outlines(text, face)
    return trimmed(coverage)


def trimmed(coverage: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut off what is empty around a text."""
    rows, columns = np.flatnonzero(coverage.any(axis=1)), np.flatnonzero(coverage.any(axis=0))
    if not len(rows):
        return np.zeros((0, 0), np.float32)
    return coverage[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _plain(text: str) -> str:
    text = text.translate({0x0141: "L", 0x0142: "l", 0x0131: "i", 0x00D8: "O", 0x00F8: "o", 0x00DF: "ss"})
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


@lru_cache(maxsize=256)
def _truetype(name: str, size_px: int) -> object:
    from PIL import ImageFont

    return ImageFont.truetype(str(FOLDER / name), size_px)


def _outlines(text: str, face: Face) -> NDArray[np.float32]:
    from PIL import Image, ImageDraw

    font = _truetype(face.name, face.size_px)
    left, top, right, bottom = font.getbbox(text)  # type: ignore[attr-defined]
    canvas = Image.new("L", (int(right - left) + 4, int(bottom - top) + 4))
    ImageDraw.Draw(canvas).text((2 - left, 2 - top), text, fill=255, font=font)
    return np.asarray(canvas, np.float32) / 255


def _strokes(text: str, face: Face) -> NDArray[np.float32]:
    import cv2

    font = int(face.name)
    scale = cv2.getFontScaleFromHeight(font, max(5, round(face.size_px * _CAPITAL_PER_EM)), face.weight)
    (width, height), below = cv2.getTextSize(text, font, scale, face.weight)
    canvas = np.zeros((height + below + 12, width + 12), np.uint8)
    cv2.putText(canvas, text, (6, height + 6), font, scale, 255, face.weight, cv2.LINE_AA)
    return canvas.astype(np.float32) / 255
