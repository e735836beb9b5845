"""Numbers and times as a person reads them; filters of the templates."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_STEP = 1024


def number(value: float) -> str:
    """Give a whole number with its thousands apart (narrow spaces)."""
    return f"{value:,.0f}".replace(",", "\u202f")


def size(value: float) -> str:
    """Give a number of bytes in the unit that leaves up to four digits."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < _STEP:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= _STEP
    return f"{value:.1f} TiB"


def span(seconds: float) -> str:
    """Give a duration in the unit that it has most of."""
    for unit_s, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def ago(at_s: float) -> str:
    """Say how long ago a time (seconds since 1970) was."""
    return f"{span(time.time() - at_s)} ago"


def span_since(at_s: float) -> str:
    """Say for how long it is so since a time (seconds since 1970)."""
    return span(time.time() - at_s)


def moment(at_s: float) -> str:
    """Give a time (seconds since 1970) to the second, in UTC, as ISO 8601 has it."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S") + "Z"


FILTERS: Mapping[str, Callable[..., str]] = {
    "number": number,
    "size": size,
    "span": span,
    "ago": ago,
    "span_since": span_since,
    "moment": moment,
}
