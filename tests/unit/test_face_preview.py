"""`deid-node preview FOLDER --face`: heads from the front and from the side, before and after."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from node.cli import main
from tests.heads import CHEST, Head, Scan, files

HEAD = Scan(shape=(64, 96, 96), step_mm=(3.6, 2.5, 2.5), centre_mm=(0.0, -8.0, -24.0))
BODY = Scan(shape=(24, 64, 64), step_mm=(10.0, 6.8, 6.8), centre_mm=(0.0, 0.0, 0.0))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    (tmp_path / "own.toml").write_text('options = ["clean_recognizable_visual_features"]\ntext = "rules"\n')
    (tmp_path / "without.toml").write_text('options = ["retain_uids"]\ntext = "rules"\n')
    return tmp_path


def written(folder: Path, made: list[bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, file in enumerate(made):
        (folder / f"{number}.dcm").write_bytes(file)


def run(capsys: pytest.CaptureFixture[str], *words: str, profile: str = "own.toml") -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["preview", *words, "--config", "node.toml", "--profile", profile])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_head_is_drawn_from_two_sides_before_and_after_for_its_owner_alone(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(place / "in", files(Head.of(11), HEAD))
    (place / "in" / "notes.txt").write_text("no DICOM file")
    code, said, error = run(capsys, "in", "--face", "--out", "out")
    assert (code, error) == (0, "")
    series, count, kind = said.split("\t")
    assert (len(series), count, kind) == (12, "64 instances", "deface\n")
    drawn = sorted(path.name.removeprefix(f"{series}-") for path in (place / "out").iterdir())
    assert drawn == ["front-after.png", "front-before.png", "profile-after.png", "profile-before.png"]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in (place / "out").iterdir())
    pictures = {name: cv2.imread(str(place / "out" / f"{series}-{name}"), cv2.IMREAD_GRAYSCALE) for name in drawn}
    for view in ("front", "profile"):
        before, after = (pictures[f"{view}-{state}.png"].astype(int) for state in ("before", "after"))
        assert before.shape == after.shape
        rows = np.flatnonzero(before.any(axis=1))
        top, bottom = (rows[0] + int(share * np.ptp(rows)) for share in (0.25, 0.45))
        apart = np.abs(before - after)
        assert apart[bottom + np.ptp(rows) // 10 : rows[-1]].mean() > 8  # the face
        assert apart[rows[0] : top].mean() < 1  # the vertex


def test_body_without_a_face_is_no_picture(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(place / "in", files(CHEST, BODY))
    code, said, error = run(capsys, "in", "--face", "--out", "out")
    assert (code, error) == (0, "")
    assert said.endswith("\t24 instances\tno-head\n")
    assert not list((place / "out").iterdir())


def test_series_that_cannot_be_told_is_refused_in_words(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(place / "in", files(Head.of(11), HEAD)[:5])
    code, said, _ = run(capsys, "in", "--face", "--out", "out")
    assert code == 1
    assert "\trefused\tface-series-unfit" in said
    assert not list((place / "out").iterdir())


def test_folder_without_series_is_said_to_be_so(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "in").mkdir()
    assert run(capsys, "in", "--face", "--out", "out")[:2] == (0, "no series that could show a face\n")


def test_file_is_no_series(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(place / "in", files(CHEST, BODY)[:1])
    code, _, error = run(capsys, "in/0.dcm", "--face", "--out", "out")
    assert code == 2
    assert error.count("\n") == 1
    assert "folder" in error


def test_profile_that_leaves_faces_is_said_to_do_so(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(place / "in", files(CHEST, BODY)[:1])
    code, _, error = run(capsys, "in", "--face", "--out", "out", profile="without.toml")
    assert code == 2
    assert "doesn't have faces cleaned" in error
