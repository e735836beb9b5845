"""What is a marker: explained by the shipped vocabulary, sign by sign; and what isn't."""

from __future__ import annotations

from pathlib import Path

import pytest

from deid.errors import Misconfigured
from deid.pixels.template import shipped_config
from deid.pixels.vocabulary import Markers, load_markers
from deid.text.months import month_names

MARKERS = load_markers(sorted(shipped_config("vocabularies").glob("*.toml")))
NAMES = Path(__file__).parents[2] / "models" / "ner" / "words" / "names"

EXPLAINED = (
    "R|L|R L|AP|PA|R PA|R LAT|LLL|L MLO|R CC|SUPINE|portable|ERECT AP|LEFT LATERAL DECUBITUS|Links|Derecha|gauche|"
    "Vänster|右|立位|左侧|HF|10 cm|5cm|mm|cm|5|10|-45|12.5|120 kV|kV 120|250 mAs|kVp: 120 mA: 300|TR 450|"
    "TR: 450 ms|TE/TR 12/450|TE: 12.5|b=1000|FOV 24.0cm|FOV 240 x 240 mm|512 x 512|512x512|IM: 12/30|Im 12|SE 3|"
    "Slice 12|Bild 12|W 400 L 40|W: 400 L: 40|WW: 400 WL: 40|W/L 400/40|70 s|+70 s|2:35 min|delay 70 s|"
    "portal venous 70s|Gain 60 dB|G 60|Depth 12 cm|TIS 0.4|TIS0.4 MI 1.2|TIB 0.1|R 45°|R 45º|LAO 30|RAO 30 CRAN 25|"
    "12 fps|HR 72 bpm|72 bpm|FR 32Hz|2D / 57%|C 50|I 23.4|S12.5|1.5 T|3D MIP|T2*|Dist 3.4 cm|Dist (cm): 3.4|"
    "1 Dist 1.23 cm|DLP 450 mGy*cm|DLP: 450 mGy.cm|12 cm²|Vmax 120 cm/s|4.5 l/min/m2|ZOOM 1.5|thk 5.0 mm"
)
UNEXPLAINED = (
    "SMITH|SMITH R|R SMITH|L. Smith|R^SMITH|1965|03/65|12:34|12:34:56|12/03|IM 12/03|S 12/03|123456|A12345|W1234|"
    "TR1234|SE12345|L 12345|MRN 123|ID 12|ID|Dr. L|ALI|LIA|L I S A|LI SA|A. B. C.|123 456|12 34|M 45|F 45|45Y|"
    "45 Y|12-MAR|12 DEC|Room 3|IM 1234/5678|L 555-1234|555-1234|4th floor|R@home|Hz|TR|120 kV SMITH|"
    "12.34567 mm|123456 mm|+|-|...|x 5 y|L🙂|"
)

# Sides and positions that are somebody's name too: what they are in an image, unless they are a name of its patient.
SIDES_THAT_ARE_NAMES = frozenset(
    ("ap", "derecho", "destro", "droit", "gauche", "izquierdo", "lat", "left", "li", "links", "pa", "re", "rechts")
)


@pytest.mark.parametrize("line", EXPLAINED.split("|"))
def test_marker_is_explained(line: str) -> None:
    assert MARKERS.explain(line)


@pytest.mark.parametrize("line", ["1O0 kV", "TR: 45O ms", "l2 cm", "P0RTABLE", "SUP1NE", "LATERA1", "5UPINE AP"])
def test_letter_read_as_a_digit_is_taken_back(line: str) -> None:
    assert MARKERS.explain(line)


@pytest.mark.parametrize("line", UNEXPLAINED.split("|"))
def test_what_is_not_all_marker_is_not_explained(line: str) -> None:
    assert not MARKERS.explain(line)


def test_line_of_very_many_markers_is_not_explained() -> None:
    assert not MARKERS.explain("lateral " * 20)


def test_no_name_is_explained_but_sides_and_letters() -> None:
    if not NAMES.is_dir():
        pytest.skip("the lists of names are not present")
    names = {
        part.strip(".")
        for path in NAMES.rglob("*.txt")
        for line in path.read_text(encoding="utf-8").splitlines()
        for part in line.split("\t")[0].casefold().replace("-", " ").split()
    }
    assert len(names) > 50_000
    assert {name for name in names if len(name) > 1 and MARKERS.explain(name)} <= SIDES_THAT_ARE_NAMES


def test_no_month_is_explained() -> None:
    assert not [name for name in month_names() if MARKERS.explain(name) or MARKERS.explain(f"12 {name}")]


def test_vocabulary_of_an_operator_adds_words(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('[words]\nhouse = "Portatif C3"\n[labels]\nhouse = "Plan"\n[units]\nhouse = "ligne"\n')
    own = load_markers([path])
    assert all(map(own.explain, ("PORTATIF", "c3 portatif", "plan 4", "4 ligne")))
    assert not any(map(own.explain, ("plan", "ligne", "left", "c4")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[words\n", "at line 1"),
        ('[word]\na = "b"\n', "unknown table 'word'; allowed: words, labels, units"),
        ("words = 1\n", "words must be a table"),
        ("[words]\na = 1\n", "words.a must be a text"),
        ('[words]\na = "x^y"\n', "'x^y' has a sign"),
        ('[labels]\na = "id123"\n', "labels.a: 'id123'"),
    ],
)
def test_malformed_vocabulary_is_misconfigured(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(Misconfigured) as caught:
        load_markers([path])
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_empty_vocabulary_explains_a_lone_number_only() -> None:
    empty = Markers(frozenset(), frozenset(), frozenset())
    assert empty.explain("10")
    assert not any(map(empty.explain, ("L", "10 cm", "TR 10", "")))
