"""Transcoding for archives that do not take the transfer syntax that the instance has; pydicom is the judge."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from deid.elements.file_meta import part10_header
from deid.encoding.reader import read_part10
from node.scu import Outgoing, Proposal
from node.transcode import Encapsulated, Native, NoSyntax, decode_pixels, proposals, transcode

SC = "1.2.840.10008.5.1.4.1.1.7"
EXPLICIT, IMPLICIT = str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian)
GREY = np.arange(6 * 10, dtype="<u2").reshape(6, 10) * 7
COLOUR = np.arange(6 * 10 * 3, dtype="u1").reshape(6, 10, 3)


def image(pixels: np.ndarray, photometric: str = "MONOCHROME2", frames: int = 0) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = SC
    dataset.SOPInstanceUID = "2.25.7"
    dataset.PatientName = "DEID^ALPHA"
    dataset.ReferencedImageSequence = Sequence([Dataset()])
    dataset.ReferencedImageSequence[0].ReferencedSOPInstanceUID = "2.25.8"
    dataset.SamplesPerPixel = pixels.shape[2 + bool(frames)] if pixels.ndim > 2 + bool(frames) else 1
    dataset.PhotometricInterpretation = photometric
    if dataset.SamplesPerPixel > 1:
        dataset.PlanarConfiguration = 0
    if frames:
        dataset.NumberOfFrames = frames
    dataset.Rows, dataset.Columns = pixels.shape[bool(frames) : 2 + bool(frames)]
    dataset.BitsAllocated = dataset.BitsStored = pixels.dtype.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = 0
    dataset.LossyImageCompression = "00"
    dataset.add_new(0x7FE00010, "OB" if pixels.dtype.itemsize == 1 else "OW", pixels.tobytes())
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = SC
    dataset.file_meta.MediaStorageSOPInstanceUID = "2.25.7"
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def outgoing(dataset: Dataset, syntax: UID) -> Outgoing:
    dataset.file_meta.TransferSyntaxUID = syntax
    file = BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    part10 = read_part10(file.getvalue())
    return Outgoing(SC, "2.25.7", str(syntax), [part10.data_set_bytes])


def rle(dataset: Dataset) -> Outgoing:
    dataset.compress(RLELossless, generate_instance_uid=False)
    return outgoing(dataset, RLELossless)


def read(sent: Outgoing) -> Dataset:
    header = part10_header(sent.sop_class_uid, sent.sop_instance_uid, sent.transfer_syntax)
    return dcmread(BytesIO(header + b"".join(sent.data_set)))


def without_pixels(dataset: Dataset) -> Dataset:
    copy = Dataset({tag: element for tag, element in dataset.items() if tag != 0x7FE00010})
    copy.walk(lambda *_: None)
    return copy


@pytest.mark.parametrize("syntax", [EXPLICIT, str(JPEG2000Lossless)])
def test_accepted_syntax_is_sent_as_it_is(syntax: str) -> None:
    sent = Outgoing(SC, "2.25.7", syntax, [b"not even looked at"])
    assert transcode(sent, [IMPLICIT, syntax]) is sent


@pytest.mark.parametrize(
    "source", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
@pytest.mark.parametrize("target", [EXPLICIT, IMPLICIT])
def test_uncompressed_syntaxes_are_converted_into_one_another(source: UID, target: str) -> None:
    original = image(GREY)
    if source is ExplicitVRBigEndian:
        original["PixelData"].value = GREY.astype(">u2").tobytes()
    sent = transcode(outgoing(original, source), [target])
    received = read(sent)
    assert sent.transfer_syntax == target
    assert without_pixels(received) == without_pixels(original)
    assert np.array_equal(received.pixel_array, GREY)


def test_explicit_vr_is_preferred() -> None:
    assert transcode(outgoing(image(GREY), ExplicitVRBigEndian), [IMPLICIT, EXPLICIT]).transfer_syntax == EXPLICIT


@pytest.mark.parametrize("target", [EXPLICIT, IMPLICIT])
def test_rle_grey_is_decoded_and_everything_else_stays(target: str) -> None:
    received = read(transcode(rle(image(GREY)), [target]))
    assert received.file_meta.TransferSyntaxUID == target
    assert received["PixelData"].VR == "OW"
    assert np.array_equal(received.pixel_array, GREY)
    assert without_pixels(received) == without_pixels(image(GREY))


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_rle_colour_keeps_its_values_and_comes_by_pixel(photometric: str) -> None:
    compressed = image(COLOUR, photometric)
    received = read(transcode(rle(compressed), [EXPLICIT]))
    assert received.PhotometricInterpretation == photometric
    assert received.PlanarConfiguration == 0
    assert received["PixelData"].VR == "OB"
    assert received.PixelData == COLOUR.tobytes()


def test_planar_configuration_of_the_compressed_image_does_not_mislead() -> None:
    compressed = image(COLOUR, "RGB")
    compressed.compress(RLELossless, generate_instance_uid=False)
    compressed.PlanarConfiguration = 1
    received = read(transcode(outgoing(compressed, RLELossless), [EXPLICIT]))
    assert received.PlanarConfiguration == 0
    assert received.PixelData == COLOUR.tobytes()


def test_every_frame_is_decoded_in_order() -> None:
    frames = np.stack([GREY, GREY + 1, GREY + 2])
    received = read(transcode(rle(image(frames, frames=3)), [EXPLICIT]))
    assert received.NumberOfFrames == 3
    assert np.array_equal(received.pixel_array, frames)


def test_odd_number_of_pixel_bytes_is_padded() -> None:
    odd = COLOUR[:5, :5, :1].reshape(5, 5).copy()
    received = read(transcode(rle(image(odd)), [EXPLICIT]))
    assert len(received.PixelData) == 26
    assert received.PixelData[:25] == odd.tobytes()


def test_offset_tables_go_with_the_frames_they_point_to() -> None:
    compressed = image(GREY)
    compressed.compress(RLELossless, generate_instance_uid=False)
    compressed.add_new(0x7FE00001, "OV", struct.pack("<Q", 0))
    compressed.add_new(0x7FE00002, "OV", struct.pack("<Q", 64))
    received = read(transcode(outgoing(compressed, RLELossless), [EXPLICIT]))
    assert 0x7FE00001 not in received
    assert 0x7FE00002 not in received


def lossy(fragment: bytes = b"\xff\xd8\xff\xd9") -> Outgoing:
    compressed = image(COLOUR, "YBR_FULL_422")
    compressed.LossyImageCompression = "01"
    compressed.LossyImageCompressionRatio = "10"
    compressed.PixelData = encapsulate([fragment])
    compressed["PixelData"].VR = "OB"
    compressed["PixelData"].is_undefined_length = True
    return outgoing(compressed, JPEGBaseline8Bit)


def test_what_was_lost_stays_marked_as_lost() -> None:
    asked: list[Encapsulated] = []

    def decode(encapsulated: Encapsulated) -> Native:
        asked.append(encapsulated)
        return Native(COLOUR.tobytes(), "RGB")

    received = read(transcode(lossy(), [EXPLICIT], decode))
    assert (received.LossyImageCompression, received.LossyImageCompressionRatio) == ("01", 10)
    assert received.PhotometricInterpretation == "RGB"
    assert received.PixelData == COLOUR.tobytes()
    (encapsulated,) = asked
    assert (encapsulated.rows, encapsulated.columns, encapsulated.frames) == (6, 10, 1)
    assert encapsulated.items.endswith(b"\xff\xd8\xff\xd9")


def test_decoder_that_returns_too_little_is_not_believed() -> None:
    with pytest.raises(NoSyntax, match="another number of pixels"):
        transcode(lossy(), [EXPLICIT], lambda _: Native(COLOUR.tobytes()[:-3], "RGB"))


def test_pixels_that_cannot_be_decoded_are_no_reason_to_crash() -> None:
    compressed = image(GREY)
    compressed.compress(RLELossless, generate_instance_uid=False)
    whole = bytes(compressed.PixelData)
    compressed.PixelData = whole[:8] + bytes(16) + bytes(len(whole) - 24)
    with pytest.raises(NoSyntax):
        transcode(outgoing(compressed, RLELossless), [EXPLICIT])


def test_missing_decoder_is_no_syntax() -> None:
    mpeg = "1.2.840.10008.1.2.4.102"
    encapsulated = Encapsulated(mpeg, b"", 6, 10, 1, 3, "YBR_PARTIAL_420", 0, 8, 8, 0)
    with pytest.raises(NoSyntax, match="no decoder"):
        decode_pixels(encapsulated)


def test_archive_that_takes_only_another_compression_gets_nothing() -> None:
    with pytest.raises(NoSyntax):
        transcode(outgoing(image(GREY), ExplicitVRLittleEndian), [str(JPEG2000Lossless)])


def test_image_without_size_is_no_syntax() -> None:
    compressed = image(GREY)
    compressed.compress(RLELossless, generate_instance_uid=False)
    del compressed.Rows
    with pytest.raises(NoSyntax, match="0028,0010"):
        transcode(outgoing(compressed, RLELossless), [EXPLICIT])


def test_size_beyond_32_bits_is_no_syntax() -> None:
    compressed = image(GREY)
    compressed.compress(RLELossless, generate_instance_uid=False)
    compressed.Rows = compressed.Columns = 65535
    compressed.NumberOfFrames = 2
    with pytest.raises(NoSyntax, match="do not fit"):
        transcode(outgoing(compressed, RLELossless), [EXPLICIT])


def test_compressed_instance_without_pixels_is_converted() -> None:
    dataset = image(GREY)
    del dataset.PixelData
    received = read(transcode(outgoing(dataset, RLELossless), [IMPLICIT]))
    assert received.PatientName == "DEID^ALPHA"


def test_broken_data_set_is_no_syntax_without_a_value_in_the_message() -> None:
    sent = Outgoing(SC, "2.25.7", IMPLICIT, [b"\x10\0\x10\0\xff\0\0\0SECRET"])
    with pytest.raises(NoSyntax) as raised:
        transcode(sent, [EXPLICIT])
    assert "SECRET" not in str(raised.value)


def test_proposals_are_the_syntax_itself_and_what_it_can_become() -> None:
    assert proposals(SC, EXPLICIT) == (Proposal(SC, EXPLICIT), Proposal(SC, IMPLICIT))
    assert proposals(SC, str(RLELossless)) == tuple(
        Proposal(SC, syntax) for syntax in (str(RLELossless), EXPLICIT, IMPLICIT)
    )
