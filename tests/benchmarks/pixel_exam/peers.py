"""Peers on the same images in the same run: Presidio's DICOM redactor, and Tesseract with a mask on every word.

Their environment is made once, with pinned versions, in a folder of its own. Presidio gets the files; it is configured
as it is by default, but for spaCy's model, which is en_core_web_md. Tesseract gets each frame as its window shows it;
what it takes for a word is masked. Where a peer fails, its image isn't cleaned.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from tests.benchmarks.environment import environment
from tests.benchmarks.pixel_exam.exam import Question
from tests.benchmarks.pixel_exam.marks import Marked, refused
from tests.benchmarks.pixel_exam.show import pictured
from tests.benchmarks.pixel_exam.systems import marked, with_masks

if TYPE_CHECKING:
    from tests.benchmarks.pixel_exam.report import Marks

IMAGES = 90
"""Peers get so many of an exam's images, drawn by chance; all if it has fewer."""

PEERS = ("presidio", "tesseract")
_ENVIRONMENT = Path(__file__).parents[3] / ".venv-peers-pixels"
_PINNED = Path(__file__).with_name("peers.txt")
_RUNNER = Path(__file__).with_name("peer_runner.py")
_TIMEOUT_S = 3600


@dataclass(frozen=True, slots=True)
class Peer:
    """What a peer made of the images."""

    name: str
    marked: list[Marked]


def sampled(questions: Sequence[Question], seed: int) -> list[Question]:
    """Return the images that peers get."""
    chosen = Random(f"peers {seed}").sample(range(len(questions)), min(IMAGES, len(questions)))
    return [questions[at] for at in sorted(chosen)]


def sat(questions: Sequence[Question], folder: Path) -> list[Peer]:
    """Have the peers clean the images, and mark them.

    Raises
    ------
    subprocess.SubprocessError
        They can't be installed, or don't end.
    """
    python = environment(_ENVIRONMENT, _PINNED, _TIMEOUT_S)
    return [_sat(python, peer, questions, folder / peer) for peer in PEERS]


def _sat(python: Path, peer: str, questions: Sequence[Question], folder: Path) -> Peer:
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [_job(peer, question, folder) for question in questions]
    ran = subprocess.run(
        [str(python), str(_RUNNER), peer],
        input=json.dumps(jobs),
        check=True,
        timeout=_TIMEOUT_S,
        stdout=subprocess.PIPE,
        text=True,
    )
    handed = json.loads(ran.stdout.splitlines()[-1])
    pairs = zip(questions, jobs, handed["answers"], strict=True)
    return Peer(handed["name"], [_marked(question, job, answer) for question, job, answer in pairs])


def _job(peer: str, question: Question, folder: Path) -> dict[str, object]:
    """Say what to read and what to write: files for Presidio, pictures for Tesseract."""
    if peer == "presidio":
        return {"source": str(question.file), "target": str(folder / question.file.name)}
    from PIL import Image

    file = question.file.read_bytes()
    sources = []
    for frame in range(question.shape[0]):
        sources.append(str(folder / f"{question.number}-{frame}.png"))
        Image.fromarray(pictured(file, question, frame)).save(sources[-1])
    return {"sources": sources}


def _marked(question: Question, job: dict[str, object], answer: dict[str, object]) -> Marked:
    ms = float(str(answer["ms"]))
    if answer["failed"]:
        return refused(question, str(answer["failed"]), ms, ms)
    file = question.file.read_bytes()
    if "target" in job:
        clean = Path(str(job["target"])).read_bytes()
    else:
        boxes: Any = answer["boxes"]
        clean = with_masks(file, [((x0, y0, x1, y1), (frame,)) for frame, x0, y0, x1, y1 in boxes])
    return marked(question, file, clean, ms, ms)


def comparison(mine: Sequence[Marked], peers: Sequence[Peer]) -> Iterator[str]:
    """Yield the table; what is behind a peer is said to be."""
    from tests.benchmarks.pixel_exam.report import Marks

    columns = [Marks(mine), *(Marks(peer.marked) for peer in peers)]
    names = ["deid-node", *(peer.name for peer in peers)]
    yield f"{f'on the same {len(mine)} images':44}" + "".join(f"{name:>28}" for name in names)
    for title, shares in (
        ("lines masked %", [marks.lines() for marks in columns]),
        ("contrast >= 0.4, unrotated, >= 10 px %", [marks.lines(marks.is_easy) for marks in columns]),
        ("of single frames alone %", [marks.lines(marks.is_of_one_frame) for marks in columns]),
        ("of images that it doesn't fail on alone %", [_handled(marks).lines() for marks in columns]),
        ("images wholly clean %", [marks.wholly_clean for marks in columns]),
        ("images without text untouched %", [marks.untouched for marks in columns]),
    ):
        best = max(share.value for share in shares[1:])
        cells = (
            f"{share} of {share.whole}{' <' if at == 0 and share.value < best else '  '}"
            for at, share in enumerate(shares)
        )
        yield f"{title:44}" + "".join(f"{cell:>28}" for cell in cells)
    yield f"{'failed, or what came out is unreadable':44}" + "".join(f"{f'{m.refused_count}  ':>28}" for m in columns)
    yield f"{'images altered outside of masks':44}" + "".join(f"{f'{m.altered_count}  ':>28}" for m in columns)
    yield f"{'area masked of images without text %':44}" + "".join(
        f"{f'{100 * m.false_area:.3f}  ':>28}" for m in columns
    )
    yield f"{'CPU ms for an image':44}" + "".join(f"{f'{m.mean_cpu_ms:.0f}  ':>28}" for m in columns)


def _handled(marks: Marks) -> Marks:
    return type(marks)([each for each in marks.marked if not each.refused])


def is_ahead(mine: Sequence[Marked], peers: Sequence[Peer]) -> bool:
    """Say whether more lines are masked, and more images wholly clean, than by any peer."""
    from tests.benchmarks.pixel_exam.report import Marks

    own = Marks(mine)
    return all(
        own.lines().value > Marks(peer.marked).lines().value
        and own.wholly_clean.value > Marks(peer.marked).wholly_clean.value
        for peer in peers
    )
