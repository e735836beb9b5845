"""Peers from PyPI on the same strings, in an environment of their own; and the table of ours beside them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.environment import environment
from tests.benchmarks.text_exam.marks import Marks, Share
from tests.benchmarks.text_exam.questions import HERE, Question
from tests.benchmarks.text_exam.remains import without
from tests.benchmarks.text_exam.systems import NER, WITH, WITHOUT, Answer, Sheet

PEERS = ("presidio", "presidio-org", "scrubadub")
MINE = (WITH, WITHOUT, NER)
SHARE = 3
"""One of so many strings is for the peers, too, where there are thousands; of the hand-written ones, all."""
LEAST_REMOVED = 0.25

_ENVIRONMENT = HERE.parents[2] / ".venv-peers-text"
_PINNED = HERE / "peers.txt"
_RUNNER = HERE / "peer_runner.py"
_TIMEOUT_S = 1200


@dataclass(frozen=True, slots=True)
class Both:
    """Ours and the peers, on the same strings.

    Attributes
    ----------
    mine
        ours in the order of `MINE`
    """

    mine: list[Marks]
    peers: list[Marks]


def sat(questions: Sequence[Question], ours: Mapping[str, Marks]) -> Both:
    """Have the peers read the strings.

    Raises
    ------
    subprocess.SubprocessError
        They can't be installed, or don't end.
    """
    chosen = [at for at, question in enumerate(questions) if question.is_by_hand or at % SHARE == 0]
    some = [questions[at] for at in chosen]
    mine = [
        Marks(name, [ours[name].marked[at] for at in chosen], [ours[name].ms[at] for at in chosen]) for name in MINE
    ]
    python = environment(_ENVIRONMENT, _PINNED, _TIMEOUT_S)
    return Both(mine, [Marks.of_sheet(_sheet(python, peer, some), some) for peer in PEERS])


def _sheet(python: Path, peer: str, questions: Sequence[Question]) -> Sheet:
    texts = json.dumps([question.text for question in questions])
    command = [str(python), str(_RUNNER), peer]
    ran = subprocess.run(command, input=texts, check=True, timeout=_TIMEOUT_S, stdout=subprocess.PIPE, text=True)
    handed = json.loads(ran.stdout.splitlines()[-1])
    found = [_answer(question.text, ranges) for question, ranges in zip(questions, handed["found"], strict=True)]
    return Sheet(handed["name"], found, handed["ms"])


def _answer(text: str, ranges: list[list[int]]) -> Answer:
    """Return what would come out if all that was found were taken out."""
    return Answer(without(text, ((start, end) for start, end in ranges)), bool(ranges))


def comparison(both: Both) -> Iterator[str]:
    """Yield the table; what is behind a peer is said to be."""
    columns = [*both.mine, *both.peers]
    yield f"{'on the same strings':34}" + "".join(f"{marks.name:>23}" for marks in columns)
    english = [marks.of(_is_english) for marks in columns]
    for where, some in (("all languages", columns), ("English", english)):
        exam = [marks.exam for marks in some]
        yield from _rows(where, "parts removed %", [marks.removed for marks in exam], len(both.mine))
        yield from _rows(where, "other words kept %", [marks.kept for marks in exam], len(both.mine))
        yield from _rows(where, "clean unaltered %", [marks.unaltered for marks in exam], len(both.mine))
    yield from _rows("hand-written", "parts removed %", [marks.by_hand.removed for marks in columns], len(both.mine))
    yield from _rows("hand-written", "other words kept %", [marks.by_hand.kept for marks in columns], len(both.mine))
    yield from _rows("real descriptions", "unaltered %", [marks.real.unaltered for marks in columns], len(both.mine))
    yield f"{'CPU ms for a string':34}" + "".join(f"{marks.mean_ms:23.3f}" for marks in columns)


def _is_english(question: Question) -> bool:
    return question.lang == "en"


def _rows(where: str, what: str, shares: Sequence[Share], mine: int) -> Iterator[str]:
    best = max((share.value for share in shares[mine:] if share.whole), default=0.0)
    cells = (
        f"{f'{share} of {share.whole}' if share.whole else '-'}{' <' if at < mine and share.value < best else '  '}"
        for at, share in enumerate(shares)
    )
    yield f"{f'{where}: {what}':34}" + "".join(f"{cell:>23}" for cell in cells)


def is_ahead(both: Both) -> bool:
    """Say whether ours, with all finders and with the network alone, do better than the peers.

    More parts are removed than by any peer, and more words kept than by any that removes a quarter of the parts:
    whoever takes out next to nothing keeps everything. In all languages, and in English alone, which the peers were
    made for.
    """
    for is_wanted in (lambda _: True, _is_english):
        peers = [marks.exam.of(is_wanted) for marks in both.peers]
        serious = [marks for marks in peers if marks.removed.value >= LEAST_REMOVED]
        for marks in both.mine:
            own = marks.exam.of(is_wanted)
            if any(own.removed.value <= peer.removed.value for peer in peers):
                return False
            if any(own.kept.value <= peer.kept.value for peer in serious):
                return False
    return True
