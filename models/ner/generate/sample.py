"""The stream of samples: seeded, so that the same seed gives the same texts in every process."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

from models.ner.generate import salad
from models.ner.generate import templates as lines
from models.ner.generate.chance import Weighted, number
from models.ner.generate.describe import put_beside
from models.ner.generate.lists import pick
from models.ner.generate.mix import BESIDE, BUILT, ENOUGH, JOINED, LANGUAGES, LONGEST, TEMPLATES
from models.ner.generate.noise import noisy
from models.ner.generate.pieces import Piece, Sample, joined
from models.ner.generate.slots import Line, known
from models.ner.generate.templates import Template, Tree

ENDS = (".", "!", "?", ":")


class Generator:
    """
    All that samples are made of.

    Parameters
    ----------
    templates : iterable of Template
        The templates to use.
    held_out : bool
        Whether names, places, organisations and descriptions are those of the exam.
    """

    def __init__(self, templates: Iterable[Template], *, held_out: bool) -> None:
        self.held_out = held_out
        self.trees: dict[tuple[str, str], list[Tree]] = defaultdict(list)
        for template in templates:
            self.trees[template.lang, template.kind].append(template.tree)
        self.langs = Weighted(LANGUAGES)
        self.kinds = {lang: Weighted(self.shares(lang)) for lang in LANGUAGES}

    def shares(self, lang: str) -> dict[str, float]:
        """
        Work out how often each kind occurs in a language.

        Returns
        -------
        dict
            Kind to share; a kind with few templates has a small one.
        """
        shares = {kind: share for kind, (share, _) in BUILT.items()}
        for kind, share in TEMPLATES.items():
            parts = (JOINED | BESIDE).get(kind, (kind,))
            count = len({id(tree) for part in parts for tree in self.trees.get((lang, part), ())})
            if count:
                shares[kind] = share * min(1, count / ENOUGH)
        return shares

    def sample(self, rng: Random, lang: str = "", kind: str = "") -> Sample:
        """
        Make one sample.

        Parameters
        ----------
        rng : Random
            The source of chance.
        lang, kind : str
            What it is to be; drawn where empty.

        Returns
        -------
        Sample
            The text with its spans.
        """
        lang = lang or self.langs.pick(rng)
        kind = kind or self.kinds[lang].pick(rng)
        line = Line(rng, lang, held_out=self.held_out)
        if kind in BUILT:
            pieces = BUILT[kind][1](line)
        elif kind in JOINED:
            pieces = self.text(line, kind)
        elif kind in BESIDE:
            pieces = put_beside(line, [self.harmless(line, kind)])
        else:
            pieces = []
            lines.render(pick(rng, self.trees[lang, kind]), rng, line.fill, pieces)
        return joined(noisy(pieces, rng, lang), lang, kind)

    def harmless(self, line: Line, kind: str) -> list[Piece]:
        """
        Write a template that something identifying is put beside, or some words if the language has none.

        Returns
        -------
        list of Piece
            One text.
        """
        pieces: list[Piece] = []
        trees = [tree for part in BESIDE[kind] for tree in self.trees.get((line.lang, part), ())]
        if not trees:
            return salad.words(line)
        lines.render(pick(line.rng, trees), line.rng, line.fill, pieces)
        return pieces

    def text(self, line: Line, kind: str) -> list[Piece]:
        """
        Join two to six templates of a language, more now and then.

        Returns
        -------
        list of Piece
            A text of several sentences.
        """
        rng, lang = line.rng, line.lang
        between = pick(rng, (" ", " ", " ", "\n", "\n", "  ", "\n\n"))
        same = rng.random() < 0.3
        out: list[Piece] = []
        words = 0
        for _ in range(number(rng, 2, 6) if rng.random() < 0.85 else number(rng, 6, 10)):
            part = pick(rng, [part for part in JOINED[kind] if (lang, part) in self.trees])
            pieces: list[Piece] = []
            teller = line if same else Line(rng, lang, held_out=self.held_out)
            lines.render(pick(rng, self.trees[lang, part]), rng, teller.fill, pieces)
            words += sum([text.count(" ") for text, _ in pieces])
            if out and words > LONGEST:
                break
            if out:
                end = "" if out[-1][0].endswith(ENDS) or "\n" in between else pick(rng, (".", ";", ",", "."))
                out.append((end + between, ""))
            out += [piece for piece in pieces if piece[0]]
        return out


def generator(*, held_out: bool = False, templates: Iterable[Path] | None = None) -> Generator:
    """
    Read templates and make a generator of them.

    Returns
    -------
    Generator
        It draws samples.
    """
    paths = lines.files(held_out=held_out) if templates is None else templates
    return Generator(lines.load(paths, known), held_out=held_out)


def samples(seed: int, *, held_out: bool = False, templates: Iterable[Path] | None = None) -> Iterator[Sample]:
    """
    Make samples without end.

    Parameters
    ----------
    seed : int
        The same seed gives the same samples.
    held_out : bool
        True for the exam: the templates, names, places, organisations and descriptions that training never sees.
    templates : iterable of Path, optional
        The template files; all of training's, or all of the exam's, by default.

    Yields
    ------
    Sample
        A text with its spans.
    """
    maker = generator(held_out=held_out, templates=templates)
    rng = Random(seed)  # noqa: S311 - reproducible, not secret
    while True:
        sample = maker.sample(rng)
        if sample.text.strip():
            yield sample
