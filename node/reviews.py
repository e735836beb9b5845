"""What persons have said of instances, kept from their decision until the instance is gone from the spool.

    reviews/<job>.json      boxes to mask, and whether the frames may leave although nothing else is certain of them

The work role alone writes them, from the decisions that it applies (`node.decisions`); its processes clean by them.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from deid.pixels.box import Box
from deid.review import UNREVIEWED, DrawnBox, Review
from node.jobs import JobId
from node.part import PartFile

if TYPE_CHECKING:
    from collections.abc import Container, Sequence
    from pathlib import Path

REVIEWS: Final = "reviews"
MOST_BOXES: Final = 200
"""Of one instance: a person has drawn them."""

_SUFFIX = ".json"
_LARGEST = 1 << 16  # Rows and Columns have 16 bits
_MOST_FRAMES = (1 << 31) - 1


class Reviews:
    """The folder of one spool.

    Parameters
    ----------
    folder
        is there
    """

    __slots__ = ("folder",)

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, job_id: JobId, review: Review) -> None:
        """Keep what was said of an instance, durably, in place of what was said before.

        Raises
        ------
        NoRoom, Transient
            if that can't be promised
        """
        said = {"boxes": written_boxes(review.boxes), "approved": review.approved}
        with PartFile(self._path(job_id), _no_check) as file:
            file.write(json.dumps(said).encode("ascii") + b"\n")
            file.commit()

    def get(self, job_id: JobId) -> Review:
        """Give what was said of an instance; UNREVIEWED if nothing was.

        Raises
        ------
        ValueError
            if what is there can't be understood
        OSError
            if it can't be read just now
        """
        try:
            text = self._path(job_id).read_bytes()
        except FileNotFoundError:
            return UNREVIEWED
        said = json.loads(text)
        return Review(read_boxes(said["boxes"]), said["approved"] is True)

    def drop(self, job_id: JobId) -> None:
        """Forget what was said of an instance."""
        self._path(job_id).unlink(missing_ok=True)

    def sweep(self, known: Container[JobId]) -> None:
        """Forget what was said of instances that are gone, but for those in `known`."""
        for path in self.folder.glob(f"*{_SUFFIX}"):
            with suppress(ValueError):  # not one of ours: let it lie
                if (job_id := JobId(path.name.removesuffix(_SUFFIX))) not in known:
                    self.drop(job_id)

    def _path(self, job_id: JobId) -> Path:
        return self.folder / f"{job_id}{_SUFFIX}"


def written_boxes(boxes: Sequence[DrawnBox]) -> list[list[int]]:
    """Return boxes as JSON has them: x0, y0, x1, y1, first and last frame."""
    return [[*drawn.box, drawn.first, drawn.last] for drawn in boxes]


def read_boxes(said: Any) -> tuple[DrawnBox, ...]:  # noqa: ANN401  it comes out of JSON
    """Read boxes back, whoever wrote them.

    Raises
    ------
    ValueError
        if they are no such boxes, or too many
    """
    if not isinstance(said, list) or len(said) > MOST_BOXES:
        raise ValueError(f"no list of at most {MOST_BOXES} boxes")
    return tuple(map(_drawn_box, said))


def _drawn_box(numbers: Any) -> DrawnBox:  # noqa: ANN401  likewise
    if not isinstance(numbers, list) or len(numbers) != 6 or not all(type(each) is int for each in numbers):
        raise ValueError("a box is six whole numbers")
    x0, y0, x1, y1, first, last = numbers
    if not (0 <= x0 < x1 <= _LARGEST and 0 <= y0 < y1 <= _LARGEST):
        raise ValueError("a box without a pixel")
    if not (1 <= first <= _MOST_FRAMES and (last == 0 or first <= last <= _MOST_FRAMES)):
        raise ValueError("a box without a frame")
    return DrawnBox(Box(x0, y0, x1, y1), first, last)


def _no_check() -> None:
    """Let it use the reserve: what is released by it makes room."""
