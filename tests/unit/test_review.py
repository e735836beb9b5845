"""What a person says of an instance's frames is done, and nothing else is done because of it."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import JPEG2000Lossless

from deid.context import Context
from deid.encoding.element import Element
from deid.engine import Instance, Result, deidentify, explain_header
from deid.errors import Reason, Refused
from deid.keys import Keys
from deid.pixels import look
from deid.pixels.box import Box
from deid.pixels.look import DRAWN
from deid.profile import Profile
from deid.review import APPROVABLE, UNREVIEWED, DrawnBox, Review
from tests.factories import STUDY, ct, to_bytes
from tests.unit.test_look import (
    NAME,
    OTHER,
    Scripted,
    cleaned,
    frame,
    looking,
    reader,
    screen,
    without,
)

KEYS = Keys.from_secret(b"a secret of sixteen bytes or more")
LONGITUDINAL = Context(Profile.from_options("longitudinal", ("retain_long_modified_dates",)), KEYS)
THIRD = Box(60, 24, 92, 38)
TEXTS = {NAME: ("DOE", 0.9), OTHER: ("JANE", 0.9), THIRD: ("MRN 4711", 0.9)}


def blind(look: int) -> frozenset[Box]:
    """Overlook one more line with each look, so that text is left in the end."""
    return [frozenset({OTHER, THIRD}), frozenset({THIRD}), frozenset[Box]()][min(look, 2)]


# Frames that are looked at


def test_drawn_box_is_masked_in_its_frames_alone() -> None:
    source = [frame(level=30), frame(level=40), frame(level=50)]
    review = Review((DrawnBox(Box(10, 10, 30, 20), 2, 2),))
    looked, after = cleaned(source, looking(reader(), review=review))
    assert np.array_equal(after[0], source[0])
    assert np.array_equal(after[1], without(source[1], Box(10, 10, 30, 20)))
    assert np.array_equal(after[2], source[2])
    (masked,) = looked.report.masked
    assert (masked.box, masked.why, masked.frames) == ((10, 10, 30, 20), DRAWN, ((2, 2),))


def test_drawn_box_without_a_last_frame_is_masked_to_the_end() -> None:
    source = [frame(level=level) for level in (30, 40, 50)]
    _, after = cleaned(source, looking(reader(), review=Review((DrawnBox(Box(0, 0, 8, 8), 2),))))
    assert [np.array_equal(*pair) for pair in zip(source, after, strict=True)] == [True, False, False]


def test_drawn_box_beyond_the_image_is_cut() -> None:
    _, after = cleaned([frame()], looking(reader(), review=Review((DrawnBox(Box(90, 60, 500, 500)),))))
    assert np.array_equal(after[0], without(frame(), Box(90, 60, 96, 64)))


def test_what_is_found_is_masked_beside_what_is_drawn() -> None:
    _, after = cleaned([frame(NAME)], looking(reader(), review=Review((DrawnBox(Box(70, 40, 90, 60)),))))
    assert np.array_equal(after[0], without(frame(NAME), NAME, Box(70, 40, 90, 60)))


def test_box_over_text_that_would_be_left_lets_the_instance_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "MOST_LOOKS", 2)
    source = frame(NAME, OTHER, THIRD)
    with pytest.raises(Refused) as refused:
        cleaned([source], looking(Scripted(TEXTS, blind)))
    assert refused.value.reason in APPROVABLE
    review = Review((DrawnBox(THIRD), DrawnBox(OTHER)))
    _, after = cleaned([source], looking(Scripted(TEXTS, blind), review=review))
    assert np.array_equal(after[0], without(source, NAME, OTHER, THIRD))


def test_approved_text_is_masked_as_far_as_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "MOST_LOOKS", 2)
    source = frame(NAME, OTHER, THIRD)
    _, after = cleaned([source], looking(Scripted(TEXTS, blind), review=Review(approved=True)))
    assert np.array_equal(after[0], without(source, NAME, OTHER, THIRD))


@pytest.mark.parametrize("review", [Review(approved=True), Review((DrawnBox(Box(80, 50, 90, 60)),))])
def test_screen_is_looked_at_once_a_person_has_seen_it(review: Review) -> None:
    table = {"screens": "quarantine"}
    with pytest.raises(Refused) as refused:
        cleaned([frame(NAME)], looking(reader(), table), source=screen([frame()]))
    assert refused.value.reason in APPROVABLE
    looked, after = cleaned([frame(NAME)], looking(reader(), table, review=review), source=screen([frame()]))
    x0, y0, x1, y1 = NAME
    assert int(after[0][y0:y1, x0:x1].max()) == 0
    assert looked.report.skipped == ""


def test_identifier_that_is_left_can_never_be_approved() -> None:
    assert {Reason.TEXT_LEFT, Reason.KEPT_BACK} == APPROVABLE


# Frames that the profile has nobody look at


def source(**attributes: object) -> Dataset:
    ds = ct(STUDY, 0, size=32)
    ds.PixelData = np.arange(1000, 1000 + 32 * 32, dtype="<u2").tobytes()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def clean(ds: Dataset, review: Review = UNREVIEWED) -> tuple[Result, Dataset]:
    result = deidentify(Instance.from_part10(to_bytes(ds)), LONGITUDINAL, review=review)
    return result, dcmread(BytesIO(b"".join(result.clean.part10())))


def test_drawn_box_is_masked_also_where_the_profile_cleans_no_pixels() -> None:
    result, found = clean(source(), Review((DrawnBox(Box(4, 2, 20, 6)),)))
    expected = np.arange(1000, 1000 + 32 * 32, dtype="<u2").reshape(32, 32)
    after = found.pixel_array
    assert len(np.unique(after[2:6, 4:20])) == 1
    outside = np.ones((32, 32), np.bool_)
    outside[2:6, 4:20] = False
    assert np.array_equal(after[outside], expected[outside])
    assert result.report.pixels is not None
    assert [each.why for each in result.report.pixels.masked] == [DRAWN]


def test_nothing_more_is_claimed_for_a_drawn_box() -> None:
    plain, without_box = clean(source(BurnedInAnnotation="YES"))
    masked, with_box = clean(source(BurnedInAnnotation="YES"), Review((DrawnBox(Box(4, 2, 20, 6)),)))
    assert masked.report.method_codes == plain.report.method_codes
    assert "113101" not in masked.report.method_codes
    assert with_box.get("BurnedInAnnotation") == without_box.get("BurnedInAnnotation") != "NO"


def test_compressed_frame_stays_compressed_under_a_drawn_box() -> None:
    ds = source()
    ds.compress(JPEG2000Lossless)
    result, found = clean(ds, Review((DrawnBox(Box(4, 2, 20, 6)),)))
    assert result.clean.transfer_syntax == JPEG2000Lossless
    assert len(np.unique(found.pixel_array[2:6, 4:20])) == 1


def test_icon_of_a_frame_with_a_drawn_box_goes() -> None:
    icon = Dataset()
    icon.Rows = icon.Columns = 2
    icon.SamplesPerPixel, icon.PhotometricInterpretation = 1, "MONOCHROME2"
    icon.BitsAllocated = icon.BitsStored = 8
    icon.HighBit, icon.PixelRepresentation, icon.PixelData = 7, 0, b"\x01\x02\x03\x04"
    _, found = clean(source(IconImageSequence=[icon]), Review((DrawnBox(Box(4, 2, 20, 6)),)))
    assert "IconImageSequence" not in found


def test_instance_without_frames_has_nothing_to_mask() -> None:
    ds = source()
    del ds.PixelData
    result, _ = clean(ds, Review((DrawnBox(Box(4, 2, 20, 6)),)))
    assert result.report.pixels is None


def test_same_review_gives_the_same_bytes() -> None:
    review = Review((DrawnBox(Box(4, 2, 20, 6)),), approved=True)
    assert clean(source(), review)[0].clean.chunks == clean(source(), review)[0].clean.chunks


# The header of what is refused


def test_header_is_explained_element_by_element() -> None:
    ds = source(PatientName="Zwickelhuber^Anna")
    ds.SOPInstanceUID = "1.2.276.5"
    instance = Instance.from_part10(to_bytes(ds))
    found, after = explain_header(instance, LONGITUDINAL)
    assert any(each.path == (0x0010_0010,) for each in found)
    name = after.elements[0x0010_0010]
    assert isinstance(name, Element)
    assert b"Zwickelhuber" not in bytes(name.value)  # type: ignore[arg-type]


def test_header_is_explained_although_the_frames_can_not_be_read() -> None:
    ds = source()
    ds.PixelData = b"\x00\x00"
    instance = Instance.from_part10(to_bytes(ds))
    with pytest.raises(Refused):
        deidentify(instance, LONGITUDINAL)
    found, _ = explain_header(instance, LONGITUDINAL)
    assert len(found) > 20
