"""Organisations, as texts name them, made from the patterns and words of a language."""

import random

from models.ner.generate.places import filled


def hospital(rng: random.Random, lang: str, held_out: bool = False) -> str:  # noqa: FBT001, FBT002 (agreed)
    """Return a hospital, a clinic or a health centre."""
    return filled(rng, lang, "hospital", held_out)


def practice(rng: random.Random, lang: str, held_out: bool = False) -> str:  # noqa: FBT001, FBT002 (agreed)
    """Return a physicians' practice or an imaging centre."""
    return filled(rng, lang, "practice", held_out)


def lab(rng: random.Random, lang: str, held_out: bool = False) -> str:  # noqa: FBT001, FBT002 (agreed)
    """Return a laboratory or an institute."""
    return filled(rng, lang, "lab", held_out)


def university(rng: random.Random, lang: str, held_out: bool = False) -> str:  # noqa: FBT001, FBT002 (agreed)
    """Return a university or a school."""
    return filled(rng, lang, "university", held_out)


def employer(rng: random.Random, lang: str, held_out: bool = False) -> str:  # noqa: FBT001, FBT002 (agreed)
    """Return a company or another employer that isn't a vendor of devices."""
    return filled(rng, lang, "employer", held_out)


def insurer(rng: random.Random, lang: str, held_out: bool = False) -> str:  # noqa: FBT001, FBT002 (agreed)
    """Return a health insurer or another payer."""
    return filled(rng, lang, "insurer", held_out)
