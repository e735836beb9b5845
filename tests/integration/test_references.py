from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset

from tests import factories, links, study_set, validity
from tests.network import ROOT, missing

PROCESSES = 3

PROFILES = ("longitudinal", "tcia-header")

# Table E.1-1 takes it out with the reference to the study: X/Z, and of Type 3 in these IODs.
GOES = "ReferencedStudySequence"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FileDataset]:
    return study_set.study_set()


@pytest.fixture(scope="module", params=PROFILES)
def cleaned(
    request: pytest.FixtureRequest, sources: dict[str, FileDataset], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, list[Path]]:
    """The set cleaned by a profile, by processes that hash differently and go through it in orders of their own."""
    folder = tmp_path_factory.mktemp("references")
    files = []
    for name, ds in sources.items():
        files.append(folder / f"{name}.dcm")
        files[-1].write_bytes(factories.to_bytes(ds))
    outs = [folder / f"out{number}" for number in range(PROCESSES)]
    running = [clean(request.param, files, out, seed) for seed, out in enumerate(outs)]
    assert [process.wait(60) for process in running] == [0] * PROCESSES
    return request.param, outs


def clean(profile: str, files: list[Path], out: Path, seed: int) -> subprocess.Popen[bytes]:
    """Start a process that cleans all files in an order of its own."""
    out.mkdir()
    order = random.Random(seed).sample(files, len(files))
    command = [sys.executable, "-m", "tests.study_set", str(ROOT / "config" / "profiles" / f"{profile}.toml"), str(out)]
    environment = {**os.environ, "PYTHONHASHSEED": str(seed + 1)}
    return subprocess.Popen([*command, *map(str, order)], cwd=ROOT, env=environment)


def read(folder: Path) -> dict[str, FileDataset]:
    return {path.stem: dcmread(path) for path in sorted(folder.iterdir())}


def mixed(outs: list[Path]) -> dict[str, FileDataset]:
    """Take each instance from another process than its neighbours."""
    names = sorted(path.stem for path in outs[0].iterdir())
    return {name: dcmread(outs[number % len(outs)] / f"{name}.dcm") for number, name in enumerate(names)}


def test_the_sources_are_valid_and_refer_only_to_what_is_there(sources: dict[str, FileDataset], tmp_path: Path) -> None:
    found = links.links(sources)
    assert {link.instance for link in found} == set(sources)
    assert [link for link in found if not link.arrives] == []
    if missing("dciodvfy"):
        pytest.skip("dicom3tools is not installed")
    for name, ds in sources.items():
        (tmp_path / name).write_bytes(factories.to_bytes(ds))
        assert not validity.errors(tmp_path / name), name


def test_each_process_makes_the_same_bytes_in_whatever_order(cleaned: tuple[str, list[Path]]) -> None:
    _, outs = cleaned
    first, *others = [{path.name: path.read_bytes() for path in sorted(out.iterdir())} for out in outs]
    assert first
    assert all(other == first for other in others)


def test_every_reference_that_stays_still_arrives(
    cleaned: tuple[str, list[Path]], sources: dict[str, FileDataset]
) -> None:
    _, outs = cleaned
    before = links.links(sources)
    after = links.links(mixed(outs))
    assert [link for link in after if not link.arrives] == []
    assert after == [link for link in before if GOES not in link.path]
    assert len(after) >= 70


def test_what_was_distinct_stays_distinct_and_what_was_shared_stays_shared(
    cleaned: tuple[str, list[Path]], sources: dict[str, FileDataset]
) -> None:
    _, outs = cleaned
    after = mixed(outs)
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"):
        old = [str(ds.get(keyword, "")) for _, ds in sorted(sources.items())]
        new = [str(ds.get(keyword, "")) for _, ds in sorted(after.items())]
        assert [old.index(one) for one in old] == [new.index(one) for one in new], keyword


def test_no_source_uid_is_left_in_any_byte(cleaned: tuple[str, list[Path]]) -> None:
    _, outs = cleaned
    for path in sorted(outs[0].iterdir()):
        assert study_set.UID_ROOT not in path.read_bytes(), path.name


def test_segments_and_what_tracks_them_agree(cleaned: tuple[str, list[Path]]) -> None:
    profile, outs = cleaned
    out = read(outs[0])
    segment = out["segments"].SegmentSequence[0]
    assert segment.TrackingUID.startswith("2.25.")
    if profile == "tcia-header":
        tracking, referenced = out["report"].ContentSequence[-1].ContentSequence[:2]
        assert segment.TrackingUID == tracking.UID
        assert segment.SegmentNumber == referenced.ReferencedSOPSequence[0].ReferencedSegmentNumber


def test_uids_in_texts_and_private_elements_name_the_new_instance(cleaned: tuple[str, list[Path]]) -> None:
    profile, outs = cleaned
    out = read(outs[0])
    block = (0x0043, study_set.PRIVATE_CREATOR)
    if profile != "tcia-header":
        assert "ImageComments" not in out["ct1"]
        assert not list(out["ct1"].group_dataset(0x0043))
        return
    assert str(out["ct0"].SOPInstanceUID) in out["ct1"].ImageComments
    assert out["ct1"].private_block(*block)[study_set.PRIVATE_REFERENCE].value == out["ct0"].SOPInstanceUID


def test_dimensions_are_indexed_by_the_organization_that_the_instance_declares(
    cleaned: tuple[str, list[Path]],
) -> None:
    _, outs = cleaned
    for name in ("enhanced", "segments"):
        ds = dcmread(outs[0] / f"{name}.dcm")
        declared = {one.DimensionOrganizationUID for one in ds.DimensionOrganizationSequence}
        assert {one.DimensionOrganizationUID for one in ds.DimensionIndexSequence} == declared
        assert len(declared) == 1


def test_the_output_has_no_error_that_the_source_had_not(cleaned: tuple[str, list[Path]], tmp_path: Path) -> None:
    if missing("dciodvfy"):
        pytest.skip("dicom3tools is not installed")
    _, outs = cleaned
    for path in sorted(outs[0].iterdir()):
        before = validity.errors(path.parent.parent / path.name)
        assert validity.gained(before, validity.errors(path)) == [], path.name
