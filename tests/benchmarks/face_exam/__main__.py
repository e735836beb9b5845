"""`make face-exam`: heads of all kinds through the product, and what is left of their faces; and what is no head."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from deid.deface.render import View, shaded, surface
from deid.deface.volume import Stack
from tests.benchmarks.face_exam import detector, exam, report, timing
from tests.benchmarks.face_exam.cases import Case, cases, control_share, not_heads
from tests.benchmarks.face_exam.report import Results
from tests.benchmarks.face_exam.systems import DROWN, ERODE, MODES, context_of
from tests.factories import to_bytes
from tests.heads.real import CORPUS

PARTS = ("heads", "others", "corpus", "large")
_ERODED_EVERY = 4
_FACES_OF_CORPUS = ("dcm_qa_", "headvol", "dcmstack", "nibabel", "dcmqi", "umessen")
_SHOW_PX = 300


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="face_exam", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another seed is another exam")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; may be given again")
    parser.add_argument("--case", action="append", help="only this head; may be given again")
    parser.add_argument("--mode", choices=MODES, action="append", help="only this mode, on all heads")
    parser.add_argument("--no-detector", action="store_true", help="nothing is installed to look for faces")
    parser.add_argument("--show", type=Path, metavar="FOLDER", help="write pictures of each head before and after")
    return parser.parse_args(arguments)


class _Pictures:
    """What the detector gets to see."""

    def __init__(self) -> None:
        self.by_mode: dict[str, dict[tuple[str, str, str], detector.Picture]] = defaultdict(dict)

    def add(self, head: exam.Head, mode: str, after: Stack) -> None:
        if len(head.points) < report.FEWEST_POINTS:
            return
        stack, air, name = head.volume.stack, head.volume.air, head.case.name
        for label, view in detector.VIEWS.items():
            self.by_mode[mode][name, detector.BEFORE, label] = detector.picture(stack, air, head.points, view)
            self.by_mode[mode][name, detector.AFTER, label] = detector.picture(after, air, head.points, view)
        again = detector.again(stack, air, head.points)
        self.by_mode[mode][name, detector.AGAIN, "front"] = again


def _heads(chosen: argparse.Namespace) -> tuple[list[exam.Marked], list[float], _Pictures]:
    marks, controls, pictures = [], [], _Pictures()
    contexts = {mode: context_of(mode, chosen.seed) for mode in MODES}
    for number, case in enumerate(_chosen(chosen)):
        head = exam.head_of(case)
        for mode in chosen.mode or ([DROWN, ERODE] if number % _ERODED_EVERY == 0 else [DROWN]):
            mark, after = exam.by_product(head, mode, contexts[mode], chosen.seed)
            marks.append(mark)
            print(f"  {case.name} {mode} {100 * mark.left:.2f} % left {mark.refused}", file=sys.stderr, flush=True)
            if after is not None:
                pictures.add(head, mode, after)
            if chosen.show is not None:
                _show(chosen.show, head, mode, after)
        marks += exam.by_baselines(head, chosen.seed)
        if (share := control_share(case, head.volume, head.points)) is not None:
            controls.append(share)
    return marks, controls, pictures


def _chosen(chosen: argparse.Namespace) -> Iterator[Case]:
    return (case for case in cases(chosen.seed) if not chosen.case or case.name in chosen.case)


def _show(folder: Path, head: exam.Head, mode: str, after: Stack | None) -> None:
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    rows = [_row(stack, head.volume.air) for stack in (head.volume.stack, after) if stack is not None]
    Image.fromarray(np.concatenate(rows, axis=0)).save(folder / f"{head.case.name}-{mode}.png")


def _row(stack: Stack, air: float) -> NDArray[np.uint8]:
    drawn = [shaded(surface(stack, air, view, _SHOW_PX)) for view in (View.FRONT, View.PROFILE, View.THREE_QUARTER)]
    height = max(each.shape[0] for each in drawn)
    return np.concatenate([np.pad(each, ((0, height - each.shape[0]), (0, 6))) for each in drawn], axis=1)


def _others(seed: int) -> dict[str, str]:
    context = context_of(DROWN, seed)
    found = {}
    for name, data_sets in not_heads(seed).items():
        is_untouched, done = exam.untouched(data_sets(), context)
        found[name] = "" if is_untouched else done.refused or f"touched: {done.kind}"
    return found


def _corpus(seed: int) -> tuple[int, list[str]]:
    """Clean the corpus' series of CT, MR and PET that show no head; return how many, and which were touched."""
    series: dict[str, list[Dataset]] = defaultdict(list)
    for path in sorted(CORPUS.rglob("*")) if CORPUS.is_dir() else []:
        if path.is_file() and not any(part.startswith(_FACES_OF_CORPUS) for part in path.relative_to(CORPUS).parts):
            _gather(series, path)
    context, touched = context_of(DROWN, seed), []
    for number, data_sets in enumerate(series.values()):
        done = exam.cleaned_or_not(data_sets, context)
        if done is not None:
            touched.append(f"series-{number}:{done}")
    return len(series), touched


def _gather(series: dict[str, list[Dataset]], path: Path) -> None:
    try:
        ds = pydicom.dcmread(path)
        if ds.get("Modality") in {"CT", "MR", "PT"} and "PixelData" in ds and ds.pixel_array.size:
            to_bytes(ds)
            series[str(ds.SeriesInstanceUID)].append(ds)
    except Exception:  # noqa: BLE001, S110  the corpus has broken files on purpose
        pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 if all targets are met, 1 if not."""
    chosen = _arguments(arguments)
    parts = chosen.part or PARTS
    marks, controls, pictures = _heads(chosen) if "heads" in parts else ([], [], _Pictures())
    results = Results(
        chosen.seed,
        marks,
        controls,
        _others(chosen.seed) if "others" in parts else {},
        _corpus(chosen.seed) if "corpus" in parts else (0, []),
        {} if chosen.no_detector else _looked_at(pictures),
        timing.large(DROWN, chosen.seed) if "large" in parts else (),
    )
    tables = (report.heads, report.comparison, report.others, report.detector, report.large)
    print("\n".join(line for table in tables for line in ["", *table(results)]))
    aims = report.targets(results)
    print("\n".join(["", "targets", *(aim.line() for aim in aims)]))
    print("", report.figures(results), sep="\n")
    return 0 if all(aim.is_met for aim in aims) else 1


def _looked_at(pictures: _Pictures) -> dict[str, detector.Seen]:
    seen = {}
    for mode, each in pictures.by_mode.items():
        with tempfile.TemporaryDirectory(prefix="face-exam-") as folder:
            try:
                seen[mode] = detector.looked_at(each, Path(folder))
            except (subprocess.SubprocessError, OSError) as error:
                print(f"no detector: {type(error).__name__}", file=sys.stderr)
    return seen


if __name__ == "__main__":
    sys.exit(main())
