"""What a training set consists of: languages, kinds, and how often each occurs."""

from collections.abc import Callable

from models.ner.generate import blocks, describe, frames, salad, screens
from models.ner.generate.pieces import Piece
from models.ner.generate.slots import Line

# The shares of the languages; the last ones have few templates, but dates and persons of their own.
LANGUAGES: dict[str, float] = {
    "en": 45, "de": 12, "fr": 5, "es": 5, "it": 5, "pt": 5, "nl": 5, "pl": 5, "sv": 5, "tr": 5,
    "da": 1.2, "no": 1.2, "fi": 1.2, "cs": 1.2, "hu": 1.2, "ro": 1.2, "ca": 1,
}  # fmt: skip

# The shares of the kinds. Those of templates count in full for a language with enough of them.
TEMPLATES: dict[str, float] = {
    "prose": 9,
    "note": 10,
    "kv": 6,
    "desc": 6,
    "overlay": 4,
    "clean": 19,
    "joined": 7,
    "joined clean": 4,
    "beside": 4,
}
ENOUGH = 15
# Kind, share, maker. Nothing identifies in those with a *.
BUILT: dict[str, tuple[float, Callable[[Line], list[Piece]]]] = {
    "description*": (14, describe.plain),
    "marked": (8, describe.marked),
    "form": (7, blocks.filled),
    "form*": (4, blocks.empty),
    "screen": (3, screens.overlay),
    "carets": (1.5, screens.person_of_dicom),
    "file": (2.5, screens.file_name),
    "person": (3.5, frames.person),
    "eponym*": (5, frames.eponym),
    "person and eponym": (1.5, frames.both),
    "alone": (5, frames.alone),
    "word*": (4, frames.word_alone),
    "names": (2, frames.names),
    "salad*": (9, salad.words),
    "salad": (5, salad.words_and_person),
    "eponyms*": (4, salad.eponyms),
}
# What is joined: of which kinds of templates a long text is made, and how many words it has at most.
JOINED: dict[str, tuple[str, ...]] = {
    "joined": ("prose", "prose", "prose", "clean", "note"),
    "joined clean": ("clean",),
}
# Something identifying is put beside a template of these kinds: none of its words leads to it.
BESIDE: dict[str, tuple[str, ...]] = {"beside": ("clean",)}
LONGEST = 130
