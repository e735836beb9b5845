"""What a profile wants done with faces: the table ``[faces]`` of its file.

All keys may be left out; these are the defaults::

    [faces]
    mode = "drown"            # fill skin, fat and the air before them with values found in skin and fat; "erode": turn
                              # them into air
    kernel_mm = 8.0           # from 4 to 20: how deep below the skin; 2 to 6 mm are added, here more and there less
    ears = false              # true: the ears go too
    incomplete = "quarantine" # series that give no volume (gaps, mixed orientations, localizers, too few slices):
                              # "quarantine", or "slicewise": the outline of whatever lies in each slice is filled

Bone stays in mode ``drown``, but what is within 3 mm of the air; the inside of the skull always does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from deid.errors import Misconfigured

LEAST_KERNEL_MM, MOST_KERNEL_MM = 4.0, 20.0


class Mode(StrEnum):
    """What becomes of skin, subcutaneous fat, and the air before them."""

    DROWN = "drown"
    ERODE = "erode"


class Incomplete(StrEnum):
    """What is done with a series that gives no volume."""

    QUARANTINE = "quarantine"
    SLICEWISE = "slicewise"


@dataclass(frozen=True, slots=True)
class FaceRules:
    """What a profile wants done with faces.

    Attributes
    ----------
    mode
        how the face goes
    kernel_mm
        how deep below the skin
    ears
        whether they go too
    incomplete
        what is done with a series that gives no volume
    """

    mode: Mode = Mode.DROWN
    kernel_mm: float = 8.0
    ears: bool = False
    incomplete: Incomplete = Incomplete.QUARANTINE

    @classmethod
    def from_table(cls, table: Mapping[str, Any], *, name: str = "") -> FaceRules:
        """Read the table ``[faces]`` of a profile.

        Parameters
        ----------
        table
            as TOML has it; an empty one gives the defaults
        name
            of the profile, for messages

        Raises
        ------
        Misconfigured
            A key or value is unknown; the message says what is allowed.
        """
        where = f"profile {name}: faces" if name else "faces"
        if unknown := sorted(set(table) - set(_KEYS)):
            raise Misconfigured(f"{where}: unknown key {unknown[0]!r}; allowed: {', '.join(_KEYS)}")
        ears = table.get("ears", False)
        if not isinstance(ears, bool):
            raise Misconfigured(f"{where}.ears must be true or false")
        return cls(
            mode=_choice(where, "mode", table.get("mode", Mode.DROWN), Mode),
            kernel_mm=_kernel(where, table.get("kernel_mm", 8.0)),
            ears=ears,
            incomplete=_choice(where, "incomplete", table.get("incomplete", Incomplete.QUARANTINE), Incomplete),
        )


_Choice = TypeVar("_Choice", bound=StrEnum)
_KEYS = ("mode", "kernel_mm", "ears", "incomplete")


def _choice(where: str, key: str, value: object, kind: type[_Choice]) -> _Choice:
    if not isinstance(value, str) or value not in set(kind):
        raise Misconfigured(f"{where}.{key} = {value!r}; allowed: {', '.join(kind)}")
    return kind(value)


def _kernel(where: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not LEAST_KERNEL_MM <= value <= MOST_KERNEL_MM:
        raise Misconfigured(f"{where}.kernel_mm must be a number from {LEAST_KERNEL_MM:g} to {MOST_KERNEL_MM:g}")
    return float(value)
