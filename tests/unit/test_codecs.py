"""Frames of every transfer syntax with an open codec: stored values come out, and go in again, exactly."""

from __future__ import annotations

import csv
import shutil
import struct
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames

from deid.encoding.syntax import TRANSFER_SYNTAXES, transfer_syntax
from deid.errors import Reason, Refused
from deid.pixels.codecs import can_encode, decode, encode
from deid.pixels.format import Format
from deid.pixels.jpeg import strip_jpeg
from deid.pixels.jpeg2000 import strip_jpeg2000

ALL = "1.2.840.10008.1.2"
JPEG_BASELINE, JPEG_EXTENDED = f"{ALL}.4.50", f"{ALL}.4.51"
JPEG_LOSSLESS, JPEG_SV1 = f"{ALL}.4.57", f"{ALL}.4.70"
JPEG_LS, JPEG_LS_NEAR = f"{ALL}.4.80", f"{ALL}.4.81"
JPEG_2000, JPEG_2000_LOSSY = f"{ALL}.4.90", f"{ALL}.4.91"
HTJ2K, HTJ2K_RPCL, HTJ2K_LOSSY = f"{ALL}.4.201", f"{ALL}.4.202", f"{ALL}.4.203"
RLE, UNCOMPRESSED, DEFLATED = f"{ALL}.5", f"{ALL}.1.98", f"{ALL}.8.1"
NATIVE = (ALL, f"{ALL}.1", f"{ALL}.2")
CODESTREAMS = (
    *(JPEG_LOSSLESS, JPEG_SV1, JPEG_LS, JPEG_LS_NEAR, JPEG_2000, JPEG_2000_LOSSY, HTJ2K, HTJ2K_RPCL, HTJ2K_LOSSY),
)
LOSSLESS = (*NATIVE, RLE, UNCOMPRESSED, DEFLATED, *CODESTREAMS)

# Bits Allocated, Bits Stored, Pixel Representation, samples, Photometric Interpretation, Planar Configuration
KINDS = [
    (1, 1, 0, 1, "MONOCHROME2", 0),
    (8, 7, 0, 1, "MONOCHROME1", 0),
    (8, 8, 0, 1, "PALETTE COLOR", 0),
    (8, 8, 1, 1, "MONOCHROME2", 0),
    (8, 8, 0, 3, "RGB", 0),
    (8, 8, 0, 3, "RGB", 1),
    (8, 8, 0, 3, "YBR_FULL", 0),
    (8, 8, 0, 3, "YBR_RCT", 0),
    (16, 10, 0, 1, "MONOCHROME2", 0),
    (16, 12, 0, 1, "MONOCHROME1", 0),
    (16, 12, 1, 1, "MONOCHROME2", 0),
    (16, 16, 0, 1, "PALETTE COLOR", 0),
    (16, 16, 1, 1, "MONOCHROME2", 0),
    (16, 16, 0, 3, "RGB", 1),
    (16, 12, 0, 3, "YBR_RCT", 0),
    (32, 20, 1, 1, "MONOCHROME2", 0),
    (32, 32, 0, 1, "MONOCHROME2", 0),
    (32, 32, 0, 3, "RGB", 1),
]


def form_of(kind: tuple[Any, ...], rows: int = 37, columns: int = 54) -> Format:
    allocated, stored, representation, samples, photometric, planar = kind
    return Format(
        rows,
        columns,
        samples,
        1,
        allocated,
        stored,
        stored - 1,
        representation == 1,
        photometric == "YBR_FULL_422",
        None,
        photometric,
        planar,
    )


def values_of(form: Format, seed: int = 0) -> NDArray[Any]:
    """Return noise over a gradient, the least and the greatest value among it."""
    rng = np.random.default_rng(seed)
    most = (1 << form.bits_stored) - 1
    ramp = np.linspace(0, most, form.rows * form.columns * form.samples)
    values = np.clip(ramp + rng.normal(0, most / 20, ramp.size), 0, most).astype(np.int64).reshape(form.shape)
    values.flat[:2] = 0, most
    return (values - ((most + 1) // 2 if form.is_signed else 0)).astype(form.dtype)


def assert_comes_back(values: NDArray[Any], form: Format, uid: str) -> None:
    syntax = transfer_syntax(uid)
    np.testing.assert_array_equal(decode(encode(values, form, syntax), form, syntax), values)


def kind_name(kind: tuple[Any, ...]) -> str:
    return "-".join(str(part) for part in kind)


@pytest.mark.parametrize("kind", KINDS, ids=kind_name)
@pytest.mark.parametrize("uid", LOSSLESS)
def test_every_value_comes_back_or_the_encoder_says_so_beforehand(uid: str, kind: tuple[Any, ...]) -> None:
    form, syntax = form_of(kind), transfer_syntax(uid)
    if not can_encode(form, syntax):
        assert uid in CODESTREAMS
        assert form.bits_allocated in {1, 32}
        with pytest.raises(Refused):
            encode(values_of(form), form, syntax)
        return
    values = values_of(form)
    decoded = decode(encode(values, form, syntax), form, syntax)

    assert decoded.dtype.newbyteorder("=") == form.dtype
    np.testing.assert_array_equal(decoded, values)


@pytest.mark.parametrize("uid", [*CODESTREAMS, RLE])
@pytest.mark.parametrize("representation", [0, 1])
def test_a_padding_value_beyond_bits_stored_comes_back(uid: str, representation: int) -> None:
    form = form_of((16, 12, representation, 1, "MONOCHROME2", 0))
    values = values_of(form)
    values[:5] = np.iinfo(form.dtype).min if representation else np.iinfo(form.dtype).max

    np.testing.assert_array_equal(
        decode(encode(values, form, transfer_syntax(uid)), form, transfer_syntax(uid)), values
    )


@pytest.mark.parametrize("uid", [*CODESTREAMS, RLE, DEFLATED])
@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1), (2, 3), (8, 8)])
@pytest.mark.parametrize("samples", [1, 3])
def test_frames_of_any_size_come_back(uid: str, size: tuple[int, int], samples: int) -> None:
    form = form_of((8, 8, 0, samples, "RGB" if samples == 3 else "MONOCHROME2", 0), *size)
    values = np.random.default_rng(1).integers(0, 256, form.shape).astype(np.uint8)

    np.testing.assert_array_equal(
        decode(encode(values, form, transfer_syntax(uid)), form, transfer_syntax(uid)), values
    )


@pytest.mark.parametrize("uid", CODESTREAMS)
@pytest.mark.parametrize("kind", [(8, 8, 0, 3, "RGB", 0), (16, 12, 0, 1, "MONOCHROME2", 0)], ids=kind_name)
def test_what_is_encoded_has_nothing_but_image_in_it(uid: str, kind: tuple[Any, ...]) -> None:
    form = form_of(kind)
    stream = encode(values_of(form), form, transfer_syntax(uid))
    is_jpeg = stream.startswith(b"\xff\xd8")

    assert (strip_jpeg(stream, is_ls=uid in {JPEG_LS, JPEG_LS_NEAR}) if is_jpeg else strip_jpeg2000(stream)) == stream
    assert b"Open" not in stream
    assert b"SPIFF" not in stream
    assert b"JFIF" not in stream
    assert b"Adobe" not in stream


def test_htj2k_is_in_rpcl_order_with_tlm_and_its_precision_is_bits_stored() -> None:
    form = form_of((16, 12, 0, 1, "MONOCHROME2", 0), 70, 5000)
    stream = encode(values_of(form), form, transfer_syntax(HTJ2K_RPCL))
    cod = stream.index(b"\xff\x52")

    assert stream[42] == 11
    assert stream[cod + 5] == 2
    assert 5000 / 2 ** stream[cod + 9] <= 64
    assert b"\xff\x55" in stream[: stream.index(b"\xff\x90")]


@pytest.mark.parametrize(("photometric", "is_on"), [("YBR_RCT", 1), ("YBR_ICT", 1), ("RGB", 0), ("YBR_FULL", 0)])
@pytest.mark.parametrize("uid", [JPEG_2000, HTJ2K])
def test_the_component_transform_is_what_the_photometric_interpretation_says(
    uid: str, photometric: str, is_on: int
) -> None:
    form = form_of((8, 8, 0, 3, photometric, 0))
    stream = encode(values_of(form), form, transfer_syntax(uid))

    assert stream[stream.index(b"\xff\x52") + 8] == is_on


def test_native_floats_come_back() -> None:
    for bits, code in ((32, "f4"), (64, "f8")):
        form = Format(3, 4, 1, 1, bits, bits, bits - 1, False, False, None, "MONOCHROME2", 0, bits)
        values = np.linspace(-1e9, 1e9, 12).astype(code).reshape(3, 4)
        for uid in NATIVE:
            syntax = transfer_syntax(uid)
            np.testing.assert_array_equal(decode(encode(values, form, syntax), form, syntax), values)
        assert not can_encode(form, transfer_syntax(RLE))


def test_chroma_of_native_pixels_that_share_it_comes_back() -> None:
    form, syntax = form_of((8, 8, 0, 3, "YBR_FULL_422", 0), 2, 4), transfer_syntax(NATIVE[1])
    values = decode(bytes(range(16)), form, syntax)

    np.testing.assert_array_equal(values[0], [[0, 2, 3], [1, 2, 3], [4, 6, 7], [5, 6, 7]])
    assert encode(values, form, syntax) == bytes(range(16))


@pytest.mark.parametrize(
    ("level", "form"),
    [(90, form_of((8, 8, 0, 1, "MONOCHROME2", 0))), (95, form_of((16, 12, 0, 1, "MONOCHROME2", 0)))],
    ids=["baseline", "extended"],
)
def test_lossy_jpeg_decodes_to_what_was_compressed_within_its_loss(level: int, form: Format) -> None:
    y, x = np.mgrid[: form.rows, : form.columns]
    most = (1 << form.bits_stored) - 1
    values = ((np.sin(x / 9) + np.cos(y / 7) + 2) / 4 * most).astype(form.dtype)
    stream = imagecodecs.jpeg8_encode(values, level=level, bitspersample=form.bits_stored)
    decoded = decode(stream, form, transfer_syntax(JPEG_EXTENDED))

    assert decoded.dtype == form.dtype
    assert np.abs(decoded.astype(int) - values).max() <= most / 50
    with pytest.raises(Refused):
        encode(decoded, form, transfer_syntax(JPEG_EXTENDED))


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
def test_components_of_jpeg_are_not_converted(subsampling: str) -> None:
    form = form_of((8, 8, 0, 3, "YBR_FULL_422", 0), 32, 48)
    red = np.broadcast_to(np.array([255, 0, 0], np.uint8), form.shape).copy()
    stream = imagecodecs.jpeg8_encode(red, level=95, subsampling=subsampling)

    decoded = decode(stream, form, transfer_syntax(JPEG_BASELINE)).reshape(-1, 3)
    assert np.abs(decoded.astype(int) - [76, 85, 255]).max() <= 2


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("bits", [2, 8, 11, 16])
def test_lossless_jpeg_of_any_predictor_and_precision_decodes(predictor: int, bits: int) -> None:
    form = form_of((8 if bits <= 8 else 16, bits, 0, 1, "MONOCHROME2", 0))
    values = values_of(form)
    stream = imagecodecs.jpeg8_encode(values, lossless=True, predictor=predictor, bitspersample=bits)

    np.testing.assert_array_equal(decode(stream, form, transfer_syntax(JPEG_LOSSLESS)), values)


def test_near_lossless_jpeg_ls_decodes_within_its_error() -> None:
    form = form_of((8, 8, 0, 3, "RGB", 0))
    values = values_of(form)
    decoded = decode(imagecodecs.jpegls_encode(values, level=3), form, transfer_syntax(JPEG_LS_NEAR))

    assert 0 < np.abs(decoded.astype(int) - values).max() <= 3


@pytest.mark.parametrize("uid", [JPEG_2000_LOSSY, HTJ2K_LOSSY])
def test_lossy_jpeg_2000_decodes_within_its_loss(uid: str) -> None:
    form = form_of((8, 8, 0, 3, "YBR_ICT", 0))
    values = values_of(form)
    stream = (
        imagecodecs.jpeg2k_encode(values, level=45, codecformat="J2K", reversible=False)
        if uid == JPEG_2000_LOSSY
        else imagecodecs.htj2k_encode(values, level=0.002, reversible=False, planar=False)
    )
    assert np.abs(decode(stream, form, transfer_syntax(uid)).astype(int) - values).max() <= 12


def test_a_codestream_in_a_jp2_file_decodes() -> None:
    form = form_of((16, 12, 0, 1, "MONOCHROME2", 0))
    values = values_of(form)
    stream = imagecodecs.jpeg2k_encode(values, level=0, codecformat="JP2", reversible=True, bitspersample=12)

    np.testing.assert_array_equal(decode(stream, form, transfer_syntax(JPEG_2000)), values)


@pytest.mark.parametrize("uid", CODESTREAMS)
@pytest.mark.parametrize(
    "changes",
    [(0, 1, 0), (1, 0, 0), (-1, 0, 0), (0, 0, 2), (0, 60_000, 0)],
    ids=["columns", "rows", "fewer rows", "samples", "huge"],
)
def test_a_codestream_of_another_size_is_refused(uid: str, changes: tuple[int, int, int]) -> None:
    form, syntax = form_of((8, 8, 0, 1, "MONOCHROME2", 0)), transfer_syntax(uid)
    stream = encode(values_of(form), form, syntax)
    rows, columns, samples = changes
    other = form_of((8, 8, 0, 1 + samples, "RGB", 0), form.rows + rows, form.columns + columns)

    with pytest.raises(Refused) as refused:
        decode(stream, other, syntax)
    assert refused.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("uid", CODESTREAMS)
def test_a_codestream_of_more_bits_than_allocated_is_refused(uid: str) -> None:
    form, syntax = form_of((16, 12, 0, 1, "MONOCHROME2", 0)), transfer_syntax(uid)
    stream = encode(values_of(form), form, syntax)

    with pytest.raises(Refused) as refused:
        decode(stream, form_of((8, 8, 0, 1, "MONOCHROME2", 0)), syntax)
    assert refused.value.reason is Reason.MALFORMED


def test_unsigned_codestreams_of_signed_data_sets_are_twos_complements() -> None:
    signed, unsigned = (form_of((16, 12, representation, 1, "MONOCHROME2", 0)) for representation in (1, 0))
    values = values_of(signed)
    for uid in (JPEG_2000, JPEG_SV1, HTJ2K):
        syntax = transfer_syntax(uid)
        stream = encode((values & 0xFFF).astype(np.uint16), unsigned, syntax)
        np.testing.assert_array_equal(decode(stream, signed, syntax), values)


def test_signed_codestreams_of_unsigned_data_sets_are_twos_complements() -> None:
    signed, unsigned = (form_of((16, 12, representation, 1, "MONOCHROME2", 0)) for representation in (1, 0))
    values = values_of(signed)
    syntax = transfer_syntax(JPEG_2000)

    np.testing.assert_array_equal(decode(encode(values, signed, syntax), unsigned, syntax), values & 0xFFF)


@pytest.mark.parametrize("uid", LOSSLESS)
def test_a_frame_of_billions_of_samples_is_refused_before_it_is_read(uid: str) -> None:
    with pytest.raises(Refused) as refused:
        decode(b"\xff\xd8", form_of((16, 16, 0, 3, "RGB", 0), 65535, 65535), transfer_syntax(uid))
    assert refused.value.reason is Reason.TOO_LARGE


def test_a_deflated_bomb_is_cut_off() -> None:
    form = form_of((8, 8, 0, 1, "MONOCHROME2", 0), 4, 4)
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    bomb = deflater.compress(bytes(1 << 26)) + deflater.flush()

    assert decode(bomb, form, transfer_syntax(DEFLATED)).shape == (4, 4)


def test_an_rle_frame_of_fewer_or_shorter_segments_is_refused() -> None:
    form, syntax = form_of((16, 16, 0, 1, "MONOCHROME2", 0)), transfer_syntax(RLE)
    frame = encode(values_of(form), form, syntax)
    half = encode(values_of(form)[:10], form_of((16, 16, 0, 1, "MONOCHROME2", 0), 10), syntax)
    one = struct.pack("<16L", 1, 64, *[0] * 14) + frame[64:]

    for broken in (half, one, frame[:-200], frame[:70], b""):
        with pytest.raises(Refused):
            decode(broken, form, syntax)


@pytest.mark.parametrize("stream", [b"", b"\xff", b"\xff\xd8", b"\xff\x4f", b"\xff\x4f\xff\x51" + bytes(9), bytes(500)])
@pytest.mark.parametrize("uid", [JPEG_BASELINE, *CODESTREAMS, DEFLATED, RLE, *NATIVE])
def test_what_is_no_frame_is_refused(stream: bytes, uid: str) -> None:
    with pytest.raises(Refused):
        decode(stream, form_of((8, 8, 0, 1, "MONOCHROME2", 0)), transfer_syntax(uid))


def test_a_stream_of_jpeg_ls_that_lacks_its_end_takes_no_longer() -> None:
    form = form_of((8, 8, 0, 1, "MONOCHROME2", 0))
    stream = encode(values_of(form), form, transfer_syntax(JPEG_LS))

    for end in range(len(stream) - 40, len(stream) - 2):
        with pytest.raises(Refused):
            decode(stream[:end], form, transfer_syntax(JPEG_LS))


def test_video_and_jpeg_xl_have_no_codec() -> None:
    form = form_of((8, 8, 0, 3, "RGB", 0))
    for uid in (f"{ALL}.4.102", f"{ALL}.4.110", f"{ALL}.4.92"):
        assert not can_encode(form, transfer_syntax(uid))
        with pytest.raises(Refused) as refused:
            decode(b"\xff\xd8", form, transfer_syntax(uid))
        assert refused.value.reason is Reason.PIXELS_NOT_CLEANABLE


def test_an_array_of_another_type_or_shape_is_an_error_of_the_caller() -> None:
    form = form_of((16, 12, 0, 1, "MONOCHROME2", 0))
    for wrong in (values_of(form)[:-1], values_of(form).astype(np.int16), values_of(form)[..., np.newaxis]):
        with pytest.raises(ValueError):
            encode(wrong, form, transfer_syntax(JPEG_2000))


def test_every_transfer_syntax_says_whether_it_can_be_encoded() -> None:
    form = form_of((16, 12, 0, 1, "MONOCHROME2", 0))
    assert {uid for uid, syntax in TRANSFER_SYNTAXES.items() if can_encode(form, syntax)} == {
        *LOSSLESS,
        f"{ALL}.1.99",
    }


# What others make of it ------------------------------------------------------------------------------------------


def as_file(form: Format, frame: bytes, uid: str, path: Path) -> Path:
    """Write a Secondary Capture of one frame."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.UID(uid)
    meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = pydicom.uid.UID("1.2.3")
    ds = FileDataset(str(path), Dataset(), file_meta=meta, preamble=bytes(128))
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    ds.Rows, ds.Columns, ds.SamplesPerPixel = form.rows, form.columns, form.samples
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = form.bits_allocated, form.bits_stored, form.high_bit
    ds.PixelRepresentation, ds.PhotometricInterpretation = int(form.is_signed), form.photometric
    if form.samples > 1:
        ds.PlanarConfiguration = form.planar
    is_compressed = transfer_syntax(uid).encapsulated
    ds.PixelData = encapsulate([frame]) if is_compressed else frame + bytes(len(frame) % 2)
    ds["PixelData"].VR = "OB" if is_compressed or form.bits_allocated <= 8 else "OW"
    ds.save_as(path, enforce_file_format=True)
    return path


def run(tool: str, *arguments: object) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not here")
    subprocess.run([tool, *map(str, arguments)], check=True, capture_output=True)


def native_values(path: Path, form: Format) -> NDArray[Any]:
    ds = pydicom.dcmread(path)
    return decode(ds.PixelData, form, transfer_syntax(ds.file_meta.TransferSyntaxUID))


DCMTK_KINDS = [kind for kind in KINDS if kind[0] in {8, 16} and kind[4] in {"MONOCHROME2", "RGB"} and not kind[5]]


@pytest.mark.parametrize("kind", DCMTK_KINDS, ids=kind_name)
@pytest.mark.parametrize(("uid", "tool"), [(JPEG_SV1, "dcmdjpeg"), (JPEG_LS, "dcmdjpls"), (RLE, "dcmdrle")])
def test_dcmtk_reads_what_is_encoded(uid: str, tool: str, kind: tuple[Any, ...], tmp_path: Path) -> None:
    form = form_of(kind)
    values = values_of(form)
    source = as_file(form, encode(values, form, transfer_syntax(uid)), uid, tmp_path / "in.dcm")
    run(tool, source, tmp_path / "out.dcm")

    bits = (1 << form.bits_stored) - 1
    read = native_values(tmp_path / "out.dcm", form)
    np.testing.assert_array_equal(read.astype(np.int64) & bits, values.astype(np.int64) & bits)


@pytest.mark.parametrize("kind", DCMTK_KINDS, ids=kind_name)
@pytest.mark.parametrize(
    ("tool", "options"),
    [
        *(("dcmcjpeg", ("+e1",)), ("dcmcjpeg", ("+el", "+sv", 6))),
        *(("dcmcjpls", ("+el",)), ("dcmcrle", ())),
    ],
)
def test_what_dcmtk_encodes_is_read(tool: str, options: tuple[Any, ...], kind: tuple[Any, ...], tmp_path: Path) -> None:
    form = form_of(kind)
    values = values_of(form)
    native = transfer_syntax(NATIVE[1])
    source = as_file(form, encode(values, form, native), native.uid, tmp_path / "in.dcm")
    run(tool, *options, source, tmp_path / "out.dcm")

    ds = pydicom.dcmread(tmp_path / "out.dcm")
    frame = next(generate_frames(ds.PixelData, number_of_frames=1))
    np.testing.assert_array_equal(decode(frame, form, transfer_syntax(ds.file_meta.TransferSyntaxUID)), values)


@pytest.mark.parametrize("kind", KINDS, ids=kind_name)
def test_pydicom_reads_rle_frames(kind: tuple[Any, ...], tmp_path: Path) -> None:
    form = form_of(kind)
    if form.bits_allocated == 1:
        pytest.skip("pydicom reads no single bits from RLE")
    frame = encode(values_of(form), form, transfer_syntax(RLE))
    ds = pydicom.dcmread(as_file(form, frame, RLE, tmp_path / "x.dcm"))

    np.testing.assert_array_equal(pydicom.pixels.pixel_array(ds, raw=True, decoding_plugin="pydicom"), values_of(form))


def compressed_files(corpus: Path) -> Iterator[tuple[FileDataset, Format]]:
    with (corpus / "manifest.csv").open(encoding="utf-8") as manifest:
        rows = list(csv.DictReader(manifest))
    for row in rows:
        uid = row["transfer_syntax"]
        if uid.startswith((f"{ALL}.4.", f"{ALL}.5", f"{ALL}.8")) and row["pixels"] == "ok":
            ds = pydicom.dcmread(corpus / row["path"], force=True)
            kind = (ds.BitsAllocated, ds.BitsStored, ds.PixelRepresentation, ds.SamplesPerPixel)
            form = form_of((*kind, ds.PhotometricInterpretation, 0), ds.Rows, ds.Columns)
            yield ds, form


@pytest.mark.filterwarnings("ignore")
def test_real_frames_decode_as_pydicom_decodes_them_and_are_encoded_without_loss(corpus: Path) -> None:
    compared = 0
    for ds, form in compressed_files(corpus):
        frames = int(ds.get("NumberOfFrames", 1) or 1)
        frame = next(generate_frames(ds.PixelData, number_of_frames=frames))
        values = decode(frame, form, transfer_syntax(ds.file_meta.TransferSyntaxUID))
        full = Format(*(getattr(form, name) for name in Format.__slots__[:8]), False, None, form.photometric)
        for uid in (RLE, JPEG_SV1, JPEG_LS, HTJ2K):
            syntax = transfer_syntax(uid)
            if can_encode(full, syntax):
                np.testing.assert_array_equal(decode(encode(values, full, syntax), full, syntax), values)
        try:
            expected = pydicom.pixels.pixel_array(ds, index=0, raw=True)
        except (RuntimeError, NotImplementedError):
            continue  # a decoder that pydicom needs isn't installed, or there is none
        np.testing.assert_array_equal(values, expected)
        compared += 1
    assert compared > 10
