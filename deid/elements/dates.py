"""Dates and times moved by a number of days that is secret and the same for all of a patient's instances.

Retain Longitudinal Temporal Information with Modified Dates (PS3.15 Section E.3.6): order and intervals stay.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import date, timedelta

SMALLEST_SHIFT_DAYS = 365
LARGEST_SHIFT_DAYS = 3650

TIMEZONE_OFFSET_FROM_UTC = 0x0008_0201

_DA = re.compile(r"(\d{4})(\.?)(\d{2})\2(\d{2})")
_DT = re.compile(r"(\d{4})(\d{2})?(\d{2})?((?:\d{2}){0,3}(?:\.\d{1,6})?)([+-]\d{4})?")
_TM = re.compile(r"([01]\d|2[0-3])(?::?[0-5]\d(?::?(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?")
_ZONE = re.compile(rb"[+-](?:0\d|1[0-4])[0-5]\d")


def shift_days(key: bytes, patient: str) -> int:
    """Return the shift of this patient's dates in days: one to ten years back."""
    digest = hmac.digest(key, patient.encode("utf-8", "surrogateescape"), hashlib.sha256)
    span = LARGEST_SHIFT_DAYS - SMALLEST_SHIFT_DAYS + 1
    return -(SMALLEST_SHIFT_DAYS + int.from_bytes(digest[:8]) % span)


def shift_da(value: str, days: int) -> str | None:
    """Shift a DA value (``YYYYMMDD``, or ``YYYY.MM.DD`` as of ACR-NEMA); None if it is not a date."""
    match = _DA.fullmatch(value.strip(" "))
    if match is None:
        return None
    year, dot, month, day = match.groups()
    moved = _moved(int(year), int(month), int(day), days)
    return None if moved is None else f"{moved.year:04d}{dot}{moved.month:02d}{dot}{moved.day:02d}"


def shift_dt(value: str, days: int) -> str | None:
    """Shift a DT value of any precision, keeping time, fraction and zone; None if it is not a date and time.

    A value of year or month precision is shifted from its middle and keeps its precision.
    """
    match = _DT.fullmatch(value.strip(" "))
    if match is None:
        return None
    year, month, day, time, zone = match.groups()
    if time and not (day and _TM.fullmatch(time)):
        return None
    moved = _moved(int(year), int(month or 7), int(day or (15 if month else 1)), days)
    if moved is None:
        return None
    digits = f"{moved.year:04d}{moved.month:02d}{moved.day:02d}"[: 4 + 2 * bool(month) + 2 * bool(day)]
    return digits + time + (zone or "")


def keep_tm(value: str, days: int) -> str | None:
    """Return a TM value as it is, since whole days leave it alone; None if it is not a time."""
    del days
    return value if _TM.fullmatch(value.strip(" ")) else None


def keep_zone(value: bytes) -> bytes | None:
    """Return Timezone Offset From UTC as it is, since days leave it alone; None if it is no offset (``&ZZXX``)."""
    return value if _ZONE.fullmatch(value.strip(b" \0")) or not value.strip(b" \0") else None


SHIFT_BY_VR = {"DA": shift_da, "DT": shift_dt, "TM": keep_tm}


def shift_value(vr: str, value: bytes, days: int) -> bytes | None:
    """Shift each value of a DA, DT or TM element; None if one of them cannot be read.

    Empty values stay empty.
    """
    shift = SHIFT_BY_VR[vr]
    out: list[str] = []
    for part in value.decode("latin-1").rstrip("\0 ").split("\\"):
        moved = shift(part, days) if part.strip(" ") else ""
        if moved is None:
            return None
        out.append(moved)
    return "\\".join(out).encode("latin-1")


def _moved(year: int, month: int, day: int, days: int) -> date | None:
    try:
        return date(year, month, day) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
