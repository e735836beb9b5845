from __future__ import annotations

import pytest

from deid.standard import is_defined_term


@pytest.mark.parametrize(
    "term",
    [
        "CT", "RTSTRUCT", "SMR", "M3D", "DD",  # modalities, the last one retired
        "ABDOMEN", "HEADNECK", "CSPINE", "WHOLEBODY",  # body parts
        "L", "HFS", "DECUBITUS",  # laterality and position
        "MONOCHROME2", "PALETTE COLOR", "YBR_FULL_422",  # photometric interpretation
        "ORIGINAL", "DERIVED", "LOCALIZER", "MIN_IP",  # image type
        "YES", "IN PROGRESS", "FOR PRESENTATION", "ISO 2022 IR 100",
    ],
)  # fmt: skip
def test_defined_term_is_known(term: str) -> None:
    assert is_defined_term(term)
    assert is_defined_term(f" {term.lower()} ")


@pytest.mark.parametrize("word", ["PALETTE", "COLOR", "PROGRESS", "presentation", "FULL", "IP"])
def test_single_word_of_a_longer_term_is_known(word: str) -> None:
    assert is_defined_term(word)


@pytest.mark.parametrize("text", ["SMITH", "DOE^JOHN", "HEAD SMITH", "ABDOMEN1984", "MÜLLER", "", " ", "^"])
def test_other_text_is_no_defined_term(text: str) -> None:
    assert not is_defined_term(text)


@pytest.mark.parametrize("number", ["100", "2022", "1", "0", "10918"])
def test_number_alone_is_no_defined_term(number: str) -> None:
    assert not is_defined_term(number)
