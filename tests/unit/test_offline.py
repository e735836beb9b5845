"""`clean`: folders in, clean folders out."""

from __future__ import annotations

import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from deid.engine import deidentify
from deid.errors import SeriesNeeded
from deid.faces import plan_series
from deid.instance import Instance
from node.cli import main
from node.offline import Fate, Recipe, _name, clean_all, clean_file, plan
from node.settings import shipped_config
from tests.factories import STUDY, Study, ct, mr, to_bytes, us
from tests.heads import Head, Scan, files
from tests.people import PATIENTS

SOMEBODY = "Brackenridge"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of its own: the built-in defaults keep the key in ./var."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var").mkdir(mode=0o700)
    key = tmp_path / "var" / "key"
    key.write_text(bytes(range(32)).hex())
    key.chmod(0o600)
    return tmp_path


@pytest.fixture
def archive(place: Path) -> Path:
    """Two studies of two patients, three series, names in the file names."""
    folder = place / "in" / f"{SOMEBODY}_Odalys"
    folder.mkdir(parents=True)
    for seed in range(3):
        (folder / f"{SOMEBODY}_{seed}.dcm").write_bytes(to_bytes(ct(STUDY, seed)))
    (folder / "MR").write_bytes(to_bytes(mr(STUDY, 0)))
    (place / "in" / "other.dcm").write_bytes(to_bytes(ct(Study(PATIENTS[2]), 0)))
    return place / "in"


def clean(source: Path, target: Path, *more: str) -> int:
    return main(["clean", str(source), str(target), "--profile", "longitudinal", "--jobs", "1", *more])


def written(target: Path) -> dict[str, str]:
    """Return all files below a folder with their digests."""
    files = (path for path in sorted(target.rglob("*")) if path.is_file())
    return {str(path.relative_to(target)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_folder_is_cleaned_into_patient_study_series_instance(archive: Path, place: Path) -> None:
    assert clean(archive, place / "out") == 0
    found = sorted((place / "out").rglob("*.dcm"))
    assert len(found) == 5
    for path in found:
        ds = pydicom.dcmread(path)
        below = path.relative_to(place / "out")
        uids = (ds.StudyInstanceUID, ds.SeriesInstanceUID, f"{ds.SOPInstanceUID}.dcm")
        assert below.parts == (ds.PatientID, *uids)
    assert len({path.relative_to(place / "out").parts[1] for path in found}) == 2


def test_nothing_of_the_source_names_is_in_the_output(archive: Path, place: Path) -> None:
    clean(archive, place / "out")
    assert not [name for name in written(place / "out") if SOMEBODY.lower() in name.lower()]
    for path in (place / "out").rglob("*.dcm"):
        assert SOMEBODY.encode() not in path.read_bytes()


def test_the_same_input_and_key_give_the_same_bytes(archive: Path, place: Path) -> None:
    clean(archive, place / "one")
    clean(archive, place / "two", "--jobs", "2")
    assert written(place / "one") == written(place / "two")


def test_a_second_run_into_the_same_folder_changes_nothing(
    archive: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean(archive, place / "out")
    before = written(place / "out")
    assert clean(archive, place / "out") == 0
    assert written(place / "out") == before
    assert "5 already there" in capsys.readouterr().out


def test_another_instance_with_the_same_uid_is_refused_not_overwritten(
    archive: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean(archive, place / "out")
    before = written(place / "out")
    ds = ct(STUDY, 0)
    ds.KVP = 77
    other = place / "other"
    other.mkdir()
    (other / "x.dcm").write_bytes(to_bytes(ds))
    assert clean(other, place / "out") == 1
    assert written(place / "out") == before
    assert "refused\tother-content-under-this-uid\tx.dcm" in capsys.readouterr().out


def test_what_is_no_instance_is_listed_with_its_reason(
    archive: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (archive / "README.txt").write_text("no instance")
    (archive / "empty").touch()
    whole = to_bytes(ct(STUDY, 9))
    (archive / "short.dcm").write_bytes(whole[: len(whole) // 2])
    assert clean(archive, place / "out") == 1
    said = capsys.readouterr().out.splitlines()
    assert any(line.startswith("refused\tnot-dicom") and line.endswith("\tREADME.txt") for line in said)
    assert any(line.startswith("refused\tnot-dicom") and line.endswith("\tempty") for line in said)
    assert any(line.startswith("refused\ttruncated") and line.endswith("\tshort.dcm") for line in said)
    assert said[-1].startswith("5 cleaned, 3 refused")
    assert len(list((place / "out").rglob("*.dcm"))) == 5


def test_a_dicomdir_is_skipped_with_a_reason_and_is_no_failure(
    archive: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (archive / "DICOMDIR").write_bytes(dicomdir())
    assert clean(archive, place / "out") == 0
    assert "skipped\tdicomdir\tDICOMDIR" in capsys.readouterr().out


def dicomdir() -> bytes:
    ds = ct(STUDY, 0)
    directory = Dataset()
    directory.file_meta = ds.file_meta
    directory.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    directory.FileSetID = "DISC1"
    directory.DirectoryRecordSequence = []
    directory.preamble = b"\0" * 128
    return to_bytes(directory)


def test_a_single_file_can_be_cleaned(archive: Path, place: Path) -> None:
    assert clean(archive / "other.dcm", place / "out") == 0
    assert len(list((place / "out").rglob("*.dcm"))) == 1


def test_no_part_is_left_behind(archive: Path, place: Path) -> None:
    clean(archive, place / "out")
    assert not [path for path in (place / "out").iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("target", ["in", "in/out", "."])
def test_in_and_out_must_not_lie_inside_one_another(
    archive: Path, place: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = written(archive)
    assert clean(archive, place / target) == 2
    assert "inside one another" in capsys.readouterr().err
    assert written(archive) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["clean", "nowhere", "out"], "no file or folder nowhere"),
        (["clean", "in", "out", "--profile", "lax"], "lax"),
        (["clean", "in", "out", "--config", "none.toml"], "none.toml"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    archive: Path, words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) in {1, 2}
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


def test_a_missing_key_is_made_and_said_so(archive: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(place / "var")
    assert clean(archive, place / "out") == 0
    assert f"made a new key in {place}/var/key" in capsys.readouterr().err
    assert (place / "var" / "key").stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_read_is_listed_and_costs_no_other(archive: Path, place: Path) -> None:
    files = plan(archive, place / "out")
    (archive / "other.dcm").unlink()
    recipe = Recipe(shipped_config() / "profiles" / "longitudinal.toml", place / "var" / "key")
    with ThreadPoolExecutor(1) as executor:
        found = list(clean_all(files, archive, place / "out", recipe, executor, in_flight=2))
    refused = [each for each in found if each.fate is not Fate.CLEANED]
    assert len(found) == 5
    assert [(each.path, each.fate, each.reason) for each in refused] == [
        (Path("other.dcm"), Fate.REFUSED, "unreadable")
    ]


@pytest.mark.parametrize(
    ("text", "name"),
    [("..", "none"), ("../../etc", "_.._etc"), ("", "none"), ("a/b", "a_b"), (".hidden", "hidden"), ("1.2.3", "1.2.3")],
)
def test_no_value_can_lead_out_of_the_folder(text: str, name: str) -> None:
    assert _name(text) == name


# Series that are only cleaned as a whole

FACES = 'text = "rules"\noptions = ["clean_recognizable_visual_features"]\n'
SCAN = Scan(shape=(30, 48, 48), step_mm=(8.0, 5.3, 5.3))


@pytest.fixture(scope="module")
def head() -> list[bytes]:
    return files(Head.of(5), SCAN, seed=5)


@pytest.fixture
def heads(place: Path, head: list[bytes]) -> Path:
    """A head, somebody else's report, and the profile that takes faces."""
    (place / "own.toml").write_text(FACES)
    folder = place / "in"
    folder.mkdir()
    for number, file in enumerate(head):
        (folder / f"{number:02d}.dcm").write_bytes(file)
    (folder / "us.dcm").write_bytes(to_bytes(us(STUDY, 0)))
    return folder


def clean_faces(source: Path, target: Path, *more: str) -> int:
    return main(["clean", str(source), str(target), "--profile", "own.toml", "--jobs", "2", *more])


def by_uid(target: Path) -> dict[str, bytes]:
    return {path.stem: bytes(Instance.from_part10(path.read_bytes()).data) for path in target.rglob("*.dcm")}


def test_a_head_is_cleaned_by_the_plan_of_its_series(heads: Path, place: Path, head: list[bytes]) -> None:
    assert clean_faces(heads, place / "out") == 0
    context = Recipe(place / "own.toml", place / "var" / "key").context()
    instances = [Instance.from_part10(file) for file in head]
    plan = plan_series(instances, context)
    assert plan.kind == "deface"
    expected = [deidentify(instance, context, plan).clean for instance in instances]
    found = by_uid(place / "out")
    assert len(found) == len(head) + 1
    for each in expected:
        assert found[each.sop_instance_uid] == b"".join(each.chunks)
    untouched = {pydicom.dcmread(BytesIO(file)).PixelData for file in head}
    left = [pydicom.dcmread(path).PixelData in untouched for path in (place / "out").rglob("*.dcm")]
    assert sum(left) < len(head) * 0.8


def test_a_second_run_on_heads_changes_nothing(heads: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean_faces(heads, place / "out")
    before = written(place / "out")
    assert clean_faces(heads, place / "out") == 0
    assert written(place / "out") == before
    assert "31 already there" in capsys.readouterr().out


def test_a_copy_in_the_folder_is_no_second_slice(
    heads: Path, place: Path, head: list[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    (heads / "copy.dcm").write_bytes(head[3])
    assert clean_faces(heads, place / "out") == 0
    assert capsys.readouterr().out.startswith("31 cleaned, 1 already there")


def test_a_series_with_a_gap_is_refused_as_a_whole_and_the_others_are_cleaned(
    heads: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in sorted(heads.glob("[0-9]*.dcm"), key=lambda path: float(pydicom.dcmread(path).SliceLocation))[12:17]:
        path.unlink()
    assert clean_faces(heads, place / "out") == 1
    *lines, last = capsys.readouterr().out.splitlines()
    assert last.startswith("1 cleaned, 25 refused")
    assert len([line for line in lines if line.startswith("refused\tface-series-unfit: ")]) == 25
    assert len(by_uid(place / "out")) == 1
    assert not [path for path in (place / "out").iterdir() if path.name.startswith(".")]


def test_what_needs_a_plan_is_never_cleaned_without_one(place: Path, head: list[bytes]) -> None:
    (place / "own.toml").write_text(FACES)
    (place / "slice").write_bytes(head[0])
    recipe = Recipe(place / "own.toml", place / "var" / "key")
    with pytest.raises(SeriesNeeded):
        clean_file(place / "slice", place / "part", recipe)
    assert not (place / "part").exists()
