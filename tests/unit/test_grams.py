"""The quick look for thousands of words leaves none out that the slow one finds and that counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid.errors import Reason, Refused
from deid.grams import Grams
from deid.needles import Kind, Needle, Needles, first_in, make_needle

_LETTERS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=9)
_UIDS = st.lists(st.integers(0, 10**12).map(str), min_size=3, max_size=6).map(".".join)
_AROUND = st.binary(max_size=4)


@given(st.binary(max_size=60), _LETTERS.map(str.encode), st.binary(max_size=60))
def test_a_word_that_is_there_may_be_there(before: bytes, word: bytes, after: bytes) -> None:
    assert Grams(before + word + after).may_hold(word)
    assert Grams(b"", before + word + after).may_hold(word)


def test_a_word_that_is_not_there_is_told_so_mostly() -> None:
    grams = Grams(b"manufacturer model name " * 100_000)
    assert not grams.may_hold(b"quorvandel")
    assert grams.may_hold(b"x")


def test_a_word_across_the_border_of_two_blocks_is_there() -> None:
    data = bytes((1 << 20) - 3) + b"quorvandel" + bytes(100)
    assert Grams(data).may_hold(b"quorvandel")


@given(
    _UIDS,
    st.sampled_from([b"", b"2", b".", b"0", b"\0", b"\\"]),
    st.sampled_from([b"", b"2", b"0", b"\0", b"\\", b" "]),
)
def test_a_uid_is_there_whatever_byte_of_a_header_is_beside_it(uid: str, before: bytes, after: bytes) -> None:
    assert uid.encode() in Grams(b"\0UI" + before + uid.encode() + after + b"\x08\0").uids


@pytest.mark.parametrize("text", ["see 1.2.840.99.7...", "no.1.2.840.99.7", "..1.2.840.99.7..", "(1.2.840.99.7.)"])
@pytest.mark.parametrize("others", [0, 1000])
def test_a_uid_among_full_stops_is_found_however_many_others_are_looked_for(text: str, others: int) -> None:
    needles = Needles()
    needles.add(Kind.UID, "1.2.840.99.7")
    for number in range(others):
        needles.add(Kind.CODE, f"nobody{number}x")
    assert [each.kind for each in needles.possible_in(text.encode())] == [Kind.UID]
    assert first_in(needles.possible_in(text.encode()), text) is not None


@given(st.dates(), st.sampled_from([b"", b"0", b"8"]), st.sampled_from([b"", b"0", b"123000.5", b"-"]))
def test_a_date_is_there_also_at_the_start_of_a_time(day: object, before: bytes, after: bytes) -> None:
    date = f"{day:%Y%m%d}".zfill(8).encode()
    assert date in Grams(b"\0DA" + before + date + after + b"\x08\0").dates


@given(st.lists(_LETTERS, min_size=1, max_size=5, unique=True), st.lists(_UIDS, max_size=3, unique=True), _AROUND)
def test_many_needles_are_found_by_the_quick_look_as_by_the_slow_one(
    names: list[str], uids: list[str], around: bytes
) -> None:
    data = b"\0".join([around, *(name.encode() for name in names[:2]), *(uid.encode() for uid in uids[:1]), around])
    slow, quick = Needles(), Needles()
    wanted = [make_needle(Kind.NAME_PART, name, ()) for name in names] + [
        make_needle(Kind.UID, uid, ()) for uid in uids
    ]
    wanted_too = [make_needle(Kind.CODE, f"nobody{number}x", ()) for number in range(1000)]
    slow.update(needle for needle in wanted if needle is not None)
    quick.update(needle for needle in (*wanted, *wanted_too) if needle is not None)
    found = {needle.words for needle in quick.possible_in(data)}
    exact = {needle.words for needle in slow.possible_in(data) if needle.kind is not Kind.UID}
    assert exact <= found
    assert set(uids[:1]) <= found


def test_more_identifiers_than_anybody_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deid.needles._MOST_NEEDLES", 500)
    many = Needles()
    with pytest.raises(Refused) as refused:
        many.update(_codes(501))
    assert refused.value.reason is Reason.TOO_LARGE


def test_many_identifiers_that_all_stand_in_much_text_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deid.needles._MOST_LOOKS", 1_000 * 20_000)
    needles = Needles()
    needles.update(_codes(1000))
    text = b" ".join(b"id%07d" % number for number in range(1000))
    assert len(needles.possible_in(text)) == 1000
    with pytest.raises(Refused) as refused:
        needles.possible_in(text * 3)
    assert refused.value.reason is Reason.TOO_LARGE


def _codes(count: int) -> list[Needle]:
    needles = [make_needle(Kind.CODE, f"id{number:07d}", ()) for number in range(count)]
    return [needle for needle in needles if needle is not None]
