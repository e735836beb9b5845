"""Lines of text in a picture: found and read by PaddleOCR's networks on onnxruntime, from files on this machine alone.

A small picture is looked at enlarged. Any other is looked at in its own size first; only where that finds something of
the form of a line, one of usual size is looked at again, enlarged, which finds more. It is looked at turned as well if
there is a line that runs up or down. What hasn't that form (giants around anatomy, specks, squares), or only faintly,
counts if it can be read: two characters, or a single one for certain; in a giant, several for certain. A picture that
is too large is made smaller, and looked at in parts as it is where strokes remain that no line explains.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import tempfile
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from deid.errors import Misconfigured, Reason, Refused
from deid.onnx import Entry, read_entry, shipped_models
from deid.pixels import quads as q
from deid.pixels.quads import Quad, Scored
from deid.pixels.render import Picture, resized
from deid.pixels.tiles import spots, tiles

DETECTION, RECOGNITION = "ocr_detection", "ocr_recognition"
"""Tables of the manifest."""

_SMALL_SIDE_PX, _SMALL_ENLARGED = 384, 2.0
_USUAL_SIDE_PX, _ENLARGED = 1100, 1.5
_LARGEST_SIDE_PX = 2560
_SMALLER = 0.75  # below this scale, small text is looked for in parts of the picture as it is
_LEAST_CHARACTERS = 2
_CERTAIN = 0.7  # a score with which what has the form of a line is one, whatever it reads
_READABLE = 0.3  # a confidence of two characters or more, in what hasn't that form
_SURE = 0.8  # a confidence of a giant or a single character, and with which a line isn't read upside down as well
_FATAL = 4

_Reading: TypeAlias = tuple[str, float, int]
_Found: TypeAlias = "tuple[Quad, _Reading | None]"
"""A quadrilateral, and what it reads if that is known already."""
_UNREAD: _Reading = ("", 0.0, 0)

_SILENT = {
    "ORT_DISABLE_TELEMETRY": "1",
    "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True",
    "PADDLE_PDX_EAGER_INIT": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
_CACHE = "PADDLE_PDX_CACHE_HOME"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text.

    Attributes
    ----------
    box
        corners x, y of a quadrilateral around it and its surroundings, clockwise, in pixels of the picture; the last
        column or row isn't in it
    text
        what it reads; empty if nothing could be read, or wasn't to be
    confidence
        of the reading, from 0 to 1
    angle
        by how many degrees the text is turned clockwise: 0, 90, 180 or 270
    """

    box: tuple[tuple[int, int], ...]
    text: str
    confidence: float
    angle: int


@lru_cache(maxsize=2)
def reader(models: Path | None = None) -> Reader:
    """Return the process's reader of a folder of models, the shipped ones by default; loaded the first time."""
    return Reader(models)


def check(models: Path | None = None) -> None:
    """Look whether a reader could be loaded, without loading it.

    Raises
    ------
    Misconfigured
        A file is missing or altered, or paddleocr isn't installed.
    """
    folder = models or shipped_models()
    for name in (DETECTION, RECOGNITION):
        _checked(read_entry(folder, name))
    if missing := [name for name in ("paddleocr", "onnxruntime") if importlib.util.find_spec(name) is None]:
        raise Misconfigured(f"{' and '.join(missing)} not installed; a profile needs it to find text in images")


class Reader:
    """The two networks, with one thread, the caller's.

    Parameters
    ----------
    models
        the manifest's folder; the shipped one by default

    Attributes
    ----------
    identity
        what its results depend on: digests of networks and settings

    Raises
    ------
    Misconfigured
        A file is missing or altered, or paddleocr can't be loaded.
    """

    def __init__(self, models: Path | None = None) -> None:
        folder = models or shipped_models()
        detection, recognition = (_checked(read_entry(folder, name)) for name in (DETECTION, RECOGNITION))
        self.identity = " ".join(
            digest for entry in (detection, recognition) for digest in (entry.sha256, entry.extra["settings_sha256"])
        )
        paddleocr = _paddleocr()
        self._detection = _network(paddleocr.TextDetection, detection, limit_side_len=4000, limit_type="max")
        self._recognition = _network(paddleocr.TextRecognition, recognition)

    def lines(self, picture: Picture, *, read: bool = True) -> list[Line]:
        """Return the lines of a picture, from top to bottom.

        Parameters
        ----------
        picture
            unsigned bytes, of shape (rows, columns, 3)
        read
            whether their texts are wanted, which takes longer than to find them

        Raises
        ------
        Refused
            STEP_UNAVAILABLE, if the networks fail on it
        """
        try:
            return self._lines(np.ascontiguousarray(picture), read=read)
        except Exception as error:  # noqa: BLE001  whatever the networks fail with; its text stays in here
            raise Refused(Reason.STEP_UNAVAILABLE, f"{type(error).__name__} while looking for text") from None

    def _lines(self, picture: Picture, *, read: bool) -> list[Line]:
        rows, columns = picture.shape[:2]
        lines = []
        for quad, known in self._found(picture):
            reading = known or (self._read(picture, quad) if read else _UNREAD)
            lines.append(Line(q.widened(quad, rows, columns), *reading))
        return sorted(lines, key=lambda line: (min(y for _, y in line.box), line.box))

    def _found(self, picture: Picture) -> list[_Found]:
        rows, columns = picture.shape[:2]
        longest = max(rows, columns)
        scale = _SMALL_ENLARGED if longest <= _SMALL_SIDE_PX else min(_LARGEST_SIDE_PX / longest, 1.0)
        found = self._kept(picture, self._detect(picture, scale))
        if found and longest <= _USUAL_SIDE_PX:
            if scale < _ENLARGED:
                found = self._more(picture, found, self._detect(picture, _ENLARGED))
            if any(q.is_likely(quad, rows, columns) and q.is_tall(quad) for quad, _ in found):
                turned = self._detect(np.ascontiguousarray(np.rot90(picture, -1)), max(scale, _ENLARGED))
                found = self._more(picture, found, [(q.turned_back(quad, rows), score) for quad, score in turned])
        if scale < _SMALLER:
            for down, across in spots(picture, [quad for quad, _ in found]):
                part = self._detect(np.ascontiguousarray(picture[down, across]), 1.0)
                found = self._more(picture, found, _moved(part, across.start, down.start))
        return found

    def _more(self, picture: Picture, found: list[_Found], scored: list[Scored]) -> list[_Found]:
        """Return what was found before and now; of what was found twice, what is found now."""
        rows, columns = picture.shape[:2]
        new = self._kept(picture, scored)
        left = {
            id(quad) for quad in q.not_covered([quad for quad, _ in found], [quad for quad, _ in new], rows, columns)
        }
        return new + [each for each in found if id(each[0]) in left]

    def _kept(self, picture: Picture, scored: list[Scored]) -> list[_Found]:
        """Return what is a line by its form, or by what it reads."""
        rows, columns = picture.shape[:2]
        kept: list[_Found] = []
        for quad, score in scored:
            is_likely = q.is_likely(quad, rows, columns)
            if is_likely and score >= _CERTAIN:
                kept.append((quad, None))
                continue
            reading = self._read(picture, quad)
            if _is_text(reading, is_likely=is_likely, is_giant=q.is_giant(quad, rows, columns)):
                kept.append((quad, reading))
        return kept

    # The networks

    def _detect(self, picture: Picture, scale: float) -> list[Scored]:
        """Return where a picture, made larger or smaller, seems to have lines; in pixels of the picture as it is."""
        scaled = resized(picture, scale)
        parts = tiles(*scaled.shape[:2])
        found: list[Scored] = []
        for down, across in parts:
            part = np.ascontiguousarray(scaled[down, across])
            if int(part.min()) < int(part.max()):
                (result,) = self._detection.predict(part)
                corners = np.asarray(result["dt_polys"], np.float32).reshape(-1, 4, 2)
                scores = map(float, result["dt_scores"])
                found += _moved(list(zip(corners, scores, strict=True)), across.start, down.start)
        joined = found if len(parts) == 1 else q.united(found)
        return [(quad / np.float32(scale), score) for quad, score in joined]

    def _read(self, picture: Picture, quad: Quad) -> _Reading:
        """Return what can be read in a quadrilateral, upright or turned."""
        part = q.cropped(picture, quad)
        if q.is_tall(quad):
            return max(self._read_turned(part, 90), self._read_turned(part, 270), key=_certainty)
        upright = self._read_turned(part, 0)
        if upright[1] >= _SURE:
            return upright
        return max(upright, self._read_turned(part, 180), key=_certainty)

    def _read_turned(self, part: Picture, angle: int) -> _Reading:
        (result,) = self._recognition.predict(np.ascontiguousarray(np.rot90(part, angle // 90)))
        return str(result["rec_text"]), float(result["rec_score"]), angle


def _certainty(reading: _Reading) -> tuple[bool, float]:
    text, confidence, _ = reading
    return len(text.strip()) >= _LEAST_CHARACTERS, confidence


def _is_text(reading: _Reading, *, is_likely: bool, is_giant: bool) -> bool:
    """Tell whether what doesn't look like a line for certain is text after all."""
    text, confidence, _ = reading
    characters = len(text.strip())
    if characters >= _LEAST_CHARACTERS:
        return is_likely or confidence >= (_SURE if is_giant else _READABLE)
    return characters == 1 and confidence >= _SURE and not is_giant


def _moved(found: list[Scored], x: int, y: int) -> list[Scored]:
    return [(quad + np.array((x, y), np.float32), score) for quad, score in found]


# Loading


def _checked(entry: Entry) -> Entry:
    """Return an entry whose files are those that the manifest means."""
    for key in ("settings", "settings_sha256", "model_name"):
        if not isinstance(entry.extra.get(key), str):
            entry.wrong(f"{key} must be there and be text in quotes")
    if (entry.folder / entry.file).parent != (entry.folder / entry.extra["settings"]).parent:
        entry.wrong("file and settings must lie in one folder")
    entry.content(entry.file, entry.sha256)
    entry.content(entry.extra["settings"], entry.extra["settings_sha256"])
    return entry


def _network(kind: Any, entry: Entry, **options: Any) -> Any:  # noqa: ANN401  paddleocr has no types
    # Memory is kept from one run to the next: asking for it each time doubles what a large picture takes.
    threads = {"intra_op_num_threads": 1, "inter_op_num_threads": 1, "log_severity_level": _FATAL}
    try:
        return kind(
            model_name=entry.extra["model_name"],
            model_dir=str((entry.folder / entry.file).parent),
            engine="onnxruntime",
            engine_config={**threads, "enable_mem_pattern": False},  # sizes vary
            device="cpu",
            **options,
        )
    except Exception as error:  # noqa: BLE001  the errors of paddleocr and onnxruntime have no root of their own
        raise Misconfigured(f"model {entry.name}: {entry.file} can't be loaded ({type(error).__name__})") from None


@lru_cache(maxsize=1)
def _paddleocr() -> Any:  # noqa: ANN401  paddleocr has no types
    """Import paddleocr, which takes a second or two, and leave it no way out and nothing to write or say.

    It makes a folder for what it downloads, which isn't left behind; and a library that it brings along opens a socket
    as it is imported, to see whether there is IPv6, unless Python says that there is none.
    """
    os.environ |= _SILENT
    network: Any = importlib.import_module("socket")
    had_ipv6, network.has_ipv6 = network.has_ipv6, False
    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            os.environ[_CACHE] = folder
            paddleocr = importlib.import_module("paddleocr")
            importlib.import_module("onnxruntime").disable_telemetry_events()
        importlib.import_module("paddlex.utils.logging").setup_logging("CRITICAL")
    except ImportError as error:
        raise Misconfigured(f"paddleocr can't be loaded ({error}); a profile needs it to find text in images") from None
    finally:
        network.has_ipv6 = had_ipv6
        os.environ.pop(_CACHE, None)
    return paddleocr
