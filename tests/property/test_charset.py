"""Whatever texts an instance has, in whatever character sets: in UTF-8 they are the same texts."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from deid.context import Context
from deid.elements.charset import UTF8, in_utf8
from deid.encoding.element import DataSet, Element
from deid.encoding.reader import Limits, read_data_set
from deid.encoding.text import decode, encode
from deid.encoding.writer import write_data_set
from deid.engine import Instance, deidentify
from deid.errors import Refused
from deid.keys import Keys
from deid.profile import Profile

IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
VRS = ("LO", "LT", "PN", "SH", "ST", "UC", "UT")
CHARSET = 0x0008_0005
# Attributes that the table doesn't name, of each of these VRs, and a private text on no list.
TAGS = {
    0x0008_0104: "LO",
    0x0008_2120: "SH",
    0x0008_2132: "LO",
    0x0010_0010: "PN",
    0x0010_0218: "UT",
    0x0014_0046: "LT",
    0x0008_0115: "ST",
    0x0018_9908: "UC",
    0x0029_1010: "LO",
}
SEQUENCES = (0x0008_1032, 0x0008_0121, 0x0040_0555)
CONTEXTS = [
    Context(
        Profile.from_options(
            setting,
            (),
            {
                "PatientName": "K",
                "ProcedureCodeSequence": "K",
                "AcquisitionContextSequence": "K",
                '(0029,"ACME",10)': "K",
                **dict.fromkeys(VRS, "K"),
            },
            character_set=setting,
        ),
        Keys.from_secret(b"k" * 32),
    )
    for setting in ("source", "utf-8")
]
ALPHABETS = {
    "": "aZ 1^=\\",
    "ISO_IR 100": "aé ßÖ^\\=",
    "ISO_IR 101": "aŁó ź^\\",
    "ISO_IR 126": "aΔ ω\\",
    "ISO_IR 144": "aЖя ^\\",
    "ISO_IR 166": "aนา ม",
    "ISO_IR 13": "aﾔﾏ ^\\",
    "ISO_IR 192": "a王é\U00020000 ^\\=",
    "GB18030": "a王é乗\U00020000俓 ^\\=",
    "GBK": "a王 表^\\",
    "\\ISO 2022 IR 87": "a山表 や^\\=\r\n",
    "ISO 2022 IR 13\\ISO 2022 IR 87": "aﾔ山表 ^\\=",
    "\\ISO 2022 IR 149": "a홍길 洪^\\=\r\n",
    "\\ISO 2022 IR 58": "a张东 ^\\=\r\n",
    "ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 87\\ISO 2022 IR 159": "aéЖ山丂 ^\\\r\n",
    "ISO_IR 999": "aé",
}


def terms_of(charset: str) -> tuple[str, ...]:
    return tuple(charset.split("\\")) if charset else ()


def encoded(text: str, charset: str) -> bytes:
    try:
        return encode(text, terms_of(charset))
    except Refused:
        return text.encode("utf-8")


@st.composite
def data_sets(draw: st.DrawFn, inherited: str = "", depth: int = 0) -> DataSet:
    own = draw(st.sampled_from([None, *ALPHABETS])) or None
    charset = inherited if own is None else own
    texts = st.text(st.sampled_from(ALPHABETS[charset]), max_size=10)
    values = st.one_of(texts.map(lambda text: encoded(text, charset)), st.binary(max_size=6))
    tags = draw(st.lists(st.sampled_from(sorted(TAGS)), unique=True, max_size=5))
    elements = {tag: Element(tag, TAGS[tag], draw(values)) for tag in tags}
    if own is not None:
        elements[CHARSET] = Element(CHARSET, "CS", own.encode())
    if 0x0029_1010 in elements:
        elements[0x0029_0010] = Element(0x0029_0010, "LO", b"ACME")
    for tag in draw(st.lists(st.sampled_from(SEQUENCES), unique=True, max_size=2)) if depth < 2 else ():
        items = draw(st.lists(data_sets(charset, depth + 1), max_size=2))
        elements[tag] = Element(tag, "SQ", items)
    return DataSet(dict(sorted(elements.items())), terms_of(charset))


def texts_of(data_set: DataSet, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], str]]:
    """Yield each text without padding, decoded strictly; UTF-8 as such where its declaration doesn't fit it."""
    for tag, element in data_set.elements.items():
        if isinstance(element.value, list):
            for number, item in enumerate(element.value):
                yield from texts_of(item, (*path, tag, number))
        elif element.vr in VRS:
            try:
                text = decode(element.value, element.vr, data_set.charset)
            except Refused:
                text = decode(element.value, element.vr, UTF8)
            yield (*path, tag), text.rstrip(" \0")


def charsets_in_items(data_set: DataSet) -> Iterator[bool]:
    for element in data_set.elements.values():
        for item in element.value if isinstance(element.value, list) else ():
            yield CHARSET in item.elements
            yield from charsets_in_items(item)


def output(instance: Instance, context: Context) -> DataSet:
    clean = deidentify(instance, context).clean
    return read_data_set(b"".join(clean.chunks), clean.transfer_syntax, Limits())


@settings(max_examples=120, deadline=None)
@given(source=data_sets(), syntax=st.sampled_from([IMPLICIT, EXPLICIT, BIG_ENDIAN]))
def test_utf8_output_has_the_texts_of_the_output_in_the_source_s_character_sets(source: DataSet, syntax: str) -> None:
    for tag, uid in ((0x0008_0016, b"1.2.840.10008.5.1.4.1.1.7"), (0x0008_0018, b"1.2.276.1.3")):
        source.elements[tag] = Element(tag, "UI", uid)
    instance = Instance(syntax, b"".join(write_data_set(DataSet(dict(sorted(source.elements.items()))), syntax)))
    before = output(instance, CONTEXTS[0])
    if any("\x1b" in text for _, text in texts_of(before)):  # an escape where there are no code extensions
        return
    after = output(instance, CONTEXTS[1])

    texts = dict(texts_of(after))
    assert {**texts, (0x0012_0063,): ""} == {**dict(texts_of(before)), (0x0012_0063,): ""}
    is_declared = CHARSET in after.elements
    assert is_declared or all(text.isascii() for text in texts.values())
    assert not is_declared or after.charset == UTF8
    assert not any(charsets_in_items(after))


@settings(max_examples=150, deadline=None)
@given(source=data_sets())
def test_recoding_twice_is_recoding_once_and_never_changes_its_argument(source: DataSet) -> None:
    before = b"".join(write_data_set(source, EXPLICIT))
    try:
        once = in_utf8(source)
    except Refused:
        once = None
    assert b"".join(write_data_set(source, EXPLICIT)) == before
    if once is not None:
        twice = in_utf8(once.data_set)
        assert write_data_set(twice.data_set, EXPLICIT) == write_data_set(once.data_set, EXPLICIT)
        assert (twice.texts, twice.declarations) == ((), ())
