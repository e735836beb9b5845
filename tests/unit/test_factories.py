from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import FileDataset

from tests import factories, objects, validity
from tests.factories import Study
from tests.network import dcmtk, missing
from tests.people import PATIENTS, Patient

MAKERS = (
    factories.ct,
    factories.mr,
    factories.cr,
    factories.mg,
    factories.pt,
    factories.us,
    factories.sc,
    objects.enhanced_ct,
    objects.enhanced_mr,
    objects.segmentation,
    objects.rt_structure_set,
    objects.structured_report,
    objects.presentation_state,
    objects.ecg,
    objects.encapsulated_pdf,
)


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_the_same_arguments_make_the_same_bytes(make: Callable[[], FileDataset]) -> None:
    assert factories.to_bytes(make()) == factories.to_bytes(make())


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_every_made_instance_is_valid_for_its_iod(make: Callable[[], FileDataset], tmp_path: Path) -> None:
    if missing("dciodvfy"):
        pytest.skip("dicom3tools is not installed")
    path = tmp_path / "made.dcm"
    path.write_bytes(factories.to_bytes(make()))
    assert not validity.errors(path)


@pytest.mark.parametrize("patient", PATIENTS, ids=lambda patient: patient.patient_id)
def test_every_name_is_written_in_its_own_character_set(patient: Patient, tmp_path: Path) -> None:
    if missing("dciodvfy"):
        pytest.skip("dicom3tools is not installed")
    path = tmp_path / "made.dcm"
    path.write_bytes(factories.to_bytes(factories.ct(Study(patient))))
    assert not validity.errors(path)


def test_the_ultrasound_frames_are_jpeg_that_others_decode(tmp_path: Path) -> None:
    if missing("dcmdjpeg"):
        pytest.skip("DCMTK is not installed")
    (tmp_path / "us.dcm").write_bytes(factories.to_bytes(factories.us()))
    run = dcmtk("dcmdjpeg", tmp_path / "us.dcm", tmp_path / "plain.dcm")
    assert run.returncode == 0, run.stderr


def test_the_benchmarks_ct_is_as_large_as_real_ones() -> None:
    ct = factories.ct(size=512)
    assert len(ct) >= 150
    assert len(factories.to_bytes(ct)) > 512 * 512 * 2
