"""`deid-node clean` with the profile tcia: what is burned into images is gone, in every syntax, and nothing else is."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import FileDataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from deid.onnx import shipped_models
from node.cli import main
from tests.factories import STUDY, Study, ct, pixels, sc, to_bytes, us
from tests.tiny_network import write_models

OCR = shipped_models() / "ocr"
TEXT = "MEREDITH 4711"
SIZE = 320

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("paddleocr") is None or not any(OCR.rglob("*.onnx")),
        reason="needs paddleocr and its networks",
    ),
    pytest.mark.timeout(300),
]
Pixels = NDArray[np.generic]


def ground(seed: int = 0) -> NDArray[np.uint8]:
    """Return something smooth, as anatomy is."""
    random = np.random.default_rng(seed)
    coarse = random.integers(10, 90, (6, 6)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC).clip(0, 255), np.uint8)


def written(picture: Pixels, text: str, colour: float, row: int = 40) -> Pixels:
    out = np.ascontiguousarray(picture)
    cv2.putText(out, text, (12, row), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (colour,) * 3, 2, cv2.LINE_AA)
    return out


def ct_slice(study: Study = STUDY) -> FileDataset:
    ds = ct(study, 1, size=SIZE)
    values = ground().astype(np.uint16) * 10
    pixels(ds, written(values, TEXT, 3000).astype(np.uint16))
    ds.BurnedInAnnotation = "NO"
    return ds


def ultrasound(compression: str) -> FileDataset:
    ds = us(STUDY, 3, frames=3, size=(SIZE, SIZE), compression=compression)
    del ds.SequenceOfUltrasoundRegions
    stack = np.stack([written(ground(seed), TEXT, 250) for seed in range(3)]).astype(np.uint8)
    pixels(ds, stack, 8)
    ds.NumberOfFrames = 3
    ds["PixelData"].is_undefined_length = False
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if compression == "jpeg":
        frames = [cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes() for frame in stack]
        ds.PixelData = encapsulate(frames)
        ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        ds.LossyImageCompression = "01"
    else:
        ds.compress(RLELossless)
    return ds


def capture() -> FileDataset:
    ds = sc(STUDY, 5)
    colours = np.stack([ground(seed) for seed in range(3)], axis=-1)
    ds.Rows = ds.Columns = SIZE
    ds.PixelData = written(colours, TEXT, 255).tobytes()
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit = 7
    ds.compress(JPEG2000Lossless)
    return ds


INSTANCES: dict[str, Callable[[], FileDataset]] = {
    "ct": ct_slice,
    "us-jpeg": lambda: ultrasound("jpeg"),
    "us-rle": lambda: ultrasound("rle"),
    "sc": capture,
}


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[FileDataset, FileDataset]]:
    """Return each instance before and after."""
    place = tmp_path_factory.mktemp("pixels")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        configure(place)
        (place / "in").mkdir()
        sources = {name: make() for name, make in INSTANCES.items()}
        for name, ds in sources.items():
            (place / "in" / name).write_bytes(to_bytes(ds))
        for out in ("out", "again"):
            assert main(["clean", "in", out, "--config", "node.toml", "--profile", "tcia", "--jobs", "1"]) == 0
    files = [path.relative_to(place / "out") for path in sorted((place / "out").rglob("*.dcm"))]
    for file in files:
        assert (place / "out" / file).read_bytes() == (place / "again" / file).read_bytes()
    after = {
        (ds.Modality, str(ds.file_meta.TransferSyntaxUID)): ds for ds in (dcmread(place / "out" / f) for f in files)
    }
    assert len(after) == len(sources)
    return {name: (ds, after[ds.Modality, str(ds.file_meta.TransferSyntaxUID)]) for name, ds in sources.items()}


def configure(place: Path) -> None:
    """Write a configuration with the shipped networks for pictures and a tiny one for texts."""
    assert main(["init"]) == 0
    write_models(place / "models", {"anna": ("B-NAME", 0.95)})
    (place / "models" / "ocr").symlink_to(OCR)
    tables = re.split(r"(?m)^(?=\[)", (shipped_models() / "manifest.toml").read_text(encoding="utf-8"))
    with (place / "models" / "manifest.toml").open("a", encoding="utf-8") as manifest:
        manifest.writelines(table for table in tables if table.startswith("[ocr_"))
    config = (place / "node.toml").read_text(encoding="utf-8")
    (place / "node.toml").write_text(config.replace('# folder = "models"', 'folder = "models"'), encoding="utf-8")


@pytest.mark.parametrize("name", INSTANCES)
def test_text_is_gone_from_every_frame_and_the_rest_is_as_it_was(
    cleaned: dict[str, tuple[FileDataset, FileDataset]], name: str
) -> None:
    before, after = cleaned[name]
    old, new = (np.asarray(ds.pixel_array).reshape(-1, SIZE, SIZE, int(ds.SamplesPerPixel)) for ds in (before, after))
    top, bottom, left, right = 12, 48, 8, 240  # around the text
    for frame_before, frame_after in zip(old, new, strict=True):
        inside = frame_after[top + 8 : bottom - 8, left + 8 : right - 40]
        assert np.ptp(inside.astype(int), axis=(0, 1)).max() <= (2 if name == "us-jpeg" else 0)
        assert np.array_equal(frame_before[100:], frame_after[100:])


@pytest.mark.parametrize("name", INSTANCES)
def test_output_says_what_was_done_and_keeps_its_syntax(
    cleaned: dict[str, tuple[FileDataset, FileDataset]], name: str
) -> None:
    before, after = cleaned[name]
    assert after.file_meta.TransferSyntaxUID == before.file_meta.TransferSyntaxUID
    assert after.BurnedInAnnotation == "NO"
    assert "113101" in [code.CodeValue for code in after.DeidentificationMethodCodeSequence]
    assert after.get("LossyImageCompression") == before.get("LossyImageCompression")


def test_a_node_without_the_networks_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    configure(tmp_path)
    (tmp_path / "models" / "ocr").unlink()
    (tmp_path / "own.toml").write_text('options = ["clean_pixel_data"]\n')
    (tmp_path / "in").mkdir()
    capsys.readouterr()
    assert main(["clean", "in", "out", "--config", "node.toml", "--profile", "own.toml"]) == 2
    assert re.fullmatch(r"deid-node: model ocr_detection: .*: No such file or directory\n", capsys.readouterr().err)
