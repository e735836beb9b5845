"""Why a line is masked or stays, reason by reason."""

from __future__ import annotations

import pickle

import pytest

from deid.needles import Kind, Needles
from deid.pixels.decide import Decider, Why
from deid.pixels.near import NearKnown, shape
from deid.pixels.rules import PixelRules

MARKERS = PixelRules.from_table({"keep_markers": True}).markers


def near(*identifiers: tuple[Kind, str]) -> NearKnown:
    needles = Needles()
    for kind, text in identifiers:
        needles.add(kind, text)
    return NearKnown(needles)


def test_no_line_stays_by_default() -> None:
    assert Decider(None, 0.8).decide("R", 1.0) is Why.TEXT


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("R LAT", Why.MARKER),
        ("120 kV", Why.MARKER),
        ("Brackenridge", Why.TEXT),
        ("", Why.UNREADABLE),
        (" ... ", Why.UNREADABLE),
        ("IM 1234567", Why.LONG_NUMBER),
        ("IM \uff11\uff12\uff13\uff14\uff15\uff16", Why.LONG_NUMBER),
        ("L 12.03.65", Why.DATE),
        ("L 12/3/1965", Why.DATE),
        ("SE 10/1965", Why.DATE),
        ("T 12:34:56", Why.DATE),
        ("1965年3月", Why.DATE),
        ("IM: 12/30", Why.MARKER),
    ],
)
def test_reason_says_what_kind_of_line_it_is(line: str, why: Why) -> None:
    decided = Decider(MARKERS, 0.8).decide(line, 0.99)
    assert decided is why
    assert decided.stays is (why is Why.MARKER)


@pytest.mark.parametrize("confidence", [0.79, 0.0, float("nan")])
def test_line_read_with_too_little_confidence_is_masked(confidence: float) -> None:
    assert Decider(MARKERS, 0.8).decide("R", confidence) is Why.UNSURE


def test_long_box_of_one_letter_is_masked() -> None:
    decider = Decider(MARKERS, 0.8)
    assert decider.decide("R", 0.99, aspect=3.0).stays
    assert decider.decide("R", 0.99, aspect=6.0) is Why.UNREADABLE
    assert decider.decide("PORTABLE", 0.99, aspect=8.0).stays


def test_known_identifier_outweighs_the_vocabulary() -> None:
    decider = Decider(MARKERS, 0.8, is_known=lambda text: "PORT" in text)
    assert decider.decide("PORTABLE", 0.99) is Why.IDENTIFIER
    assert decider.decide("ERECT", 0.99).stays


def test_finding_in_the_text_outweighs_the_vocabulary() -> None:
    asked: list[str] = []
    decider = Decider(MARKERS, 0.8, finds=lambda text: not asked.append(text))  # type: ignore[func-returns-value]
    assert decider.decide("LEFT", 0.99) is Why.FOUND
    assert decider.decide("LEFT", 0.99) is Why.FOUND
    decider.decide("SMITH", 0.99)
    assert asked == ["LEFT"]


@pytest.mark.parametrize("line", ["ERECT", "R ERECT", "EREGT", "ERFCT AP", "Ereect", "eret", "3RECT"])
def test_name_that_is_a_marker_is_near_with_a_letter_wrong(line: str) -> None:
    assert near((Kind.NAME_PART, "Erect"))(line)


@pytest.mark.parametrize(
    ("kind", "identifier", "line"),
    [
        (Kind.NAME, "Li Ma", "120 MA"),
        (Kind.NAME, "Li Ma", "LI"),
        (Kind.NAME_PART, "Lat", "R LAT"),
        (Kind.NAME_PART, "Lateralio", "LATER"),
        (Kind.NAME_PART, "Bernd", "BEMD"),
        (Kind.NAME_PART, "Lateral", "1ATERA1"),
        (Kind.CODE, "SE 12 IM 4", "SE 12 IM 4"),
        (Kind.CODE, "SE-12/IM-4", "5E12 1M 4"),
        (Kind.CODE, "4512", "TR 4S12"),
        (Kind.CODE, "4512", "TR 4517"),
        (Kind.CODE, "48120", "120"),
        (Kind.PHRASE, "Left Portal", "left portal"),
        (Kind.PHRASE, "Left Portal", "Ieft porta1"),
    ],
)
def test_near_identifier_is_seen(kind: Kind, identifier: str, line: str) -> None:
    decider = Decider(MARKERS, 0.8, is_near=near((kind, identifier)))
    assert near((kind, identifier))(line)
    assert not decider.decide(line, 0.99).stays


@pytest.mark.parametrize("line", ["R LAT", "TR: 450 ms", "512 x 512", "PORTABLE AP", "120 kV", "10", "左"])
def test_line_far_from_all_identifiers_stays(line: str) -> None:
    known = near(
        *((Kind.NAME_PART, name) for name in ("Brackenridge", "Odalys", "Wren")),
        *((Kind.CODE, "MRN-4471902"), (Kind.CODE, "4513"), (Kind.PHRASE, "Ostermere General Hospital")),
        (Kind.UID, "1.2.10"),
    )
    assert Decider(MARKERS, 0.8, is_near=known).decide(line, 0.99).stays


def test_shape_is_the_same_for_what_looks_the_same() -> None:
    assert shape("BOSSIO9") == shape("80551OG")
    assert shape("Bernd") == shape("BEMD")
    assert shape("Müller") == shape("MULLER")
    assert shape("Mann") != shape("Hann")


def test_identifiers_are_neither_shown_nor_pickled() -> None:
    known = near((Kind.NAME_PART, "Brackenridge"))
    decider = Decider(MARKERS, 0.8, is_near=known)
    decider.decide("Brackenridge", 1.0)
    assert "rackenridge" not in f"{known!r} {decider!r}".casefold()
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(known)


def test_very_long_line_is_near_everything() -> None:
    assert near((Kind.NAME_PART, "Wren"))("l " * 100)
