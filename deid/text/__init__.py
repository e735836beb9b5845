"""Free text: what in it identifies somebody, and the text without it.

`deid.text` knows texts, not elements: character sets and values are the caller's.
"""

from __future__ import annotations

from deid.text.clean import Cleaned, TextRules, clean_text
from deid.text.spans import Finder, Span, SpanKind

__all__ = ["Cleaned", "Finder", "Span", "SpanKind", "TextRules", "clean_text"]
