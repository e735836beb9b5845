"""Ages that may stay (PS3.5 Section 6.2, VR AS)."""

from __future__ import annotations

import re

OLDEST_AGE_YEARS = 89
"""Ages over it are one category, "90 or older": 45 CFR 164.514(b)(2)(i)(C), the HIPAA Safe Harbor's ages over 89."""

_OVER = "090Y"
_AGE = re.compile(r"(\d{1,6})([DWMY]?)")
_UNITS_IN_A_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0, "": 1.0}


def cap_age(value: bytes) -> bytes | None:
    """Return the value of an AS element with every age over 89 years as ``090Y``; None if one of them is no age.

    A number without unit, as some senders write it, is taken for years and stays as it is up to 89.
    """
    capped: list[str] = []
    for part in value.decode("latin-1").rstrip("\0 ").split("\\"):
        match = _AGE.fullmatch(part.strip(" "))
        if match is None and part.strip(" "):
            return None
        is_over = match is not None and int(match[1]) / _UNITS_IN_A_YEAR[match[2]] >= OLDEST_AGE_YEARS + 1
        capped.append(_OVER if is_over else part)
    return "\\".join(capped).encode("latin-1")
