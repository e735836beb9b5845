"""Whatever an instance looks like: clean or refused, never leaking, never changed, always the same."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deid.context import Context
from deid.encoding.element import DataSet, Element
from deid.encoding.reader import Limits, read_data_set
from deid.encoding.writer import write_data_set
from deid.engine import Instance, deidentify
from deid.errors import Refused
from deid.keys import Keys
from deid.profile import Profile
from deid.standard import confidentiality_rows

IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
KEYS = Keys.from_secret(b"k" * 32)
CONTEXTS = [
    Context(Profile.from_options("basic", ()), KEYS),
    Context(Profile.from_options("longitudinal", ("retain_long_modified_dates",)), KEYS),
]
NAME, PATIENT_ID, BIRTH_DATE = "Zyxwvut^Quinlan", "ZX-908172", "19310517"
LEAKS = [b"zyxwvut", b"quinlan", b"908172", b"19310517"]

TEXTS = st.sampled_from(
    [
        "ZYXWVUT",
        "Quinlan Zyxwvut",
        "id zx-908172.",
        "19310517",
        "CHEST",
        "axial",
        "",
        "a\\b",
        "zyxwvutquinlan",
        "1.2.276.77.3",
    ]
)
ROWS = [row for row in confidentiality_rows() if row.mask == 0xFFFFFFFF and "or" not in row.vr and row.vr]
OUTSIDE = st.sampled_from(
    [(0x0008_0070, "LO"), (0x0008_0104, "LO"), (0x0018_0015, "CS"), (0x0020_4000, "LT"), (0x0018_9004, "CS")]
)
PRIVATE = st.sampled_from([(0x0009_0010, "LO"), (0x0009_1001, "LO"), (0x7053_1000, "DS"), (0x0029_1010, "OB")])


def element(tag: int, vr: str, text: str) -> Element:
    if vr == "SQ":
        return Element(tag, vr, [DataSet({0x0008_0104: Element(0x0008_0104, "LO", text.encode())})])
    return Element(tag, vr, text.encode())


ELEMENTS = st.one_of(
    st.builds(
        lambda number, text: element(ROWS[number].tag, ROWS[number].vr, text), st.integers(0, len(ROWS) - 1), TEXTS
    ),
    st.builds(lambda place, text: element(*place, text), OUTSIDE, TEXTS),
    st.builds(lambda place, text: element(*place, text), PRIVATE, TEXTS),
)


def sequence(items: list[list[Element]], tag: int) -> Element:
    return Element(tag, "SQ", [data_set(elements) for elements in items])


def data_set(elements: list[Element]) -> DataSet:
    by_tag = {one.tag: one for one in elements}
    return DataSet(dict(sorted(by_tag.items())))


NESTED = st.recursive(
    ELEMENTS,
    lambda inner: st.builds(
        sequence,
        st.lists(st.lists(inner, max_size=4), max_size=2),
        st.sampled_from([0x0040_0275, 0x0008_2218, 0x5200_9229]),
    ),
    max_leaves=12,
)

IDENTITY = [
    Element(0x0008_0016, "UI", b"1.2.840.10008.5.1.4.1.1.2"),
    Element(0x0008_0018, "UI", b"1.2.276.77.3"),
    Element(0x0010_0010, "PN", NAME.encode()),
    Element(0x0010_0020, "LO", PATIENT_ID.encode()),
    Element(0x0010_0030, "DA", BIRTH_DATE.encode()),
    Element(0x0020_000D, "UI", b"1.2.276.77.1"),
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    extra=st.lists(NESTED, max_size=12),
    syntax=st.sampled_from([IMPLICIT, EXPLICIT, BIG_ENDIAN]),
    context=st.sampled_from(CONTEXTS),
)
def test_no_identifier_survives_in_any_data_set(extra: list[Element], syntax: str, context: Context) -> None:
    source = b"".join(write_data_set(data_set([*extra, *IDENTITY]), syntax))
    instance = Instance(syntax, source)
    try:
        clean = deidentify(instance, context).clean
    except Refused:
        return
    output = b"".join(clean.chunks)

    assert not [leak for leak in LEAKS if leak in output.lower()]
    assert b"1.2.276.77" not in output
    assert b"".join(deidentify(Instance(syntax, source), context).clean.chunks) == output
    read_data_set(output, syntax, Limits())


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=400), syntax=st.sampled_from([IMPLICIT, EXPLICIT, BIG_ENDIAN, "1.2.840.10008.1.2.1.99"]))
def test_garbage_is_refused_with_a_reason(data: bytes, syntax: str) -> None:
    with pytest.raises(Refused):
        deidentify(Instance(syntax, data), CONTEXTS[0])


@settings(max_examples=150, deadline=None)
@given(place=st.integers(0, 10_000), cut=st.booleans(), byte=st.integers(0, 255))
def test_a_damaged_instance_is_clean_or_refused(place: int, cut: bool, byte: int) -> None:
    source = b"".join(write_data_set(data_set(IDENTITY), EXPLICIT))
    place %= len(source)
    damaged = source[:place] if cut else source[:place] + bytes((byte,)) + source[place + 1 :]
    try:
        output = b"".join(deidentify(Instance(EXPLICIT, damaged), CONTEXTS[1]).clean.chunks)
    except Refused:
        return

    original = {part for part in LEAKS if part in damaged.lower()}
    kept = read_data_set(damaged, EXPLICIT, Limits()).elements
    harvested = {leak for leak in original if any(tag in kept for tag in (0x0010_0010, 0x0010_0020, 0x0010_0030))}
    assert not [leak for leak in harvested if leak in output.lower()]
