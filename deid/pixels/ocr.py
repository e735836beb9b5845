"""Lines of text in a picture: found and read by PaddleOCR's networks on onnxruntime, from files on this machine alone.

A small picture is looked at enlarged. Any other is looked at in its own size first; only where that finds something of
the form of a line, one of usual size is looked at again, enlarged, which finds more, and without the grain that ranks
make of noise; so is a small one that has such grain. It is looked at turned as well if there is a line that runs up or
down. A coloured one is also looked at as its strokes alone: letters drown in colours that their own brightness is like.
What hasn't that form (giants around anatomy, specks, squares), or only faintly, counts if it can be read: two
characters, or a single one for certain; in a giant, several for certain, and in a very large one a word. What has the
form, faintly, and can't be read counts if a closer look finds it clearly: it may be a script that nothing here reads. A
picture that is too large is made smaller, and looked at in parts as it is where strokes remain that no line explains.

Where lines are in the network's map `deid.pixels.blobs` tells. PaddleOCR's own step for that takes a thousand blobs,
from the bottom of the map up, and leaves the others: in an image with grain, it never came to the text at the top.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deid.errors import Misconfigured, Reason, Refused
from deid.onnx import Entry, read_entry, shipped_models
from deid.pixels import quads as q
from deid.pixels.blobs import lines_in
from deid.pixels.quads import Quad, Scored
from deid.pixels.render import Picture, calmed, resized
from deid.pixels.tiles import is_coloured, spots, stroked, tiles

DETECTION, RECOGNITION = "ocr_detection", "ocr_recognition"
"""Tables of the manifest."""

_SMALL_SIDE_PX, _SMALL_ENLARGED = 384, 2.0
_USUAL_SIDE_PX, _ENLARGED = 1100, 1.5
_LARGEST_SIDE_PX = 2560
_SMALLER = 0.75  # below this scale, small text is looked for in parts of the picture as it is
_LEAST_CHARACTERS = 2
_WORD_CHARACTERS = 4
_CERTAIN = 0.7  # a score with which what has the form of a line is one, whatever it reads
_READABLE = 0.3  # a confidence of two characters or more, in what hasn't that form
_LIKELY_READABLE = 0.45  # in what has it, but only faintly
_PART_READABLE, _PART_ASPECT = 0.6, 1.5  # in a part of what hasn't it, which must be as long as three characters
_SPOT_PX, _LARGE_SPOT_PX, _SPOT_ASPECT = 20, 64, 4
_MOST_PARTS = 64  # the longest of a look; reading takes 20 ms, and grain can have thousands
_SURE = 0.8  # a confidence of a giant or a single character, and with which a line isn't read upside down as well
_SHAPES_SURE = 0.97  # of a giant or a single character of these shapes: organs, slices side by side and curves read so
_SHAPES = frozenset("0123456789OoCcDQGIl|()日口目回〇國由 .,-")
_WAVES = _SHAPES | frozenset("AMNUVWmnuvw")
_RINGS = frozenset("0OoCcDQ°口日回中〇")  # what a vessel, a rib or a vertebra reads, seen from its end
_LOOSE = 0.2  # of a line's height, read with it on all sides: what is under the line, and the ends of its letters
_CLOSER, _CLOSER_AROUND = 2.0, 2.0  # the closer look enlarges so much, and takes so many heights in on all sides
_ZERO_IN_WORD = re.compile(r"(?<=[^\W\d_])0(?=[^\W\d_])")
_LABEL = re.compile(r"\b([^\W\d_]{2,}):(?=\w)")
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
        self._detection.paddlex_predictor.post_op = _from_maps
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
        if longest <= _USUAL_SIDE_PX and is_coloured(picture):
            found = _united(self._kept(picture, self._detect(stroked(picture), scale)), found, rows, columns)
        if found and longest <= _USUAL_SIDE_PX:
            calm = calmed(picture)
            if scale < _ENLARGED or calm is not picture:
                found = self._more(picture, found, self._detect(calm, max(scale, _ENLARGED)))
            if any(q.is_likely(quad, rows, columns) and q.is_tall(quad) for quad, _ in found):
                turned = self._detect(np.ascontiguousarray(np.rot90(picture, -1)), max(scale, _ENLARGED))
                found = self._more(picture, found, [(q.turned_back(quad, rows), score) for quad, score in turned])
        if scale < _SMALLER:
            for down, across in spots(picture, [quad for quad, _ in found]):
                part = self._detect(np.ascontiguousarray(picture[down, across]), 1.0)
                found = self._more(picture, found, _moved(part, across.start, down.start))
        return [each for each in found if not _is_lone_ring(each, found)]

    def _more(self, picture: Picture, found: list[_Found], scored: list[Scored]) -> list[_Found]:
        """Return what was found before and now; of what was found twice, what is found now."""
        return _united(found, self._kept(picture, scored), *picture.shape[:2])

    def _kept(self, picture: Picture, scored: list[Scored]) -> list[_Found]:
        """Return what is a line by its form, or by what it reads."""
        rows, columns = picture.shape[:2]
        kept: list[_Found] = []
        parts = [quad for quad, score in scored if not score and q.aspect(quad) >= _PART_ASPECT]
        to_read = {id(quad) for quad in sorted(parts, key=lambda quad: max(q.size(quad)))[-_MOST_PARTS:]}
        for quad, score in scored:
            is_likely = q.is_likely(quad, rows, columns)
            is_certain = is_likely and score >= _CERTAIN
            if is_certain and not _may_be_spot(quad):
                kept.append((quad, None))
                continue
            if not score and id(quad) not in to_read:
                continue
            reading = self._read(picture, quad)
            if is_certain:
                is_text = not _reads_spot(reading) or self._is_word_closer(picture, quad)
            elif not score:
                is_text = _is_readable(reading, _PART_READABLE)
            elif is_likely:
                is_text = _is_readable_line(reading, quad) or self._is_clear_closer(picture, quad)
            else:
                least = _least_characters(quad, rows, columns)
                is_text = _is_giant_text(reading, least) if least else _is_readable(reading, _READABLE)
            if is_text:
                kept.append((quad, reading))
        return kept

    def _is_word_closer(self, picture: Picture, quad: Quad) -> bool:
        """Tell whether what reads a single letter is too long for one, and clear when looked at closely."""
        return q.aspect(quad) >= _PART_ASPECT and self._is_clear_closer(picture, quad)

    def _is_clear_closer(self, picture: Picture, quad: Quad) -> bool:
        """Tell whether a closer look clearly finds something of the form of a line where a quadrilateral is."""
        around = round(_CLOSER_AROUND * min(q.size(quad)))
        left, top = (np.floor(quad.min(axis=0)).astype(int) - around).clip(0)
        right, bottom = np.ceil(quad.max(axis=0)).astype(int) + around
        part = np.ascontiguousarray(picture[top:bottom, left:right])
        rows, columns = picture.shape[:2]
        found = _moved(self._detect(part, _CLOSER), int(left), int(top))
        clear = [other for other, score in found if score >= _CERTAIN and q.is_likely(other, rows, columns)]
        return bool(clear) and not q.not_covered([quad], clear, rows, columns)

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
        rows, columns = picture.shape[:2]
        part = q.cropped(picture, q.loosened(quad, _LOOSE).clip(0, (columns, rows)))
        if q.is_tall(quad):
            return max(self._read_turned(part, 90), self._read_turned(part, 270), key=_certainty)
        upright = self._read_turned(part, 0)
        if upright[1] >= _SURE:
            return upright
        return max(upright, self._read_turned(part, 180), key=_certainty)

    def _read_turned(self, part: Picture, angle: int) -> _Reading:
        (result,) = self._recognition.predict(np.ascontiguousarray(np.rot90(part, angle // 90)))
        return _respelled(str(result["rec_text"])), float(result["rec_score"]), angle


def _certainty(reading: _Reading) -> tuple[bool, float]:
    text, confidence, _ = reading
    return len(text.strip()) >= _LEAST_CHARACTERS, confidence


def _is_readable(reading: _Reading, confidence: float) -> bool:
    """Tell whether several characters were read with some confidence, or a single one for certain."""
    text, confidence_read, _ = reading
    characters = len(text.strip())
    if characters < _LEAST_CHARACTERS:
        confidence = _SHAPES_SURE if _SHAPES.issuperset(text) else _SURE
    return confidence_read >= confidence and characters > 0


def _may_be_spot(quad: Quad) -> bool:
    """Tell whether it is as high as text that can be read for certain, and short or very high."""
    height = min(q.size(quad))
    return height >= _SPOT_PX and (q.aspect(quad) < _SPOT_ASPECT or height >= _LARGE_SPOT_PX)


def _reads_spot(reading: _Reading) -> bool:
    """Tell whether a single letter is read, as in coloured flow or tissue; unknown scripts read so as well."""
    text, confidence, _ = reading
    return len(text) == 1 and (confidence < _SURE or text in _WAVES)


def _is_readable_line(reading: _Reading, quad: Quad) -> bool:
    """Tell whether what has the form of a line, but only faintly, can be read; lungs are as long, and read an m."""
    text, confidence, _ = reading
    if _may_be_spot(quad) and _WAVES.issuperset(text):
        return confidence >= (_SURE if len(text.strip()) >= _LEAST_CHARACTERS else _SHAPES_SURE)
    return _is_readable(reading, _LIKELY_READABLE)


def _least_characters(quad: Quad, rows: int, columns: int) -> int:
    """Return how many characters must be read in a giant; 0 for what is none."""
    if not q.is_giant(quad, rows, columns):
        return 0
    return _WORD_CHARACTERS if q.is_very_large(quad, rows, columns) else _LEAST_CHARACTERS


def _is_giant_text(reading: _Reading, least_characters: int) -> bool:
    """Tell whether a giant is text: organs side by side read one character or two, rarely a word."""
    text, confidence, _ = reading
    least = _SHAPES_SURE if _WAVES.issuperset(text) else _SURE
    return len(text.strip()) >= least_characters and confidence >= least


def _united(some: Sequence[_Found], others: Sequence[_Found], rows: int, columns: int) -> list[_Found]:
    """Return the others, and those that they don't cover."""
    left = {id(quad) for quad in q.not_covered([quad for quad, _ in some], [quad for quad, _ in others], rows, columns)}
    return [*others, *(each for each in some if id(each[0]) in left)]


def _is_lone_ring(one: _Found, found: Sequence[_Found]) -> bool:
    """Tell whether something hasn't the form of a line and reads a ring, and no other letter is beside it."""
    quad, reading = one
    if reading is None or reading[0].strip() not in _RINGS:
        return False
    return not any(other is not quad and q.is_beside(quad, other) for other, _ in found)


def _respelled(text: str) -> str:
    """Return what was read with letters for zeros between letters, and with the blanks behind labels.

    The network takes one for the other where letters are bold, and leaves blanks out that are narrow.
    """
    text = _ZERO_IN_WORD.sub(lambda zero: "o" if text[zero.end()].islower() else "O", text)
    return _LABEL.sub(r"\1: ", text)


def _from_maps(
    maps: Sequence[NDArray[np.float32]], shapes: Sequence[Sequence[float]], **_settings: object
) -> tuple[list[NDArray[np.float32]], list[list[float]]]:
    """Return quadrilaterals and scores, where PaddleOCR calls its own step for that.

    Parameters
    ----------
    maps
        one array, of shape (pictures, 1, rows, columns)
    shapes
        of each picture first the rows and columns that it has: a map's are multiples of 32
    """
    corners, scores = [], []
    for (probable,), (rows, columns, *_) in zip(maps[0], shapes, strict=True):
        found = lines_in(probable)
        scale = np.array((columns / probable.shape[1], rows / probable.shape[0]), np.float32)
        scaled = [(quad * scale).clip(0, (columns, rows)) for quad, _ in found]
        corners.append(np.array(scaled, np.float32).reshape(-1, 4, 2))
        scores.append([score for _, score in found])
    return corners, scores


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
