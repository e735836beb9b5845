"""Character sets: the examples of PS3.5 Annexes H, I, J and K, and the mistakes of real senders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deid.encoding.text import decode, decode_lenient, encode, encodings, strip
from deid.errors import Reason, Refused

JAPANESE = ("", "ISO 2022 IR 87")
KATAKANA = ("ISO 2022 IR 13", "ISO 2022 IR 87")
KOREAN = ("", "ISO 2022 IR 149")
CHINESE = ("", "ISO 2022 IR 58")

EXAMPLES = [
    pytest.param(("ISO_IR 100",), b"Buc^J\xe9r\xf4me", "Buc^Jérôme", id="Latin-1"),
    pytest.param(("ISO_IR 101",), b"Wa\xb3\xeasa", "Wałęsa", id="Latin-2"),
    pytest.param(("ISO_IR 144",), b"\xbb\xee\xda\xe1\xd5\xdc\xd1\xe3\xe0\xd3", "Люксембург", id="Cyrillic"),
    pytest.param(("ISO_IR 127",), b"\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", "قباني^لنزار", id="Arabic"),
    pytest.param(("ISO_IR 126",), b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "Διονυσιος", id="Greek"),
    pytest.param(("ISO_IR 138",), b"\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", "שרון^דבורה", id="Hebrew"),
    pytest.param(("ISO_IR 148",), b"\xc7avu\xfeo\xf0lu", "Çavuşoğlu", id="Turkish"),
    pytest.param(("ISO_IR 166",), b"\xb9\xd2\xc1\xca\xa1\xd8\xc5", "นามสกุล", id="Thai"),
    pytest.param(
        ("ISO_IR 192",), b"Wang^XiaoDong=\xe7\x8e\x8b^\xe5\xb0\x8f\xe6\x9d\xb1", "Wang^XiaoDong=王^小東", id="UTF-8"
    ),
    pytest.param(("GB18030",), b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab", "Wang^XiaoDong=王^小东", id="GB18030"),
    pytest.param(("GBK",), b"\xcd\xf5^\xd0\xa1\xb6\xab", "王^小东", id="GBK"),
    pytest.param(
        JAPANESE,
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
        id="Japanese, PS3.5 H.3.1",
    ),
    pytest.param(
        KATAKANA,
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
        "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
        id="Japanese, PS3.5 H.3.2",
    ),
    pytest.param(
        KOREAN,
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
        "Hong^Gildong=洪^吉洞=홍^길동",
        id="Korean, PS3.5 I.2",
    ),
    pytest.param(
        CHINESE,
        b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
        "Zhang^XiaoDong=张^小东=",
        id="Chinese, PS3.5 K.2",
    ),
    pytest.param(
        ("ISO 2022 IR 100", "ISO 2022 IR 144", "ISO 2022 IR 126"),
        b"Dionysios \x1b-F\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2 \x1b-L\xbb\xee\xda \x1b-A\xe9",
        "Dionysios Διονυσιος Люк é",
        id="three alphabets",
    ),
]


@pytest.mark.parametrize(("charset", "encoded", "text"), EXAMPLES)
def test_the_examples_of_the_standard_are_decoded(charset: tuple[str, ...], encoded: bytes, text: str) -> None:
    assert decode(encoded, "PN", charset) == text
    assert decode_lenient(encoded, "PN", charset) == (text, False)


@pytest.mark.parametrize(("charset", "encoded", "text"), EXAMPLES)
def test_what_is_encoded_is_decoded_again(charset: tuple[str, ...], encoded: bytes, text: str) -> None:
    assert decode(encode(text, charset), "PN", charset) == text


@pytest.mark.parametrize(("charset", "encoded", "text"), EXAMPLES)
def test_what_is_encoded_is_what_the_standard_shows(charset: tuple[str, ...], encoded: bytes, text: str) -> None:
    assert encode(text, charset) == encoded


def test_supplementary_kanji_are_decoded() -> None:
    charset = ("", "ISO 2022 IR 87", "ISO 2022 IR 159")
    text = "丂山^Yamada"
    encoded = encode(text, charset)
    assert encoded == b"\x1b$(D0!\x1b$B;3\x1b(B^Yamada"
    assert decode(encoded, "PN", charset) == text


def test_a_backslash_within_a_two_byte_character_is_no_delimiter() -> None:
    encoded = "表".encode("gb18030") + b"\\" + "俓".encode("gb18030")
    assert decode(encoded, "LO", ("GB18030",)) == "表\\俓"


def test_a_delimiter_ends_an_invocation() -> None:
    encoded = b"\x1b$)C\xc8\xab^\xb1\xe6"
    with pytest.raises(Refused):
        decode(encoded, "PN", KOREAN)
    assert decode_lenient(encoded, "PN", KOREAN) == ("홍^길", True)


def test_in_long_text_a_backslash_is_no_delimiter_but_a_line_end_is() -> None:
    assert decode(b"\x1b$)C\xc8\xab\\\xb1\xe6", "LT", KOREAN) == "홍\\길"
    with pytest.raises(Refused):
        decode(b"\x1b$)C\xc8\xab\r\n\xb1\xe6", "LT", KOREAN)


@pytest.mark.parametrize(
    ("charset", "encoded"),
    [
        ((), b"J\xe9r\xf4me"),
        (("ISO_IR 192",), b"J\xe9r\xf4me"),
        (("ISO_IR 13",), b"\x81\x40"),
        (("ISO_IR 100",), b"\x1b$B;3ED\x1b(B"),
        (("ISO 2022 IR 6", "ISO 2022 IR 87"), b"\x1b$B;3E\x1b(B"),
        (("ISO 2022 IR 6", "ISO 2022 IR 87"), b"\x1b$B;3\xc5\xc4\x1b(B"),
        (("ISO 2022 IR 6", "ISO 2022 IR 87"), b"\x1b$Xab"),
        (("ISO 2022 IR 6", "ISO 2022 IR 149"), b"\x1b$)C\xfb"),
        (("ISO_IR 999",), b"\xe9"),
        (("NONSENSE",), b"\xe9"),
        (("ISO 2022 IR 100", "GB18030"), b"\xe9"),
    ],
)
def test_bytes_outside_of_the_character_set_are_refused(charset: tuple[str, ...], encoded: bytes) -> None:
    with pytest.raises(Refused) as refusal:
        decode(encoded, "PN", charset)
    assert refusal.value.reason is Reason.UNDECODABLE_TEXT
    assert decode_lenient(encoded, "PN", charset)[1] is True


def test_other_strings_know_the_default_repertoire_only() -> None:
    assert decode(b"BRAIN\\HEAD", "CS", ("ISO_IR 192",)) == "BRAIN\\HEAD"
    with pytest.raises(Refused):
        decode("Kopf größer".encode(), "CS", ("ISO_IR 192",))
    assert decode_lenient("Kopf größer".encode(), "CS", ("ISO_IR 192",)) == ("Kopf größer", True)


@pytest.mark.parametrize(
    ("charset", "encoded", "text"),
    [
        ((), "Jérôme".encode(), "Jérôme"),
        ((), "Jérôme".encode("latin-1"), "Jérôme"),
        ((), b"\x1b$B;3ED\x1b(B", "山田"),
        (("ISO_IR 13",), "山田".encode("shift_jis"), "山田"),
        (("ISO_IR 192",), "Jérôme".encode("latin-1"), "Jérôme"),
        (("NONSENSE",), "山田".encode(), "山田"),
        (("ISO_IR 100",), b"\x1b$B;3ED\x1b(B", "山田"),
    ],
    ids=["UTF-8", "Latin-1", "escapes not declared", "Shift JIS", "not UTF-8", "unknown", "escapes in Latin-1"],
)
def test_the_mistakes_of_senders_are_understood(charset: tuple[str, ...], encoded: bytes, text: str) -> None:
    assert decode_lenient(encoded, "PN", charset) == (text, True)


@pytest.mark.parametrize(
    "term", ["ISO_IR 100", "ISO 2022 IR 100", "ISO IR 100", "ISO-IR 100", "iso_ir 100", "ISO_IR_100"]
)
def test_character_sets_are_known_in_their_common_spellings(term: str) -> None:
    assert decode(b"J\xe9", "PN", (term,)) == "Jé"


def test_text_that_the_character_set_lacks_is_not_encoded() -> None:
    for charset in ((), ("ISO_IR 100",), JAPANESE, ("NONSENSE",)):
        with pytest.raises(Refused) as refusal:
            encode("Łódź", charset)
        assert refusal.value.reason is Reason.UNDECODABLE_TEXT
        assert "Ł" not in str(refusal.value)


def test_significant_bytes_are_without_padding() -> None:
    assert strip(b"  Doe ") == b"Doe"
    assert strip(memoryview(b"1.2.3\0")) == b"1.2.3"
    assert strip(b"\0\0 ") == b""


@pytest.mark.parametrize(
    ("charset", "names"),
    [
        ((), ("ascii",)),
        (("ISO_IR 100",), ("ascii", "latin_1")),
        (("ISO_IR 192",), ("utf_8",)),
        (("GB18030",), ("gb18030",)),
        (JAPANESE, ("ascii", "iso2022_jp")),
        (("ISO 2022 IR 13", "ISO 2022 IR 87"), ("ascii", "shift_jis", "iso2022_jp")),
        (("NONSENSE",), ("utf_8", "latin_1")),
    ],
)
def test_the_codecs_of_a_character_set_are_known(charset: tuple[str, ...], names: tuple[str, ...]) -> None:
    assert encodings(charset) == names


CHARSETS = (
    (),
    ("ISO_IR 100",),
    ("ISO_IR 192",),
    ("GB18030",),
    ("ISO_IR 13",),
    JAPANESE,
    KATAKANA,
    KOREAN,
    CHINESE,
    ("ISO 2022 IR 100", "ISO 2022 IR 144", "ISO 2022 IR 87", "ISO 2022 IR 159", "ISO 2022 IR 149"),
    ("NONSENSE",),
)


@given(charset=st.sampled_from(CHARSETS), data=st.binary(max_size=40))
def test_any_bytes_are_decoded_leniently(charset: tuple[str, ...], data: bytes) -> None:
    text, mislabelled = decode_lenient(data, "PN", charset)
    assert bool(text) == bool(data) or b"\x1b" in data
    if not mislabelled:
        assert text == decode(data, "PN", charset)


ALPHABET = st.sampled_from("aZ ^=\\\r\néÉЖя山田表能やまだ홍길동张东ﾔ丂")


@given(charset=st.sampled_from(CHARSETS), text=st.text(ALPHABET, max_size=12))
def test_whatever_can_be_encoded_is_decoded_again(charset: tuple[str, ...], text: str) -> None:
    try:
        encoded = encode(text, charset)
    except Refused:
        return
    assert decode(encoded, "PN", charset) == text
