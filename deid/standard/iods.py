"""Which attributes outside Table E.1-1 an IOD has (PS3.3): the allow-list of the strict profile."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from deid.standard import iod_of, strictest

__all__ = ["attribute_outside_the_table", "has_attribute_table"]

_REPEATING_GROUPS = frozenset({0x50, 0x60})


def has_attribute_table(sop_class_uid: str) -> bool:
    """Tell whether the attributes of a SOP Class's IOD are all known: none of its modules lacks its table."""
    iod = iod_of(sop_class_uid)
    return iod is not None and all(module in _table()["modules"] for module in _table()["iods"][iod])


def attribute_outside_the_table(sop_class_uid: str, parent_tag: int, tag: int) -> str | None:
    """Type of an attribute that Table E.1-1 has no row for, None if it isn't in the IOD at this place.

    Parameters
    ----------
    sop_class_uid
        the instance's SOP Class
    parent_tag
        tag of the Sequence that holds it directly, 0 at the top level
    tag
        the attribute
    """
    iod = iod_of(sop_class_uid)
    if tag >> 24 in _REPEATING_GROUPS:
        tag &= 0xFF00FFFF
    return None if iod is None else _attributes_of(iod).get(parent_tag << 32 | tag)


@cache
def _attributes_of(iod: str) -> Mapping[int, str]:
    """Types by ``parent << 32 | tag``: the IOD's modules laid over each other, the strictest Type counting."""
    table = _table()
    merged: dict[int, str] = {}
    for module in table["iods"][iod]:
        for parent, number in table["modules"].get(module, {}).items():
            for attribute in table["sets"][str(number)].split(" "):
                tag, type_ = attribute.split(":")
                place = int(parent, 16) << 32 | int(tag, 16)
                merged[place] = strictest(type_, merged.get(place, "3"))
    return merged


@cache
def _table() -> Any:  # noqa: ANN401  JSON
    return json.loads(files(__package__).joinpath("iod_attributes.json").read_text(encoding="utf-8"))
