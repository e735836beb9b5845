"""A text in the making: pieces, each with its label, so that spans stay exact whatever is done to the letters."""

from typing import NamedTuple

Piece = tuple[str, str]  # the letters and their label; the label is "" where nothing is identifying
Filler = str | list[Piece]

LABELS = ("NAME", "DATE", "ID", "PLACE", "ORG", "CONTACT", "AGE")


class Span(NamedTuple):
    """One identifying part: text[start:end]."""

    start: int
    end: int
    label: str


class Sample(NamedTuple):
    """One text with what is identifying in it."""

    text: str
    spans: tuple[Span, ...]
    lang: str
    kind: str

    def marked(self) -> str:
        """
        Write the text with its spans marked as GUIDE.md says.

        Returns
        -------
        str
            One line: [[LABEL:...]] for a span, and backslash escapes for line breaks.
        """
        out, at = [], 0
        for span in self.spans:
            out += [
                escaped(self.text[at : span.start]),
                f"[[{span.label}:{escaped(self.text[span.start : span.end])}]]",
            ]
            at = span.end
        return "".join(out) + escaped(self.text[at:])


def escaped(text: str) -> str:
    """
    Write line breaks and backslashes as escapes.

    Returns
    -------
    str
        The text in one line.
    """
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def joined(pieces: list[Piece], lang: str, kind: str) -> Sample:
    """
    Put the pieces together.

    Returns
    -------
    Sample
        The text; spans neither begin nor end with a blank, and empty ones are left out.
    """
    at, spans = 0, []
    for text, label in pieces:
        if label:
            core = text.strip()
            if core:
                start = at + text.index(core)
                spans.append(Span(start, start + len(core), label))
        at += len(text)
    return Sample("".join([text for text, _ in pieces]), tuple(spans), lang, kind)
