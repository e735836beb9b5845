"""The exam on pixels marks by what came out alone, and its images are what they claim to be."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from deid.errors import Reason, Refused
from tests.benchmarks.pixel_exam import __main__ as command
from tests.benchmarks.pixel_exam import draw, fonts, memory, peers, report, seedset
from tests.benchmarks.pixel_exam.bitmap import dots
from tests.benchmarks.pixel_exam.contrast import levels
from tests.benchmarks.pixel_exam.decode import by_dcmtk, frames_of
from tests.benchmarks.pixel_exam.draw import HIDDEN, Line, Painter
from tests.benchmarks.pixel_exam.exam import CLEAN_EVERY, Question, question
from tests.benchmarks.pixel_exam.files import SYNTAXES, Syntax, photometrics, written
from tests.benchmarks.pixel_exam.fonts import BITMAP, HERSHEY, Face, drawn, script_of
from tests.benchmarks.pixel_exam.marks import Marked, MarkedLine, compared, refused
from tests.benchmarks.pixel_exam.phi import KINDS, lines, person
from tests.benchmarks.pixel_exam.report import Marks, Target, targets
from tests.benchmarks.pixel_exam.scenes import SCENES, Scene, noise, us, us_colour, us_palette
from tests.benchmarks.pixel_exam.seedset import Reading, scored
from tests.benchmarks.pixel_exam.show import save
from tests.benchmarks.pixel_exam.systems import ALL_INK, FOUND, NOTHING, System, sit, stand_in, with_masks

BLACK, GREY, WHITE = 0, 90, 250
TEXT = "DOE^JANE 1970-01-02"


@pytest.fixture(autouse=True)
def only_fonts_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """TrueType fonts are fetched by the make target alone."""
    monkeypatch.setattr(draw, "KINDS", (BITMAP, HERSHEY))


def frame_with(text: str = TEXT, *, ground: int = GREY, ink: int = WHITE) -> tuple[NDArray[np.uint8], Line]:
    coverage = drawn(text, Face(BITMAP, "", 20)) > 0.5
    frame = np.full((64, 320), ground, np.uint8)
    rows, columns = coverage.shape
    frame[20 : 20 + rows, 10 : 10 + columns][coverage] = ink
    box = (10, 20, 10 + columns, 20 + rows)
    return frame, Line(text, "name", (0,), box, coverage, 0.6, 20, "0", "plain", BITMAP)


def gone(before: NDArray[Any], after: NDArray[Any], line: Line, *, is_lossless: bool = True) -> float:
    return compared(before[None], after[None], [line], is_lossless=is_lossless).gone[0]


def asked(*drawn_lines: Line, shape: tuple[int, int, int] = (1, 64, 320)) -> Question:
    syntax = SYNTAXES[0]
    return Question(0, Path("no file"), "scene", "CT", False, syntax, "MONOCHROME2", 8, shape, 0, 255, drawn_lines)


def scene_of(frame: NDArray[Any]) -> Scene:
    return Scene("plain", "OT", "1.2.840.10008.5.1.4.1.1.7", frame[None], 8, 0, 255)


# What is drawn


def test_a_letter_of_dots_is_seven_high() -> None:
    assert dots("H", 1).tolist()[3] == [1, 1, 1, 1, 1, 0]
    assert dots("ij", 3).shape == (21, 36)


def test_strokes_and_dots_drop_accents_that_they_have_no_glyphs_for() -> None:
    plain, accented = (drawn(text, Face(HERSHEY, "0", 20)) for text in ("Lukasz", "Łukasz"))
    assert np.array_equal(plain, accented)


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Vogelsang", "latin"),
        ("Щербатская", "cyrillic"),
        ("Γεώργιος", "greek"),
        ("長谷川", "han"),
        ("황보 지영", "hangul"),
    ],
)
def test_a_script_is_told_by_its_letters(text: str, script: str) -> None:
    assert script_of(text) == script


@pytest.mark.parametrize("make", SCENES, ids=lambda make: make.__name__)
def test_a_scene_is_the_same_from_the_same_seed_and_fits_its_bits(make: Callable[..., Scene]) -> None:
    one, other = (make(np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(one.frames, other.frames)
    assert one.frames.dtype.kind == "f" or int(one.frames.max()) < 1 << one.bits
    assert one.low < one.high


def test_nothing_but_ink_changes_where_a_line_is_drawn() -> None:
    scene = scene_of(np.full((200, 400), GREY, np.uint8))
    painter = Painter(scene, Random(4))
    painter.block([("name", TEXT), ("id", "MRN 88123")])
    assert painter.lines
    changed = painter.frames[0] != scene.frames[0]
    for line in painter.lines:
        x0, y0, x1, y1 = line.box
        assert changed[y0:y1, x0:x1].any()
        changed[max(y0 - 3, 0) : y1 + 3, max(x0 - 3, 0) : x1 + 3] = False
    assert not changed.any()


def test_the_contrast_of_white_on_grey_is_their_difference() -> None:
    painter = Painter(scene_of(np.full((200, 400), GREY, np.uint8)), Random(1))
    draft = draw._Draft(
        TEXT,
        "name",
        drawn(TEXT, Face(BITMAP, "", 20)),
        (50, 20),
        (0,),
        draw._Ink(1.0, (0, 0, 0), "plain"),
        Face(BITMAP, "", 20),
    )
    line = painter._paint(draft)
    assert line is not None
    assert line.contrast == pytest.approx((255 - GREY) / 255, abs=0.01)


def test_a_line_that_half_stands_on_its_own_colour_has_no_contrast() -> None:
    frame = np.full((100, 400), BLACK, np.uint8)
    frame[:, 120:] = 255
    painter = Painter(scene_of(frame), Random(1))
    draft = draw._Draft(
        TEXT,
        "name",
        drawn(TEXT, Face(BITMAP, "", 20)),
        (50, 20),
        (0,),
        draw._Ink(1.0, (0, 0, 0), "plain"),
        Face(BITMAP, "", 20),
    )
    line = painter._paint(draft)
    assert line is not None
    assert line.contrast < 0.05


def test_what_is_drawn_in_the_colour_that_is_there_is_no_ink() -> None:
    frame = np.full((100, 400), BLACK, np.uint8)
    frame[:, 120:] = 255
    painter = Painter(scene_of(frame), Random(1))
    face = Face(BITMAP, "", 20)
    line = painter._paint(
        draw._Draft(TEXT, "name", drawn(TEXT, face), (50, 20), (0,), draw._Ink(1.0, (0, 0, 0), "plain"), face)
    )
    assert line is not None
    assert line.ink[:, :100].any()
    assert not line.ink[:, 100:].any()


def test_a_line_outside_the_window_does_not_show_in_it() -> None:
    chance = np.random.default_rng(3)
    values = np.full((256, 256), 100.0)
    values[150:, :] = 3000
    scene = Scene(
        "two",
        "MR",
        "1.2.840.10008.5.1.4.1.1.4",
        (values + chance.normal(0, 5, values.shape)).astype(np.uint16)[None],
        12,
        0,
        4000,
    )
    painter = Painter(scene, Random(2))
    painter.hidden_block([("id", "MRN 1"), ("id", "MRN 2")])
    assert painter.lines
    for line in painter.lines:
        x0, y0, x1, y1 = line.box
        assert line.window == HIDDEN
        assert not levels(painter.scene, painter.frames[0][y0:y1, x0:x1]).any()
        assert line.contrast > 0.08


def test_a_person_has_lines_of_every_kind() -> None:
    who, chance = person(Random(5)), Random(6)
    assert {kind for kind, _ in lines(who, chance, 200)} == set(KINDS)
    assert all(text.strip() for _, text in lines(who, chance, 200))


# How it is encoded


def _can_encode(syntax: Syntax) -> bool:
    return ("lossless" not in syntax.name and syntax.name != "JPEG extended") or shutil.which("dcmcjpeg") is not None


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
@pytest.mark.parametrize("make", [noise, us, us_colour, us_palette], ids=lambda make: make.__name__)
def test_a_file_decodes_to_what_was_encoded(make: Callable[..., Scene], syntax: Syntax) -> None:
    scene = make(np.random.default_rng(11))
    scene = replace(scene, frames=np.ascontiguousarray(scene.frames[:2, :96, :128]))
    if not syntax.suits(scene):
        pytest.skip("not for such images")
    if not _can_encode(syntax):
        pytest.skip("no DCMTK")
    who = person(Random(1))
    file = written(scene, syntax, who, Random(2), is_helpful=True)
    data_set = pydicom.dcmread(BytesIO(file))
    assert data_set.file_meta.TransferSyntaxUID == syntax.uid
    assert data_set.PhotometricInterpretation in photometrics(scene, syntax)
    assert data_set.PatientID == who.patient.patient_id
    frames = frames_of(file, as_rgb=scene.is_coloured)
    assert frames.shape == scene.frames.shape
    if syntax.is_lossless and not str(data_set.PhotometricInterpretation).startswith("YBR_FULL"):
        assert np.array_equal(frames, scene.frames)
    else:
        assert np.abs(frames.astype(float) - scene.frames).mean() < 0.2 * (1 << scene.bits)


@pytest.mark.skipif(shutil.which("dcmdrle") is None, reason="no DCMTK")
def test_dcmtk_decodes_what_it_has_a_codec_for() -> None:
    scene = scene_of(frame_with()[0])
    by_name = {syntax.name: syntax for syntax in SYNTAXES}
    who = person(Random(1))
    compressed = written(scene, by_name["RLE"], who, Random(2), is_helpful=False)
    inflated = by_dcmtk(compressed)
    assert inflated is not None
    assert np.array_equal(frames_of(inflated), scene.frames)
    assert by_dcmtk(written(scene, by_name["JPEG 2000"], who, Random(2), is_helpful=False)) is None


def test_an_image_is_the_same_from_the_same_seed_and_every_third_has_no_text(tmp_path: Path) -> None:
    first, again = (question(3, 2 * CLEAN_EVERY, tmp_path).file.read_bytes() for _ in range(2))
    assert first == again
    assert question(3, CLEAN_EVERY, tmp_path).is_clean


def test_images_of_one_exam_are_of_different_series(tmp_path: Path) -> None:
    files = [question(3, number * CLEAN_EVERY, tmp_path).file for number in range(3)]
    assert len({pydicom.dcmread(file).SeriesInstanceUID for file in files}) == 3


# Marks


def test_ink_that_nobody_masked_is_not_gone() -> None:
    frame, line = frame_with()
    assert gone(frame, frame.copy(), line) == 0


def test_ink_under_a_mask_is_gone() -> None:
    frame, line = frame_with()
    after = frame.copy()
    after[18:40, 5:315] = BLACK
    assert gone(frame, after, line) == 1


def test_ink_that_is_half_masked_is_half_gone() -> None:
    frame, line = frame_with()
    after = frame.copy()
    middle = (line.box[0] + line.box[2]) // 2
    after[18:40, 5:middle] = BLACK
    assert gone(frame, after, line) == pytest.approx(line.ink[:, : middle - 10].sum() / line.ink.sum())
    assert not MarkedLine(line, gone(frame, after, line)).is_masked


def test_ink_that_became_something_else_everywhere_is_altered_and_not_gone() -> None:
    frame, line = frame_with()
    before = frame.astype(np.uint16)
    after = before.copy()
    x0, y0, x1, y1 = line.box
    after[y0:y1, x0:x1][line.ink] += np.arange(1, line.ink.sum() + 1, dtype=np.uint16)
    found = compared(before[None], after[None], [line], is_lossless=True)
    assert found.gone == [0.0]
    assert found.altered == line.ink.sum()


def test_dark_ink_counts_by_what_is_around_it() -> None:
    frame, line = frame_with(ink=BLACK)
    after = frame.copy()
    after[0:6, 0:6] = BLACK  # the masks' value is known from elsewhere
    assert gone(frame, after, line) == 0
    after[16:40, 5:315] = BLACK
    assert gone(frame, after, line) == 1


def test_a_line_counts_as_in_the_frame_where_least_is_gone() -> None:
    frame, line = frame_with()
    line = replace(line, frames=(0, 1))
    before, after = np.stack([frame, frame]), np.stack([frame, frame])
    after[0, 18:40, 5:315] = BLACK
    assert compared(before, after, [line], is_lossless=True).gone == [0.0]


def test_a_mask_has_a_place_and_a_size() -> None:
    frame = np.full((100, 100), GREY, np.uint8)
    after = frame.copy()
    after[10:20, 30:50] = BLACK
    after[70:80, 30:50] = BLACK
    found = compared(frame[None], after[None], [], is_lossless=True)
    assert (found.regions, found.altered) == (2, 0)
    assert found.masked == pytest.approx(0.04)


def test_pixels_that_changed_to_no_masks_value_are_altered() -> None:
    frame = np.random.default_rng(2).integers(40, 200, (128, 128), dtype=np.uint8)
    after = frame.copy()
    after[10:30, 10:90] = BLACK
    after[60, 60] += 1
    found = compared(frame[None], after[None], [], is_lossless=True)
    assert found.altered == 1


def test_lossy_blocks_around_a_mask_are_not_altered_but_others_are() -> None:
    frame = np.random.default_rng(2).integers(40, 200, (128, 128), dtype=np.uint8)
    after = frame.copy()
    after[16:32, 16:96] = 1
    after[16:32:3, 16:96] = 3
    after[14, 16:96] += 9
    found = compared(frame[None], after[None], [], is_lossless=False)
    assert (found.altered, found.regions) == (0, 1)
    after[100, 100] += 9
    assert compared(frame[None], after[None], [], is_lossless=False).altered == 1


def test_colours_and_floats_are_marked_too() -> None:
    frame, line = frame_with()
    for kind in (np.repeat(frame[..., None], 3, axis=2), frame.astype(np.float32)):
        after = kind.copy()
        after[18:40, 5:315] = BLACK
        assert gone(kind, after, line) == 1


def test_an_image_that_was_refused_is_neither_clean_nor_untouched() -> None:
    _, line = frame_with()
    assert not refused(asked(line), "why", 1, 1).is_wholly_clean
    assert not refused(asked(), "why", 1, 1).is_untouched


def test_a_marker_may_stay() -> None:
    _, line = frame_with()
    marked = Marked(asked(line), (MarkedLine(replace(line, is_harmless=True), 0.0), MarkedLine(line, 1.0)))
    assert marked.is_wholly_clean


# Systems


def written_image(folder: Path, number: int = 1) -> Question:
    frame, line = frame_with()
    file = folder / "image.dcm"
    file.write_bytes(written(scene_of(frame), SYNTAXES[0], person(Random(1)), Random(2), is_helpful=True))
    return replace(asked(line), file=file, number=number)


def test_who_masks_all_ink_masks_every_line_and_who_masks_nothing_none(tmp_path: Path) -> None:
    image = written_image(tmp_path)
    assert sit(stand_in(ALL_INK), image).is_wholly_clean
    nothing = sit(stand_in(NOTHING), image)
    assert not nothing.is_wholly_clean
    assert nothing.is_untouched


def test_a_crash_is_a_refusal(tmp_path: Path) -> None:
    marked = sit(System("crashes", lambda file, _: file[:0] + bytes(file[-1:9999])), written_image(tmp_path))
    assert marked.refused
    assert not marked.lines[0].is_masked


def test_boxes_are_masked_in_their_frames_only(tmp_path: Path) -> None:
    scene = us(np.random.default_rng(4))
    scene = replace(scene, frames=np.repeat(scene.frames[:1], 2, axis=0))
    file = written(scene, SYNTAXES[0], person(Random(1)), Random(2), is_helpful=True)
    clean = frames_of(with_masks(file, [((300, 200, 340, 220), (1,))], widen_px=0))
    assert np.array_equal(clean[0], scene.frames[0])
    assert not clean[1, 200:220, 300:340].any()


def test_pictures_are_written_of_what_went_wrong(tmp_path: Path) -> None:
    image = written_image(tmp_path)
    path = save(tmp_path / "show", sit(stand_in(NOTHING), image), image.file.read_bytes())
    assert path.read_bytes().startswith(b"\x89PNG")


# Tables and targets


def marked_lines(shares: list[float], **about: Any) -> Marked:
    _, line = frame_with()
    return Marked(asked(line), tuple(MarkedLine(replace(line, **about), share) for share in shares))


def test_shares_are_of_the_lines_that_are_wanted() -> None:
    marks = Marks([marked_lines([1.0, 0.94]), marked_lines([0.99], window=HIDDEN), marked_lines([0.2], contrast=0.2)])
    assert (marks.lines().part, marks.lines().whole) == (2, 4)
    assert (marks.lines(marks.is_easy).part, marks.lines(marks.is_easy).whole) == (1, 2)
    assert marks.lines(marks.is_hidden).value == 1
    assert marks.lines(marks.is_clear).whole == 3


def test_what_was_not_measured_misses_its_target() -> None:
    assert not Target("x", float("nan"), 0.5).is_met
    assert not Target("x", float("nan"), 0.5, is_most=True).is_met
    assert Target("x", 0.5, 0.5).is_met


def test_a_perfect_exam_meets_all_targets() -> None:
    clean = Marked(asked(shape=(1, 512, 512)), ())
    marks = Marks([marked_lines([1.0]), marked_lines([1.0], window=HIDDEN), clean])
    found = seedset.Scored(1, 1, 0.9, 0.9, 0.9, 0.9, 1.0, 0.3)
    largest = {"cine": memory.Measured(900, 1900, 1)}
    assert all(target.is_met for target in targets(marks, found, largest))
    line = report.figures(3, marks, found, largest, ahead=None)
    assert line.startswith("pixel-exam seed=3 ")
    assert " targets_missed=0" in line
    assert TEXT not in line


def test_a_refused_large_file_misses_its_target() -> None:
    assert not targets(Marks([]), None, {"cine": memory.Measured(9, 9, 1, "refused")})[0].is_met


def test_tables_name_classes_and_no_text_that_was_drawn() -> None:
    marks = Marks([marked_lines([1.0, 0.2]), refused(asked(), "step-unavailable pixels", 1, 1)])
    tables = (report.overview, report.by_class, report.by_modality, report.by_syntax)
    printed = "\n".join(line for table in tables for line in table(marks))
    assert "step-unavailable pixels" in printed
    assert TEXT not in printed


def test_no_peer_is_ahead_of_who_masks_more() -> None:
    mine, theirs = [marked_lines([1.0])], [peers.Peer("peer", [marked_lines([0.2])])]
    assert peers.is_ahead(mine, theirs)
    assert not peers.is_ahead(mine, [peers.Peer("peer", mine)])
    assert any("peer" in line for line in peers.comparison(mine, theirs))


def test_a_peer_that_crashes_has_cleaned_nothing(tmp_path: Path) -> None:
    answer = {"failed": "TypeError: 3 frames", "boxes": [], "ms": 5.0}
    assert peers._marked(written_image(tmp_path), {"target": "x"}, answer).refused.startswith("TypeError")
    boxes = {"failed": "", "boxes": [[0, 0, 10, 320, 50]], "ms": 5.0}
    assert peers._marked(written_image(tmp_path), {"sources": []}, boxes).is_wholly_clean


# The seed set's kind


def test_a_perfect_reading_scores_one_and_a_wrong_letter_costs(tmp_path: Path) -> None:
    image = written_image(tmp_path)
    line = image.lines[0]
    assert scored([image], lambda _: [Reading(line.box, TEXT.upper())]).f1 == 1
    wrong = scored([image], lambda _: [Reading(line.box, TEXT[:-1]), Reading((0, 0, 3, 3), TEXT)])
    assert (wrong.precision, wrong.recall, wrong.placed) == (0.5, 1.0, 1.0)
    nothing = scored([image], lambda _: [])
    assert (nothing.f1, nothing.placed) == (0, 0)


# The command


def _exam(monkeypatch: pytest.MonkeyPatch, system: System, tmp_path: Path) -> None:
    monkeypatch.setattr(command.fonts, "fetch", lambda: tmp_path)
    monkeypatch.setattr(command, "product", lambda profile, seed: system)
    monkeypatch.setattr(command, "question", lambda seed, number, folder: written_image(tmp_path, number))


def test_the_command_ends_with_one_line_for_scripts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _exam(monkeypatch, stand_in(ALL_INK), tmp_path)
    assert (
        command.main(["--images", "2", "--part", "images", "--show", str(tmp_path / "show")]) == 1
    )  # none without text
    assert capsys.readouterr().out.splitlines()[-1].startswith("pixel-exam seed=1 images=2 lines=2 masked=1.0000")


def test_the_command_says_that_there_is_no_step(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(file: bytes, image: Question) -> bytes:
        raise Refused(Reason.STEP_UNAVAILABLE, "pixels")

    _exam(monkeypatch, System("none", refuse), tmp_path)
    assert command.main(["--images", "1"]) == command.NO_STEP
    assert "step-unavailable" in capsys.readouterr().err


def test_all_stand_ins_can_be_named() -> None:
    assert {stand_in(name).name for name in (FOUND, ALL_INK, NOTHING)} == {FOUND, ALL_INK, NOTHING}


def test_pinned_packages_have_one_version_each() -> None:
    folder = Path(fonts.__file__).parent
    for name in ("fonts.txt", "peers.txt"):
        pinned = [line for line in (folder / name).read_text("utf-8").splitlines() if not line.startswith("#")]
        assert pinned
        assert all(line.count("==") == 1 for line in pinned)


def test_the_runner_in_the_peers_environment_needs_nothing_of_the_project() -> None:
    runner = Path(peers.__file__).with_name("peer_runner.py")
    ran = subprocess.run(
        [sys.executable, "-I", str(runner), "nobody"], input="[]", capture_output=True, text=True, check=False
    )
    assert "KeyError: 'nobody'" in ran.stderr
