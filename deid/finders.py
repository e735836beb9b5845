"""What looks for identifiers in an instance's texts and in the lines that are read in its pixels."""

from __future__ import annotations

from functools import cache, partial

from deid.context import Context
from deid.elements.uids import map_uid
from deid.errors import Misconfigured, Reason, Refused
from deid.identifiers import Identifiers
from deid.pixels.decide import Decider
from deid.pixels.look import Looking
from deid.pixels.near import NearKnown
from deid.pixels.ocr import Reader
from deid.pixels.rules import PixelRules
from deid.text import TextRules
from deid.text.known import KnownFinder
from deid.texts import TextClass


def text_rules(context: Context, identifiers: Identifiers, shift_days: int | None) -> TextRules:
    """Return what is done to the texts of an instance; `shift_days` as in `deid.text.TextRules`.

    Raises
    ------
    Misconfigured
        The profile has texts read by a network, and that is missing or altered.
    """
    map_text_uid = str if "retain_uids" in context.profile.options else partial(map_uid, context.keys.uid)
    return TextRules(identifiers.needles, identifiers.dates, map_text_uid, shift_days, ner=context.ner())


def looking(context: Context, identifiers: Identifiers, rules: PixelRules) -> Looking:
    """Return with what the frames of an instance are looked at; networks are loaded when the first frame wants them."""
    known = cache(lambda: KnownFinder(identifiers.needles, identifiers.dates))
    near = cache(lambda: NearKnown(identifiers.needles))
    in_texts = cache(lambda: text_rules(context, identifiers, None))

    def is_near(text: str) -> bool:
        return near()(text)

    decider = Decider(
        rules.markers,
        rules.min_confidence,
        is_known=lambda text: bool(known().find(text)),
        is_near=is_near,
        finds=lambda text: bool(in_texts().spans(text, TextClass.LINES)),
    )
    reader = partial(_text_reader, context)
    return Looking(rules, reader, decider, context.seen(), context.series_places(), context.progress)


def _text_reader(context: Context) -> Reader:
    try:
        return context.text_reader()
    except (Misconfigured, OSError) as error:
        raise Refused(Reason.STEP_UNAVAILABLE, f"pixels: {type(error).__name__} while loading the networks") from None
