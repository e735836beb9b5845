"""What is looked at how often, what counts as a line, and what happens when the networks aren't there or fail."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deid.errors import Misconfigured, Reason, Refused
from deid.onnx import Session, read_entry, shipped_models
from deid.pixels import ocr
from deid.pixels.ocr import DETECTION, RECOGNITION, Line, Reader
from deid.pixels.quads import cropped, is_likely, is_tall, not_covered, size, turned_back, united, widened
from deid.pixels.tiles import is_coloured, spots, stroked, tiles

Corners = Sequence[tuple[float, float]]


def box(x0: float, y0: float, x1: float, y1: float) -> NDArray[np.float32]:
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)


WIDE, TALL, SQUARE, GIANT = box(40, 40, 140, 56), box(200, 50, 214, 150), box(60, 200, 72, 210), box(20, 20, 280, 220)
LARGE, SPOT = box(20, 20, 200, 90), box(40, 40, 110, 70)


class Networks:
    """Stand-ins: what they find is set, what they are given is kept."""

    def __init__(self) -> None:
        self.found: Callable[[tuple[int, ...]], list[tuple[NDArray[np.float32], float]]] = lambda _: []
        self.read: Callable[[NDArray[Any]], tuple[str, float]] = lambda _: ("DOE JANE", 0.9)
        self.looked_at: list[tuple[int, ...]] = []
        self.reads: list[tuple[int, ...]] = []
        self.options: list[dict[str, Any]] = []

    def predictor(self, answer: Callable[[NDArray[Any]], dict[str, Any]]) -> Callable[..., Any]:
        def made(**options: Any) -> Any:
            self.options.append(options)
            return SimpleNamespace(predict=lambda picture: [answer(picture)], paddlex_predictor=SimpleNamespace())

        return made

    def detect(self, picture: NDArray[Any]) -> dict[str, Any]:
        self.looked_at.append(picture.shape[:2])
        found = self.found(picture.shape[:2])
        return {"dt_polys": [quad for quad, _ in found], "dt_scores": [score for _, score in found]}

    def recognise(self, picture: NDArray[Any]) -> dict[str, Any]:
        self.reads.append(picture.shape[:2])
        text, confidence = self.read(picture)
        return {"rec_text": text, "rec_score": confidence}


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> Networks:
    made = Networks()
    module = SimpleNamespace(TextDetection=made.predictor(made.detect), TextRecognition=made.predictor(made.recognise))
    monkeypatch.setattr(ocr, "_paddleocr", lambda: module)
    return made


def picture(rows: int = 450, columns: int = 450) -> NDArray[np.uint8]:
    made = np.zeros((rows, columns, 3), np.uint8)
    made[0, 0] = 255
    return made


def scaled(*quads: NDArray[np.float32], score: float = 0.9) -> Callable[[tuple[int, ...]], Any]:
    """Find the same quadrilaterals of a picture of 450 by 450 in whatever size it is looked at."""
    return lambda shape: [(quad * (shape[0] / 450), score) for quad in quads]


# What is looked at


def test_a_picture_without_lines_is_looked_at_once(networks: Networks) -> None:
    assert Reader().lines(picture()) == []
    assert networks.looked_at == [(450, 450)]
    assert networks.reads == []


def test_a_small_picture_is_looked_at_once_enlarged(networks: Networks) -> None:
    networks.found = lambda _: [(WIDE * 2, 0.9)]
    (line,) = Reader().lines(picture(300, 200))
    assert networks.looked_at == [(600, 400)]
    assert line.box == ((22, 38), (158, 38), (158, 58), (22, 58))


def test_a_picture_of_one_colour_is_not_looked_at(networks: Networks) -> None:
    assert Reader().lines(np.full((450, 450, 3), 7, np.uint8)) == []
    assert networks.looked_at == []


def test_a_picture_with_a_line_is_looked_at_again_enlarged(networks: Networks) -> None:
    networks.found = scaled(WIDE)
    assert len(Reader().lines(picture())) == 1
    assert networks.looked_at == [(450, 450), (675, 675)]


def test_what_only_the_first_look_finds_stays(networks: Networks) -> None:
    networks.found = lambda shape: scaled(WIDE)(shape) if shape[0] == 450 else scaled(box(40, 140, 140, 156))(shape)
    assert len(Reader().lines(picture())) == 2


def test_a_picture_with_a_line_that_runs_down_is_looked_at_turned(networks: Networks) -> None:
    networks.found = lambda shape: scaled(TALL)(shape) if len(networks.looked_at) < 3 else scaled(WIDE)(shape)
    boxes = [line.box for line in Reader().lines(picture())]
    assert networks.looked_at == [(450, 450), (675, 675), (675, 675)]
    assert len(boxes) == 2
    xs, ys = zip(*boxes[1], strict=True)
    assert (min(xs), max(xs)) == (38, 58)  # y of the turned picture
    assert (min(ys), max(ys)) == (450 - 140 - 18, 450 - 40 + 18)


def test_a_large_picture_is_looked_at_smaller(networks: Networks) -> None:
    networks.found = lambda _: [(box(100, 100, 300, 130), 0.9)]
    (line,) = Reader().lines(picture(2000, 5120), read=False)
    assert networks.looked_at == [(1000, 2560)]
    assert line.box == ((200 - 62, 198), (600 + 62, 198), (600 + 62, 262), (200 - 62, 262))


def test_small_text_of_a_large_picture_is_looked_for_where_strokes_are(networks: Networks) -> None:
    large = picture(1500, 4000)
    large[700:710, 3000:3060:4] = 255
    Reader().lines(large)
    assert networks.looked_at == [(960, 2560), (640, 640)]


def test_a_small_picture_with_grain_in_its_ranks_is_looked_at_again_without_it(networks: Networks) -> None:
    networks.found = lambda _: [(WIDE * 2, 0.9)]
    grained = picture(300, 200)
    grained[..., 0] = np.random.default_rng(1).integers(0, 255, (300, 200))
    grained[0, 0] = 255
    Reader().lines(grained)
    assert networks.looked_at == [(600, 400), (600, 400)]


# What counts


@pytest.mark.parametrize(
    ("quad", "score", "read", "is_line"),
    [
        (WIDE, 0.9, ("", 0.0), True),
        (WIDE, 0.5, ("", 0.0), False),
        (WIDE, 0.5, ("x", 0.4), False),
        (WIDE, 0.5, ("L", 0.95), True),
        (WIDE, 0.5, ("DO", 0.5), True),
        (WIDE, 0.5, ("DO", 0.1), False),  # and nothing more is seen closer
        (WIDE, 0.0, ("DOE", 0.7), True),  # a part of a blob
        (WIDE, 0.0, ("DOE", 0.5), False),
        (SQUARE, 0.0, ("DOE", 0.9), False),  # too short for three characters
        (SQUARE, 0.9, ("0", 0.99), False),  # a vessel
        (SQUARE, 0.9, ("L", 0.95), True),
        (SQUARE, 0.9, ("L", 0.5), False),
        (SQUARE, 0.9, ("12", 0.5), True),
        (GIANT, 0.9, ("O", 0.99), False),
        (GIANT, 0.9, ("green", 0.9), True),
        (GIANT, 0.9, ("GR", 0.2), False),
        (GIANT, 0.9, ("00094", 0.88), False),  # a row of brains
        (GIANT, 0.9, ("CD", 0.9), False),  # a pair of lungs
        (GIANT, 0.9, ("10010", 0.99), True),
        (GIANT, 0.9, ("  O ", 0.99), False),
        (LARGE, 0.9, ("NE", 0.9), True),
        (LARGE, 0.9, ("AWW", 0.94), False),  # a curve
        (LARGE, 0.9, ("AWW", 0.98), True),
        (GIANT, 0.9, ("NE", 0.9), False),  # the lower half of a chest
        (SQUARE, 0.9, ("D", 0.95), False),
        (SPOT, 0.9, ("國", 0.6), False),  # coloured flow
        (SPOT, 0.9, ("D", 0.98), False),
        (SPOT, 0.9, ("L", 0.95), True),
        (SPOT, 0.9, ("  ", 0.95), True),  # a script that nobody here knows
        (SPOT, 0.9, ("", 0.0), True),
        (SPOT, 0.9, ("26", 0.4), True),
        (SPOT, 0.5, ("26", 0.5), False),
        (SPOT, 0.5, ("JO", 0.5), True),
    ],
)
def test_what_has_no_certain_form_of_a_line_counts_if_it_reads(
    networks: Networks, quad: NDArray[np.float32], score: float, read: tuple[str, float], is_line: bool
) -> None:
    networks.found, networks.read = scaled(quad, score=score), lambda _: read
    assert bool(Reader().lines(picture())) == is_line


def test_what_cannot_be_read_counts_if_a_closer_look_finds_it_clearly(networks: Networks) -> None:
    def found(shape: tuple[int, ...]) -> list[tuple[NDArray[np.float32], float]]:
        return scaled(WIDE, score=0.5)(shape) if shape[0] in {450, 675} else [(box(60, 60, 280, 100), 0.9)]

    networks.found, networks.read = found, lambda _: ("", 0.0)
    grained = picture()
    grained[::2] = 9
    assert len(Reader().lines(grained)) == 1
    assert networks.looked_at[1] == (160, 328)  # what is around it within twice its height, twice as large


@pytest.mark.parametrize(("long", "counts"), [(box(80, 80, 220, 140), True), (box(2, 2, 60, 20), False)])
def test_what_reads_a_letter_but_is_longer_counts_if_a_closer_look_finds_it_clearly(
    networks: Networks, long: NDArray[np.float32], *, counts: bool
) -> None:
    def found(shape: tuple[int, ...]) -> list[tuple[NDArray[np.float32], float]]:
        return [(long, 0.9)] if shape == (260, 340) else scaled(SPOT, score=0.9)(shape)

    networks.found, networks.read = found, lambda _: ("H", 0.5)  # Нина
    assert bool(Reader().lines(picture())) == counts
    assert (260, 340) in networks.looked_at  # what is around it within twice its height, twice as large


def test_a_ring_beside_another_letter_counts(networks: Networks) -> None:
    networks.found = scaled(SQUARE, box(80, 200, 92, 210))
    networks.read = lambda _: ("0", 0.99)
    assert len(Reader().lines(picture())) == 2


@pytest.mark.parametrize(
    ("read", "text"),
    [
        ("D0B:01/02/1950", "DOB: 01/02/1950"),
        ("F0x", "Fox"),
        ("nam0n", "namon"),
        ("A10B", "A10B"),
        ("AB00", "AB00"),
        ("12:30", "12:30"),
        ("L:R", "L:R"),
    ],
)
def test_zeros_between_letters_are_letters_and_labels_have_a_blank_behind(
    networks: Networks, read: str, text: str
) -> None:
    networks.found, networks.read = scaled(WIDE), lambda _: (read, 0.9)
    assert [line.text for line in Reader().lines(picture())] == [text]


def test_lines_that_are_not_to_be_read_are_not(networks: Networks) -> None:
    networks.found = scaled(WIDE)
    (line,) = Reader().lines(picture(), read=False)
    assert (line.text, line.confidence, networks.reads) == ("", 0.0, [])


def test_a_line_is_read_once_if_it_reads_well(networks: Networks) -> None:
    networks.found = scaled(WIDE)
    assert Reader().lines(picture()) == [Line(((22, 38), (158, 38), (158, 58), (22, 58)), "DOE JANE", 0.9, 0)]
    assert networks.reads == [(22, 106)]  # with a fifth of its height around it


def marked(angle: int) -> tuple[NDArray[np.uint8], Callable[[NDArray[Any]], tuple[str, float]]]:
    """Return a picture whose lines read well if a bright end is at the left, as it is after undoing a turn."""
    made = picture()
    upright = np.zeros((16, 100), np.uint8)
    upright[:, :10] = 255
    turned = np.rot90(upright, -angle // 90)
    top, left = (40, 40) if angle % 180 == 0 else (50, 200)
    made[top : top + turned.shape[0], left : left + turned.shape[1]] = turned[..., None]
    return (
        made,
        lambda part: ("DOE", 0.95) if part[4:-4, 4:10].mean() > 128 and part.shape[1] > part.shape[0] else ("x", 0.3),
    )


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_a_turned_line_is_read_upright(networks: Networks, angle: int) -> None:
    made, networks.read = marked(angle)
    networks.found = scaled(WIDE if angle % 180 == 0 else box(200, 50, 216, 150))
    assert ("DOE", angle) in [(line.text, line.angle) for line in Reader().lines(made)]


def test_lines_come_from_top_to_bottom(networks: Networks) -> None:
    networks.found = scaled(box(40, 240, 140, 256), WIDE, box(10, 140, 140, 156))
    tops = [line.box[0][1] for line in Reader().lines(picture())]
    assert tops == sorted(tops)


# Errors


@pytest.mark.parametrize("error", [RuntimeError("DOE JANE"), MemoryError(), ValueError("DOE"), KeyError("DOE")])
def test_networks_that_fail_refuse_the_instance_and_say_nothing_of_it(networks: Networks, error: Exception) -> None:
    def failing(_: tuple[int, ...]) -> Any:
        raise error

    networks.found = failing
    with pytest.raises(Refused) as refused:
        Reader().lines(picture())
    assert refused.value.reason is Reason.STEP_UNAVAILABLE
    assert "DOE" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_networks_have_one_thread_and_no_other_place_to_look(networks: Networks) -> None:
    Reader()
    for options, folder in zip(networks.options, ("det", "rec"), strict=True):
        assert (options["engine"], options["device"]) == ("onnxruntime", "cpu")
        assert Path(options["model_dir"]) == shipped_models() / "ocr" / folder
        assert options["engine_config"]["intra_op_num_threads"] == options["engine_config"]["inter_op_num_threads"] == 1


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    shutil.copytree(shipped_models() / "ocr", folder / "ocr")
    shutil.copy(shipped_models() / "manifest.toml", folder)
    return folder


@pytest.mark.parametrize("file", ["det/inference.onnx", "rec/inference.onnx", "det/inference.yml", "rec/inference.yml"])
def test_a_file_that_was_altered_or_is_missing_is_refused(networks: Networks, models: Path, file: str) -> None:
    with (models / "ocr" / file).open("ab") as opened:
        opened.write(b"\n")
    with pytest.raises(Misconfigured, match="SHA-256"):
        Reader(models)
    (models / "ocr" / file).unlink()
    with pytest.raises(Misconfigured, match="No such file"):
        Reader(models)
    assert networks.options == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[ocr_detection]", "[other]", "file must be there"),
        ("settings_sha256 =", "settings_sha =", "settings_sha256 must be there"),
        ('settings = "ocr/det/', 'settings = "ocr/rec/', "one folder"),
        ("model_name =", "name =", "model_name must be there"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    networks: Networks, models: Path, old: str, new: str, said: str
) -> None:
    manifest = models / "manifest.toml"
    text = manifest.read_text()
    place = text.index("[ocr_detection]")
    manifest.write_text(text[:place] + text[place:].replace(old, new, 1))
    with pytest.raises(Misconfigured, match=said):
        Reader(models)


def test_networks_that_cannot_be_loaded_are_refused(networks: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(**_: Any) -> Any:
        raise ValueError("DOE")

    monkeypatch.setattr(ocr, "_paddleocr", lambda: SimpleNamespace(TextDetection=failing, TextRecognition=failing))
    with pytest.raises(Misconfigured, match=r"can't be loaded \(ValueError\)"):
        Reader()


def test_without_paddleocr_nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    ocr._paddleocr.cache_clear()
    real = ocr.importlib.import_module

    def missing(name: str) -> Any:
        if name == "paddleocr":
            raise ImportError("No module named 'paddleocr'")
        return real(name)

    monkeypatch.setattr(ocr.importlib, "import_module", missing)
    with pytest.raises(Misconfigured, match="paddleocr can't be loaded"):
        Reader()


@pytest.mark.parametrize("name", [DETECTION, RECOGNITION])
def test_the_shipped_networks_are_those_of_the_manifest(name: str) -> None:
    entry = read_entry(shipped_models(), name)
    assert entry.extra["licence"] == "Apache-2.0"
    assert len(entry.content(entry.file, entry.sha256)) == entry.extra["bytes"]
    Session(entry)


# Quadrilaterals


def test_a_widened_box_is_two_pixels_higher_and_two_heights_longer() -> None:
    assert widened(WIDE, 300, 300) == ((22, 38), (158, 38), (158, 58), (22, 58))
    assert widened(TALL, 300, 300) == ((198, 34), (216, 34), (216, 166), (198, 166))


def test_a_widened_box_stays_in_the_picture() -> None:
    assert widened(box(0, 0, 60, 20), 20, 60) == ((0, 0), (60, 0), (60, 20), (0, 20))


@given(st.tuples(st.floats(0, 200), st.floats(0, 200), st.floats(5, 150), st.floats(5, 60), st.floats(-3.2, 3.2)))
@settings(max_examples=80, deadline=None)
def test_a_widened_box_holds_the_box(given_box: tuple[float, float, float, float, float]) -> None:
    x, y, width, height, turn = given_box
    rotation = np.array([(np.cos(turn), -np.sin(turn)), (np.sin(turn), np.cos(turn))])
    quad = (np.array([(0, 0), (width, 0), (width, height), (0, height)]) @ rotation.T + 200 + (x, y)).astype(np.float32)
    corners = np.array(widened(quad, 1000, 1000))
    assert (corners.min(axis=0) <= quad.min(axis=0)).all()
    assert (corners.max(axis=0) >= quad.max(axis=0)).all()


def test_forms_of_lines() -> None:
    assert is_likely(WIDE, 300, 300)
    assert is_likely(TALL, 300, 300)
    assert not is_likely(SQUARE, 300, 300)
    assert not is_likely(GIANT, 300, 300)
    assert not is_likely(box(0, 0, 40, 3), 300, 300)
    assert is_tall(TALL)
    assert not is_tall(WIDE)
    assert size(WIDE) == (100, 16)


def test_an_upright_box_is_cropped_as_it_is() -> None:
    made = np.arange(300 * 300 * 3, dtype=np.uint32).reshape(300, 300, 3).astype(np.uint8)
    assert np.array_equal(cropped(made, WIDE), made[40:56, 40:140])


def test_a_slanted_box_is_straightened() -> None:
    made = np.zeros((200, 200, 3), np.uint8)
    for step in range(100):
        made[50 + step // 2 : 60 + step // 2, 50 + step] = 255
    slanted = np.array([(50, 50), (149, 99), (149, 109), (50, 59)], np.float32)
    part = cropped(made, slanted)
    assert part.shape[1] > 100
    assert part.mean() > 200


@pytest.mark.parametrize("quad", [box(-5, -5, 0, 0), box(299.9, 299.9, 300, 300), box(5, 5, 5, 5)])
def test_a_box_at_or_beyond_the_border_has_at_least_a_pixel(quad: NDArray[np.float32]) -> None:
    assert cropped(picture(), quad).size > 0


def test_a_box_of_a_turned_picture_is_turned_back() -> None:
    made = np.zeros((200, 300), np.uint8)
    made[150:160, 20:120] = 1
    ys, xs = np.nonzero(np.rot90(made, -1))
    turned = box(xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    assert np.array_equal(turned_back(turned, 200), box(20, 150, 120, 160))


def test_boxes_mostly_within_others_are_covered() -> None:
    part, beside = box(50, 42, 130, 54), box(120, 40, 240, 56)
    assert not_covered([part], [WIDE], 300, 300) == []
    assert len(not_covered([beside], [WIDE], 300, 300)) == 1
    assert len(not_covered([beside], [], 300, 300)) == 1
    assert not_covered([], [WIDE], 300, 300) == []


def test_parts_of_a_line_in_two_tiles_are_joined_but_lines_below_one_another_are_not() -> None:
    left, right, below = box(10, 10, 120, 30), box(90, 12, 220, 31), box(10, 28, 150, 48)
    joined = united([(left, 0.5), (right, 0.9), (below, 0.7)])
    assert sorted((quad.tolist(), score) for quad, score in joined) == [
        (box(10, 10, 220, 31).tolist(), 0.9),
        (below.tolist(), 0.7),
    ]


@pytest.mark.parametrize(
    ("rows", "columns"), [(100, 100), (1650, 1650), (2560, 2048), (2048, 2560), (2560, 2560), (10, 9000)]
)
def test_tiles_cover_the_picture_and_bound_memory(rows: int, columns: int) -> None:
    covered = np.zeros((rows, columns), np.bool_)
    for down, across in tiles(rows, columns):
        covered[down, across] = True
        assert (down.stop - down.start) * (across.stop - across.start) <= 1700 * 1700
    assert covered.all()


def test_no_spots_where_lines_were_found_or_nothing_is_thin() -> None:
    made = np.zeros((1000, 1500, 3), np.uint8)
    made[600:, 700:] = 200  # an edge, but no stroke
    assert spots(made, []) == []
    made[100:110, 50:90:4] = 255
    (part,) = spots(made, [])
    assert part == (slice(0, 640), slice(0, 640))
    assert spots(made, [box(48, 98, 92, 112)]) == []


# Colours


def coloured(rows: int = 450, columns: int = 450) -> NDArray[np.uint8]:
    made = np.zeros((rows, columns, 3), np.uint8)
    made[:, :, 2] = 90
    made[::24] = (120, 0, 0)
    return made


def test_a_coloured_picture_is_looked_at_as_its_strokes_as_well(networks: Networks) -> None:
    Reader().lines(coloured())
    assert networks.looked_at == [(450, 450), (450, 450)]


def test_three_ways_to_see_a_grey_image_are_no_colours_whatever_the_window() -> None:
    values = np.random.default_rng(3).integers(0, 4096, (60, 70))
    full, shown = values >> 4, np.clip((values - 900) // 3, 0, 255)
    ranks = np.searchsorted(np.sort(values.ravel()), values) * 255 // values.size
    assert not is_coloured(np.stack((ranks, full, shown), axis=2).astype(np.uint8))
    assert not is_coloured(np.repeat(full[..., None], 3, axis=2).astype(np.uint8))
    assert is_coloured(np.stack((full, 255 - full, full), axis=2).astype(np.uint8))


@pytest.mark.parametrize("plane", [0, 1, 2])
@pytest.mark.parametrize("value", [90, 200])
def test_strokes_of_whatever_colour_are_bright_and_what_is_wide_is_black(plane: int, value: int) -> None:
    made = np.full((60, 60, 3), 140, np.uint8)
    made[:, :30, :] = 20
    made[20:23, 10:50, plane] = value
    strokes = stroked(made)
    assert strokes.shape == made.shape
    assert (strokes[21, 35:45] == abs(value - 140)).all()
    assert not strokes[40:].any()
