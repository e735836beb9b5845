"""Words of a value, as NLTK's `word_tokenize` cuts them, and English words that mean nothing alone."""

from __future__ import annotations

import re
import string


def _words_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


STOPWORDS = _words_of(
    """
    i me my myself we our ours ourselves you you're you've you'll you'd your yours yourself yourselves he him his
    himself she she's her hers herself it it's its itself they them their theirs themselves what which who whom this
    that that'll these those am is are was were be been being have has had having do does did doing a an the and but
    if or because as until while of at by for with about against between into through during before after above
    below to from up down in out on off over under again further then once here there when where why how all any
    both each few more most other some such no nor not only own same so than too very s t can will just don don't
    should should've now d ll m o re ve y ain aren aren't couldn couldn't didn didn't doesn doesn't hadn hadn't hasn
    hasn't haven haven't isn isn't ma mightn mightn't mustn mustn't needn needn't shan shan't shouldn shouldn't wasn
    wasn't weren weren't won won't wouldn wouldn't
    """
)
PUNCTUATION = frozenset([*string.punctuation, "“", "”", "\u2018", "\u2019", "``", "•"])

# The Treebank conventions that matter for single lines of text, in NLTK's order
_RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r'^"', r"`` "),
        (r"(``)", r" \1 "),
        (r'([ (\[{<])(")', r"\1 `` "),
        (r"([^\.])(\.)([\]\)}>\"'»”\u2019 ]*)\s*$", r"\1 \2 \3 "),
        (r"([:,])([^\d])", r" \1 \2"),
        (r"([:,])$", r" \1 "),
        (r"\.{2,}", r" \g<0> "),
        (r"[;@#$%&*]", r" \g<0> "),
        (r"[?!]", r" \g<0> "),
        (r"([^'])' ", r"\1 ' "),
        (r"[\]\[\(\)\{\}\<\>]", r" \g<0> "),
        (r"--", r" -- "),
        (r"(?<![^\s\[\](,])'(?=\w)", r"' "),
        (r'"', " '' "),
        (r"(\S)('')", r"\1 \2 "),
        (r"([^' ])('s|'m|'d|') ", r"\1 \2 "),
        (r"([^' ])('ll|'re|'ve|n't) ", r"\1 \2 "),
    )
)


def words(text: str) -> list[str]:
    """Cut `text` into words and marks."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, f" {text} " if pattern.pattern.startswith("([^' ])") else text)
    return text.split()


def meaningful(text: str) -> list[str]:
    """Words of `text` that are neither English stopwords nor punctuation."""
    return [word for word in words(text) if word not in STOPWORDS and word not in PUNCTUATION]
