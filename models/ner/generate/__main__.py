"""python -m models.ner.generate: print samples for eyes, or check templates and word lists."""

import argparse
import sys
from random import Random

from models.ner.generate.check import report
from models.ner.generate.mix import BUILT, LANGUAGES, TEMPLATES
from models.ner.generate.sample import generator


def main() -> int:
    """
    Run the command.

    Returns
    -------
    int
        0, or 1 where the check found faults.
    """
    parser = argparse.ArgumentParser(prog="python -m models.ner.generate", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--held-out", action="store_true", help="the exam's templates, names and descriptions")
    parser.add_argument("--kind", default="", choices=[*TEMPLATES, *BUILT])
    parser.add_argument("--lang", default="", choices=list(LANGUAGES))
    parser.add_argument("--check", action="store_true", help="parse all templates and word lists, and count them")
    options = parser.parse_args()
    if options.check:
        lines, faults = report()
        print("\n".join(lines))  # noqa: T201
        return int(faults > 0)
    maker = generator(held_out=options.held_out)
    rng = Random(options.seed)  # noqa: S311 - reproducible, not secret
    for _ in range(options.count):
        sample = maker.sample(rng, options.lang, options.kind)
        print(f"{sample.lang}\t{sample.kind}\t{sample.marked()}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
