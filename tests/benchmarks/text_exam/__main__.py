"""`make text-exam`: labelled strings from a seed, by hand and from public data, cleaned by each finder and by all."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from deid.errors import Misconfigured
from tests.benchmarks.text_exam import peers, report
from tests.benchmarks.text_exam.alone import TIMES, measured
from tests.benchmarks.text_exam.marks import Marks
from tests.benchmarks.text_exam.questions import HERE, REAL, by_hand, generated, real
from tests.benchmarks.text_exam.systems import OURS, WITHOUT, Node

NO_NETWORK = 2


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="text_exam", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another seed is another exam")
    parser.add_argument("--generated", type=int, default=1500, help="how many generated strings")
    parser.add_argument("--real", type=int, default=1500, help="how many real public descriptions")
    parser.add_argument("--strings", type=Path, default=HERE, help="the folder of the hand-written sets strings_*.txt")
    parser.add_argument("--profile", default="tcia", help="of config/profiles, or a path")
    parser.add_argument("--models", type=Path, help="a folder of networks other than the shipped ones")
    parser.add_argument("--peers", action="store_true", help="also Presidio and scrubadub, from PyPI")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N strings of each way to go wrong")
    return parser.parse_args()


def main() -> int:
    """Return 0 if all targets are met and no peer is ahead, 1 if not, 2 if there is no network to be examined."""
    chosen = _arguments()
    node = Node.of_profile(chosen.profile, chosen.models, chosen.seed)
    try:
        node.context.ner()
    except Misconfigured as error:
        print(error, file=sys.stderr)
        return NO_NETWORK
    questions = [
        *generated(chosen.seed, chosen.generated),
        *by_hand(chosen.strings),
        *real(chosen.seed, chosen.real),
    ]
    print("\n".join([*report.sets(questions), "", *report.known_names(questions, node.knows), ""]), flush=True)
    sat = {system: Marks.of_sheet(node.sit(system, questions), questions) for system in OURS}
    descriptions = [question for question in questions if question.source == REAL]
    alone = measured([question.text for question in descriptions], chosen.models)
    ms = min(node.mean_ms(WITHOUT, descriptions) for _ in range(TIMES)) if descriptions else math.nan
    print("\n".join([*report.overview(sat), "", *report.details(sat)]))
    if chosen.show:
        print("\n".join(report.examples(sat, chosen.show, chosen.seed)))
    ahead = None
    if chosen.peers:
        both = peers.sat(questions, sat)
        print("\n".join(["", *peers.comparison(both)]))
        ahead = peers.is_ahead(both)
    aims = report.targets(sat, alone, ms)
    print("\n".join(["", "targets", *(aim.line() for aim in aims)]))
    print("", report.figures(sat, alone, ms, chosen.seed, ahead=ahead), sep="\n")
    return 0 if all(aim.is_met for aim in aims) and ahead is not False else 1


if __name__ == "__main__":
    sys.exit(main())
