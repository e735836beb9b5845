"""Whatever bytes are declared to be, they are read as what they may be."""

from __future__ import annotations

import base64

import pytest

from deid.needles import Kind, Needles, first_in_disguise
from deid.readings import readings, undisguised


@pytest.mark.parametrize(
    "written",
    [
        "seen Smithers today".encode("utf-16-le"),
        "seen Smithers today".encode("utf-16-be"),
        b"x" + "Smithers".encode("utf-16-le"),
        b"Smithers".hex().encode(),
        b"0" + b"SMITHERS".hex().upper().encode(),
        base64.b64encode(b"Smithers^Waylon"),
        base64.b64encode(b"a Smithers^Waylon"),
        base64.b64encode(b"of Smithers^Waylon"),
        b"mStiehsr",
        b"xmStiehsr",
    ],
)
def test_a_disguised_name_is_seen(written: bytes) -> None:
    needles = Needles()
    needles.add(Kind.NAME_PART, "Smithers")

    assert b"smithers" in undisguised(b"ACME 1.0 " + written + b" CT")
    assert needles.possible_in(written)
    assert first_in_disguise(list(needles), written) is not None


@pytest.mark.parametrize(
    "text", [b"Smithersonian Institution", b"HEAD FIRST SUPINE", b"1.2.840.10008.1.2.1", b"", b"\0\0"]
)
def test_a_plain_text_is_no_disguise(text: bytes) -> None:
    needles = Needles()
    needles.add(Kind.NAME_PART, "Smithers")

    assert first_in_disguise(list(needles), text) is None


@pytest.mark.parametrize(
    ("text", "codec", "charset"),
    [
        ("Иванов", "utf-8", ("ISO_IR 100",)),
        ("Иванов", "utf-8", ("ISO_IR 144",)),
        ("山田", "shift_jis", ("ISO_IR 100",)),
        ("김희중", "euc_kr", ("ISO_IR 100",)),
        ("王小东", "gb18030", ()),
    ],
)
def test_a_mislabelled_text_is_read_as_what_it_is_too(text: str, codec: str, charset: tuple[str, ...]) -> None:
    assert text in readings(text.encode(codec), "PN", charset)


def test_a_text_as_declared_has_one_reading() -> None:
    assert readings("Müller".encode("latin-1"), "PN", ("ISO_IR 100",)) == ("Müller",)
    assert readings(b"Doe", "PN", ()) == ("Doe",)
