"""A font of 5 by 7 dots, as old consoles burned it in: upper case, digits and what stands between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HEIGHT = 7
_WIDTH = 5

# Five columns each, the lowest bit being the top dot.
_COLUMNS = {
    " ": "0000000000",
    "!": "00005F0000",
    "#": "147F147F14",
    "%": "2313086462",
    "&": "3649552250",
    "'": "0005030000",
    "(": "001C224100",
    ")": "0041221C00",
    "*": "14083E0814",
    "+": "08083E0808",
    ",": "0050300000",
    "-": "0808080808",
    ".": "0060600000",
    "/": "2010080402",
    "0": "3E5149453E",
    "1": "00427F4000",
    "2": "4261514946",
    "3": "2141454B31",
    "4": "1814127F10",
    "5": "2745454539",
    "6": "3C4A494930",
    "7": "0171090503",
    "8": "3649494936",
    "9": "064949291E",
    ":": "0036360000",
    ";": "0056360000",
    "=": "1414141414",
    "?": "0201510906",
    "@": "324979413E",
    "A": "7E1111117E",
    "B": "7F49494936",
    "C": "3E41414122",
    "D": "7F4141221C",
    "E": "7F49494941",
    "F": "7F09090901",
    "G": "3E4149497A",
    "H": "7F0808087F",
    "I": "00417F4100",
    "J": "2040413F01",
    "K": "7F08142241",
    "L": "7F40404040",
    "M": "7F020C027F",
    "N": "7F0408107F",
    "O": "3E4141413E",
    "P": "7F09090906",
    "Q": "3E4151215E",
    "R": "7F09192946",
    "S": "4649494931",
    "T": "01017F0101",
    "U": "3F4040403F",
    "V": "1F2040201F",
    "W": "3F4038403F",
    "X": "6314081463",
    "Y": "0708700807",
    "Z": "6151494543",
    "[": "007F414100",
    "]": "0041417F00",
    "^": "0402010204",
    "_": "4040404040",
}


def dots(text: str, scale: int) -> NDArray[np.float32]:
    """Return a text as dots of 0 and 1, each `scale` pixels wide and high; a question mark for what has no glyph."""
    columns: list[int] = []
    for character in text.upper():
        columns += [*bytes.fromhex(_COLUMNS.get(character, _COLUMNS["?"])), 0]
    rows = np.array([[column >> row & 1 for column in columns] for row in range(HEIGHT)], np.float32)
    return np.kron(rows, np.ones((scale, scale), np.float32))
