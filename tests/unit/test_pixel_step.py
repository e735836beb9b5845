"""The look at pixels as a step of the engine: its masks reach the output, and the output says what was done."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

import deid.context
import deid.pixels.rewrite
from deid.context import Context
from deid.engine import Instance, Result, deidentify, explain
from deid.errors import Misconfigured, Reason, Refused
from deid.keys import Keys
from deid.pixels import ocr
from deid.pixels.ocr import Line
from deid.pixels.render import Picture
from deid.profile import Profile, load_profile
from tests.factories import STUDY, ct, to_bytes

KEYS = Keys.from_secret(b"a secret of sixteen bytes or more")
PROFILE = Profile.from_options("pixels", ["clean_pixel_data", "retain_long_modified_dates"], text="rules")
BOX = (4, 6, 40, 20)
SIZE = 64


class OneLine:
    identity = "one line"

    def lines(self, picture: Picture, *, read: bool = True) -> list[Line]:
        x0, y0, x1, y1 = BOX
        if int(np.ptp(picture[y0:y1, x0:x1])) < 200:
            return []
        return [Line(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), "DOE JANE" * read, 0.9, 0)]


@pytest.fixture(autouse=True)
def _one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    deid.context._seen.cache_clear()  # what another reader saw
    monkeypatch.setattr(ocr, "reader", lambda _: OneLine())


def source(**attributes: object) -> Dataset:
    ds = ct(STUDY, 0, size=SIZE)
    values = np.full((SIZE, SIZE), 40, np.uint16)
    values[8:18:3, 6:36] = 4000
    ds.PixelData = values.tobytes()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def clean(ds: Dataset, profile: Profile = PROFILE) -> tuple[Result, Dataset]:
    result = deidentify(Instance.from_part10(to_bytes(ds)), Context(profile, KEYS))
    return result, dcmread(BytesIO(b"".join(result.clean.part10())))


def is_masked(ds: Dataset) -> bool:
    x0, y0, x1, y1 = BOX
    return bool(np.ptp(ds.pixel_array[y0:y1, x0:x1].astype(int)) == 0)


def codes(ds: Dataset) -> set[str]:
    return {code.CodeValue for code in ds.DeidentificationMethodCodeSequence}


def test_masked_instance_says_so() -> None:
    ds = source()
    del ds.BurnedInAnnotation
    result, out = clean(ds)
    assert is_masked(out)
    assert out.BurnedInAnnotation == "NO"
    assert "113101" in codes(out)
    assert "113101" in result.report.method_codes
    assert result.report.pixels is not None
    assert [masked.box for masked in result.report.pixels.masked] == [BOX]
    assert "DOE" not in repr(result.report)


def test_masks_outlast_a_second_cleaning_of_the_elements() -> None:
    name = str(STUDY.patient.name).split("^", maxsplit=1)[0]
    result, out = clean(source(Manufacturer=f"{name} Imaging"))
    assert out.Manufacturer == "REMOVED"
    assert is_masked(out)
    assert out.BurnedInAnnotation == "NO"
    assert result.report.counts["C"] >= 1
    plain, _ = clean(source(Manufacturer="Imaging"))
    assert result.report.counts["C"] == plain.report.counts["C"]


def test_skipped_instance_claims_nothing() -> None:
    profile = PROFILE.with_pixels({"skip": [{"name": "our CT", "match": {"Modality": "CT"}}]})
    ds = source(BurnedInAnnotation="NO")
    result, out = clean(ds, profile)
    assert not is_masked(out)
    assert "113101" not in codes(out) | set(result.report.method_codes)
    assert result.report.pixels is not None
    assert result.report.pixels.skipped == "our CT"
    ds.BurnedInAnnotation = "YES"
    assert is_masked(clean(ds, profile)[1])


def test_instance_without_pixels_claims_the_option_and_says_nothing_of_annotations() -> None:
    ds = source()
    del ds.PixelData, ds.BurnedInAnnotation
    result, out = clean(ds)
    assert "113101" in codes(out)
    assert "BurnedInAnnotation" not in out
    assert result.report.pixels is None


def test_output_is_in_the_syntax_that_could_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deid.pixels.rewrite, "can_encode", lambda *_: False)
    ds = source()
    ds.compress(RLELossless)
    result, out = clean(ds)
    assert result.clean.transfer_syntax == out.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert is_masked(out)
    untouched = source()
    untouched.PixelData = np.full((SIZE, SIZE), 40, np.uint16).tobytes()
    untouched.compress(RLELossless)
    assert clean(untouched)[0].clean.transfer_syntax == RLELossless


@pytest.mark.parametrize("error", [Misconfigured, OSError])
def test_missing_network_refuses_the_instance(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def missing(_: Path | None) -> OneLine:
        raise error

    monkeypatch.setattr(ocr, "reader", missing)
    with pytest.raises(Refused) as refused:
        clean(source())
    assert refused.value.reason is Reason.STEP_UNAVAILABLE


def test_explain_says_which_elements_the_look_has_changed() -> None:
    ds = source(BurnedInAnnotation="YES")
    findings = explain(Instance.from_part10(to_bytes(ds)), Context(PROFILE, KEYS))
    said = {finding.path: (finding.action, finding.source) for finding in findings}
    assert said[(0x7FE0_0010,)] == said[(0x0028_0301,)] == ("C", "option clean_pixel_data")


# The profile


def test_lines_that_may_stay_are_read_by_the_network_for_texts() -> None:
    profile = Profile.from_options("test", ["clean_pixel_data"])
    assert not profile.reads_texts
    assert profile.with_pixels({"keep_markers": True}).reads_texts
    assert not PROFILE.with_pixels({"keep_markers": True}).reads_texts  # by rules alone


def test_table_of_pixels_is_read_from_the_file_and_its_paths_lie_beside_it(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "ours.toml").write_text('[[template]]\nname = "a"\nmatch.Modality = "US"\ntop = 9\n')
    path = tmp_path / "own" / "p.toml"
    path.write_text('options = ["clean_pixel_data"]\n[pixels]\nregions = ["ours.toml"]\nmin_confidence = 0.9\n')
    rules = load_profile(path).pixels
    assert rules is not None
    assert (rules.min_confidence, [template.name for template in rules.files.templates]) == (0.9, ["a"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "options = []\n[pixels]\nkeep_markers = true\n",
            r"p\.toml:2: pixels says how clean_pixel_data is done, which isn't an option here",
        ),
        ('options = ["clean_pixel_data"]\n[pixels]\nkeep = 1\n', "unknown key 'keep'"),
        ('options = ["clean_pixel_data"]\n[pixels]\nseries_memory = 1\n', "series_memory must be true or false"),
        ('pixels = "all"\n', "pixels must be a dict"),
    ],
)
def test_wrong_table_is_a_mistake_of_the_profile(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(Misconfigured, match=message):
        load_profile(tmp_path / "p.toml")


def test_networks_are_checked_before_anything_needs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: Path | None) -> None:
        raise Misconfigured

    monkeypatch.setattr(ocr, "check", missing)
    with pytest.raises(Misconfigured):
        Context(PROFILE, KEYS).check()
    Context(Profile.from_options("basic"), KEYS).check()
