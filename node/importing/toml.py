"""Values as TOML writes them."""

from __future__ import annotations

import json
from collections.abc import Iterable

__all__ = ["quoted", "quoted_list"]


def quoted(text: str) -> str:
    """Return a text as a basic string; characters that can't be printed are dropped."""
    return json.dumps("".join(character for character in text if character.isprintable()), ensure_ascii=False)


def quoted_list(texts: Iterable[str]) -> str:
    """Return texts as an array, or as one text if it is only one."""
    found = [quoted(text) for text in texts]
    return found[0] if len(found) == 1 else f"[{', '.join(found)}]"
