"""Frames with other values written back into an instance, as `deid.pixels.rewrite` writes masked ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from deid.encoding.syntax import TransferSyntax
from deid.errors import Reason, Refused
from deid.pixels.box import AnyBox, Box
from deid.pixels.format import Format
from deid.pixels.native import Samples
from deid.pixels.rewrite import Writer, silent
from deid.pixels.stored import Frames


def write_values(
    frames: Frames, changed: Sequence[int], values_of: Callable[[int, Samples], Samples]
) -> TransferSyntax:
    """Change values of frames of an instance, in place; return the transfer syntax that it is in from now on.

    Frames that aren't named keep every bit, unless the instance has to change its syntax: then they keep every value.

    Parameters
    ----------
    frames
        of the Data Set to change, of one sample per pixel
    changed
        indices of the frames that have other values
    values_of
        gives them for a frame and what is stored in it, as `deid.pixels.stored.Frames.array` does

    Raises
    ------
    Refused
        If a frame can't be decoded, or there is no syntax to write it in.
    """
    if not changed:
        return frames.syntax
    writer = _ValueWriter(frames, changed, values_of)
    syntax = writer.native() if frames.is_native else writer.encapsulated()
    writer.update_extremes()
    return syntax


class _ValueWriter(Writer):
    """Writes whole frames; of JPEG with DCT there is none that keeps what it doesn't touch, so that it falls back."""

    def __init__(self, frames: Frames, changed: Sequence[int], values_of: Callable[[int, Samples], Samples]) -> None:
        whole = Box(0, 0, frames.form.columns, frames.form.rows)
        super().__init__(frames, {frame: [whole] for frame in changed}, silent)
        self._values_of = values_of

    def _changed(self, array: Samples, form: Format, frame: int) -> Samples:
        del form
        return self._values_of(frame, array) if frame in self._boxes else array

    def _edited(self, frame: int, boxes: Sequence[AnyBox]) -> bytes:
        del boxes
        raise Refused(Reason.PIXELS_NOT_CLEANABLE, f"frame {frame + 1} of a lossy syntax is written without loss")
