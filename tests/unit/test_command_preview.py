"""`deid-node preview` and what `explain` says of pixels: boxes and reasons, never a text."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import deid.context
from deid.pixels import ocr
from deid.pixels.ocr import Line
from deid.pixels.render import Picture
from node.cli import main
from tests.factories import STUDY, ct, to_bytes

SIZE = 64
BOX = (4, 6, 40, 20)


class OneLine:
    """A reader that finds one line at one place if anything thin is there."""

    identity = "one line"

    def lines(self, picture: Picture, *, read: bool = True) -> list[Line]:
        x0, y0, x1, y1 = BOX
        if int(np.ptp(picture[y0:y1, x0:x1])) < 200:
            return []
        return [Line(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), "DOE JANE" * read, 0.9, 0)]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    deid.context._seen.cache_clear()  # what another reader saw
    monkeypatch.setattr(ocr, "reader", lambda _: OneLine())
    monkeypatch.setattr(ocr, "check", lambda _: None)
    assert main(["init"]) == 0
    (tmp_path / "own.toml").write_text('options = ["clean_pixel_data"]\n')
    ds = ct(STUDY, 0, size=SIZE)
    values = np.full((SIZE, SIZE), 40, np.uint16)
    values[8:18:3, 6:36] = 4000
    ds.PixelData = values.tobytes()
    (tmp_path / "ct.dcm").write_bytes(to_bytes(ds))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([*words, "--config", "node.toml", "--profile", "own.toml"])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_picture_shows_the_frame_before_and_after_and_is_for_its_owner_alone(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = place / "out.png"
    out.write_bytes(b"old")
    out.chmod(0o644)
    code, said, error = run(capsys, "preview", "ct.dcm", "--out", "out.png")
    assert (code, error) == (0, "")
    assert said.splitlines() == ["1 frames, 1 masked; 0 lines stay", "  4,6 to 40,20  text  frames 1"]
    assert out.stat().st_mode & 0o777 == 0o600

    picture = cv2.imread(str(out))
    assert picture is not None
    before, after = picture[:, :SIZE], picture[:, SIZE + 8 :]
    assert before.shape == after.shape == (SIZE, SIZE, 3)
    assert int(np.ptp(before[8:18, 8:34])) > 200
    assert int(np.ptp(after[8:18, 8:34])) == 0
    assert before[6, 4].tolist() == after[6, 4].tolist() == [0, 0, 255]  # blue, green, red


@pytest.mark.usefixtures("place")
def test_frame_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, said, error = run(capsys, "preview", "ct.dcm", "--out", "out.png", "--frame", "2")
    assert (code, said) == (2, "")
    assert error == "deid-node: there is no frame 2; the instance has 1: choose one by --frame\n"
    assert not Path("out.png").exists()


def test_profile_without_the_option_is_told_so(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "own.toml").write_text("options = []\n")
    code, _, error = run(capsys, "preview", "ct.dcm", "--out", "out.png")
    assert code == 2
    assert "profile own doesn't have pixels cleaned; choose one with clean_pixel_data" in error


@pytest.mark.usefixtures("place")
def test_explain_names_boxes_reasons_and_frames(capsys: pytest.CaptureFixture[str]) -> None:
    code, said, _ = run(capsys, "explain", "ct.dcm")
    assert code == 0
    assert "1 frames, 1 masked; 0 lines stay\n  4,6 to 40,20  text  frames 1\n" in said
    assert "DOE" not in said.replace("Doe", "")
    rows = {line.split()[-1]: line.split() for line in said.splitlines() if line}
    assert rows["PixelData"][2:6] == ["C", "cleaned", "option", "clean_pixel_data"]
    assert rows["BurnedInAnnotation"][2:4] == ["C", "kept"]  # it said NO before


@pytest.mark.usefixtures("place")
def test_explain_says_the_same_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    _, said, _ = run(capsys, "explain", "ct.dcm", "--json")
    pixels = json.loads(said)["pixels"]
    assert (pixels["frames"], pixels["masked_frames"], pixels["kept"]) == (1, 1, 0)
    assert pixels["masked"] == [{"box": [4, 6, 40, 20], "why": "text", "name": "", "frames": [[1, 1]]}]


def test_refused_file_says_the_reason_and_writes_nothing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "ct.dcm").write_bytes((place / "ct.dcm").read_bytes()[:-1000])
    code, said, _ = run(capsys, "preview", "ct.dcm", "--out", "out.png")
    assert code == 1
    assert said.startswith("refused\ttruncated")
    assert not (place / "out.png").exists()


def test_boxes_are_drawn_into_a_picture_that_the_file_itself_holds(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ds = ct(STUDY, 0, size=SIZE)
    values = np.full((SIZE, SIZE, 3), (90, 40, 20), np.uint8)
    values[8:18:3, 6:36] = 250
    ds.PhotometricInterpretation, ds.SamplesPerPixel, ds.PlanarConfiguration = "RGB", 3, 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PixelData = values.tobytes()
    (place / "colour.dcm").write_bytes(to_bytes(ds))
    code, said, error = run(capsys, "preview", "colour.dcm", "--out", "colour.png")
    assert (code, error) == (0, "")
    assert "4,6 to 40,20  text  frames 1" in said
    drawn = cv2.imread(str(place / "colour.png"))
    assert drawn is not None
    assert drawn[6, 20].tolist() != [20, 40, 90]
