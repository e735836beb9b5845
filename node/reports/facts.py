"""What was done to one instance, as numbers that can be added up. Equal instances of a series have equal facts."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deid.report import Report

ACTION, CODE, CLASS, PIXELS, MASK, PROFILE = "action", "code", "class", "pixels", "mask", "profile"
"""How the names of facts begin; after that comes a slash and what it is."""


def facts_of(report: Report, profile: str, sop_class_uid: str) -> str:
    """Write the facts of an instance as JSON, the names in their order.

    Parameters
    ----------
    report
        of the engine
    profile
        its name
    sop_class_uid
        of the instance
    """
    found: Counter[str] = Counter({f"{PROFILE}/{profile}": 1, f"{CLASS}/{sop_class_uid}": 1})
    found.update({f"{ACTION}/{action}": n for action, n in report.counts.items() if n})
    found.update(f"{CODE}/{code}" for code in report.method_codes)
    if report.pixels is not None:
        pixels = report.pixels
        found[f"{PIXELS}/frames"] = pixels.frames
        found[f"{PIXELS}/masked frames"] = pixels.masked_frames
        found[f"{PIXELS}/images looked at"] = int(not pixels.skipped)
        found[f"{PIXELS}/images not looked at"] = int(bool(pixels.skipped))
        found[f"{PIXELS}/images with a mask"] = int(bool(pixels.masked))
        found[f"{PIXELS}/lines kept as markers"] = pixels.kept
        found.update(f"{MASK}/{box.why}" for box in pixels.masked)
    return json.dumps({name: n for name, n in sorted(found.items()) if n}, separators=(",", ":"))


def under(facts: Mapping[str, int], kind: str) -> dict[str, int]:
    """Give the facts of one kind, by what they are, in order."""
    return {name.removeprefix(f"{kind}/"): n for name, n in sorted(facts.items()) if name.startswith(f"{kind}/")}
