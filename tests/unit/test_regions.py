"""Device templates, screens, calibrated ultrasound: what is masked before anything is read; and the table [pixels]."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR, tag_for_keyword

from deid.encoding.element import DataSet, Element
from deid.errors import Misconfigured
from deid.pixels.box import Box
from deid.pixels.regions import Region, Regions, Source, find_regions, outside
from deid.pixels.rules import Icons, Overlays, PixelRules, Treatment
from deid.pixels.template import ScreenKind, load_region_files, shipped_config

ULTRASOUND_IMAGE = "1.2.840.10008.5.1.4.1.1.6.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
NONE = {"regions": []}


def data_set(order: str = "<", **values: Any) -> DataSet:
    elements = {}
    for keyword, value in values.items():
        tag = int(tag_for_keyword(keyword) or 0)
        vr = str(dictionary_VR(tag))
        encoded: Any = value
        if isinstance(value, int):
            encoded = struct.pack(f"{order}H" if vr == "US" else f"{order}L", value)
        elif isinstance(value, str):
            encoded = value.encode()
        elements[tag] = Element(tag, vr, encoded)
    return DataSet(dict(sorted(elements.items())))


def ultrasound(*boxes: tuple[int, int, int, int], order: str = "<", **values: Any) -> DataSet:
    keys = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1")
    items = [data_set(order, **dict(zip(keys, box, strict=True))) for box in boxes]
    return data_set(order, SOPClassUID=ULTRASOUND_IMAGE, Modality="US", SequenceOfUltrasoundRegions=items, **values)


def found(
    source: DataSet, rows: int, columns: int, table: dict[str, Any] | None = None, *, little: bool = True
) -> Regions:
    return find_regions(source, rows, columns, PixelRules.from_table(table or {}), little_endian=little)


def written(folder: Path, text: str, name: str = "own.toml") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def boxes_of(regions: Regions, source: Source) -> list[Box]:
    return [region.box for region in regions.masked if region.source is source]


OWN = """
[[template]]
name = "Example"
match.Modality = "US"
match.Manufacturer = ["EXAMPLE*", "OTHER"]
match.Rows = [100, 200]
unless.ImageType = "ORIGINAL"
top = 10
bottom = 20
left = 5
right = 6
boxes = [[1, 2, 3, 4]]
"""


def test_template_masks_bands_and_boxes_of_its_device(tmp_path: Path) -> None:
    table = {"regions": [written(tmp_path, OWN)]}
    source = data_set(Modality="US", Manufacturer="Example  Inc. ", Rows=200)
    expected = [(0, 0, 80, 10), (0, 180, 80, 200), (0, 0, 5, 200), (74, 0, 80, 200), (1, 2, 3, 4)]
    regions = found(source, 200, 80, table)
    assert [tuple(box) for box in boxes_of(regions, Source.TEMPLATE)] == expected
    assert {region.name for region in regions.masked} == {"Example"}


@pytest.mark.parametrize(
    "values",
    [
        {"Modality": "US", "Manufacturer": "EXAMPLE", "Rows": 150},
        {"Modality": "CT", "Manufacturer": "EXAMPLE", "Rows": 100},
        {"Modality": "US", "Manufacturer": "THE EXAMPLE", "Rows": 100},
        {"Modality": "US", "Rows": 100},
        {"Modality": "US", "Manufacturer": "OTHER", "Rows": 100, "ImageType": "DERIVED\\ORIGINAL"},
    ],
)
def test_template_is_for_no_instance_that_differs_in_one_attribute(tmp_path: Path, values: dict[str, Any]) -> None:
    assert found(data_set(**values), 100, 100, {"regions": [written(tmp_path, OWN)]}) == Regions()


def test_numbers_are_read_in_the_byte_order_of_the_source(tmp_path: Path) -> None:
    table = {"regions": [written(tmp_path, OWN)]}
    source = data_set(">", Modality="US", Manufacturer="OTHER", Rows=200)
    assert found(source, 200, 80, table, little=False).masked
    assert not found(source, 200, 80, table).masked


def test_sop_class_is_matched_by_keyword_and_by_uid(tmp_path: Path) -> None:
    for pattern in ("*SecondaryCaptureImageStorage", SECONDARY_CAPTURE):
        text = f'[[template]]\nname = "x"\ntop = 1\nmatch.SOPClassUID = "{pattern}"\n'
        table = {"regions": [written(tmp_path, text)]}
        assert found(data_set(SOPClassUID=SECONDARY_CAPTURE), 9, 9, table).masked
        assert not found(data_set(SOPClassUID=CT_IMAGE), 9, 9, table).masked


def test_empty_text_matches_an_absent_attribute(tmp_path: Path) -> None:
    table = {"regions": [written(tmp_path, '[[template]]\nname = "x"\ntop = 1\nmatch.ImageType = ""\n')]}
    assert found(data_set(Modality="CT"), 9, 9, table).masked
    assert not found(data_set(ImageType="ORIGINAL\\PRIMARY"), 9, 9, table).masked


def test_box_beyond_the_image_is_cut_off(tmp_path: Path) -> None:
    text = '[[template]]\nname = "x"\nmatch.Modality = "US"\nboxes = [[5, 5, 500, 500], [50, 50, 60, 60]]\n'
    regions = found(data_set(Modality="US"), 20, 30, {"regions": [written(tmp_path, text)]})
    assert [tuple(region.box) for region in regions.masked] == [(5, 5, 30, 20)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[template]\n", "at line 1"),
        ("[[device]]\n", "unknown key 'device'"),
        ("template = 1\n", "[[template]]"),
        (
            '\n\n[[template]]\nname = "a"\ntop = 1\nmatch.Modality = "US"\ntpo = 3\n',
            ":3: template a: unknown key 'tpo'",
        ),
        ('[[template]]\nname = "a"\ntop = 1\nmatch.Modalty = "US"\n', "match.Modalty: no keyword"),
        ('[[template]]\nname = "a"\ntop = 1\nmatch.PixelData = "US"\n', "VR OB or OW"),
        ('[[template]]\nname = "a"\ntop = 1\nmatch.Rows = 1.5\n', "match.Rows must be"),
        ('[[template]]\nname = "a"\ntop = 1\nmatch.Rows = []\n', "match.Rows must be"),
        ('[[template]]\nname = "a"\ntop = 1\nmatch.Rows = true\n', "match.Rows must be"),
        ('[[template]]\nname = "a"\ntop = 1\n', "match names no attribute"),
        ('[[template]]\nname = "a"\nmatch.Modality = "US"\n', "nothing is masked"),
        ('[[template]]\ntop = 1\nmatch.Modality = "US"\n', "template 1: name must be"),
        ('[[template]]\nname = "a"\ntop = 0\nmatch.Modality = "US"\n', "top must be a number of pixels"),
        ('[[template]]\nname = "a"\ntop = "1"\nmatch.Modality = "US"\n', "top must be a number of pixels"),
        ('[[template]]\nname = "a"\nboxes = [[1, 2, 1, 4]]\nmatch.Modality = "US"\n', "[1, 2, 1, 4] is not"),
        ('[[template]]\nname = "a"\nboxes = [1, 2, 3, 4]\nmatch.Modality = "US"\n', "1 is not"),
        ('[[template]]\nname = "a"\nboxes = 1\nmatch.Modality = "US"\n', "boxes must be"),
        ('[[screen]]\nname = "a"\nkind = "film"\nmatch.Modality = "US"\n', "capture, dose, document"),
        ('[[screen]]\nname = "a"\nkind = "dose"\nmatch = 1\n', "match must be a table"),
    ],
)
def test_malformed_file_is_named_with_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    path = Path(written(tmp_path, text))
    with pytest.raises(Misconfigured) as caught:
        load_region_files([path])
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_missing_file_is_misconfigured(tmp_path: Path) -> None:
    with pytest.raises(
        Misconfigured, match=r"profile own: pixels\.regions: there is no .*absent\.toml; shipped are: loc"
    ):
        PixelRules.from_table({"regions": ["absent.toml"]}, name="own", folder=tmp_path)


def test_shipped_files_are_well_formed_and_names_are_unique() -> None:
    files = load_region_files(sorted(shipped_config("regions").glob("*.toml")))
    names = [each.name for each in (*files.templates, *files.screens)]
    assert len(names) == len(set(names)) > 70
    assert {screen.kind for screen in files.screens} == set(ScreenKind)
    assert PixelRules().files == files


@pytest.mark.parametrize("order", ["<", ">"])
def test_all_outside_of_calibrated_regions_is_masked(order: str) -> None:
    source = ultrasound((10, 20, 59, 79), (40, 10, 89, 39), order=order)
    masked = np.zeros((100, 100), bool)
    for box in boxes_of(found(source, 100, 100, NONE, little=order == "<"), Source.ULTRASOUND):
        masked[box.y0 : box.y1, box.x0 : box.x1] = True
    expected = np.ones((100, 100), bool)
    expected[20:80, 10:60] = expected[10:40, 40:90] = False
    assert (masked == expected).all()


@pytest.mark.parametrize(
    "source",
    [
        ultrasound((10, 20, 150, 79)),
        ultrasound((10, 20, 59, 79), (0, 0, 50, 120)),
        ultrasound((10, 20, 12, 79)),
        ultrasound((10, 20, 10, 20)),
        ultrasound(),
        data_set(Modality="US"),
    ],
    ids=["wider than the image", "taller", "tiny", "empty", "no item", "no sequence"],
)
def test_calibration_that_cannot_be_of_this_image_masks_nothing(source: DataSet) -> None:
    assert not found(source, 100, 100, NONE).masked


def test_calibration_counts_in_ultrasound_alone() -> None:
    source = ultrasound((10, 20, 59, 79))
    other = DataSet(source.elements | data_set(SOPClassUID=CT_IMAGE, Modality="CT").elements)
    assert found(source, 100, 100, NONE).masked
    assert not found(other, 100, 100, NONE).masked


def test_profile_can_have_the_rest_of_ultrasound_looked_at_instead() -> None:
    source = ultrasound((10, 20, 59, 79))
    assert not found(source, 100, 100, {**NONE, "mask_outside_ultrasound_regions": False}).masked


@given(
    st.lists(
        st.tuples(*[st.integers(0, 12)] * 4).map(
            lambda b: Box(min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]) + 1, max(b[1], b[3]) + 1)
        ),
        max_size=5,
    )
)
def test_outside_is_each_pixel_of_no_box_exactly_once(boxes: list[Box]) -> None:
    seen = np.zeros((13, 13), int)
    for box in outside(boxes, 13, 13):
        seen[box.y0 : box.y1, box.x0 : box.x1] += 1
    expected = np.ones((13, 13), int)
    for box in boxes:
        expected[box.y0 : box.y1, box.x0 : box.x1] = 0
    assert (seen == expected).all()


DOSE_PAGE = {"SOPClassUID": CT_IMAGE, "Modality": "CT", "SeriesDescription": "Dose Report"}


def test_scanned_document_is_quarantined_and_a_capture_looked_at_by_default() -> None:
    document = data_set(SOPClassUID=SECONDARY_CAPTURE, Modality="OT", ConversionType="SD")
    capture = data_set(SOPClassUID=SECONDARY_CAPTURE, Modality="CT", ConversionType="WSD")
    assert found(document, 9, 9).treatment is Treatment.QUARANTINE
    assert found(capture, 9, 9).treatment is Treatment.LOOK
    assert found(capture, 9, 9).screen


def test_original_image_is_no_screen() -> None:
    assert found(data_set(SOPClassUID=CT_IMAGE, Modality="CT", ImageType="ORIGINAL\\PRIMARY\\AXIAL"), 9, 9) == Regions()


def test_screen_of_a_kind_is_masked_whole_where_the_profile_says_so() -> None:
    regions = found(data_set(**DOSE_PAGE), 7, 9, {"screens": {"dose": "mask"}})
    assert regions.treatment is Treatment.MASK
    assert regions.masked == (Region(Box(0, 0, 9, 7), Source.SCREEN, "Dose page by description"),)


def test_one_word_is_for_all_kinds_of_screens() -> None:
    assert found(data_set(**DOSE_PAGE), 9, 9, {"screens": "quarantine"}).treatment is Treatment.QUARANTINE
    assert found(data_set(Modality="DOC"), 9, 9, {"screens": "look"}).treatment is Treatment.LOOK


def test_allowed_screen_is_like_any_image() -> None:
    table = {"screens": "mask", "allowed_screens": ["Dose page by description"]}
    assert found(data_set(**DOSE_PAGE, ImageType="ORIGINAL"), 9, 9, table).screen == ""


SKIP = {"skip": [{"name": "CT slices", "match": {"Modality": "CT", "ImageType": "ORIGINAL"}}]}


def test_skip_rule_is_named_and_off_by_default() -> None:
    source = data_set(SOPClassUID=CT_IMAGE, Modality="CT", ImageType="ORIGINAL\\PRIMARY")
    assert found(source, 9, 9).skipped == ""
    assert found(source, 9, 9, SKIP).skipped == "CT slices"


@pytest.mark.parametrize("more", [{"BurnedInAnnotation": "YES"}, {"SeriesDescription": "Dose Report"}])
def test_screen_or_what_says_burned_in_is_never_skipped(more: dict[str, str]) -> None:
    source = data_set(SOPClassUID=CT_IMAGE, Modality="CT", ImageType="ORIGINAL\\PRIMARY", **more)
    assert found(source, 9, 9, SKIP).skipped == ""


def test_template_masks_what_is_skipped_too() -> None:
    table = {"regions": ["ultrasound"], "skip": [{"name": "all US", "match": {"Modality": "US"}}]}
    source = data_set(Modality="US", Manufacturer="Philips Medical Systems", ManufacturerModelName="CX50", Rows=600)
    regions = found(source, 600, 800, table)
    assert regions.skipped == "all US"
    assert boxes_of(regions, Source.TEMPLATE) == [Box(0, 0, 800, 59)]


# The table [pixels]


def test_empty_table_gives_the_defaults() -> None:
    rules = PixelRules.from_table({})
    assert rules == PixelRules()
    assert rules.markers is None
    assert not rules.skip
    assert (rules.overlays, rules.icons) == (Overlays.LOOK, Icons.UNMASKED)


def test_each_key_is_read(tmp_path: Path) -> None:
    written(tmp_path, OWN)
    written(tmp_path, '[words]\nown = "portatif"\n', "words.toml")
    table = {
        "keep_markers": ["shipped", "words.toml"],
        "min_confidence": 1,
        "regions": ["nuclear", "own.toml"],
        "mask_outside_ultrasound_regions": False,
        "screens": {"capture": "mask"},
        "largest_image": 4096,
        "overlays": "remove",
        "icons": "remove",
    }
    rules = PixelRules.from_table(table, folder=tmp_path)
    assert rules.markers is not None
    assert rules.markers.explain("R portatif")
    assert rules.files.templates[-1].name == "Example"
    assert rules.screens[ScreenKind.CAPTURE] is Treatment.MASK
    assert rules.screens[ScreenKind.DOCUMENT] is Treatment.QUARANTINE
    assert (rules.largest_image_px, rules.overlays, rules.icons) == (4096, Overlays.REMOVE, Icons.REMOVE)
    assert pickle.loads(pickle.dumps(rules)) == rules  # noqa: S301  its own


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"keep_marker": True}, "unknown key 'keep_marker'"),
        ({"keep_markers": "yes"}, "pixels.keep_markers must be"),
        ({"keep_markers": ["absent.toml"]}, "absent.toml"),
        ({"min_confidence": 0.1}, "pixels.min_confidence must be a number from 0.5 to 1"),
        ({"min_confidence": True}, "pixels.min_confidence"),
        ({"min_confidence": float("nan")}, "pixels.min_confidence"),
        ({"regions": "shipped"}, "pixels.regions must be a list"),
        ({"regions": ["ultrasonic"]}, "ultrasonic.toml"),
        ({"mask_outside_ultrasound_regions": 1}, "must be true or false"),
        ({"screens": "keep"}, "allowed: look, mask, quarantine"),
        ({"screens": ["look"]}, "pixels.screens: must be a table"),
        ({"screens": {"films": "look"}}, "allowed: capture, dose, document"),
        ({"screens": {"dose": "keep"}}, "screens.dose = 'keep'"),
        ({"screens": {"dose": ["look"]}}, "screens.dose = ['look']"),
        ({"allowed_screens": ["Unheard of"]}, "unknown screen 'Unheard of'"),
        ({"skip": {}}, "[[pixels.skip]]"),
        ({"skip": [{"match": {"Modality": "CT"}}]}, "skip 1: name must be"),
        ({"skip": [{"name": "all"}]}, "skip all: match names no attribute"),
        ({"skip": [{"name": "a", "match": {"Modality": "CT"}, "top": 1}]}, "unknown key 'top'"),
        ({"largest_image": 100}, "pixels.largest_image must be"),
        ({"overlays": "keep"}, "pixels.overlays = 'keep'"),
        ({"icons": "look"}, "pixels.icons = 'look'"),
    ],
)
def test_wrong_key_or_value_is_misconfigured(table: dict[str, Any], message: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        PixelRules.from_table(table, name="own")
    assert message in str(caught.value)
    assert "own" in str(caught.value)
