"""`deid-node text` and `deid-node clean --text`; a missing model stops what needs it, in one line."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from node import log
from node.cli import main
from tests.factories import STUDY, ct, to_bytes
from tests.tiny_network import write_models


@pytest.fixture(autouse=True)
def quiet_again() -> Iterator[None]:
    """Let no later test log to the standard error that a command was given here."""
    before = log._log.logger, log._log.severity
    yield
    log._log.logger, log._log.severity = before


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    write_models(tmp_path / "models", {"anna": ("B-NAME", 0.95), "jan": ("B-NAME", 0.55)})
    (tmp_path / "own.toml").write_text('options = ["clean_descriptors", "retain_long_modified_dates"]\n')
    config = (tmp_path / "node.toml").read_text()
    config = config.replace('# folder = "models"', 'folder = "models"')
    (tmp_path / "node.toml").write_text(config.replace('profile = "longitudinal"', 'profile = "own.toml"'))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([*words, "--config", "node.toml"])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.usefixtures("place")
def test_a_text_is_printed_clean(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "text", "axial of Anna, 3 May 2020") == (0, "axial of\n", "")


@pytest.mark.usefixtures("place")
def test_what_was_found_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    _, said, _ = run(capsys, "text", "Anna Smith, 3 May 2020", "--explain", "--name", "SMITH^JO")
    assert said.splitlines()[1:] == [
        "0-10   name by known+ner 0.95  Anna Smith",
        "12-22  date by patterns        3 May 2020",
    ]
    _, said, _ = run(capsys, "text", "axial", "--explain")
    assert said == "axial\nnothing found\n"


@pytest.mark.usefixtures("place")
def test_the_attribute_chooses_the_threshold(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "text", "axial for Jan")[1] == "axial for Jan\n"
    assert run(capsys, "text", "axial for Jan", "--attribute", "SeriesDescription")[1] == "axial for\n"
    code, said, error = run(capsys, "text", "axial for Jan", "--attribute", "Nonsense")
    assert (code, said, error.count("\n")) == (2, "", 1)


@pytest.mark.usefixtures("place")
def test_what_is_known_is_taken_out_and_dates_move_as_those_of_the_patient(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("text", "Marx 77-31 of 3 May 2020", "--name", "MARX^KIM", "--id", "77-31")
    _, said, _ = run(capsys, *words)
    assert said.startswith("of ")
    assert said.split()[-1].isdigit()
    assert "3 May 2020" not in said
    assert run(capsys, *words, "--id", "2020-x")[1] == said
    assert run(capsys, *words[:-1], "77-32")[1] != said


@pytest.mark.usefixtures("place")
def test_the_lines_of_a_file_are_cleaned_one_by_one(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    Path("lines.txt").write_bytes("Anna here\r\n\nMünchen \udcff\nlast of Anna".encode("utf-8", "surrogateescape"))
    capfdbinary.readouterr()
    assert main(["clean", "--text", "lines.txt", "--config", "node.toml"]) == 0
    assert capfdbinary.readouterr().out == "here\r\n\nMünchen \udcff\nlast of".encode("utf-8", "surrogateescape")


@pytest.mark.usefixtures("place")
def test_lines_come_from_stdin_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Anna here\n")))
    assert run(capsys, "clean", "--text", "-") == (0, "here\n", "")


def test_explain_names_finder_and_confidence_and_no_text(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ds = ct(STUDY, 0)
    ds.SeriesDescription = "axial of Anna, 3 May 2020"
    (place / "x.dcm").write_bytes(to_bytes(ds))
    _, said, _ = run(capsys, "explain", "x.dcm")
    line = next(line for line in said.splitlines() if "SeriesDescription" in line)
    assert line.endswith("SeriesDescription found: name by ner 0.95, date by patterns")
    _, said, _ = run(capsys, "explain", "x.dcm", "--json")
    element = next(each for each in json.loads(said)["elements"] if each["keyword"] == "SeriesDescription")
    assert element["found"] == [
        {"kind": "name", "finder": "ner", "confidence": 0.95},
        {"kind": "date", "finder": "patterns", "confidence": None},
    ]
    assert "Anna" not in said


@pytest.mark.parametrize(
    "words", [("text", "x"), ("clean", "in", "out"), ("explain", "x"), ("serve", "--role", "work")]
)
@pytest.mark.parametrize("harm", ["missing", "altered"])
def test_a_missing_or_altered_model_is_one_line_and_code_2(
    place: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], harm: str
) -> None:
    (place / "in").mkdir()
    (place / "x").touch()
    network = place / "models" / "ner" / "ner.onnx"
    network.unlink() if harm == "missing" else network.write_bytes(network.read_bytes() + b"\n")
    code, said, error = run(capsys, *words)
    assert (code, said) == (2, "")
    assert error.startswith("deid-node: model ner: ")
    assert error.count("\n") == 1


def test_check_says_that_a_model_is_missing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said, _ = run(capsys, "check")
    assert "FAIL  project" not in said
    (place / "models" / "manifest.toml").unlink()
    code, said, _ = run(capsys, "check")
    assert code == 2
    assert "FAIL  project default" in said
    assert "manifest.toml: No such file or directory; a profile needs the model 'ner'" in said


def test_a_profile_by_rules_needs_no_model(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "models" / "manifest.toml").unlink()
    (place / "own.toml").write_text('text = "rules"\noptions = ["clean_descriptors"]\n')
    assert run(capsys, "text", "axial for Anna, 3 May 2020")[:2] == (0, "axial for Anna\n")


@pytest.mark.usefixtures("place")
def test_a_profile_with_thresholds_shows_them(capsys: pytest.CaptureFixture[str]) -> None:
    Path("own.toml").write_text("[text.thresholds]\ncomments = 0.2\n")
    main(["profile", "show", "own.toml"])
    assert "from these probabilities on: comments 0.2." in capsys.readouterr().out
    main(["profile", "diff", "own.toml", "basic"])
    assert "text.thresholds.comments" in capsys.readouterr().out
